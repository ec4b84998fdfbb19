#include <filesystem>
#include <iostream>
#include <random>

#include "cli/approval.h"
#include "cli/audit_access.h"
#include "cli/callee.h"
#include "cli/claims_access.h"
#include "cli/commands.h"
#include "cli/invocation.h"
#include "cli/settings.h"
#include "cli/stop_request.h"
#include "cli/working_database.h"
#include "input/job_file.h"
#include "input/list_reader.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "model/visible_text.h"
#include "platform/host.h"
#include "platform/stop_signals.h"
#include "queries/find_run.h"
#include "queries/run_queries.h"
#include "record/enrolment.h"
#include "record/run_records.h"
#include "store/database.h"

namespace diskrelease {
namespace {

/// Simulated and real releases never share a database.
void refuse_mixed_database(Database& database, bool sandbox) {
  const std::optional<bool> holds_sandbox = is_sandbox_database(database);
  if (!holds_sandbox || *holds_sandbox == sandbox) return;
  throw GateRefused("audit database " + shown(database.path()) + ": holds runs against " +
                    (sandbox ? "the real API; a sandbox run" : "the sandbox; a real run") +
                    " needs a database of its own. Nothing was sent; name one with --db, or " +
                    (sandbox ? "leave out --sandbox" : "add --sandbox") +
                    " to go on with its runs.");
}

/// Disks that a lost part of the record has released are found by looking alone.
void refuse_unseen_after_rollback(const JobSpec& spec, const WorkingDatabase& work) {
  if (!work.rollback || spec.preflight) return;
  throw GateRefused(
      "--accept-rollback with --no-preflight: disks that were released since the anchor would be "
      "destroyed unseen. Nothing was sent. Leave out --no-preflight: then each disk is read before "
      "it is sent.");
}

void tell_recovery(const Options& options, const Recovery& recovery) {
  if (recovery.dead_invocations > 0) {
    say(options, "an earlier process has died; its records were taken over");
  }
  if (recovery.unsent_attempts > 0) {
    say(options, std::to_string(recovery.unsent_attempts) +
                     " request(s) had certainly not left by then: recorded as not sent");
  }
  if (recovery.unknown_attempts > 0) {
    say(options, std::to_string(recovery.unknown_attempts) +
                     " request(s) may have been executed without an answer on record: recorded as "
                     "unknown, they are not sent again");
  }
}

/// Reads the list into an enrolment. Throws UsageError with everything that is wrong with it.
Enrolment::Staged stage_list(const Options& options, const JobSpec& spec, Enrolment& enrolment,
                             ListFormat& format) {
  const ListSummary list = read_list_file(spec.list, {spec.format, spec.column, spec.max_list_size},
                                          [&](Target&& target) { enrolment.add(target); });
  const std::string name = spec.list == "-" ? "standard input" : spec.list;
  if (!list.problems.empty()) {
    throw UsageError("the list cannot be used; nothing was sent, no run was made\n" +
                     list.problems.describe(visible(name)));
  }
  for (const InputProblem& note : list.notes.shown()) {
    say(options, "note: " + visible(name) + ":" + std::to_string(note.line) + ": " + note.text);
  }
  const auto noted = static_cast<std::int64_t>(list.notes.shown().size());
  if (const std::int64_t more = list.notes.count() - noted; more > 0) {
    say(options, "... and " + std::to_string(more) + (more == 1 ? " more note" : " more notes"));
  }
  format = list.format;
  Enrolment::Staged staged = enrolment.finish();
  for (const Enrolment::Duplicate& duplicate : staged.first_duplicates) {
    say(options, visible(name) + ":" + std::to_string(duplicate.line) + ": duplicate of line " +
                     std::to_string(duplicate.first_line) + " (disk " + duplicate.disk_id +
                     "), enrolled once");
  }
  const auto shown = static_cast<std::int64_t>(staged.first_duplicates.size());
  if (staged.duplicates > shown) {
    say(options, "... and " + std::to_string(staged.duplicates - shown) + " more duplicates");
  }
  return staged;
}

std::int64_t new_seed() {
  std::random_device device;
  return static_cast<std::int64_t>(device() & 0x7FFFFFFFu);
}

std::string stored_list_path(const std::string& list) {
  return list == "-" ? list : std::filesystem::absolute(list).lexically_normal().string();
}

/// Puts a person's findings on record. No call is made and no credential needed: it is the way out
/// where disks cannot be read.
ExitCode mark(const Options& options, const InvocationPlan& plan, Database& database,
              const RunRecord& run) {
  std::vector<Marking> markings;
  for (const Mark& mark : options.marks) {
    markings.push_back(
        {mark.disk, mark.as == MarkedAs::released ? Settled::executed : Settled::not_executed});
  }
  check_markings(database, run, markings);
  const SystemClock clock;
  InvocationClaims claims = begin_claims(options, database, plan.database_file,
                                         run.description.endpoint, run, clock.utc_now());
  const InvocationId invocation = begin_recorded(plan, database, run, run.description.endpoint,
                                                 std::string(k_no_credential), "marked by hand");
  mark_items(database, run, invocation, markings, *options.reason, clock.utc_now());
  end_claims(options, database, claims, clock.utc_now());
  return conclude(options, plan, database, run, invocation, {EndReason::finished, "", ""}, "");
}

}  // namespace

ExitCode run_command(const Options& options) {
  leave_memory_uncounted();
  SignalTarget signals;
  const StopSignals watcher([&](int number, int count) { signals.signal(number, count); });
  if (options.words.size() > 2) {
    throw UsageError("run takes one LIST or JOB, not also \"" + visible(options.words[2]) +
                     "\"; several lists are several runs");
  }
  if (options.words.size() < 2) {
    throw UsageError(
        "run takes one LIST or JOB (\"-\" for standard input)\nSee: diskrelease run --help");
  }
  JobSettings settings = settings_for_run(options, options.words[1]);
  const JobSpec spec = resolve(settings);
  settings.list = stored_list_path(spec.list);
  const std::filesystem::path path = database_path(options);
  const SystemClock clock;

  WorkingDatabase work = open_to_work(options, "run", MayCreate::yes);
  refuse_unseen_after_rollback(spec, work);
  Database& database = work.database;
  tell_recovery(options, recover(database, clock.utc_now()));
  refuse_mixed_database(database, options.sandbox);

  std::optional<Enrolment> enrolment(std::in_place, database);
  ListFormat format = ListFormat::automatic;
  const Enrolment::Staged staged = stage_list(options, spec, *enrolment, format);
  Callee callee;
  find_callee(options, spec, callee);

  std::optional<RunRecord> run =
      find_unfinished_run(database, staged.sha256, spec.goal, callee.endpoint_name);
  std::int64_t count = staged.items;
  if (run) {
    count = count_states(database, *run)[ItemState::pending];
    say(options, "run " + std::to_string(run->id.value) + " of " + format_utc(run->created) +
                     " has this list and is not finished: it is continued, " +
                     std::to_string(count) + " disks are pending");
  }
  std::optional<DecisionRecord> credential_approval;
  if (run) credential_approval = approve_credential(options, database, *run, callee);
  DecisionRecord approval{DecisionKind::approve, std::nullopt, "nothing_to_send", ""};
  if (count > 0) {
    approval =
        approve(options, spec, callee, count,
                run ? "run " + std::to_string(run->id.value) : "the list " + shown(spec.list),
                others_at_work(options, database, callee.endpoint_name));
  }
  if (!run) {
    RunDescription description;
    description.name = spec.name;
    description.goal = spec.goal;
    description.endpoint = callee.endpoint_name;
    description.sandbox = options.sandbox;
    description.list_source = *settings.list;
    description.list_format = to_text(format);
    description.settings_json = write_settings(settings);
    description.random_seed = new_seed();
    run = enrolment->commit(description, clock.utc_now());
    say(options, "run " + std::to_string(run->id.value) + ": " + std::to_string(run->item_count) +
                     " disks enrolled, credential " + callee.credential->hint());
  }
  enrolment.reset();
  return work_on(options,
                 {"run", CourseKind::send_and_reconcile, settings, spec, approval, path,
                  work.anchors, credential_approval, work.rollback, options.reason.value_or("")},
                 callee, std::move(work.database), *run, signals);
}

ExitCode resume_command(const Options& options) {
  leave_memory_uncounted();
  SignalTarget signals;
  const StopSignals watcher([&](int number, int count) { signals.signal(number, count); });
  const std::filesystem::path path = database_path(options);
  const SystemClock clock;
  WorkingDatabase work = open_to_work(options, "resume", MayCreate::no);
  Database& database = work.database;
  tell_recovery(options, recover(database, clock.utc_now()));
  refuse_mixed_database(database, options.sandbox);

  std::optional<RunRecord> run = named_run(database, options);
  if (!run) {
    std::vector<RunRecord> unfinished;
    for (RunRecord& candidate : list_runs(database, 1'000)) {
      if (is_unfinished(database, candidate)) unfinished.push_back(std::move(candidate));
    }
    if (unfinished.empty()) {
      say(options, "nothing to resume: every run in " + shown(path) + " is finished");
      return ExitCode::done;
    }
    if (unfinished.size() > 1) {
      std::string text = "several runs are unfinished; name one:";
      for (const RunRecord& candidate : unfinished) {
        text += "\n  diskrelease resume " + std::to_string(candidate.id.value) +
                database_flag(options) + "   # " + visible(candidate.description.name) + ", " +
                format_utc(candidate.created);
      }
      throw UsageError(text);
    }
    run = std::move(unfinished.front());
  }
  const JobSettings settings = settings_for_resume(options, run->description.settings_json);
  const JobSpec spec = resolve(settings);
  refuse_unseen_after_rollback(spec, work);
  Callee callee;
  find_callee(options, spec, callee);
  if (callee.endpoint_name != run->description.endpoint) {
    say(options, "warning: run " + std::to_string(run->id.value) + " was made for " +
                     run->description.endpoint + "; as --endpoint asks, it goes on against " +
                     callee.endpoint_name);
  }
  const std::int64_t pending = count_states(database, *run)[ItemState::pending];
  if (spec.max_disks && pending > *spec.max_disks) {
    throw GateRefused("run " + std::to_string(run->id.value) + " has " + std::to_string(pending) +
                      " disks to release, the limit is " + std::to_string(*spec.max_disks) +
                      ". Nothing was sent. Raise --max-disks if it is right.");
  }
  say(options, "run " + std::to_string(run->id.value) + ": " + std::to_string(pending) + " of " +
                   std::to_string(run->item_count) + " disks are pending, credential " +
                   callee.credential->hint());
  const DecisionRecord approval{DecisionKind::approve, std::nullopt, "resumed",
                                std::to_string(pending) + " disks of an approved run"};
  const auto credential_approval = approve_credential(options, database, *run, callee);
  return work_on(options,
                 {"resume", CourseKind::send_and_reconcile, settings, spec, approval, path,
                  work.anchors, credential_approval, work.rollback, options.reason.value_or("")},
                 callee, std::move(work.database), *run, signals);
}

ExitCode settle_command(const Options& options) {
  leave_memory_uncounted();
  SignalTarget signals;
  const StopSignals watcher([&](int number, int count) { signals.signal(number, count); });
  const std::filesystem::path path = database_path(options);
  const SystemClock clock;
  WorkingDatabase work = open_to_work(options, "settle", MayCreate::no);
  Database& database = work.database;
  tell_recovery(options, recover(database, clock.utc_now()));
  const std::optional<RunRecord> run = named_run(database, options);
  if (!run) {
    throw UsageError("settle needs the number of a RUN; `diskrelease status --all" +
                     database_flag(options) + "` lists them");
  }
  const JobSettings settings = settings_for_resume(options, run->description.settings_json);
  InvocationPlan plan{"settle",
                      CourseKind::reconcile_only,
                      settings,
                      resolve(settings),
                      {DecisionKind::approve, std::nullopt, "reads_only", ""},
                      path,
                      work.anchors,
                      std::nullopt,
                      work.rollback,
                      options.reason.value_or("")};
  if (!options.marks.empty()) return mark(options, plan, database, *run);
  refuse_mixed_database(database, options.sandbox);
  // Sending again is for `resume`: here nothing is sent.
  plan.spec.settle.resend = false;
  Callee callee;
  find_callee(options, plan.spec, callee);
  plan.credential_approval = approve_credential(options, database, *run, callee);
  return work_on(options, plan, callee, std::move(work.database), *run, signals);
}

}  // namespace diskrelease
