#include "custody/extract.h"

#include <optional>
#include <string_view>

#include "evidence/chain.h"
#include "evidence/embedded_schema.h"
#include "evidence/schema_check.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "store/raw_rows.h"

namespace diskrelease {
namespace {

/// SQL: which rows of a kind are the run's. By its bounds where there are any, since a look at each
/// row of a large table takes long.
std::string rows_of(const Kind& kind, const RunRecord& run) {
  const Kind& owner = kind_of(kind.owner);
  if (owner.kind == EvidenceKind::run) return "run_id = " + std::to_string(run.id.value);
  if (owner.kind == EvidenceKind::items) {
    return "item_id BETWEEN " + std::to_string(run.first_item.value) + " AND " +
           std::to_string(run.first_item.value + run.item_count - 1);
  }
  const std::string key(key_of(owner));
  std::string sql = key;
  sql.append(" IN (SELECT ").append(key).append(" FROM ").append(owner.table).append(" WHERE ");
  return sql.append(rows_of(owner, run)).append(")");
}

void make_tables(Database& target) {
  for (const Migration& migration : embedded_migrations()) {
    target.execute(std::string(migration.sql));
  }
  static_cast<void>(take_triggers(target));
  target.execute("CREATE TABLE before (hash BLOB NOT NULL) STRICT");
}

/// Whether an entry of the chain is about a row that has been copied.
class OfRun {
 public:
  OfRun(Database& target, const RunRecord& run)
      : run_(run.id.value),
        first_item_(run.first_item.value),
        last_item_(run.first_item.value + run.item_count - 1) {
    for (const Kind& kind : k_kinds) {
      if (kind.entered != Entered::by_row) continue;
      std::string sql = "SELECT 1 FROM ";
      sql.append(kind.table).append(" WHERE ").append(key_of(kind)).append(" = ?1");
      looks_[kind.kind].emplace(target.prepare(sql));
    }
  }

  bool has(const ChainEntry& entry) {
    if (entry.kind == EvidenceKind::duplicate_lines) return entry.id == run_;
    if (entry.kind == EvidenceKind::items) return entry.id >= first_item_ && entry.id <= last_item_;
    if (find_kind(entry.kind) == nullptr || !looks_[entry.kind]) return false;
    Statement& look = *looks_[entry.kind];
    look.bind(1, entry.id);
    const bool found = look.step();
    look.reset();
    return found;
  }

 private:
  std::int64_t run_;
  std::int64_t first_item_;
  std::int64_t last_item_;
  ByKind<std::optional<Statement>> looks_;  ///< of what is entered row by row
};

ExtractedChain copy_chain(Database& source, Database& target, const RunRecord& run) {
  ExtractedChain chain;
  OfRun of_run(target, run);
  {
    Statement blocks =
        source.prepare("SELECT block_id, entries, hash FROM chain ORDER BY block_id");
    std::string previous;
    while (blocks.step()) {
      const std::string_view entries = blocks.text(1);
      const std::int64_t block = blocks.integer(0);
      bool found = false;
      for (std::size_t i = 0; i < entries.size() / k_entry_size && !found; ++i) {
        const ChainEntry entry = entry_at(entries, i);
        // Before the run's own entry nothing can be about it.
        if (chain.first_block == 0 && entry.kind != EvidenceKind::run) continue;
        found = of_run.has(entry);
      }
      if (block == 1) chain.chain = to_hex(blocks.text(2));
      if (found && chain.first_block == 0) {
        chain.first_block = block;
        if (!previous.empty()) {
          Statement before = target.prepare("INSERT INTO before VALUES (?1)");
          before.bind_blob(1, previous).run();
        }
      }
      if (found) {
        chain.last_block = block;
        chain.last_hash = to_hex(blocks.text(2));
      }
      if (chain.first_block == 0) previous = blocks.text(2);
    }
  }
  if (chain.first_block == 0) {
    throw AuditUnusable("audit database " + shown(source.path()) + ": run " +
                        std::to_string(run.id.value) +
                        " is not in the hash chain; see `diskrelease audit verify`");
  }
  Statement wanted = source.prepare(
      "SELECT block_id, entries, hash FROM chain WHERE block_id BETWEEN ?1 AND ?2"
      " ORDER BY block_id");
  wanted.bind(1, chain.first_block).bind(2, chain.last_block);
  RowCopy copy(target, "chain", "block_id, entries, hash");
  copy.copy_all(wanted);
  return chain;
}

}  // namespace

ExtractedChain make_extract(Database& source, const RunRecord& run,
                            const std::filesystem::path& target_file) {
  const Snapshot snapshot(source);
  Database target(target_file, Database::Access::create);
  // Nothing of value is lost with a file that is half made.
  target.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF");
  ExtractedChain chain;
  {
    Transaction transaction(target);
    make_tables(target);
    for (const Kind& kind : k_kinds) {
      if (kind.entered == Entered::by_archive || kind.since > schema_version(source)) continue;
      Statement select = source.prepare(select_rows(kind, " WHERE " + rows_of(kind, run)));
      RowCopy(target, kind.table, kind.columns).copy_all(select);
    }
    target.execute("INSERT INTO disk_item SELECT disk_id, item_id FROM item ORDER BY 1, 2");
    chain = copy_chain(source, target, run);
    target.execute(
        "PRAGMA application_id = " + std::to_string(k_extract_application_id) +
        "; PRAGMA user_version = " + std::to_string(embedded_migrations().back().version));
    transaction.commit();
  }
  return chain;
}

}  // namespace diskrelease
