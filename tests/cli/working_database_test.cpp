#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "derived/derived_tables.h"
#include "evidence/chain.h"
#include "record/audit_file.h"
#include "sandbox/sandbox.h"
#include "support/child_process.h"
#include "support/places.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int k_refused = 5;
constexpr int k_locked = 8;
constexpr int k_invalid = 9;
constexpr int k_unusable = 10;

/// The real binary with a database that is not the one that it was, or has several names.
class WorkingDatabaseTest : public ::testing::Test {
 protected:
  WorkingDatabaseTest() { serve(std::nullopt); }

  void serve(std::optional<std::chrono::milliseconds> latency) {
    sandbox::SandboxOptions options;
    const std::string text =
        latency ? R"({"latency": {"fixed_ms": )" + std::to_string(latency->count()) + "}}" : "{}";
    options.scenario = sandbox::parse_scenario(text, "test").scenario;
    options.ca_file = path("ca.pem");
    server_.emplace(options);
    environment_["ZENLAYER_ACCESS_KEY_ID"] = server_->credentials().key_id;
    environment_["ZENLAYER_ACCESS_KEY_SECRET"] = server_->credentials().key_secret;
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    return (directory_.path() / name).string();
  }
  [[nodiscard]] std::string list(int count) const {
    const std::string file = path("list" + std::to_string(count) + ".txt");
    std::ofstream out(file);
    for (int i = 0; i < count; ++i) {
      out << 9900000000000000000ull + static_cast<unsigned>(i) << '\n';
    }
    return file;
  }
  [[nodiscard]] std::vector<std::string> calling(std::vector<std::string> words,
                                                 const std::string& database = "a.db") const {
    words.insert(words.begin(), built_program());
    words.insert(words.end(),
                 {"--db", path(database), "--endpoint", server_->endpoint(), "--ca-file",
                  path("ca.pem"), "--settle-window", "400ms", "--settle-poll", "50ms"});
    return words;
  }
  [[nodiscard]] std::vector<std::string> releasing(int disks, std::vector<std::string> more = {},
                                                   const std::string& database = "a.db") const {
    std::vector<std::string> words{"run",   list(disks),   "--rate", "unlimited",
                                   "--yes", "--max-disks", "500"};
    words.insert(words.end(), more.begin(), more.end());
    return calling(words, database);
  }
  ChildResult run(std::vector<std::string> words) const {
    ChildProcess child(std::move(words), environment_, directory_.path());
    return child.wait();
  }
  ChildResult release(int disks, std::vector<std::string> more = {},
                      const std::string& database = "a.db") const {
    return run(releasing(disks, std::move(more), database));
  }
  [[nodiscard]] ChildResult read(std::vector<std::string> words,
                                 const std::string& database = "a.db") const {
    words.insert(words.begin(), built_program());
    words.insert(words.end(), {"--db", path(database)});
    return run(std::move(words));
  }

  /// Neither sent nor written: whatever reaches for the database is refused.
  void expect_unusable(const ChildResult& result, const std::string& what) {
    EXPECT_EQ(result.exit_code, k_unusable) << result.error << result.out;
    EXPECT_THAT(result.error, AllOf(HasSubstr(what), HasSubstr("  why:  "), HasSubstr("  fix:  "),
                                    HasSubstr("Nothing was sent or written.")));
  }
  void expect_nothing_works(const std::string& what) {
    const std::size_t sent = server_->ledger().size();
    const std::string before = content("a.db");
    expect_unusable(release(9), what);
    expect_unusable(run(calling({"resume"})), what);
    expect_unusable(run(calling({"settle", "1"})), what);
    expect_unusable(read({"audit", "archive", "--before", "0s", "-o", path("archive.db")}), what);
    EXPECT_EQ(server_->ledger().size(), sent);
    EXPECT_TRUE(content("a.db") == before);
    EXPECT_FALSE(std::filesystem::exists(path("archive.db")));
  }

