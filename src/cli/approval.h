#pragma once

#include <string>
#include <vector>

#include "audit/run_records.h"
#include "cli/callee.h"
#include "cli/options.h"
#include "model/job_spec.h"

namespace diskrelease {

/// Lets the run begin or throws GateRefused. `others`: other audit databases at work on the
/// account, a line each, which are told. Returns how it was approved.
[[nodiscard]] DecisionRecord approve(const Options& options, const JobSpec& spec,
                                     const Callee& callee, std::int64_t count,
                                     const std::string& what,
                                     const std::vector<std::string>& others);

}  // namespace diskrelease
