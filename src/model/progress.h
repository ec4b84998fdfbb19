#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "model/attempt.h"
#include "model/outcome.h"
#include "model/time.h"

namespace diskrelease {

/// How many items of a run are in which state. The states are exclusive, so the counts add up to
/// the items listed.
struct StateCounts {
  std::array<std::int64_t, 7> by_state{};

  [[nodiscard]] std::int64_t& operator[](ItemState state) {
    return by_state[static_cast<std::size_t>(state)];
  }
  [[nodiscard]] std::int64_t operator[](ItemState state) const {
    return by_state[static_cast<std::size_t>(state)];
  }
  [[nodiscard]] std::int64_t total() const {
    std::int64_t sum = 0;
    for (const std::int64_t count : by_state) sum += count;
    return sum;
  }
};

/// Where a run stands at one moment.
struct RunProgress {
  StateCounts counts;
  std::int64_t in_flight = 0;        ///< items with an assignment: waiting for a slot, or under way
  std::int64_t requests = 0;         ///< sent by this invocation
  std::int64_t throttled = 0;        ///< of these, refused for rate
  std::optional<double> rate_limit;  ///< requests per second at present; nullopt = unlimited
  std::optional<SteadyTime> pause_until;  ///< end of the present back-off
};

/// One attempt that has ended, for those who watch a run.
struct AttemptEvent {
  std::string disk_id;
  int attempt_number = 0;
  Outcome outcome = Outcome::unknown;
  std::optional<int> http_status;
  std::string api_code;
  std::string request_id;
  std::string message;
  UtcTime finished;
  Stage stage = Stage::release;
  Scope scope = Scope::disk;
};

}  // namespace diskrelease
