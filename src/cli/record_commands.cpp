#include <iostream>

#include "api/classify.h"
#include "cli/audit_access.h"
#include "cli/claims_access.h"
#include "cli/commands.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "model/visible_text.h"
#include "queries/find_run.h"
#include "queries/run_queries.h"
#include "report/json_object.h"
#include "report/summary.h"
#include "report/table.h"

namespace diskrelease {
namespace {

constexpr std::int64_t k_runs_listed = 1'000;

Cell cell(const std::optional<std::int64_t>& value) { return value ? Cell(*value) : Cell(); }
Cell cell(const std::string& text) { return text.empty() ? Cell() : Cell(text); }

RunRecord run_or_newest(Database& database, const Options& options) {
  if (std::optional<RunRecord> run = named_run(database, options)) return *run;
  std::vector<RunRecord> runs = list_runs(database, 1);
  if (runs.empty()) throw UsageError("there is no run in " + shown(database.path()) + " yet");
  return std::move(runs.front());
}

void print_all_runs(Database& database, const Options& options) {
  Table table(std::cout, options.table_format(),
              {"run_id", "name", "created", "listed", "released", "already_gone", "rejected",
               "failed", "skipped", "unknown", "pending", "endpoint"});
  for (const RunRecord& run : list_runs(database, k_runs_listed)) {
    const StateCounts counts = count_states(database, run);
    std::vector<Cell> row{run.id.value, run.description.name, format_utc(run.created),
                          run.item_count};
    for (const ItemState state :
         {ItemState::released, ItemState::already_gone, ItemState::rejected, ItemState::failed,
          ItemState::skipped, ItemState::unknown, ItemState::pending}) {
      row.emplace_back(counts[state]);
    }
    row.emplace_back(run.description.endpoint);
    table.add(std::move(row));
  }
  table.finish();
}

void print_invocations(const std::vector<InvocationRow>& invocations) {
  for (const InvocationRow& row : invocations) {
    const InvocationDescription& by = row.description;
    std::cout << "  " << row.invocation_id << "  " << format_utc(row.started) << "  " << by.command
              << " by " << visible(by.user) << '@' << visible(by.host) << " (pid " << by.pid
              << ", diskrelease " << by.tool_version << ", credential " << visible(by.credential_id)
              << ")";
    if (row.end_reason.empty()) {
      std::cout << ": no end on record, works still or has died";
    } else {
      std::cout << ": " << row.end_reason;
      if (row.exit_code) std::cout << ", exit " << *row.exit_code;
      if (row.ended) std::cout << ", " << format_utc(*row.ended);
      if (!row.end_detail.empty()) std::cout << ", " << visible(row.end_detail);
    }
    std::cout << '\n';
  }
}

}  // namespace

ExitCode status_command(const Options& options) {
  Database database = open_for_reading(options);
  if (options.all) {
    print_all_runs(database, options);
    tell_of_archives(options, database);
    return ExitCode::done;
  }
  const RunRecord run = run_or_newest(database, options);
  Summary summary = summarise(database, run);
  const std::vector<InvocationRow> invocations = read_invocations(database, run.id);
  if (!invocations.empty()) {
    summary.end_reason = invocations.back().end_reason;
    summary.end_detail = invocations.back().end_detail;
    if (invocations.back().exit_code) {
      summary.exit_code = static_cast<int>(*invocations.back().exit_code);
    }
  }
  if (options.json) {
    std::cout << summary_json(summary, explain_code) << '\n';
    return ExitCode::done;
  }
  print_summary(std::cout, summary, explain_code, wants_colour(options));
  const std::int64_t open = count_open_attempts(database, run);
  if (open > 0) {
    std::cout << "  of the unknown, " << open
              << " are under way, or were when their process died\n";
  }
  std::cout << "invocations:\n";
  print_invocations(invocations);
  if (!run.description.sandbox) {
    const auto others = others_at_work(options, database, run.description.endpoint);
    if (!others.empty()) std::cout << "other databases at work on this account:\n";
    for (const std::string& other : others) std::cout << "  " << other << '\n';
  }
  return ExitCode::done;
}

ExitCode audit_show_command(const Options& options) {
  Database database = open_for_reading(options);
  const RunRecord run = run_or_newest(database, options);
  const std::optional<ItemState> only =
      options.state ? item_state_from_text(*options.state) : std::nullopt;
  if (options.table_format() == TableFormat::text) {
    const Summary summary = summarise(database, run);
    print_summary(std::cout, summary, explain_code, wants_colour(options));
    std::cout << "created " << format_utc(run.created) << ", list sha256 " << run.list_sha256
              << ", seed " << run.description.random_seed << "\ninvocations:\n";
    print_invocations(read_invocations(database, run.id));
    std::cout << "items:\n";
  }
  Table table(std::cout, options.table_format(),
              {"item_id", "disk_id", "source_line", "state", "attempts", "last_outcome",
               "last_http_status", "last_api_code", "last_request_id", "reason", "last_message",
               "settled", "verified", "last_status"});
  read_items(database, run, only, [&](const ItemRow& row) {
    table.add({row.item_id, row.disk_id, row.source_line, row.state, row.attempts,
               cell(row.last_outcome), cell(row.last_http_status), cell(row.last_api_code),
               cell(row.last_request_id), cell(row.decision_reason), cell(row.last_message),
               cell(row.settled), cell(row.verified), cell(row.last_status)});
    return std::cout.good();
  });
  table.finish();
  return ExitCode::done;
}

}  // namespace diskrelease
