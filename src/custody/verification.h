#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "custody/archive.h"
#include "evidence/anchor_file.h"
#include "evidence/chain.h"
#include "store/database.h"

namespace diskrelease {

struct VerifiedTable {
  std::string_view name;
  std::int64_t rows = 0;  ///< that have an entry
};

/// What a verification has found.
struct Verification {
  ChainHead head;
  /// The archive that the database is the file of; 0 = it is one that runs are added to.
  std::int64_t sealed_archive = 0;
  std::vector<ArchiveRecord> archives;  ///< that the chain has on record
  /// Of each archive: hex of the digest of all that is recorded of it.
  std::map<std::int64_t, std::string> archive_digests;
  std::vector<VerifiedTable> tables;
  std::int64_t anchors = 0;         ///< that fit
  std::int64_t anchored_block = 0;  ///< of the latest anchor
  std::int64_t later_anchors = 0;   ///< of a sealed file: of blocks that it does not have
  std::int64_t later_entries = 0;   ///< in blocks behind the latest anchor
  /// Blocks of which archives by their records have the entries, and none of the files that were
  /// verified together has.
  std::int64_t unseen_blocks = 0;
  std::int64_t problem_count = 0;
  std::vector<std::string> problems;  ///< the first of them, for people

  [[nodiscard]] bool passed() const noexcept { return problem_count == 0; }
  /// Whether the latest anchor tells that what is in the blocks up to it, this file's and those of
  /// the archives verified with it, is what was there when it was made. False where the entries of
  /// blocks were not seen: nothing tells whether the rows that they were about are those of the
  /// archives, or were entered anew behind the anchor.
  [[nodiscard]] bool anchored() const noexcept { return anchors > 0 && unseen_blocks == 0; }

  void add_problem(std::string text);

  static constexpr std::size_t k_most_problems = 100;
};

/// What of a database is looked at.
enum class VerificationScope {
  all,
  evidence,  ///< not whether the derived tables fit
};

/// Recomputes the hash chain of a database and holds it against everything that is in it, and
/// against `anchors`. Only reads; runs nothing that the file defines. Takes as much memory for any
/// number of rows, but for one bit a row; where keys stand far apart up to a hundred bytes a row.
/// Throws AuditUnusable where the file cannot be read at all.
///
/// Finds: rows that were changed, removed, added, doubled or exchanged; keys that were used again;
/// a chain that was changed, cut in the middle or continued differently; lists that do not fit
/// their digest; indexes that do not fit their tables; triggers, views, indexes and tables that are
/// not as this program makes them (of tables: and then nothing else). With anchors also: a database
/// that was cut off at its end, rolled back, or replaced by another. Where all of that is in order,
/// also: derived tables that do not fit the evidence; ones that are missing are no finding.
///
/// Of archives: a record that does not fit itself, the chain or another archive; rows that are here
/// and in an archive by its record, or in neither; in the file of an archive also entries, of
/// blocks that it has emptied, about rows that no archive has, and other releases remembered than
/// its rows tell. What other files have is not looked at: verify_files().
[[nodiscard]] Verification verify_audit(Database& database, const std::vector<Anchor>& anchors,
                                        VerificationScope scope = VerificationScope::all);

/// A database or a sealed file, and what verify_audit() has found.
struct VerifiedFile {
  std::string name;  ///< for messages
  Verification found;
};

/// Holds a database and archives against each other, and adds to each what does not fit: another
/// file than the one on record, other records of one archive, anchors later than a sealed file
/// without the database, which alone can tell that they fit.
void verify_files(std::span<VerifiedFile> files);

}  // namespace diskrelease
