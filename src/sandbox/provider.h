#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "model/time.h"
#include "sandbox/disk_model.h"
#include "sandbox/fault.h"
#include "sandbox/ledger.h"
#include "sandbox/request_check.h"
#include "sandbox/scenario.h"
#include "sandbox/server_rate_limit.h"
#include "sandbox/wire.h"

namespace diskrelease::sandbox {

/// What a request leads to.
struct Reaction {
  WireScript script;
  LedgerEntry entry;  ///< as it went into the ledger
};

struct ArrivalTime {
  UtcTime utc;
  SteadyTime steady;
};

/// The provider as a whole but for sockets and threads: rate limit, faults, disks, request ids and
/// the ledger. Pure: the scenario's seed and the arguments decide everything. Not thread-safe.
class Provider {
 public:
  Provider(const Scenario& scenario, SteadyTime start);

  /// Carries a request out, or not, and says what is to happen on its connection. A time before the
  /// latest one seen counts as that one.
  [[nodiscard]] Reaction handle(const CheckedRequest& request, ArrivalTime arrived);

  /// How the writing of an answer ended.
  void note_delivery(std::uint64_t sequence, Delivery delivery);

  [[nodiscard]] const std::deque<LedgerEntry>& ledger() const noexcept { return ledger_; }
  [[nodiscard]] const DiskModel& disks() const noexcept { return disks_; }

 private:
  [[nodiscard]] Answer answer(const CheckedRequest& request, const Fault* fault,
                              LedgerEntry& entry);
  [[nodiscard]] Answer execute(const CheckedRequest& request, const Fault* fault,
                               LedgerEntry& entry);
  [[nodiscard]] std::string new_request_id();

  const DetachedForm detached_form_;
  const Latency latency_;
  const std::uint64_t seed_;
  const std::chrono::seconds clock_offset_;
  DiskModel disks_;
  FaultPlan faults_;
  std::optional<ServerRateLimit> rate_limit_;
  std::mt19937_64 request_ids_;
  SteadyTime now_;
  std::deque<LedgerEntry> ledger_;
};

}  // namespace diskrelease::sandbox
