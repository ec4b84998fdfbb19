#include "custody/archived_rows.h"

#include <algorithm>
#include <string_view>

namespace diskrelease {
namespace {

/// The values of archived_rows.kind.
constexpr std::array<std::string_view, 7> k_names{
    "run", "item", "invocation", "attempt", "disk_read", "observation", "decision"};

/// The place in k_names of what decides about rows of a kind; k_names.size() = nothing does.
std::size_t place_of(EvidenceKind kind) noexcept {
  switch (kind) {
    case EvidenceKind::run:
    case EvidenceKind::duplicate_lines:
      return 0;
    case EvidenceKind::items:
      return 1;
    case EvidenceKind::invocation:
    case EvidenceKind::invocation_end:
      return 2;
    case EvidenceKind::attempt:
    case EvidenceKind::outcome:
    case EvidenceKind::verdict:
      return 3;
    case EvidenceKind::disk_read:
      return 4;
    case EvidenceKind::observation:
      return 5;
    case EvidenceKind::decision:
      return 6;
    case EvidenceKind::archive:
      break;
  }
  return k_names.size();
}

}  // namespace

ArchivedRows::ArchivedRows(Database& database, std::int64_t first, std::int64_t last) {
  Statement select = database.prepare(
      "SELECT kind, first_id, last_id, archive_id FROM archived_rows"
      " WHERE archive_id BETWEEN ?1 AND ?2 ORDER BY first_id, archive_id");
  select.bind(1, first).bind(2, last);
  while (select.step()) {
    const auto* const name = std::ranges::find(k_names, select.text(0));
    if (name == k_names.end()) continue;
    std::vector<Range>& ranges = ranges_[static_cast<std::size_t>(name - k_names.begin())];
    const Range range{select.integer(1), select.integer(2), select.integer(3)};
    const std::string text = std::string(*name) + " " + std::to_string(range.first) + " to " +
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
  const std::size_t place = place_of(kind);
  if (place == ranges_.size()) return nullptr;
  const std::vector<Range>& ranges = ranges_[place];
  const auto behind = std::ranges::upper_bound(ranges, id, {}, &Range::first);
  if (behind == ranges.begin() || id > std::prev(behind)->last) return nullptr;
  return &*std::prev(behind);
}

const std::vector<ArchivedRows::Range>& ArchivedRows::ranges(EvidenceKind kind) const noexcept {
  return ranges_[place_of(kind)];
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
