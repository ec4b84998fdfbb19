#include "custody/audit_stats.h"

#include <string>

namespace diskrelease {

AuditStats read_stats(Database& database) {
  const Snapshot snapshot(database);
  AuditStats stats;
  stats.schema_version = database.query_integer("PRAGMA user_version");
  stats.free_bytes =
      database.query_integer("PRAGMA freelist_count") * database.query_integer("PRAGMA page_size");
  stats.head = read_chain_head(database);
  stats.archives = read_archives(database);
  // Keys begin with 1 and have no gaps, unless rows were archived; three tables have keys of
  // others.
  const auto rows = [&](const EvidenceTable& table) {
    const bool has_own_key = stats.archives.empty() && table.kind != EvidenceKind::invocation_end &&
                             table.kind != EvidenceKind::outcome &&
                             table.kind != EvidenceKind::verdict;
    return database.query_integer(has_own_key ? "SELECT coalesce(max(" + std::string(table.key) +
                                                    "), 0) FROM " + std::string(table.name)
                                              : "SELECT count(*) FROM " + std::string(table.name));
  };
  for (const EvidenceTable& table : k_evidence_tables) {
    stats.tables.push_back({table.name, rows(table)});
  }
  stats.tables.push_back(
      {"item", database.query_integer("SELECT coalesce(sum(item_count), 0) FROM run")});
  stats.tables.push_back(
      {"duplicate_line", database.query_integer("SELECT count(*) FROM duplicate_line")});
  Statement span = database.prepare(
      "SELECT (SELECT min(created_utc_ms) FROM run), (SELECT max(ended_utc_ms) FROM"
      " invocation_end)");
  if (span.step()) {
    stats.first_run = span.optional_utc(0);
    stats.last_end = span.optional_utc(1);
  }
  return stats;
}

}  // namespace diskrelease
