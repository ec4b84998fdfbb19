#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "api/calls.h"
#include "audit/attempt_log.h"
#include "model/job_spec.h"
#include "net/transport.h"
#include "platform/clock.h"
#include "run/dispatch.h"

namespace diskrelease {

/// What a runner works with. All of it must outlive the runner.
struct RunnerParts {
  AttemptLog& log;
  Transport& transport;  ///< with at least as many lanes as senders
  const Clock& clock;
  const Caller& caller;
  Dispatch& dispatch;
  Goal goal = Goal::release;
};

/// Told of every attempt that has ended, by one thread at a time.
using AttemptObserver = std::function<void(const AttemptEvent&)>;

/// One lane's way through its items:
///   idle -> has a slot -> intent is durable -> departs in its slot, gets its reply -> outcome
///   handed over -> idle.
///
/// A step does one of these and says when the next is due, so that the order of steps can be driven
/// by threads or by a test.
class Sender {
 public:
  Sender(const RunnerParts& parts, std::size_t lane, const AttemptObserver& observer);

  struct SleepUntil {
    SteadyTime at;
  };
  using Due = std::variant<SleepUntil, Dispatch::Wait, Dispatch::Finished>;

  /// Throws AuditUnusable when an intent cannot be made durable; nothing was sent then.
  [[nodiscard]] Due step();

  /// The intent is committed this long before its slot, not earlier: the fewer attempts are open,
  /// the fewer are unknown after a crash. Long enough for a slow disk's sync and a TLS handshake.
  static constexpr std::chrono::milliseconds k_intent_lead{100};

 private:
  Due take();
  Due announce();
  Due send();
  void close(const Classification& result, std::optional<UtcTime> sent,
             std::optional<std::chrono::microseconds> latency, SteadyTime departed);
  void cancel();

  RunnerParts parts_;
  std::size_t lane_;
  const AttemptObserver& observer_;
  std::optional<WorkItem> item_;
  Slot slot_;
  std::optional<OpenAttempt> open_;
  bool has_connected_ = false;
};

/// Sends what is pending: runs the senders, each on a thread of its own, until nothing is left or
/// the dispatch stops. Every outcome is handed to the log before it returns; nothing is under way
/// then. An error in any sender stops all of them and is thrown here.
void run_senders(const RunnerParts& parts, int in_flight, const AttemptObserver& observer);

}  // namespace diskrelease
