#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/credentials.h"
#include "cli/options.h"
#include "model/job_spec.h"
#include "net/https_transport.h"

namespace diskrelease {

/// Settings of all layers, the stronger first: flags, environment, the job file that TARGET is,
/// user configuration. `target` is a list or a job file. Throws UsageError with every problem of
/// a layer, and for what the layers say together: goal purge without preflight, include_recycled
/// without goal purge.
[[nodiscard]] JobSettings settings_for_run(const Options& options, const std::string& target);

/// For a run on record: flags, the run's own settings, environment, user configuration. What the
/// run was made with is stronger than the environment, so that a resumed run does not silently go
/// elsewhere. Goal and include_recycled are the run's own, whatever the user configuration says by
/// now. Throws UsageError as for a run, AuditUnusable for recorded settings that cannot be read.
[[nodiscard]] JobSettings settings_for_resume(const Options& options,
                                              const std::string& recorded_settings);

/// Endpoint, proxy (HTTPS_PROXY, NO_PROXY), CA and time-outs as the transport takes them. Throws
/// UsageError.
[[nodiscard]] HttpsSettings https_settings(const JobSpec& spec);

}  // namespace diskrelease
