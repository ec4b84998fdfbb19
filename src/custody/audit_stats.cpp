#include "custody/audit_stats.h"

#include <string>

#include "evidence/schema_check.h"

namespace diskrelease {

AuditStats read_stats(Database& database) {
  const Snapshot snapshot(database);
  AuditStats stats;
  stats.schema_version = schema_version(database);
  stats.free_bytes =
      database.query_integer("PRAGMA freelist_count") * database.query_integer("PRAGMA page_size");
  stats.head = read_chain_head(database);
  stats.archives = read_archives(database);
  for (const Kind& kind : k_kinds) {
    if (kind.entered == Entered::by_archive) continue;
    std::string sql = "SELECT ";
    if (kind.kind == EvidenceKind::items) {
      sql += "coalesce(sum(item_count), 0) FROM run";
    } else if (kind.keys == Keys::own && stats.archives.empty()) {
      // They begin with 1 and have no gaps, unless rows were archived.
      sql.append("coalesce(max(").append(key_of(kind)).append("), 0) FROM ").append(kind.table);
    } else {
      sql.append("count(*) FROM ").append(kind.table);
    }
    stats.tables.push_back({kind.table, database.query_integer(sql)});
  }
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
