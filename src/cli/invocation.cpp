#include "cli/invocation.h"

#include <cstring>
#include <iostream>

#include "api/classify.h"
#include "cli/audit_access.h"
#include "cli/claims_access.h"
#include "cli/progress_display.h"
#include "evidence/anchor_file.h"
#include "input/job_file.h"
#include "model/shown_path.h"
#include "model/visible_text.h"
#include "platform/host.h"
#include "queries/run_queries.h"
#include "record/attempt_log.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "report/json_object.h"
#include "report/summary.h"
#include "run/claim_keeper.h"
#include "run/clock_guard.h"
#include "run/departure_gate.h"
#include "run/dispatch.h"

namespace diskrelease {
namespace {

std::string event_json(const AttemptEvent& event) {
  JsonObject object;
  object.add("event", "attempt")
      .add("disk_id", event.disk_id)
      .add("attempt_number", std::int64_t{event.attempt_number})
      .add("outcome", to_text(event.outcome))
      .add("http_status",
           event.http_status ? std::optional<std::int64_t>(*event.http_status) : std::nullopt)
      .add_optional("api_code", event.api_code)
      .add_optional("request_id", event.request_id)
      .add_optional("message", event.message)
      .add("finished", format_utc(event.finished));
  return std::move(object).text();
}

std::string event_line(const AttemptEvent& event) {
  std::string line = event.disk_id + ": " + std::string(to_text(event.outcome));
  if (!event.api_code.empty()) line += " " + visible(event.api_code);
  if (!event.request_id.empty()) line += ", request id " + visible(event.request_id);
  if (!event.message.empty()) line += ", " + visible(event.message);
  return line;
}

std::int64_t unsettled_elsewhere(const Summary& summary) {
  std::int64_t count = 0;
  for (const EndingCount& ending : summary.endings) {
    if (ending.state == ItemState::skipped &&
        (ending.code == "unsettled_before" || ending.code == "unsettled_elsewhere")) {
      count += ending.items;
    }
  }
  return count;
}

void add_next_step(const Options& options, const std::string& reading_problem, Summary& summary) {
  const std::string run = std::to_string(summary.run.id.value);
  const std::string flags =
      database_flag(options) + (summary.run.description.sandbox ? " --sandbox" : "");
  if (summary.foreign.destroyed + summary.foreign.released > 0) {
    summary.next_hint =
        "SOMEBODY ELSE RELEASES DISKS OF THIS ACCOUNT: find out who (another database of this "
        "tool, "
        "a person in the console, Terraform) and end it before you resume.";
  }
  if (summary.counts[ItemState::pending] > 0) {
    summary.next_command = "diskrelease resume " + run + flags;
    return;
  }
  if (summary.counts[ItemState::unknown] > 0) {
    summary.next_hint =
        reading_problem.empty()
            ? "unknown: the disk may or may not have been released. It is not sent again unless "
              "you "
              "say so: `settle` reads once more, `resume --resend-unsettled` sends what has stayed "
              "AVAILABLE."
            : "unknown: the disk may or may not have been released, and it could not be read back "
              "(" +
                  visible(reading_problem) +
                  "). Look it up in the console, then put your finding on record: diskrelease "
                  "settle " +
                  run + database_flag(options) +
                  " --mark DISK=released|not-released --reason \"...\"";
    summary.next_command =
        reading_problem.empty()
            ? "diskrelease settle " + run + flags
            : "diskrelease audit show " + run + " --state unknown" + database_flag(options);
    return;
  }
  if (summary.exit_code == static_cast<int>(ExitCode::interrupted)) {
    summary.next_command = "diskrelease settle " + run + flags;
    return;
  }
  if (summary.verified.still_there > 0) {
    summary.next_hint =
        "ACCEPTED BUT STILL THERE: the provider has accepted the release of disks that are not on "
        "their way. Look them up in the console; they are not sent again.";
    summary.next_command =
        "diskrelease audit show " + run + " --state released" + database_flag(options);
  }
}

void tell_skipped(const Options& options, const ClaimKeeper& keeper) {
  for (const ClaimKeeper::Skipped& skipped : keeper.skipped()) {
    say(options, "note: " + std::to_string(skipped.disks) +
                     (skipped.disks == 1 ? " disk was" : " disks were") + " skipped for " +
                     describe(skipped.holder));
  }
}

void print(const Options& options, const Summary& summary) {
  if (options.json) {
    std::cout << summary_json(summary, explain_code) << '\n';
  } else {
    print_summary(std::cout, summary, explain_code, wants_colour(options));
  }
}

}  // namespace

namespace {

InvocationOrigin origin_of(const InvocationPlan& plan) {
  ProcessOrigin process = process_origin();
  return {std::move(process.login_user), std::move(process.sudo_user), std::move(process.terminal),
          std::move(process.ssh_client), plan.reason};
}

}  // namespace

void say(const Options& options, const std::string& text) {
  if (!options.quiet) std::cerr << text << '\n';
}

InvocationId begin_recorded(const InvocationPlan& plan, Database& database, const RunRecord& run,
                            const std::string& endpoint, const std::string& credential_id,
                            const std::string& credential_source) {
  const ProcessIdentity me = process_identity();
  InvocationDescription description;
  description.command = plan.command;
  description.user = me.user;
  description.host = me.host;
  description.pid = me.pid;
  description.tool_version = tool_version();
  description.endpoint = endpoint;
  description.credential_id = credential_id;
  description.credential_source = credential_source;
  description.settings_json = write_settings(plan.settings);
  description.origin = origin_of(plan);
  const SystemClock clock;
  const InvocationId invocation = begin_invocation(database, run.id, description, clock.utc_now());
  record_decision(database, run.id, invocation, plan.approval, clock.utc_now());
  if (plan.credential_approval) {
    record_decision(database, run.id, invocation, *plan.credential_approval, clock.utc_now());
  }
  if (plan.rollback) {
    record_decision(database, run.id, invocation, plan.rollback->decision, clock.utc_now());
  }
  // Also at the beginning: a process that dies leaves this one, and what cannot be anchored is not
  // sent.
  const Anchor anchor{read_chain_head(database), clock.utc_now()};
  plan.anchors->append(anchor);
  database.note_anchor();
  if (plan.rollback) plan.anchors->append_to(plan.rollback->anchor_files, anchor);
  return invocation;
}

ExitCode conclude(const Options& options, const InvocationPlan& plan, Database& database,
                  const RunRecord& run, InvocationId invocation, RunStop stop,
                  const std::string& reading_problem) {
  const SystemClock clock;
  Summary summary = summarise(database, run);
  const VerifiedCounts& verified = summary.verified;
  const std::int64_t unverified =
      plan.spec.verify ? verified.leaving + verified.not_read + verified.still_there : 0;
  const bool nothing_left =
      summary.counts[ItemState::pending] == 0 && summary.counts[ItemState::unknown] == 0;
  // A stop that left nothing undone is no stop.
  if (nothing_left && (stop.reason != EndReason::interrupted || unverified == 0)) {
    stop = {EndReason::finished, "", ""};
  }
  if (stop.reason == EndReason::finished && summary.counts[ItemState::pending] > 0) {
    if (plan.kind == CourseKind::reconcile_only) {
      stop = {EndReason::window_ended, "nothing_sent", "settle sends nothing; resume does"};
    } else if (plan.spec.goal == Goal::purge) {
      stop = {EndReason::window_ended, "not_in_recycle_bin",
              "disks whose first release was accepted have not reached the recycle bin yet"};
    }
  }
  if (stop.reason == EndReason::stopped || stop.reason == EndReason::failed) {
    record_decision(database, run.id, invocation,
                    {DecisionKind::stop, std::nullopt, stop.cause, stop.detail}, clock.utc_now());
  }
  const ExitCode code =
      exit_code_of(summary.counts,
                   {.unsettled_elsewhere = unsettled_elsewhere(summary),
                    .still_there = verified.still_there,
                    .unverified = unverified,
                    .foreign = summary.foreign.destroyed + summary.foreign.released},
                   stop.reason);
  end_invocation(database, invocation, stop.reason, stop.detail, static_cast<int>(code),
                 clock.utc_now());
  summary.end_reason = to_text(stop.reason);
  summary.end_cause = stop.cause;
  summary.end_detail = stop.detail;
  summary.exit_code = static_cast<int>(code);
  summary.chain = read_chain_head(database);
  add_next_step(options, reading_problem, summary);
  print(options, summary);
  plan.anchors->append({summary.chain, clock.utc_now()});
  return code;
}

ExitCode work_on(const Options& options, const InvocationPlan& plan, Callee& callee,
                 Database database, const RunRecord& run, SignalTarget& signals) {
  const SystemClock clock;
  const JobSpec& spec = plan.spec;
  InvocationClaims claims = begin_claims(options, database, plan.database_file,
                                         callee.endpoint_name, run, clock.utc_now());
  const InvocationId invocation = begin_recorded(plan, database, run, callee.endpoint_name,
                                                 callee.credential->id, callee.credential->source);
  record_claims(database, run, invocation, claims, clock.utc_now());
  if (!spec.preflight && plan.kind == CourseKind::send_and_reconcile) {
    say(options,
        "warning: --no-preflight sends without looking at the disks first: one that is in the "
        "recycle bin already is destroyed");
    record_decision(database, run.id, invocation,
                    {DecisionKind::approve, std::nullopt, "no_preflight", ""}, clock.utc_now());
  }
  if (plan.kind == CourseKind::send_and_reconcile) {
    skip_disks_of_other_runs(database, run, invocation,
                             spec.goal == Goal::purge && spec.include_recycled, clock.utc_now());
  }
  const StateCounts at_start = count_states(database, run);

  if (options.json) {
    JsonObject object;
    object.add("event", "run_started")
        .add("run_id", run.id.value)
        .add("invocation_id", invocation.value)
        .add("endpoint", callee.endpoint_name)
        .add("credential", callee.credential->hint())
        .add("listed", run.item_count)
        .add("pending", at_start[ItemState::pending]);
    std::cout << std::move(object).text() << std::endl;
  }

  HttpsTransport& transport = *callee.transport;
  const Caller caller{*callee.credential, host_header(callee.https.endpoint),
                      "diskrelease-" + std::string(tool_version())};
  const auto seed = static_cast<std::uint64_t>(run.description.random_seed);
  DepartureGate gate(spec.rate, seed, std::move(callee.pace), clock.steady_now());
  ClockGuard clock_guard(clock.utc_now(), clock.steady_now());
  Dispatch dispatch(gate, spec, at_start, seed, claims.longest_look);
  std::optional<ClaimKeeper> keeper;
  if (claims.store) {
    keeper.emplace(*claims.store, clock, spec.goal == Goal::purge && spec.include_recycled);
  }
  std::unique_ptr<UnsentMarks> marks;
  if (plan.kind == CourseKind::send_and_reconcile) {
    const auto lanes = static_cast<std::size_t>(spec.in_flight);
    marks = UnsentMarks::begin(database, invocation, UnsentMarks::k_places_a_lane * lanes);
    if (!marks) {
      say(options, "note: no unsent marks can be kept in " + shown(memory_directory()) +
                       ": should this process be killed, what it has announced is unknown, sent "
                       "or not");
    }
  }
  AttemptLog log(std::move(database), run.id, invocation, AttemptLog::k_max_delay,
                 log_listeners(gate, dispatch), AttemptLog::k_intent_delay, std::move(marks),
                 [&](const ChainHead& head) {
                   plan.anchors->append({head, clock.utc_now()});
                 });
  signals.arm([&](int number, int count) {
    if (count == 1) {
      dispatch.stop({EndReason::interrupted, "signal", ::strsignal(number)});
      say(options,
          "\nstopping: nothing new is sent, answers under way are awaited (once more: cut them "
          "off; their outcome is unknown then)");
    } else {
      transport.abort_all();
    }
  });
  // Transport and dispatch must not be reached by a signal once they are gone.
  struct Disarm {
    SignalTarget& target;
    ~Disarm() { target.disarm(); }
  };
  std::string reading_problem;
  {
    const Disarm disarm{signals};
    ProgressDisplay display(dispatch, clock, options.quiet);
    const AttemptObserver observer = [&](const AttemptEvent& event) {
      if (options.json) std::cout << event_json(event) << '\n';
      if (options.verbose) display.say(event_line(event));
    };
    const RunParts parts{log,         transport, clock,
                         clock_guard, caller,    gate,
                         dispatch,    spec,      keeper ? &*keeper : nullptr};
    const auto open_reader = [&] { return open_audit_beside_writer(plan.database_file); };
    reading_problem = run_course(parts, run, plan.kind, open_reader,
                                 {observer,
                                  [&](std::int64_t matters) {
                                    if (options.quiet) return;
                                    display.say("verifying " + std::to_string(matters) +
                                                (matters == 1 ? " disk" : " disks") + " (up to " +
                                                format_duration(spec.settle.window) + ")");
                                  }},
                                 [&](const std::vector<Actor>& actors) {
                                   drive_with_threads(gate, dispatch, clock, actors);
                                 });
  }
  database = log.close();
  end_claims(options, database, claims, clock.utc_now());
  if (keeper) tell_skipped(options, *keeper);
  return conclude(options, plan, database, run, invocation,
                  gate.stop_reason().value_or(RunStop{EndReason::finished, "", ""}),
                  reading_problem);
}

}  // namespace diskrelease
