#pragma once

#include <algorithm>
#include <chrono>
#include <mutex>

#include "platform/clock.h"

namespace diskrelease {

/// Time that stands still until a test moves it. Thread-safe.
class FakeClock final : public Clock {
 public:
  [[nodiscard]] UtcTime utc_now() const override {
    const std::lock_guard lock(mutex_);
    return utc_;
  }
  [[nodiscard]] SteadyTime steady_now() const override {
    const std::lock_guard lock(mutex_);
    return steady_;
  }

  void advance(std::chrono::nanoseconds time) {
    const std::lock_guard lock(mutex_);
    move(time);
  }
  /// Moves to `time` unless it has passed already.
  void advance_to(SteadyTime time) {
    const std::lock_guard lock(mutex_);
    move(std::max(std::chrono::nanoseconds(0), time - steady_));
  }
  /// The wall clock alone.
  void jump(std::chrono::milliseconds time) {
    const std::lock_guard lock(mutex_);
    utc_ += time;
  }

 private:
  void move(std::chrono::nanoseconds time) {
    const SteadyTime before = steady_;
    steady_ += time;
    using std::chrono::floor;
    using std::chrono::milliseconds;
    utc_ += floor<milliseconds>(steady_.time_since_epoch()) -
            floor<milliseconds>(before.time_since_epoch());
  }

  mutable std::mutex mutex_;
  SteadyTime steady_{std::chrono::hours(1)};
  UtcTime utc_{std::chrono::milliseconds(1'795'000'000'000)};
};

}  // namespace diskrelease
