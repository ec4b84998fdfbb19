#include "evidence/chain.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "model/errors.h"
#include "model/shown_path.h"

namespace diskrelease {
namespace {

/// Entries of one block at most: what is held in memory while a large transaction is entered.
constexpr std::size_t k_most_entries = 4'096;

const Kind* kind_with_table(std::string_view table) noexcept {
  const auto found = std::ranges::find(k_kinds, table, &Kind::table);
  return found == k_kinds.end() ? nullptr : &*found;
}

std::string_view bytes_of(const Sha256::Digest& digest) noexcept {
  return {digest.data(), digest.size()};
}

}  // namespace

void append_entry(std::string& entries, const ChainEntry& entry) {
  entries += static_cast<char>(entry.kind);
  for (int shift = 56; shift >= 0; shift -= 8) {
    entries += static_cast<char>((static_cast<std::uint64_t>(entry.id) >> shift) & 0xFFU);
  }
  entries += bytes_of(entry.digest);
}

ChainEntry entry_at(std::string_view entries, std::size_t place) noexcept {
  const char* at = entries.data() + place * k_entry_size;
  ChainEntry entry;
  entry.kind = static_cast<EvidenceKind>(static_cast<unsigned char>(*at++));
  std::uint64_t id = 0;
  for (int i = 0; i < 8; ++i) id = id << 8U | static_cast<unsigned char>(*at++);
  entry.id = static_cast<std::int64_t>(id);
  std::copy_n(at, entry.digest.size(), entry.digest.begin());
  return entry;
}

void append_canonical(std::string& text, std::string_view table, const Statement& row) {
  text += table;
  for (int column = 0; column < row.columns(); ++column) {
    text += '|';
    switch (row.type(column)) {
      case Statement::Type::null:
        text += "NULL";
        break;
      case Statement::Type::integer: {
        std::array<char, 24> digits;
        const auto end =
            std::to_chars(digits.data(), digits.data() + digits.size(), row.integer(column)).ptr;
        text.append(digits.data(), end);
        break;
      }
      case Statement::Type::text:
        text += '\'';
        for (const char c : row.text(column)) {
          if (c == '\'') text += c;
          text += c;
        }
        text += '\'';
        break;
      // STRICT tables of evidence have neither; where a definition was changed it shows.
      case Statement::Type::blob:
        text += "X'" + to_hex(row.text(column)) + '\'';
        break;
      case Statement::Type::real:
        text += "real";
        break;
    }
  }
}

Sha256::Digest block_hash(std::string_view previous, std::string_view entries) {
  Sha256 digest;
  digest.update("diskrelease chain 1\n");
  digest.update(previous);
  digest.update(entries);
  return digest.finish();
}

std::string select_items() {
  return select_rows(kind_of(EvidenceKind::items),
                     " WHERE item_id BETWEEN ?1 AND ?2 AND run_id = ?3 ORDER BY item_id");
}

std::string select_duplicate_lines() {
  return select_rows(kind_of(EvidenceKind::duplicate_lines),
                     " WHERE run_id = ?1 ORDER BY source_line, disk_id");
}

DigestOfAll digest_of_all(Statement& rows, std::string_view table) {
  Sha256 digest;
  DigestOfAll result;
  std::string text;
  for (; rows.step(); ++result.count) {
    text.clear();
    append_canonical(text, table, rows);
    text += '\n';
    digest.update(text);
  }
  result.digest = digest.finish();
  return result;
}

std::string digest_of_hashes(Database& database, std::int64_t last) {
  Statement hashes =
      database.prepare("SELECT hash FROM chain WHERE block_id <= ?1 ORDER BY block_id");
  hashes.bind(1, last);
  Sha256 digest;
  while (hashes.step()) digest.update(hashes.text(0));
  return digest.finish_hex();
}

Sha256::Digest archive_digest(Database& database, std::int64_t archive) {
  Sha256 digest;
  std::string text;
  const auto take = [&](std::string_view table, const std::string& sql) {
    Statement rows = database.prepare(sql);
    rows.bind(1, archive);
    while (rows.step()) {
      text.clear();
      append_canonical(text, table, rows);
      text += '\n';
      digest.update(text);
    }
  };
  const Kind& kind = kind_of(EvidenceKind::archive);
  take(kind.table, select_rows(kind, " WHERE archive_id = ?1"));
  for (const ArchivePart& part : k_archive_parts) {
    std::string sql = "SELECT ";
    sql.append(part.columns).append(" FROM ").append(part.table);
    sql.append(" WHERE archive_id = ?1 ORDER BY ").append(part.order);
    take(part.table, sql);
  }
  return digest.finish();
}

ChainHead read_chain_head(Database& database) {
  Statement select = database.prepare(
      "SELECT block_id, hash FROM chain WHERE block_id IN"
      " ((SELECT min(block_id) FROM chain), (SELECT max(block_id) FROM chain)) ORDER BY block_id");
  ChainHead head;
  while (select.step()) {
    head.block = select.integer(0);
    head.hash = to_hex(select.text(1));
    if (head.chain.empty()) head.chain = head.hash;
  }
  return head;
}

/// Prepared when they are first needed.
struct ChainWriter::Statements {
  explicit Statements(Database& database)
      : last_hash(database.prepare("SELECT hash FROM chain ORDER BY block_id DESC LIMIT 1")),
        insert(database.prepare("INSERT INTO chain (entries, hash) VALUES (?1, ?2)")),
        bounds(database.prepare("SELECT first_item_id, first_item_id + item_count - 1,"
                                " duplicate_count FROM run WHERE run_id = ?1")),
        items(database.prepare(select_items())),
        duplicate_lines(database.prepare(select_duplicate_lines())) {}

