#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "audit/chain.h"
#include "audit/database.h"

namespace diskrelease {

/// Which rows of evidence archives have taken, by table archived_rows.
class ArchivedRows {
 public:
  /// Those of the archives with an id from `first` to `last`.
  ArchivedRows(Database& database, std::int64_t first, std::int64_t last);

  /// Whether an entry of the chain is about such a row. Of a thousand items the first one counts,
  /// for a run leaves as a whole. False for archives.
  [[nodiscard]] bool contains(EvidenceKind kind, std::int64_t id) const noexcept;

 private:
  struct Range {
    std::int64_t first;
    std::int64_t last;
  };
  static constexpr std::size_t k_kinds = 7;

  std::array<std::vector<Range>, k_kinds> ranges_;  ///< each in order, without overlaps
};

}  // namespace diskrelease
