#include "custody/joined_evidence.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
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

/// Views of one database's rows, that need no other one.
constexpr std::array k_views_to_join{"attempt_log", "item_state", "run_summary"};

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

/// A database that is read with others, by the name that it is attached with.
struct Schema {
  std::string name;
  std::int64_t version;
};

bool has_column(Database& database, const Schema& schema, std::string_view table,
                const std::string& column) {
  Statement look = database.prepare("SELECT 1 FROM pragma_table_info(?1, ?2) WHERE name = ?3");
  look.bind(1, table).bind(2, schema.name).bind(3, column);
  return look.step();
}

/// The rows of all schemas. What an older version of a view does not have is NULL.
std::string union_of(Database& database, const std::vector<Schema>& schemas, std::string_view view,
                     std::string_view condition = {}) {
  std::string sql;
  for (const Schema& schema : schemas) {
    std::string columns;
    for (const std::string& column : columns_of_view(view)) {
      if (!columns.empty()) columns += ", ";
      if (!has_column(database, schema, view, column)) columns += "NULL AS ";
      columns += column;
    }
    sql.append(sql.empty() ? "SELECT " : " UNION ALL SELECT ").append(columns).append(" FROM ");
    sql.append(schema.name).append(".").append(view).append(condition);
  }
  return sql;
}

/// The same for a table of evidence, of the schemas that have it.
std::string union_of(const std::vector<Schema>& schemas, const Kind& kind) {
  std::string sql;
  for (const Schema& schema : schemas) {
    if (kind.since > schema.version) continue;
    sql.append(sql.empty() ? "SELECT " : " UNION ALL SELECT ").append(kind.columns);
    sql.append(" FROM ").append(schema.name).append(".").append(kind.table);
  }
  return sql;
}

void make_view(Database& database, std::string_view name, const std::string& select) {
  // What stood for a newer version.
  std::string sql = "DROP VIEW IF EXISTS temp.";
  sql.append(name).append("; CREATE TEMP VIEW ").append(name).append(" AS ").append(select);
  database.execute(sql);
}

/// Chain and archives are in each of the databases, and those of main are asked; derived tables are
/// about one database.
void join(Database& database, const std::vector<Schema>& schemas) {
  for (const Kind& kind : k_kinds) {
    if (kind.entered == Entered::by_archive) continue;
    const std::string all = union_of(schemas, kind);
    // What none of them has is there as an empty table.
    if (!all.empty()) make_view(database, kind.table, all);
  }
  std::string disks;
  for (const Schema& schema : schemas) {
    disks.append(disks.empty() ? "SELECT" : " UNION ALL SELECT");
    disks.append(" disk_id, item_id FROM ").append(schema.name).append(".disk_item");
  }
  make_view(database, "disk_item", disks);
  for (const std::string_view view : k_views_to_join) {
    make_view(database, view, union_of(database, schemas, view));
  }
  // Of archives main tells; of those that are joined nothing.
  const std::string history =
      union_of(database, schemas, "disk_history", " WHERE kind <> 'archived'");
  make_view(
      database, "disk_history",
      history + " UNION ALL " +
          union_of(database, {schemas.front()}, "disk_history",
                   " WHERE kind = 'archived' AND run_id NOT IN (SELECT run_id FROM temp.run)"));
  // A day may be in several of them: these two are made again from what is joined.
  for (const std::string_view name : {"daily_totals", "error_totals"}) {
    const std::string definition = definition_of_view(name);
    make_view(database, name, definition);
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
  std::vector<Schema> schemas{{"main", schema_version(database)}};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string name = "archive_" + std::to_string(i);
    database.attach(parts[i].path, name);
    require_our_schema(database, name);
    schemas.push_back({name, schema_version(database, name)});
  }
  // Everything is of one moment: an archiving that goes on meanwhile moves rows.
  database.execute("BEGIN");
  for (std::size_t i = 1; i < parts.size(); ++i) {
    require_on_record(database, schemas[i].name, parts[i].path);
  }
  join(database, schemas);
  return database;
}

}  // namespace diskrelease
