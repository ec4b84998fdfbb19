#include "run/clock_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace diskrelease {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr UtcTime k_utc{milliseconds(1'795'000'000'000)};
constexpr SteadyTime k_steady{seconds(100)};

TEST(ClockGuardTest, LetsTimePass) {
  ClockGuard guard(k_utc, k_steady);
  EXPECT_EQ(guard.jump(k_utc + seconds(86'400), k_steady + seconds(86'400)), std::nullopt);
}

TEST(ClockGuardTest, NoticesAJumpBeyondTheToleranceInEitherDirection) {
  for (const int sign : {1, -1}) {
    const auto at = [&](milliseconds jump) {
      ClockGuard guard(k_utc, k_steady);
      return guard.jump(k_utc + seconds(5) + sign * jump, k_steady + seconds(5)).has_value();
    };
    const milliseconds tolerance = ClockGuard::k_tolerance;
    EXPECT_FALSE(at(tolerance - milliseconds(1)));
    EXPECT_FALSE(at(tolerance));
    EXPECT_TRUE(at(tolerance + milliseconds(1)));
  }
}

TEST(ClockGuardTest, FollowsSlowCorrections) {
  ClockGuard guard(k_utc, k_steady);
  for (int i = 1; i <= 10; ++i) {
    EXPECT_EQ(guard.jump(k_utc + i * seconds(30), k_steady + i * seconds(10)), std::nullopt) << i;
  }
}

TEST(ClockGuardTest, KeepsSayingThatTheClockHasJumped) {
  ClockGuard guard(k_utc, k_steady);
  EXPECT_TRUE(guard.jump(k_utc + seconds(86'400), k_steady));
  EXPECT_THAT(guard.jump(k_utc + seconds(86'400), k_steady).value_or(""),
              ::testing::HasSubstr("86400 s"));
}

}  // namespace
}  // namespace diskrelease
