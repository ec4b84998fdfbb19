#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/time.h"
#include "store/database.h"

namespace diskrelease {

/// A row of the view disk_history, with who was at work. docs/audit-database.md says what `what`,
/// `code` and `detail` are for each kind.
struct DiskEvent {
  UtcTime time;
  std::string kind;
  std::string what;
  std::string code;
  std::string request_id;
  std::string detail;
  std::int64_t run_id = 0;
  std::int64_t item_id = 0;
  std::optional<std::int64_t> attempt_number;
  std::optional<std::int64_t> invocation_id;
  std::string command;  ///< of the invocation, as the next three; empty where there is none
  std::string user;
  std::string host;
  std::string credential_id;
};

/// Where an item of the disk stands.
struct DiskItem {
  std::int64_t run_id = 0;
  std::string run_name;
  std::string goal;
  std::string endpoint;
  std::string state;
  std::string verified;     ///< of an accepted release: what reading has shown
  std::string last_status;  ///< of the disk, as last read in this run; empty = never
};

struct DiskHistory {
  std::vector<DiskEvent> events;  ///< by time, whatever the run
  std::vector<DiskItem> items;    ///< by run
};

/// All that is on record about a disk; empty for one that was never listed. Throws AuditUnusable.
/// Costs what is on record about this disk, not the size of the database.
[[nodiscard]] DiskHistory read_disk_history(Database& database, const std::string& disk);

}  // namespace diskrelease
