#include "run/clock_guard.h"

namespace diskrelease {
namespace {

std::int64_t offset(UtcTime utc, SteadyTime steady) {
  return utc.time_since_epoch().count() -
         std::chrono::floor<std::chrono::milliseconds>(steady.time_since_epoch()).count();
}

}  // namespace

ClockGuard::ClockGuard(UtcTime utc, SteadyTime steady) : offset_ms_(offset(utc, steady)) {}

std::optional<std::string> ClockGuard::jump(UtcTime utc, SteadyTime steady) {
  const std::int64_t now = offset(utc, steady);
  const std::chrono::milliseconds moved(now - offset_ms_.load());
  if (std::chrono::abs(moved) <= k_tolerance) {
    offset_ms_.store(now);
    return std::nullopt;
  }
  return "the wall clock has jumped by " + std::to_string(moved.count() / 1'000) +
         " s; set the clock right, then resume";
}

}  // namespace diskrelease
