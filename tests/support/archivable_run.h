#pragma once

#include <filesystem>
#include <string>

#include "custody/archive.h"
#include "model/run_record.h"

namespace diskrelease {

/// Adds a run to an audit database in which everything is decided, with every kind of row. Its
/// disks, behind `prefix`: accepted (named twice), executed, gone, refused, already_gone, rejected,
/// skipped. Time stands still at `at`.
RunRecord add_finished_run(const std::filesystem::path& database, const std::string& prefix,
                           UtcTime at);

/// What runs are archived with, into `file`.
[[nodiscard]] ArchiveDescription archive_description(const std::filesystem::path& file,
                                                     UtcTime before);

/// Archives all that can be moved, and fails the test unless the archive is as it should be before
/// it is put in place.
ArchiveRecord archive_all(const std::filesystem::path& database, const std::filesystem::path& file,
                          UtcTime before);

}  // namespace diskrelease
