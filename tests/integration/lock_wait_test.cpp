#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "record/audit_file.h"
#include "support/audit_error.h"
#include "support/faulty_vfs.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Another process that has begun to write to a database and does not end.
class OtherWriter {
 public:
  explicit OtherWriter(const std::filesystem::path& file) {
    int ready[2];
    if (::pipe(ready) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      Database database(file, Database::Access::read_write);
      database.execute("BEGIN IMMEDIATE");
      if (::write(ready[1], "x", 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    char byte = 0;
    const bool has_lock = ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
    ::close(ready[1]);
    if (!has_lock) throw std::runtime_error("the other process has no lock");
  }
  ~OtherWriter() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  OtherWriter(const OtherWriter&) = delete;
  OtherWriter& operator=(const OtherWriter&) = delete;

  [[nodiscard]] std::string pid() const { return std::to_string(pid_); }

 private:
  pid_t pid_ = -1;
};

TEST(LockWaitTest, TellsOnceWhoseLockIsWaitedForAndGivesUpInTheEnd) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "a.db";
  // Waits take almost no time.
  const FaultyVfs vfs(FaultyVfs::Syncs::skipped);
  create_audit_database(file);
  std::vector<std::string> told;
  Database database =
      open_audit_for_writing(file, {}, [&](const std::string& text) { told.push_back(text); });
  const OtherWriter other(file);
  const std::string holder = " (pid " + other.pid() + ", user ";
  EXPECT_THAT(error_of([&] { const Transaction transaction(database); }),
              AllOf(HasSubstr("is locked by "), HasSubstr(holder),
                    HasSubstr("has not ended its transaction in 30 s. Nothing more is sent")));
  EXPECT_THAT(told, ElementsAre(AllOf(HasSubstr("locked by "), HasSubstr(holder),
                                      HasSubstr("nothing new is sent meanwhile"))));
}

TEST(LockWaitTest, GoesOnWhenTheLockIsFree) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "a.db";
  const FaultyVfs vfs(FaultyVfs::Syncs::skipped);
  create_audit_database(file);
  std::optional<OtherWriter> other;
  Database database = open_audit_for_writing(file, {}, [&](const std::string&) { other.reset(); });
  other.emplace(file);
  EXPECT_EQ(error_of([&] { Transaction(database).commit(); }), "no error");
  EXPECT_FALSE(other.has_value());
}

}  // namespace
}  // namespace diskrelease
