#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "coordination/claims.h"
#include "model/run_record.h"
#include "store/database.h"

namespace diskrelease {

/// What keeps the other audit databases of this machine away from the disks of an invocation.
struct InvocationClaims {
  std::unique_ptr<Claims> store;  ///< nullptr = nothing is claimed
  /// Where other databases may work on the same disks all the same.
  std::optional<std::chrono::nanoseconds> longest_look;
  std::string problem;  ///< why; empty = there is no reason to think so
};

/// Begins a session for a run on record, and brings the claims of its database to what its rows
/// say. Nothing for the simulator inside this process, which nobody else calls. A store that cannot
/// be used or trusted makes a warning. Throws LockHeld when another process works on a copy of the
/// database.
[[nodiscard]] InvocationClaims begin_claims(const Options& options, Database& database,
                                            const std::filesystem::path& database_file,
                                            const std::string& account, const RunRecord& run,
                                            UtcTime now);

/// Puts on record in which store the invocation claims, and why it may not be relied on.
void record_claims(Database& database, const RunRecord& run, InvocationId invocation,
                   const InvocationClaims& claims, UtcTime now);

/// To be called when no attempt is under way any more, with the connection that has recorded them.
void end_claims(const Options& options, Database& database, InvocationClaims& claims, UtcTime now);

/// Other audit databases at work on this account, a line each; empty where there are none.
[[nodiscard]] std::vector<std::string> others_at_work(const Options& options, Database& database,
                                                      const std::string& account);

/// "database /data/a.db, run 3, joe@db1, pid 4711, since ..."
[[nodiscard]] std::string describe(const ClaimHolder& holder);

}  // namespace diskrelease
