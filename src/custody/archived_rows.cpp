#include "custody/archived_rows.h"

#include <algorithm>
#include <string_view>

#include "model/visible_text.h"

namespace diskrelease {
namespace {

/// What decides about rows of other kinds; null = `text` is the table of none.
const Kind* find_deciding(std::string_view text) noexcept {
  const auto found = std::ranges::find(k_kinds, text, &Kind::table);
  const bool decides =
      found != k_kinds.end() && found->keys == Keys::own && found->entered != Entered::by_archive;
  return decides ? &*found : nullptr;
}

}  // namespace

ArchivedRows::ArchivedRows(Database& database, std::int64_t first, std::int64_t last) {
  Statement select = database.prepare(
      "SELECT kind, first_id, last_id, archive_id FROM archived_rows"
      " WHERE archive_id BETWEEN ?1 AND ?2 ORDER BY first_id, archive_id");
  select.bind(1, first).bind(2, last);
  while (select.step()) {
    const Range range{select.integer(1), select.integer(2), select.integer(3)};
    const Kind* const kind = find_deciding(select.text(0));
    if (kind == nullptr) {
      problems_.push_back("archive " + std::to_string(range.archive) + ": has rows of the kind " +
                          visible(std::string(select.text(0)), 100) + ", which there is not");
      continue;
    }
    std::vector<Range>& ranges = ranges_[kind->kind];
    const std::string text = std::string(kind->table) + " " + std::to_string(range.first) + " to " +
                             std::to_string(range.last);
    if (range.first < 1 || range.last < range.first) {
      problems_.push_back("archive " + std::to_string(range.archive) + ": has " + text +
                          ", which no table can have");
      continue;
    }
    if (!ranges.empty() && range.first <= ranges.back().last) {
      problems_.push_back("archive " + std::to_string(range.archive) + ": has " + text +
                          ", of which archive " + std::to_string(ranges.back().archive) +
                          " has rows already");
      continue;
    }
    ranges.push_back(range);
  }
}

const ArchivedRows::Range* ArchivedRows::find(EvidenceKind kind, std::int64_t id) const noexcept {
  const std::vector<Range>& ranges = this->ranges(kind);
  const auto behind = std::ranges::upper_bound(ranges, id, {}, &Range::first);
  if (behind == ranges.begin() || id > std::prev(behind)->last) return nullptr;
  return &*std::prev(behind);
}

const std::vector<ArchivedRows::Range>& ArchivedRows::ranges(EvidenceKind kind) const noexcept {
  return ranges_[archived_with(kind)];
}

std::int64_t ArchivedRows::count(EvidenceKind kind, std::int64_t archive) const noexcept {
  // Ranges have no row twice, so the sum is a number of keys.
  std::int64_t rows = 0;
  for (const Range& range : ranges(kind)) {
    if (range.archive == archive) rows += range.last - range.first + 1;
  }
  return rows;
}

}  // namespace diskrelease
