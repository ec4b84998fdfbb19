#include "pacing/retry_policy.h"

#include <algorithm>

namespace diskrelease {
namespace {

std::chrono::nanoseconds full_jitter(int failures, const RetryLimits& limits,
                                     std::mt19937_64& random) {
  std::chrono::milliseconds ceiling = limits.first_backoff;
  for (int i = 1; i < failures && ceiling < limits.max_backoff; ++i) ceiling *= 2;
  ceiling = std::min(ceiling, limits.max_backoff);
  std::uniform_int_distribution<std::int64_t> jitter(0, std::chrono::nanoseconds(ceiling).count());
  return std::chrono::nanoseconds(jitter(random));
}

}  // namespace

NextStep decide_next_step(Outcome outcome, AttemptTally tally, const RetryLimits& limits,
                          std::mt19937_64& random) {
  switch (outcome) {
    case Outcome::accepted:
    case Outcome::already_gone:
    case Outcome::rejected:
    case Outcome::unknown:
      return ItemDone{};
    case Outcome::throttled:
      if (tally.throttled >= k_max_throttled) return GiveUp{"throttled_too_often"};
      return TryAgain{std::chrono::nanoseconds(0)};
    case Outcome::not_sent:
      if (tally.counted >= limits.max_attempts) return GiveUp{"max_attempts"};
      return TryAgain{full_jitter(tally.counted, limits, random)};
  }
  return ItemDone{};
}

std::int64_t retry_budget(const RetryLimits& limits, std::int64_t items) noexcept {
  return std::max<std::int64_t>(
      10, items / 100 * limits.budget_percent + items % 100 * limits.budget_percent / 100);
}

}  // namespace diskrelease
