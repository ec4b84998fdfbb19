#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <string>
#include <string_view>

namespace diskrelease {

/// The kinds of evidence: all that is said about each of them is said here, once. Who enumerates
/// kinds (chain, verification, archives, extracts, bundles, statistics) reads this table and looks
/// kinds up by kind, never by position.
///
/// Rule: the table of a kind, its columns and its CHECKs never change once they were released, and
/// neither does its row here. New facts get a new kind with a table of its own, in a new migration.
/// docs/audit-database.md, "Hash chain", says the same for readers of a file.

/// The byte that stands for a kind in an entry of the chain. Never renumbered.
enum class EvidenceKind : std::uint8_t {
  run = 1,
  invocation = 2,
  invocation_end = 3,
  attempt = 4,
  outcome = 5,
  disk_read = 6,
  observation = 7,
  verdict = 8,
  decision = 9,
  items = 10,
  duplicate_lines = 11,
  archive = 12,
  invocation_origin = 13,
};

/// When rows of a kind are entered in the chain.
enum class Entered : std::uint8_t {
  by_row,        ///< an entry for each row, when it is inserted
  with_its_run,  ///< in bulk, right after the entry of the run
  by_archive,    ///< with everything that is recorded of an archive, and again with each later one
};

/// Where the key of a row comes from.
enum class Keys : std::uint8_t {
  own,       ///< given out one after the other, never again
  of_owner,  ///< that of the row that it belongs to
};

struct Kind {
  EvidenceKind kind;
  std::string_view table;
  /// Frozen, in the order of the table's definition: what is hashed. The first one is the key, or,
  /// for a kind with the keys of its owner, that of the owner.
  std::string_view columns;
  Entered entered;
  Keys keys;
  /// The kind of the row that a row belongs to, through a column that is named as the owner's key;
  /// a run belongs to itself. What has keys of its own is archived by them, all else with its
  /// owner.
  EvidenceKind owner;
  int since;  ///< the schema version that its table came with
  /// The name of the files in a bundle that show it, and the query for them; empty where the file
  /// of another kind shows it. Without a query: all its columns, in the order of its keys.
  std::string_view exported = {};
  std::string_view export_query = {};
};

inline constexpr std::array k_kinds{
    Kind{EvidenceKind::run, "run",
         "run_id, name, goal, endpoint, sandbox, list_source, list_format, list_sha256,"
         " settings_json, random_seed, first_item_id, item_count, duplicate_count, created_utc_ms",
         Entered::by_row, Keys::own, EvidenceKind::run, 1},
    Kind{EvidenceKind::invocation, "invocation",
         "invocation_id, run_id, command, user, host, pid, tool_version, endpoint, credential_id,"
         " credential_source, settings_json, settings_sha256, started_utc_ms",
         Entered::by_row, Keys::own, EvidenceKind::run, 1, "invocations",
         "SELECT * FROM invocation LEFT JOIN invocation_end USING (invocation_id)"
         " ORDER BY invocation_id"},
    Kind{EvidenceKind::invocation_end, "invocation_end",
         "invocation_id, reason, detail, exit_code, ended_utc_ms", Entered::by_row, Keys::of_owner,
         EvidenceKind::invocation, 1},
    Kind{EvidenceKind::attempt, "attempt",
         "attempt_id, item_id, invocation_id, attempt_number, stage, intent_utc_ms, observation_id",
         Entered::by_row, Keys::own, EvidenceKind::items, 1, "attempts",
         "SELECT * FROM attempt_log ORDER BY attempt_id"},
    Kind{EvidenceKind::outcome, "outcome",
         "attempt_id, outcome, scope, http_status, api_code, request_id, message, retry_after_ms,"
         " sent_utc_ms, finished_utc_ms, latency_us",
         Entered::by_row, Keys::of_owner, EvidenceKind::attempt, 1},
    Kind{EvidenceKind::disk_read, "disk_read",
         "read_id, invocation_id, purpose, disk_count, result, http_status, api_code, request_id,"
         " message, sent_utc_ms, finished_utc_ms",
         Entered::by_row, Keys::own, EvidenceKind::invocation, 1, "reads"},
    Kind{EvidenceKind::observation, "observation",
         "observation_id, read_id, item_id, status, status_text, disk_type, portable, disk_name,"
         " zone_id, category, instance_id, size_gb",
         Entered::by_row, Keys::own, EvidenceKind::items, 1, "observations",
         "SELECT item.disk_id, observation.*, disk_read.purpose, disk_read.request_id,"
         " disk_read.finished_utc_ms AS read_utc_ms"
         " FROM observation JOIN item USING (item_id) JOIN disk_read USING (read_id)"
         " ORDER BY observation_id"},
    Kind{EvidenceKind::verdict, "verdict",
         "attempt_id, invocation_id, settled, reason, observation_id, detail, decided_utc_ms",
         Entered::by_row, Keys::of_owner, EvidenceKind::attempt, 1, "verdicts",
         "SELECT item.disk_id, attempt.attempt_number, verdict.*"
         " FROM verdict JOIN attempt USING (attempt_id) JOIN item USING (item_id)"
         " ORDER BY attempt_id"},
    Kind{EvidenceKind::decision, "decision",
         "decision_id, run_id, invocation_id, item_id, kind, reason, detail, observation_id,"
         " decided_utc_ms",
         Entered::by_row, Keys::own, EvidenceKind::run, 1, "decisions",
         "SELECT item.disk_id, decision.* FROM decision LEFT JOIN item USING (item_id)"
         " ORDER BY decision_id"},
    Kind{EvidenceKind::items, "item", "item_id, run_id, disk_id, source_line",
         Entered::with_its_run, Keys::own, EvidenceKind::run, 1, "items",
         "SELECT * FROM item_state ORDER BY item_id"},
    Kind{EvidenceKind::duplicate_lines, "duplicate_line", "run_id, source_line, disk_id",
         Entered::with_its_run, Keys::of_owner, EvidenceKind::run, 1},
    Kind{EvidenceKind::archive, "archive",
         "archive_id, file, before_utc_ms, run_count, item_count, block_id, emptied_blocks,"
         " emptied_sha256, user, host, tool_version, created_utc_ms",
         Entered::by_archive, Keys::own, EvidenceKind::archive, 1},
    Kind{EvidenceKind::invocation_origin, "invocation_origin",
         "invocation_id, login_user, sudo_user, terminal, ssh_client, reason", Entered::by_row,
         Keys::of_owner, EvidenceKind::invocation, 2, "origins"},
};

/// What else is hashed for an archive, by its id in this order.
struct ArchivePart {
  std::string_view table;
  std::string_view columns;
  std::string_view order;
};
inline constexpr std::array k_archive_parts{
    ArchivePart{"archived_rows", "archive_id, kind, first_id, last_id", "kind, first_id"},
    ArchivePart{"archived_release", "disk_id, stage, archive_id, run_id", "disk_id, stage"},
};

/// Its place in the table; k_kinds.size() for a byte that is no kind. For ByKind and the functions
/// below: nobody else goes by it.
[[nodiscard]] constexpr std::size_t place_of(EvidenceKind kind) noexcept {
  std::size_t place = 0;
  while (place < k_kinds.size() && k_kinds[place].kind != kind) ++place;
  return place;
}
/// Null for a byte that is no kind.
[[nodiscard]] constexpr const Kind* find_kind(EvidenceKind kind) noexcept {
  const std::size_t place = place_of(kind);
  return place == k_kinds.size() ? nullptr : &k_kinds[place];
}
/// Precondition: `kind` is one of the enumerators.
[[nodiscard]] constexpr const Kind& kind_of(EvidenceKind kind) noexcept {
  return k_kinds[place_of(kind)];
}

/// The key of a kind with keys of its own; else the key of its owner.
[[nodiscard]] constexpr std::string_view key_of(const Kind& kind) noexcept {
  return kind.columns.substr(0, kind.columns.find(','));
}

/// The kind in table archived_rows that decides about rows of this one.
[[nodiscard]] constexpr EvidenceKind archived_with(EvidenceKind kind) noexcept {
  return kind_of(kind).keys == Keys::own ? kind : kind_of(kind).owner;
}

/// What stands for an entry in a message, in front of its id.
[[nodiscard]] constexpr std::string_view name_of(EvidenceKind kind) noexcept {
  return kind == EvidenceKind::duplicate_lines ? "duplicate lines of run" : kind_of(kind).table;
}

/// A value for each kind.
template <class Value>
class ByKind {
 public:
  [[nodiscard]] Value& operator[](EvidenceKind kind) noexcept { return values_[place_of(kind)]; }
  [[nodiscard]] const Value& operator[](EvidenceKind kind) const noexcept {
    return values_[place_of(kind)];
  }

