#include "derived/run_tally.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "derived/derived_tables.h"
#include "derived/request_index.h"

namespace diskrelease {
namespace {

/// Rows that one write() gives to pending items at the front of a run.
constexpr int k_most_parked = 64;

/// Marks::now_and_then: what is said between two writings of the marks, at most, besides one
/// commit.
constexpr int k_most_said = 500;

/// How far last_touched_item_id is written ahead, so that not every new item changes it.
constexpr std::int64_t k_ahead = 250;

/// More different endings than this are not kept in memory; an API that invents codes must not
/// make it grow.
constexpr std::size_t k_most_tallies = 1'000;

constexpr std::size_t k_group = GroupedInsert::k_group;

std::string select_any_row() {
  std::string sql = "SELECT ";
  for (std::size_t i = 0; i < k_group; ++i) {
    if (i != 0) sql += " OR ";
    sql += "EXISTS (SELECT 1 FROM item_now WHERE item_id = ?)";
  }
  return sql;
}

/// How a release, accepted by its first stage, counts after its disk was seen in this status, which
/// is not ABSENT: that alone says little. As the view item_state has it.
std::string_view verified_by(DiskStatus status) noexcept {
  if (status == DiskStatus::recycled) return "recycled";
  if (status == DiskStatus::recycling || status == DiskStatus::deleting) return "leaving";
  return "still_there";
}

}  // namespace

Openness openness_of(std::string_view state, std::string_view verified) noexcept {
  if (state == "unknown") return Openness::to_read;
  if (state == "released") {
    if (verified == "recycled" || verified == "destroyed" || verified == "gone") {
      return Openness::closed;
    }
    return verified == "not_read" ? Openness::accepted : Openness::leaving;
  }
  if (state == "pending") {
    // An accepted first stage waits for the recycle bin; the second is sent once it is there.
    return verified.empty() || verified == "recycled" ? Openness::to_send : Openness::to_read;
  }
  return Openness::closed;
}

RunTally::RunTally(Database& database, Marks marks)
    : find_run_(database.prepare(
          "SELECT run.run_id, first_item_id, first_item_id + item_count - 1, goal,"
          " coalesce(first_gap_item_id, first_item_id),"
          " coalesce(last_touched_item_id, first_item_id + item_count - 1)"
          " FROM item JOIN run USING (run_id) LEFT JOIN run_progress USING (run_id)"
          " WHERE item_id = ?1")),
      find_row_(database.prepare("SELECT tally_id, open FROM item_now WHERE item_id = ?1")),
      insert_row_(
          database.prepare("INSERT INTO item_now (item_id, tally_id, open) VALUES (?1, ?2, ?3)"
                           " ON CONFLICT (item_id) DO NOTHING")),
      insert_accepted_(database, "INSERT INTO item_now (item_id, tally_id, open) VALUES",
                       "(?, ?, " + std::to_string(static_cast<int>(Openness::accepted)) + ")"),
      any_has_row_(database.prepare(select_any_row())),
      update_row_(
          database.prepare("UPDATE item_now SET tally_id = ?2, open = ?3 WHERE item_id = ?1")),
      find_tally_(
          database.prepare("SELECT tally_id, coalesce(example_item_id, 0) FROM run_tally"
                           " WHERE run_id = ?1 AND state = ?2 AND code = ?3 AND verified = ?4")),
      find_tally_by_id_(
          database.prepare("SELECT run_id, state, code, verified, coalesce(example_item_id, 0)"
                           " FROM run_tally WHERE tally_id = ?1")),
      insert_tally_(database.prepare("INSERT INTO run_tally (run_id, state, code, verified, items)"
                                     " VALUES (?1, ?2, ?3, ?4, 0)")),
      update_tally_(database.prepare("UPDATE run_tally SET items = items + ?2,"
                                     " example_item_id = nullif(?3, 0) WHERE tally_id = ?1")),
      ending_(database.prepare(std::string(k_select_item_endings_from) +
                               "item_state WHERE item_id = ?1")),
      rows_from_(database.prepare("SELECT item_id FROM item_now"
                                  " WHERE item_id BETWEEN ?1 AND ?2 ORDER BY item_id")),
      update_progress_(database.prepare(
          "INSERT INTO run_progress (run_id, first_gap_item_id, last_touched_item_id)"
          " VALUES (?1, ?2, ?3) ON CONFLICT (run_id) DO UPDATE SET"
          " first_gap_item_id = max(first_gap_item_id, excluded.first_gap_item_id),"
          " last_touched_item_id = max(last_touched_item_id, excluded.last_touched_item_id)")),
      update_until_(database.prepare(
          "UPDATE derived_until SET settled_attempts ="
          "   min(?1, coalesce((SELECT max(attempt_id) FROM attempt), 0)),"
          " observation_id = coalesce((SELECT max(observation_id) FROM observation), 0),"
          " decision_id = coalesce((SELECT max(decision_id) FROM decision), 0)")),
      database_(database),
      marks_(marks) {
  Statement open =
      database.prepare("SELECT attempt_id, item_id" + std::string(k_from_open_attempts));
  while (open.step()) {
    open_attempts_.emplace(open.integer(0), open.integer(1));
    // What was seen since the intent is not known any more.
    seen_while_open_.emplace(open.integer(1), true);
  }
}

void RunTally::announced(AttemptId attempt, ItemId item) {
  touch(item);
  open_attempts_.emplace(attempt.value, item.value);
  seen_while_open_[item.value] = false;
}

void RunTally::ended(AttemptId attempt, ItemId item, Outcome outcome,
                     std::optional<int> http_status, std::string_view api_code) {
  Run& run = touch(item);
  open_attempts_.erase(attempt.value);
  const auto open = seen_while_open_.find(item.value);
  const bool seen_since = open == seen_while_open_.end() || open->second;
  if (open != seen_while_open_.end()) seen_while_open_.erase(open);
  if (outcome != Outcome::accepted || run.goal != Goal::release || seen_since ||
      changed_.contains(item.value)) {
    changed_.insert(item.value);
    return;
  }
  ItemEnding ending{"released", std::string(api_code), "not_read"};
  if (api_code.empty() && http_status && *http_status != 200) {
    ending.code = "HTTP " + std::to_string(*http_status);
  }
  accepted_.push_back({&run, item, tally_by_ending(run.id, ending).id});
}

void RunTally::seen(ItemId item, DiskStatus status) {
  Run& run = touch(item);
  if (changed_.contains(item.value)) return;
  if (const auto open = seen_while_open_.find(item.value); open != seen_while_open_.end()) {
    open->second = true;
    return;
  }
  // Without a row no attempt of the item was accepted, and of others it does not matter what was
  // seen since.
  const std::optional<Row> row = find_row(item);
  if (!row) return;
  const ItemEnding& before = tally_by_id(row->tally).ending;
  if (run.goal == Goal::release && before.state == "released" && status != DiskStatus::absent) {
    const ItemEnding after{before.state, before.code, std::string(verified_by(status))};
    set(run, item, row, after);
  } else {
    changed_.insert(item.value);
  }
}

void RunTally::changed(ItemId item) {
  touch(item);
  changed_.insert(item.value);
}

void RunTally::refresh(ItemId item) {
  touch(item);
  bring_up_to_date(item, false);
}

void RunTally::write() {
  store_accepted();
  for (const std::int64_t item : changed_) bring_up_to_date(ItemId{item}, false);
  changed_.clear();
  for (auto& [id, run] : runs_) {
    if (run.changed) advance(run);
  }
  if (marks_ == Marks::always || must_write_marks_ || said_since_marks_ > k_most_said) {
    write_marks();
  }
  for (auto& [id, tally] : tallies_) {
    if (!tally.changed) continue;
    update_tally_.bind(1, id).bind(2, tally.change).bind(3, tally.example).run();
    tally.change = 0;
    tally.changed = false;
  }
  if (tallies_.size() > k_most_tallies) {
    tallies_.clear();
    tally_ids_.clear();
  }
}

void RunTally::write_marks() {
  for (auto& [id, run] : runs_) {
    if (!run.changed) continue;
    update_progress_.bind(1, run.id).bind(2, run.first_gap).bind(3, run.last_touched).run();
    run.changed = false;
  }
  const std::int64_t below_open = open_attempts_.empty() ? std::numeric_limits<std::int64_t>::max()
                                                         : open_attempts_.begin()->first - 1;
  update_until_.bind(1, below_open).run();
  extend_request_index(database_,
                       database_.query_integer("SELECT settled_attempts FROM derived_until"));
  said_since_marks_ = 0;
  must_write_marks_ = false;
}

RunTally::Run& RunTally::run_of(ItemId item) {
  if (latest_run_ != nullptr && item.value >= latest_run_->first &&
      item.value <= latest_run_->last) {
    return *latest_run_;
  }
  find_run_.bind(1, item.value);
  static_cast<void>(find_run_.step());
  Run& run = runs_[find_run_.integer(0)];
  if (run.id == 0) {
    run.id = find_run_.integer(0);
    run.first = find_run_.integer(1);
    run.last = find_run_.integer(2);
    run.goal = goal_from_text(find_run_.text(3)).value_or(Goal::purge);
    run.first_gap = find_run_.integer(4);
    run.last_touched = find_run_.integer(5);
  }
  find_run_.reset();
  latest_run_ = &run;
  return run;
}

RunTally::Run& RunTally::touch(ItemId item) {
  Run& run = run_of(item);
  ++said_since_marks_;
  run.changed = true;
  if (item.value > run.last_touched) {
    const std::int64_t ahead = marks_ == Marks::now_and_then ? k_ahead : 0;
    run.last_touched = std::min(item.value + ahead, run.last);
    must_write_marks_ = true;
  }
  return run;
}

std::optional<RunTally::Row> RunTally::find_row(ItemId item) {
  store_accepted();
  find_row_.bind(1, item.value);
  std::optional<Row> row;
  if (find_row_.step()) {
    row = Row{find_row_.integer(0), static_cast<Openness>(find_row_.integer(1))};
  }
  find_row_.reset();
  return row;
}

RunTally::Tally& RunTally::tally_by_ending(std::int64_t run, const ItemEnding& ending) {
  const auto known = tally_ids_.find({run, ending});
  if (known != tally_ids_.end()) return tallies_.at(known->second);
  find_tally_.bind(1, run).bind(2, ending.state).bind(3, ending.code).bind(4, ending.verified);
  Tally tally;
  tally.ending = ending;
  if (find_tally_.step()) {
    tally.id = find_tally_.integer(0);
    tally.example = find_tally_.integer(1);
  }
  find_tally_.reset();
  if (tally.id == 0) {
    insert_tally_.bind(1, run)
        .bind(2, ending.state)
        .bind(3, ending.code)
        .bind(4, ending.verified)
        .run();
    tally.id = database_.last_insert_rowid();
  }
  tally_ids_.emplace(TallyKey{run, ending}, tally.id);
  return tallies_.emplace(tally.id, std::move(tally)).first->second;
}

RunTally::Tally& RunTally::tally_by_id(std::int64_t id) {
  const auto known = tallies_.find(id);
  if (known != tallies_.end()) return known->second;
  find_tally_by_id_.bind(1, id);
  static_cast<void>(find_tally_by_id_.step());
  Tally tally;
  tally.id = id;
  const std::int64_t run = find_tally_by_id_.integer(0);
  tally.ending = {std::string(find_tally_by_id_.text(1)), std::string(find_tally_by_id_.text(2)),
                  std::string(find_tally_by_id_.text(3))};
  tally.example = find_tally_by_id_.integer(4);
  find_tally_by_id_.reset();
  tally_ids_.emplace(TallyKey{run, tally.ending}, id);
  return tallies_.emplace(id, std::move(tally)).first->second;
}

void RunTally::set(Run& run, ItemId item, std::optional<Row> before, const ItemEnding& ending) {
  Tally& after = tally_by_ending(run.id, ending);
  const auto store = [&](Statement& statement) {
    statement.bind(1, item.value)
        .bind(2, after.id)
        .bind(3, static_cast<std::int64_t>(openness_of(ending.state, ending.verified)))
        .run();
  };
  if (!before) {
    store(insert_row_);
    if (database_.changes() == 0) before = find_row(item);
  }
  if (before) {
    if (before->tally == after.id) return;
    store(update_row_);
    Tally& left = tally_by_id(before->tally);
    --left.change;
    left.changed = true;
    if (left.example == item.value) left.example = 0;
  }
  count(run, item, after);
}

void RunTally::count(Run& run, ItemId item, Tally& tally) {
  ++tally.change;
  tally.changed = true;
  tally.example = tally.example == 0 ? item.value : std::min(tally.example, item.value);
  run.highest_row = std::max(run.highest_row, item.value);
}

bool RunTally::any_has_row(std::span<const Accepted> group) {
  for (std::size_t i = 0; i < group.size(); ++i) {
    any_has_row_.bind(static_cast<int>(i) + 1, group[i].item.value);
  }
  const bool any = any_has_row_.step() && any_has_row_.integer(0) != 0;
  any_has_row_.reset();
  return any;
}

void RunTally::store_accepted() {
  if (accepted_.empty()) return;
  const std::vector<Accepted> all = std::exchange(accepted_, {});
  for (std::span<const Accepted> rest = all; !rest.empty();) {
    const std::span<const Accepted> group = rest.first(std::min(k_group, rest.size()));
    rest = rest.subspan(group.size());
    if (group.size() == k_group && !any_has_row(group)) {
      insert_accepted_.insert(group, [](Statement& insert, int before, const Accepted& accepted) {
        insert.bind(before + 1, accepted.item.value).bind(before + 2, accepted.tally);
      });
      for (const Accepted& accepted : group) {
        count(*accepted.run, accepted.item, tally_by_id(accepted.tally));
      }
    } else {
      for (const Accepted& accepted : group) {
        set(*accepted.run, accepted.item, std::nullopt, tally_by_id(accepted.tally).ending);
      }
    }
  }
}

void RunTally::bring_up_to_date(ItemId item, bool even_if_plain) {
  ending_.bind(1, item.value);
  static_cast<void>(ending_.step());
  const ItemEnding ending{std::string(ending_.text(2)), std::string(ending_.text(3)),
                          std::string(ending_.text(4))};
  ending_.reset();
  const std::optional<Row> row = find_row(item);
  static const ItemEnding k_plain{"pending", "", ""};
  if (!row && !even_if_plain && ending == k_plain) return;
  set(run_of(item), item, row, ending);
}

void RunTally::advance(Run& run) {
  for (int parked = 0;; ++parked) {
    rows_from_.bind(1, run.first_gap).bind(2, run.last);
    while (rows_from_.step() && rows_from_.integer(0) == run.first_gap) ++run.first_gap;
    rows_from_.reset();
    if (run.highest_row - run.first_gap < k_longest_lag || parked == k_most_parked) return;
    bring_up_to_date(ItemId{run.first_gap}, true);
  }
}

}  // namespace diskrelease
