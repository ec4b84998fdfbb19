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
    ASSERT_FALSE(breaker.record(streak.outcome, streak.code, false)) << i;
  }
  const std::optional<std::string> reason = breaker.record(streak.outcome, streak.code, false);
  ASSERT_TRUE(reason);
  EXPECT_THAT(*reason, HasSubstr(std::to_string(streak.limit)));
  EXPECT_THAT(*reason, HasSubstr(streak.reason));
}

TEST_P(CircuitBreakerTest, AnAnswerOfAnotherKindStartsTheStreakOver) {
  const Streak& streak = GetParam();
  CircuitBreaker breaker;
  for (int i = 1; i < streak.limit; ++i) {
    ASSERT_FALSE(breaker.record(streak.outcome, streak.code, false));
  }
  // One would do; so many keep the share of failures out of it.
  for (int i = 0; i < CircuitBreaker::k_window; ++i) {
    ASSERT_FALSE(breaker.record(Outcome::accepted, "", false));
  }
  for (int i = 1; i < streak.limit; ++i) {
    ASSERT_FALSE(breaker.record(streak.outcome, streak.code, false)) << i;
  }
  EXPECT_TRUE(breaker.record(streak.outcome, streak.code, false));
}

INSTANTIATE_TEST_SUITE_P(
    Streaks, CircuitBreakerTest,
    ::testing::Values(Streak{"not_sent", Outcome::not_sent, "", CircuitBreaker::k_max_not_sent,
                             "could not be sent"},
                      Streak{"unknown", Outcome::unknown, "", CircuitBreaker::k_max_unknown,
                             "did not tell what happened"},
                      Streak{"malformed", Outcome::rejected, "MISSING_PARAMETER",
                             CircuitBreaker::k_max_malformed, "malformed"},
                      Streak{"refused", Outcome::rejected, "ACCOUNT_SUSPENDED",
                             CircuitBreaker::k_max_refused, "with ACCOUNT_SUSPENDED"},
                      Streak{"refused_without_a_code", Outcome::rejected, "",
                             CircuitBreaker::k_max_refused, "without a code"}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(CircuitBreakerQuietTest, IgnoresWhatConcernsSingleDisksHoweverOften) {
  CircuitBreaker breaker;
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_FALSE(breaker.record(Outcome::rejected, "INVALID_DISK_NOT_FOUND", true));
    ASSERT_FALSE(breaker.record(Outcome::accepted, "", false));
    ASSERT_FALSE(breaker.record(Outcome::already_gone, "", false));
    ASSERT_FALSE(breaker.record(Outcome::throttled, "REQUEST_LIMIT_EXCEEDED", false));
  }
}

TEST(CircuitBreakerRefusalTest, CountsRefusalsWithOneAndTheSameCodeOnly) {
  CircuitBreaker breaker;
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_FALSE(breaker.record(Outcome::rejected, i % 2 == 0 ? "QUOTA" : "SUSPENDED", false)) << i;
  }
}

TEST(CircuitBreakerRefusalTest, StartsOverWithARefusalForTheDisk) {
  CircuitBreaker breaker;
  for (int i = 0; i < 1'000; ++i) {
    const bool of_disk = i % CircuitBreaker::k_max_refused == 0;
    ASSERT_FALSE(
        breaker.record(Outcome::rejected, of_disk ? "INVALID_DISK_NOT_FOUND" : "QUOTA", of_disk))
        << i;
  }
}

TEST(CircuitBreakerRefusalTest, IsNotHeldUpByAnswersThatSayNothingOfTheReason) {
  CircuitBreaker breaker;
  for (int i = 1; i < CircuitBreaker::k_max_refused; ++i) {
    ASSERT_FALSE(breaker.record(Outcome::rejected, "QUOTA", false));
    ASSERT_FALSE(breaker.record(Outcome::throttled, "REQUEST_LIMIT_EXCEEDED", false));
    ASSERT_FALSE(breaker.record(Outcome::not_sent, "", false));
  }
  EXPECT_TRUE(breaker.record(Outcome::rejected, "QUOTA", false));
}

TEST(CircuitBreakerShareTest, OpensWhenMostOfTheLatestRequestsFailThoughNotInARow) {
  // Two failures, then a good answer: never enough in a row.
  CircuitBreaker breaker;
  int failures = 0;
  for (int i = 0; i < 1'000; ++i) {
    const bool fails = i % 3 != 2;
    if (fails) ++failures;
    const auto reason = breaker.record(!fails       ? Outcome::accepted
                                       : i % 3 == 0 ? Outcome::unknown
                                                    : Outcome::not_sent,
                                       "", false);
    if (failures < CircuitBreaker::k_max_failed_in_window) {
      ASSERT_FALSE(reason) << i;
      continue;
    }
    ASSERT_TRUE(reason);
    EXPECT_THAT(*reason, HasSubstr("30 of the latest 50"));
    return;
  }
  FAIL() << "it never opened";
}

TEST(CircuitBreakerShareTest, StaysClosedBelowTheShareForEver) {
  CircuitBreaker breaker;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_FALSE(breaker.record(i % 2 == 0 ? Outcome::unknown : Outcome::accepted, "", false)) << i;
  }
}

}  // namespace
}  // namespace diskrelease
