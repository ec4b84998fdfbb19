#include "run/foreign_release.h"

#include <string>

namespace diskrelease {

ReadSubject accepted_subject(const AcceptedRelease& release, const JobSpec& spec) {
  return {.item = release.item,
          .disk = release.disk,
          .seen = spec.preflight,
          .called = true,
          .destroyed = false,
          .absent_since = std::nullopt};
}

void use_accepted(const RunParts& parts, const AcceptedRelease& release, const Sighting& sighting,
                  const DiskReader::Result& read, bool last_look) {
  const ReleaseWatch::Seen seen = parts.dispatch.watch().saw(
      release, sighting.status, read.sent_utc, read.answered_utc, last_look);
  if (seen.in_place) parts.dispatch.seen_in_place();
  raise(parts, seen.alarms);
}

void raise(const RunParts& parts, const std::vector<ForeignRelease>& alarms) {
  if (alarms.empty()) return;
  std::string detail = "somebody else releases disks of this account: ";
  for (const ForeignRelease& alarm : alarms) {
    if (&alarm != &alarms.front()) detail += "; ";
    detail += "disk " + alarm.disk.text() + " " + alarm.text;
    parts.log.record_decision(
        {DecisionKind::stop, alarm.item,
         std::string(alarm.destroyed ? k_destroyed_reason : k_foreign_release_reason), alarm.text,
         true},
        parts.clock.utc_now());
  }
  parts.dispatch.stop({EndReason::stopped, std::string(k_foreign_release_reason), detail});
}

}  // namespace diskrelease
