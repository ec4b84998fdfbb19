#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

#include "model/job_spec.h"
#include "model/time.h"
#include "pacing/pace_state.h"
#include "platform/host.h"

namespace diskrelease {

/// A place in the stream of departures that a sender has been promised.
struct Slot {
  SteadyTime at;
  std::uint64_t epoch = 0;  ///< slots from before a pause are void
};

/// When the next request may leave. Pure: it is told the time, reads no clock and does not sleep.
/// All it remembers, but for its randomness, is in a PaceState. Not thread-safe.
///
/// Several Pacers, of this process and of others, may work on one state, one at a time. Each looks
/// at the departures of all and lets a request leave only if its own limit has room for it. So the
/// lowest limit may have to wait for as long as others use a higher one.
///
/// Rate: a token bucket with reserve semantics. reserve() hands out slots that are 1/rate apart
/// (after a pause of `burst` slots at once), depart() is asked at the moment of departure and may
/// push a late sender back. In no window of one second do more requests leave than the rate,
/// rounded up, plus burst - 1, however late senders wake up. Slots are k_margin further apart than
/// the rate asks, so that requests which travel for different times still arrive within the limit.
///
/// Throttling: throttled() voids all slots, pauses all senders together (Retry-After, else
/// exponential with full jitter) and halves the rate; from the end of the pause it grows back by
/// k_recovery_per_second of the full rate each second. So it is back half a minute after the last
/// refusal at the latest, unless Retry-After asks for more. An unlimited rate has no number to
/// halve: it only pauses.
class Pacer {
 public:
  /// Does not touch the state, which has to outlive the Pacer and be usable: made by its
  /// constructor, or taken over.
  Pacer(const RateLimit& limit, std::uint64_t seed, PaceState& state);

  /// Makes a state in shared memory usable, whatever is in it. One of this boot goes on. One that
  /// is new, of another boot (or this boot is not known), of another layout, left in the middle of
  /// this function, or with times that lie further ahead than a pause and a window can, begins
  /// anew: as if as many requests had just left as one window may hold. Slots from before are void.
  void take_over(const std::optional<BootId>& boot, SteadyTime now);

  [[nodiscard]] Slot reserve(SteadyTime now);

  /// nullopt = the request leaves now, and counts. Else the slot to wait for instead.
  [[nodiscard]] std::optional<Slot> depart(const Slot& slot, SteadyTime now);

  /// A request whose departure was counted at `counted` or later was held up and has left by `now`
  /// only: it counts from then. If others were counted meanwhile, the earliest of them is taken for
  /// it, so that no window can hold more than if it were known.
  void left_late(SteadyTime counted, SteadyTime now);

  /// `sent` is when the throttled request left: answers to requests from before the last cut do not
  /// cut again.
  void throttled(SteadyTime sent, SteadyTime now,
                 std::optional<std::chrono::milliseconds> retry_after);

  /// Requests per second at this time; nullopt = unlimited.
  [[nodiscard]] std::optional<double> rate(SteadyTime now) const;
  /// The end of the present pause, where there is one.
  [[nodiscard]] std::optional<SteadyTime> paused_until(SteadyTime now) const;

  static constexpr double k_margin = 0.008;
  /// A sender wakes up later than its slot by some tenths of a millisecond, each time by another
  /// number. So much of the margin of a window is given to those that come after it, who would have
  /// to wait and to wake up once more.
  static constexpr std::chrono::microseconds k_late{500};
  static constexpr double k_recovery_per_second = 0.05;
  static constexpr double k_lowest_share =
      1.0 / 64;  ///< of the full rate, however often it is halved
  static constexpr std::chrono::milliseconds k_first_pause{1'000};
  static constexpr std::chrono::milliseconds k_longest_own_pause{8'000};  ///< without Retry-After
  static constexpr std::chrono::milliseconds k_longest_pause{60'000};
  /// Slots that may be promised ahead: those of four processes with all the senders they may have.
  /// A longer line is that of a much slower limit, or an error, and is not waited for.
  static constexpr std::int64_t k_longest_line = 4 * k_max_in_flight;

 private:
  /// From a time at which one request is due until the next one is, though the rate grows
  /// meanwhile: slots that are promised on the way back must not keep the pace of its beginning.
  [[nodiscard]] std::chrono::nanoseconds interval(SteadyTime from) const;
  /// Of the full rate.
  [[nodiscard]] double share(SteadyTime now) const;
  /// When the rate has begun, or will begin, to grow back; nullopt = it is the full one.
  [[nodiscard]] std::optional<SteadyTime> growth_begins() const;
  [[nodiscard]] bool plausible(SteadyTime now) const;
  void begin_anew(SteadyTime now);
  void require_usable(SteadyTime now);
  /// The departure that has to be a window ago, less k_late, for another one to leave.
  [[nodiscard]] std::optional<SteadyTime> departure_that_limits() const;

  RateLimit limit_;
  std::uint64_t per_window_ = 0;  ///< departures that one window may hold; 0 = unlimited
  std::chrono::nanoseconds window_{0};
  std::mt19937_64 random_;
  BootId boot_;
  PaceState* state_;
};

}  // namespace diskrelease
