#include "run/scout.h"

#include <utility>

#include "pacing/retry_policy.h"
#include "run/preflight.h"

namespace diskrelease {
namespace {

ItemState state_after(DecisionKind kind) {
  switch (kind) {
    case DecisionKind::skip:
      return ItemState::skipped;
    case DecisionKind::already_gone:
      return ItemState::already_gone;
    case DecisionKind::reject:
      return ItemState::rejected;
    case DecisionKind::give_up:
    case DecisionKind::approve:
    case DecisionKind::stop:
      break;
  }
  return ItemState::failed;
}

}  // namespace

Scout::Scout(const RunParts& parts, std::size_t lane, std::uint64_t seed)
    : parts_(parts), reader_(parts, lane, seed) {}

Due Scout::step() {
  if (reader_.under_way()) {
    if (const auto due = reader_.step()) return SleepUntil{*due};
    use(reader_.take());
    return SleepUntil{parts_.clock.steady_now()};
  }
  Dispatch::NextBatch next = parts_.dispatch.next_batch(parts_.clock.steady_now());
  if (const auto* wait = std::get_if<AwaitWork>(&next)) return *wait;
  if (std::holds_alternative<Finished>(next)) return Finished{};
  batch_ = std::move(std::get<std::vector<WorkItem>>(next));
  DiskReader::Batch disks;
  for (const WorkItem& item : batch_) disks.emplace_back(item.pending.item, item.pending.disk);
  reader_.begin(ReadPurpose::preflight, std::move(disks));
  return SleepUntil{parts_.clock.steady_now()};
}

void Scout::use(const DiskReader::Result& result) {
  const DescribeReading& reading = result.reading;
  if (reading.kind == DescribeReading::Kind::complete) {
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      use(std::move(batch_[i]), reading.sightings[i], result.sent);
    }
    return;
  }
  // Sending unseen is not what was asked for; the items stay pending.
  if (reading.stop) {
    const bool local = *reading.stop == StopCause::out_of_resources;
    parts_.dispatch.stop(
        {local ? EndReason::failed : EndReason::stopped, std::string(to_text(*reading.stop)),
         "DescribeDisks: " +
             (reading.api_code.empty() ? reading.message
                                       : reading.api_code + ": " + reading.message) +
             (*reading.stop == StopCause::authentication
                  ? "; if this credential may not read disks, --no-preflight sends without looking"
                  : "")});
    return;
  }
  parts_.dispatch.stop({EndReason::stopped, "reads_failed",
                        "the status of disks could not be read, " +
                            std::to_string(reading.kind == DescribeReading::Kind::throttled
                                               ? k_max_throttled
                                               : DiskReader::k_max_tries) +
                            " times in a row; the last time: " + reading.message});
}

void Scout::use(WorkItem item, const Sighting& sighting, SteadyTime seen) {
  const PreflightStep step = judge(sighting, {.goal = parts_.spec.goal,
                                              .stage = item.pending.stage,
                                              .include_recycled = parts_.spec.include_recycled,
                                              .seen_before = item.pending.seen_before,
                                              .released_elsewhere = item.pending.released_elsewhere,
                                              .first_accepted = item.pending.first_accepted,
                                              .looked_before = item.waiting_since.has_value()});
  const UtcTime now = parts_.clock.utc_now();
  if (const auto* send = std::get_if<SendIt>(&step)) {
    parts_.dispatch.ready(std::move(item), send->stage, seen);
  } else if (std::holds_alternative<LookAgain>(step)) {
    const auto given_up = parts_.dispatch.look_again(std::move(item), parts_.clock.steady_now());
    if (given_up) parts_.log.record_decision(*given_up, now);
  } else if (const auto* decline = std::get_if<Decline>(&step)) {
    parts_.log.record_decision({decline->kind, item.pending.item, std::string(decline->reason),
                                std::string(sighting.status_text), true},
                               now);
    parts_.dispatch.settled_unsent(state_after(decline->kind));
  } else {
    parts_.dispatch.settled_unsent(ItemState::released);
  }
}

}  // namespace diskrelease
