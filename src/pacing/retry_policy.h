#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <string_view>
#include <variant>

#include "model/job_spec.h"
#include "model/outcome.h"

namespace diskrelease {

/// What has been tried for an item so far, the attempt that has just ended included.
struct AttemptTally {
  int counted = 0;    ///< attempts that count against max_attempts: all but throttled ones
  int throttled = 0;  ///< throttled attempts in this invocation
};

/// What to do with an item after an attempt. This is the one place that decides to try again.
struct ItemDone {};
struct TryAgain {
  std::chrono::nanoseconds after;  ///< to wait before the item takes a slot again
};
struct GiveUp {
  std::string_view reason;  ///< one snake_case word for the record
};
using NextStep = std::variant<ItemDone, TryAgain, GiveUp>;

/// Pure. Only outcomes that prove that nothing was executed are tried again: throttled, not_sent.
/// An unknown one is done as far as sending goes: it is settled by reading, never by sending. Waits
/// are full jitter below an exponential ceiling. Throttled items wait for the pacer's pause only.
/// Precondition: scope disk; what concerns the whole run stops it before this is asked.
[[nodiscard]] NextStep decide_next_step(Outcome outcome, AttemptTally tally,
                                        const RetryLimits& limits, std::mt19937_64& random);

/// A throttled item is given up after that many throttled attempts in one invocation: a limit on
/// everything.
inline constexpr int k_max_throttled = 100;

/// The retries that a whole run may spend: budget_percent of its items, at least 10.
[[nodiscard]] std::int64_t retry_budget(const RetryLimits& limits, std::int64_t items) noexcept;

}  // namespace diskrelease
