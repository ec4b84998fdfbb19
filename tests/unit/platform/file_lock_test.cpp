#include "platform/file_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>

#include "model/errors.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

class FileLockTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db.lock";
};

TEST_F(FileLockTest, IsHeldByOneAtATime) {
  std::optional<FileLock> first = FileLock::try_acquire(file_, "first");
  ASSERT_TRUE(first);
  EXPECT_FALSE(FileLock::try_acquire(file_, "second"));
  EXPECT_EQ(FileLock::read_holder(file_), "first") << "a loser must not overwrite the holder";
  first.reset();
  EXPECT_TRUE(FileLock::try_acquire(file_, "third"));
  EXPECT_EQ(FileLock::read_holder(file_), "third");
}

TEST_F(FileLockTest, MovesWithItsObject) {
  std::optional<FileLock> first = FileLock::try_acquire(file_, "first");
  ASSERT_TRUE(first);
  {
    const FileLock moved = std::move(*first);
    first.reset();
    EXPECT_FALSE(FileLock::try_acquire(file_, "second"));
  }
  EXPECT_TRUE(FileLock::try_acquire(file_, "second"));
}

TEST_F(FileLockTest, AShorterHolderLeavesNothingOfALongerOne) {
  static_cast<void>(FileLock::try_acquire(file_, "a very long name of a holder"));
  static_cast<void>(FileLock::try_acquire(file_, "short"));
  EXPECT_EQ(FileLock::read_holder(file_), "short");
}

TEST_F(FileLockTest, IsAFileForItsOwnerOnly) {
  ASSERT_TRUE(FileLock::try_acquire(file_, "holder"));
  struct stat status {};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(FileLockTest, NobodyHoldsAFileThatIsNotThere) {
  EXPECT_EQ(FileLock::read_holder(file_), "");
}

TEST_F(FileLockTest, FollowsNoSymbolicLink) {
  std::ofstream(directory_ / "victim") << "content";
  std::filesystem::create_symlink(directory_ / "victim", file_);
  EXPECT_THROW(static_cast<void>(FileLock::try_acquire(file_, "holder")), AuditUnusable);
}

TEST_F(FileLockTest, SaysWhereItCannotBeMade) {
  file_ = directory_ / "no such folder" / "lock";
  try {
    static_cast<void>(FileLock::try_acquire(file_, "holder"));
    FAIL() << "no error";
  } catch (const AuditUnusable& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr(file_.string()));
  }
}

TEST_F(FileLockTest, OnAFileItselfIsOneWhateverItsNameAndLeavesItAsItIs) {
  std::ofstream(file_) << "content";
  std::filesystem::create_hard_link(file_, directory_ / "second");
  std::filesystem::create_symlink(file_, directory_ / "link");
  std::optional<FileLock> first = FileLock::try_acquire_itself(file_);
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->is_held());
  for (const char* name : {"audit.db.lock", "second", "link"}) {
    EXPECT_FALSE(FileLock::try_acquire_itself(directory_ / name)) << name;
  }
  EXPECT_EQ(FileLock::read_holder(file_), "content");
  // Some file systems show another device in a file's status than in the list of locks.
  const auto holder = FileLock::holder_of(directory_ / "second");
  EXPECT_TRUE(!holder || *holder == ::getpid());
  first.reset();
  EXPECT_TRUE(FileLock::try_acquire_itself(directory_ / "second"));
  EXPECT_THROW(static_cast<void>(FileLock::try_acquire_itself(directory_ / "none")), AuditUnusable);
}

TEST_F(FileLockTest, IsFreeOnceAnotherProcessThatHeldItWasKilled) {
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const std::optional<FileLock> lock = FileLock::try_acquire(file_, "child");
    const char answer = lock ? 'y' : 'n';
    if (::write(ready[1], &answer, 1) != 1) ::_exit(1);
    ::alarm(30);
    while (true) ::pause();
  }
  ::close(ready[1]);
  pollfd watched{ready[0], POLLIN, 0};
  char answer = 0;
  EXPECT_EQ(::poll(&watched, 1, 10'000), 1);
  EXPECT_EQ(::read(ready[0], &answer, 1), 1);
  ::close(ready[0]);
  EXPECT_EQ(answer, 'y');

  EXPECT_FALSE(FileLock::try_acquire(file_, "parent"));
  EXPECT_EQ(FileLock::read_holder(file_), "child");

  ASSERT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(FileLock::try_acquire(file_, "parent"));
}

}  // namespace
}  // namespace diskrelease
