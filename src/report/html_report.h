#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

#include "model/job_spec.h"
#include "report/summary.h"
#include "store/database.h"

namespace diskrelease {

/// Rows of the table of items that need attention. A page with more takes seconds to open.
inline constexpr std::int64_t k_most_attention_rows = 5'000;

/// What a report says besides what is in the database.
struct ReportContext {
  ExplainCode explain;
  /// The rate that settings on record allow; nullopt = they cannot be read.
  std::function<std::optional<RateLimit>(const std::string& settings_json)> read_rate;
  UtcTime made;
  std::string tool_version;
  std::string database;       ///< path
  std::string database_flag;  ///< " --db PATH" for commands that the page suggests, or empty
};

/// Each writes one HTML page that loads nothing from anywhere and works without its script. All
/// that comes from the database is made visible and escaped. The page is written as it is read:
/// memory does not grow with the run, but for different error codes, invocations and days.
///
/// Of one moment. Throw AuditUnusable, and std::logic_error where counts do not add up; a stream
/// that has failed is left to the caller.

/// What became of one run.
void write_run_report(std::ostream& out, Database& database, const RunRecord& run,
                      const ReportContext& context);

/// All runs that were made or worked on at or after `since`.
void write_period_report(std::ostream& out, Database& database, UtcTime since,
                         const ReportContext& context);

}  // namespace diskrelease
