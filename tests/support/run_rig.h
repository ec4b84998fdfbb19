#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "queries/run_queries.h"
#include "record/audit_file.h"
#include "run/course.h"
#include "store/database.h"

namespace diskrelease {

/// What one process holds while it works on a run: an invocation in the given database, with the
/// real gate, dispatch and log around a transport and a clock of the test's. `caller` must outlive
/// it. Without a folder for marks it keeps none.
class RunRig {
 public:
  RunRig(const std::filesystem::path& file, const RunRecord& run, const JobSpec& job,
         Transport& transport, const Clock& clock,
         std::chrono::milliseconds max_delay = AttemptLog::k_max_delay,
         const Caller& caller = made_up_caller(), const std::filesystem::path& marks_folder = {},
         std::optional<std::chrono::nanoseconds> longest_look = std::nullopt);

  /// A key pair that no server knows.
  [[nodiscard]] static const Caller& made_up_caller();

  /// The sending phase alone: senders on threads, without preflight.
  void send(const AttemptObserver& observer = {});
  /// The whole course on threads.
  std::string course(CourseKind kind = CourseKind::send_and_reconcile);
  /// The whole course as the driver has it.
  std::string course(CourseKind kind, const Driver& drive);

 private:
  std::filesystem::path file_;
  RunRecord run_;
  Database writer_;
  InvocationId id_;
  std::unique_ptr<UnsentMarks> marks_;  ///< until `log` has them

 public:
  const JobSpec job;
  const StateCounts at_start;
  DepartureGate gate;
  ClockGuard clock_guard;
  Dispatch dispatch;
  AttemptLog log;
  RunParts parts;
};

}  // namespace diskrelease
