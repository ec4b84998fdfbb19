#include "cli/exit_code.h"

#include "model/errors.h"

namespace diskrelease {

ExitCode exit_code_of(const StateCounts& counts, const OpenFates& open, EndReason reason) noexcept {
  // This machine's fault wins: what it has cut short may not be on record.
  if (reason == EndReason::failed) return ExitCode::audit_unusable;
  // A stop that left nothing undone is no stop.
  if (counts[ItemState::pending] > 0) {
    switch (reason) {
      case EndReason::interrupted:
      case EndReason::window_ended:
        return ExitCode::interrupted;
      case EndReason::stopped:
        return ExitCode::stopped;
      case EndReason::finished:
      case EndReason::failed:
      case EndReason::died:
        return ExitCode::internal_error;
    }
  }
  if (counts[ItemState::unknown] + open.unsettled_elsewhere + open.still_there + open.foreign > 0) {
    return ExitCode::unknown_remain;
  }
  if (reason == EndReason::interrupted && open.unverified > 0) return ExitCode::interrupted;
  if (counts[ItemState::rejected] + counts[ItemState::failed] > 0) return ExitCode::some_failed;
  return ExitCode::done;
}

ExitCode exit_code_of(const std::exception& error) noexcept {
  if (dynamic_cast<const UsageError*>(&error) != nullptr) return ExitCode::usage;
  if (dynamic_cast<const GateRefused*>(&error) != nullptr) return ExitCode::refused;
  if (dynamic_cast<const CallsImpossible*>(&error) != nullptr) return ExitCode::stopped;
  if (dynamic_cast<const LockHeld*>(&error) != nullptr) return ExitCode::locked;
  if (dynamic_cast<const AuditUnusable*>(&error) != nullptr) return ExitCode::audit_unusable;
  return ExitCode::internal_error;
}

}  // namespace diskrelease
