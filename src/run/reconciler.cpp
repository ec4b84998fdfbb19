#include "run/reconciler.h"

#include <algorithm>
#include <utility>

#include "run/foreign_release.h"
#include "run/settlement.h"

namespace diskrelease {
namespace {

ItemState state_after(Settled settled, const OpenMatter& matter, Goal goal, DiskStatus seen) {
  switch (settled) {
    case Settled::executed: {
      const bool half_way = goal == Goal::purge && matter.stage == Stage::release &&
                            !is_gone_for_good(matter.last, seen);
      return half_way ? ItemState::pending : ItemState::released;
    }
    case Settled::gone:
      return ItemState::already_gone;
    case Settled::refused:
      return ItemState::rejected;
    case Settled::not_executed:
      return ItemState::pending;
  }
  return ItemState::unknown;
}

/// The state of an item of goal purge whose first release was accepted, as its latest two sightings
/// since then have it.
ItemState state_half_way(std::optional<DiskStatus> earlier, DiskStatus seen) {
  return is_gone_for_good(earlier, seen) ? ItemState::released : ItemState::pending;
}

/// A fault of the server may carry any code, and the call may have been executed all the same.
bool was_denied(const OpenMatter& matter) {
  return matter.http_status >= 400 && matter.http_status <= 499 && says_not_found(matter.api_code);
}

/// What a read of the matter's disk is held against.
ReadSubject subject_of(const OpenMatter& matter) {
  const bool destroyed =
      matter.last == DiskStatus::deleting || (!matter.unknown && matter.stage == Stage::destroy);
  std::optional<UtcTime> absent_since;
  if (matter.last == DiskStatus::absent) absent_since = matter.last_seen;
  return {.item = matter.item,
          .disk = matter.disk,
          .seen = matter.seen_before,
          .called = true,
          .destroyed = destroyed,
          .absent_since = absent_since};
}

}  // namespace

Reconciler::Reconciler(const RunParts& parts, Database database, const RunRecord& run,
                       std::uint64_t seed)
    : parts_(parts),
      database_(std::move(database)),
      run_(run),
      reader_(parts, parts.reading_lane(), seed) {}

Due Reconciler::step() {
  const SteadyTime now = parts_.clock.steady_now();
  if (!window_ends_) window_ends_ = now + parts_.spec.settle.window;
  if (reader_.under_way()) {
    if (const auto due = reader_.step()) return SleepUntil{*due};
    use(reader_.take());
    if (!problem_.empty()) return Finished{};
    return SleepUntil{now};
  }
  if (!parts_.may_go_on()) return Finished{};
  if (rounds_over_) return last_look();
  if (!in_round_) {
    in_round_ = true;
    found_any_ = false;
    last_page_ = false;
    round_began_ = now;
    last_round_ = now >= *window_ends_;
    cursor_ = {};
    // The decisions of this round rest on what the rounds before have put on record.
    parts_.log.flush();
  }
  return next_page();
}

Due Reconciler::next_page() {
  if (last_page_) return end_round();
  page_ = read_open_matters(database_, run_, cursor_, parts_.spec.verify,
                            static_cast<std::int64_t>(k_max_described_disks));
  last_page_ = page_.size() < k_max_described_disks;
  if (page_.empty()) return end_round();
  found_any_ = true;
  cursor_ = page_.back().item;
  const bool any_unknown = std::ranges::any_of(page_, &OpenMatter::unknown);
  DiskReader::Batch disks;
  for (const OpenMatter& matter : page_) disks.push_back(subject_of(matter));
  reader_.begin(any_unknown ? ReadPurpose::settle : ReadPurpose::verify, std::move(disks));
  return SleepUntil{parts_.clock.steady_now()};
}

Due Reconciler::end_round() {
  in_round_ = false;
  if (!found_any_ || last_round_) return last_look();
  parts_.log.flush();
  if (read_open_matters(database_, run_, {}, parts_.spec.verify, 1).empty()) return last_look();
  const SteadyTime now = parts_.clock.steady_now();
  // A long round is followed by as long a pause: reading back never takes more than half the rate.
  const auto pause =
      std::max<std::chrono::nanoseconds>(parts_.spec.settle.poll, now - round_began_);
  // The last round comes one poll after the window, at the latest one pause after it.
  return SleepUntil{now + pause};
}

Due Reconciler::last_look() {
  rounds_over_ = true;
  page_.clear();
  ReleaseWatch& watch = parts_.dispatch.watch();
  const std::optional<UtcTime> due = watch.last_look_due();
  if (!due || !parts_.spec.verify) return Finished{};
  const UtcTime now = parts_.clock.utc_now();
  if (*due > now) return SleepUntil{parts_.clock.steady_now() + (*due - now)};
  looked_at_ = watch.take_for_last_look(k_max_described_disks, now);
  DiskReader::Batch disks;
  for (const AcceptedRelease& release : looked_at_) {
    disks.push_back(accepted_subject(release, parts_.spec));
  }
  reader_.begin(ReadPurpose::verify, std::move(disks));
  return SleepUntil{parts_.clock.steady_now()};
}

void Reconciler::use(const DiskReader::Result& result) {
  const DescribeReading& reading = result.reading;
  if (reading.kind == DescribeReading::Kind::complete) {
    for (std::size_t i = 0; i < looked_at_.size(); ++i) {
      if (result.counts[i]) {
        use_accepted(parts_, looked_at_[i], reading.sightings[i], result, true);
      } else {
        parts_.dispatch.watch().give_back({looked_at_[i]});
      }
    }
    looked_at_.clear();
    // Of the same answer, what was released: others may be there since the account had a bin.
    bool shows_bin = false;
    for (std::size_t i = 0; i < page_.size(); ++i) {
      shows_bin = shows_bin || (page_[i].stage == Stage::release &&
                                reading.sightings[i].status == DiskStatus::recycled);
    }
    for (std::size_t i = 0; i < page_.size(); ++i) {
      page_[i].bin_keeps = page_[i].bin_keeps || shows_bin;
      if (result.counts[i]) use(page_[i], reading.sightings[i], result);
    }
    return;
  }
  if (!looked_at_.empty() && problem_.empty()) {
    problem_ = "released disks could not be looked at once more: " + reading.message;
  }
  parts_.dispatch.watch().give_back(std::exchange(looked_at_, {}));
  // A page that could not be read is read again in the next round. What every read would meet ends
  // reading; nothing is lost, the disks stay as they are on record.
  if (reading.stop) {
    problem_ =
        "DescribeDisks: " + std::string(to_text(*reading.stop)) + ": " +
        (reading.api_code.empty() ? reading.message : reading.api_code + ": " + reading.message);
  }
}

void Reconciler::use(const OpenMatter& matter, const Sighting& sighting,
                     const DiskReader::Result& read) {
  const UtcTime seen = read.sent_utc;
  if (!matter.unknown) {
    if (parts_.spec.goal == Goal::purge) {
      if (matter.stage == Stage::release) use_half_way(matter, sighting, seen);
    } else if (matter.accepted) {
      use_accepted(parts_,
                   {matter.item, matter.disk, matter.sent, *matter.accepted,
                    matter.before == DiskStatus::available},
                   sighting, read, true);
    }
    return;
  }
  const bool tries_are_left = matter.unknown_attempts < parts_.spec.retry.max_attempts;
  const Settlement settlement = settle({.goal = parts_.spec.goal,
                                        .stage = matter.stage,
                                        .denied = was_denied(matter),
                                        .bin_keeps = matter.bin_keeps,
                                        .before = matter.before,
                                        .last = matter.last,
                                        .last_seen = matter.last_seen,
                                        .now = sighting.status,
                                        .now_seen = seen,
                                        .changed = matter.changed,
                                        .poll = parts_.spec.settle.poll,
                                        .last_read = last_round_,
                                        .resend = parts_.spec.settle.resend && tries_are_left});
  const auto* verdict = std::get_if<Verdict>(&settlement);
  if (verdict == nullptr) return;
  parts_.log.record_verdict({matter.attempt, matter.item, verdict->settled,
                             std::string(verdict->reason), sighting.status_text},
                            parts_.clock.utc_now());
  if (parts_.spec.goal == Goal::release && verdict->settled == Settled::executed) {
    raise(parts_,
          parts_.dispatch.watch().settled({matter.item, matter.disk, matter.sent, read.sent_utc,
                                           matter.before == DiskStatus::available},
                                          sighting.status, read.answered_utc));
  }
  parts_.dispatch.move_state(
      ItemState::unknown, state_after(verdict->settled, matter, parts_.spec.goal, sighting.status));
}

void Reconciler::use_half_way(const OpenMatter& matter, const Sighting& sighting, UtcTime seen) {
  const ItemState before = matter.released ? ItemState::released : ItemState::pending;
  // The observation itself may settle the item.
  ItemState after = state_half_way(matter.last, sighting.status);
  if (was_restored({.reached_bin = matter.reached_bin,
                    .last = matter.last,
                    .last_seen = matter.last_seen,
                    .now = sighting.status,
                    .now_seen = seen,
                    .poll = parts_.spec.settle.poll,
                    .last_read = last_round_})) {
    after = ItemState::rejected;
    parts_.log.record_decision(
        {DecisionKind::reject, matter.item, "restored", std::string(sighting.status_text), true},
        parts_.clock.utc_now());
  }
  if (before != after) parts_.dispatch.move_state(before, after);
}

}  // namespace diskrelease
