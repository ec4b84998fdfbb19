#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "pacing/pacer.h"

namespace diskrelease {

/// A request that has left.
struct Departure {
  SteadyTime at;
  const Pacer* pacer = nullptr;  ///< whose sender it was
};

/// Senders of one or several Pacers who send as often as they are let. Time is made up.
class PacingTraffic {
 public:
  /// `lateness`: how long after its slot a sender wakes up.
  explicit PacingTraffic(std::function<std::chrono::nanoseconds()> lateness)
      : lateness_(std::move(lateness)) {}

  /// Senders who take their first slots now.
  void add(Pacer& pacer, int senders, SteadyTime now);
  /// A sender who holds a slot already and wakes up now.
  void add_waking(Pacer& pacer, const Slot& slot, SteadyTime now);
  /// The senders of a Pacer die with the slots they hold.
  void kill(const Pacer& pacer);

  /// Lets the next request leave.
  Departure next();
  std::vector<Departure> next(int count);

 private:
  struct Sender {
    SteadyTime wakes;
    Slot slot;
    Pacer* pacer;
  };
  std::function<std::chrono::nanoseconds()> lateness_;
  std::vector<Sender> senders_;
};

/// What the Pacer of a limit promises: no more than that many departures in any such window.
struct PacingPromise {
  explicit PacingPromise(const RateLimit& limit);
  std::chrono::nanoseconds window;
  std::size_t departures = 0;
};

/// The most departures in any window of that length that begins with one.
[[nodiscard]] std::size_t most_in_window(std::vector<SteadyTime> departures,
                                         std::chrono::nanoseconds window);

[[nodiscard]] std::vector<SteadyTime> times_of(const std::vector<Departure>& departures);

/// Departures per second between the first and the last.
[[nodiscard]] double average_rate(std::vector<SteadyTime> departures);

}  // namespace diskrelease
