#include "cli/audit_access.h"

#include <array>
#include <charconv>
#include <iostream>

#include "audit/archive.h"
#include "audit/audit_file.h"
#include "audit/joined_evidence.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "model/visible_text.h"
#include "platform/file_access.h"
#include "platform/host.h"

namespace diskrelease {

namespace {

/// A hundred years: the record is younger.
constexpr std::int64_t k_most_days_ago = 36'525;

/// Two names of one file (links, relative paths) must lead to one lock and one anchor file.
std::filesystem::path one_name_of(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path found = std::filesystem::weakly_canonical(path, error);
  return error ? std::filesystem::absolute(path) : found;
}

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

std::filesystem::path anchor_path(const Options& options) {
  if (options.anchor_file) return *options.anchor_file;
  return one_name_of(database_path(options)) += ".anchors";
}

std::shared_ptr<AnchorWriter> open_anchors(const Options& options) {
  AnchorPlaces places;
  if (options.anchor_key) {
    places.key = std::make_shared<const SigningKey>(SigningKey::read(*options.anchor_key));
  }
  places.file = anchor_path(options);
  places.log_socket = options.anchor_syslog;
  return std::make_shared<AnchorWriter>(std::move(places));
}

FileLock lock_database(const std::filesystem::path& path, std::string_view command) {
  std::filesystem::path lock_path = one_name_of(path);
  std::error_code error;
  if (lock_path.has_parent_path()) {
    std::filesystem::create_directories(lock_path.parent_path(), error);
    if (error) {
      throw AuditUnusable("audit database " + shown(path) +
                          ": its folder cannot be created: " + error.message());
    }
  }
  // All of them at once, so that one command puts right what a run as root has left.
  const std::filesystem::path name = lock_path;
  lock_path += ".lock";
  const std::array<std::filesystem::path, 5> files{
      name, name.string() + "-wal", name.string() + "-shm", lock_path, name.string() + ".anchors"};
  if (const std::string others = files_of_others(files, FileUse::read_and_write); !others.empty()) {
    throw AuditUnusable("audit database " + shown(path) + ": " + others + "\nNothing was sent.");
  }
  const ProcessIdentity me = process_identity();
  std::optional<FileLock> lock = FileLock::try_acquire(
      lock_path, "pid " + std::to_string(me.pid) + " (diskrelease " + std::string(command) +
                     ", user " + me.user + ", host " + me.host + ")");
  if (!lock) {
    throw LockHeld("audit database " + shown(path) + ": " +
                   visible(FileLock::read_holder(lock_path)) +
                   " works on it. Nothing was sent; wait for it to end, or use another database "
                   "for other disks.");
  }
  return std::move(*lock);
}

LockWaitListener lock_wait_note(const Options& options) {
  if (options.quiet) return {};
  return [](const std::string& text) { std::cerr << "note: " + text + '\n'; };
}

Database open_evidence(const Options& options) {
  std::vector<std::filesystem::path> more(options.more_databases.begin(),
                                          options.more_databases.end());
  return open_joined_evidence(database_path(options), more);
}

Database open_for_reading(const Options& options) {
  return open_audit_for_reading(database_path(options));
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
