#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "model/job_spec.h"
#include "model/time.h"

namespace diskrelease {

/// A place in the stream of departures that a sender has been promised.
struct Slot {
  SteadyTime at;
  std::uint64_t epoch = 0;  ///< slots from before a pause are void
};

/// When the next request may leave. A pure value: it is told the time, reads no clock and does not
/// sleep. Not thread-safe.
///
/// Rate: a token bucket with reserve semantics. reserve() hands out slots that are 1/rate apart
/// (after a pause of `burst` slots at once), depart() is asked at the moment of departure and may
/// push a late sender back. In no window of one second do more requests leave than the rate,
/// rounded up, plus burst - 1, however late senders wake up. Slots are k_margin further apart than
/// the rate asks, so that requests which travel for different times still arrive within the limit.
///
/// Throttling: throttled() voids all slots, pauses all senders together (Retry-After, else
/// exponential with full jitter) and halves the rate; the rate then grows back by
/// k_recovery_per_second of the full rate each second. An unlimited rate has no number to halve: it
/// only pauses.
class Pacer {
 public:
  Pacer(const RateLimit& limit, std::uint64_t seed);

  [[nodiscard]] Slot reserve(SteadyTime now);

  /// nullopt = the request leaves now, and counts. Else the slot to wait for instead.
  [[nodiscard]] std::optional<Slot> depart(const Slot& slot, SteadyTime now);

  /// `sent` is when the throttled request left: answers to requests from before the last cut do not
  /// cut again.
  void throttled(SteadyTime sent, SteadyTime now,
                 std::optional<std::chrono::milliseconds> retry_after);

  /// Requests per second at this time; nullopt = unlimited.
  [[nodiscard]] std::optional<double> rate(SteadyTime now) const;
  /// The end of the present pause, where there is one.
  [[nodiscard]] std::optional<SteadyTime> paused_until(SteadyTime now) const;

  static constexpr double k_margin = 0.008;
  static constexpr double k_recovery_per_second = 0.05;
  static constexpr double k_lowest_share =
      1.0 / 64;  ///< of the full rate, however often it is halved
  static constexpr std::chrono::milliseconds k_first_pause{1'000};
  static constexpr std::chrono::milliseconds k_longest_pause{60'000};

 private:
  [[nodiscard]] std::chrono::nanoseconds interval(SteadyTime now) const;

  RateLimit limit_;
  std::mt19937_64 random_;
  std::uint64_t epoch_ = 0;

  std::optional<SteadyTime> next_;  ///< theoretical time of the next slot
  std::vector<SteadyTime>
      departures_;  ///< ring of the latest departures, as many as one window may hold
  std::size_t oldest_ = 0;
  std::chrono::nanoseconds window_{0};

  std::optional<SteadyTime> cut_at_;
  double share_at_cut_ = 1.0;  ///< of the full rate
  std::optional<SteadyTime> paused_until_;
  int throttled_in_a_row_ = 0;
};

}  // namespace diskrelease
