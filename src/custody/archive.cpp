#include "custody/archive.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "custody/archived_rows.h"
#include "derived/derived_tables.h"
#include "evidence/chain.h"
#include "evidence/embedded_schema.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "queries/find_run.h"
#include "queries/run_queries.h"
#include "store/raw_rows.h"

namespace diskrelease {
namespace {

/// What can be archived by its own keys, items included.
constexpr bool has_ranges(const Kind& kind) {
  return kind.keys == Keys::own && kind.entered != Entered::by_archive;
}

/// SQL: the run that a row of a table belongs to, by the columns of the table.
std::string run_of(const Kind& kind) {
  if (kind.owner == EvidenceKind::run) return "run_id";
  const Kind& owner = kind_of(kind.owner);
  const std::string key(key_of(owner));
  std::string sql = "(SELECT ";
  sql.append(run_of(owner)).append(" FROM ").append(owner.table).append(" WHERE ");
  sql.append(owner.table).append(".").append(key).append(" = ");
  sql.append(kind.table).append(".").append(key).append(")");
  return sql;
}

/// The runs of the newest row of each table whose keys SQLite gives out.
std::set<std::int64_t> runs_with_newest_rows(Database& database) {
  std::set<std::int64_t> runs;
  for (const Kind& kind : k_kinds) {
    if (!has_ranges(kind)) continue;
    std::string sql = "SELECT ";
    sql.append(run_of(kind)).append(" FROM ").append(kind.table).append(" ORDER BY ");
    sql.append(key_of(kind)).append(" DESC LIMIT 1");
    Statement select = database.prepare(sql);
    if (select.step()) runs.insert(select.integer(0));
  }
  return runs;
}

/// Writes which rows the runs of a plan consist of.
class RangeWriter {
 public:
  RangeWriter(Database& database, std::int64_t archive, const ArchivePlan& plan)
      : database_(database),
        runs_(plan.runs),
        insert_(database.prepare("INSERT INTO archived_rows (archive_id, kind, first_id, last_id)"
                                 " VALUES (?1, ?2, ?3, ?4)")) {
    insert_.bind(1, archive);
    std::ranges::sort(runs_, {}, [](const RunRecord& run) { return run.id.value; });
  }

  void write() {
    for (const RunRecord& run : runs_) run_ids_.insert(run.id.value);
    for (const Kind& kind : k_kinds) {
      if (!has_ranges(kind)) continue;
      if (kind.kind == EvidenceKind::items) {
        write_items();
      } else {
        write(kind);
      }
    }
  }

 private:
  /// Each run by itself: the chain enters its items by themselves, too.
  void write_items() {
    for (const RunRecord& run : runs_) {
      insert(kind_of(EvidenceKind::items).table, run.first_item.value,
             run.first_item.value + run.item_count - 1);
    }
  }

  void insert(std::string_view kind, std::int64_t first, std::int64_t last) {
    insert_.bind(2, kind).bind(3, first).bind(4, last).run();
  }

  [[nodiscard]] bool belongs(EvidenceKind owner, std::int64_t key) const {
    if (owner == EvidenceKind::run) return run_ids_.contains(key);
    if (owner != EvidenceKind::items) return keys_[owner].contains(key);
    // Runs have their items in the order of their ids.
    const auto behind = std::ranges::upper_bound(
        runs_, key, {}, [](const RunRecord& run) { return run.first_item.value; });
    return behind != runs_.begin() &&
           key < std::prev(behind)->first_item.value + std::prev(behind)->item_count;
  }

  /// A pass over the keys of a table, and what their rows belong to.
  void write(const Kind& kind) {
    const bool is_owner = std::ranges::any_of(k_kinds, [&](const Kind& other) {
      return other.owner == kind.kind && has_ranges(other) && other.kind != kind.kind;
    });
    std::string sql = "SELECT ";
    sql.append(key_of(kind)).append(", ").append(key_of(kind_of(kind.owner))).append(" FROM ");
    sql.append(kind.table).append(" NOT INDEXED ORDER BY 1");
    Statement rows = database_.prepare(sql);
    std::int64_t first = 0;
    std::int64_t last = 0;
    const auto end_range = [&] {
      if (first != 0) insert(kind.table, first, last);
      first = 0;
    };
    while (rows.step()) {
      const std::int64_t id = rows.integer(0);
      if (!belongs(kind.owner, rows.integer(1))) {
        end_range();
        continue;
      }
      if (first != 0 && id != last + 1) end_range();
      if (first == 0) first = id;
      last = id;
      if (is_owner && kind.kind != EvidenceKind::run) keys_[kind.kind].insert(id);
    }
    end_range();
  }

