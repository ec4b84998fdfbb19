#pragma once

#include <exception>

#include "model/progress.h"
#include "model/run_record.h"

namespace diskrelease {

/// The exit codes of every command; a stable interface (README, man page).
enum class ExitCode : int {
  done = 0,            ///< everything asked is done
  internal_error = 1,  ///< a bug
  usage = 2,           ///< wrong flags or invalid input; nothing was sent
  some_failed = 3,     ///< some items were rejected or failed; audit reconcile: a mismatch
  /// The fate of some disks is unknown, or not what was asked for; wins over some_failed.
  unknown_remain = 4,
  refused = 5,      ///< a safety gate said no; nothing was sent
  interrupted = 6,  ///< by a signal, or a waiting time has ended; resumable
  /// By authentication, endpoint, circuit breaker or somebody else at work; resumable.
  stopped = 7,
  locked = 8,           ///< another process works on the database
  audit_invalid = 9,    ///< the audit does not verify
  audit_unusable = 10,  ///< the audit database cannot be used; nothing is sent without it
};

/// What else leaves the fate of a disk open.
struct OpenFates {
  std::int64_t unsettled_elsewhere = 0;  ///< skipped: its outcome is unknown in another run
  std::int64_t still_there = 0;          ///< accepted, but seen as if nothing had happened
  std::int64_t unverified = 0;           ///< accepted, and reading back was wanted and not finished
  std::int64_t foreign = 0;              ///< released by somebody else as well, or instead
};

/// What a run's end means for the caller.
[[nodiscard]] ExitCode exit_code_of(const StateCounts& counts, const OpenFates& open,
                                    EndReason reason) noexcept;

/// What an error that ended the invocation means.
[[nodiscard]] ExitCode exit_code_of(const std::exception& error) noexcept;

}  // namespace diskrelease