  [[nodiscard]] std::string content(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void copy(const std::string& from, const std::string& to) const {
    std::filesystem::copy_file(path(from), path(to),
                               std::filesystem::copy_options::overwrite_existing);
  }
  void remove(const std::string& name) const { std::filesystem::remove(path(name)); }
  [[nodiscard]] std::int64_t query(const std::string& sql) const {
    return open_audit_for_reading(path("a.db")).query_integer(sql);
  }
  /// ReleaseDisk requests that the simulator has seen.
  [[nodiscard]] std::size_t releases() const {
    const std::vector<sandbox::LedgerEntry> ledger = server_->ledger();
    return static_cast<std::size_t>(
        std::ranges::count(ledger, "ReleaseDisk", &sandbox::LedgerEntry::action));
  }
  /// An invocation that is killed while it waits for the answer to its first call.
  void kill_amid_a_run() {
    serve(std::chrono::seconds(30));
    ChildProcess child(releasing(9, {"--no-preflight"}), environment_, directory_.path());
    await_requests(1);
    child.send_signal(SIGKILL);
    static_cast<void>(child.wait());
    serve(std::nullopt);
  }
  void await_requests(std::size_t count) const {
    for (int i = 0; i < 10'000 && server_->ledger().size() < count; ++i) ::poll(nullptr, 0, 2);
    ASSERT_GE(server_->ledger().size(), count);
  }

  /// The rest of a shell script in a namespace of its own, in which it may mount; the program's
  /// arguments are "$@".
  [[nodiscard]] std::vector<std::string> after_mounting(const std::string& script,
                                                        std::vector<std::string> words) const {
    std::vector<std::string> all{
        "/usr/bin/unshare",
        "-rm",
        "/bin/sh",
        "-c",
        "set -e; cd " + directory_.path().string() + "; " + script + "; exec \"$@\"",
        "sh"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
  [[nodiscard]] bool can_mount() const {
    std::filesystem::create_directory(path("probe"));
    return run(after_mounting("mount --bind probe probe", {"/bin/true"})).exit_code == 0;
  }

  TemporaryDirectory directory_;
  std::map<std::string, std::string> environment_{{"HOME", directory_.path().string()},
                                                  {"PATH", "/usr/bin:/bin:/usr/sbin:/sbin"}};
  std::optional<sandbox::Sandbox> server_;
};

TEST_F(WorkingDatabaseTest, AnOlderCopyIsRefusedByWhatWritesAndToldByWhatReads) {
  ASSERT_EQ(release(1).exit_code, 0);
  copy("a.db", "backup");
  ASSERT_EQ(release(4).exit_code, 0);
  copy("backup", "a.db");
  expect_nothing_works("and the database ends at block ");
  const ChildResult status = read({"status"});
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_THAT(status.error, AllOf(HasSubstr("warning: audit database "),
                                  HasSubstr("an older copy was put back")));
  EXPECT_THAT(read({"audit", "log"}).error, HasSubstr("an older copy was put back"));
  EXPECT_EQ(read({"audit", "verify"}).exit_code, k_invalid);
}

TEST_F(WorkingDatabaseTest, ARollbackThatIsAcceptedIsRecordedOnceAndGoesOnWithoutTheFlag) {
  ASSERT_EQ(release(1).exit_code, 0);
  copy("a.db", "backup");
  ASSERT_EQ(release(4, {"--anchor-file", path("elsewhere")}).exit_code, 0);
  copy("backup", "a.db");
  const std::vector<std::string> accept{"--accept-rollback", "--reason", "the disk broke",
                                        "--anchor-file", path("elsewhere")};
  EXPECT_EQ(release(4, {"--accept-rollback"}).exit_code, 2);
  std::vector<std::string> unseen = accept;
  unseen.emplace_back("--no-preflight");
  EXPECT_EQ(release(4, unseen).exit_code, k_refused);
  const std::size_t sent = releases();
  const ChildResult accepted = release(4, accept);
  EXPECT_EQ(accepted.exit_code, 4) << accepted.error;
  EXPECT_EQ(releases(), sent) << "all were released before";
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE decision_reason = 'unsettled_elsewhere'"),
            3)
      << "the claims of the machine know of the run that was lost";
  EXPECT_EQ(query("SELECT count(*) FROM decision WHERE kind = 'approve'"
                  " AND reason = 'rollback_accepted' AND detail LIKE 'the disk broke; the database"
                  " ended at block % of chain %, the anchor of % names block % of chain %'"),
            1);
  EXPECT_EQ(release(5).exit_code, 4) << "the anchors are those of this database again";
  EXPECT_EQ(release(6, {"--anchor-file", path("elsewhere")}).exit_code, 4);
  const ChildResult again = release(7, accept);
  EXPECT_EQ(again.exit_code, k_refused) << again.error;
  EXPECT_THAT(again.error, HasSubstr("there is nothing to accept"));
  EXPECT_EQ(read({"audit", "verify"}).exit_code, 0) << "beside the database are the older anchors";
  EXPECT_EQ(read({"audit", "verify", "--anchor-file", path("elsewhere")}).exit_code, k_invalid)
      << "what was lost stays a finding";
}

TEST_F(WorkingDatabaseTest, AnchorsBesideADatabaseThatIsMissingOrEmptyAreNotLeftBehind) {
  ASSERT_EQ(release(2).exit_code, 0);
  const std::string what = "and the database is missing or empty";
  remove("a.db");
  expect_nothing_works(what);
  EXPECT_FALSE(std::filesystem::exists(path("a.db")));
  std::ofstream(path("a.db")).close();
  expect_nothing_works(what);
  // A database that was created and in which nothing was ever recorded.
  remove("a.db");
  create_audit_database(path("a.db"));
  expect_nothing_works(what);
  const ChildResult accepted = release(2, {"--accept-rollback", "--reason", "gone"});
  EXPECT_EQ(accepted.exit_code, 0) << accepted.error;
  EXPECT_EQ(query("SELECT count(*) FROM decision WHERE reason = 'rollback_accepted'"
                  " AND detail LIKE 'gone; the database was missing or empty, %'"),
            1);
  EXPECT_EQ(release(3).exit_code, 0);
}

TEST_F(WorkingDatabaseTest, AnotherDatabaseAndItsAnchorsAreTold) {
  ASSERT_EQ(release(2).exit_code, 0);
  ASSERT_EQ(release(3, {}, "b.db").exit_code, 0);
  copy("b.db.anchors", "a.db.anchors");
  expect_nothing_works(
      "the database was replaced by another one, or these anchors belong to "
      "another one");
}

TEST_F(WorkingDatabaseTest, AWriteAheadLogThatIsGoneAfterAKillIsFound) {
  kill_amid_a_run();
  ASSERT_TRUE(std::filesystem::exists(path("a.db-wal")));
  remove("a.db-wal");
  expect_nothing_works("and the database ");
}

TEST_F(WorkingDatabaseTest, ADatabaseThatIsAheadOfItsAnchorsIsInOrder) {
  kill_amid_a_run();
  const ChildResult resumed = run(calling({"resume"}));
  EXPECT_NE(resumed.exit_code, k_unusable) << resumed.error;
  const std::string anchors = content("a.db.anchors");
  EXPECT_NE(release(1).exit_code, k_unusable);
  std::ofstream(path("a.db.anchors"), std::ios::trunc) << anchors;
  const ChildResult next = release(2);
  EXPECT_NE(next.exit_code, k_unusable) << next.error;
}

TEST_F(WorkingDatabaseTest, AnAnchorWhoseWritingWasInterruptedIsANoteThenAndLater) {
  ASSERT_EQ(release(2).exit_code, 0);
  std::filesystem::resize_file(path("a.db.anchors"), content("a.db.anchors").size() - 40);
  const ChildResult verified = read({"audit", "verify"});
  EXPECT_EQ(verified.exit_code, 0) << verified.out;
  EXPECT_THAT(verified.out, HasSubstr("the writing of this anchor was interrupted"));
  const ChildResult next = release(3);
  EXPECT_EQ(next.exit_code, 0) << next.error;
  EXPECT_THAT(next.error, HasSubstr("note: " + path("a.db.anchors") + ":2: the writing of this"));
  const ChildResult later = read({"audit", "verify", "--json"});
  EXPECT_EQ(later.exit_code, 0) << later.out;
  EXPECT_THAT(later.out, HasSubstr(R"("notes":[")" + path("a.db.anchors") + ":2: the writing"));
}

TEST_F(WorkingDatabaseTest, AnchorsThatSayNothingKeepNobodyFromWorkingAndAFolderDoes) {
  ASSERT_EQ(release(1).exit_code, 0);
  std::ofstream(path("a.db.anchors"), std::ios::trunc).close();
  EXPECT_EQ(release(2).exit_code, 0);
  remove("a.db.anchors");
  EXPECT_EQ(release(3).exit_code, 0);
  remove("a.db.anchors");
  std::filesystem::create_directory(path("a.db.anchors"));
  const std::size_t sent = server_->ledger().size();
  EXPECT_EQ(release(4).exit_code, k_unusable);
  EXPECT_EQ(server_->ledger().size(), sent);
}

TEST_F(WorkingDatabaseTest, ACopyIsRefusedWhileTheOriginalIsThereAndMayTakeItsPlace) {
  ASSERT_EQ(release(1).exit_code, 0);
  copy("a.db", "b.db");
  const std::size_t sent = server_->ledger().size();
  const ChildResult refused = release(2, {}, "b.db");
  expect_unusable(refused, path("b.db") + ": is a copy of " + path("a.db"));
  EXPECT_EQ(server_->ledger().size(), sent);
  EXPECT_EQ(release(2).exit_code, 0) << "the original is as good as ever";
  copy("a.db", "b.db");
  remove("a.db");
  const ChildResult moved = release(3, {}, "b.db");
  EXPECT_EQ(moved.exit_code, 0) << moved.error;
  EXPECT_THAT(moved.error, HasSubstr("note: the audit database was at " + path("a.db")));
  EXPECT_THAT(release(4, {}, "b.db").error, Not(HasSubstr("note: the audit database was at")));
}

TEST_F(WorkingDatabaseTest, AnOlderCopyThatIsPutBackTogetherWithItsAnchorsIsFoundByTheRegister) {
  ASSERT_EQ(release(1).exit_code, 0);
  copy("a.db", "backup");
  copy("a.db.anchors", "backup.anchors");
  ASSERT_EQ(release(3).exit_code, 0);
  copy("backup", "a.db");
  copy("backup.anchors", "a.db.anchors");
  EXPECT_EQ(read({"audit", "verify"}).exit_code, 0);
  expect_nothing_works("/databases/");
  std::filesystem::remove_all(path(".local/state/diskrelease"));
  const std::size_t sent = releases();
  EXPECT_EQ(release(3).exit_code, 4) << "the claims of the machine still know";
  EXPECT_EQ(releases(), sent);
  // Nothing on this machine knows better then: an anchor that is kept elsewhere would.
  std::filesystem::remove_all(path("claims"));
  copy("backup", "a.db");
  copy("backup.anchors", "a.db.anchors");
  std::filesystem::remove_all(path(".local/state/diskrelease"));
  EXPECT_EQ(release(3).exit_code, 0);
}

TEST_F(WorkingDatabaseTest, ADatabaseWithTwoNamesIsRefusedByWhatWritesAndToldByWhatReads) {
  kill_amid_a_run();
  std::filesystem::create_directory(path("snap"));
  std::filesystem::create_hard_link(path("a.db"), path("snap/a.db"));
  const std::string before = content("a.db");
  for (const char* name : {"snap/a.db", "a.db"}) {
    const ChildResult refused = release(5, {}, name);
    EXPECT_EQ(refused.exit_code, k_unusable) << refused.error;
    EXPECT_THAT(refused.error, AllOf(HasSubstr(path(name)), HasSubstr("has 2 names (hard links)")));
    const ChildResult status = read({"status"}, name);
    EXPECT_THAT(status.error, HasSubstr("warning: audit database " + path(name) +
                                        ": the file has 2 names (hard links)"));
  }
  EXPECT_EQ(run(calling({"resume"})).exit_code, k_unusable);
  EXPECT_EQ(run(calling({"settle", "1"})).exit_code, k_unusable);
  EXPECT_TRUE(content("a.db") == before);
  remove("snap/a.db");
  EXPECT_NE(run(calling({"resume"})).exit_code, k_unusable);
  EXPECT_EQ(query("SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}

TEST_F(WorkingDatabaseTest, ASecondNameThatIsMadeDuringARunStopsIt) {
  ChildProcess child(calling({"run", list(300), "--rate", "50", "--yes", "--max-disks", "300"}),
                     environment_, directory_.path());
  await_requests(5);
  std::filesystem::create_hard_link(path("a.db"), path("second.db"));
  const ChildResult result = child.wait();
  EXPECT_EQ(result.exit_code, k_unusable) << result.error;
  EXPECT_THAT(result.error, HasSubstr("2 names (hard links)"));
  EXPECT_LT(server_->ledger().size(), 300U);
}

TEST_F(WorkingDatabaseTest, OneProcessWorksOnAFileWhateverItsNameAndItsLockFile) {
  serve(std::chrono::seconds(30));
  ChildProcess first(releasing(9, {"--no-preflight"}), environment_, directory_.path());
  await_requests(1);
  std::filesystem::create_symlink(path("a.db"), path("link.db"));
  EXPECT_EQ(run(calling({"resume"}, "link.db")).exit_code, k_locked);
  remove("a.db.lock");
  const ChildResult second = run(calling({"resume"}));
  EXPECT_EQ(second.exit_code, k_locked) << second.error;
  EXPECT_THAT(second.error, HasSubstr("its lock file was removed"));
  EXPECT_EQ(query("SELECT count(*) FROM invocation"), 1);
  first.send_signal(SIGKILL);
  static_cast<void>(first.wait());
  serve(std::nullopt);
  static_cast<void>(run(calling({"resume"})));
  Database database = open_audit_for_reading(path("a.db"));
  EXPECT_THAT(derived_differences(database), ::testing::IsEmpty());
  EXPECT_EQ(read({"audit", "verify"}).exit_code, 0);
}

TEST_F(WorkingDatabaseTest, AFileThatIsMountedUnderASecondNameIsRefused) {
  if (!can_mount()) GTEST_SKIP() << "this user may not mount anything";
  kill_amid_a_run();
  std::ofstream(path("b.db")).close();
  const std::string before = content("a.db");
  expect_unusable(run(after_mounting("mount --bind a.db b.db", releasing(5, {}, "b.db"))),
                  path("b.db") + ": is the same file as " + path("a.db"));
  EXPECT_TRUE(content("a.db") == before);
  // A folder in a second place has the same write-ahead log there.
  std::filesystem::create_directory(path("place"));
  const ChildResult resumed =
      run(after_mounting("mount --bind . place", calling({"resume"}, "place/a.db")));
  EXPECT_NE(resumed.exit_code, k_unusable) << resumed.error;
}

TEST_F(WorkingDatabaseTest, WhatReadsWorksOnAReadOnlyMediumUnlessAWriteAheadLogIsLeft) {
  if (!can_mount()) GTEST_SKIP() << "this user may not mount anything";
  std::filesystem::create_directory(path("ro"));
  ASSERT_EQ(release(2, {}, "ro/a.db").exit_code, 0);
  ASSERT_FALSE(std::filesystem::exists(path("ro/a.db-wal")));
  const std::string script = "mount --bind ro ro; mount -o remount,ro,bind ro";
  const auto reading = [&](std::vector<std::string> words) {
    words.insert(words.begin(), built_program());
    words.insert(words.end(), {"--db", path("ro/a.db")});
    return run(after_mounting(script, words));
  };
  const std::vector<std::vector<std::string>> commands{
      {"status"},
      {"audit", "show", "1"},
      {"audit", "log"},
      {"audit", "sql", "SELECT count(*) FROM attempt"},
      {"audit", "stats"},
      {"audit", "verify"},
      {"audit", "backup", "-o", path("backup.db")}};
  for (const std::vector<std::string>& words : commands) {
    const ChildResult result = reading(words);
    EXPECT_EQ(result.exit_code, 0) << words.back() << ": " << result.error;
  }
  std::ofstream(path("ro/a.db-wal")).close();
  EXPECT_EQ(reading({"status"}).exit_code, 0) << "an empty log is none";
  EXPECT_EQ(run(after_mounting(script, releasing(3, {}, "ro/a.db"))).exit_code, k_unusable);
  std::ofstream(path("ro/a.db-wal")) << std::string(8'192, 'x');
  const ChildResult refused = reading({"status"});
  EXPECT_EQ(refused.exit_code, k_unusable);
  EXPECT_THAT(refused.error, AllOf(HasSubstr("on a read-only file system"),
                                   HasSubstr("-wal to a folder that can be written")));
}

}  // namespace
}  // namespace diskrelease
