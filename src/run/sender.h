#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "run/drive.h"
#include "run/run_parts.h"

namespace diskrelease {

/// Told of every attempt that has ended, by one thread at a time.
using AttemptObserver = std::function<void(const AttemptEvent&)>;

/// The way of items through a lane:
///   idle -> has an item and a slot -> its intent is handed over -> the intent is durable, and it
///   has the lane, connected (whichever comes first) -> departs in its slot -> the answer has come,
///   its outcome is handed over -> idle.
///
/// Two senders may share a lane: while the request of one is under way, the intent of the other
/// becomes durable.
class Sender {
 public:
  /// `turn` is shared by the senders of the lane.
  Sender(const RunParts& parts, std::size_t lane, std::shared_ptr<LaneTurn> turn,
         const AttemptObserver& observer);

  /// Throws AuditUnusable when an intent cannot be made durable, or another process has closed the
  /// attempt; nothing was sent then.
  [[nodiscard]] Due step();

  /// The intent is handed over this long before its slot, not earlier but for lead_with_answer():
  /// the fewer attempts are open, the fewer are unknown after a power cut. Long enough for a slow
  /// disk's sync and a TLS handshake.
  static constexpr std::chrono::milliseconds k_intent_lead{100};

  /// From so long before its slot it may share the commit of an earlier outcome: at 1 to 10
  /// requests a second that halves the commits. About one slot, so that few wait for theirs.
  [[nodiscard]] static std::chrono::nanoseconds lead_with_answer(const RateLimit& rate);

  /// For so long an idle connection may be relied on; a server may close it afterwards.
  static constexpr std::chrono::seconds k_trusted_idle{3};

 private:
  Due take();
  Due announce();
  Due take_lane();
  Due connect();
  Due end_unsent(const Classification& result);
  Due end_unsent(TransportFailure failure);
  Due end_unsent(Scope scope, std::string message);
  Due end_stale();
  [[nodiscard]] bool is_fresh_now() const;
  Due send();
  Due receive();
  [[nodiscard]] PriorKnowledge known() const;
  void close(const Classification& result, std::optional<UtcTime> sent,
             std::optional<std::chrono::microseconds> latency, SteadyTime departed);
  Due cancel();
  void enter_lane();
  void leave_lane();

  RunParts parts_;
  std::size_t lane_;
  std::shared_ptr<LaneTurn> turn_;
  const AttemptObserver& observer_;
  std::optional<WorkItem> item_;
  Slot slot_;
  std::optional<Announcement> announcement_;
  bool commit_is_later_ = false;  ///< it sleeps over the commit, and waits for it afterwards
  std::optional<OpenAttempt> open_;
  bool has_lane_ = false;
  bool connecting_ = false;
  bool has_reconnected_ = false;  ///< in this slot
  std::optional<TransportFailure> connect_failure_;
  bool has_connected_ = false;
  bool under_way_ = false;
  Blanking blanking_;  ///< of the request under way
  UtcTime sent_;
  SteadyTime departed_;
  SteadyTime answered_;  ///< the latest one
};

}  // namespace diskrelease
