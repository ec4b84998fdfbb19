#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/attempt.h"
#include "model/goal.h"
#include "model/ids.h"
#include "model/observation.h"
#include "model/outcome.h"
#include "store/database.h"
#include "store/grouped_insert.h"

namespace diskrelease {

/// What one item counts as in a summary.
struct ItemEnding {
  std::string state;
  std::string code;      ///< the API's code, else HTTP status, else the reason of a decision
  std::string verified;  ///< empty unless the latest attempt was accepted or executed

  friend auto operator<=>(const ItemEnding&, const ItemEnding&) = default;
};

/// The same for every item, from the evidence: columns item_id, run_id, state, code, verified,
/// next_stage. To be completed with item_state, as a whole or in part.
inline constexpr std::string_view k_select_item_endings_from =
    "SELECT item_id, run_id, state,"
    " CASE WHEN state IN ('failed', 'skipped') THEN coalesce(decision_reason, '')"
    "      WHEN state IN ('rejected', 'already_gone') AND decision_reason IS NOT NULL"
    "           AND last_outcome IS NOT 'already_gone' THEN decision_reason"
    "      WHEN state IN ('released', 'rejected', 'already_gone') AND settled IS NOT NULL"
    "        THEN 'settled_' || settled"
    "      ELSE coalesce(last_api_code, 'HTTP ' || nullif(last_http_status, 200), '') END AS code,"
    " coalesce(verified, '') AS verified, next_stage FROM ";

/// What may still be done with an item. Persisted as a number (item_now.open).
enum class Openness : int {
  closed = 0,
  to_read = 1,   ///< unknown, or half way through a purge
  accepted = 2,  ///< accepted, and not looked at since; not in the index item_now_open
  to_send = 3,
  leaving = 4  ///< accepted, looked at since, and not seen to come true
};
[[nodiscard]] Openness openness_of(std::string_view state, std::string_view verified) noexcept;

/// Keeps the derived tables (schema/derived.sql) in step with the evidence.
///
/// Whoever adds evidence about an item says so in the transaction that adds it, after the row is
/// in, and calls write() last before the commit. What an item has become is asked of the view
/// item_state, except where it follows from what was said: the course of an ordinary item (seen,
/// announced, accepted, seen again) asks nothing of it.
///
/// Not thread-safe; one at a time for a database. After a transaction that was not committed it
/// must not be used any more. All member functions throw AuditUnusable.
class RunTally {
 public:
  /// How far the row-by-row front of a run may lag behind its latest items. What is behind gets a
  /// row though it is pending, so that nobody has to search for it.
  static constexpr std::int64_t k_longest_lag = 10'000;

  /// When run_progress and derived_until are written: they cost two pages a commit.
  enum class Marks {
    always,
    now_and_then,  ///< before much has come together that somebody would have to look through
  };
  explicit RunTally(Database& database, Marks marks = Marks::always);

  /// An intent.
  void announced(AttemptId attempt, ItemId item);
  /// An outcome. Precondition: `attempt` is the item's latest.
  void ended(AttemptId attempt, ItemId item, Outcome outcome, std::optional<int> http_status,
             std::string_view api_code);
  /// An observation.
  void seen(ItemId item, DiskStatus status);
  /// A decision or a verdict.
  void changed(ItemId item);

  /// As changed(), but brought up to date at once: for the many items of a long loop.
  void refresh(ItemId item);

  void write();

 private:
  struct Row {
    std::int64_t tally;
    Openness open;
  };
  struct Tally {
    std::int64_t id = 0;
    ItemEnding ending;
    std::int64_t example = 0;  ///< 0 = none is known
    std::int64_t change = 0;   ///< since the latest write()
    bool changed = false;
  };
  struct Run {
    std::int64_t id = 0;
    std::int64_t first = 0;
    std::int64_t last = 0;
    Goal goal = Goal::release;
    std::int64_t first_gap = 0;
    std::int64_t last_touched = 0;
    std::int64_t highest_row = 0;  ///< written by this object
    bool changed = false;
  };
  using TallyKey = std::pair<std::int64_t, ItemEnding>;
  struct Accepted {
    Run* run = nullptr;
    ItemId item;
    std::int64_t tally = 0;
  };

  Run& run_of(ItemId item);
  Run& touch(ItemId item);
  /// Stores first what is in accepted_.
  std::optional<Row> find_row(ItemId item);
  Tally& tally_by_ending(std::int64_t run, const ItemEnding& ending);
  Tally& tally_by_id(std::int64_t id);
  /// `before` = the item's row; nullopt = it has none, or that has not been looked at.
  void set(Run& run, ItemId item, std::optional<Row> before, const ItemEnding& ending);
  void count(Run& run, ItemId item, Tally& tally);
  /// Before a row of item_now is looked at.
  void store_accepted();
  [[nodiscard]] bool any_has_row(std::span<const Accepted> group);
  void bring_up_to_date(ItemId item, bool even_if_plain);
  void advance(Run& run);
  void write_marks();

  Statement find_run_;
  Statement find_row_;
  Statement insert_row_;
  GroupedInsert insert_accepted_;
  Statement any_has_row_;
  Statement update_row_;
  Statement find_tally_;
  Statement find_tally_by_id_;
  Statement insert_tally_;
  Statement update_tally_;
  Statement ending_;
  Statement rows_from_;
  Statement update_progress_;
  Statement update_until_;
  Database& database_;
  const Marks marks_;

  int said_since_marks_ = 0;
  bool must_write_marks_ = false;
  std::map<std::int64_t, Run> runs_;
  Run* latest_run_ = nullptr;
  std::map<TallyKey, std::int64_t> tally_ids_;
  std::map<std::int64_t, Tally> tallies_;
  /// Attempts without an outcome, and their items; with each item whether it was seen since.
  std::map<std::int64_t, std::int64_t> open_attempts_;
  std::unordered_map<std::int64_t, bool> seen_while_open_;
  /// Ordinary items whose release has just been accepted: most have no row yet, which is looked up
  /// and inserted for several at a time.
  std::vector<Accepted> accepted_;
  /// Items that write() asks the view about.
  std::set<std::int64_t> changed_;
};

}  // namespace diskrelease
