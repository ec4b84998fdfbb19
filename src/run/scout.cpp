#include "run/scout.h"

#include <utility>

#include "pacing/retry_policy.h"
#include "run/foreign_release.h"
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

/// This invocation has seen it so, and no call of ours can have released it since.
bool was_available(const WorkItem& item) {
  return item.seen_fit && item.pending.attempts == item.harmless_attempts;
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
  Dispatch::NextBatch next =
      parts_.dispatch.next_batch(parts_.clock.steady_now(), parts_.clock.utc_now());
  if (const auto* wait = std::get_if<AwaitWork>(&next)) return *wait;
  if (std::holds_alternative<Finished>(next)) return Finished{};
  batch_ = std::move(std::get<LookBatch>(next));
  DiskReader::Batch disks;
  for (const WorkItem& item : batch_.items) {
    disks.push_back({.item = item.pending.item,
                     .disk = item.pending.disk,
                     .seen = item.pending.seen_before,
                     .called = item.pending.first_accepted,
                     .destroyed = false,
                     .absent_since = std::nullopt});
  }
  for (const AcceptedRelease& release : batch_.accepted) {
    disks.push_back(accepted_subject(release, parts_.spec));
  }
  reader_.begin(ReadPurpose::preflight, std::move(disks));
  return SleepUntil{parts_.clock.steady_now()};
}

void Scout::use(const DiskReader::Result& result) {
  const DescribeReading& reading = result.reading;
  if (reading.kind == DescribeReading::Kind::complete) {
    parts_.dispatch.looked(batch_.began, result.answered);
    const std::size_t items = batch_.items.size();
    // First what is known of the account: it may be that nothing is to be sent any more.
    for (std::size_t i = 0; i < batch_.accepted.size(); ++i) {
      if (result.counts[items + i]) {
        use_accepted(parts_, batch_.accepted[i], reading.sightings[items + i], result, false);
      } else {
        parts_.dispatch.watch().give_back({batch_.accepted[i]});
      }
    }
    for (std::size_t i = 0; i < items; ++i) {
      use(std::move(batch_.items[i]), reading.sightings[i], {result.sent, result.answered});
    }
    return;
  }
  parts_.dispatch.watch().give_back(batch_.accepted);
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

void Scout::use(WorkItem item, const Sighting& sighting, WorkItem::Look look) {
  if (parts_.spec.goal == Goal::release) {
    // An answer may lack a disk that exists. Two do not, a poll apart.
    const bool is_told = sighting.status != DiskStatus::absent || item.absent;
    raise(parts_,
          parts_.dispatch.watch().saw_unsent(item.pending.item, item.pending.disk, sighting.status,
                                             is_told && was_available(item)));
  }
  const PreflightStep step = judge(sighting, {.goal = parts_.spec.goal,
                                              .stage = item.pending.stage,
                                              .include_recycled = parts_.spec.include_recycled,
                                              .seen_before = item.pending.seen_before,
                                              .released_elsewhere = item.pending.released_elsewhere,
                                              .first_accepted = item.pending.first_accepted,
                                              .looked_before = item.waiting_since.has_value(),
                                              .absent_before = item.absent,
                                              .bin_keeps = item.pending.bin_keeps});
  item.absent = sighting.status == DiskStatus::absent;
  const UtcTime now = parts_.clock.utc_now();
  if (const auto* send = std::get_if<SendIt>(&step)) {
    parts_.dispatch.ready(std::move(item), send->stage, look);
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
