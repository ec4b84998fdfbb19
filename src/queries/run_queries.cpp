#include "queries/run_queries.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

#include "derived/derived_tables.h"
#include "derived/run_tally.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "queries/item_row.h"

namespace diskrelease {
namespace {

std::int64_t last_item(const RunRecord& run) { return run.first_item.value + run.item_count - 1; }

ItemState state_of(std::string_view text, const Database& database) {
  const std::optional<ItemState> state = item_state_from_text(text);
  if (!state) {
    throw AuditUnusable("audit database " + shown(database.path()) +
                        ": holds the unknown item state '" + std::string(text) +
                        "'; it was changed by another program");
  }
  return *state;
}

DiskId disk_of(std::string_view text, ItemId item, const Database& database) {
  auto disk = DiskId::parse(text);
  if (!std::holds_alternative<DiskId>(disk)) {
    throw AuditUnusable("audit database " + shown(database.path()) + ": item " +
                        std::to_string(item.value) +
                        " holds something that is not a disk id; it was changed by another "
                        "program");
  }
  return std::move(std::get<DiskId>(disk));
}

/// What is to be read back. ?2: whether accepted releases are.
constexpr std::string_view k_is_open_matter =
    "(matter.state = 'unknown'"
    " OR (?2 AND matter.state = 'released'"
    "     AND matter.verified NOT IN ('recycled', 'destroyed', 'gone'))"
    " OR (matter.state = 'pending' AND matter.next_stage IS NULL))";

/// The open ones of a run. ?1, ?2: its first and last item.
std::string from_open_attempts_of_run() {
  return std::string(k_from_open_attempts) + " AND attempt.item_id BETWEEN ?1 AND ?2";
}

/// Whether the credential that is at work on a run, that of its latest invocation, has shown an
/// item's disk in an earlier read. Another one may be of another account, where the disk has never
/// been. ?3: the run.
std::string seen_with_credential(std::string_view item_id) {
  return "EXISTS (SELECT 1 FROM observation JOIN disk_read USING (read_id)"
         " JOIN invocation USING (invocation_id) WHERE observation.item_id = " +
         std::string(item_id) +
         " AND observation.status <> 'ABSENT' AND credential_id ="
         " (SELECT at_work.credential_id FROM invocation AS at_work WHERE at_work.run_id = ?3"
         "  ORDER BY at_work.invocation_id DESC LIMIT 1))";
}

/// Whether released disks of a run are in the recycle bin. ?1: the run.
constexpr std::string_view k_select_bin_keeps =
    "SELECT EXISTS (SELECT 1 FROM run_tally WHERE run_id = ?1 AND verified = 'recycled'"
    " AND items > 0)";

Stage stage_of(std::int64_t number) { return number == 2 ? Stage::destroy : Stage::release; }

/// Items that can be sent perhaps: those without a row, and those whose row says so. Parameters of
/// k_from_items_without_row. Columns: item, disk, whether nothing is on record about it.
std::string select_candidates() {
  return "SELECT item_id, disk_id,"
         "       item_id > (SELECT last_touched_item_id FROM run_progress WHERE run_id = ?3)" +
         std::string(k_from_items_without_row) +
         " UNION ALL "
         "SELECT item_now.item_id, disk_id, 0"
         " FROM item_now INDEXED BY item_now_open CROSS JOIN item USING (item_id)"
         " WHERE open = 3 AND " +
         std::string(k_in_open_index) +
         " AND item_now.item_id BETWEEN ?1 AND ?2"
         " ORDER BY 1";
}

/// How many items of a run count as what.
struct EndingTally {
  std::int64_t items = 0;
  std::int64_t example_item = 0;  ///< 0 = not known
};

/// All of a run but those with 0 items. One statement, so it is of one moment.
std::map<ItemEnding, EndingTally> read_endings(Database& database, const RunRecord& run) {
  Statement select = database.prepare(
      std::string("WITH under_way AS MATERIALIZED (SELECT attempt.item_id") +
      from_open_attempts_of_run() +
      // An older attempt that is open says nothing where a later one has ended.
      "   AND attempt_number = (SELECT max(attempt_number) FROM attempt AS later"
      "                         WHERE later.item_id = attempt.item_id))"
      " SELECT state, code, verified, items, coalesce(example_item_id, 0), 0 FROM run_tally"
      "  WHERE run_id = ?3 AND items > 0"
      // An item is unknown while an attempt of it is open, whatever its row says.
      " UNION ALL SELECT coalesce(state, 'pending'), coalesce(code, ''), coalesce(verified, ''),"
      "  -1, 0, 1 FROM under_way LEFT JOIN item_now USING (item_id)"
      "  LEFT JOIN run_tally USING (tally_id)"
      " UNION ALL SELECT 'unknown', '', '', 1, item_id, 1 FROM under_way");
  select.bind(1, run.first_item.value).bind(2, last_item(run)).bind(3, run.id.value);
  std::map<ItemEnding, EndingTally> endings;
  std::int64_t without_row = run.item_count;
  while (select.step()) {
    EndingTally& tally = endings[{std::string(select.text(0)), std::string(select.text(1)),
                                  std::string(select.text(2))}];
    const std::int64_t items = select.integer(3);
    tally.items += items;
    if (tally.example_item == 0) tally.example_item = select.integer(4);
    if (select.integer(5) == 0) without_row -= items;
  }
  endings[{std::string(to_text(ItemState::pending)), "", ""}].items += without_row;
  std::erase_if(endings, [](const auto& entry) { return entry.second.items == 0; });
  return endings;
}

/// Some item that counts so, where none was noted: the one that was has another ending by now.
std::int64_t find_example(Database& database, const RunRecord& run, const ItemEnding& ending) {
  if (ending == ItemEnding{"pending", "", ""}) {
    Statement plain = database.prepare(
        "SELECT item_id" + std::string(k_from_items_without_row) +
        "   AND NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.item_id = item.item_id AND NOT"
        "     EXISTS (SELECT 1 FROM outcome WHERE outcome.attempt_id = attempt.attempt_id))"
        " LIMIT 1");
    plain.bind(1, run.first_item.value).bind(2, last_item(run)).bind(3, run.id.value);
    if (plain.step()) return plain.integer(0);
  }
  // Endings whose items move on are open ones as a rule, so that the index leads to the next. Items
  // that are accepted nearly always keep their state and code, and with them a noted example.
  Statement find = database.prepare(
      "SELECT coalesce((SELECT item_id FROM item_now INDEXED BY item_now_open"
      "   WHERE open = ?5 AND " +
      std::string(k_in_open_index) +
      " AND tally_id = tally.tally_id"
      "     AND item_id BETWEEN ?6 AND ?7 ORDER BY item_id LIMIT 1),"
      "  (SELECT item_id FROM item_now WHERE tally_id = tally.tally_id"
      "     AND item_id BETWEEN ?6 AND ?7 LIMIT 1), 0) FROM run_tally AS tally"
      " WHERE run_id = ?1 AND state = ?2 AND code = ?3 AND verified = ?4");
  find.bind(1, run.id.value)
      .bind(2, ending.state)
      .bind(3, ending.code)
      .bind(4, ending.verified)
      .bind(5, static_cast<std::int64_t>(openness_of(ending.state, ending.verified)))
      .bind(6, run.first_item.value)
      .bind(7, last_item(run));
  return find.step() ? find.integer(0) : 0;
}

/// The items of a run that may be read back, by their rows, in the order of their ids.
class OpenCandidates {
 public:
  OpenCandidates(Database& database, const RunRecord& run, bool verify)
      : indexed_(database.prepare("SELECT item_id FROM item_now INDEXED BY item_now_open"
                                  " WHERE open = 1 AND " +
                                  std::string(k_in_open_index) +
                                  "   AND item_id BETWEEN ?1 AND ?2"
                                  " UNION SELECT item_id FROM item_now INDEXED BY item_now_open"
                                  " WHERE ?4 AND open = 4 AND " +
                                  std::string(k_in_open_index) +
                                  "   AND item_id BETWEEN ?1 AND ?2"
                                  // One with an open attempt may have a row besides.
                                  " UNION SELECT item_id" +
                                  from_open_attempts_of_run() + " ORDER BY 1 LIMIT ?3")),
        accepted_(database.prepare("SELECT item_id FROM item_now NOT INDEXED"
                                   " WHERE open = 2 AND item_id BETWEEN ?1 AND ?2"
                                   " ORDER BY item_id LIMIT ?3")),
        last_(last_item(run)) {
    indexed_.bind(4, std::int64_t{verify ? 1 : 0});
    Statement any_accepted = database.prepare(
        "SELECT EXISTS (SELECT 1 FROM run_tally WHERE run_id = ?1 AND items > 0"
        " AND state = 'released' AND verified = 'not_read')");
    any_accepted.bind(1, run.id.value);
    any_accepted_ = verify && any_accepted.step() && any_accepted.integer(0) != 0;
  }

