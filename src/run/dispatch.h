#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <queue>
#include <random>
#include <variant>
#include <vector>

#include "api/classify.h"
#include "audit/run_queries.h"
#include "audit/run_records.h"
#include "model/job_spec.h"
#include "model/progress.h"
#include "pacing/circuit_breaker.h"
#include "pacing/retry_policy.h"
#include "run/departure_gate.h"
#include "run/drive.h"

namespace diskrelease {

/// An item on its way through scout and senders.
struct WorkItem {
  PendingItem pending;
  AttemptTally tally;
  std::optional<SteadyTime> observed;       ///< when it was last seen fit to be sent
  std::optional<SteadyTime> waiting_since;  ///< when it was first seen in transition
};

/// Which item is looked at and which is sent next: hands out items, takes results, decides on
/// retries, keeps the counts. Holds a few pages of items plus what waits for another look or a
/// retry, never the list.
///
/// Way of an item: feed -> (preflight: scout ->) ready -> sender -> done, or back to the scout or
/// to the senders at a later time.
///
/// Thread-safe by one mutex. It sees times, but reads no clock.
class Dispatch {
 public:
  /// The gate must outlive it. `spec` gives goal, retry limits, preflight and waiting times.
  Dispatch(DepartureGate& gate, const JobSpec& spec, const StateCounts& at_start,
           std::uint64_t seed);

  /// Begins to hand out what is pending. May be called again once everything has been handed out.
  void open(PendingFeed feed);

  // ---- for senders

  using Next = std::variant<WorkItem, AwaitWork, Finished>;
  /// The item to send next. Finished when the run stops, or when nothing is left here, with the
  /// scout or with another sender.
  [[nodiscard]] Next next(SteadyTime now);

  /// An item that comes back untried, because the run is stopping; it stays pending.
  void put_back(WorkItem item);

  /// Whether an item may be sent at that time by what was seen of it.
  [[nodiscard]] bool is_fresh(const WorkItem& item, SteadyTime at) const;
  /// For an item that is to be looked at again before it may be sent one that can take its slot,
  /// fresh at that departure; nullopt = there is none.
  [[nodiscard]] std::optional<WorkItem> exchange_stale(WorkItem item, SteadyTime departure,
                                                       SteadyTime now);

  /// An attempt has ended. A decision to try no more comes back and is to be recorded.
  [[nodiscard]] std::optional<DecisionRecord> ended(WorkItem item, const Classification& result,
                                                    SteadyTime now);

  // ---- for the scout

  using NextBatch = std::variant<std::vector<WorkItem>, AwaitWork, Finished>;
  /// The items to look at next: enough that senders do not wait, few enough that what was seen is
  /// about a minute old when it is used.
  [[nodiscard]] NextBatch next_batch(SteadyTime now);

  /// What became of an item of a batch; one of these for each.
  void ready(WorkItem item, Stage stage, SteadyTime observed);
  /// In transition: comes back after one poll, or is given up once it has waited for the window.
  [[nodiscard]] std::optional<DecisionRecord> look_again(WorkItem item, SteadyTime now);
  /// Its state has been settled without a call.
  void settled_unsent(ItemState state);

  // ---- for all

  /// Stops the run through the gate and wakes who waits for work. The first stop counts.
  void stop(RunStop stop);

  /// An item has changed its state by a verdict.
  void move_state(ItemState from, ItemState to);

  /// Changes, and the gate's bell rings, when there may be work for somebody who waits for it.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_.load(); }

  [[nodiscard]] RunProgress progress(SteadyTime now) const;

  /// What was seen is used for this long; an item that has waited longer is looked at again. At
  /// rates below one in a hundred seconds for the time of three requests: the look is the first of
  /// them.
  static constexpr std::chrono::minutes k_observation_valid{5};

 private:
  struct Waiting {
    SteadyTime not_before;
    std::uint64_t order;  ///< first in, first out among equals
    WorkItem item;
  };
  struct LaterFirst {
    bool operator()(const Waiting& a, const Waiting& b) const {
      return a.not_before != b.not_before ? a.not_before > b.not_before : a.order > b.order;
    }
  };
  using WaitingQueue = std::priority_queue<Waiting, std::vector<Waiting>, LaterFirst>;

  void refill();
  std::optional<DecisionRecord> decide(WorkItem item, const Classification& result, SteadyTime now);
  /// Whether a scout should look at new items.
  [[nodiscard]] bool more_to_scout() const;
  void call_scouts();
  [[nodiscard]] bool scout_has_work() const;
  WorkItem take(WaitingQueue& queue);
  void move_locked(ItemState from, ItemState to);
  void announce_change();

  static constexpr std::int64_t k_page = 500;
  static constexpr std::size_t k_batch = 100;
  static constexpr std::size_t k_smallest_batch = 10;
  static constexpr std::size_t k_ready_when_unlimited = 500;
  /// New items wait while this many others do: the memory for those is bounded.
  static constexpr std::size_t k_max_waiting = 2'000;

  // Constant after construction.
  DepartureGate& gate_;
  const RetryLimits retry_limits_;
  const SettleLimits settle_limits_;
  const Goal goal_;
  const bool preflight_;
  std::chrono::nanoseconds valid_for_{k_observation_valid};
  std::int64_t retry_budget_;
  std::size_t batch_size_ = k_batch;
  std::size_t enough_ready_ = k_batch;
  std::size_t most_ahead_ = std::numeric_limits<std::size_t>::max();

  std::atomic<std::uint64_t> version_{0};

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::optional<PendingFeed> feed_;
  bool feed_ended_ = true;
  std::deque<PendingItem> page_;
  WaitingQueue looks_;    // for the scout
  WaitingQueue retries_;  // for the senders
  std::deque<WorkItem> ready_;
  std::uint64_t order_ = 0;
  std::int64_t retries_spent_ = 0;
  std::int64_t assigned_ = 0;  // with senders
  std::int64_t scouting_ = 0;  // with the scouts
  bool scout_waits_ = false;   // for call_scouts() or another change
  CircuitBreaker breaker_;
  std::mt19937_64 random_;
  StateCounts counts_;
};

}  // namespace diskrelease
