#pragma once

#include "api/calls.h"
#include "audit/attempt_log.h"
#include "model/job_spec.h"
#include "net/transport.h"
#include "platform/clock.h"
#include "run/clock_guard.h"
#include "run/departure_gate.h"
#include "run/dispatch.h"

namespace diskrelease {

/// What the actors of an invocation work with. All of it must outlive them.
struct RunParts {
  AttemptLog& log;
  Transport& transport;  ///< a lane for each sender, and one more for reading
  const Clock& clock;
  ClockGuard& clock_guard;
  const Caller& caller;
  DepartureGate& gate;
  Dispatch& dispatch;
  const JobSpec& spec;

  /// The lane of the scout and the reconciler, behind those of the senders.
  [[nodiscard]] std::size_t reading_lane() const {
    return static_cast<std::size_t>(spec.in_flight);
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
