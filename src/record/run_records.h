#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/disk_id.h"
#include "model/goal.h"
#include "model/ids.h"
#include "model/run_record.h"
#include "model/settled.h"
#include "model/time.h"
#include "record/unsent_marks.h"
#include "store/database.h"

namespace diskrelease {

/// Each function below that writes is one transaction, durable on return. All throw AuditUnusable.

[[nodiscard]] InvocationId begin_invocation(Database& database, RunId run,
                                            const InvocationDescription& invocation, UtcTime now);
void end_invocation(Database& database, InvocationId invocation, EndReason reason,
                    std::string_view detail, int exit_code, UtcTime now);

void record_decision(Database& database, RunId run, InvocationId invocation,
                     const DecisionRecord& decision, UtcTime now);

/// Skips every pending item of the run whose disk another run, archived or not, has released
/// already (reason
/// `released_before`, after its second stage `destroyed_before`) or may have released (reason
/// `unsettled_before`). Returns how many were
/// skipped by this call. With `for_purge`, disks whose first stage another run has reached stay
/// pending: what is done with them depends on what the preflight sees.
std::int64_t skip_disks_of_other_runs(Database& database, const RunRecord& run,
                                      InvocationId invocation, bool for_purge, UtcTime now);

/// What a person has found out about a disk of unknown outcome.
struct Marking {
  DiskId disk;
  Settled settled = Settled::executed;
};

/// Settles unknown items by a person's word, which goes on record in `words`. Throws UsageError
/// with every disk that the run does not have or whose outcome is not unknown; nothing is marked
/// then.
void check_markings(Database& database, const RunRecord& run, std::span<const Marking> markings);
/// Precondition: check_markings() has passed.
void mark_items(Database& database, const RunRecord& run, InvocationId invocation,
                std::span<const Marking> markings, std::string_view words, UtcTime now);

/// What recovery has found and closed.
struct Recovery {
  std::int64_t dead_invocations = 0;
  std::int64_t unknown_attempts = 0;  ///< open before; their requests may have been executed
  std::int64_t unsent_attempts = 0;   ///< open before; they had their marks (unsent_marks.h)
};

/// Closes what processes that died have left open, in every run of the database: as not sent what
/// has its mark in `marks_folder`, as unknown all else. Then it removes the marks. The caller holds
/// the database's lock, so no other process works on it. Repeating it changes nothing.
Recovery recover(Database& database, UtcTime now,
                 const std::filesystem::path& marks_folder = memory_directory());

}  // namespace diskrelease