  Statement last_hash;
  Statement insert;
  Statement bounds;
  Statement items;
  Statement duplicate_lines;
  ByKind<std::optional<Statement>> rows;
};

ChainWriter::ChainWriter() = default;
ChainWriter::~ChainWriter() = default;

void ChainWriter::inserted(std::string_view table, std::int64_t rowid) noexcept {
  const Kind* const evidence = kind_with_table(table);
  if (evidence == nullptr) return;
  if (evidence->entered == Entered::by_archive) has_new_archive_ = true;
  if (evidence->entered != Entered::by_row) return;
  const auto latest =
      std::ranges::find(pending_.rbegin(), pending_.rend(), evidence->kind, &Range::kind);
  if (latest != pending_.rend() && latest->last + 1 == rowid) {
    latest->last = rowid;
  } else {
    try {
      pending_.push_back({evidence->kind, rowid, rowid});
    } catch (const std::bad_alloc&) {
      out_of_memory_ = true;
    }
  }
}

void ChainWriter::rolled_back() noexcept {
  pending_.clear();
  entries_.clear();
  out_of_memory_ = false;
  has_new_archive_ = false;
}

void ChainWriter::before_commit(Database& database) {
  if (out_of_memory_) throw std::bad_alloc();
  if (pending_.empty() && !has_new_archive_) return;
  if (!statements_) statements_ = std::make_unique<Statements>(database);
  for (const Range& range : pending_) {
    enter_rows(database, range);
    if (range.kind != EvidenceKind::run) continue;
    for (std::int64_t run = range.first; run <= range.last; ++run) enter_list(run);
  }
  if (has_new_archive_) enter_archives(database);
  end_block();
  pending_.clear();
  has_new_archive_ = false;
}

Statement& ChainWriter::rows_of(Database& database, const Kind& kind) {
  std::optional<Statement>& rows = statements_->rows[kind.kind];
  if (!rows) {
    const std::string key(key_of(kind));
    rows.emplace(database.prepare(
        select_rows(kind, " WHERE " + key + " BETWEEN ?1 AND ?2 ORDER BY " + key)));
  }
  return *rows;
}

void ChainWriter::enter_rows(Database& database, const Range& range) {
  const Kind& kind = kind_of(range.kind);
  Statement& select = rows_of(database, kind);
  select.reset();  // an earlier failure may have left it within its rows
  select.bind(1, range.first).bind(2, range.last);
  std::int64_t id = range.first;
  for (; select.step(); ++id) {
    text_.clear();
    append_canonical(text_, kind.table, select);
    enter(range.kind, id, text_);
  }
  select.reset();
  if (id != range.last + 1) {
    throw AuditUnusable("audit database " + shown(database.path()) + ": " +
                        std::string(kind.table) + " " + std::to_string(id) +
                        " was inserted and is not there");
  }
}

void ChainWriter::enter_list(std::int64_t run) {
  Statement& bounds = statements_->bounds;
  bounds.bind(1, run);
  static_cast<void>(bounds.step());
  const std::int64_t first = bounds.integer(0);
  const std::int64_t last = bounds.integer(1);
  const bool has_duplicates = bounds.integer(2) > 0;
  bounds.reset();
  const auto enter_all = [&](Statement& rows, EvidenceKind kind, std::int64_t id) {
    append_entry(entries_, {kind, id, digest_of_all(rows, kind_of(kind).table).digest});
    rows.reset();
    if (entries_.size() >= k_most_entries * k_entry_size) end_block();
  };
  for (std::int64_t item = first; item <= last; item += k_items_an_entry) {
    statements_->items.bind(1, item)
        .bind(2, std::min(item + k_items_an_entry - 1, last))
        .bind(3, run);
    enter_all(statements_->items, EvidenceKind::items, item);
  }
  if (has_duplicates) {
    statements_->duplicate_lines.bind(1, run);
    enter_all(statements_->duplicate_lines, EvidenceKind::duplicate_lines, run);
  }
}

void ChainWriter::enter_archives(Database& database) {
  Statement archives = database.prepare("SELECT archive_id FROM archive ORDER BY archive_id");
  while (archives.step()) {
    const std::int64_t archive = archives.integer(0);
    append_entry(entries_, {EvidenceKind::archive, archive, archive_digest(database, archive)});
  }
}

void ChainWriter::enter(EvidenceKind kind, std::int64_t id, std::string_view text) {
  digest_.update(text);
  append_entry(entries_, {kind, id, digest_.finish()});
  if (entries_.size() >= k_most_entries * k_entry_size) end_block();
}

void ChainWriter::end_block() {
  if (entries_.empty()) return;
  Statement& last = statements_->last_hash;
  const std::string previous(last.step() ? last.text(0) : std::string_view());
  last.reset();
  const Sha256::Digest hash = block_hash(previous, entries_);
  statements_->insert.bind_blob(1, entries_).bind_blob(2, bytes_of(hash)).run();
  entries_.clear();
}

}  // namespace diskrelease
