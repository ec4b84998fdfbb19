#include "support/forger.h"
#include "evidence/embedded_schema.h"

#include <algorithm>
#include <utility>

#include "custody/archive.h"
#include "custody/extract.h"
#include "derived/derived_tables.h"
#include "record/audit_file.h"
#include "store/raw_rows.h"

namespace diskrelease {
namespace {

std::string list_of(const std::vector<std::int64_t>& runs) {
  std::string list;
  for (const std::int64_t run : runs) list += (list.empty() ? "" : ",") + std::to_string(run);
  return "(" + list + ")";
}

/// Which rows of a kind are those of runs.
std::string condition_of(const Kind& kind, const std::string& runs) {
  const Kind& owner = kind_of(kind.owner);
  if (owner.kind == EvidenceKind::run) return "run_id IN " + runs;
  std::string sql(key_of(owner));
  sql.append(" IN (SELECT ").append(key_of(owner)).append(" FROM ").append(owner.table);
  return sql.append(" WHERE ").append(condition_of(owner, runs)).append(")");
}

bool is_of_a_run(const Kind& kind) { return kind.entered != Entered::by_archive; }

}  // namespace

Forger::Forger(const std::filesystem::path& file)
    : file_(file), database_(file, Database::Access::read_write) {
  database_.execute(
      "PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON");
  triggers_ = take_triggers(database_);
}

Forger::~Forger() {
  if (number("PRAGMA application_id") == k_extract_application_id) return;
  sql("DELETE FROM disk_item; INSERT INTO disk_item SELECT disk_id, item_id FROM item ORDER BY 1");
  {
    Transaction transaction(database_);
    make_derived_tables(database_);
    transaction.commit();
  }
  put_triggers(database_, triggers_);
}

std::string Forger::entry(EvidenceKind kind, std::int64_t id) {
  ChainEntry made{kind, id, {}};
  const Kind& of = kind_of(kind);
  if (kind == EvidenceKind::archive) {
    made.digest = archive_digest(database_, id);
  } else if (kind == EvidenceKind::items) {
    Statement run = database_.prepare(
        "SELECT run_id, first_item_id + item_count - 1 FROM run WHERE ?1 BETWEEN first_item_id AND"
        " first_item_id + item_count - 1");
    run.bind(1, id);
    static_cast<void>(run.step());
    Statement rows = database_.prepare(select_items());
    rows.bind(1, id).bind(2, std::min(id + k_items_an_entry - 1, run.integer(1)));
    rows.bind(3, run.integer(0));
    made.digest = digest_of_all(rows, "item").digest;
  } else if (kind == EvidenceKind::duplicate_lines) {
    Statement rows = database_.prepare(select_duplicate_lines());
    rows.bind(1, id);
    made.digest = digest_of_all(rows, "duplicate_line").digest;
  } else {
    Statement row =
        database_.prepare(select_rows(of, " WHERE " + std::string(key_of(of)) + " = ?1"));
    row.bind(1, id);
    static_cast<void>(row.step());
    std::string text;
    append_canonical(text, of.table, row);
    Sha256 digest;
    digest.update(text);
    made.digest = digest.finish();
  }
  std::string bytes;
  append_entry(bytes, made);
  return bytes;
}

std::string Forger::entries_of_run(std::int64_t run) {
  const std::string runs = list_of({run});
  std::string entries = entry(EvidenceKind::run, run);
  const std::int64_t first =
      number("SELECT first_item_id FROM run WHERE run_id = " + std::to_string(run));
  const std::int64_t count =
      number("SELECT item_count FROM run WHERE run_id = " + std::to_string(run));
  for (std::int64_t item = first; item < first + count; item += k_items_an_entry) {
    entries += entry(EvidenceKind::items, item);
  }
  if (number("SELECT count(*) FROM duplicate_line WHERE run_id = " + std::to_string(run)) > 0) {
    entries += entry(EvidenceKind::duplicate_lines, run);
  }
  for (const Kind& kind : k_kinds) {
    if (kind.kind == EvidenceKind::run || kind.entered != Entered::by_row) continue;
    std::vector<std::int64_t> ids;
    Statement keys = database_.prepare("SELECT " + std::string(key_of(kind)) + " FROM " +
                                       std::string(kind.table) + " WHERE " +
                                       condition_of(kind, runs) + " ORDER BY 1");
    while (keys.step()) ids.push_back(keys.integer(0));
    for (const std::int64_t id : ids) entries += entry(kind.kind, id);
  }
  return entries;
}

std::int64_t Forger::append_block(const std::string& entries) {
  std::string previous;
  {
    Statement last = database_.prepare("SELECT hash FROM chain ORDER BY block_id DESC LIMIT 1");
    if (last.step()) previous = last.text(0);
  }
  const Sha256::Digest hash = block_hash(previous, entries);
  Statement insert = database_.prepare("INSERT INTO chain (entries, hash) VALUES (?1, ?2)");
  insert.bind_blob(1, entries).bind_blob(2, {hash.data(), hash.size()}).run();
  return database_.last_insert_rowid();
}

void Forger::rehash_from(std::int64_t block) {
  std::vector<std::pair<std::int64_t, std::string>> blocks;
  {
    Statement select =
        database_.prepare("SELECT block_id, entries FROM chain WHERE block_id >= ?1 ORDER BY 1");
    select.bind(1, block);
    while (select.step()) blocks.emplace_back(select.integer(0), select.text(1));
  }
  for (const auto& [id, entries] : blocks) {
    std::string previous;
    {
      Statement last = database_.prepare("SELECT hash FROM chain WHERE block_id = ?1 - 1");
      last.bind(1, id);
      if (last.step()) previous = last.text(0);
    }
    const Sha256::Digest hash = block_hash(previous, entries);
    Statement update = database_.prepare("UPDATE chain SET hash = ?2 WHERE block_id = ?1");
    update.bind(1, id).bind_blob(2, {hash.data(), hash.size()}).run();
  }
}

void Forger::remove_run(std::int64_t run) { remove_rows(list_of({run}), ""); }

void Forger::keep_runs(const std::vector<std::int64_t>& runs) {
  remove_rows(list_of(runs), "NOT ");
}

void Forger::remove_rows(const std::string& runs, const std::string& which) {
  sql("DELETE FROM disk_item WHERE " + which +
      "(item_id IN (SELECT item_id FROM item WHERE run_id IN " + runs + "))");
  // What others belong to comes before them in the table of kinds, but for items.
  std::vector<std::string> statements;
  for (const Kind& kind : k_kinds) {
    if (!is_of_a_run(kind)) continue;
    std::string sql = "DELETE FROM ";
    sql.append(kind.table).append(" WHERE ").append(which);
    sql.append("(").append(condition_of(kind, runs)).append(")");
    const bool owns = kind.kind == EvidenceKind::items || kind.kind == EvidenceKind::run;
    statements.insert(owns ? statements.end() : statements.begin(), sql);
  }
  for (const std::string& statement : statements) sql(statement);
}

void Forger::record_archive(std::int64_t archive, const std::vector<std::int64_t>& runs,
                            std::int64_t emptied_blocks, std::int64_t block) {
  const std::string id = std::to_string(archive);
  for (const std::int64_t run : runs) {
    for (const Kind& kind : k_kinds) {
      if (!is_of_a_run(kind) || kind.keys != Keys::own) continue;
      const std::string table(kind.table);
      const std::string key(key_of(kind));
      sql("INSERT INTO archived_rows SELECT " + id + ", '" + table + "', min(" + key + "), max(" +
          key + ") FROM " + table + " WHERE " + condition_of(kind, list_of({run})) +
          " HAVING count(*) > 0");
    }
  }
  sql("INSERT INTO archived_release SELECT disk_id, stage, " + id +
      ", max(run_id) FROM attempt JOIN item USING (item_id) LEFT JOIN outcome USING (attempt_id)"
      " LEFT JOIN verdict USING (attempt_id) WHERE run_id IN " +
      list_of(runs) +
      " AND (outcome = 'accepted' OR (outcome = 'unknown' AND"
      " coalesce(settled, 'unknown') NOT IN ('refused', 'not_executed'))) GROUP BY 1, 2");
  Statement insert = database_.prepare(
      "INSERT INTO archive SELECT ?1, 'old.db', 1, count(*), sum(item_count), ?2, ?3, ?4,"
      " 'operator', 'host', '0', 2 FROM run WHERE run_id IN " +
      list_of(runs));
  const std::string hashes = digest_of_hashes(database_, emptied_blocks);
  insert.bind(1, archive).bind(2, block).bind(3, emptied_blocks).bind(4, hashes).run();
}

void Forger::make_sealed(const std::filesystem::path& file, const std::vector<std::int64_t>& runs) {
  std::filesystem::remove(file);
  sql("VACUUM INTO '" + file.string() + "'");
  Forger sealed(file);
  sealed.triggers_ = triggers_;
  sealed.keep_runs(runs);
  sealed.sql("PRAGMA application_id = " + std::to_string(k_archive_application_id));
}

void Forger::empty_blocks(std::int64_t last) {
  sql("UPDATE chain SET entries = x'' WHERE block_id <= " + std::to_string(last));
}

}  // namespace diskrelease
