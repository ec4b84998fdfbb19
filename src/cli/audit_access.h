#pragma once

#include <filesystem>
#include <optional>

#include "cli/options.h"
#include "model/run_record.h"
#include "platform/time_zone.h"
#include "store/database.h"

namespace diskrelease {

/// --db, else audit.db (for the sandbox sandbox.db) below the state directory.
[[nodiscard]] std::filesystem::path database_path(const Options& options);

/// --anchor-file, else the file beside the database.
[[nodiscard]] std::filesystem::path anchor_path(const Options& options);

/// A path without links and relative parts: several names of one file lead to one lock and one
/// anchor file.
[[nodiscard]] std::filesystem::path one_name_of(const std::filesystem::path& path);

/// Says on standard error, unless -q, that a lock of somebody else is waited for.
[[nodiscard]] LockWaitListener lock_wait_note(const Options& options);

/// Without derived tables where they are missing; several databases as one. Both warn of a database
/// that is not the one that its anchors name.
[[nodiscard]] Database open_evidence(const Options& options);
[[nodiscard]] Database open_for_reading(const Options& options);

/// Says which archives on record are not among the databases that are read, for a command that
/// would draw conclusions from what it does not find.
void tell_of_archives(const Options& options, Database& database);

/// Throws UsageError for a run that is in an archive, which it names.
void refuse_archived(Database& database, RunId run);

/// The run that a command line names as its n-th word, or nullopt if there is none. Throws
/// UsageError for what is no number or no run.
[[nodiscard]] std::optional<RunRecord> named_run(Database& database, const Options& options);

/// --time-zone, else UTC. Throws UsageError.
[[nodiscard]] TimeZone time_zone(const Options& options);

/// The time that a flag names: an absolute one, which is of `zone` unless it says otherwise, or a
/// duration before `now` (90m, 12h, 7d). Throws UsageError, naming the flag.
[[nodiscard]] std::optional<UtcTime> resolve_time(const char* flag,
                                                  const std::optional<std::string>& text,
                                                  const TimeZone& zone, UtcTime now);

/// " --db PATH" where the database is not the default one, for commands that messages suggest.
[[nodiscard]] std::string database_flag(const Options& options);

}  // namespace diskrelease
