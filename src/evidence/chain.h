#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/kinds.h"
#include "platform/sha256.h"
#include "store/database.h"

namespace diskrelease {

/// The hash chain over the evidence: docs/audit-database.md, "Hash chain", describes it byte by
/// byte, with test vectors.
///
/// Every row of evidence has an entry in a block of the table `chain`; every block hashes the one
/// before it. A block is part of the transaction whose rows it holds.

inline constexpr std::int64_t k_items_an_entry = 1'000;

struct ChainEntry {
  EvidenceKind kind = EvidenceKind::run;
  std::int64_t id = 0;  ///< key of the row; first item; run of the duplicate lines; archive
  Sha256::Digest digest{};
};
inline constexpr std::size_t k_entry_size = 1 + 8 + 32;

/// Appends the 41 bytes of an entry.
void append_entry(std::string& entries, const ChainEntry& entry);
/// Precondition: `place` entries of k_entry_size stand before it.
[[nodiscard]] ChainEntry entry_at(std::string_view entries, std::size_t place) noexcept;

/// Appends the text that is hashed for a row: the name of its table, then each of its frozen
/// columns as an SQL literal behind a vertical bar. `row` has these columns, in their order
/// (select_rows).
void append_canonical(std::string& text, std::string_view table, const Statement& row);

/// The hash of a block. `previous` is empty for the first one.
[[nodiscard]] Sha256::Digest block_hash(std::string_view previous, std::string_view entries);

/// Rows of bulk kinds, in the order in which they are hashed.
[[nodiscard]] std::string select_items();            ///< bind: first item, last item, run
[[nodiscard]] std::string select_duplicate_lines();  ///< bind: run

/// Steps through all rows: what is hashed for them is the canonical text of each and a line feed.
struct DigestOfAll {
  Sha256::Digest digest{};
  std::int64_t count = 0;
};
[[nodiscard]] DigestOfAll digest_of_all(Statement& rows, std::string_view table);

/// Hex of the SHA-256 over the hashes of the blocks 1 to `last`.
[[nodiscard]] std::string digest_of_hashes(Database& database, std::int64_t last);

/// What is hashed for an archive: its row, its archived_rows and its archived_releases.
[[nodiscard]] Sha256::Digest archive_digest(Database& database, std::int64_t archive);

/// The end of a chain. What a person keeps elsewhere to hold against the file later.
struct ChainHead {
  std::string chain;       ///< hex of the first block's hash: names the database
  std::int64_t block = 0;  ///< 0 = the chain is empty
  std::string hash;        ///< hex of the last block's hash
};
[[nodiscard]] ChainHead read_chain_head(Database& database);

/// Writes the chain: enters every row of evidence that a transaction has inserted, as it is stored,
/// just before the commit. With an archive all earlier ones are entered once more, for the entries
/// that they have may go. Used by the thread that uses the connection. A row that was inserted
/// outside of a Transaction is entered by the next one.
class ChainWriter final : public InsertObserver {
 public:
  ChainWriter();
  ~ChainWriter() override;

  void inserted(std::string_view table, std::int64_t rowid) noexcept override;
  /// Throws AuditUnusable, also when a row that was inserted is no longer there.
  void before_commit(Database& database) override;
  void rolled_back() noexcept override;

 private:
  struct Range {
    EvidenceKind kind;
    std::int64_t first;
    std::int64_t last;
  };
  struct Statements;

  void enter_rows(Database& database, const Range& range);
  Statement& rows_of(Database& database, const Kind& kind);
  void enter_list(std::int64_t run);
  void enter_archives(Database& database);
  void enter(EvidenceKind kind, std::int64_t id, std::string_view text);
  void end_block();

  std::vector<Range> pending_;
  bool out_of_memory_ = false;  ///< something is missing in pending_
  bool has_new_archive_ = false;
  std::unique_ptr<Statements> statements_;
  std::string entries_;  ///< of the block that is being made
  std::string text_;
  Sha256 digest_;
};

}  // namespace diskrelease
