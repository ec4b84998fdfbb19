#include "run/dispatch.h"

#include <algorithm>
#include <cmath>
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

std::string after_attempts(int count) { return "after " + std::to_string(count) + " attempts"; }

}  // namespace

Dispatch::Dispatch(DepartureGate& gate, const JobSpec& spec, const StateCounts& at_start,
                   std::uint64_t seed)
    : gate_(gate),
      retry_limits_(spec.retry),
      settle_limits_(spec.settle),
      goal_(spec.goal),
      preflight_(spec.preflight),
      retry_budget_(retry_budget(spec.retry, at_start.total())),
      random_(seed + 1),
      counts_(at_start) {
  if (spec.rate.per_second) {
    valid_for_ =
        std::max(valid_for_, std::chrono::duration_cast<std::chrono::nanoseconds>(
                                 std::chrono::duration<double>(3 / *spec.rate.per_second)));
    // About a minute's worth.
    most_ahead_ = static_cast<std::size_t>(std::ceil(*spec.rate.per_second * 60));
    batch_size_ = std::clamp(most_ahead_, k_smallest_batch, k_batch);
    // Slots are promised to all senders ahead of the next read, and it takes that long to its slot.
    const auto senders = static_cast<std::size_t>(spec.in_flight);
    enough_ready_ =
        std::max({batch_size_, static_cast<std::size_t>(std::min(*spec.rate.per_second, 500.0)),
                  std::min(most_ahead_, senders)});
  } else {
    enough_ready_ = k_ready_when_unlimited;
  }
}

void Dispatch::open(PendingFeed feed) {
  const std::lock_guard lock(mutex_);
  feed_.emplace(std::move(feed));
  feed_ended_ = false;
  announce_change();
}

void Dispatch::refill() {
  if (feed_ended_ || !page_.empty()) return;
  std::vector<PendingItem> page = feed_->next_page(k_page);
  if (std::ssize(page) < k_page) {
    feed_ended_ = true;
    feed_.reset();
    // Senders may wait for work that is not to come.
    if (page.empty()) announce_change();
  }
  std::ranges::move(page, std::back_inserter(page_));
}

bool Dispatch::is_fresh(const WorkItem& item, SteadyTime at) const {
  return !preflight_ || (item.observed && at - *item.observed <= valid_for_);
}

bool Dispatch::scout_has_work() const {
  return preflight_ && (scouting_ > 0 || !looks_.empty() || !page_.empty() || !feed_ended_);
}

