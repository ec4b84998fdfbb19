#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "cli/callee.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/stop_request.h"
#include "cli/working_database.h"
#include "evidence/anchor_file.h"
#include "model/job_spec.h"
#include "model/run_record.h"
#include "run/course.h"
#include "store/database.h"

namespace diskrelease {

/// What a command has found out before it works on a run.
struct InvocationPlan {
  std::string command;  ///< the subcommand, for the record
  CourseKind kind = CourseKind::send_and_reconcile;
  JobSettings settings;  ///< effective ones, for the record
  JobSpec spec;
  DecisionRecord approval;
  std::filesystem::path database_file;
  std::shared_ptr<AnchorWriter> anchors;
  std::optional<DecisionRecord> credential_approval;  ///< of one that is new to the run
  std::optional<AcceptedRollback> rollback;
  std::string reason = {};  ///< --reason; may be empty
};

/// What stands in the place of a credential's id where no call is made.
inline constexpr std::string_view k_no_credential = "none";

/// A message on standard error, unless -q.
void say(const Options& options, const std::string& text);

/// Puts the beginning of an invocation on record.
[[nodiscard]] InvocationId begin_recorded(const InvocationPlan& plan, Database& database,
                                          const RunRecord& run, const std::string& endpoint,
                                          const std::string& credential_id,
                                          const std::string& credential_source);

/// Does what the plan says with a run that is on record and approved, prints the summary and
/// returns the exit code; the invocation's beginning and end go on record with it. The caller holds
/// the database's lock.
[[nodiscard]] ExitCode work_on(const Options& options, const InvocationPlan& plan, Callee& callee,
                               Database database, const RunRecord& run, SignalTarget& signals);

/// Prints the summary of a run whose invocation has ended, and puts the end on record.
[[nodiscard]] ExitCode conclude(const Options& options, const InvocationPlan& plan,
                                Database& database, const RunRecord& run, InvocationId invocation,
                                RunStop stop, const std::string& reading_problem);

}  // namespace diskrelease
