#include "custody/extract.h"

#include <string_view>
#include <vector>

#include "evidence/chain.h"
#include "evidence/embedded_schema.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "store/raw_rows.h"

namespace diskrelease {
namespace {

/// Which rows of each table are the run's; the numbers are those of the run.
struct TableRows {
  std::string_view table;
  std::string condition;
};
std::vector<TableRows> rows_of(const RunRecord& run) {
  const std::string of_run = "run_id = " + std::to_string(run.id.value);
  const std::string of_items = "item_id BETWEEN " + std::to_string(run.first_item.value) + " AND " +
                               std::to_string(run.first_item.value + run.item_count - 1);
  const std::string of_attempts =
      "attempt_id IN (SELECT attempt_id FROM attempt WHERE " + of_items + ")";
  const std::string of_invocations =
      "invocation_id IN (SELECT invocation_id FROM invocation WHERE " + of_run + ")";
  return {{"run", of_run},
          {"item", of_items},
          {"duplicate_line", of_run},
          // By the items, since by itself it would be read from end to end.
          {"disk_item",
           "(disk_id, item_id) IN (SELECT disk_id, item_id FROM item WHERE " + of_items + ")"},
          {"invocation", of_run},
          {"invocation_end", of_invocations},
          {"attempt", of_items},
          {"outcome", of_attempts},
          {"disk_read", of_invocations},
          {"observation", of_items},
          {"verdict", of_attempts},
          {"decision", of_run}};
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
    for (const EvidenceTable& table : k_evidence_tables) {
      looks_.push_back(target.prepare("SELECT 1 FROM " + std::string(table.name) + " WHERE " +
                                      std::string(table.key) + " = ?1"));
    }
  }

  bool has(const ChainEntry& entry) {
    if (entry.kind == EvidenceKind::duplicate_lines) return entry.id == run_;
    if (entry.kind == EvidenceKind::items) return entry.id >= first_item_ && entry.id <= last_item_;
    const auto place = static_cast<std::size_t>(entry.kind) - 1;
    if (place >= looks_.size()) return false;
    Statement& look = looks_[place];
    look.bind(1, entry.id);
    const bool found = look.step();
    look.reset();
    return found;
  }

 private:
  std::int64_t run_;
  std::int64_t first_item_;
  std::int64_t last_item_;
  std::vector<Statement> looks_;  ///< in the order of k_evidence_tables
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
  Statement wanted =
      source.prepare("SELECT * FROM chain WHERE block_id BETWEEN ?1 AND ?2 ORDER BY block_id");
  wanted.bind(1, chain.first_block).bind(2, chain.last_block);
  RowCopy copy(target, "chain", wanted.columns());
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
    for (const TableRows& rows : rows_of(run)) {
      Statement select =
          source.prepare("SELECT * FROM " + std::string(rows.table) + " WHERE " + rows.condition);
      RowCopy copy(target, rows.table, select.columns());
      copy.copy_all(select);
    }
    chain = copy_chain(source, target, run);
    target.execute(
        "PRAGMA application_id = " + std::to_string(k_extract_application_id) +
        "; PRAGMA user_version = " + std::to_string(embedded_migrations().back().version));
    transaction.commit();
  }
  return chain;
}

}  // namespace diskrelease
