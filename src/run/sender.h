#pragma once

#include <functional>
#include <optional>

#include "run/drive.h"
#include "run/run_parts.h"

namespace diskrelease {

/// Told of every attempt that has ended, by one thread at a time.
using AttemptObserver = std::function<void(const AttemptEvent&)>;

/// One lane's way through its items:
///   idle -> has an item and a slot -> intent is durable -> departs in its slot, gets its reply ->
///   outcome handed over -> idle.
class Sender {
 public:
  Sender(const RunParts& parts, std::size_t lane, const AttemptObserver& observer);

  /// Throws AuditUnusable when an intent cannot be made durable; nothing was sent then.
  [[nodiscard]] Due step();

  /// The intent is committed this long before its slot, not earlier: the fewer attempts are open,
  /// the fewer are unknown after a crash. Long enough for a slow disk's sync and a TLS handshake.
  static constexpr std::chrono::milliseconds k_intent_lead{100};

 private:
  Due take();
  Due announce();
  Due send();
  [[nodiscard]] PriorKnowledge known() const;
  void close(const Classification& result, std::optional<UtcTime> sent,
             std::optional<std::chrono::microseconds> latency, SteadyTime departed);
  void cancel();

  RunParts parts_;
  std::size_t lane_;
  const AttemptObserver& observer_;
  std::optional<WorkItem> item_;
  Slot slot_;
  std::optional<OpenAttempt> open_;
  bool has_connected_ = false;
};

}  // namespace diskrelease
