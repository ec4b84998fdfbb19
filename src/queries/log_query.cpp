#include "queries/log_query.h"

#include <utility>
#include <variant>
#include <vector>

#include "derived/request_index.h"

namespace diskrelease {
namespace {

const char* column_of(LogOrder order) {
  switch (order) {
    case LogOrder::recording:
      break;
    case LogOrder::disk:
      return "disk_id";
    case LogOrder::run:
      return "run_id";
    case LogOrder::outcome:
      return "coalesce(outcome, 'open')";
    case LogOrder::code:
      return "api_code";
    case LogOrder::finished:
      return "finished_utc_ms";
    case LogOrder::latency:
      return "latency_us";
  }
  return "attempt_id";
}

/// A pattern for LIKE, with a backslash as its escape, that finds `text` anywhere.
std::string anywhere(const std::string& text) {
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + '%';
}

using Value = std::variant<std::int64_t, std::string>;

/// The conditions of a query, each with its parameter.
class Conditions {
 public:
  /// `condition` ends where the parameter stands; `rest` follows it.
  void add(const char* condition, std::optional<Value> value, const char* rest = "") {
    if (!value) return;
    values_.push_back(std::move(*value));
    sql_ += std::string(" AND ") + condition + '?' + std::to_string(values_.size()) + rest;
  }
  [[nodiscard]] const std::string& sql() const { return sql_; }
  void bind(Statement& statement) const {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const int parameter = static_cast<int>(i) + 1;
      if (const auto* number = std::get_if<std::int64_t>(&values_[i])) {
        statement.bind(parameter, *number);
      } else {
        statement.bind(parameter, std::get<std::string>(values_[i]));
      }
    }
  }

 private:
  std::string sql_;
  std::vector<Value> values_;
};

std::optional<Value> milliseconds_of(const std::optional<UtcTime>& time) {
  if (!time) return std::nullopt;
  return Value(static_cast<std::int64_t>(time->time_since_epoch().count()));
}

Conditions conditions_of(const LogFilter& filter) {
  Conditions conditions;
  conditions.add("run_id = ", filter.run);
  conditions.add("run_name = ", filter.run_name);
  // disk_item leads to the few items of a disk; the view alone would be read from end to end.
  conditions.add("item_id IN (SELECT item_id FROM disk_item WHERE disk_id = ", filter.disk, ")");
  conditions.add("disk_id = ", filter.disk);
  conditions.add("coalesce(outcome, 'open') = ", filter.outcome);
  conditions.add("api_code = ", filter.code);
  conditions.add("http_status = ", filter.http_status);
  conditions.add("request_id = ", filter.request_id);
  // Whoever stands behind the user counts as well (recorded_user()).
  conditions.add(
      "instr('|' || replace(replace(replace(replace(user, ' (sudo: ', '|'),"
      " ' (login: ', '|'), ', login: ', '|'), ')', '') || '|', '|' || ",
      filter.user, " || '|') > 0");
  conditions.add("host = ", filter.host);
  conditions.add("credential_id = ", filter.credential);
  conditions.add("endpoint = ", filter.endpoint);
  if (filter.text) conditions.add("message LIKE ", anywhere(*filter.text), " ESCAPE '\\'");
  conditions.add("intent_utc_ms >= ", milliseconds_of(filter.since));
  conditions.add("intent_utc_ms < ", milliseconds_of(filter.until));
  return conditions;
}

LogRow row_of(const Statement& select) {
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
  row.intent = select.utc(9);
  row.sent = select.optional_utc(10);
  row.finished = select.optional_utc(11);
  row.latency_us = select.optional_integer(12);
  row.settled = select.text(13);
  row.retry_after_ms = select.optional_integer(14);
  row.scope = select.text(15);
  row.stage = select.integer(16);
  row.source_line = select.integer(17);
  row.attempt_id = select.integer(18);
  row.invocation_id = select.integer(19);
  row.settled_reason = select.text(20);
  row.settled_at = select.optional_utc(21);
  row.run_name = select.text(22);
  row.goal = select.text(23);
  row.command = select.text(24);
  row.user = select.text(25);
  row.host = select.text(26);
  row.credential_id = select.text(27);
  row.endpoint = select.text(28);
  return row;
}

}  // namespace

void read_log(Database& database, const LogFilter& filter,
              const std::function<bool(const LogRow&)>& sink) {
  const Conditions conditions = conditions_of(filter);
  std::string among;
  if (filter.request_id) {
    const auto attempts = attempts_by_request(database, *filter.request_id);
    // The index is no evidence: that it has nothing proves nothing.
    if (attempts && !attempts->empty()) {
      for (const std::int64_t attempt : *attempts) {
        among += (among.empty() ? "" : ",") + std::to_string(attempt);
      }
      among = " AND attempt_id IN (" + among + ")";
    }
  }
  std::string sql =
      "SELECT run_id, item_id, disk_id, attempt_number, coalesce(outcome, 'open'), http_status,"
      " api_code, request_id, message, intent_utc_ms, sent_utc_ms, finished_utc_ms, latency_us,"
      " settled, retry_after_ms, scope, stage, source_line, attempt_id, invocation_id,"
      " settled_reason, settled_utc_ms, run_name, goal, command, user, host, credential_id,"
      " endpoint FROM attempt_log WHERE 1" +
      conditions.sql() + among;
  const char* const direction = filter.descending ? " DESC" : "";
  sql += std::string(" ORDER BY ") + column_of(filter.order) + direction;
  if (filter.order != LogOrder::recording) sql += std::string(", attempt_id") + direction;
  sql += " LIMIT " + std::to_string(filter.limit);
  Statement select = database.prepare(sql);
  conditions.bind(select);
  while (select.step()) {
    if (!sink(row_of(select))) return;
  }
}

}  // namespace diskrelease
