#include "derived/request_index.h"

#include <algorithm>
#include <compare>
#include <iterator>
#include <string>

namespace diskrelease {
namespace {

/// Everything before it has been looked at.
std::int64_t end_of_segments(Database& database, const std::string& schema) {
  // No more than the attempts can fill, whatever somebody has put there.
  return database.query_integer("SELECT min((SELECT coalesce(max(segment), -1) FROM " + schema +
                                ".request_index),"
                                "           (SELECT coalesce(max(attempt_id), 0) FROM " +
                                schema + ".attempt) / " + std::to_string(k_attempts_a_segment) +
                                " - 1) + 1");
}

/// Segments from `first` on and before `end` that have something, in their order: whatever ids
/// somebody has put there, there are no more rounds than rows. `next`: the first one from ?1 on and
/// before ?2, NULL = none.
std::vector<std::int64_t> segments_with(Statement next, std::int64_t first, std::int64_t end) {
  std::vector<std::int64_t> found;
  for (std::int64_t segment = first;; ++segment) {
    next.bind(1, segment).bind(2, end);
    static_cast<void>(next.step());
    if (next.is_null(0)) return found;
    segment = next.integer(0);
    found.push_back(segment);
    next.reset();
  }
}

std::vector<std::int64_t> segments_with_entries(Database& database, const std::string& schema,
                                                std::int64_t end) {
  return segments_with(database.prepare("SELECT min(segment) FROM " + schema +
                                        ".request_index WHERE segment >= ?1 AND segment < ?2"),
                       0, end);
}

std::vector<std::int64_t> segments_with_outcomes(Database& database, std::int64_t first,
                                                 std::int64_t end) {
  const std::string size = std::to_string(k_attempts_a_segment);
  return segments_with(database.prepare("SELECT (min(attempt_id) - 1) / " + size +
                                        " FROM outcome WHERE attempt_id > ?1 * " + size +
                                        " AND attempt_id <= ?2 * " + size),
                       first, end);
}

/// As this program makes it; an archive keeps the one that it was sealed with.
bool has_request_index(Database& database, const std::string& schema) {
  return database.query_integer("SELECT count(*) FROM pragma_table_info('request_index', '" +
                                schema + "') WHERE name = 'entries'") != 0;
}

/// What the outcomes of a segment need. ?1, ?2: its first and last attempt.
constexpr std::string_view k_select_request_ids =
    "SELECT attempt_id, request_id FROM outcome"
    " WHERE attempt_id BETWEEN ?1 AND ?2 AND request_id IS NOT NULL";

struct Entry {
  std::uint64_t key = 0;
  std::int64_t place = 0;

  friend auto operator<=>(const Entry&, const Entry&) = default;
};

std::int64_t attempt_of(std::int64_t segment, const Entry& entry) noexcept {
  return segment * k_attempts_a_segment + entry.place + 1;
}

void append(std::string& row, const Entry& entry) {
  for (int shift = 56; shift >= 0; shift -= 8) row += static_cast<char>(entry.key >> shift);
  for (int shift = 8; shift >= 0; shift -= 8) row += static_cast<char>(entry.place >> shift);
}

std::vector<Entry> entries_in(std::string_view row) {
  std::vector<Entry> entries;
  entries.reserve(row.size() / k_request_entry_size);
  for (; row.size() >= k_request_entry_size; row.remove_prefix(k_request_entry_size)) {
    Entry entry;
    for (std::size_t i = 0; i < 8; ++i) {
      entry.key = entry.key << 8U | static_cast<unsigned char>(row[i]);
    }
    entry.place = static_cast<unsigned char>(row[8]) << 8 | static_cast<unsigned char>(row[9]);
    entries.push_back(entry);
  }
  return entries;
}

/// In the order of the attempts. `outcomes` = k_select_request_ids.
std::vector<Entry> entries_of(Statement& outcomes, std::int64_t segment) {
  const std::int64_t first = attempt_of(segment, {});
  outcomes.bind(1, first).bind(2, first + k_attempts_a_segment - 1);
  std::vector<Entry> entries;
  while (outcomes.step()) {
    entries.push_back({request_key(outcomes.text(1)), outcomes.integer(0) - first});
  }
  outcomes.reset();
  return entries;
}

}  // namespace

std::uint64_t request_key(std::string_view request_id) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : request_id) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

