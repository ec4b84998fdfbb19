#pragma once

#include <iosfwd>
#include <string>

#include "platform/time_zone.h"
#include "queries/disk_history.h"
#include "report/summary.h"

namespace diskrelease {

/// Writes what is on record about a disk for people: a line for each event, then where the disk
/// stands in each run, then all request ids. Text from outside is made visible.
void print_disk_story(std::ostream& out, const std::string& disk, const DiskHistory& history,
                      const ExplainCode& explain, const TimeZone& zone);

}  // namespace diskrelease
