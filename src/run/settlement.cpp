#include "run/settlement.h"

namespace diskrelease {
namespace {

/// What a status says about a call of this stage.
enum class Sign {
  took_effect,
  no_effect,  ///< as it was before
  attached,   ///< somebody uses the disk: a release is refused in that status
  nothing,
};

Sign sign_of(DiskStatus status, Stage stage) {
  switch (status) {
    case DiskStatus::deleting:
    case DiskStatus::absent:
      return Sign::took_effect;
    case DiskStatus::recycling:
      return stage == Stage::release ? Sign::took_effect : Sign::nothing;
    case DiskStatus::recycled:
      return stage == Stage::release ? Sign::took_effect : Sign::no_effect;
    case DiskStatus::available:
      // After a second stage: somebody has taken the disk out of the bin, before or after the call.
      return stage == Stage::release ? Sign::no_effect : Sign::nothing;
    case DiskStatus::in_use:
      return stage == Stage::release ? Sign::attached : Sign::nothing;
    case DiskStatus::creating:
    case DiskStatus::attaching:
    case DiskStatus::detaching:
    case DiskStatus::changing:
    case DiskStatus::snapshot_creating:
    case DiskStatus::rolling_back:
    case DiskStatus::failed:
    case DiskStatus::other:
      return Sign::nothing;
  }
  return Sign::nothing;
}

bool is_in_bin(DiskStatus status) {
  return status == DiskStatus::recycling || status == DiskStatus::recycled;
}

bool is_out_of_bin(DiskStatus status) {
  return sign_of(status, Stage::release) != Sign::took_effect;
}

}  // namespace

bool is_gone_for_good(std::optional<DiskStatus> earlier, DiskStatus latest) {
  if (latest == DiskStatus::deleting) return true;
  return latest == DiskStatus::absent &&
         (earlier == DiskStatus::absent || earlier == DiskStatus::deleting);
}

bool was_restored(const HalfWayFacts& facts) {
  return facts.last_read && facts.reached_bin && facts.last && is_out_of_bin(*facts.last) &&
         is_out_of_bin(facts.now) && facts.now_seen - facts.last_seen >= facts.poll;
}

Settlement settle(const SettlementFacts& facts) {
  const Sign sign = sign_of(facts.now, facts.stage);
  const bool seen_twice = facts.last && sign_of(*facts.last, facts.stage) == sign &&
                          facts.now_seen - facts.last_seen >= facts.poll;
  switch (sign) {
    case Sign::took_effect:
      if (!seen_twice) return StillUnknown{"seen_once"};
      if (facts.denied) {
        // Somebody else has put it into the bin. Purge wants more than that.
        if (facts.goal == Goal::purge && is_in_bin(facts.now)) return StillUnknown{"in_bin"};
        return Verdict{Settled::gone,
                       facts.now == DiskStatus::absent ? "absent_as_answered" : "left_before"};
      }
      if (facts.now == DiskStatus::absent && facts.stage == Stage::release && facts.bin_keeps) {
        return StillUnknown{"absent_not_in_bin"};
      }
      if (facts.before && sign_of(*facts.before, facts.stage) == Sign::no_effect) {
        return Verdict{Settled::executed, facts.now == DiskStatus::absent ? "absent" : "left"};
      }
      // Sent unseen: a disk in the bin is safe to leave there, but one that is absent may never
      // have existed.
      if (facts.now == DiskStatus::absent) return StillUnknown{"absent_never_seen"};
      return Verdict{Settled::gone, "left_unseen"};
    case Sign::attached:
      if (!seen_twice) return StillUnknown{"seen_once"};
      return Verdict{Settled::refused, "in_use"};
    case Sign::no_effect:
      if (!facts.last_read || !seen_twice || facts.changed) return StillUnknown{"as_before"};
      if (!facts.resend) return StillUnknown{"as_before"};
      return Verdict{Settled::not_executed, "as_before_throughout"};
    case Sign::nothing:
      return StillUnknown{"in_transition"};
  }
  return StillUnknown{"in_transition"};
}

}  // namespace diskrelease
