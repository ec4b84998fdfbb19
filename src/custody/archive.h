#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/run_record.h"
#include "model/time.h"
#include "store/database.h"

namespace diskrelease {

/// Moving finished runs out of an audit database, each as a whole, into a sealed one: a database
/// with the same chain, up to a last block that says what was moved, and with the rows of these
/// runs only. The database that they leave keeps a memory of what they have released.
/// docs/audit-database.md, "Archives", describes both.

/// Which runs can be moved.
struct ArchivePlan {
  std::vector<RunRecord> runs;
  std::int64_t items = 0;

  /// A run that is old enough and stays.
  struct Kept {
    RunRecord run;
    std::string reason;  ///< for people
  };
  std::vector<Kept> kept;
};

/// Runs whose last activity was before `before` and in which nothing is pending, unknown or under
/// way. Those with the newest row of any table stay, so that no id is ever given out again.
///
/// States are counted from the evidence, not from the derived tables.
[[nodiscard]] ArchivePlan plan_archive(Database& database, UtcTime before);

/// Who archives, and where to; all of it goes on record.
struct ArchiveDescription {
  std::filesystem::path file;  ///< its name once it is in place
  UtcTime before;
  std::string user;
  std::string host;
  std::string tool_version;
};

/// An archive, as it is on record.
struct ArchiveRecord {
  std::int64_t id = 0;
  std::string file;
  std::int64_t runs = 0;
  std::int64_t items = 0;
  std::int64_t block = 0;  ///< its last block
  std::string hash;        ///< hex of that block's: what the head of its file must be
  std::int64_t emptied_blocks = 0;
  std::string emptied_sha256;
  std::string user;
  std::string host;
  UtcTime before;
  UtcTime created;
};

/// Rows of archived_release, of an archive whose rows are here, that its attempts do not tell or
/// that tell less than they.
[[nodiscard]] std::int64_t count_other_releases(Database& database, std::int64_t archive);

/// The archives on record whose runs are in none of the databases that `database` reads: a sealed
/// file has its own, a joined one those that it was joined with.
[[nodiscard]] std::vector<ArchiveRecord> archives_elsewhere(Database& database);

/// Whether a file says to be a sealed archive. Reads none of its tables.
[[nodiscard]] bool says_to_be_sealed(Database& database);

/// The archive of which this database is the sealed file; 0 for one that is none.
[[nodiscard]] std::int64_t sealed_archive(Database& database);

/// In their order. Of a sealed file the last one is its own.
[[nodiscard]] std::vector<ArchiveRecord> read_archives(Database& database);

/// The archive that a run was moved to.
[[nodiscard]] std::optional<ArchiveRecord> archive_of(Database& database, RunId run);

/// Moves the runs of a plan, in one transaction: `empty_file` is made the sealed archive, then
/// `put_in_place` has to check it, make it durable and give it its name; when it returns, the rows
/// leave the database, durably on return. Whatever is thrown before that leaves the database as it
/// was; so does a crash. Where something is thrown after it the archive is in place, and the
/// database has the runs unless its record has the archive.
///
/// Precondition: the caller holds the database's lock, and the plan was made under it. Takes a pass
/// over the database, and makes the derived tables of both anew. Throws AuditUnusable.
[[nodiscard]] ArchiveRecord archive_runs(Database& database, const ArchivePlan& plan,
                                         const ArchiveDescription& description,
                                         const std::filesystem::path& empty_file,
                                         const std::function<void()>& put_in_place, UtcTime now);

/// Gives the space of removed rows back to the file system. Needs twice as much free space as what
/// is kept takes, in the folder of temporary files and beside the database. False where readers
/// keep the log from being taken in: the next process that closes the database does it.
[[nodiscard]] bool shrink_database(Database& database);

}  // namespace diskrelease
