#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "model/time.h"

namespace diskrelease {

/// Notices when the wall clock jumps while a run works: the times on record, signatures and settle
/// windows would be wrong. Compares the wall clock with the monotonic one, from check to check, so
/// that slow corrections pass. Sleeping of the whole machine counts as a jump. Thread-safe.
class ClockGuard {
 public:
  ClockGuard(UtcTime utc, SteadyTime steady);

  /// nullopt = no jump since the check before. Else a sentence about it.
  [[nodiscard]] std::optional<std::string> jump(UtcTime utc, SteadyTime steady);

  /// A signature is good for five minutes; a time server's step at boot is smaller than this.
  static constexpr std::chrono::seconds k_tolerance{30};

 private:
  std::atomic<std::int64_t> offset_ms_;  ///< wall clock minus monotonic clock
};

}  // namespace diskrelease