bool Dispatch::more_to_scout() const {
  // Other scouts may be at work. What all of them bring must not grow old before it is used.
  const std::size_t ahead = ready_.size() + static_cast<std::size_t>(scouting_);
  return (!page_.empty() || !feed_ended_) && ready_.size() < enough_ready_ &&
         (scouting_ == 0 || ahead + batch_size_ <= most_ahead_) &&
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

Dispatch::Next Dispatch::next(SteadyTime now) {
  const std::lock_guard lock(mutex_);
  if (gate_.stopping()) return Finished{};
  while (!retries_.empty() && retries_.top().not_before <= now) {
    WorkItem item = take(retries_);
    call_scouts();
    if (!is_fresh(item, now)) {
      looks_.push({now, order_++, std::move(item)});
      announce_change();
      continue;
    }
    ++assigned_;
    return item;
  }
  const bool room = retries_.size() < k_max_waiting;
  if (!preflight_ && room) {
    refill();
    if (!page_.empty()) {
      WorkItem item{std::move(page_.front()), {}, {}, {}};
      page_.pop_front();
      ++assigned_;
      return item;
    }
  }
  while (!ready_.empty() && room) {
    WorkItem item = std::move(ready_.front());
    ready_.pop_front();
    call_scouts();
    if (!is_fresh(item, now)) {
      looks_.push({now, order_++, std::move(item)});
      announce_change();
      continue;
    }
    ++assigned_;
    return item;
  }
  if (!retries_.empty()) return AwaitWork{retries_.top().not_before, version_};
  if (assigned_ > 0 || scout_has_work()) return AwaitWork{SteadyTime::max(), version_};
  return Finished{};
}

Dispatch::NextBatch Dispatch::next_batch(SteadyTime now) {
  const std::lock_guard lock(mutex_);
  if (gate_.stopping() || !preflight_) return Finished{};
  std::vector<WorkItem> batch;
  while (batch.size() < batch_size_ && !looks_.empty() && looks_.top().not_before <= now) {
    batch.push_back(take(looks_));
  }
  if (more_to_scout()) {
    while (batch.size() < batch_size_) {
      refill();
      if (page_.empty()) break;
      batch.push_back({std::move(page_.front()), {}, {}, {}});
      page_.pop_front();
    }
  }
  if (!batch.empty()) {
    scouting_ += std::ssize(batch);
    return batch;
  }
  scout_waits_ = true;
  if (!looks_.empty()) return AwaitWork{looks_.top().not_before, version_};
  // A refusal may send an item back for another look.
  if (!page_.empty() || !feed_ended_ || !ready_.empty() || !retries_.empty() || assigned_ > 0) {
    return AwaitWork{SteadyTime::max(), version_};
  }
  return Finished{};
}

void Dispatch::ready(WorkItem item, Stage stage, SteadyTime observed) {
  const std::lock_guard lock(mutex_);
  --scouting_;
  item.pending.stage = stage;
  item.pending.seen_before = true;
  item.observed = observed;
  item.waiting_since.reset();
  ready_.push_back(std::move(item));
  announce_change();
}

std::optional<DecisionRecord> Dispatch::look_again(WorkItem item, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  --scouting_;
  announce_change();
  item.pending.seen_before = true;
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
  --assigned_;
  ready_.push_front(std::move(item));
  announce_change();
}

std::optional<WorkItem> Dispatch::exchange_stale(WorkItem item, SteadyTime departure,
                                                 SteadyTime now) {
  const std::lock_guard lock(mutex_);
  looks_.push({now, order_++, std::move(item)});
  announce_change();
  while (!ready_.empty()) {
    WorkItem other = std::move(ready_.front());
    ready_.pop_front();
    if (is_fresh(other, departure)) return other;
    looks_.push({now, order_++, std::move(other)});
  }
  --assigned_;
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
                                              SteadyTime now) {
  const std::lock_guard lock(mutex_);
  --assigned_;
  const std::size_t waiting = retries_.size() + looks_.size();
  std::optional<DecisionRecord> decision = decide(std::move(item), result, now);
  // An item that is done gives nobody work. To wake all who wait for some costs more than the rest.
  if (assigned_ == 0 || retries_.size() + looks_.size() != waiting || gate_.stopping()) {
    announce_change();
  } else {
    call_scouts();
  }
  return decision;
}

std::optional<DecisionRecord> Dispatch::decide(WorkItem item, const Classification& result,
                                               SteadyTime now) {
  ++item.pending.attempts;
  item.pending.first_accepted = false;
  if (result.outcome == Outcome::not_sent && result.scope == Scope::moment) {
    // It has waited for too long, which says nothing about the disk.
    looks_.push({now, order_++, std::move(item)});
    return std::nullopt;
  }
  if (result.outcome == Outcome::throttled) {
    ++item.tally.throttled;
  } else {
    ++item.tally.counted;
  }
  if (result.scope == Scope::run) {
    if (result.stop) {
      gate_.stop(
          {*result.stop == StopCause::out_of_resources ? EndReason::failed : EndReason::stopped,
           std::string(to_text(*result.stop)),
           result.api_code.empty() ? result.message : result.api_code + ": " + result.message});
    }
    return std::nullopt;
  }
  if (const auto reason = breaker_.record(result.outcome, result.api_code)) {
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
