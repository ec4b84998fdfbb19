#include "run/sender.h"

#include <algorithm>
#include <utility>

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

Sender::Sender(const RunParts& parts, std::size_t lane, std::shared_ptr<LaneTurn> turn,
               const AttemptObserver& observer)
    : parts_(parts), lane_(lane), turn_(std::move(turn)), observer_(observer) {}

std::chrono::nanoseconds Sender::lead_with_answer(const RateLimit& rate) {
  // Below one a second there is little to be saved.
  if (!rate.per_second || *rate.per_second < 1) return k_intent_lead;
  // Slots are a little further apart than the rate says (pacing/pacer).
  const std::chrono::duration<double> between_slots(1.1 / *rate.per_second);
  return std::max<std::chrono::nanoseconds>(
      k_intent_lead, std::chrono::duration_cast<std::chrono::nanoseconds>(between_slots));
}

Due Sender::step() {
  if (under_way_) return receive();
  if (connecting_) return connect();
  if (connect_failure_) return end_unsent(*std::exchange(connect_failure_, std::nullopt));
  if (std::exchange(commit_is_later_, false)) return AwaitCommit{&*announcement_};
  if (announcement_) open_ = std::exchange(announcement_, std::nullopt)->take();
  if (has_lane_) return send();
  if (open_) return take_lane();
  if (item_) return announce();
  return take();
}

Due Sender::take() {
  const SteadyTime now = parts_.clock.steady_now();
  Dispatch::Next next = parts_.dispatch.next(now);
  if (auto* item = std::get_if<WorkItem>(&next)) {
    item_ = std::move(*item);
    // The first slot leaves time for the handshakes of all lanes, so that the first requests are
    // not bunched. Without a rate they may be.
    const bool has_to_connect = !has_connected_ && parts_.spec.rate.per_second;
    slot_ = parts_.gate.reserve(has_to_connect ? now + k_intent_lead : now);
    return SleepUntil{slot_.at - k_intent_lead, nullptr,
                      slot_.at - lead_with_answer(parts_.spec.rate)};
  }
  if (const auto* wait = std::get_if<AwaitWork>(&next)) return *wait;
  return Finished{};
}

PriorKnowledge Sender::known() const {
  return {.seen_in_account = item_->pending.seen_before,
          .goal = parts_.spec.goal,
          .status_is_read_again = parts_.spec.preflight};
}

Due Sender::announce() {
  if (!parts_.may_go_on()) {
    parts_.dispatch.put_back(*std::exchange(item_, std::nullopt));
    return SleepUntil{parts_.clock.steady_now()};
  }
  const SteadyTime now = parts_.clock.steady_now();
  const bool early = slot_.at - k_intent_lead > now;
  // Its slot will not be that one; a request under way may have been refused in this very moment.
  if (early && parts_.gate.paused_until(now)) return SleepUntil{slot_.at - k_intent_lead};
  const SteadyTime departure = std::max(now, slot_.at);
  if (!parts_.dispatch.is_fresh(*item_, departure)) {
    item_ = parts_.dispatch.exchange_stale(*std::exchange(item_, std::nullopt), departure, now);
    if (!item_) return SleepUntil{now};
  }
  announcement_ =
      parts_.log.announce(item_->pending.item, item_->pending.disk, item_->pending.attempts + 1,
                          item_->pending.stage, parts_.clock.utc_now());
  // Nothing is left to be done before the slot: to wake up for the commit would be for nothing. A
  // connection that may be closed until then is looked at once more.
  const bool stays = !early || slot_.at - answered_ <= k_trusted_idle;
  const bool is_ready =
      slot_.at > now && stays && !turn_->taken && parts_.transport.is_connected(lane_);
  if (!is_ready && !early) return AwaitCommit{&*announcement_};
  if (is_ready) enter_lane();
  commit_is_later_ = true;
  return SleepUntil{is_ready ? slot_.at : slot_.at - k_intent_lead, &*announcement_};
}

Due Sender::take_lane() {
  if (!parts_.may_go_on()) return cancel();
  if (turn_->taken) return AwaitLane{turn_.get()};
  const bool first = !has_connected_;
  enter_lane();
  if (!first && slot_.at <= parts_.clock.steady_now()) return send();
  // Connecting takes longer than sending: done ahead of the slot, the request departs in it.
  if (parts_.transport.is_connected(lane_)) return SleepUntil{slot_.at};
  connecting_ = true;
  return StepApart{};
}

void Sender::enter_lane() {
  turn_->taken = true;
  has_lane_ = true;
  has_connected_ = true;
  has_reconnected_ = false;
}

void Sender::leave_lane() {
  if (std::exchange(has_lane_, false)) turn_->taken = false;
}

