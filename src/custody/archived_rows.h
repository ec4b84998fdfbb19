#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/chain.h"
#include "store/database.h"

namespace diskrelease {

/// Which rows of evidence archives have taken, by table archived_rows. Takes memory for each range,
/// however far it reaches.
class ArchivedRows {
 public:
  struct Range {
    std::int64_t first;
    std::int64_t last;
    std::int64_t archive;
  };

  /// Those of the archives with an id from `first` to `last`.
  ArchivedRows(Database& database, std::int64_t first, std::int64_t last);

  /// The range with the row that an entry of the chain is about; null = no archive has it. Of a
  /// thousand items the first one counts, for a run leaves as a whole. Null for archives.
  [[nodiscard]] const Range* find(EvidenceKind kind, std::int64_t id) const noexcept;
  [[nodiscard]] bool contains(EvidenceKind kind, std::int64_t id) const noexcept {
    return find(kind, id) != nullptr;
  }

  /// All ranges that decide about a kind, in order; none for archives.
  [[nodiscard]] const std::vector<Range>& ranges(EvidenceKind kind) const noexcept;

  /// How many rows an archive has taken, of what decides about a kind.
  [[nodiscard]] std::int64_t count(EvidenceKind kind, std::int64_t archive) const noexcept;

  /// Ranges that no archive can have, as text: rows that are taken twice, keys below 1.
  [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }

 private:
  ByKind<std::vector<Range>> ranges_;
  std::vector<std::string> problems_;
};

}  // namespace diskrelease
