#include "run/dispatch.h"

#include <algorithm>
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

}  // namespace

Dispatch::Dispatch(PendingFeed feed, const RateLimit& rate, const RetryLimits& retry,
                   const StateCounts& at_start, std::uint64_t seed)
    : retry_limits_(retry),
      retry_budget_(retry_budget(retry, at_start.total())),
      feed_(std::move(feed)),
      pacer_(rate, seed, *pace_),
      random_(seed + 1),
      counts_(at_start) {}

void Dispatch::refill() {
  if (feed_ended_ || !page_.empty()) return;
  std::vector<PendingItem> page = feed_.next_page(k_page);
  feed_ended_ = std::ssize(page) < k_page;
  std::ranges::move(page, std::back_inserter(page_));
}

Dispatch::Next Dispatch::next(SteadyTime now, SteadyTime earliest) {
  const std::lock_guard lock(mutex_);
  if (stop_) return Finished{};
  const bool retry_is_due = !retries_.empty() && retries_.top().not_before <= now;
  if (retry_is_due) {
    WorkItem item = retries_.top().item;
    retries_.pop();
    ++assigned_;
    return Assignment{std::move(item), pacer_.reserve(earliest)};
  }
  if (retries_.size() < k_max_retries_waiting) refill();
  if (!page_.empty() && retries_.size() < k_max_retries_waiting) {
    WorkItem item{std::move(page_.front()), {}};
    page_.pop_front();
    ++assigned_;
    return Assignment{std::move(item), pacer_.reserve(earliest)};
  }
  if (!retries_.empty()) return Wait{retries_.top().not_before, work_version_};
  if (assigned_ > 0) return Wait{SteadyTime::max(), work_version_};
  return Finished{};
}

std::optional<Slot> Dispatch::depart(const Slot& slot, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  std::optional<Slot> later = pacer_.depart(slot, now);
  if (!later) ++requests_;
  return later;
}

void Dispatch::put_back(WorkItem item) {
  const std::lock_guard lock(mutex_);
  --assigned_;
  page_.push_front(std::move(item.pending));
  announce_change();
}

void Dispatch::announce_change() {
  ++work_version_;
  work_changed_.notify_all();
}

void Dispatch::move_state(ItemState to) {
  --counts_[ItemState::pending];
  ++counts_[to];
}

std::optional<DecisionRecord> Dispatch::ended(WorkItem item, const Classification& result,
                                              SteadyTime sent, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  --assigned_;
  announce_change();
  ++item.pending.attempts;
  if (result.outcome == Outcome::throttled) {
    ++item.tally.throttled;
    ++throttled_;
    pacer_.throttled(sent, now, result.retry_after);
  } else {
    ++item.tally.counted;
  }
  if (result.scope == Scope::run) {
    if (result.stop) {
      stop_locked(
          {EndReason::stopped, std::string(to_text(*result.stop)),
           result.api_code.empty() ? result.message : result.api_code + ": " + result.message});
    }
    return std::nullopt;
  }
  if (const auto reason = breaker_.record(result.outcome, result.api_code)) {
    stop_locked({EndReason::stopped, "circuit_breaker", *reason});
  }
  const NextStep step = decide_next_step(result.outcome, item.tally, retry_limits_, random_);
  if (std::holds_alternative<ItemDone>(step)) {
    move_state(final_state(result.outcome));
    return std::nullopt;
  }
  if (const auto* again = std::get_if<TryAgain>(&step)) {
    // Throttled attempts are the pacer's affair and cost no budget.
    if (result.outcome != Outcome::throttled && ++retries_spent_ > retry_budget_) {
      stop_locked({EndReason::stopped, "retry_budget",
                   "more than " + std::to_string(retry_budget_) +
                       " retries were needed; something is wrong with the service or the network"});
    }
    retries_.push({now + again->after, retry_order_++, std::move(item)});
    return std::nullopt;
  }
  move_state(ItemState::failed);
  return DecisionRecord{DecisionKind::give_up, item.pending.item,
                        std::string(std::get<GiveUp>(step).reason),
                        "after " + std::to_string(item.tally.counted) + " attempts"};
}

void Dispatch::stop_locked(RunStop stop) {
  if (!stop_) stop_ = std::move(stop);
  stopped_.notify_all();
  work_changed_.notify_all();
}

void Dispatch::stop(RunStop stop) {
  const std::lock_guard lock(mutex_);
  stop_locked(std::move(stop));
}

bool Dispatch::stopping() const {
  const std::lock_guard lock(mutex_);
  return stop_.has_value();
}

std::optional<RunStop> Dispatch::stop_reason() const {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void Dispatch::wait_for_slot(SteadyTime until) {
  std::unique_lock lock(mutex_);
  stopped_.wait_until(lock, until, [&] { return stop_.has_value(); });
}

void Dispatch::wait_for_work(const Wait& wait) {
  std::unique_lock lock(mutex_);
  const auto changed = [&] { return stop_.has_value() || work_version_ != wait.seen; };
  if (wait.until == SteadyTime::max()) {
    work_changed_.wait(lock, changed);
  } else {
    work_changed_.wait_until(lock, wait.until, changed);
  }
}

RunProgress Dispatch::progress(SteadyTime now) const {
  const std::lock_guard lock(mutex_);
  RunProgress progress;
  progress.counts = counts_;
  progress.in_flight = assigned_;
  progress.requests = requests_;
  progress.throttled = throttled_;
  progress.rate_limit = pacer_.rate(now);
  progress.pause_until = pacer_.paused_until(now);
  return progress;
}

}  // namespace diskrelease
