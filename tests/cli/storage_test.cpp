#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "record/audit_file.h"
#include "sandbox/sandbox.h"
#include "support/child_process.h"
#include "support/places.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::HasSubstr;

constexpr int k_disks = 200;
constexpr int k_audit_unusable = 10;

/// The real binary under limits of the operating system, and with its database taken away.
class StorageTest : public ::testing::Test {
 protected:
  StorageTest() {
    sandbox::SandboxOptions options;
    options.ca_file = path("ca.pem");
    server_.emplace(options);
    environment_["ZENLAYER_ACCESS_KEY_ID"] = server_->credentials().key_id;
    environment_["ZENLAYER_ACCESS_KEY_SECRET"] = server_->credentials().key_secret;
    std::ofstream list(path("list.txt"));
    for (int i = 0; i < k_disks; ++i)
      list << 9900000000000000000ull + static_cast<unsigned>(i) << '\n';
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    return (directory_.path() / name).string();
  }

  /// `diskrelease run` after what a shell does first ("" = nothing).
  std::vector<std::string> run_after(const std::string& shell_commands,
                                     const std::string& rate) const {
    return {"/bin/sh",
            "-c",
            shell_commands + "exec \"$@\"",
            "sh",
            built_program(),
            "run",
            path("list.txt"),
            "--db",
            path("a.db"),
            "--endpoint",
            server_->endpoint(),
            "--ca-file",
            path("ca.pem"),
            "--rate",
            rate,
            "--yes",
            "--max-disks",
            std::to_string(k_disks),
            "-q"};
  }

  void remove_database() const {
    for (const char* part : {"", "-wal", "-shm", ".lock", ".anchors"}) {
      std::filesystem::remove(path("a.db") + part);
    }
    // What it claimed is not to keep the next one away.
    std::filesystem::remove_all(path("claims"));
  }

  /// Everything was sent; 3 where the server knows some disks as released, by a run before.
  static bool has_ended_well(const ChildResult& result) {
    return result.exit_code == 0 || result.exit_code == 3;
  }

  /// Every request that has reached the server since `before` has an intent on record.
  void expect_intents_for_requests(std::size_t before) {
    const std::vector<sandbox::LedgerEntry> ledger = server_->ledger();
    if (ledger.size() == before) return;
    Database database = open_audit_for_reading(path("a.db"));
    Statement select = database.prepare("SELECT count(*) FROM attempt_log WHERE disk_id = ?1");
    for (std::size_t i = before; i < ledger.size(); ++i) {
      if (ledger[i].action != "ReleaseDisk") continue;
      select.bind(1, ledger[i].disk_ids.at(0));
      EXPECT_TRUE(select.step());
      EXPECT_EQ(select.integer(0), 1) << ledger[i].disk_ids.at(0);
      select.reset();
    }
    EXPECT_EQ(database.query_integer("SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
              1);
  }

  TemporaryDirectory directory_;
  std::map<std::string, std::string> environment_{{"HOME", directory_.path().string()},
                                                  {"PATH", "/usr/bin:/bin"}};
  std::optional<sandbox::Sandbox> server_;
};

TEST_F(StorageTest, StopsWithItsOwnExitCodeWhenTheDatabaseIsDeletedDuringTheRun) {
  ChildProcess child(run_after("", "50"), environment_, directory_.path());
  for (int i = 0; i < 10'000 && server_->ledger().size() < 5; ++i) ::poll(nullptr, 0, 2);
  remove_database();
  const ChildResult result = child.wait();
  EXPECT_EQ(result.exit_code, k_audit_unusable) << result.error;
  EXPECT_THAT(result.error, HasSubstr("was deleted or renamed while this process worked on it"));
  EXPECT_LT(server_->ledger().size(), std::size_t{k_disks});
}

TEST_F(StorageTest, SendsNothingThatIsNotOnRecordWhateverTheLimitOfOpenFiles) {
  int unusable = 0;
  for (int limit = 4; limit < 64; ++limit) {
    SCOPED_TRACE("ulimit -n " + std::to_string(limit));
    remove_database();
    const std::size_t before = server_->ledger().size();
    ChildProcess child(run_after("ulimit -n " + std::to_string(limit) + "; ", "unlimited"),
                       environment_, directory_.path());
    const ChildResult result = child.wait();
    expect_intents_for_requests(before);
    if (has_ended_well(result)) break;
    if (result.exit_code == k_audit_unusable) {
      ++unusable;
      EXPECT_THAT(result.error + result.out, HasSubstr("oo many open files"));
    }
  }
  // Where exactly other things fail earlier depends on the build; the sanitizers open files too.
  EXPECT_GE(unusable, 1);
}

TEST_F(StorageTest, SendsNothingThatIsNotOnRecordWhateverTheLimitOfTheFileSize) {
  int unusable = 0;
  for (int blocks = 40; blocks < 20'000; blocks *= 2) {
    SCOPED_TRACE("ulimit -f " + std::to_string(blocks));
    remove_database();
    const std::size_t before = server_->ledger().size();
    ChildProcess child(run_after("ulimit -f " + std::to_string(blocks) + "; ", "unlimited"),
                       environment_, directory_.path());
    const ChildResult result = child.wait();
    expect_intents_for_requests(before);
    if (has_ended_well(result)) break;
    EXPECT_EQ(result.exit_code, k_audit_unusable) << result.error;
    EXPECT_THAT(result.error + result.out, HasSubstr("File too large"));
    ++unusable;
  }
  EXPECT_GE(unusable, 3);
}

}  // namespace
}  // namespace diskrelease
