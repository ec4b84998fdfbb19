#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "api/classify.h"
#include "audit/run_queries.h"
#include "audit/run_records.h"
#include "model/progress.h"
#include "pacing/circuit_breaker.h"
#include "pacing/pacer.h"
#include "pacing/retry_policy.h"
#include "run/departure_gate.h"

namespace diskrelease {

/// An item on its way through the senders.
struct WorkItem {
  PendingItem pending;
  AttemptTally tally;
};

/// Says what a sender does next: hands out items and departure slots, takes results, decides on
/// retries, keeps the counts, stops the run. Holds no more than a page of items plus what waits for
/// a retry.
///
/// Thread-safe by one mutex. It sees times, but reads no clock; the wait functions are the one
/// place where a sender sleeps.
class Dispatch {
 public:
  Dispatch(PendingFeed feed, const RateLimit& rate, const RetryLimits& retry,
           const StateCounts& at_start, std::uint64_t seed);

  struct Assignment {
    WorkItem item;
    Slot slot;
  };
  struct Wait {
    SteadyTime until;        ///< SteadyTime::max(): until something changes
    std::uint64_t seen = 0;  ///< what wait_for_work() compares with, so that no change is missed
  };
  struct Finished {};
  using Next = std::variant<Assignment, Wait, Finished>;

  /// What the sender is to do now. Finished when stopped, or when no item is left here or with
  /// another sender.
  /// A slot is not before `earliest`, for a sender that has to connect first.
  [[nodiscard]] Next next(SteadyTime now, SteadyTime earliest);

  /// nullopt = the request leaves now. Else the slot to wait for instead.
  [[nodiscard]] std::optional<Slot> depart(const Slot& slot, SteadyTime now);

  /// An assignment that comes back untried, because the run is stopping; the item stays pending.
  void put_back(WorkItem item);

  /// An attempt has ended. `sent` is when it departed (or would have). A decision to give the item
  /// up comes back and is to be recorded.
  [[nodiscard]] std::optional<DecisionRecord> ended(WorkItem item, const Classification& result,
                                                    SteadyTime sent, SteadyTime now);

  /// The first stop counts. Wakes all who wait.
  void stop(RunStop stop);
  [[nodiscard]] bool stopping() const;
  [[nodiscard]] std::optional<RunStop> stop_reason() const;

  /// Sleeps until `until` or until the run stops.
  void wait_for_slot(SteadyTime until);
  /// Sleeps until there may be work, or the run stops.
  void wait_for_work(const Wait& wait);

  [[nodiscard]] RunProgress progress(SteadyTime now) const;

 private:
  struct Retry {
    SteadyTime not_before;
    std::uint64_t order;  ///< first in, first out among equals
    WorkItem item;
  };
  struct LaterFirst {
    bool operator()(const Retry& a, const Retry& b) const {
      return a.not_before != b.not_before ? a.not_before > b.not_before : a.order > b.order;
    }
  };

  void refill();
  void move_state(ItemState to);
  void stop_locked(RunStop stop);
  void announce_change();

  static constexpr std::int64_t k_page = 500;
  /// New items wait while this many retries do: the memory for retries is bounded.
  static constexpr std::size_t k_max_retries_waiting = 2'000;

  // Constant after construction.
  RetryLimits retry_limits_;
  std::int64_t retry_budget_;

  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  std::condition_variable work_changed_;
  // Guarded by mutex_.
  PendingFeed feed_;
  bool feed_ended_ = false;
  std::deque<PendingItem> page_;
  std::priority_queue<Retry, std::vector<Retry>, LaterFirst> retries_;
  std::uint64_t retry_order_ = 0;
  std::int64_t retries_spent_ = 0;
  std::int64_t assigned_ = 0;
  std::uint64_t work_version_ = 0;
  std::unique_ptr<PaceState> pace_ = std::make_unique<PaceState>();
  Pacer pacer_;
  CircuitBreaker breaker_;
  std::mt19937_64 random_;
  StateCounts counts_;
  std::int64_t requests_ = 0;
  std::int64_t throttled_ = 0;
  std::optional<RunStop> stop_;
};

}  // namespace diskrelease
