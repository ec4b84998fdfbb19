#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/callee.h"
#include "cli/options.h"
#include "model/job_spec.h"
#include "model/run_record.h"
#include "store/database.h"

namespace diskrelease {

/// Lets the run begin or throws GateRefused. `others`: other audit databases at work on the
/// account, a line each, which are told. Returns how it was approved.
[[nodiscard]] DecisionRecord approve(const Options& options, const JobSpec& spec,
                                     const Callee& callee, std::int64_t count,
                                     const std::string& what,
                                     const std::vector<std::string>& others);

/// A run that has worked with other credentials only: lets this one take part, or throws
/// GateRefused. Its account may be another one, in which no disk of the run has ever been. Returns
/// how it was approved; nullopt = it needs no approval.
[[nodiscard]] std::optional<DecisionRecord> approve_credential(const Options& options,
                                                               Database& database,
                                                               const RunRecord& run,
                                                               const Callee& callee);

}  // namespace diskrelease