  Database& database_;
  std::vector<RunRecord> runs_;
  Statement insert_;
  std::unordered_set<std::int64_t> run_ids_;
  ByKind<std::unordered_set<std::int64_t>> keys_;  ///< of rows that others belong to
};

/// For which disks and stages nothing may be sent any more, by the rows of archive ?1: what
/// attempt_never_twice would find. Columns as in archived_release.
constexpr std::string_view k_select_releases =
    "SELECT item.disk_id, attempt.stage, ?1, max(item.run_id)"
    " FROM archived_rows CROSS JOIN attempt ON attempt_id BETWEEN first_id AND last_id"
    " JOIN item USING (item_id)"
    " LEFT JOIN outcome USING (attempt_id)"
    " LEFT JOIN verdict USING (attempt_id)"
    " WHERE archive_id = ?1 AND archived_rows.kind = 'attempt'"
    "   AND (outcome.outcome IS NULL OR outcome.outcome = 'accepted'"
    "        OR (outcome.outcome = 'unknown'"
    "            AND coalesce(verdict.settled, 'unknown') NOT IN ('refused', 'not_executed')))"
    " GROUP BY item.disk_id, attempt.stage";

void remember_releases(Database& database, std::int64_t archive) {
  Statement insert =
      database.prepare("INSERT INTO archived_release (disk_id, stage, archive_id, run_id) " +
                       std::string(k_select_releases));
  insert.bind(1, archive).run();
}

/// The last block of those at the beginning of the chain that have entries about archived rows
/// only.
std::int64_t blocks_to_empty(Database& database, const ArchivedRows& archived) {
  Statement blocks = database.prepare("SELECT block_id, entries FROM chain ORDER BY block_id");
  std::int64_t last = 0;
  while (blocks.step()) {
    const std::string_view entries = blocks.text(1);
    for (std::size_t i = 0; i < entries.size() / k_entry_size; ++i) {
      const ChainEntry entry = entry_at(entries, i);
      // Archives are entered once more with each later one.
      const Kind* const kind = find_kind(entry.kind);
      if (kind == nullptr) return last;
      if (kind->entered != Entered::by_archive && !archived.contains(entry.kind, entry.id)) {
        return last;
      }
    }
    last = blocks.integer(0);
  }
  return last;
}

/// Calls `use` with a statement for each range of rows of a kind; `verb` is what begins it.
template <class Use>
void for_ranges(Database& database, std::int64_t archive, const Kind& kind, const std::string& verb,
                const Use& use) {
  Statement ranges = database.prepare(
      "SELECT first_id, last_id FROM archived_rows WHERE archive_id = ?1 AND kind = ?2"
      " ORDER BY first_id");
  ranges.bind(1, archive).bind(2, kind_of(archived_with(kind.kind)).table);
  std::string sql = verb;
  sql.append(" FROM ").append(kind.table).append(" WHERE ").append(key_of(kind));
  Statement rows = database.prepare(sql + " BETWEEN ?1 AND ?2");
  while (ranges.step()) {
    rows.bind(1, ranges.integer(0)).bind(2, ranges.integer(1));
    use(rows);
    rows.reset();
  }
}

void make_sealed(Database& source, std::int64_t archive, const std::filesystem::path& file) {
  Database target(file, Database::Access::read_write);
  // Nothing of value is lost with a file that is half made.
  target.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF");
  Transaction transaction(target);
  for (const Migration& migration : embedded_migrations()) {
    target.execute(std::string(migration.sql));
  }
  const std::vector<std::string> triggers = take_triggers(target);
  for (const Kind& kind : k_kinds) {
    if (kind.entered == Entered::by_archive) continue;
    RowCopy copy(target, kind.table, kind.columns);
    for_ranges(source, archive, kind, "SELECT " + std::string(kind.columns),
               [&](Statement& rows) { copy.copy_all(rows); });
  }
  const auto copy_whole = [&](std::string_view table, std::string_view columns) {
    std::string sql = "SELECT ";
    Statement rows = source.prepare(sql.append(columns).append(" FROM ").append(table));
    RowCopy(target, table, columns).copy_all(rows);
  };
  copy_whole(kind_of(EvidenceKind::archive).table, kind_of(EvidenceKind::archive).columns);
  for (const ArchivePart& part : k_archive_parts) copy_whole(part.table, part.columns);
  copy_whole("chain", "block_id, entries, hash");
  target.execute("INSERT INTO disk_item SELECT disk_id, item_id FROM item ORDER BY 1, 2");
  put_triggers(target, triggers);
  make_derived_tables(target);
  target.execute("PRAGMA application_id = " + std::to_string(k_archive_application_id) +
                 "; PRAGMA user_version = " + std::to_string(embedded_migrations().back().version));
  transaction.commit();
}

void remove_rows(Database& database, const ArchiveRecord& archive) {
  const std::vector<std::string> triggers = take_triggers(database);
  Statement disks = database.prepare(
      "DELETE FROM disk_item WHERE item_id <= coalesce(("
      "SELECT last_id FROM archived_rows WHERE archive_id = ?1 AND kind = 'item'"
      " AND first_id <= item_id ORDER BY first_id DESC LIMIT 1), 0)");
  disks.bind(1, archive.id).run();
  for (const Kind& kind : k_kinds) {
    if (kind.entered == Entered::by_archive) continue;
    for_ranges(database, archive.id, kind, "DELETE", [](Statement& rows) { rows.run(); });
  }
  Statement empty = database.prepare("UPDATE chain SET entries = x'' WHERE block_id <= ?1");
  empty.bind(1, archive.emptied_blocks).run();
  put_triggers(database, triggers);
  make_derived_tables(database);
  Statement check = database.prepare("PRAGMA foreign_key_check");
  if (check.step()) {
    throw AuditUnusable("audit database " + shown(database.path()) +
                        ": nothing was archived: " + std::string(check.text(0)) + " " +
                        std::string(check.text(1)) + " refers to " + std::string(check.text(2)) +
                        ", of another run; see `diskrelease audit verify`");
  }
}

constexpr std::string_view k_select_archive =
    "SELECT archive_id, file, run_count, item_count, archive.block_id, user, host, before_utc_ms,"
    " created_utc_ms, hash, emptied_blocks, emptied_sha256"
    " FROM archive LEFT JOIN chain USING (block_id) ";

ArchiveRecord read_archive(const Statement& row) {
  ArchiveRecord archive;
  archive.id = row.integer(0);
  archive.file = row.text(1);
  archive.runs = row.integer(2);
  archive.items = row.integer(3);
  archive.block = row.integer(4);
  archive.user = row.text(5);
  archive.host = row.text(6);
  archive.before = row.utc(7);
  archive.created = row.utc(8);
  archive.hash = to_hex(row.text(9));
  archive.emptied_blocks = row.integer(10);
  archive.emptied_sha256 = row.text(11);
  return archive;
}

/// Without foreign keys as long as it lives: parents are removed after their children, and SQLite
/// would look for further ones, row by row, without an index to find them by.
class WithoutForeignKeys {
 public:
  explicit WithoutForeignKeys(Database& database) : database_(database) {
    database_.execute("PRAGMA foreign_keys = OFF");
  }
  ~WithoutForeignKeys() {
    try {
      database_.execute("PRAGMA foreign_keys = ON");
    } catch (const AuditUnusable&) {  // NOLINT(bugprone-empty-catch)
      // The connection is of no use any more.
    }
  }
  WithoutForeignKeys(const WithoutForeignKeys&) = delete;
  WithoutForeignKeys& operator=(const WithoutForeignKeys&) = delete;

