#include <iostream>

#include "api/classify.h"
#include "cli/audit_access.h"
#include "cli/commands.h"
#include "input/job_file.h"
#include "model/errors.h"
#include "model/visible_text.h"
#include "platform/clock.h"
#include "platform/new_file.h"
#include "report/html_report.h"
#include "report/json_object.h"

namespace diskrelease {
namespace {

std::optional<RateLimit> allowed_rate(const std::string& settings_json) {
  const JobFile settings = read_settings(settings_json, "settings on record");
  if (!settings.problems.empty()) return std::nullopt;
  return resolve(settings.settings).rate;
}

void check_words(const Options& options) {
  constexpr const char* k_see = "\nSee: diskrelease report --help";
  if (!options.output) {
    throw UsageError(std::string("report needs -o FILE, where the page is written; `-o -` is "
                                 "standard output") +
                     k_see);
  }
  if (options.since && options.words.size() > 1) {
    throw UsageError(std::string("report is about one RUN or about all --since a time, not both") +
                     k_see);
  }
  if (!options.since && options.words.size() < 2) {
    throw UsageError(
        "report needs a RUN, or --since TIME for all runs since then; `diskrelease "
        "status --all" +
        database_flag(options) + "` lists the runs" + k_see);
  }
  if (options.json && *options.output == "-") {
    throw UsageError("--json and `-o -` exclude each other: the page is no JSON");
  }
}

void write_page(std::ostream& out, Database& database, const std::optional<RunRecord>& run,
                const std::optional<UtcTime>& since, UtcTime now, const Options& options) {
  const ReportContext context{
      explain_code,    allowed_rate,          now, std::string(tool_version()),
      database.path(), database_flag(options)};
  if (run) {
    write_run_report(out, database, *run, context);
  } else {
    write_period_report(out, database, *since, context);
  }
}

}  // namespace

ExitCode report_command(const Options& options) {
  check_words(options);
  const UtcTime now = SystemClock().utc_now();
  const std::optional<UtcTime> since = resolve_time("--since", options.since, TimeZone(), now);
  Database database = open_for_reading(options);
  const std::optional<RunRecord> run = named_run(database, options);
  if (!run) tell_of_archives(options, database);
  if (*options.output == "-") {
    write_page(std::cout, database, run, since, now, options);
    return ExitCode::done;
  }
  NewFile file(*options.output, options.force, "; `-o -` writes to standard output");
  write_page(file.out(), database, run, since, now, options);
  const std::int64_t bytes = file.finish();
  if (options.json) {
    JsonObject object;
    object.add("event", "report").add("file", *options.output).add("bytes", bytes);
    std::cout << std::move(object).text() << '\n';
  } else if (!options.quiet) {
    std::cerr << "report: " << visible(*options.output) << " (" << (bytes + 1'023) / 1'024
              << " KiB)\n";
  }
  return ExitCode::done;
}

}  // namespace diskrelease
