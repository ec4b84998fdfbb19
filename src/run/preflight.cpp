#include "run/preflight.h"

namespace diskrelease {
namespace {

/// The second call of goal purge: the first was accepted, or the disk was in the bin from the
/// start.
PreflightStep judge_second_stage(DiskStatus status, const PreflightFacts& facts) {
  switch (status) {
    case DiskStatus::recycled:
      return SendIt{Stage::destroy};
    case DiskStatus::absent:
      // In the account of another credential it has never been.
      if (!facts.seen_before && !facts.first_accepted) {
        return Decline{DecisionKind::reject, "not_found"};
      }
      if (!facts.seen_before || !facts.absent_before) return LookAgain{};
      if (facts.first_accepted) return GoalReached{};
      return Decline{DecisionKind::already_gone, "absent"};
    case DiskStatus::deleting:
      if (facts.first_accepted) return GoalReached{};
      return Decline{DecisionKind::already_gone, "deleting"};
    case DiskStatus::recycling:
      return LookAgain{};
    case DiskStatus::creating:
    case DiskStatus::available:
    case DiskStatus::in_use:
    case DiskStatus::attaching:
    case DiskStatus::detaching:
    case DiskStatus::changing:
    case DiskStatus::snapshot_creating:
    case DiskStatus::rolling_back:
    case DiskStatus::failed:
    case DiskStatus::other:
      // The answer may show the time before the disk was in the bin.
      if (!facts.looked_before) return LookAgain{};
      return Decline{DecisionKind::reject, "restored"};
  }
  return LookAgain{};
}

PreflightStep judge_recycled(DiskStatus status, const PreflightFacts& facts) {
  if (facts.goal == Goal::release) return Decline{DecisionKind::already_gone, "recycled"};
  if (!facts.include_recycled) return Decline{DecisionKind::skip, "recycled_before"};
  if (status == DiskStatus::recycling) return LookAgain{};
  return SendIt{Stage::destroy};
}

}  // namespace

PreflightStep judge(const Sighting& sighting, const PreflightFacts& facts) {
  if (facts.stage == Stage::destroy) return judge_second_stage(sighting.status, facts);
  switch (sighting.status) {
    case DiskStatus::absent:
      if (!facts.seen_before) return Decline{DecisionKind::reject, "not_found"};
      if (!facts.absent_before) return LookAgain{};
      if (facts.bin_keeps) return Decline{DecisionKind::give_up, "absent_not_in_bin"};
      return Decline{DecisionKind::already_gone, "absent"};
    case DiskStatus::deleting:
      return Decline{DecisionKind::already_gone, "deleting"};
    case DiskStatus::recycling:
    case DiskStatus::recycled:
      return judge_recycled(sighting.status, facts);
    case DiskStatus::in_use:
      return Decline{DecisionKind::reject, sighting.is_system_disk() ? "system_disk" : "in_use"};
    case DiskStatus::failed:
      return Decline{DecisionKind::reject, "creation_failed"};
    case DiskStatus::other:
      return Decline{DecisionKind::reject, "status_not_known"};
    case DiskStatus::available:
    case DiskStatus::creating:
    case DiskStatus::attaching:
    case DiskStatus::detaching:
    case DiskStatus::changing:
    case DiskStatus::snapshot_creating:
    case DiskStatus::rolling_back:
      break;
  }
  if (sighting.is_system_disk()) return Decline{DecisionKind::reject, "system_disk"};
  if (!sighting.portable) return Decline{DecisionKind::reject, "portable_not_known"};
  if (!*sighting.portable) return Decline{DecisionKind::reject, "not_portable"};
  if (is_transitional(sighting.status)) return LookAgain{};
  // AVAILABLE and attached at once: one of the two is not true.
  if (!sighting.instance_id.empty()) return Decline{DecisionKind::reject, "attached"};
  if (facts.released_elsewhere) return Decline{DecisionKind::skip, "released_before"};
  return SendIt{Stage::release};
}

}  // namespace diskrelease
