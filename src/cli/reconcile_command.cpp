#include <array>
#include <iostream>
#include <string_view>
#include <unordered_set>

#include "cli/audit_access.h"
#include "cli/commands.h"
#include "input/provider_log.h"
#include "model/errors.h"
#include "model/visible_text.h"
#include "platform/clock.h"
#include "queries/find_run.h"
#include "queries/log_query.h"
#include "report/json_object.h"
#include "report/reconciliation.h"
#include "report/table.h"

namespace diskrelease {
namespace {

/// For two clocks, and for a log that is written after the call has ended.
constexpr std::chrono::minutes k_default_window{5};

struct Books {
  ProviderLogSummary log;
  std::vector<ProviderRelease> releases;
  std::vector<OurAttempt> attempts;
  ReconciliationScope scope;
  std::int64_t attempts_outside = 0;  ///< too far away to be looked at
};

void check_options(const Options& options) {
  if (options.words.size() > 1) {
    throw UsageError("audit reconcile takes flags only, not \"" + visible(options.words[1]) +
                     "\"\nSee: diskrelease audit reconcile --help");
  }
  if (!options.provider_log) {
    throw UsageError(
        "audit reconcile needs --provider-log FILE, an export of the provider's log "
        "(docs/reconciliation.md)");
  }
}

void read_their_log(const Options& options, Books& books) {
  books.log = read_provider_log_file(
      *options.provider_log, options.release_events,
      [&](ProviderRelease&& release) { books.releases.push_back(std::move(release)); });
  if (!books.log.problems.empty()) {
    throw UsageError("the provider's log cannot be used; nothing was compared\n" +
                     books.log.problems.describe(*options.provider_log));
  }
}

/// The time that the log was asked for, as far as the operator says.
struct AskedFor {
  std::optional<UtcTime> since;
  std::optional<UtcTime> until;
};

AskedFor asked_for(const Options& options) {
  const TimeZone zone = time_zone(options);
  const UtcTime now = SystemClock().utc_now();
  const AskedFor span{resolve_time("--since", options.since, zone, now),
                      resolve_time("--until", options.until, zone, now)};
  if (span.since && span.until && *span.since >= *span.until) {
    throw UsageError("--since must be before --until");
  }
  return span;
}

ReconciliationScope scope_of(const Options& options, const AskedFor& asked,
                             const ProviderLogSummary& log) {
  const auto& [since, until] = asked;
  if (!log.latest && !(since && until)) {
    throw UsageError(
        "the provider's log has no record, so the time that it covers is not known; say what was "
        "asked for with --since and --until");
  }
  ReconciliationScope scope;
  scope.begin = since ? *since : *log.earliest;
  scope.end = until ? *until : *log.latest + std::chrono::milliseconds(1);
  if (scope.begin >= scope.end) {
    throw UsageError("the provider's log has no record in the time that is asked for");
  }
  scope.window = options.window.value_or(k_default_window);
  scope.run = options.filter.run;
  return scope;
}

void read_our_attempts(Database& database, Books& books) {
  // A request id says more than a time: a clock may be wrong, or a zone be left out.
  std::unordered_set<std::string_view> known;
  for (const ProviderRelease& release : books.releases) {
    const bool is_judged = release.time >= books.scope.begin && release.time < books.scope.end;
    if (is_judged && !release.request_id.empty()) known.insert(release.request_id);
  }
  read_log(database, {}, [&](const LogRow& row) {
    const UtcTime time = row.sent.value_or(row.intent);
    if (is_near(books.scope, time) || known.contains(row.request_id)) {
      books.attempts.push_back({.run_id = row.run_id,
                                .attempt_number = row.attempt_number,
                                .disk_id = row.disk_id,
                                .outcome = row.outcome,
                                .settled = row.settled,
                                .request_id = row.request_id,
                                .time = time});
    } else if (!books.scope.run || *books.scope.run == row.run_id) {
      ++books.attempts_outside;
    }
    return true;
  });
}

Cell cell(const std::string& text) { return text.empty() ? Cell() : Cell(text); }

constexpr std::array k_columns{"finding",      "disk_id",    "run_id",           "attempt_number",
                               "outcome",      "settled",    "our_request_id",   "our_time",
                               "their_result", "their_code", "their_disk_id",    "their_time",
                               "their_user",   "client_ip",  "their_request_id", "event_source",
                               "record"};

/// What a line on a terminal has room for.
constexpr std::array<std::size_t, 10> k_text_columns{0, 1, 2, 4, 7, 8, 11, 12, 13, 16};

std::vector<Cell> row_of(const Finding& finding, const Books& books) {
  std::vector<Cell> row{std::string(to_text(finding.kind))};
  if (finding.attempt) {
    const OurAttempt& ours = books.attempts[*finding.attempt];
    row.insert(row.end(), {ours.disk_id, ours.run_id, ours.attempt_number, ours.outcome,
                           cell(ours.settled), cell(ours.request_id), format_utc(ours.time)});
  } else {
    row.emplace_back(books.releases[*finding.release].disk.text());
    row.resize(row.size() + 6);
  }
  if (finding.release) {
    const ProviderRelease& theirs = books.releases[*finding.release];
    row.insert(row.end(),
               {std::string(to_text(theirs.result)), cell(theirs.code), theirs.disk.text(),
                format_utc(theirs.time), cell(theirs.user), cell(theirs.client_ip),
                cell(theirs.request_id), cell(theirs.source), theirs.record});
  }
  row.resize(k_columns.size());
  return row;
}

void print_table(const Reconciliation& found, const Books& books, TableFormat format) {
  std::vector<std::string> columns(k_columns.begin(), k_columns.end());
  if (format == TableFormat::text) {
    columns.clear();
    for (const std::size_t column : k_text_columns) columns.emplace_back(k_columns[column]);
  }
  Table table(std::cout, format, columns);
  for (const Finding& finding : found.findings) {
    std::vector<Cell> row = row_of(finding, books);
    if (format == TableFormat::text) {
      std::vector<Cell> shown;
      shown.reserve(k_text_columns.size());
      for (const std::size_t column : k_text_columns) shown.push_back(row[column]);
      row = std::move(shown);
    }
    table.add(std::move(row));
  }
  table.finish();
}

void print_count(std::string_view what, std::int64_t count, const std::string& remark = {}) {
  std::string line = "  " + std::string(what);
  line.resize(17, ' ');
  const std::string number = std::to_string(count);
  if (number.size() < 6) line.append(6 - number.size(), ' ');
  std::cout << line << number << (remark.empty() ? "" : "   " + remark) << '\n';
}

/// Nothing lay in the span: agreement that says nothing.
bool is_empty(const Reconciliation& found) {
  return found.matched + found.both_refused + found.unlisted == 0 && found.findings.empty();
}

void print_text(const Reconciliation& found, const Books& books, const Options& options,
                const std::string& database) {
  const std::int64_t mismatches = found.mismatches();
  if (mismatches > 0) {
    std::cout << "NOT RECONCILED: " << visible(database) << " and the provider's log differ ("
              << mismatches << (mismatches == 1 ? " mismatch" : " mismatches") << ")\n";
  } else if (is_empty(found)) {
    std::cout << "nothing to compare: neither " << visible(database)
              << " nor the provider's log has a release in the span\n";
  } else {
    std::cout << "reconciled: " << visible(database) << " and the provider's log say the same\n";
  }
  std::cout << "  span           " << format_utc(books.scope.begin) << " to before "
            << format_utc(books.scope.end)
            << (options.since && options.until ? "\n"
                                               : ", as far as its records go: say what was asked "
                                                 "for with --since and --until\n");
  print_count("records", books.log.records,
              std::to_string(books.log.release_records) + " of them releases of disks");
  print_count("matched", found.matched);
  print_count("both refused", found.both_refused, "without effect here and there");
  print_count("not listed", found.unlisted, "without effect here, no record there");
  print_count("ours only", found.count(FindingKind::ours_only));
  print_count("theirs only", found.count(FindingKind::theirs_only));
  print_count("contradictions", found.count(FindingKind::they_succeeded) +
                                    found.count(FindingKind::they_failed) +
                                    found.count(FindingKind::other_disk));
  print_count("outside", found.outside + books.attempts_outside,
              "attempts out of the span, not compared");
  if (found.outside_releases > 0) {
    print_count("", found.outside_releases, "releases of theirs out of the span");
  }
  if (books.scope.run) print_count("other runs", found.other_runs);
  if (found.repeated > 0) print_count("repeated", found.repeated, "in the log more than once");
  std::cout << "  " << found.by_request_id << " found by request id, the others by disk and time\n";
  if (books.log.release_records == 0 && !books.log.other_events.empty()) {
    std::cout << "  no record is of the event ReleaseDisk; the log has";
    for (const std::string& event : books.log.other_events)
      std::cout << " \"" << visible(event) << '"';
    std::cout << ": --event NAME names another\n";
  }
  if (!found.findings.empty()) print_table(found, books, TableFormat::text);
}

void print_json(const Reconciliation& found, const Books& books, const std::string& database,
                ExitCode code) {
  std::vector<std::string> columns{"event"};
  columns.insert(columns.end(), k_columns.begin(), k_columns.end());
  Table table(std::cout, TableFormat::ndjson, std::move(columns));
  for (const Finding& finding : found.findings) {
    std::vector<Cell> row{std::string("finding")};
    for (Cell& cell : row_of(finding, books)) row.push_back(std::move(cell));
    table.add(std::move(row));
  }
  JsonObject counts;
  counts.add("matched", found.matched)
      .add("both_refused", found.both_refused)
      .add("unlisted", found.unlisted);
  for (const FindingKind kind :
       {FindingKind::ours_only, FindingKind::theirs_only, FindingKind::they_succeeded,
        FindingKind::they_failed, FindingKind::other_disk, FindingKind::unknown_succeeded,
        FindingKind::unknown_failed}) {
    counts.add(to_text(kind), found.count(kind));
  }
  counts.add("outside", found.outside + books.attempts_outside)
      .add("outside_releases", found.outside_releases)
      .add("other_runs", found.other_runs)
      .add("repeated", found.repeated)
      .add("by_request_id", found.by_request_id);
  JsonObject object;
  object.add("event", "reconciliation")
      .add("database", database)
      .add("reconciled", found.mismatches() == 0)
      .add("since", format_utc(books.scope.begin))
      .add("until", format_utc(books.scope.end))
      .add("records", books.log.records)
      .add("release_records", books.log.release_records)
      .add("mismatches", found.mismatches())
      .add_json("counts", std::move(counts).text())
      .add("exit_code", static_cast<std::int64_t>(code));
  std::cout << std::move(object).text() << '\n';
}

}  // namespace

ExitCode audit_reconcile_command(const Options& options) {
  check_options(options);
  Database database = open_evidence(options);
  if (options.filter.run) refuse_archived(database, RunId{*options.filter.run});
  if (options.filter.run && !find_run(database, RunId{*options.filter.run})) {
    throw UsageError("there is no run " + std::to_string(*options.filter.run) + " in " +
                     database.path());
  }
  tell_of_archives(options, database);
  const AskedFor asked = asked_for(options);
  Books books;
  read_their_log(options, books);
  books.scope = scope_of(options, asked, books.log);
  read_our_attempts(database, books);
  const Reconciliation found = reconcile(books.attempts, books.releases, books.scope);
  const ExitCode code = found.mismatches() == 0 ? ExitCode::done : ExitCode::some_failed;
  switch (options.table_format()) {
    case TableFormat::json:
    case TableFormat::ndjson:
      print_json(found, books, database.path(), code);
      break;
    case TableFormat::csv:
      print_table(found, books, TableFormat::csv);
      break;
    case TableFormat::text:
      if (!options.quiet || code != ExitCode::done) {
        print_text(found, books, options, database.path());
      }
      break;
  }
  return code;
}

}  // namespace diskrelease