  /// From that item on. Fewer than `limit`: there are no more.
  std::vector<std::int64_t> next(std::int64_t from, std::int64_t limit) {
    std::vector<std::int64_t> items;
    read(indexed_, from, last_, limit, items);
    if (!any_accepted_) return items;
    // These are in no index. Rows are looked through only as far as this page goes.
    const std::int64_t to = std::ssize(items) == limit ? items.back() : last_;
    const auto indexed = std::ssize(items);
    read(accepted_, from, to, limit, items);
    std::ranges::inplace_merge(items, items.begin() + indexed);
    items.erase(std::unique(items.begin(), items.end()), items.end());
    if (std::ssize(items) > limit) items.resize(static_cast<std::size_t>(limit));
    return items;
  }

 private:
  static void read(Statement& select, std::int64_t from, std::int64_t to, std::int64_t limit,
                   std::vector<std::int64_t>& items) {
    select.bind(1, from).bind(2, to).bind(3, limit);
    while (select.step()) items.push_back(select.integer(0));
    select.reset();
  }

  Statement indexed_;
  Statement accepted_;
  std::int64_t last_;
  bool any_accepted_ = false;
};

}  // namespace

StateCounts count_states(Database& database, const RunRecord& run) {
  StateCounts counts;
  for (const auto& [ending, tally] : read_endings(database, run)) {
    counts[state_of(ending.state, database)] += tally.items;
  }
  return counts;
}

StateCounts recount_states(Database& database, const RunRecord& run) {
  Statement select = database.prepare(
      "SELECT state, count(*) FROM item_state WHERE item_id BETWEEN ?1 AND ?2 GROUP BY state");
  select.bind(1, run.first_item.value).bind(2, last_item(run));
  StateCounts counts;
  while (select.step()) counts[state_of(select.text(0), database)] = select.integer(1);
  return counts;
}

std::int64_t count_open_attempts(Database& database, const RunRecord& run) {
  Statement select = database.prepare("SELECT count(*)" + from_open_attempts_of_run());
  select.bind(1, run.first_item.value).bind(2, last_item(run));
  return select.step() ? select.integer(0) : 0;
}

std::vector<EndingCount> count_endings(Database& database, const RunRecord& run) {
  const Snapshot snapshot(database);
  const std::map<ItemEnding, EndingTally> tallies = read_endings(database, run);
  std::map<std::pair<std::string, std::string>, EndingTally> by_code;
  for (const auto& [ending, tally] : tallies) {
    EndingTally& sum = by_code[{ending.state, ending.code}];
    sum.items += tally.items;
    if (sum.example_item == 0 ||
        (tally.example_item != 0 && tally.example_item < sum.example_item)) {
      sum.example_item = tally.example_item;
    }
  }
  for (const auto& [ending, tally] : tallies) {
    EndingTally& sum = by_code[{ending.state, ending.code}];
    if (sum.example_item == 0) sum.example_item = find_example(database, run, ending);
  }
  Statement disk = database.prepare("SELECT disk_id FROM item WHERE item_id = ?1");
  std::vector<EndingCount> endings;
  for (const auto& [key, tally] : by_code) {
    disk.bind(1, tally.example_item);
    const bool found = disk.step();
    endings.push_back({state_of(key.first, database), key.second, tally.items,
                       found ? std::string(disk.text(0)) : std::string()});
    disk.reset();
  }
  // by_code is in the order of state and code.
  std::ranges::stable_sort(endings, std::ranges::greater(), &EndingCount::items);
  return endings;
}

VerifiedCounts count_verified(Database& database, const RunRecord& run) {
  VerifiedCounts counts;
  for (const auto& [ending, tally] : read_endings(database, run)) {
    if (ending.state != "released") continue;
    if (ending.verified == "recycled") counts.recycled += tally.items;
    if (ending.verified == "destroyed") counts.destroyed += tally.items;
    if (ending.verified == "gone") counts.gone += tally.items;
    if (ending.verified == "leaving") counts.leaving += tally.items;
    if (ending.verified == "still_there") counts.still_there += tally.items;
    if (ending.verified == "not_read") counts.not_read += tally.items;
  }
  return counts;
}

ForeignCounts count_foreign(Database& database, const RunRecord& run) {
  Statement select = database.prepare(
      "SELECT DISTINCT reason, disk_id FROM decision JOIN item USING (item_id)"
      " WHERE decision.item_id BETWEEN ?1 AND ?2 AND kind = 'stop' ORDER BY decision.item_id");
  select.bind(1, run.first_item.value).bind(2, last_item(run));
  ForeignCounts counts;
  while (select.step()) {
    if (select.text(0) == k_foreign_release_reason) ++counts.released;
    if (select.text(0) != k_destroyed_reason) continue;
    ++counts.destroyed;
    if (counts.destroyed_disks.size() < ForeignCounts::k_named) {
      counts.destroyed_disks.emplace_back(select.text(1));
    }
  }
  return counts;
}

bool has_seen_bin(Database& database, const AccountOfRuns& account, UtcTime since) {
  Statement select = database.prepare(
      "SELECT EXISTS (SELECT 1 FROM run JOIN run_tally USING (run_id)"
      " WHERE run.endpoint = ?1 AND created_utc_ms >= ?2 AND verified = 'recycled' AND items > 0"
      " AND NOT EXISTS (SELECT 1 FROM invocation WHERE invocation.run_id = run.run_id"
      "                 AND credential_id <> ?3))");
  select.bind(1, account.endpoint).bind(2, since).bind(3, account.credential_id);
  return select.step() && select.integer(0) != 0;
}

bool has_sendable(Database& database, const RunRecord& run) {
  Statement candidates = database.prepare(select_candidates());
  candidates.bind(1, run.first_item.value).bind(2, last_item(run)).bind(3, run.id.value);
  Statement look = database.prepare(
      "SELECT 1 FROM item_state WHERE item_id = ?1 AND state = 'pending'"
      " AND next_stage IS NOT NULL");
  while (candidates.step()) {
    if (candidates.integer(2) != 0) return true;
    look.bind(1, candidates.integer(0));
    if (look.step()) return true;
    look.reset();
  }
  return false;
}

PendingFeed::PendingFeed(Database database, const RunRecord& run)
    : database_(std::move(database)),
      candidates_(database_.prepare(select_candidates())),
      look_(database_.prepare(
          "SELECT attempts, next_stage, " + seen_with_credential("item_state.item_id") +
          ", coalesce(last_stage = 1 AND next_stage = 2, 0)"
          " FROM item_state"
          " WHERE item_id = ?1 AND state = 'pending' AND next_stage IS NOT NULL")),
      bin_keeps_(database_.prepare(std::string(k_select_bin_keeps))),
      elsewhere_(database_.prepare(
          "SELECT EXISTS (SELECT 1 FROM disk_item"
          "   JOIN item ON item.item_id = disk_item.item_id AND item.run_id <> ?2"
          "   JOIN attempt ON attempt.item_id = item.item_id AND attempt.stage = 1"
          "   LEFT JOIN outcome ON outcome.attempt_id = attempt.attempt_id"
          "   LEFT JOIN verdict ON verdict.attempt_id = attempt.attempt_id"
          "   WHERE disk_item.disk_id = ?1"
          "     AND (outcome.outcome = 'accepted' OR verdict.settled IN ('executed', 'gone')))"
          " OR EXISTS (SELECT 1 FROM archived_release WHERE disk_id = ?1 AND stage = 1)")),
      purge_(run.description.goal == Goal::purge),
      run_(run.id),
      next_item_(run.first_item.value),
      last_item_(last_item(run)) {
  look_.bind(3, run.id.value);
}

std::vector<PendingItem> PendingFeed::next_page(std::int64_t limit) {
  std::vector<PendingItem> page;
  // The looks at single items are of the same moment as the candidates.
  const Snapshot snapshot(database_);
  bin_keeps_.bind(1, run_.value);
  const bool bin_keeps = bin_keeps_.step() && bin_keeps_.integer(0) != 0;
  bin_keeps_.reset();
  candidates_.bind(1, next_item_).bind(2, last_item_).bind(3, run_.value);
  while (std::ssize(page) < limit && candidates_.step()) {
    const ItemId item{candidates_.integer(0)};
    PendingItem pending{item, disk_of(candidates_.text(1), item, database_)};
    pending.bin_keeps = bin_keeps;
    if (candidates_.integer(2) == 0) {
      look_.bind(1, item.value);
      const bool can_be_sent = look_.step();
      pending.attempts = static_cast<int>(look_.integer(0));
      pending.stage = stage_of(look_.integer(1));
      pending.seen_before = look_.integer(2) != 0;
      pending.first_accepted = look_.integer(3) != 0;
      look_.reset();
      if (!can_be_sent) continue;
    }
    // For goal release such items were skipped.
    if (purge_) {
      elsewhere_.bind(1, pending.disk.text()).bind(2, run_.value);
      pending.released_elsewhere = elsewhere_.step() && elsewhere_.integer(0) != 0;
      elsewhere_.reset();
    }
    page.push_back(std::move(pending));
  }
  candidates_.reset();
  next_item_ = std::ssize(page) < limit ? last_item_ + 1 : page.back().item.value + 1;
  return page;
}

std::vector<OpenMatter> read_open_matters(Database& database, const RunRecord& run, ItemId after,
                                          bool verify, std::int64_t limit) {
  const Snapshot snapshot(database);
  OpenCandidates candidates(database, run, verify);
  Statement select = database.prepare(
      std::string(
          "SELECT matter.item_id, matter.disk_id, latest.attempt_id,"
          "       CASE matter.state WHEN 'unknown' THEN"
          "         (SELECT count(*) FROM attempt JOIN outcome USING (attempt_id)"
          "          WHERE attempt.item_id = matter.item_id AND outcome.outcome = 'unknown')"
          "       ELSE 0 END, latest.stage,"
          "       matter.state = 'unknown', before.status, seen.status, disk_read.sent_utc_ms,"
          "       EXISTS (SELECT 1 FROM observation WHERE observation.item_id = matter.item_id"
          "               AND observation.observation_id > coalesce(latest.observation_id, 0)"
          "               AND observation.status <> CASE latest.stage WHEN 2 THEN 'RECYCLED'"
          "                                         ELSE 'AVAILABLE' END),"
          "       EXISTS (SELECT 1 FROM observation WHERE observation.item_id = matter.item_id"
          "               AND observation.observation_id > coalesce(latest.observation_id, 0)"
          "               AND observation.status IN ('RECYCLING', 'RECYCLED')),"
          "       coalesce(ended.sent_utc_ms, latest.intent_utc_ms),"
          "       CASE ended.outcome WHEN 'accepted' THEN ended.finished_utc_ms END, " +
          seen_with_credential("matter.item_id") +
          ", matter.state = 'released', coalesce(matter.last_http_status, 0),"
          "       coalesce(matter.last_api_code, '')"
          " FROM item_state AS matter"
          " JOIN attempt AS latest ON latest.item_id = matter.item_id"
          "                       AND latest.attempt_number = matter.attempts"
          " LEFT JOIN outcome AS ended ON ended.attempt_id = latest.attempt_id"
          " LEFT JOIN observation AS before ON before.observation_id = latest.observation_id"
          " LEFT JOIN observation AS seen ON seen.observation_id ="
          "   (SELECT max(observation_id) FROM observation WHERE observation.item_id = "
          "matter.item_id"
          "    AND observation.observation_id > coalesce(latest.observation_id, 0))"
          " LEFT JOIN disk_read ON disk_read.read_id = seen.read_id"
          " WHERE matter.item_id = ?1 AND ") +
      std::string(k_is_open_matter));
  select.bind(3, run.id.value);
  Statement bin = database.prepare(std::string(k_select_bin_keeps));
  bin.bind(1, run.id.value);
  const bool bin_keeps = bin.step() && bin.integer(0) != 0;
  std::vector<OpenMatter> matters;
  const auto look_at = [&](ItemId item) {
    select.bind(1, item.value).bind(2, std::int64_t{verify ? 1 : 0});
    if (select.step()) {
      OpenMatter matter{item,
                        disk_of(select.text(1), item, database),
                        AttemptId{select.integer(2)},
                        static_cast<int>(select.integer(3)),
                        stage_of(select.integer(4)),
                        select.integer(5) != 0,
                        {},
                        {},
                        {},
                        select.integer(9) != 0,
                        select.integer(10) != 0,
                        select.utc(11),
                        select.optional_utc(12),
                        select.integer(13) != 0,
                        select.integer(14) != 0,
                        bin_keeps,
                        static_cast<int>(select.integer(15)),
                        std::string(select.text(16))};
      if (!select.is_null(6)) matter.before = disk_status_from_text(select.text(6));
      if (!select.is_null(7)) matter.last = disk_status_from_text(select.text(7));
      if (!select.is_null(8)) matter.last_seen = select.utc(8);
      matters.push_back(std::move(matter));
    }
    select.reset();
  };
  std::int64_t from = std::max(after.value + 1, run.first_item.value);
  while (true) {
    const std::int64_t wanted = limit - std::ssize(matters);
    const std::vector<std::int64_t> items = candidates.next(from, wanted);
    for (const std::int64_t item : items) look_at(ItemId{item});
    if (std::ssize(items) < wanted || std::ssize(matters) == limit) break;
    from = items.back() + 1;
  }
  return matters;
}

std::int64_t count_open_matters(Database& database, const RunRecord& run, bool verify) {
  std::int64_t matters = 0;
  for (const auto& [ending, tally] : read_endings(database, run)) {
    const Openness open = openness_of(ending.state, ending.verified);
    const bool accepted = open == Openness::accepted || open == Openness::leaving;
    if (open == Openness::to_read || (verify && accepted)) matters += tally.items;
  }
  return matters;
}

ItemRow item_row(const Statement& row) {
  ItemRow item;
  item.item_id = row.integer(0);
  item.disk_id = row.text(1);
  item.source_line = row.integer(2);
  item.state = row.text(3);
  item.attempts = row.integer(4);
  item.last_outcome = row.text(5);
  item.last_http_status = row.optional_integer(6);
  item.last_api_code = row.text(7);
  item.last_request_id = row.text(8);
  item.last_message = row.text(9);
  item.decision_reason = row.text(10);
  item.settled = row.text(11);
  item.verified = row.text(12);
  item.last_status = row.text(13);
  return item;
}

void read_items(Database& database, const RunRecord& run, std::optional<ItemState> only,
                const std::function<bool(const ItemRow&)>& sink) {
  Statement select = database.prepare(
      std::string(k_select_item_rows) +
      " WHERE item_id BETWEEN ?1 AND ?2 AND (?3 = '' OR state = ?3) ORDER BY item_id");
  select.bind(1, run.first_item.value)
      .bind(2, last_item(run))
      .bind(3, only ? to_text(*only) : std::string_view());
  while (select.step()) {
    if (!sink(item_row(select))) return;
  }
}

std::vector<InvocationRow> read_invocations(Database& database, RunId run) {
  Statement select = database.prepare(
      "SELECT invocation.invocation_id, command, user, host, pid, tool_version, endpoint,"
      " credential_id, credential_source, settings_json, started_utc_ms, reason, detail, exit_code,"
      " ended_utc_ms"
      " FROM invocation LEFT JOIN invocation_end USING (invocation_id)"
      " WHERE run_id = ?1 ORDER BY invocation_id");
  select.bind(1, run.value);
  std::vector<InvocationRow> rows;
  while (select.step()) {
    InvocationRow row;
    row.invocation_id = select.integer(0);
    row.description.command = select.text(1);
    row.description.user = select.text(2);
    row.description.host = select.text(3);
    row.description.pid = select.integer(4);
    row.description.tool_version = select.text(5);
    row.description.endpoint = select.text(6);
    row.description.credential_id = select.text(7);
    row.description.credential_source = select.text(8);
    row.description.settings_json = select.text(9);
    row.started = select.utc(10);
    row.end_reason = select.text(11);
    row.end_detail = select.text(12);
    row.exit_code = select.optional_integer(13);
    row.ended = select.optional_utc(14);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace diskrelease
