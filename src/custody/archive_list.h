#pragma once

#include <string>
#include <vector>

#include "custody/archive.h"

namespace diskrelease {

/// A JSON array of objects.
[[nodiscard]] std::string archives_json(const std::vector<ArchiveRecord>& archives);

/// "2 runs, 60 disks, by root@host on 2026-11-26T04:50:45.366Z"
[[nodiscard]] std::string describe(const ArchiveRecord& archive);

}  // namespace diskrelease
