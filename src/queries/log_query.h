#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "model/time.h"
#include "store/database.h"

namespace diskrelease {

/// What attempts are ordered by; those that are alike, by their recording.
enum class LogOrder { recording, disk, run, outcome, code, finished, latency };

/// Which rows of attempt_log to show. Unset = no restriction.
struct LogFilter {
  std::optional<std::int64_t> run;
  std::optional<std::string> run_name;
  std::optional<std::string> disk;
  std::optional<std::string> outcome;  ///< an outcome's text, or "open"
  std::optional<std::string> code;     ///< exact API code
  std::optional<std::int64_t> http_status;
  std::optional<std::string> request_id;
  std::optional<std::string> user;  ///< also who stands behind it: "alice" of "root (sudo: alice)"
  std::optional<std::string> host;
  std::optional<std::string> credential;  ///< exact credential id
  std::optional<std::string> endpoint;
  std::optional<std::string> text;  ///< somewhere in the message; ASCII letters in either case
  std::optional<UtcTime> since;     ///< intent at or after
  std::optional<UtcTime> until;     ///< intent before
  LogOrder order = LogOrder::recording;
  bool descending = false;
  std::int64_t limit = -1;  ///< -1 = all
};

/// A row of the view attempt_log; docs/audit-database.md says what the fields are.
struct LogRow {
  std::int64_t run_id = 0;
  std::int64_t item_id = 0;
  std::string disk_id;
  std::int64_t attempt_number = 0;
  std::string outcome;  ///< "open" while there is none
  std::string settled;  ///< how an unknown one was settled; empty where it was not
  std::optional<std::int64_t> http_status;
  std::string api_code;
  std::string request_id;
  std::string message;
  UtcTime intent;
  std::optional<UtcTime> sent;
  std::optional<UtcTime> finished;
  std::optional<std::int64_t> latency_us;
  std::optional<std::int64_t> retry_after_ms;
  std::string scope;
  std::int64_t stage = 0;
  std::int64_t source_line = 0;
  std::int64_t attempt_id = 0;
  std::int64_t invocation_id = 0;
  std::string settled_reason;
  std::optional<UtcTime> settled_at;
  std::string run_name;
  std::string goal;
  std::string command;
  std::string user;
  std::string host;
  std::string credential_id;
  std::string endpoint;
};

/// Calls `sink` for each attempt; false ends it. Throws AuditUnusable. In the order of recording
/// rows come as they are read; another order takes room for all of them, in a file if need be.
void read_log(Database& database, const LogFilter& filter,
              const std::function<bool(const LogRow&)>& sink);

}  // namespace diskrelease
