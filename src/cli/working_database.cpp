#include "cli/working_database.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <utility>

#include "cli/audit_access.h"
#include "cli/invocation.h"
#include "custody/archive.h"
#include "evidence/anchor_check.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "model/visible_text.h"
#include "platform/clock.h"
#include "platform/file_access.h"
#include "platform/host.h"
#include "record/audit_file.h"
#include "record/database_register.h"

namespace diskrelease {
namespace {

/// Of a path and a line.
constexpr std::size_t k_longest_warning = 5'000;

constexpr const char* k_shared_folder = "/var/lib/diskrelease";

/// Of this user; and of all users of the machine, where an administrator has made such a folder.
std::vector<std::filesystem::path> register_folders() {
  std::vector<std::filesystem::path> folders;
  if (const auto state = state_directory()) folders.push_back(*state / "databases");
  if (::access(k_shared_folder, W_OK | X_OK) == 0) {
    folders.push_back(std::filesystem::path(k_shared_folder) / "databases");
  }
  return folders;
}

/// The file beside the database, and that which the options name.
std::vector<std::filesystem::path> anchor_files(const Options& options) {
  Options beside = options;
  beside.anchor_file.reset();
  std::vector<std::filesystem::path> files{anchor_path(beside)};
  if (options.anchor_file) files.emplace_back(*options.anchor_file);
  return files;
}

bool is_missing_or_empty(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return true;
  return std::filesystem::is_regular_file(path, error) &&
         std::filesystem::file_size(path, error) == 0 && !error;
}

/// What contradicts a database, as what a person has accepted. Throws AuditUnusable unless the
/// options say so.
std::optional<AcceptedRollback> require_none_or_accepted(
    const Options& options, const std::filesystem::path& path,
    const std::vector<std::filesystem::path>& anchor_files,
    const std::vector<Contradiction>& contradictions) {
  if (contradictions.empty()) return std::nullopt;
  const Contradiction& first = contradictions.front();
  const std::string found = describe(first, path);
  if (!options.accept_rollback) {
    throw AuditUnusable(
        found +
        "\n  fix:  put the newest copy of the database back, with its -wal file, and run the "
        "command again. If it is lost for good, `run`, `resume` and `settle` use what is "
        "there, and record it, with --accept-rollback --reason \"TEXT\"\nNothing was sent or "
        "written.");
  }
  say(options, "warning: " + found + "\n--accept-rollback: using what is there");
  AcceptedRollback accepted{{DecisionKind::approve, std::nullopt, "rollback_accepted",
                             *options.reason + "; " + positions(first)},
                            {}};
  for (const Contradiction& each : contradictions) {
    // What the register has is replaced with the next anchor.
    if (std::ranges::find(anchor_files, each.latest.file) != anchor_files.end()) {
      accepted.anchor_files.push_back(each.latest.file);
    }
  }
  return accepted;
}

std::shared_ptr<const DatabaseRegister> register_for(const std::filesystem::path& path) {
  return std::make_shared<const DatabaseRegister>(one_name_of(path), register_folders());
}

std::shared_ptr<AnchorWriter> open_anchors(
    const Options& options, std::shared_ptr<const DatabaseRegister> database_register) {
  AnchorPlaces places;
  if (options.anchor_key) {
    places.key = std::make_shared<const SigningKey>(SigningKey::read(*options.anchor_key));
  }
  places.file = anchor_path(options);
  places.log_socket = options.anchor_syslog;
  if (database_register) {
    // That it cannot be written keeps nobody from working.
    places.on_append = [known = std::move(database_register)](const Anchor& anchor) {
      static_cast<void>(known->enter(anchor));
    };
  }
  return std::make_shared<AnchorWriter>(std::move(places));
}

/// Takes the lock on the name.
FileLock lock_name(const std::filesystem::path& path, std::string_view command) {
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

/// Takes the lock on the file itself.
FileLock lock_file(const Options& options, const std::filesystem::path& path) {
  std::optional<FileLock> lock = FileLock::try_acquire_itself(path);
  if (!lock) {
    const auto holder = FileLock::holder_of(path);
    throw LockHeld("audit database " + shown(path) + ": " +
                   (holder ? "pid " + std::to_string(*holder) : std::string("another process")) +
                   " works on it, through another name of the file, or its lock file was removed. "
                   "Nothing was sent; wait for that process to end.");
  }
  if (!lock->is_held()) {
    say(options,
        "note: the file system does not lock the database file itself: use it through one name "
        "only, and leave its .lock file where it is");
  }
  return std::move(*lock);
}

}  // namespace

WorkingDatabase open_to_work(const Options& options, std::string_view command,
                             MayCreate may_create) {
  const std::filesystem::path path = database_path(options);
  const std::vector<std::filesystem::path> files = anchor_files(options);
  std::optional<AcceptedRollback> rollback;
  const auto require_no_lost_database = [&] {
    if (!is_missing_or_empty(path)) return;
    rollback = require_none_or_accepted(
        options, path, files, contradictions(nullptr, read_latest_anchors(files).anchors));
  };
  if (may_create == MayCreate::no) {
    // Before the lock: a mistyped path gets its own message, and no lock file.
    require_no_lost_database();
    require_audit_database(path, lock_wait_note(options));
  }
  std::vector<FileLock> locks;
  locks.push_back(lock_name(path, command));
  require_no_lost_database();
  const auto database_register = register_for(path);
  std::error_code error;
  const bool is_there = std::filesystem::exists(path, error);
  if (is_there) locks.push_back(lock_file(options, path));
  const auto inspect = [&](Database& database) {
    database_register->require_the_only_name();
    LatestAnchors latest = read_latest_anchors(files);
    for (const std::string& warning : latest.warnings)
      say(options, visible(warning, k_longest_warning));
    const ChainHead head = head_of_chain(&database);
    for (const DatabaseRegister::Entry& entry : database_register->find(head.chain)) {
      const auto moved = database_register->require_the_only_one(entry);
      if (moved) say(options, *moved);
      latest.anchors.push_back({entry.file, entry.latest});
    }
    if (rollback) return;  // of a database that was missing
    rollback =
        require_none_or_accepted(options, path, files, contradictions(&database, latest.anchors));
    if (head.block == 0 || rollback) return;
    const std::string problem = database_register->enter({head, SystemClock().utc_now()});
    if (!problem.empty()) {
      say(options,
          "note: the database cannot be registered, so a copy of it would not be "
          "recognised: " +
              problem);
    }
  };
  // What cannot be anchored is not made.
  std::shared_ptr<AnchorWriter> anchors = open_anchors(options, database_register);
  if (!is_there) {
    create_audit_database(path, lock_wait_note(options));
    locks.push_back(lock_file(options, path));
  }
  Database database = open_audit_for_writing(path, inspect, lock_wait_note(options));
  if (options.accept_rollback && !rollback) {
    throw GateRefused("--accept-rollback: the audit database " + shown(path) +
                      " is the one that its anchors name, there is nothing to accept. Nothing was "
                      "sent. Leave the flag out, so that it does not accept the next rollback "
                      "unseen.");
  }
  return {std::move(locks), std::move(anchors), std::move(rollback), std::move(database)};
}

void warn_of_displacement(const Options& options, Database& database) {
  if (options.quiet || sealed_archive(database) != 0) return;
  const std::filesystem::path path = database.path();
  if (const std::uint64_t links = hard_links_of(path); links > 1) {
    std::cerr << "warning: " << describe_hard_links(path, links) << ".\n";
  }
  Options beside = options;
  beside.database = path.string();
  LatestAnchors latest;
  try {
    // Before the chain: who writes appends an anchor after the commit.
    latest = read_latest_anchors(anchor_files(beside));
  } catch (const AuditUnusable&) {
    return;  // who reads need not be who writes
  }
  for (const Contradiction& each : contradictions(&database, latest.anchors)) {
    std::cerr << "warning: " << describe(each, path)
              << "\n  fix:  put the newest copy of the database back, with its -wal file. What "
                 "follows is what this one says\n";
  }
}

}  // namespace diskrelease
