#include "cli/audit_access.h"

#include <array>
#include <charconv>
#include <iostream>

#include "cli/working_database.h"
#include "custody/archive.h"
#include "custody/joined_evidence.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "model/visible_text.h"
#include "platform/file_access.h"
#include "platform/host.h"
#include "queries/find_run.h"
#include "record/audit_file.h"

namespace diskrelease {

namespace {

/// A hundred years: the record is younger.
constexpr std::int64_t k_most_days_ago = 36'525;

}  // namespace

std::filesystem::path database_path(const Options& options) {
  if (options.database) return *options.database;
  const auto state = state_directory();
  if (!state) {
    throw UsageError(
        "neither XDG_STATE_HOME nor a home directory is known, so there is no default place for "
        "the audit database; name it with --db PATH");
  }
  return *state / (options.sandbox ? "sandbox.db" : "audit.db");
}

std::filesystem::path one_name_of(const std::filesystem::path& path) {
  std::error_code error;
  // A relative path of which nothing is there yet would stay relative.
  const std::filesystem::path whole = std::filesystem::absolute(path, error);
  if (error) {
    throw AuditUnusable("audit database " + shown(path) +
                        ": a relative path, and the working directory is gone: " + error.message());
  }
  std::filesystem::path found = std::filesystem::weakly_canonical(whole, error);
  return error ? whole : found;
}

std::filesystem::path anchor_path(const Options& options) {
  if (options.anchor_file) return *options.anchor_file;
  return one_name_of(database_path(options)) += ".anchors";
}

LockWaitListener lock_wait_note(const Options& options) {
  if (options.quiet) return {};
  return [](const std::string& text) { std::cerr << "note: " + text + '\n'; };
}

Database open_evidence(const Options& options) {
  std::vector<std::filesystem::path> more(options.more_databases.begin(),
                                          options.more_databases.end());
  Database database = open_joined_evidence(database_path(options), more);
  warn_of_displacement(options, database);
  return database;
}

Database open_for_reading(const Options& options) {
  Database database = open_audit_for_reading(database_path(options));
  warn_of_displacement(options, database);
  return database;
}

void tell_of_archives(const Options& options, Database& database) {
  if (options.quiet) return;
  for (const ArchiveRecord& archive : archives_elsewhere(database)) {
    std::cerr << "diskrelease: what is in archive " << archive.id
              << " is not looked at; to have it read as well: --db " << visible(archive.file)
              << '\n';
  }
}

void refuse_archived(Database& database, RunId run) {
  if (find_run(database, run)) return;
  const std::optional<ArchiveRecord> archive = archive_of(database, run);
  if (!archive) return;
  throw UsageError("run " + std::to_string(run.value) + " was moved to " + visible(archive->file) +
                   " on " + format_utc(archive->created) + "; name that file with --db");
}

std::optional<RunRecord> named_run(Database& database, const Options& options) {
  if (options.words.size() < 2) return std::nullopt;
  if (options.words.size() > 2) {
    throw UsageError("one RUN is expected, not also \"" + visible(options.words[2]) + "\"");
  }
  const std::string& text = options.words[1];
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::optional<RunRecord> run;
  if (error == std::errc() && end == text.data() + text.size()) {
    run = find_run(database, RunId{number});
  }
  if (!run) {
    if (error == std::errc()) refuse_archived(database, RunId{number});
    throw UsageError("there is no run \"" + visible(text) + "\" in " + shown(database.path()) +
                     "; `diskrelease status --all" + database_flag(options) + "` lists them");
  }
  return run;
}

TimeZone time_zone(const Options& options) {
  if (!options.time_zone) return {};
  const std::optional<TimeZone> zone = TimeZone::find(*options.time_zone);
  if (!zone) {
    throw UsageError("--time-zone: there is no time zone \"" + visible(*options.time_zone) +
                     "\" on this machine; write UTC, local, an offset such as +02:00, or a name "
                     "such as Europe/Berlin (package tzdata)");
  }
  return *zone;
}

std::optional<UtcTime> resolve_time(const char* flag, const std::optional<std::string>& text,
                                    const TimeZone& zone, UtcTime now) {
  if (!text) return std::nullopt;
  if (const auto ago = parse_duration(*text)) return now - *ago;
  std::int64_t days = 0;
  const char* const end = text->data() + text->size();
  const auto [stopped, error] = std::from_chars(text->data(), end, days);
  if (error == std::errc() && stopped + 1 == end && *stopped == 'd' && days >= 0 &&
      days <= k_most_days_ago) {
    return now - std::chrono::days(days);
  }
  if (const auto time = zone.parse(*text)) return time;
  throw UsageError(std::string(flag) + ": \"" + visible(*text) +
                   "\" is not a time; write 2026-11-24, 2026-11-24T03:00, 2026-11-24T03:00:00Z, or "
                   "how long ago: 90m, 12h, 7d");
}

std::string database_flag(const Options& options) {
  if (!options.database && !options.sandbox) return {};
  return " --db " + shell_word(database_path(options));
}

}  // namespace diskrelease
