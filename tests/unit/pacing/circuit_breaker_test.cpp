#include "pacing/circuit_breaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace diskrelease {
namespace {

using ::testing::HasSubstr;

struct Streak {
  const char* name;
  Outcome outcome;
  const char* code;
  int limit;
  const char* reason;
};

class CircuitBreakerTest : public ::testing::TestWithParam<Streak> {};

TEST_P(CircuitBreakerTest, OpensAtTheLimitAndNotBefore) {
  const Streak& streak = GetParam();
  CircuitBreaker breaker;
  for (int i = 1; i < streak.limit; ++i) {
    ASSERT_FALSE(breaker.record(streak.outcome, streak.code)) << i;
  }
  const std::optional<std::string> reason = breaker.record(streak.outcome, streak.code);
  ASSERT_TRUE(reason);
  EXPECT_THAT(*reason, HasSubstr(std::to_string(streak.limit)));
  EXPECT_THAT(*reason, HasSubstr(streak.reason));
}

TEST_P(CircuitBreakerTest, AnAnswerOfAnotherKindStartsTheStreakOver) {
  const Streak& streak = GetParam();
  CircuitBreaker breaker;
  for (int i = 1; i < streak.limit; ++i) {
    ASSERT_FALSE(breaker.record(streak.outcome, streak.code));
  }
  ASSERT_FALSE(breaker.record(Outcome::accepted, ""));
  for (int i = 1; i < streak.limit; ++i) {
    ASSERT_FALSE(breaker.record(streak.outcome, streak.code)) << i;
  }
  EXPECT_TRUE(breaker.record(streak.outcome, streak.code));
}

INSTANTIATE_TEST_SUITE_P(
    Streaks, CircuitBreakerTest,
    ::testing::Values(Streak{"not_sent", Outcome::not_sent, "", CircuitBreaker::k_max_not_sent,
                             "could not be sent"},
                      Streak{"unknown", Outcome::unknown, "", CircuitBreaker::k_max_unknown,
                             "did not tell what happened"},
                      Streak{"malformed", Outcome::rejected, "MISSING_PARAMETER",
                             CircuitBreaker::k_max_malformed, "malformed"}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(CircuitBreakerQuietTest, IgnoresWhatConcernsSingleDisksHoweverOften) {
  CircuitBreaker breaker;
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_FALSE(breaker.record(Outcome::rejected, "INVALID_DISK_NOT_FOUND"));
    ASSERT_FALSE(breaker.record(Outcome::accepted, ""));
    ASSERT_FALSE(breaker.record(Outcome::already_gone, ""));
    ASSERT_FALSE(breaker.record(Outcome::throttled, "REQUEST_LIMIT_EXCEEDED"));
  }
}

}  // namespace
}  // namespace diskrelease
