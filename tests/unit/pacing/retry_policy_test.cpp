#include "pacing/retry_policy.h"

#include <gtest/gtest.h>

#include <vector>

namespace diskrelease {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

enum class Step { done, again, give_up };

Step kind(const NextStep& step) {
  if (std::holds_alternative<ItemDone>(step)) return Step::done;
  return std::holds_alternative<TryAgain>(step) ? Step::again : Step::give_up;
}

TEST(RetryPolicyTest, TriesAgainOnlyWhatProvablyWasNotExecuted) {
  struct Case {
    Outcome outcome;
    AttemptTally tally;
    Step expected;
  };
  const RetryLimits limits{.max_attempts = 3};
  std::mt19937_64 random(1);
  for (const Case& row : {Case{Outcome::accepted, {1, 0}, Step::done},
                          {Outcome::already_gone, {1, 0}, Step::done},
                          {Outcome::rejected, {1, 0}, Step::done},
                          {Outcome::unknown, {1, 0}, Step::done},
                          {Outcome::not_sent, {1, 0}, Step::again},
                          {Outcome::not_sent, {2, 50}, Step::again},
                          {Outcome::not_sent, {3, 0}, Step::give_up},
                          {Outcome::not_sent, {4, 0}, Step::give_up},
                          {Outcome::throttled, {0, 1}, Step::again},
                          {Outcome::throttled, {2, k_max_throttled - 1}, Step::again},
                          {Outcome::throttled, {0, k_max_throttled}, Step::give_up}}) {
    EXPECT_EQ(kind(decide_next_step(row.outcome, row.tally, limits, random)), row.expected)
        << to_text(row.outcome) << " " << row.tally.counted << " " << row.tally.throttled;
  }
}

TEST(RetryPolicyTest, SaysWhyItGivesUp) {
  std::mt19937_64 random(1);
  const RetryLimits limits{.max_attempts = 1};
  EXPECT_EQ(std::get<GiveUp>(decide_next_step(Outcome::not_sent, {1, 0}, limits, random)).reason,
            "max_attempts");
  EXPECT_EQ(
      std::get<GiveUp>(decide_next_step(Outcome::throttled, {0, k_max_throttled}, limits, random))
          .reason,
      "throttled_too_often");
}

TEST(RetryPolicyTest, WaitsWithFullJitterBelowADoublingCeiling) {
  const RetryLimits limits{.max_attempts = 1'000,
                           .first_backoff = milliseconds(100),
                           .max_backoff = milliseconds(1'000)};
  struct Case {
    int failures;
    milliseconds ceiling;
  };
  for (const Case& row : {Case{1, milliseconds(100)},
                          {2, milliseconds(200)},
                          {4, milliseconds(800)},
                          {5, milliseconds(1'000)},
                          {6, milliseconds(1'000)},
                          {999, milliseconds(1'000)}}) {
    std::mt19937_64 random(42);
    nanoseconds longest{0};
    nanoseconds shortest = nanoseconds::max();
    for (int i = 0; i < 2'000; ++i) {
      const NextStep step = decide_next_step(Outcome::not_sent, {row.failures, 0}, limits, random);
      const nanoseconds wait = std::get<TryAgain>(step).after;
      longest = std::max(longest, wait);
      shortest = std::min(shortest, wait);
    }
    EXPECT_GE(shortest, nanoseconds(0)) << row.failures;
    EXPECT_LT(shortest, row.ceiling / 10) << row.failures;
    EXPECT_LE(longest, row.ceiling) << row.failures;
    EXPECT_GT(longest, row.ceiling * 9 / 10) << row.failures;
  }
}

TEST(RetryPolicyTest, TheSameSeedGivesTheSameWaits) {
  const auto waits = [](std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<nanoseconds> all;
    for (int i = 1; i <= 4; ++i) {
      all.push_back(
          std::get<TryAgain>(decide_next_step(Outcome::not_sent, {i, 0}, {}, random)).after);
    }
    return all;
  };
  EXPECT_EQ(waits(3), waits(3));
  EXPECT_NE(waits(3), waits(4));
}

TEST(RetryPolicyTest, AThrottledItemWaitsForThePauseOfAllOnly) {
  std::mt19937_64 random(1);
  const NextStep step = decide_next_step(Outcome::throttled, {0, 5}, {}, random);
  EXPECT_EQ(std::get<TryAgain>(step).after, nanoseconds(0));
}

TEST(RetryBudgetTest, IsAShareOfTheItemsAndAtLeastTen) {
  struct Case {
    int percent;
    std::int64_t items;
    std::int64_t budget;
  };
  for (const Case& row : {Case{20, 0, 10},
                          {20, 49, 10},
                          {20, 54, 10},
                          {20, 55, 11},
                          {20, 1'000, 200},
                          {0, 1'000'000, 10},
                          {1'000, 1'000, 10'000},
                          {1, 1'099, 10},
                          {1, 1'100, 11},
                          {1'000, 1'000'000'000'000'000'000 / 100, 100'000'000'000'000'000}}) {
    EXPECT_EQ(retry_budget({.budget_percent = row.percent}, row.items), row.budget)
        << row.percent << "% of " << row.items;
  }
}

}  // namespace
}  // namespace diskrelease
