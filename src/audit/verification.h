#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/anchor_file.h"
#include "audit/archive.h"
#include "audit/chain.h"

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
  std::vector<VerifiedTable> tables;
  std::int64_t anchors = 0;         ///< that fit
  std::int64_t anchored_block = 0;  ///< of the latest anchor
  std::int64_t later_anchors = 0;   ///< of a sealed file: of blocks that it does not have
  std::int64_t problem_count = 0;
  std::vector<std::string> problems;  ///< the first of them, for people

  [[nodiscard]] bool passed() const noexcept { return problem_count == 0; }

  static constexpr std::size_t k_most_problems = 100;
};

/// Recomputes the hash chain of a database and holds it against everything that is in it, and
/// against `anchors`. Only reads. Takes as much memory for any number of rows, but for one bit a
/// row. Throws AuditUnusable where the file cannot be read at all.
///
/// Finds: rows that were changed, removed, added, doubled or exchanged; a chain that was changed,
/// cut in the middle or continued differently; lists that do not fit their digest; indexes that do
/// not fit their tables; triggers, views, indexes and tables that are not as this program makes
/// them (of tables: and then nothing else). With anchors also: a database that was cut off at its
/// end, rolled back, or replaced by another. Where all of that is in order, also: derived tables
/// that do not fit the evidence; ones that are missing are no finding.
///
/// Rows that the chain has and that are in an archive by its record must not be here; in the file
/// of an archive the others. What archives have is not looked at: somebody who can add to the chain
/// can put an archive on record that nobody has, and remove the rows. Each has to be verified, too.
[[nodiscard]] Verification verify_audit(Database& database, const std::vector<Anchor>& anchors);

}  // namespace diskrelease
