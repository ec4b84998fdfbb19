#pragma once

#include <chrono>
#include <string>

#include "model/progress.h"

namespace diskrelease {

/// "412/1000  19.9/s  ETA 30s  released 380, rejected 32, ...   backing off 4s". Pure;
/// `elapsed` is the time this invocation has worked, `done_at_start` what was done before it.
[[nodiscard]] std::string progress_line(const RunProgress& progress, std::int64_t done_at_start,
                                        std::chrono::milliseconds elapsed, SteadyTime now);

/// Items that are not pending.
[[nodiscard]] std::int64_t done_items(const RunProgress& progress);

}  // namespace diskrelease
