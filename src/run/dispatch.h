#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <queue>
#include <random>
#include <variant>
#include <vector>

#include "api/classify.h"
#include "model/job_spec.h"
#include "model/progress.h"
#include "model/run_record.h"
#include "pacing/circuit_breaker.h"
#include "pacing/retry_policy.h"
#include "queries/run_queries.h"
#include "run/departure_gate.h"
#include "run/drive.h"
#include "run/look_ahead.h"
#include "run/release_watch.h"

namespace diskrelease {

/// An item on its way through scout and senders.
struct WorkItem {
  PendingItem pending;
  AttemptTally tally;
  struct Look {
    SteadyTime sent;
    SteadyTime answered;
  };
  std::optional<Look> seen_fit;             ///< the look that last saw it fit to be sent
  std::optional<SteadyTime> waiting_since;  ///< when it was first seen in transition
  bool departed = false;                    ///< its request has left
  /// Of its attempts, those of this invocation that were certainly not executed.
  int harmless_attempts = 0;
  bool absent = false;  ///< the latest look has shown it absent
};

/// What a scout is to read: items that are to be sent, and accepted ones for which there is room.
struct LookBatch {
  std::vector<WorkItem> items;
  std::vector<AcceptedRelease> accepted;
  SteadyTime began;
};

/// Items to work on, in list order.
struct ItemPage {
  std::vector<PendingItem> items;
  std::int64_t skipped = 0;  ///< pending ones that were skipped instead
  bool last = false;         ///< there are no more
};
/// Gives the next page, of so many items at most. Called with the dispatch locked: it must not use
/// it.
using ItemSource = std::function<ItemPage(std::int64_t)>;

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
  /// `longest_look`: LookAhead::Limits.
  Dispatch(DepartureGate& gate, const JobSpec& spec, const StateCounts& at_start,
           std::uint64_t seed, std::optional<std::chrono::nanoseconds> longest_look = std::nullopt);

  /// Begins to hand out what is pending. May be called again once everything has been handed out.
  void open(PendingFeed feed);
  void open(ItemSource source);

  // ---- for senders

  using Next = std::variant<WorkItem, AwaitWork, Finished>;
  /// The item to send next. Finished when the run stops, or when nothing is left here, with the
  /// scout or with another sender. With the preflight, no more items are with senders than have
  /// their slots soon: a look grows old with a sender as well.
  [[nodiscard]] Next next(SteadyTime now);

  /// An item that comes back untried, because the run is stopping; it stays pending.
  void put_back(WorkItem item);

  /// Whether an item may be sent at that time by what was seen of it.
  [[nodiscard]] bool is_fresh(const WorkItem& item, SteadyTime at) const;
  /// How long a look is believed after its answer, at present.
  [[nodiscard]] std::chrono::nanoseconds look_valid_for() const {
    return std::chrono::nanoseconds(look_valid_ns_.load());
  }
  /// For an item that is to be looked at again before it may be sent one that can take its slot,
  /// fresh at that departure; nullopt = there is none.
  [[nodiscard]] std::optional<WorkItem> exchange_stale(WorkItem item, SteadyTime departure,
                                                       SteadyTime now);

  /// The item's request leaves now.
  void departed(WorkItem& item);

  /// When a request was sent and its answer had come.
  struct Sent {
    UtcTime sent;
    UtcTime answered;
  };
  /// An attempt has ended. A decision to try no more comes back and is to be recorded. An accepted
  /// release is watched from now on, where `sent` says when it was made.
  [[nodiscard]] std::optional<DecisionRecord> ended(WorkItem item, const Classification& result,
                                                    SteadyTime now,
                                                    const std::optional<Sent>& sent = std::nullopt);

  // ---- for the scout

  using NextBatch = std::variant<LookBatch, AwaitWork, Finished>;
  /// What to look at next: enough that senders do not wait, and few enough that looks stay young
  /// (LookAhead). `utc` is the same moment as `now`.
  [[nodiscard]] NextBatch next_batch(SteadyTime now, UtcTime utc);
  /// A batch was answered.
  void looked(SteadyTime began, SteadyTime answered);

  /// What became of an item of a batch; one of these for each.
  void ready(WorkItem item, Stage stage, WorkItem::Look look);
  /// In transition: comes back after one poll, or is given up once it has waited for the window.
  [[nodiscard]] std::optional<DecisionRecord> look_again(WorkItem item, SteadyTime now);
  /// Its state has been settled without a call.
  void settled_unsent(ItemState state);

  // ---- for all

  /// Stops the run through the gate and wakes who waits for work. The first stop counts.
  void stop(RunStop stop);

  /// An item has changed its state by a verdict.
  void move_state(ItemState from, ItemState to);

  [[nodiscard]] ReleaseWatch& watch() noexcept { return watch_; }
  /// An accepted disk was seen where it belongs.
  void seen_in_place();

  /// Changes, and the gate's bell rings, when there may be work for somebody who waits for it.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_.load(); }

  [[nodiscard]] RunProgress progress(SteadyTime now) const;

  /// Where claims may be missing a look is believed for so long: nobody else can be counted on to
  /// keep away.
  static constexpr std::chrono::seconds k_distrustful_look{2};

  static constexpr std::int64_t k_longest_page = 500;  ///< items

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
  void hand_out(const WorkItem& item, SteadyTime now);
  void let_go(const WorkItem& item);
  void held_one_less();
  void set_aside(WorkItem item);
  std::optional<DecisionRecord> decide(WorkItem item, const Classification& result, SteadyTime now);
  /// Whether a scout should look at new items.
  [[nodiscard]] bool more_to_scout() const;
  void call_scouts();
  [[nodiscard]] bool scout_has_work() const;
  WorkItem take(WaitingQueue& queue);
  void move_locked(ItemState from, ItemState to);
  void announce_change();

  /// New items wait while this many others do: the memory for those is bounded.
  static constexpr std::size_t k_max_waiting = 2'000;

  // Constant after construction.
  DepartureGate& gate_;
  const RetryLimits retry_limits_;
  const SettleLimits settle_limits_;
  const Goal goal_;
  const bool preflight_;
  const std::int64_t most_held_;
  const std::int64_t page_size_;
  std::int64_t retry_budget_;

  ReleaseWatch watch_;

  std::atomic<std::uint64_t> version_{0};
  /// Of look_ahead_: who is about to send must not wait for the lock.
  std::atomic<std::int64_t> look_valid_ns_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  ItemSource source_;
  bool feed_ended_ = true;
  std::deque<PendingItem> page_;
  LookAhead look_ahead_;
  std::deque<WorkItem> stale_;  // seen fit to be sent, but too long ago
  WaitingQueue looks_;          // for the scout
  WaitingQueue retries_;        // for the senders
  std::deque<WorkItem> ready_;
  std::uint64_t order_ = 0;
  std::int64_t retries_spent_ = 0;
  std::int64_t assigned_ = 0;  // with senders
  std::int64_t held_ = 0;      // of these, not departed
  bool sender_waits_ = false;  // since too many are held
  std::int64_t scouting_ = 0;  // with the scouts
  bool scout_waits_ = false;   // for call_scouts() or another change
  CircuitBreaker breaker_;
  std::mt19937_64 random_;
  StateCounts counts_;
};

}  // namespace diskrelease
