#include "audit/request_index.h"

#include <algorithm>
#include <utility>

namespace diskrelease {
namespace {

std::int64_t segments(Database& database, const std::string& schema) {
  // No more than the attempts can fill, whatever somebody has put there.
  return database.query_integer("SELECT min((SELECT coalesce(max(segment), -1) FROM " + schema +
                                ".request_index),"
                                "           (SELECT coalesce(max(attempt_id), 0) FROM " +
                                schema + ".attempt) / " + std::to_string(k_attempts_a_segment) +
                                " - 1) + 1");
}

}  // namespace

std::int64_t request_key(std::string_view request_id) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : request_id) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return static_cast<std::int64_t>(hash);
}

void extend_request_index(Database& database, std::int64_t settled) {
  std::int64_t segment = segments(database, "main");
  if (settled < (segment + 1) * k_attempts_a_segment) return;
  Statement outcomes = database.prepare(
      "SELECT attempt_id, request_id FROM outcome WHERE attempt_id BETWEEN ?1 AND ?2");
  Statement insert = database.prepare("INSERT INTO request_index VALUES (?1, ?2, ?3)");
  std::vector<std::pair<std::int64_t, std::int64_t>> keys;
  for (; settled >= (segment + 1) * k_attempts_a_segment; ++segment) {
    const std::int64_t first = segment * k_attempts_a_segment + 1;
    const std::int64_t last = first + k_attempts_a_segment - 1;
    outcomes.bind(1, first).bind(2, last);
    keys.clear();
    while (outcomes.step()) {
      if (!outcomes.is_null(1)) {
        keys.emplace_back(request_key(outcomes.text(1)), outcomes.integer(0));
      }
    }
    outcomes.reset();
    // A segment in which nobody has answered must be known as looked at, too.
    keys.emplace_back(0, last);
    std::ranges::sort(keys);
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    for (const auto& [key, attempt] : keys) {
      insert.bind(1, segment).bind(2, key).bind(3, attempt).run();
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
  std::vector<std::int64_t> attempts;
  for (const std::string& schema : schemas) {
    if (database.query_integer("SELECT count(*) FROM " + schema +
                               ".sqlite_schema WHERE name = 'request_index'") == 0) {
      return std::nullopt;
    }
    const std::int64_t count = segments(database, schema);
    Statement indexed = database.prepare("SELECT attempt_id FROM " + schema +
                                         ".request_index WHERE segment = ?1 AND key = ?2");
    for (std::int64_t segment = 0; segment < count; ++segment) {
      indexed.bind(1, segment).bind(2, request_key(request_id));
      while (indexed.step()) attempts.push_back(indexed.integer(0));
      indexed.reset();
    }
    Statement later = database.prepare("SELECT attempt_id FROM " + schema +
                                       ".outcome WHERE attempt_id > ?1 AND request_id = ?2");
    later.bind(1, count * k_attempts_a_segment).bind(2, request_id);
    while (later.step()) attempts.push_back(later.integer(0));
  }
  return attempts;
}

}  // namespace diskrelease
