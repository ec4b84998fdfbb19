#include "audit/run_queries.h"

#include <string_view>
#include <utility>
#include <variant>

#include "model/errors.h"

namespace diskrelease {
namespace {

std::int64_t last_item(const RunRecord& run) { return run.first_item.value + run.item_count - 1; }

UtcTime utc(std::int64_t milliseconds) { return UtcTime(std::chrono::milliseconds(milliseconds)); }

std::optional<UtcTime> optional_utc(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return utc(row.integer(column));
}

ItemState state_of(std::string_view text, const Database& database) {
  const std::optional<ItemState> state = item_state_from_text(text);
  if (!state) {
    throw AuditUnusable("audit database " + database.path() + ": holds the unknown item state '" +
                        std::string(text) + "'; it was changed by another program");
  }
  return *state;
}

DiskId disk_of(std::string_view text, ItemId item, const Database& database) {
  auto disk = DiskId::parse(text);
  if (!std::holds_alternative<DiskId>(disk)) {
    throw AuditUnusable("audit database " + database.path() + ": item " +
                        std::to_string(item.value) +
                        " holds something that is not a disk id; it was changed by another "
                        "program");
  }
  return std::move(std::get<DiskId>(disk));
}

/// What is to be read back. ?4: whether accepted releases are.
constexpr std::string_view k_is_open_matter =
    "(matter.state = 'unknown'"
    " OR (?4 AND matter.state = 'released' AND matter.verified NOT IN ('recycled', 'destroyed'))"
    " OR (matter.state = 'pending' AND matter.next_stage IS NULL))";

Stage stage_of(std::int64_t number) { return number == 2 ? Stage::destroy : Stage::release; }

}  // namespace

StateCounts count_states(Database& database, const RunRecord& run) {
  Statement select = database.prepare(
      "SELECT state, count(*) FROM item_state WHERE item_id BETWEEN ?1 AND ?2 GROUP BY state");
  select.bind(1, run.first_item.value).bind(2, last_item(run));
  StateCounts counts;
  while (select.step()) counts[state_of(select.text(0), database)] = select.integer(1);
  return counts;
}

std::int64_t count_open_attempts(Database& database, const RunRecord& run) {
  Statement select = database.prepare(
      "SELECT count(*) FROM attempt WHERE item_id BETWEEN ?1 AND ?2 AND NOT EXISTS"
      " (SELECT 1 FROM outcome WHERE outcome.attempt_id = attempt.attempt_id)");
  select.bind(1, run.first_item.value).bind(2, last_item(run));
  return select.step() ? select.integer(0) : 0;
}

std::vector<EndingCount> count_endings(Database& database, const RunRecord& run) {
  Statement select = database.prepare(
      "SELECT state,"
      "       CASE WHEN state IN ('failed', 'skipped') THEN coalesce(decision_reason, '')"
      "            WHEN state IN ('rejected', 'already_gone') AND decision_reason IS NOT NULL"
      "                 AND last_outcome IS NOT 'already_gone' THEN decision_reason"
      "            WHEN state IN ('released', 'rejected', 'already_gone') AND settled IS NOT NULL"
      "              THEN 'settled_' || settled"
      "            ELSE coalesce(last_api_code, 'HTTP ' || nullif(last_http_status, 200), '') END"
      "         AS code,"
      "       count(*) AS items, min(disk_id)"
      " FROM item_state WHERE item_id BETWEEN ?1 AND ?2"
      " GROUP BY state, code ORDER BY items DESC, state, code");
  select.bind(1, run.first_item.value).bind(2, last_item(run));
  std::vector<EndingCount> endings;
  while (select.step()) {
    endings.push_back({state_of(select.text(0), database), std::string(select.text(1)),
                       select.integer(2), std::string(select.text(3))});
  }
  return endings;
}

VerifiedCounts count_verified(Database& database, const RunRecord& run) {
  Statement select = database.prepare(
      "SELECT verified, count(*) FROM item_state WHERE item_id BETWEEN ?1 AND ?2"
      " AND state = 'released' GROUP BY verified");
  select.bind(1, run.first_item.value).bind(2, last_item(run));
  VerifiedCounts counts;
  while (select.step()) {
    const std::string_view text = select.text(0);
    if (text == "recycled") counts.recycled = select.integer(1);
    if (text == "destroyed") counts.destroyed = select.integer(1);
    if (text == "leaving") counts.leaving = select.integer(1);
    if (text == "still_there") counts.still_there = select.integer(1);
    if (text == "not_read") counts.not_read = select.integer(1);
  }
  return counts;
}

bool has_sendable(Database& database, const RunRecord& run) {
  Statement select = database.prepare(
      "SELECT 1 FROM item_state WHERE item_id BETWEEN ?1 AND ?2"
      " AND state = 'pending' AND next_stage IS NOT NULL LIMIT 1");
  select.bind(1, run.first_item.value).bind(2, last_item(run));
  return select.step();
}

PendingFeed::PendingFeed(Database database, const RunRecord& run)
    : database_(std::move(database)),
      // What other runs have done is asked for goal purge only: for goal release such items were
      // skipped.
      select_(database_.prepare(
          "SELECT item_id, disk_id, attempts, next_stage,"
          " EXISTS (SELECT 1 FROM observation WHERE observation.item_id = item_state.item_id"
          "         AND observation.status <> 'ABSENT'),"
          " ?4 AND EXISTS (SELECT 1 FROM disk_item"
          "   JOIN item ON item.item_id = disk_item.item_id AND item.run_id <> item_state.run_id"
          "   JOIN attempt ON attempt.item_id = item.item_id AND attempt.stage = 1"
          "   LEFT JOIN outcome ON outcome.attempt_id = attempt.attempt_id"
          "   LEFT JOIN verdict ON verdict.attempt_id = attempt.attempt_id"
          "   WHERE disk_item.disk_id = item_state.disk_id"
          "     AND (outcome.outcome = 'accepted' OR verdict.settled IN ('executed', 'gone'))),"
          " coalesce(last_stage = 1 AND next_stage = 2, 0)"
          " FROM item_state"
          " WHERE item_id BETWEEN ?1 AND ?2 AND state = 'pending' AND next_stage IS NOT NULL"
          " ORDER BY item_id LIMIT ?3")),
      purge_(run.description.goal == Goal::purge),
      next_item_(run.first_item.value),
      last_item_(last_item(run)) {}

std::vector<PendingItem> PendingFeed::next_page(std::int64_t limit) {
  std::vector<PendingItem> page;
  select_.bind(1, next_item_).bind(2, last_item_).bind(3, limit).bind(4, std::int64_t{purge_});
  while (select_.step()) {
    const ItemId item{select_.integer(0)};
    page.push_back({item, disk_of(select_.text(1), item, database_),
                    static_cast<int>(select_.integer(2)), stage_of(select_.integer(3)),
                    select_.integer(4) != 0, select_.integer(5) != 0, select_.integer(6) != 0});
  }
  select_.reset();
  next_item_ = page.empty() ? last_item_ + 1 : page.back().item.value + 1;
  return page;
}

std::vector<OpenMatter> read_open_matters(Database& database, const RunRecord& run, ItemId after,
                                          bool verify, std::int64_t limit) {
  Statement select = database.prepare(
      std::string(
          "SELECT matter.item_id, matter.disk_id, latest.attempt_id, matter.attempts, latest.stage,"
          "       matter.state = 'unknown', before.status, seen.status, disk_read.sent_utc_ms,"
          "       EXISTS (SELECT 1 FROM observation WHERE observation.item_id = matter.item_id"
          "               AND observation.observation_id > coalesce(latest.observation_id, 0)"
          "               AND observation.status <> CASE latest.stage WHEN 2 THEN 'RECYCLED'"
          "                                         ELSE 'AVAILABLE' END),"
          "       EXISTS (SELECT 1 FROM observation WHERE observation.item_id = matter.item_id"
          "               AND observation.observation_id > coalesce(latest.observation_id, 0)"
          "               AND observation.status IN ('RECYCLING', 'RECYCLED'))"
          " FROM item_state AS matter"
          " JOIN attempt AS latest ON latest.item_id = matter.item_id"
          "                       AND latest.attempt_number = matter.attempts"
          " LEFT JOIN observation AS before ON before.observation_id = latest.observation_id"
          " LEFT JOIN observation AS seen ON seen.observation_id ="
          "   (SELECT max(observation_id) FROM observation WHERE observation.item_id = "
          "matter.item_id"
          "    AND observation.observation_id > coalesce(latest.observation_id, 0))"
          " LEFT JOIN disk_read ON disk_read.read_id = seen.read_id"
          " WHERE matter.item_id > ?1 AND matter.item_id BETWEEN ?2 AND ?3"
          "   AND ") +
      std::string(k_is_open_matter) + " ORDER BY matter.item_id LIMIT ?5");
  select.bind(1, after.value)
      .bind(2, run.first_item.value)
      .bind(3, last_item(run))
      .bind(4, std::int64_t{verify ? 1 : 0})
      .bind(5, limit);
  std::vector<OpenMatter> matters;
  while (select.step()) {
    const ItemId item{select.integer(0)};
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
                      select.integer(10) != 0};
    if (!select.is_null(6)) matter.before = disk_status_from_text(select.text(6));
    if (!select.is_null(7)) matter.last = disk_status_from_text(select.text(7));
    if (!select.is_null(8)) matter.last_seen = utc(select.integer(8));
    matters.push_back(std::move(matter));
  }
  return matters;
}

