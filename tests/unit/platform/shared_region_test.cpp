#include "platform/shared_region.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <thread>
#include <vector>

#include "model/errors.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::size_t k_size = 100'000;

class SharedRegionTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<SharedRegion> open() const {
    return SharedRegion::open(file_, k_size);
  }
  [[nodiscard]] struct stat status() const {
    struct stat status {};
    EXPECT_EQ(::stat(file_.c_str(), &status), 0);
    return status;
  }
  void expect_refusal(const std::string& why) const {
    try {
      static_cast<void>(open());
      FAIL() << "not refused";
    } catch (const CallsImpossible& error) {
      EXPECT_THAT(error.what(),
                  AllOf(HasSubstr(file_.string()), HasSubstr(why), HasSubstr("XDG_STATE_HOME")));
    }
  }
  /// Whether somebody holds the lock of the file.
  [[nodiscard]] bool locked() const {
    const int descriptor = ::open(file_.c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_GE(descriptor, 0);
    const bool taken = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    ::close(descriptor);
    return !taken;
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "limiter.state";
};

int& number_in(const SharedRegion& region) { return static_cast<int*>(region.data())[10'000]; }

TEST_F(SharedRegionTest, ShowsToAllWhatOneHasStoredAndKeepsItWhenAllHaveGone) {
  {
    const auto first = open();
    const auto second = open();
    EXPECT_TRUE(first->shared());
    EXPECT_EQ(number_in(*second), 0);
    number_in(*first) = 7;
    EXPECT_EQ(number_in(*second), 7);
  }
  EXPECT_EQ(number_in(*open()), 7);
}

TEST_F(SharedRegionTest, IsAFileForItsOwnerOnlyInAFolderForItsOwnerOnly) {
  const mode_t mask = ::umask(0);
  file_ = directory_ / "state" / "diskrelease" / "limiter.state";
  static_cast<void>(open());
  ::umask(mask);
  EXPECT_EQ(status().st_mode & 0777U, 0600U);
  struct stat folder {};
  ASSERT_EQ(::stat(file_.parent_path().c_str(), &folder), 0);
  EXPECT_EQ(folder.st_mode & 0777U, 0700U);
}

TEST_F(SharedRegionTest, HasAllItsBlocksSoThatAFullDiskCannotEndTheProcess) {
  static_cast<void>(open());
  EXPECT_GE(status().st_size, static_cast<off_t>(k_size));
  EXPECT_GE(status().st_blocks * 512, static_cast<off_t>(k_size));
  // Also where an earlier start has not got that far.
  ASSERT_EQ(::truncate(file_.c_str(), 1), 0);
  static_cast<void>(open());
  EXPECT_GE(status().st_blocks * 512, static_cast<off_t>(k_size));
}

TEST_F(SharedRegionTest, IsRefusedWhereTheBlocksCannotBeHad) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit limit{k_size / 2, k_size / 2};
    std::signal(SIGXFSZ, SIG_IGN);
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(1);
    expect_refusal("KiB");
    ::_exit(HasFailure() ? 2 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(SharedRegionTest, FollowsNoSymbolicLink) {
  std::ofstream(directory_ / "victim") << "content";
  std::filesystem::create_symlink(directory_ / "victim", file_);
  expect_refusal("symbolic link");
  EXPECT_EQ(std::filesystem::file_size(directory_ / "victim"), 7U);
}

TEST_F(SharedRegionTest, RefusesWhatIsNoRegularFile) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  expect_refusal("regular file");
  std::filesystem::remove(file_);
  std::filesystem::create_directory(file_);
  expect_refusal("cannot be opened");
}

TEST_F(SharedRegionTest, RefusesAFileOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  static_cast<void>(open());
  ASSERT_EQ(::chown(file_.c_str(), 1, 1), 0);
  expect_refusal("another user");
}

TEST_F(SharedRegionTest, RefusesAFileThatOthersMayWriteTo) {
  static_cast<void>(open());
  for (const mode_t mode : {0620U, 0602U}) {
    ASSERT_EQ(::chmod(file_.c_str(), mode), 0);
    expect_refusal("may write");
  }
  ASSERT_EQ(::chmod(file_.c_str(), 0644), 0);
  EXPECT_NO_THROW(static_cast<void>(open()));
}

TEST_F(SharedRegionTest, SaysWhereItsFolderCannotBeMade) {
  std::ofstream(directory_ / "taken") << "";
  file_ = directory_ / "taken" / "limiter.state";
  expect_refusal("cannot be opened");
  file_ = directory_ / "taken" / "diskrelease" / "limiter.state";
  expect_refusal("folder cannot be created");
}

TEST_F(SharedRegionTest, ItsLockKeepsOutOtherOpeningsOfTheFile) {
  const auto region = open();
  EXPECT_FALSE(locked());
  {
    const std::lock_guard lock(*region);
    EXPECT_TRUE(locked());
  }
  EXPECT_FALSE(locked());
}

TEST_F(SharedRegionTest, ItsLockKeepsOutOtherThreadsSharedOrNot) {
  const auto own = SharedRegion::of_this_process(k_size);
  EXPECT_FALSE(own->shared());
  const auto shared = open();
  for (SharedRegion* region : {own.get(), shared.get()}) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([region] {
        for (int n = 0; n < 500; ++n) {
          const std::lock_guard lock(*region);
          const int before = number_in(*region);
          std::this_thread::yield();
          number_in(*region) = before + 1;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(number_in(*region), 2'000);
  }
}

TEST_F(SharedRegionTest, ItsLockIsFreeOnceAProcessThatHeldItWasKilled) {
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto region = open();
    region->lock();
    number_in(*region) = 5;
    if (::write(ready[1], "y", 1) != 1) ::_exit(1);
    ::alarm(30);
    while (true) ::pause();
  }
  ::close(ready[1]);
  pollfd watched{ready[0], POLLIN, 0};
  char answer = 0;
  EXPECT_EQ(::poll(&watched, 1, 10'000), 1);
  EXPECT_EQ(::read(ready[0], &answer, 1), 1);
  ::close(ready[0]);
  EXPECT_TRUE(locked());

  ASSERT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto region = open();
  const std::lock_guard lock(*region);
  EXPECT_EQ(number_in(*region), 5);
}

}  // namespace
}  // namespace diskrelease