void extend_request_index(Database& database, std::int64_t settled) {
  // Neither has a database that is read with derived tables of its own in place of its file's.
  if (!has_request_index(database, "main")) return;
  const std::int64_t first = end_of_segments(database, "main");
  const std::int64_t end = settled / k_attempts_a_segment;
  if (first >= end) return;
  // Ids that are missing - nothing here leaves any out - need no segment; the last one says up to
  // where everything has been looked at.
  std::vector<std::int64_t> segments = segments_with_outcomes(database, first, end);
  if (segments.empty() || segments.back() != end - 1) segments.push_back(end - 1);
  Statement outcomes = database.prepare(k_select_request_ids);
  Statement insert = database.prepare("INSERT INTO request_index VALUES (?1, ?2)");
  for (const std::int64_t segment : segments) {
    std::vector<Entry> entries = entries_of(outcomes, segment);
    // A segment in which nobody has answered must be known as looked at, too.
    entries.push_back({0, k_attempts_a_segment - 1});
    std::ranges::sort(entries);
    entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
    std::string row;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      append(row, entries[i]);
      if ((i + 1) % k_request_entries_a_row != 0 && i + 1 != entries.size()) continue;
      insert.bind(1, segment).bind_blob(2, row).run();
      row.clear();
    }
  }
}

std::optional<std::vector<std::int64_t>> attempts_by_request(Database& database,
                                                             std::string_view request_id) {
  std::vector<std::string> schemas;
  {
    Statement names =
        database.prepare("SELECT name FROM pragma_database_list WHERE name <> 'temp'");
    while (names.step()) schemas.emplace_back(names.text(0));
  }
  const std::uint64_t key = request_key(request_id);
  std::string after_all_with_key;
  append(after_all_with_key, {key, 0xFFFF});
  std::vector<std::int64_t> attempts;
  for (const std::string& schema : schemas) {
    if (!has_request_index(database, schema)) return std::nullopt;
    const std::int64_t count = end_of_segments(database, schema);
    // From the last row that begins with the key, or else the last one before it, downwards: rows
    // are in the order of their first entries.
    Statement rows = database.prepare("SELECT entries FROM " + schema +
                                      ".request_index WHERE segment = ?1 AND entries < ?2"
                                      " ORDER BY entries DESC");
    for (const std::int64_t segment : segments_with_entries(database, schema, count)) {
      rows.bind(1, segment).bind_blob(2, after_all_with_key);
      while (rows.step()) {
        const std::vector<Entry> entries = entries_in(rows.text(0));
        for (const Entry& entry : entries) {
          if (entry.key == key) attempts.push_back(attempt_of(segment, entry));
        }
        if (!entries.empty() && entries.front().key < key) break;
      }
      rows.reset();
    }
    Statement later = database.prepare("SELECT attempt_id FROM " + schema +
                                       ".outcome WHERE attempt_id > ?1 AND request_id = ?2");
    later.bind(1, count * k_attempts_a_segment).bind(2, request_id);
    while (later.step()) attempts.push_back(later.integer(0));
  }
  std::ranges::sort(attempts);
  return attempts;
}

std::vector<std::int64_t> attempts_missing_in_request_index(Database& database, std::size_t most) {
  std::vector<std::int64_t> missing;
  Statement rows = database.prepare("SELECT entries FROM request_index WHERE segment = ?1");
  Statement outcomes = database.prepare(k_select_request_ids);
  for (const std::int64_t segment :
       segments_with_outcomes(database, 0, end_of_segments(database, "main"))) {
    std::vector<Entry> indexed;
    rows.bind(1, segment);
    while (rows.step()) std::ranges::copy(entries_in(rows.text(0)), std::back_inserter(indexed));
    rows.reset();
    // A lookup relies on the order.
    const bool in_order = std::ranges::is_sorted(indexed);
    for (const Entry& entry : entries_of(outcomes, segment)) {
      if (missing.size() == most) return missing;
      if (in_order && std::ranges::binary_search(indexed, entry)) continue;
      missing.push_back(attempt_of(segment, entry));
    }
  }
  return missing;
}

}  // namespace diskrelease
