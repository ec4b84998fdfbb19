#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "evidence/chain.h"
#include "store/database.h"

namespace diskrelease {

/// Somebody who can write every file but the anchors, and knows the formats: changes a database
/// behind the back of this program, and makes blocks, records of archives and sealed files that
/// hold by themselves. Until it is destroyed the file has no triggers. Also for the extract in a
/// bundle.
class Forger {
 public:
  explicit Forger(const std::filesystem::path& file);
  /// Puts the triggers back, and makes disk_item and the derived tables fit.
  ~Forger();
  Forger(const Forger&) = delete;
  Forger& operator=(const Forger&) = delete;

  void sql(const std::string& statements) { database_.execute(statements); }
  [[nodiscard]] std::int64_t number(const std::string& query) {
    return database_.query_integer(query);
  }
  [[nodiscard]] Database& database() { return database_; }

  /// What the chain would have of a row, or of the rows of a bulk kind, as they are now.
  [[nodiscard]] std::string entry(EvidenceKind kind, std::int64_t id);
  /// The same of all rows of a run.
  [[nodiscard]] std::string entries_of_run(std::int64_t run);
  /// A block that continues the chain; returns its number.
  std::int64_t append_block(const std::string& entries);
  /// Computes all hashes from a block on anew.
  void rehash_from(std::int64_t block);

  void remove_run(std::int64_t run);
  /// Leaves only the rows of these runs.
  void keep_runs(const std::vector<std::int64_t>& runs);

  /// Puts an archive on record that has taken these runs, in block `block`, which is not made.
  void record_archive(std::int64_t archive, const std::vector<std::int64_t>& runs,
                      std::int64_t emptied_blocks, std::int64_t block);
  /// A copy of the file as it is now, as the sealed file of the latest archive, with the rows of
  /// these runs only.
  void make_sealed(const std::filesystem::path& file, const std::vector<std::int64_t>& runs);
  /// Of blocks up to this one only the hashes are kept.
  void empty_blocks(std::int64_t last);

 private:
  void remove_rows(const std::string& runs, const std::string& which);

  std::filesystem::path file_;
  Database database_;
  std::vector<std::string> triggers_;
};

}  // namespace diskrelease
