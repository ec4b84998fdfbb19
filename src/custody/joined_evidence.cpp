#include "custody/joined_evidence.h"

#include <algorithm>
#include <string>
#include <vector>

#include "custody/archive.h"
#include "evidence/chain.h"
#include "evidence/schema_check.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "record/audit_file.h"

namespace diskrelease {
namespace {

/// SQLite attaches ten at most.
constexpr std::size_t k_most_databases = 10;

struct Part {
  std::filesystem::path path;
  std::string chain;
  std::int64_t last_block = 0;
  bool is_sealed = false;
};

Part examine(const std::filesystem::path& path) {
  Database database = open_evidence_for_reading(path);
  const ChainHead head = read_chain_head(database);
  return {path, head.chain, head.block, sealed_archive(database) != 0};
}

/// The tables and views of a database that are a row's only place. Chain and archives are in each
/// of them; derived tables are about one database.
std::vector<std::string> names_to_join(Database& database) {
  Statement select = database.prepare(
      "SELECT name FROM main.sqlite_schema WHERE type IN ('table', 'view')"
      " AND name IN ('run', 'item', 'duplicate_line', 'disk_item', 'invocation', 'invocation_end',"
      "  'attempt', 'outcome', 'disk_read', 'observation', 'verdict', 'decision', 'attempt_log',"
      "  'item_state', 'run_summary')");
  std::vector<std::string> names;
  while (select.step()) names.emplace_back(select.text(0));
  return names;
}

/// Whether a sealed file is on record in main: otherwise rows of it may be there as well.
void require_on_record(Database& database, const std::string& schema,
                       const std::filesystem::path& path) {
  if (database.query_integer(
          "SELECT EXISTS (SELECT 1 FROM main.archive JOIN main.chain USING (block_id)"
          " WHERE archive_id = (SELECT max(archive_id) FROM " +
          schema + ".archive) AND hash = (SELECT hash FROM " + schema +
          ".chain ORDER BY block_id DESC LIMIT 1))") != 1) {
    throw UsageError(shown(path) + ": " + shown(database.path()) +
                     " does not have this archive on record, so it may have the same rows; they "
                     "cannot be read together");
  }
}

/// All schemas, with a condition for each.
std::string union_of(const std::vector<std::string>& schemas, const std::string& name,
                     const std::string& condition = {}) {
  std::string sql;
  for (const std::string& schema : schemas) {
    if (!sql.empty()) sql += " UNION ALL ";
    sql.append("SELECT * FROM ").append(schema).append(".").append(name);
    sql += condition;
  }
  return sql;
}

void join(Database& database, const std::vector<std::string>& schemas) {
  for (const std::string& name : names_to_join(database)) {
    database.execute("CREATE TEMP VIEW " + name + " AS " + union_of(schemas, name));
  }
  // Of archives main tells; of those that are joined nothing.
  database.execute("CREATE TEMP VIEW disk_history AS " +
                   union_of(schemas, "disk_history", " WHERE kind <> 'archived'") +
                   " UNION ALL SELECT * FROM main.disk_history WHERE kind = 'archived'"
                   " AND run_id NOT IN (SELECT run_id FROM temp.run)");
  // A day may be in several of them: these two are made again from what is joined.
  for (const std::string_view name : {"daily_totals", "error_totals"}) {
    std::string sql;
    {
      Statement select = database.prepare("SELECT sql FROM main.sqlite_schema WHERE name = ?1");
      select.bind(1, name);
      if (select.step()) sql = select.text(0);
    }
    constexpr std::string_view k_create = "CREATE VIEW";
    if (!sql.starts_with(k_create)) continue;
    database.execute("CREATE TEMP VIEW" + sql.substr(k_create.size()));
  }
}

}  // namespace

Database open_joined_evidence(const std::filesystem::path& path,
                              std::span<const std::filesystem::path> more) {
  if (more.empty()) return open_evidence_for_reading(path);
  if (more.size() >= k_most_databases) {
    throw UsageError("at most " + std::to_string(k_most_databases) +
                     " databases can be read together");
  }
  std::vector<Part> parts{examine(path)};
  for (const std::filesystem::path& another : more) {
    parts.push_back(examine(another));
    const Part& part = parts.back();
    if (part.chain != parts.front().chain) {
      throw UsageError(shown(another) + " is not of the same chain as " + shown(path) +
                       ": only a database and the archives that were taken from it can be read "
                       "together");
    }
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      std::error_code error;
      const bool is_same = std::filesystem::equivalent(parts[i].path, another, error);
      if (is_same || (parts[i].is_sealed == part.is_sealed &&
                      (!part.is_sealed || parts[i].last_block == part.last_block))) {
        throw UsageError(shown(parts[i].path) + " and " + shown(another) +
                         " are copies of one database, whose rows would come twice");
      }
    }
  }
  std::ranges::sort(parts, [](const Part& left, const Part& right) {
    if (left.is_sealed != right.is_sealed) return right.is_sealed;
    return left.last_block > right.last_block;
  });
  Database database = open_evidence_for_reading(parts.front().path);
  std::vector<std::string> schemas{"main"};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    schemas.push_back("archive_" + std::to_string(i));
    database.attach(parts[i].path, schemas.back());
    require_our_schema(database, schemas.back());
  }
  // Everything is of one moment: an archiving that goes on meanwhile moves rows.
  database.execute("BEGIN");
  for (std::size_t i = 1; i < parts.size(); ++i) {
    require_on_record(database, schemas[i], parts[i].path);
  }
  join(database, schemas);
  return database;
}

}  // namespace diskrelease