 private:
  Database& database_;
};

bool has_open_items(const StateCounts& counts) {
  return counts[ItemState::pending] > 0 || counts[ItemState::unknown] > 0;
}

}  // namespace

ArchivePlan plan_archive(Database& database, UtcTime before) {
  const Snapshot snapshot(database);
  ArchivePlan plan;
  const std::set<std::int64_t> newest = runs_with_newest_rows(database);
  Statement runs = database.prepare(
      "SELECT run_id, count(invocation.invocation_id) > count(invocation_end.invocation_id)"
      " FROM run LEFT JOIN invocation USING (run_id) LEFT JOIN invocation_end USING (invocation_id)"
      " GROUP BY run_id HAVING max(created_utc_ms, coalesce(max(started_utc_ms), 0),"
      "                            coalesce(max(ended_utc_ms), 0)) < ?1 ORDER BY run_id");
  runs.bind(1, before);
  while (runs.step()) {
    const std::optional<RunRecord> run = find_run(database, RunId{runs.integer(0)});
    if (!run) continue;
    if (runs.integer(1) != 0) {
      plan.kept.push_back({*run,
                           "an invocation has not written its end; the next run, resume or "
                           "settle on this database does, where it has died"});
    } else if (has_open_items(recount_states(database, *run))) {
      plan.kept.push_back({*run, "not finished: disks are pending or unknown"});
    } else if (newest.contains(run->id.value)) {
      plan.kept.push_back({*run, "it has the newest rows, whose numbers must not be used again"});
    } else {
      plan.items += run->item_count;
      plan.runs.push_back(*run);
    }
  }
  return plan;
}

std::int64_t count_other_releases(Database& database, std::int64_t archive) {
  const std::string told(k_select_releases);
  const std::string remembered =
      "SELECT disk_id, stage, archive_id, run_id FROM archived_release WHERE archive_id = ?1";
  std::int64_t others = 0;
  for (const auto& [left, right] : {std::pair(told, remembered), std::pair(remembered, told)}) {
    std::string sql = "SELECT count(*) FROM (SELECT * FROM (";
    sql.append(left).append(") EXCEPT SELECT * FROM (").append(right).append("))");
    Statement count = database.prepare(sql);
    count.bind(1, archive);
    if (count.step()) others += count.integer(0);
  }
  return others;
}

std::vector<ArchiveRecord> archives_elsewhere(Database& database) {
  // Not the runs of main alone, where databases are joined.
  std::vector<ArchiveRecord> archives;
  Statement select = database.prepare(
      std::string(k_select_archive) +
      "WHERE NOT EXISTS (SELECT 1 FROM archived_rows JOIN run ON run_id BETWEEN first_id AND "
      "last_id"
      "                  WHERE archived_rows.archive_id = archive.archive_id AND kind = 'run')"
      " ORDER BY archive_id");
  while (select.step()) archives.push_back(read_archive(select));
  return archives;
}

bool says_to_be_sealed(Database& database) {
  return database.query_integer("PRAGMA application_id") == k_archive_application_id;
}

std::int64_t sealed_archive(Database& database) {
  if (!says_to_be_sealed(database)) return 0;
  return database.query_integer("SELECT coalesce(max(archive_id), 0) FROM archive");
}

std::vector<ArchiveRecord> read_archives(Database& database) {
  std::vector<ArchiveRecord> archives;
  Statement select = database.prepare(std::string(k_select_archive) + "ORDER BY archive_id");
  while (select.step()) archives.push_back(read_archive(select));
  return archives;
}

std::optional<ArchiveRecord> archive_of(Database& database, RunId run) {
  Statement select = database.prepare(
      std::string(k_select_archive) +
      "WHERE archive_id IN (SELECT archive_id FROM archived_rows"
      "                     WHERE kind = 'run' AND ?1 BETWEEN first_id AND last_id)");
  select.bind(1, run.value);
  if (!select.step()) return std::nullopt;
  return read_archive(select);
}

ArchiveRecord archive_runs(Database& database, const ArchivePlan& plan,
                           const ArchiveDescription& description,
                           const std::filesystem::path& empty_file,
                           const std::function<void()>& put_in_place, UtcTime now) {
  const WithoutForeignKeys foreign_keys(database);
  Transaction transaction(database);
  ArchiveRecord archive;
  archive.id = database.query_integer("SELECT coalesce(max(archive_id), 0) + 1 FROM archive");
  archive.file = std::filesystem::absolute(description.file).string();
  archive.runs = std::ssize(plan.runs);
  archive.items = plan.items;
  archive.block = read_chain_head(database).block + 1;
  archive.user = description.user;
  archive.host = description.host;
  archive.before = description.before;
  archive.created = now;
  RangeWriter(database, archive.id, plan).write();
  remember_releases(database, archive.id);
  archive.emptied_blocks = blocks_to_empty(database, ArchivedRows(database, 1, archive.id));
  archive.emptied_sha256 = digest_of_hashes(database, archive.emptied_blocks);
  Statement insert = database.prepare(
      "INSERT INTO archive (archive_id, file, before_utc_ms, run_count, item_count, block_id,"
      " emptied_blocks, emptied_sha256, user, host, tool_version, created_utc_ms)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
  insert.bind(1, archive.id)
      .bind(2, archive.file)
      .bind(3, archive.before)
      .bind(4, archive.runs)
      .bind(5, archive.items)
      .bind(6, archive.block)
      .bind(7, archive.emptied_blocks)
      .bind(8, archive.emptied_sha256)
      .bind(9, archive.user)
      .bind(10, archive.host)
      .bind(11, description.tool_version)
      .bind(12, now);
  insert.run();
  transaction.complete();
  archive.hash = read_chain_head(database).hash;
  make_sealed(database, archive.id, empty_file);
  put_in_place();
  remove_rows(database, archive);
  if (const auto displaced = database.displacement()) throw AuditUnusable(*displaced);
  transaction.commit();
  return archive;
}

bool shrink_database(Database& database) {
  // What VACUUM inserts is nothing new.
  database.observe(nullptr);
  database.execute("VACUUM");
  return database.query_integer("PRAGMA wal_checkpoint(TRUNCATE)") == 0;
}

}  // namespace diskrelease
