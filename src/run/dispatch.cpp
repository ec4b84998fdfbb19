#include "run/dispatch.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

namespace diskrelease {
namespace {

ItemState final_state(Outcome outcome) {
  switch (outcome) {
    case Outcome::accepted:
      return ItemState::released;
    case Outcome::already_gone:
      return ItemState::already_gone;
    case Outcome::rejected:
      return ItemState::rejected;
    case Outcome::unknown:
      return ItemState::unknown;
    case Outcome::throttled:
    case Outcome::not_sent:
      return ItemState::pending;
  }
  return ItemState::pending;
}

/// Items that senders may have before their slots. Two, for an intent is made durable while another
/// one waits for its slot; at high rates as many as have their slots in 0.2 s.
std::int64_t most_held(const JobSpec& spec) {
  if (!spec.preflight || !spec.rate.per_second) return std::numeric_limits<std::int64_t>::max();
  return 2 + static_cast<std::int64_t>(*spec.rate.per_second / 5);
}

/// Items of one page, which are claimed together: at low rates those of an hour, for claims keep
/// other databases away.
std::int64_t page_size(const JobSpec& spec) {
  constexpr double most = Dispatch::k_longest_page;
  if (!spec.rate.per_second) return Dispatch::k_longest_page;
  return static_cast<std::int64_t>(std::clamp(*spec.rate.per_second * 3600, 1.0, most));
}

std::string after_attempts(int count) { return "after " + std::to_string(count) + " attempts"; }

}  // namespace

Dispatch::Dispatch(DepartureGate& gate, const JobSpec& spec, const StateCounts& at_start,
                   std::uint64_t seed, std::optional<std::chrono::nanoseconds> longest_look)
    : gate_(gate),
      retry_limits_(spec.retry),
      settle_limits_(spec.settle),
      goal_(spec.goal),
      preflight_(spec.preflight),
      most_held_(most_held(spec)),
      page_size_(page_size(spec)),
      retry_budget_(retry_budget(spec.retry, at_start.total())),
      watch_(spec.settle.poll),
      look_ahead_({spec.rate.per_second, spec.look_batch, longest_look}),
      random_(seed + 1),
      counts_(at_start) {
  look_valid_ns_ = look_ahead_.valid_for().count();
  // A purge destroys: small looks at its beginning would keep nothing from that.
  if (goal_ == Goal::purge) look_ahead_.seen_in_place();
}

void Dispatch::open(PendingFeed feed) {
  open([feed = std::make_shared<PendingFeed>(std::move(feed))](std::int64_t limit) {
    ItemPage page{feed->next_page(limit)};
    page.last = std::ssize(page.items) < limit;
    return page;
  });
}

void Dispatch::open(ItemSource source) {
  const std::lock_guard lock(mutex_);
  source_ = std::move(source);
  feed_ended_ = false;
  announce_change();
}

void Dispatch::refill() {
  if (feed_ended_ || !page_.empty()) return;
  ItemPage page = source_(page_size_);
  counts_[ItemState::pending] -= page.skipped;
  counts_[ItemState::skipped] += page.skipped;
  if (page.last) {
    feed_ended_ = true;
    source_ = nullptr;
    // Senders may wait for work that is not to come.
    if (page.items.empty()) announce_change();
  }
  // Two databases that work on one list would call the same disks at the same time, each by a look
  // from before the other's call. In an order of its own each sees what the other has released.
  std::ranges::shuffle(page.items, random_);
  std::ranges::move(page.items, std::back_inserter(page_));
}

bool Dispatch::is_fresh(const WorkItem& item, SteadyTime at) const {
  if (!preflight_) return true;
  if (!item.seen_fit) return false;
  const auto [sent, answered] = *item.seen_fit;
  if (LookAhead::is_fresh(sent, answered, at, look_valid_for())) return true;
  // While the rate is cut, the look is the first of three requests as well.
  const std::optional<double> rate = gate_.rate(at);
  return rate && at - answered <= std::chrono::duration<double>(3 / *rate) &&
         answered - sent <= LookAhead::k_longest_way;
}

bool Dispatch::scout_has_work() const {
  return preflight_ &&
         (scouting_ > 0 || !stale_.empty() || !looks_.empty() || !page_.empty() || !feed_ended_);
}

bool Dispatch::more_to_scout() const {
  return (!stale_.empty() || !page_.empty() || !feed_ended_) &&
         look_ahead_.due(ready_.size(), static_cast<std::size_t>(scouting_)) &&
         retries_.size() + looks_.size() < k_max_waiting;
}

void Dispatch::call_scouts() {
  if (!scout_waits_ || !more_to_scout()) return;
  scout_waits_ = false;
  announce_change();
}

WorkItem Dispatch::take(WaitingQueue& queue) {
  WorkItem item = queue.top().item;
  queue.pop();
  return item;
}

void Dispatch::set_aside(WorkItem item) {
  stale_.push_back(std::move(item));
  announce_change();
}

void Dispatch::hand_out(const WorkItem& item, SteadyTime now) {
  ++assigned_;
  if (!item.departed) ++held_;
  look_ahead_.handed_out(now);
}

/// The opposite: it is with a sender no more.
void Dispatch::let_go(const WorkItem& item) {
  --assigned_;
  if (!item.departed) held_one_less();
}

void Dispatch::held_one_less() {
  --held_;
  // Few at a time: to wake all who wait costs more than the rest.
  if (!sender_waits_ || held_ > most_held_ / 2) return;
  sender_waits_ = false;
  announce_change();
}

Dispatch::Next Dispatch::next(SteadyTime now) {
  const std::lock_guard lock(mutex_);
  if (gate_.stopping()) return Finished{};
  if (held_ >= most_held_) {
    sender_waits_ = true;
    return AwaitWork{SteadyTime::max(), version_};
  }
  while (!retries_.empty() && retries_.top().not_before <= now) {
    WorkItem item = take(retries_);
    call_scouts();
    if (!is_fresh(item, now)) {
      set_aside(std::move(item));
      continue;
    }
    hand_out(item, now);
    return item;
  }
  const bool room = retries_.size() < k_max_waiting;
  if (!preflight_ && room) {
    refill();
    if (!page_.empty()) {
      WorkItem item{std::move(page_.front()), {}, {}, {}};
      page_.pop_front();
      hand_out(item, now);
      return item;
    }
  }
  while (!ready_.empty() && room) {
    WorkItem item = std::move(ready_.front());
    ready_.pop_front();
    call_scouts();
    if (!is_fresh(item, now)) {
      set_aside(std::move(item));
      continue;
    }
    hand_out(item, now);
    return item;
  }
  if (!retries_.empty()) return AwaitWork{retries_.top().not_before, version_};
  if (assigned_ > 0 || scout_has_work()) return AwaitWork{SteadyTime::max(), version_};
  return Finished{};
}

void Dispatch::departed(WorkItem& item) {
  const std::lock_guard lock(mutex_);
  item.departed = true;
  held_one_less();
}

Dispatch::NextBatch Dispatch::next_batch(SteadyTime now, UtcTime utc) {
  const std::lock_guard lock(mutex_);
  if (gate_.stopping() || !preflight_) return Finished{};
  LookBatch batch{{}, {}, now};
  while (batch.items.size() < LookAhead::k_most && !looks_.empty() &&
         looks_.top().not_before <= now) {
    batch.items.push_back(take(looks_));
  }
  if (more_to_scout()) {
    const std::size_t most = std::min(LookAhead::k_most, batch.items.size() + look_ahead_.batch());
    while (batch.items.size() < most) {
      if (!stale_.empty()) {
        batch.items.push_back(std::move(stale_.front()));
        stale_.pop_front();
        continue;
      }
      refill();
      if (page_.empty()) break;
      batch.items.push_back({std::move(page_.front()), {}, {}, {}});
      page_.pop_front();
    }
    look_ahead_.began();
  }
  if (!batch.items.empty()) {
    scouting_ += std::ssize(batch.items);
    batch.accepted = watch_.take(LookAhead::k_most - batch.items.size(), utc);
    return batch;
  }
  scout_waits_ = true;
  if (!looks_.empty()) return AwaitWork{looks_.top().not_before, version_};
  // A refusal may send an item back for another look.
  if (!stale_.empty() || !page_.empty() || !feed_ended_ || !ready_.empty() || !retries_.empty() ||
      assigned_ > 0) {
    return AwaitWork{SteadyTime::max(), version_};
  }
  return Finished{};
}

void Dispatch::looked(SteadyTime began, SteadyTime answered) {
  const std::lock_guard lock(mutex_);
  look_ahead_.took(answered - began);
  look_valid_ns_ = look_ahead_.valid_for().count();
}

void Dispatch::seen_in_place() {
  const std::lock_guard lock(mutex_);
  look_ahead_.seen_in_place();
  call_scouts();
}

void Dispatch::ready(WorkItem item, Stage stage, WorkItem::Look look) {
  const std::lock_guard lock(mutex_);
  --scouting_;
  item.pending.stage = stage;
  item.pending.seen_before = true;
  item.seen_fit = look;
  item.waiting_since.reset();
  ready_.push_back(std::move(item));
  announce_change();
}

std::optional<DecisionRecord> Dispatch::look_again(WorkItem item, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  --scouting_;
  announce_change();
  if (!item.absent) item.pending.seen_before = true;
  if (!item.waiting_since) item.waiting_since = now;
  if (now - *item.waiting_since >= settle_limits_.window) {
    move_locked(ItemState::pending, ItemState::failed);
    return DecisionRecord{DecisionKind::give_up, item.pending.item, "in_transition",
                          "for " + format_duration(settle_limits_.window), true};
  }
  looks_.push({now + settle_limits_.poll, order_++, std::move(item)});
  return std::nullopt;
}

void Dispatch::settled_unsent(ItemState state) {
  const std::lock_guard lock(mutex_);
  --scouting_;
  move_locked(ItemState::pending, state);
  announce_change();
}

void Dispatch::put_back(WorkItem item) {
  const std::lock_guard lock(mutex_);
  let_go(item);
  ready_.push_front(std::move(item));
  announce_change();
}

std::optional<WorkItem> Dispatch::exchange_stale(WorkItem item, SteadyTime departure,
                                                 SteadyTime now) {
  const std::lock_guard lock(mutex_);
  let_go(item);
  set_aside(std::move(item));
  while (!ready_.empty()) {
    WorkItem other = std::move(ready_.front());
    ready_.pop_front();
    if (is_fresh(other, departure)) {
      hand_out(other, now);
      return other;
    }
    set_aside(std::move(other));
  }
  return std::nullopt;
}

void Dispatch::announce_change() {
  ++version_;
  gate_.bell().ring();
}

void Dispatch::move_locked(ItemState from, ItemState to) {
  --counts_[from];
  ++counts_[to];
}

void Dispatch::move_state(ItemState from, ItemState to) {
  const std::lock_guard lock(mutex_);
  move_locked(from, to);
}

std::optional<DecisionRecord> Dispatch::ended(WorkItem item, const Classification& result,
                                              SteadyTime now, const std::optional<Sent>& sent) {
  const std::lock_guard lock(mutex_);
  let_go(item);
  item.departed = false;
  const bool accepted = result.outcome == Outcome::accepted && goal_ == Goal::release;
  if (accepted && sent) {
    watch_.accepted({item.pending.item, item.pending.disk, sent->sent, sent->answered,
                     item.seen_fit.has_value()});
  }
  const auto waiting = [&] { return retries_.size() + looks_.size() + stale_.size(); };
  const std::size_t before = waiting();
  std::optional<DecisionRecord> decision = decide(std::move(item), result, now);
  // An item that is done gives nobody work. To wake all who wait for some costs more than the rest.
  if (assigned_ == 0 || waiting() != before || gate_.stopping()) {
    announce_change();
  } else {
    call_scouts();
  }
  return decision;
}

std::optional<DecisionRecord> Dispatch::decide(WorkItem item, const Classification& result,
                                               SteadyTime now) {
  ++item.pending.attempts;
  if (result.outcome == Outcome::rejected || result.outcome == Outcome::throttled ||
      result.outcome == Outcome::not_sent) {
    ++item.harmless_attempts;
  }
  item.pending.first_accepted = false;
  if (result.outcome == Outcome::not_sent && result.scope == Scope::moment) {
    // It has waited for too long, which says nothing about the disk.
    stale_.push_back(std::move(item));
    return std::nullopt;
  }
  if (result.outcome == Outcome::throttled) {
    ++item.tally.throttled;
  } else {
    ++item.tally.counted;
  }
  if (result.stop) {
    gate_.stop(
        {*result.stop == StopCause::out_of_resources ? EndReason::failed : EndReason::stopped,
         std::string(to_text(*result.stop)),
         result.api_code.empty() ? result.message : result.api_code + ": " + result.message});
  }
  if (result.scope == Scope::run) return std::nullopt;
  if (const auto reason =
          breaker_.record(result.outcome, result.api_code, concerns_disk(result.api_code))) {
    gate_.stop({EndReason::stopped, "circuit_breaker", *reason});
  }
  if (result.scope == Scope::moment) {
    // Another look decides, and the status that it finds.
    if (item.tally.counted < retry_limits_.max_attempts) {
      looks_.push({now + settle_limits_.poll, order_++, std::move(item)});
      return std::nullopt;
    }
    move_locked(ItemState::pending, ItemState::rejected);
    return DecisionRecord{DecisionKind::reject, item.pending.item, "status_refused",
                          after_attempts(item.tally.counted)};
  }
  const NextStep step = decide_next_step(result.outcome, item.tally, retry_limits_, random_);
  if (std::holds_alternative<ItemDone>(step)) {
    const bool half_way = goal_ == Goal::purge && item.pending.stage == Stage::release &&
                          result.outcome == Outcome::accepted;
    if (!half_way) move_locked(ItemState::pending, final_state(result.outcome));
    return std::nullopt;
  }
  if (const auto* again = std::get_if<TryAgain>(&step)) {
    // Throttled attempts are the pacer's affair and cost no budget.
    if (result.outcome != Outcome::throttled && ++retries_spent_ > retry_budget_) {
      gate_.stop({EndReason::stopped, "retry_budget",
                  "more than " + std::to_string(retry_budget_) +
                      " retries were needed; something is wrong with the service or the network"});
    }
    retries_.push({now + again->after, order_++, std::move(item)});
    return std::nullopt;
  }
  move_locked(ItemState::pending, ItemState::failed);
  return DecisionRecord{DecisionKind::give_up, item.pending.item,
                        std::string(std::get<GiveUp>(step).reason),
                        after_attempts(item.tally.counted)};
}

void Dispatch::stop(RunStop stop) {
  gate_.stop(std::move(stop));
  const std::lock_guard lock(mutex_);
  announce_change();
}

RunProgress Dispatch::progress(SteadyTime now) const {
  RunProgress progress;
  {
    const std::lock_guard lock(mutex_);
    progress.counts = counts_;
    progress.in_flight = assigned_;
  }
  progress.requests = gate_.departures();
  progress.throttled = gate_.refusals();
  progress.rate_limit = gate_.rate(now);
  progress.pause_until = gate_.paused_until(now);
  return progress;
}

}  // namespace diskrelease
