#include <iostream>

#include "api/classify.h"
#include "cli/audit_access.h"
#include "cli/commands.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "model/visible_text.h"
#include "queries/disk_history.h"
#include "report/disk_story.h"
#include "report/table.h"

namespace diskrelease {
namespace {

Cell cell(const std::string& text) { return text.empty() ? Cell() : Cell(text); }
Cell cell(const std::optional<std::int64_t>& value) { return value ? Cell(*value) : Cell(); }

void print_rows(const Options& options, const std::string& disk, const DiskHistory& history,
                const TimeZone& zone) {
  Table table(std::cout, options.table_format(),
              {"disk_id", "time", "run_id", "kind", "what", "code", "request_id", "detail",
               "attempt_number", "invocation_id", "command", "user", "host", "credential_id"});
  for (const DiskEvent& event : history.events) {
    table.add({disk, zone.format(event.time), event.run_id, event.kind, cell(event.what),
               cell(event.code), cell(event.request_id), cell(event.detail),
               cell(event.attempt_number), cell(event.invocation_id), cell(event.command),
               cell(event.user), cell(event.host), cell(event.credential_id)});
  }
  table.finish();
}

}  // namespace

ExitCode audit_explain_command(const Options& options) {
  if (options.words.size() != 2) {
    throw UsageError("audit explain needs one DISK\nSee: diskrelease audit explain --help");
  }
  const std::string& disk = options.words[1];
  const TimeZone zone = time_zone(options);
  Database database = open_evidence(options);
  const DiskHistory history = read_disk_history(database, disk);
  if (history.events.empty()) {
    throw UsageError("disk " + visible(disk) + " is on no list in " + shown(database.path()) +
                     ": this database has no record of it. Check the id (upper and lower case "
                     "differ) and --db");
  }
  if (options.table_format() == TableFormat::text) {
    print_disk_story(std::cout, disk, history, explain_code, zone);
  } else {
    print_rows(options, disk, history, zone);
  }
  return ExitCode::done;
}

}  // namespace diskrelease