std::int64_t count_open_matters(Database& database, const RunRecord& run, bool verify) {
  Statement select = database.prepare(
      "SELECT count(*) FROM item_state AS matter WHERE matter.item_id BETWEEN ?2 AND ?3 AND " +
      std::string(k_is_open_matter));
  select.bind(2, run.first_item.value)
      .bind(3, last_item(run))
      .bind(4, std::int64_t{verify ? 1 : 0});
  return select.step() ? select.integer(0) : 0;
}

void read_log(Database& database, const LogFilter& filter,
              const std::function<bool(const LogRow&)>& sink) {
  std::string sql =
      "SELECT run_id, item_id, disk_id, attempt_number, coalesce(outcome, 'open'), http_status,"
      " api_code, request_id, message, intent_utc_ms, sent_utc_ms, finished_utc_ms, latency_us"
      " FROM attempt_log WHERE 1";
  std::vector<std::variant<std::int64_t, std::string>> values;
  const auto restrict = [&](const char* condition, std::variant<std::int64_t, std::string> value) {
    values.push_back(std::move(value));
    sql += std::string(" AND ") + condition + std::to_string(values.size());
  };
  if (filter.run) restrict("run_id = ?", *filter.run);
  if (filter.disk) {
    // disk_item leads to the few items of a disk; the view alone would be read from end to end.
    values.emplace_back(*filter.disk);
    sql += " AND item_id IN (SELECT item_id FROM disk_item WHERE disk_id = ?" +
           std::to_string(values.size()) + ")";
  }
  if (filter.outcome) restrict("coalesce(outcome, 'open') = ?", *filter.outcome);
  if (filter.code) restrict("api_code = ?", *filter.code);
  if (filter.request_id) restrict("request_id = ?", *filter.request_id);
  if (filter.since) restrict("intent_utc_ms >= ?", filter.since->time_since_epoch().count());
  if (filter.until) restrict("intent_utc_ms < ?", filter.until->time_since_epoch().count());
  sql += " ORDER BY attempt_id LIMIT " + std::to_string(filter.limit);
  Statement select = database.prepare(sql);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const int parameter = static_cast<int>(i) + 1;
    if (const auto* number = std::get_if<std::int64_t>(&values[i])) {
      select.bind(parameter, *number);
    } else {
      select.bind(parameter, std::get<std::string>(values[i]));
    }
  }
  while (select.step()) {
    LogRow row;
    row.run_id = select.integer(0);
    row.item_id = select.integer(1);
    row.disk_id = select.text(2);
    row.attempt_number = select.integer(3);
    row.outcome = select.text(4);
    row.http_status = select.optional_integer(5);
    row.api_code = select.text(6);
    row.request_id = select.text(7);
    row.message = select.text(8);
    row.intent = utc(select.integer(9));
    row.sent = optional_utc(select, 10);
    row.finished = optional_utc(select, 11);
    row.latency_us = select.optional_integer(12);
    if (!sink(row)) return;
  }
}

