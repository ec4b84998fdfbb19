#include "platform/clock.h"

namespace diskrelease {

UtcTime SystemClock::utc_now() const {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady_now() const { return std::chrono::steady_clock::now(); }

}  // namespace diskrelease
