#include "run/release_watch.h"

#include <algorithm>
#include <utility>

namespace diskrelease {
namespace {

bool in_bin(DiskStatus status) {
  return status == DiskStatus::recycling || status == DiskStatus::recycled;
}

bool beyond_bin(DiskStatus status) {
  return status == DiskStatus::deleting || status == DiskStatus::absent;
}

std::string in_words(std::chrono::milliseconds time) {
  return format_duration(std::chrono::ceil<std::chrono::seconds>(time));
}

}  // namespace

void ReleaseWatch::accepted(AcceptedRelease release) {
  const std::lock_guard lock(mutex_);
  if (watched_.size() >= k_most_watched) return;
  const std::int64_t item = release.item.value;
  const UtcTime at = release.answered;
  watched_.try_emplace(item, Watched{std::move(release), at});
}

std::vector<AcceptedRelease> ReleaseWatch::take(std::size_t most, UtcTime now) {
  const std::lock_guard lock(mutex_);
  return take(most, now, &Watched::next_read);
}

std::optional<UtcTime> ReleaseWatch::last_look_due() const {
  const std::lock_guard lock(mutex_);
  UtcTime next = UtcTime::max();
  for (const auto& [item, watched] : watched_) next = std::min(next, watched.next_last_look);
  return next == UtcTime::max() ? std::nullopt : std::optional(next);
}

std::vector<AcceptedRelease> ReleaseWatch::take_for_last_look(std::size_t most, UtcTime now) {
  const std::lock_guard lock(mutex_);
  std::vector<AcceptedRelease> taken = take(most, now, &Watched::next_last_look);
  for (const AcceptedRelease& release : taken) {
    watched_.at(release.item.value).next_last_look = UtcTime::max();
  }
  return taken;
}

std::vector<AcceptedRelease> ReleaseWatch::take(std::size_t most, UtcTime now,
                                                UtcTime Watched::*due) {
  std::vector<AcceptedRelease> taken;
  for (auto& [item, watched] : watched_) {
    if (taken.size() == most) break;
    if (watched.out || watched.*due > now) continue;
    watched.out = true;
    taken.push_back(watched.release);
  }
  return taken;
}

void ReleaseWatch::give_back(const std::vector<AcceptedRelease>& releases) {
  const std::lock_guard lock(mutex_);
  for (const AcceptedRelease& release : releases) watched_.at(release.item.value).out = false;
}

bool ReleaseWatch::too_early(const Gone& gone) const {
  return has_bin_ && gone.age < std::max<std::chrono::milliseconds>(longest_in_bin_, k_bin_keeps);
}

void ReleaseWatch::raise(const Gone& gone, std::vector<ForeignRelease>& alarms) {
  if (!raised_.insert(gone.release.item.value).second) return;
  alarms.push_back({gone.release.item, gone.release.disk, true,
                    "was " + std::string(to_text(gone.status)) + " within " + in_words(gone.age) +
                        " of its release, though this account has a recycle bin"});
}

void ReleaseWatch::judge_gone(Gone gone, std::vector<ForeignRelease>& alarms) {
  if (too_early(gone)) {
    raise(gone, alarms);
  } else if (gone_.size() < k_most_gone) {
    gone_.push_back(std::move(gone));  // the bin may be seen later
  }
}

void ReleaseWatch::prove_bin(std::chrono::milliseconds kept, std::vector<ForeignRelease>& alarms) {
  has_bin_ = true;
  longest_in_bin_ = std::max(longest_in_bin_, kept);
  std::erase_if(gone_, [&](const Gone& gone) {
    if (!too_early(gone)) return false;
    raise(gone, alarms);
    return true;
  });
}

ReleaseWatch::Seen ReleaseWatch::saw(const AcceptedRelease& release, DiskStatus status,
                                     UtcTime sent, UtcTime answered, bool last_look) {
  const std::lock_guard lock(mutex_);
  // One that the reconciler has found in the database may not be watched; it is from now on, where
  // it has to be seen once more.
  auto found = watched_.find(release.item.value);
  if (found == watched_.end() && status == DiskStatus::absent && watched_.size() < k_most_watched) {
    found = watched_.try_emplace(release.item.value, Watched{release, {}}).first;
  }
  Watched own{release, {}};
  Watched& watched = found == watched_.end() ? own : found->second;
  watched.out = false;
  watched.next_read = answered + poll_;
  if (last_look) watched.next_last_look = UtcTime::max();

  Seen seen;
  seen.in_place = in_bin(status) || beyond_bin(status);
  bool done = false;
  if (in_bin(status)) {
    const std::chrono::milliseconds kept = sent - release.answered;
    if (release.was_available || status == DiskStatus::recycling) prove_bin(kept, seen.alarms);
    done = status == DiskStatus::recycled && kept >= k_watched_for;
    watched.next_read = std::max(watched.next_read, release.answered + k_watched_for);
  } else if (status == DiskStatus::absent && !watched.seen_absent) {
    // An answer may lack a disk that exists. Two do not, a poll apart.
    watched.seen_absent = sent;
    watched.next_last_look = watched.next_read;
  } else if (beyond_bin(status)) {
    judge_gone({release, answered - release.sent, status}, seen.alarms);
    done = true;
  }
  if (done && found != watched_.end()) watched_.erase(found);
  return seen;
}

std::vector<ForeignRelease> ReleaseWatch::settled(const AcceptedRelease& release, DiskStatus status,
                                                  UtcTime answered) {
  const std::lock_guard lock(mutex_);
  std::vector<ForeignRelease> alarms;
  if (release.was_available && in_bin(status)) prove_bin({}, alarms);
  if (beyond_bin(status)) judge_gone({release, answered - release.sent, status}, alarms);
  return alarms;
}

void ReleaseWatch::bin_is_known() {
  const std::lock_guard lock(mutex_);
  has_bin_ = true;
}

std::vector<ForeignRelease> ReleaseWatch::saw_unsent(ItemId item, const DiskId& disk,
                                                     DiskStatus status, bool was_available) {
  const std::lock_guard lock(mutex_);
  std::vector<ForeignRelease> alarms;
  // One that is RECYCLED may have been put there when the account still had a bin.
  if (status == DiskStatus::recycling) prove_bin({}, alarms);
  if (was_available && (in_bin(status) || beyond_bin(status)) &&
      raised_.insert(item.value).second) {
    alarms.push_back(
        {item, disk, false,
         "was AVAILABLE, and " + std::string(to_text(status)) + " before it was released here"});
  }
  return alarms;
}

}  // namespace diskrelease
