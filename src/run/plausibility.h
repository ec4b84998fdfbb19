#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "model/disk_id.h"
#include "model/ids.h"
#include "model/observation.h"
#include "model/time.h"

namespace diskrelease {

/// A disk that is read, and what an absence of it would mean.
struct ReadSubject {
  ItemId item;
  DiskId disk;
  /// The credential that reads has shown it before; else it may be in another account.
  bool seen = false;
  /// A call of ours was accepted for it, or may have been: its absence would count as a success.
  bool called = false;
  /// Its absence is what is expected: a call that destroys it was accepted, or it was seen
  /// DELETING.
  bool destroyed = false;
  /// When it was read the last time, where that showed it absent.
  std::optional<UtcTime> absent_since;
};

/// Pure. Whether a complete answer leaves out so much that its absences prove nothing by
/// themselves: every disk that was expected to be there, or more than half of them and at least 3.
/// An empty answer may be that of another account, of an index that is being rebuilt, or of a
/// database that has lost its rows. `sightings` are those of `subjects`, in that order.
[[nodiscard]] bool needs_control(std::span<const ReadSubject> subjects,
                                 std::span<const Sighting> sightings);

/// Pure. Whether one sighting says something: anything but an absence does. An absence does not
/// where a call may have been executed and this credential has never seen the disk, nor less than a
/// poll after the previous one: an answer may show the past, and must not be counted twice.
[[nodiscard]] bool counts(const ReadSubject& subject, const Sighting& sighting, UtcTime sent,
                          std::chrono::milliseconds poll);

inline constexpr std::size_t k_fewest_implausible = 3;

}  // namespace diskrelease
