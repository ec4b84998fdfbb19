#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>

#include "api/calls.h"
#include "model/job_spec.h"
#include "net/transport.h"
#include "platform/clock.h"
#include "record/attempt_log.h"
#include "run/claim_keeper.h"
#include "run/clock_guard.h"
#include "run/departure_gate.h"
#include "run/dispatch.h"

namespace diskrelease {

/// Of a request whose lane has lost its connection twice in one slot.
[[nodiscard]] inline TransportFailure connections_end_at_once() {
  return {TransportProblem::connect, false, "the server ends new connections at once", {}};
}

/// What the actors of an invocation work with. All of it must outlive them.
struct RunParts {
  AttemptLog& log;
  Transport& transport;  ///< `in_flight` lanes, and one more for reading
  const Clock& clock;
  ClockGuard& clock_guard;
  const Caller& caller;
  DepartureGate& gate;
  Dispatch& dispatch;
  const JobSpec& spec;
  ClaimKeeper* claims = nullptr;  ///< nullptr = nothing is claimed

  /// The lane of the first scout and of the reconciler, behind those of the senders.
  [[nodiscard]] std::size_t reading_lane() const {
    return static_cast<std::size_t>(spec.in_flight);
  }

  /// So many that the preflight keeps up with the senders whatever the latency: half of them cover
  /// as many disks as the senders need while a read waits for its slot, behind those of all
  /// senders, and for its answer. The other half is for the beginning, when nothing is ready.
  [[nodiscard]] std::size_t scouts() const {
    if (!spec.preflight) return 0;
    return 1 + 2 * static_cast<std::size_t>(spec.in_flight) / k_max_described_disks;
  }

  /// Of the lanes 0 to in_flight - 1. The last ones are those of the second and later scouts:
  /// `in_flight` bounds what is under way, reads included, but for one. And no more than the rate
  /// keeps busy when every answer takes the whole time-out, of which a minute counts: the others
  /// would hold items for slots so far ahead that what was seen of them grows old.
  [[nodiscard]] std::size_t sending_lanes() const {
    const std::size_t left = reading_lane() - (scouts() > 1 ? scouts() - 1 : 0);
    if (!spec.rate.per_second) return left;
    const std::chrono::duration<double> longest =
        std::min<std::chrono::nanoseconds>(spec.timeout, std::chrono::minutes(1)) +
        std::chrono::minutes(1);
    return std::min(left,
                    static_cast<std::size_t>(std::ceil(*spec.rate.per_second * longest.count())));
  }

  /// Whether anything may still be sent. A clock that has jumped stops the run.
  [[nodiscard]] bool may_go_on() const {
    if (gate.stopping()) return false;
    const auto jump = clock_guard.jump(clock.utc_now(), clock.steady_now());
    if (!jump) return true;
    dispatch.stop({EndReason::failed, "clock_jump", *jump});
    return false;
  }
};

}  // namespace diskrelease
