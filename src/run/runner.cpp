#include "run/runner.h"

#include <exception>
#include <thread>
#include <utility>
#include <vector>

namespace diskrelease {
namespace {

OutcomeRecord make_record(const Classification& result, std::optional<UtcTime> sent, UtcTime now,
                          std::optional<std::chrono::microseconds> latency) {
  OutcomeRecord record;
  record.outcome = result.outcome;
  record.scope = result.scope;
  record.http_status = result.http_status;
  record.api_code = result.api_code;
  record.request_id = result.request_id;
  record.message = result.message;
  record.retry_after = result.retry_after;
  record.sent = sent;
  record.finished = now;
  record.latency = latency;
  return record;
}

}  // namespace

Sender::Sender(const RunnerParts& parts, std::size_t lane, const AttemptObserver& observer)
    : parts_(parts), lane_(lane), observer_(observer) {}

Sender::Due Sender::step() {
  if (open_) return send();
  if (item_) return announce();
  return take();
}

Sender::Due Sender::take() {
  const SteadyTime now = parts_.clock.steady_now();
  // The first slot leaves time for the handshakes of all lanes, so that the first requests are not
  // bunched.
  Dispatch::Next next = parts_.dispatch.next(now, has_connected_ ? now : now + k_intent_lead);
  if (auto* assignment = std::get_if<Dispatch::Assignment>(&next)) {
    item_ = std::move(assignment->item);
    slot_ = assignment->slot;
    return SleepUntil{slot_.at - k_intent_lead};
  }
  if (const auto* wait = std::get_if<Dispatch::Wait>(&next)) return *wait;
  return Dispatch::Finished{};
}

Sender::Due Sender::announce() {
  if (parts_.dispatch.stopping()) {
    parts_.dispatch.put_back(*std::exchange(item_, std::nullopt));
    return SleepUntil{parts_.clock.steady_now()};
  }
  open_ =
      parts_.log.record_intent(item_->pending.item, item_->pending.disk,
                               item_->pending.attempts + 1, Stage::release, parts_.clock.utc_now());
  has_connected_ = true;
  // Connecting takes longer than sending: done ahead of the slot, the request departs in it.
  if (std::optional<TransportFailure> failure = parts_.transport.prepare(lane_)) {
    close(classify_release(std::move(*failure), {false, parts_.goal}), std::nullopt, std::nullopt,
          parts_.clock.steady_now());
    return SleepUntil{parts_.clock.steady_now()};
  }
  return SleepUntil{slot_.at};
}

Sender::Due Sender::send() {
  if (parts_.dispatch.stopping()) {
    cancel();
    return SleepUntil{parts_.clock.steady_now()};
  }
  const SteadyTime departed = parts_.clock.steady_now();
  if (const std::optional<Slot> later = parts_.dispatch.depart(slot_, departed)) {
    slot_ = *later;
    return SleepUntil{slot_.at};
  }
  const UtcTime sent = parts_.clock.utc_now();
  const Reply reply =
      parts_.transport.exchange(lane_, release_disk_request(parts_.caller, *open_, sent));
  const auto latency =
      std::chrono::duration_cast<std::chrono::microseconds>(parts_.clock.steady_now() - departed);
  const Classification result = classify_release(reply, {false, parts_.goal});
  const auto* failure = std::get_if<TransportFailure>(&reply);
  const bool nothing_left = failure != nullptr && !failure->request_may_have_left;
  close(result, nothing_left ? std::nullopt : std::optional(sent),
        nothing_left ? std::nullopt : std::optional(latency), departed);
  return SleepUntil{parts_.clock.steady_now()};
}

void Sender::close(const Classification& result, std::optional<UtcTime> sent,
                   std::optional<std::chrono::microseconds> latency, SteadyTime departed) {
  const UtcTime now = parts_.clock.utc_now();
  const AttemptEvent event{item_->pending.disk.text(),
                           open_->number(),
                           result.outcome,
                           result.http_status,
                           result.api_code,
                           result.request_id,
                           result.message,
                           now};
  parts_.log.record_outcome(*std::exchange(open_, std::nullopt),
                            make_record(result, sent, now, latency));
  const std::optional<DecisionRecord> decision = parts_.dispatch.ended(
      *std::exchange(item_, std::nullopt), result, departed, parts_.clock.steady_now());
  if (decision) parts_.log.record_decision(*decision, now);
  observer_(event);
}

void Sender::cancel() {
  Classification cancelled;
  cancelled.outcome = Outcome::not_sent;
  cancelled.scope = Scope::run;
  cancelled.message = "cancelled before sending: the run was stopping";
  close(cancelled, std::nullopt, std::nullopt, parts_.clock.steady_now());
}

void run_senders(const RunnerParts& parts, int in_flight, const AttemptObserver& observer) {
  std::mutex mutex;
  std::exception_ptr first_error;
  const AttemptObserver one_at_a_time = [&](const AttemptEvent& event) {
    const std::lock_guard lock(mutex);
    if (observer) observer(event);
  };
  const auto drive = [&](std::size_t lane) {
    try {
      Sender sender(parts, lane, one_at_a_time);
      while (true) {
        const Sender::Due due = sender.step();
        if (std::holds_alternative<Dispatch::Finished>(due)) return;
        if (const auto* wait = std::get_if<Dispatch::Wait>(&due)) {
          parts.dispatch.wait_for_work(*wait);
        } else {
          parts.dispatch.wait_for_slot(std::get<Sender::SleepUntil>(due).at);
        }
      }
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex);
      if (!first_error) first_error = std::current_exception();
      parts.dispatch.stop({EndReason::failed, "internal_error", error.what()});
    }
  };
  {
    std::vector<std::jthread> threads;
    threads.reserve(static_cast<std::size_t>(in_flight));
    for (int lane = 0; lane < in_flight; ++lane) {
      threads.emplace_back(drive, static_cast<std::size_t>(lane));
    }
  }
  if (first_error) std::rethrow_exception(first_error);
}

}  // namespace diskrelease