 private:
  std::array<Value, k_kinds.size()> values_{};
};

/// SELECT of all columns of a kind, in their frozen order; `rest` begins with a blank.
[[nodiscard]] inline std::string select_rows(const Kind& kind, std::string_view rest) {
  std::string sql = "SELECT ";
  sql.append(kind.columns).append(" FROM ").append(kind.table).append(rest);
  return sql;
}

namespace kinds_check {

constexpr bool are_columns(std::string_view columns) {
  return !columns.empty() && std::ranges::all_of(columns, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == ',' || c == ' ';
  });
}

constexpr bool is_whole(const Kind& kind) {
  if (place_of(kind.owner) == k_kinds.size()) return false;
  const Kind& owner = kind_of(kind.owner);
  const bool is_its_own = kind.owner == kind.kind;
  if (kind.table.empty() || !are_columns(kind.columns) || kind.since < 1) return false;
  // Of an archive the record has itself as its owner; of all else the owner leads to a run.
  if (owner.keys != Keys::own) return false;
  if (kind.keys == Keys::of_owner && (is_its_own || key_of(owner) != key_of(kind))) return false;
  if (kind.keys == Keys::own && !is_its_own &&
      kind.columns.find(key_of(owner)) == std::string_view::npos) {
    return false;
  }
  return kind.export_query.empty() || !kind.exported.empty();
}

constexpr bool have_numbers_in_order() {
  std::uint8_t next = 1;
  for (const Kind& kind : k_kinds) {
    if (static_cast<std::uint8_t>(kind.kind) != next++) return false;
  }
  return true;
}

constexpr bool have_tables_of_their_own() {
  for (std::size_t i = 0; i < k_kinds.size(); ++i) {
    for (std::size_t k = i + 1; k < k_kinds.size(); ++k) {
      if (k_kinds[i].table == k_kinds[k].table) return false;
    }
  }
  return true;
}

static_assert(have_numbers_in_order(), "kinds are numbered 1, 2, 3, ... in the order of the table");
static_assert(std::ranges::all_of(k_kinds, is_whole), "a kind of evidence is half defined");
static_assert(have_tables_of_their_own(), "two kinds have one table");

}  // namespace kinds_check

}  // namespace diskrelease
