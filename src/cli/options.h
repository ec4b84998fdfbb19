#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/disk_id.h"
#include "model/job_spec.h"
#include "model/time.h"
#include "report/table.h"

namespace diskrelease {

/// What a person has found out about a disk of unknown outcome.
enum class MarkedAs { released, not_released };

/// --mark DISK=released or DISK=not-released.
struct Mark {
  DiskId disk;
  MarkedAs as = MarkedAs::released;
  friend bool operator==(const Mark&, const Mark&) = default;
};

/// A reason is a line of the record, not a report.
inline constexpr std::size_t k_max_reason_bytes = 1'000;

/// The command line, read and checked, free of the library that read it. Each command uses its own
/// part.
struct Options {
  std::vector<std::string>
      words;  ///< the command first ("run"; "audit", "log"), then its arguments
  std::optional<std::string> help;  ///< set = print this and end
  JobSettings settings;             ///< what flags say

  std::optional<std::string> database;
  bool yes = false;
  bool json = false;
  bool csv = false;
  bool quiet = false;
  bool verbose = false;
  bool no_color = false;

  bool sandbox = false;
  std::optional<std::string> sandbox_scenario;

  // settle: marks of different disks, and their reason; both or neither. The reason is UTF-8
  // without control characters, not blank, at most k_max_reason_bytes long.
  std::vector<Mark> marks;
  std::optional<std::string> mark_reason;
  // run, resume, settle, audit verify
  std::optional<std::string> anchor_file;
  // status
  bool all = false;
  // audit show
  std::optional<std::string> state;
  // report: a path, or "-"
  std::optional<std::string> output;
  bool force = false;
  // audit log; `since` also of report
  std::optional<std::int64_t> filter_run;
  std::optional<std::string> filter_disk;
  std::optional<std::string> filter_outcome;
  std::optional<std::string> filter_code;
  std::optional<std::string> filter_request_id;
  std::optional<UtcTime> since;
  std::optional<UtcTime> until;
  std::optional<std::int64_t> limit;
  // sandbox
  std::int64_t port = 0;
  std::optional<std::string> ca_out;
  std::optional<std::string> ledger;

  [[nodiscard]] TableFormat table_format() const {
    return json ? TableFormat::json : csv ? TableFormat::csv : TableFormat::text;
  }
};

/// Throws UsageError for anything that is not understood; what is wrong with marks and their reason
/// is told all at once.
[[nodiscard]] Options parse_options(int argc, const char* const* argv);

/// Colours only on a terminal, and not with --no-color or NO_COLOR (no-color.org).
[[nodiscard]] bool wants_colour(const Options& options);

[[nodiscard]] std::string_view tool_version() noexcept;

}  // namespace diskrelease
