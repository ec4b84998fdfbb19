#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/goal.h"
#include "model/ids.h"
#include "model/run_record.h"
#include "store/database.h"

namespace diskrelease {

/// Which runs there are. All throw AuditUnusable.

[[nodiscard]] std::optional<RunRecord> find_run(Database& database, RunId run);
/// Newest first.
[[nodiscard]] std::vector<RunRecord> list_runs(Database& database, std::int64_t limit);
/// The newest run with this list, goal and endpoint that has pending or unknown items.
[[nodiscard]] std::optional<RunRecord> find_unfinished_run(Database& database,
                                                           std::string_view list_sha256, Goal goal,
                                                           std::string_view endpoint);
/// True while an item of the run is pending or unknown.
[[nodiscard]] bool is_unfinished(Database& database, const RunRecord& run);

/// Whether the database holds runs against the real API or against the sandbox; nullopt while it is
/// empty. The two are never mixed: a simulated release must not keep a real disk from being
/// released.
[[nodiscard]] std::optional<bool> is_sandbox_database(Database& database);

}  // namespace diskrelease
