#pragma once

#include <string>

#include "audit/run_records.h"
#include "cli/callee.h"
#include "cli/options.h"
#include "model/job_spec.h"

namespace diskrelease {

/// Lets the run begin or throws GateRefused. Returns how it was approved.
[[nodiscard]] DecisionRecord approve(const Options& options, const JobSpec& spec,
                                     const Callee& callee, std::int64_t count,
                                     const std::string& what);

}  // namespace diskrelease
