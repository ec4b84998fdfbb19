#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/disk_id.h"
#include "model/job_spec.h"
#include "queries/log_query.h"
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
  /// audit log, explain, sql, reconcile, verify: further databases of the same chain (archives).
  std::vector<std::string> more_databases;
  bool yes = false;
  bool accept_credential = false;
  bool json = false;
  bool ndjson = false;
  bool csv = false;
  bool quiet = false;
  bool verbose = false;
  bool no_color = false;

  bool sandbox = false;
  std::optional<std::string> sandbox_scenario;

  // settle: marks of different disks
  std::vector<Mark> marks;
  // run, resume, settle: to use a database that is not the one that its anchors name
  bool accept_rollback = false;
  // Of marks and of accept_rollback: it is there with either, and with neither it is not. UTF-8
  // without control characters, not blank, at most k_max_reason_bytes long.
  std::optional<std::string> reason;
  // run, resume, settle, audit verify, audit archive
  std::optional<std::string> anchor_file;
  // run, resume, settle, audit archive
  std::optional<std::string> anchor_key;
  std::optional<std::string> anchor_syslog;  ///< socket of the system log
  // audit verify
  std::optional<std::string> anchor_public_key;
  // audit export
  std::optional<std::string> output;
  std::optional<std::string> key;  ///< private key that signs
  // status
  bool all = false;
  // audit show
  std::optional<std::string> state;
  // audit log: restrictions, then times as they were written, for they may be relative
  LogFilter filter;
  std::optional<std::string> since;
  std::optional<std::string> until;
  std::vector<std::string> columns;  ///< empty = the usual ones
  // audit archive
  std::optional<std::string> before;
  bool dry_run = false;
  // report, audit backup
  bool force = false;
  // audit log, audit explain, audit reconcile, audit archive
  std::optional<std::string> time_zone;
  // audit sql
  std::optional<std::int64_t> limit;
  // audit reconcile; since, until and filter_run as well
  std::optional<std::string> provider_log;
  std::vector<std::string> release_events;
  std::optional<std::chrono::milliseconds> window;
  // sandbox
  std::int64_t port = 0;
  std::optional<std::string> ca_out;
  std::optional<std::string> ledger;

  [[nodiscard]] TableFormat table_format() const {
    return json     ? TableFormat::json
           : ndjson ? TableFormat::ndjson
           : csv    ? TableFormat::csv
                    : TableFormat::text;
  }
};

/// Throws UsageError for anything that is not understood; what is wrong with marks and their reason
/// is told all at once.
[[nodiscard]] Options parse_options(int argc, const char* const* argv);

/// Colours only on a terminal, and not with --no-color or NO_COLOR (no-color.org).
[[nodiscard]] bool wants_colour(const Options& options);

[[nodiscard]] std::string_view tool_version() noexcept;

}  // namespace diskrelease
