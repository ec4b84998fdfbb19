#pragma once

#include "model/time.h"

namespace diskrelease {

/// The two clocks of the process. Only the run room reads one; everybody else is handed times.
/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  /// Wall clock. May jump in either direction.
  [[nodiscard]] virtual UtcTime utc_now() const = 0;

  /// Never goes back.
  [[nodiscard]] virtual SteadyTime steady_now() const = 0;
};

/// The operating system's clocks.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] UtcTime utc_now() const override;
  [[nodiscard]] SteadyTime steady_now() const override;
};

}  // namespace diskrelease
