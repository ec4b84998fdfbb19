#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "model/run_record.h"
#include "run/drive.h"
#include "run/run_parts.h"
#include "run/sender.h"

namespace diskrelease {

/// What an invocation is to do with a run.
enum class CourseKind {
  send_and_reconcile,  ///< `run` and `resume`
  reconcile_only,      ///< `settle`: sends nothing that changes anything
};

/// What the log of a run is to be given: it wakes who waits, and stops the run when it fails.
[[nodiscard]] LogListeners log_listeners(DepartureGate& gate, Dispatch& dispatch);

/// Those who watch; any may be empty.
struct CourseObserver {
  AttemptObserver attempt;
  /// Reading back begins, with so many open matters.
  std::function<void(std::int64_t)> reading_back;
};

/// The course of one invocation, until nothing is left to do or the run stops:
///   send what is pending, looked at before (senders and scout side by side);
///   then read back what became of it (reconciler);
///   and again while reading back has made items sendable: resends, second stages of goal purge.
/// Every outcome is handed to the log before it returns; nothing is under way then.
///
/// `open_reader` gives a new read-only connection to the run's database. Returns why disks could
/// not be read back; empty where they could. Throws what the actors throw.
[[nodiscard]] std::string run_course(const RunParts& parts, const RunRecord& run, CourseKind kind,
                                     const std::function<Database()>& open_reader,
                                     const CourseObserver& observer, const Driver& drive);

}  // namespace diskrelease
