#include "run/plausibility.h"

namespace diskrelease {

bool needs_control(std::span<const ReadSubject> subjects, std::span<const Sighting> sightings) {
  std::size_t expected = 0;
  std::size_t missing = 0;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    if (!subjects[i].seen || subjects[i].destroyed) continue;
    ++expected;
    if (sightings[i].status == DiskStatus::absent) ++missing;
  }
  if (missing == 0) return false;
  return missing == expected || (missing >= k_fewest_implausible && 2 * missing > expected);
}

bool counts(const ReadSubject& subject, const Sighting& sighting, UtcTime sent,
            std::chrono::milliseconds poll) {
  if (sighting.status != DiskStatus::absent) return true;
  if (subject.called && !subject.seen) return false;
  return !subject.absent_since || sent - *subject.absent_since >= poll;
}

}  // namespace diskrelease