void read_items(Database& database, const RunRecord& run, std::optional<ItemState> only,
                const std::function<bool(const ItemRow&)>& sink) {
  Statement select = database.prepare(
      "SELECT item_id, disk_id, source_line, state, attempts, last_outcome, last_http_status,"
      " last_api_code, last_request_id, last_message, decision_reason, settled, verified,"
      " last_status FROM item_state"
      " WHERE item_id BETWEEN ?1 AND ?2 AND (?3 = '' OR state = ?3) ORDER BY item_id");
  select.bind(1, run.first_item.value)
      .bind(2, last_item(run))
      .bind(3, only ? to_text(*only) : std::string_view());
  while (select.step()) {
    ItemRow row;
    row.item_id = select.integer(0);
    row.disk_id = select.text(1);
    row.source_line = select.integer(2);
    row.state = select.text(3);
    row.attempts = select.integer(4);
    row.last_outcome = select.text(5);
    row.last_http_status = select.optional_integer(6);
    row.last_api_code = select.text(7);
    row.last_request_id = select.text(8);
    row.last_message = select.text(9);
    row.decision_reason = select.text(10);
    row.settled = select.text(11);
    row.verified = select.text(12);
    row.last_status = select.text(13);
    if (!sink(row)) return;
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
    row.started = utc(select.integer(10));
    row.end_reason = select.text(11);
    row.end_detail = select.text(12);
    row.exit_code = select.optional_integer(13);
    row.ended = optional_utc(select, 14);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace diskrelease
