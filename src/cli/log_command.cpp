#include <algorithm>
#include <array>
#include <iostream>

#include "cli/audit_access.h"
#include "cli/commands.h"
#include "input/suggestion.h"
#include "model/errors.h"
#include "model/visible_text.h"
#include "platform/clock.h"
#include "queries/log_query.h"
#include "report/table.h"

namespace diskrelease {
namespace {

Cell cell(const std::optional<std::int64_t>& value) { return value ? Cell(*value) : Cell(); }
Cell cell(const std::string& text) { return text.empty() ? Cell() : Cell(text); }
Cell cell(const std::optional<UtcTime>& time, const TimeZone& zone) {
  return time ? Cell(zone.format(*time)) : Cell();
}

struct Column {
  std::string_view name;
  Cell (*of)(const LogRow& row, const TimeZone& zone);
  bool usual = false;
};

/// In the order of `--columns all`.
constexpr std::array k_columns{
    Column{"run_id", [](const LogRow& row, const TimeZone&) { return Cell(row.run_id); }, true},
    Column{"run_name", [](const LogRow& row, const TimeZone&) { return cell(row.run_name); }},
    Column{"goal", [](const LogRow& row, const TimeZone&) { return cell(row.goal); }},
    Column{"disk_id", [](const LogRow& row, const TimeZone&) { return cell(row.disk_id); }, true},
    Column{"source_line", [](const LogRow& row, const TimeZone&) { return Cell(row.source_line); }},
    Column{"item_id", [](const LogRow& row, const TimeZone&) { return Cell(row.item_id); }},
    Column{"attempt_id", [](const LogRow& row, const TimeZone&) { return Cell(row.attempt_id); }},
    Column{"attempt_number",
           [](const LogRow& row, const TimeZone&) { return Cell(row.attempt_number); }, true},
    Column{"stage", [](const LogRow& row, const TimeZone&) { return Cell(row.stage); }},
    Column{"outcome", [](const LogRow& row, const TimeZone&) { return cell(row.outcome); }, true},
    Column{"scope", [](const LogRow& row, const TimeZone&) { return cell(row.scope); }},
    Column{"settled", [](const LogRow& row, const TimeZone&) { return cell(row.settled); }, true},
    Column{"settled_reason",
           [](const LogRow& row, const TimeZone&) { return cell(row.settled_reason); }},
    Column{"settled_at",
           [](const LogRow& row, const TimeZone& zone) { return cell(row.settled_at, zone); }},
    Column{"http_status", [](const LogRow& row, const TimeZone&) { return cell(row.http_status); },
           true},
    Column{"api_code", [](const LogRow& row, const TimeZone&) { return cell(row.api_code); }, true},
    Column{"request_id", [](const LogRow& row, const TimeZone&) { return cell(row.request_id); },
           true},
    Column{"intent", [](const LogRow& row, const TimeZone& zone) { return cell(row.intent, zone); },
           true},
    Column{"sent", [](const LogRow& row, const TimeZone& zone) { return cell(row.sent, zone); },
           true},
    Column{"finished",
           [](const LogRow& row, const TimeZone& zone) { return cell(row.finished, zone); }, true},
    Column{"latency_us", [](const LogRow& row, const TimeZone&) { return cell(row.latency_us); },
           true},
    Column{"retry_after_ms",
           [](const LogRow& row, const TimeZone&) { return cell(row.retry_after_ms); }},
    Column{"invocation_id",
           [](const LogRow& row, const TimeZone&) { return Cell(row.invocation_id); }},
    Column{"command", [](const LogRow& row, const TimeZone&) { return cell(row.command); }},
    Column{"user", [](const LogRow& row, const TimeZone&) { return cell(row.user); }},
    Column{"host", [](const LogRow& row, const TimeZone&) { return cell(row.host); }},
    Column{"credential_id",
           [](const LogRow& row, const TimeZone&) { return cell(row.credential_id); }},
    Column{"endpoint", [](const LogRow& row, const TimeZone&) { return cell(row.endpoint); }},
    Column{"message", [](const LogRow& row, const TimeZone&) { return cell(row.message); }, true},
};

[[noreturn]] void unknown_column(const std::string& name) {
  Suggestion suggestion(name);
  std::string names;
  for (const Column& column : k_columns) {
    suggestion.consider(column.name, column.name);
    names += (names.empty() ? "" : ", ") + std::string(column.name);
  }
  throw UsageError("--columns: there is no column \"" + visible(name) + "\"" + suggestion.text() +
                   "\nThere are: " + names);
}

std::vector<const Column*> wanted_columns(const Options& options) {
  std::vector<const Column*> wanted;
  const bool all = options.columns == std::vector<std::string>{"all"};
  if (all || options.columns.empty()) {
    for (const Column& column : k_columns) {
      if (all || column.usual) wanted.push_back(&column);
    }
    return wanted;
  }
  for (const std::string& name : options.columns) {
    const auto* const found = std::ranges::find(k_columns, std::string_view(name), &Column::name);
    if (found == k_columns.end()) unknown_column(name);
    if (std::ranges::find(wanted, &*found) != wanted.end()) {
      throw UsageError("--columns: " + name + " is named more than once");
    }
    wanted.push_back(&*found);
  }
  return wanted;
}

}  // namespace

ExitCode audit_log_command(const Options& options) {
  if (options.words.size() > 1) {
    throw UsageError("audit log takes flags only, not \"" + visible(options.words[1]) +
                     "\"\nSee: diskrelease audit log --help");
  }
  const std::vector<const Column*> columns = wanted_columns(options);
  const TimeZone zone = time_zone(options);
  const UtcTime now = SystemClock().utc_now();
  LogFilter filter = options.filter;
  filter.since = resolve_time("--since", options.since, zone, now);
  filter.until = resolve_time("--until", options.until, zone, now);
  if (filter.since && filter.until && *filter.since >= *filter.until) {
    throw UsageError("--since " + visible(*options.since) + " is not before --until " +
                     visible(*options.until) + ": nothing can be found");
  }
  filter.limit = options.limit.value_or(-1);
  Database database = open_evidence(options);
  if (filter.run) refuse_archived(database, RunId{*filter.run});
  std::vector<std::string> names;
  names.reserve(columns.size());
  for (const Column* column : columns) names.emplace_back(column->name);
  Table table(std::cout, options.table_format(), std::move(names));
  read_log(database, filter, [&](const LogRow& row) {
    std::vector<Cell> cells;
    cells.reserve(columns.size());
    for (const Column* column : columns) cells.push_back(column->of(row, zone));
    table.add(std::move(cells));
    return std::cout.good();
  });
  table.finish();
  return ExitCode::done;
}

}  // namespace diskrelease