/// Apart from the other actors, so it touches nothing that it shares with them.
Due Sender::connect() {
  connecting_ = false;
  connect_failure_ = parts_.transport.prepare(lane_);
  return SleepUntil{connect_failure_ ? parts_.clock.steady_now() : slot_.at};
}

Due Sender::end_unsent(const Classification& result) {
  close(result, std::nullopt, std::nullopt, parts_.clock.steady_now());
  return SleepUntil{parts_.clock.steady_now()};
}

Due Sender::end_unsent(TransportFailure failure) {
  return end_unsent(
      classify_release(std::move(failure), known(), Blanking(parts_.caller.credential)));
}

Due Sender::end_unsent(Scope scope, std::string message) {
  Classification result;
  result.outcome = Outcome::not_sent;
  result.scope = scope;
  result.message = std::move(message);
  return end_unsent(result);
}

bool Sender::is_fresh_now() const {
  return parts_.dispatch.is_fresh(*item_, parts_.clock.steady_now());
}

Due Sender::end_stale() {
  return end_unsent(Scope::moment,
                    "what was seen of the disk is too old, it has to be looked at again");
}

Due Sender::send() {
  if (!parts_.may_go_on()) return cancel();
  // The process may have stood still, or another one have held up the lane.
  if (!is_fresh_now()) return end_stale();
  // The server may have closed the connection meanwhile.
  if (!parts_.transport.is_connected(lane_)) {
    if (std::exchange(has_reconnected_, true)) {
      return end_unsent(connections_end_at_once());
    }
    connecting_ = true;
    return StepApart{};
  }
  // Signed before the departure is counted: the first signature of a process takes long.
  sent_ = parts_.clock.utc_now();
  const ReleaseRequest request = release_disk_request(parts_.caller, *open_, sent_);
  departed_ = parts_.clock.steady_now();
  if (const std::optional<Slot> later = parts_.gate.depart(slot_, departed_)) {
    slot_ = *later;
    has_reconnected_ = false;
    if (!parts_.dispatch.is_fresh(*item_, slot_.at)) return end_stale();
    return SleepUntil{slot_.at};
  }
  parts_.dispatch.departed(*item_);
  // Another process may have held the lock of their common pace for as long, or an actor of this
  // one that of the dispatch.
  if (!is_fresh_now()) return end_stale();
  const Departure departure = parts_.log.departs(*open_);
  under_way_ = true;
  blanking_ = Blanking(parts_.caller.credential, request.of(departure));
  parts_.transport.start(lane_, request.of(departure));
  parts_.gate.left(departed_, parts_.clock.steady_now());
  return AwaitReply{parts_.transport.watch(lane_)};
}

Due Sender::receive() {
  if (!parts_.transport.can_finish(lane_)) return AwaitReply{parts_.transport.watch(lane_)};
  under_way_ = false;
  const Reply reply = parts_.transport.finish(lane_);
  answered_ = parts_.clock.steady_now();
  const auto latency = std::chrono::duration_cast<std::chrono::microseconds>(answered_ - departed_);
  const Classification result = classify_release(reply, known(), blanking_);
  const auto* failure = std::get_if<TransportFailure>(&reply);
  const bool nothing_left = failure != nullptr && !failure->request_may_have_left;
  close(result, nothing_left ? std::nullopt : std::optional(sent_),
        nothing_left ? std::nullopt : std::optional(latency), departed_);
  return SleepUntil{parts_.clock.steady_now()};
}

void Sender::close(const Classification& result, std::optional<UtcTime> sent,
                   std::optional<std::chrono::microseconds> latency, SteadyTime departed) {
  leave_lane();
  const UtcTime now = parts_.clock.utc_now();
  const AttemptEvent event{item_->pending.disk.text(),
                           open_->number(),
                           result.outcome,
                           result.http_status,
                           result.api_code,
                           result.request_id,
                           result.message,
                           now,
                           open_->stage(),
                           result.scope};
  parts_.log.record_outcome(*std::exchange(open_, std::nullopt),
                            make_record(result, sent, now, latency));
  if (result.outcome == Outcome::throttled) {
    parts_.gate.throttled(departed, parts_.clock.steady_now(), result.retry_after);
  }
  const auto times =
      sent ? std::optional(Dispatch::Sent{*sent, now}) : std::optional<Dispatch::Sent>();
  const std::optional<DecisionRecord> decision = parts_.dispatch.ended(
      *std::exchange(item_, std::nullopt), result, parts_.clock.steady_now(), times);
  if (decision) parts_.log.record_decision(*decision, now);
  observer_(event);
}

Due Sender::cancel() {
  return end_unsent(Scope::run, "cancelled before sending: the run was stopping");
}

}  // namespace diskrelease
