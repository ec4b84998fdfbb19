#pragma once

#include <vector>

#include "run/disk_reader.h"
#include "run/release_watch.h"
#include "run/run_parts.h"

namespace diskrelease {

/// What a read of such a disk is held against. This invocation has seen it before it was sent,
/// unless it sends unseen.
[[nodiscard]] ReadSubject accepted_subject(const AcceptedRelease& release, const JobSpec& spec);

/// What a complete read has shown of a disk whose release was accepted; raises what it gives away
/// of others. `last_look`: sending is over.
void use_accepted(const RunParts& parts, const AcceptedRelease& release, const Sighting& sighting,
                  const DiskReader::Result& read, bool last_look);

/// Somebody else releases disks of the account: puts each disk on record and stops the run. Nothing
/// happens without alarms.
void raise(const RunParts& parts, const std::vector<ForeignRelease>& alarms);

}  // namespace diskrelease
