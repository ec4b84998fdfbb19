#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "platform/host.h"

namespace diskrelease {
namespace {

rlimit limit_now() {
  rlimit limit{};
  EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  return limit;
}

/// A limit of open files for as long as it lives.
class OpenFilesTest : public ::testing::Test {
 protected:
  ~OpenFilesTest() override { ::setrlimit(RLIMIT_NOFILE, &before_); }

  static void set(rlim_t soft, rlim_t hard) {
    const rlimit limit{.rlim_cur = soft, .rlim_max = hard};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  }

  const rlimit before_ = limit_now();
};

TEST_F(OpenFilesTest, TheSoftLimitIsRaisedWithRoomForOthersWhereItIsTooLow) {
  ASSERT_GE(before_.rlim_max, 1'000u) << "this test needs a higher hard limit of open files";
  set(300, before_.rlim_max);
  EXPECT_TRUE(make_room_for_open_files(100));
  EXPECT_EQ(limit_now().rlim_cur, 300u) << "there was room";
  EXPECT_TRUE(make_room_for_open_files(500));
  const rlim_t raised = limit_now().rlim_cur;
  EXPECT_GE(raised, 500u + 3u) << "beyond those that are open";
  EXPECT_LE(raised, std::min<rlim_t>(65'536, before_.rlim_max));
  EXPECT_EQ(limit_now().rlim_max, before_.rlim_max);
}

TEST_F(OpenFilesTest, TheHardLimitIsToldAndUsedUp) {
  // In a process of its own: a hard limit cannot be raised again.
  EXPECT_EXIT(
      {
        set(200, 300);
        const bool room = make_room_for_open_files(500);
        std::_Exit(!room && limit_now().rlim_cur == 300 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace diskrelease
