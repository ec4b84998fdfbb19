#include "record/audit_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "derived/derived_tables.h"
#include "evidence/chain.h"
#include "evidence/embedded_schema.h"
#include "evidence/kinds.h"
#include "evidence/schema_check.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "platform/file_access.h"
#include "platform/new_file.h"

namespace diskrelease {
namespace {

/// 16 MiB.
constexpr int k_checkpoint_pages = 4'000;

std::string where(const std::filesystem::path& path) { return "audit database " + shown(path); }

void require_file(const std::filesystem::path& path, FileUse use) {
  // Behind a link, where SQLite works.
  std::error_code error;
  std::filesystem::path file = std::filesystem::weakly_canonical(path, error);
  if (error) file = path;
  const std::array<std::filesystem::path, 3> files{file, file.string() + "-wal",
                                                   file.string() + "-shm"};
  if (const std::string others = files_of_others(files, use); !others.empty()) {
    throw AuditUnusable(where(path) + ": " + others);
  }
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    throw AuditUnusable(where(path) +
                        ": there is no such file. Check --db; `diskrelease run` creates a "
                        "database, the other commands only open one.");
  }
  if (!std::filesystem::is_regular_file(status)) {
    throw AuditUnusable(where(path) + ": is not a regular file");
  }
}

/// The version of an audit database; refuses what is not one or is newer than this program.
std::int64_t checked_version(Database& database, bool may_be_sealed) {
  const std::int64_t application = database.query_integer("PRAGMA application_id");
  if (application == k_archive_application_id && !may_be_sealed) {
    throw AuditUnusable(where(database.path()) +
                        ": is a sealed archive, to which nothing is ever added; it was not "
                        "touched. Name the database that it was taken from with --db.");
  }
  if (application != k_audit_application_id && application != k_archive_application_id) {
    throw AuditUnusable(where(database.path()) +
                        ": is an SQLite file of another program (application_id " +
                        std::to_string(application) + "); it was not touched. Check --db.");
  }
  const std::int64_t version = schema_version(database);
  if (version > current_schema_version()) {
    throw AuditUnusable(where(database.path()) + ": has version " + std::to_string(version) +
                        ", this diskrelease understands versions up to " +
                        std::to_string(current_schema_version()) +
                        "; it was not touched. Use the newer diskrelease.");
  }
  if (version == 1 &&
      database.query_integer("SELECT count(*) FROM sqlite_schema WHERE name = 'run'") == 1 &&
      database.query_integer(
          "SELECT count(*) FROM sqlite_schema WHERE name IN ('chain', 'archive')") != 2) {
    throw AuditUnusable(
        where(database.path()) +
        ": lacks a table (chain, archive): it was taken away, or the database was made before "
        "0.1.0 was finished; it was not touched. Keep it for reading with sqlite3.");
  }
  return version;
}

void apply_migrations(Database& database, std::int64_t from_version) {
  Transaction transaction(database);
  for (const Migration& migration : embedded_migrations()) {
    if (migration.version <= from_version) continue;
    database.execute(std::string(migration.sql));
    database.execute("PRAGMA user_version = " + std::to_string(migration.version));
  }
  database.execute("PRAGMA application_id = " + std::to_string(k_audit_application_id));
  // What was there before the first version.
  require_our_schema(database);
  make_derived_tables(database);
  transaction.commit();
}

void set_durable(Database& database) {
  Statement journal = database.prepare("PRAGMA journal_mode = WAL");
  if (!journal.step() || journal.text(0) != "wal") {
    throw AuditUnusable(where(database.path()) +
                        ": the file system does not support write-ahead logging (a network file "
                        "system?); put the database on a local disk");
  }
  journal.reset();
  database.execute("PRAGMA synchronous = FULL");
  if (database.query_integer("PRAGMA synchronous") != 2) {
    throw AuditUnusable(where(database.path()) + ": synchronous=FULL cannot be set");
  }
  database.execute("PRAGMA journal_size_limit = 67108864");
  database.checkpoint_after(k_checkpoint_pages);
}

void vacuum_into(Database& database, const std::string& copy) {
  Statement vacuum = database.prepare("VACUUM INTO ?1");
  vacuum.bind(1, copy).run();
}

/// Whether a copy has the blocks of the chain and as many rows of each kind as the original.
void require_whole_copy(Database& database, const std::filesystem::path& file) {
  Database copy(file, Database::Access::read_only);
  require_our_schema(copy);
  Statement check = copy.prepare("PRAGMA integrity_check(1)");
  std::string problem = check.step() && check.text(0) == "ok" ? "" : "it is damaged";
  if (read_chain_head(copy).hash != read_chain_head(database).hash) {
    problem = "its chain has another end";
  }
  for (const Kind& kind : k_kinds) {
    if (kind.since > schema_version(database)) continue;
    const std::string count = "SELECT count(*) FROM " + std::string(kind.table) + " NOT INDEXED";
    if (copy.query_integer(count) != database.query_integer(count)) {
      problem = "it has fewer rows of " + std::string(kind.table);
    }
  }
  if (problem.empty()) return;
  throw AuditUnusable("the copy " + shown(file) + " of " + where(database.path()) +
                      " is not whole: " + problem + ". Nothing was changed.");
}

void back_up(Database& database, std::int64_t version) {
  const std::string file = database.path() + ".v" + std::to_string(version) + ".bak";
  try {
    // One that an interrupted migration has left is as old as the database at most.
    NewFile backup(file, true);
    vacuum_into(database, backup.unfinished());
    require_whole_copy(database, backup.unfinished());
    backup.finish();
  } catch (const UsageError& error) {
    throw AuditUnusable(where(database.path()) + ": has the older version " +
                        std::to_string(version) +
                        ", and cannot be copied before it is migrated: " + error.what());
  }
}

}  // namespace

void create_audit_database(const std::filesystem::path& path,
                           const LockWaitListener& on_lock_wait) {
  std::error_code error;
  if (path.has_parent_path()) {
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) {
      throw AuditUnusable(where(path) + ": its folder cannot be created: " + error.message());
    }
  }
  // O_EXCL: of two processes that create at once, one is told so. The mode is set before any
  // content is written.
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    const std::string reason = std::strerror(errno);
    throw AuditUnusable(where(path) + ": cannot be created: " + reason);
  }
  ::close(descriptor);
  Database database(path, Database::Access::read_write, on_lock_wait);
  set_durable(database);
  apply_migrations(database, 0);
}

namespace {

Database open_and_migrate(const std::filesystem::path& path, const LockWaitListener& on_lock_wait) {
  Database database(path, Database::Access::read_write, on_lock_wait);
  // A creation that was cut off leaves an empty file; nothing can have been recorded in it.
  if (std::filesystem::file_size(path) == 0 ||
      (database.query_integer("PRAGMA application_id") == 0 &&
       database.query_integer("SELECT count(*) FROM sqlite_schema") == 0)) {
    set_durable(database);
    apply_migrations(database, 0);
    return database;
  }
  const std::int64_t version = checked_version(database, false);
  if (version > 0) require_our_schema(database);
  set_durable(database);
  if (version < current_schema_version()) {
    back_up(database, version);
    apply_migrations(database, version);
  }
  return database;
}

/// Nothing that a foreign file defines is run.
void require_audit_database(Database& database) {
  if (checked_version(database, false) > 0) require_our_schema(database);
}

}  // namespace

Database open_audit_for_writing(const std::filesystem::path& path, const DatabaseInspector& inspect,
                                const LockWaitListener& on_lock_wait) {
  require_file(path, FileUse::read_and_write);
  if (const std::uint64_t links = hard_links_of(path); links > 1) {
    throw AuditUnusable(describe_hard_links(path, links) + ". Nothing was sent or written.");
  }
  if (inspect) {
    // Not through the connection that writes: closed as the last one, it would move the write-ahead
    // log into a database that it may not belong to.
    Database reading(path, Database::Access::read_only, on_lock_wait);
    require_audit_database(reading);
    inspect(reading);
  }
  Database database = open_and_migrate(path, on_lock_wait);
  database.observe(std::make_unique<ChainWriter>());
  if (derived_tables_are_there(database)) {
    catch_up_derived_tables(database);
  } else {
    Transaction transaction(database);
    make_derived_tables(database);
    transaction.commit();
  }
  database.note_files();
  return database;
}

void require_audit_database(const std::filesystem::path& path,
                            const LockWaitListener& on_lock_wait) {
  require_file(path, FileUse::read);
  Database database(path, Database::Access::read_only, on_lock_wait);
  require_audit_database(database);
}

namespace {

/// The version of what is opened for reading.
std::int64_t version_for_reading(Database& database) {
  try {
    return checked_version(database, true);
  } catch (const AuditUnusable& error) {
    if (!is_on_read_only_medium(database.path()) || !has_write_ahead_log(database.path())) throw;
    throw AuditUnusable(std::string(error.what()) +
                        "\n  why:  the database is on a read-only file system, and its latest "
                        "records are in its write-ahead log (-wal), which cannot be opened there"
                        "\n  fix:  copy " +
                        database.path() + " and " + database.path() +
                        "-wal to a folder that can be written, and name the copy with --db");
  }
}

}  // namespace

Database open_for_verification(const std::filesystem::path& path) {
  require_file(path, FileUse::read);
  Database database(path, Database::Access::read_only);
  if (version_for_reading(database) < 1) {
    throw AuditUnusable(where(path) +
                        ": has no content yet; `diskrelease run` or `resume` makes its tables");
  }
  return database;
}

Database open_evidence_for_reading(const std::filesystem::path& path) {
  Database database = open_for_verification(path);
  require_our_schema(database);
  shadow_newer_schema(database);
  return database;
}

Database open_audit_for_reading(const std::filesystem::path& path) {
  Database database = open_evidence_for_reading(path);
  if (!derived_tables_are_there(database)) shadow_derived_tables(database);
  return database;
}

Database open_audit_beside_writer(const std::filesystem::path& path) {
  Database database = open_audit_for_reading(path);
  database.execute("PRAGMA cache_size = -256");
  return database;
}

void copy_database(Database& database, const std::filesystem::path& empty_file) {
  vacuum_into(database, std::filesystem::absolute(empty_file).string());
}

}  // namespace diskrelease
