#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <mutex>
#include <random>
#include <thread>

#include "api/classify.h"
#include "audit/attempt_log.h"
#include "audit/audit_file.h"
#include "audit/enrolment.h"
#include "audit/run_queries.h"
#include "cli/audit_access.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "input/job_file.h"
#include "input/list_reader.h"
#include "model/errors.h"
#include "model/visible_text.h"
#include "platform/host.h"
#include "platform/stop_signals.h"
#include "report/json_object.h"
#include "report/progress_line.h"
#include "report/summary.h"
#include "run/runner.h"
#include "sandbox/sandbox.h"

namespace diskrelease {
namespace {

constexpr std::chrono::milliseconds k_terminal_refresh{200};
constexpr std::chrono::seconds k_heartbeat{30};

/// What a signal does depends on how far the command is: before anything can be under way it ends
/// the process, later it asks the senders to stop.
class SignalTarget {
 public:
  void arm(std::function<void(int, int)> action) {
    const std::lock_guard lock(mutex_);
    action_ = std::move(action);
  }
  /// From here on the books are being closed: a signal must not cut that short.
  void disarm() {
    arm([](int, int) {});
  }

  void signal(int number, int count) {
    const std::lock_guard lock(mutex_);
    if (action_) {
      action_(number, count);
      return;
    }
    std::cerr << "\ndiskrelease: " << ::strsignal(number) << "; no request is under way\n";
    ::_exit(static_cast<int>(ExitCode::interrupted));
  }

 private:
  std::mutex mutex_;
  std::function<void(int, int)> action_;
};

/// Shows progress while the senders work: a line that is written over on a terminal, a heartbeat
/// line elsewhere.
class ProgressDisplay {
 public:
  ProgressDisplay(const Dispatch& dispatch, const Clock& clock, bool quiet)
      : dispatch_(dispatch), clock_(clock), terminal_(::isatty(STDERR_FILENO) == 1) {
    started_ = clock_.steady_now();
    done_at_start_ = done_items(dispatch_.progress(started_));
    if (!quiet) thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
  }

  ~ProgressDisplay() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
    if (terminal_ && shown_) std::cerr << "\r\x1b[K" << std::flush;
  }
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  /// A message line that does not tear the progress line.
  void say(const std::string& line) {
    const std::lock_guard lock(mutex_);
    if (terminal_ && shown_) std::cerr << "\r\x1b[K";
    std::cerr << line << '\n';
  }

 private:
  void loop(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (true) {
      const std::chrono::milliseconds pause = terminal_ ? k_terminal_refresh : k_heartbeat;
      if (wake_.wait_for(lock, stop, pause, [] { return false; }) || stop.stop_requested()) return;
      const SteadyTime now = clock_.steady_now();
      const std::string line =
          progress_line(dispatch_.progress(now), done_at_start_,
                        std::chrono::duration_cast<std::chrono::milliseconds>(now - started_), now);
      if (terminal_) {
        std::cerr << "\r\x1b[K" << line << std::flush;
        shown_ = true;
      } else {
        std::cerr << line << '\n';
      }
    }
  }

  const Dispatch& dispatch_;
  const Clock& clock_;
  const bool terminal_;
  SteadyTime started_;
  std::int64_t done_at_start_ = 0;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool shown_ = false;
  std::jthread thread_;
};

void say(const Options& options, const std::string& text) {
  if (!options.quiet) std::cerr << text << '\n';
}

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

sandbox::SandboxOptions sandbox_options(const Options& options, const std::filesystem::path& ca) {
  sandbox::SandboxOptions simulated;
  if (options.sandbox_scenario) {
    sandbox::ScenarioFile file = sandbox::read_scenario_file(*options.sandbox_scenario);
    if (!file.problems.empty()) {
      std::string text;
      for (const std::string& problem : file.problems) text += (text.empty() ? "" : "\n") + problem;
      throw UsageError(text);
    }
    simulated.scenario = std::move(file.scenario);
  }
  simulated.ca_file = ca;
  return simulated;
}

/// The CA of the simulator inside this process, in a file for the transport; removed at the end.
class TemporaryFile {
 public:
  TemporaryFile() {
    std::string name = (std::filesystem::temp_directory_path() / "diskrelease-ca-XXXXXX").string();
    const int descriptor = ::mkstemp(name.data());
    if (descriptor < 0) throw UsageError("no temporary file can be made in " + name);
    ::close(descriptor);
    path_ = name;
  }
  ~TemporaryFile() {
    std::error_code error;
    std::filesystem::remove(path_, error);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Where calls go and who makes them.
struct Callee {
  std::optional<TemporaryFile> ca;
  std::optional<sandbox::Sandbox> simulator;
  HttpsSettings https;
  std::optional<HttpsTransport>
      transport;  ///< made early: a CA file that cannot be read is told before anything is enrolled
  std::optional<Credential> credential;
  std::string endpoint_name;  ///< as recorded: "sandbox" for the simulator inside this process
};

void find_callee(const Options& options, const JobSpec& spec, Callee& callee) {
  if (options.sandbox) {
    callee.ca.emplace();
    callee.simulator.emplace(sandbox_options(options, callee.ca->path()));
    JobSpec local = spec;
    local.endpoint = callee.simulator->endpoint();
    local.ca_file = callee.ca->path().string();
    callee.https = https_settings(local);
    callee.https.proxy.reset();
    callee.transport.emplace(callee.https, static_cast<std::size_t>(spec.in_flight));
    callee.endpoint_name = "sandbox";
    const sandbox::SandboxCredentials& keys = callee.simulator->credentials();
    callee.credential.emplace(Credential{Credential::Kind::key_pair, keys.key_id,
                                         Secret(keys.key_secret), "the sandbox"});
    return;
  }
  callee.https = https_settings(spec);
  callee.transport.emplace(callee.https, static_cast<std::size_t>(spec.in_flight));
  callee.endpoint_name = host_header(callee.https.endpoint);
  std::vector<std::string> warnings;
  callee.credential.emplace(
      find_credential({spec.credentials_file, spec.profile,
                       [](const char* name) { return environment_variable(name); }},
                      &warnings));
  for (const std::string& warning : warnings) say(options, "warning: " + warning);
}

/// Simulated and real releases never share a database.
void refuse_mixed_database(Database& database, bool sandbox) {
  const std::optional<bool> holds_sandbox = is_sandbox_database(database);
  if (!holds_sandbox || *holds_sandbox == sandbox) return;
  throw GateRefused("audit database " + database.path() + ": holds runs against " +
                    (sandbox ? "the real API; a sandbox run" : "the sandbox; a real run") +
                    " needs a database of its own. Nothing was sent; name one with --db.");
}

Database open_or_create(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) create_audit_database(path);
  return open_audit_for_writing(path);
}

void tell_recovery(const Options& options, const Recovery& recovery) {
  if (recovery.dead_invocations > 0) {
    say(options, "an earlier process has died; its records were taken over");
  }
  if (recovery.open_attempts > 0) {
    say(options, std::to_string(recovery.open_attempts) +
                     " request(s) may have been executed without an answer on record: recorded as "
                     "unknown, they are not sent again");
  }
}

std::string goal_meaning(Goal goal) {
  switch (goal) {
    case Goal::release:
      return "one accepted ReleaseDisk per disk. On some accounts this destroys the disk at once "
             "and for ever; on others it goes to a recycle bin first";
    case Goal::purge:
      return "release until the disk is destroyed for ever";
  }
  return {};
}

/// Lets the run begin or throws GateRefused. Returns how it was approved.
DecisionRecord approve(const Options& options, const JobSpec& spec, const Callee& callee,
                       std::int64_t count, const std::string& what) {
  const std::string facts = std::to_string(count) + " disks, goal " +
                            std::string(to_text(spec.goal)) + ", endpoint " + callee.endpoint_name +
                            ", credential " + callee.credential->hint();
  if (spec.max_disks && count > *spec.max_disks) {
    throw GateRefused(what + " has " + std::to_string(count) + " disks to release, the limit is " +
                      std::to_string(*spec.max_disks) +
                      ". Nothing was sent. Check the list; raise --max-disks if it is right.");
  }
  if (options.yes) {
    if (!spec.max_disks) {
      throw GateRefused("--yes needs a stated limit. Nothing was sent. Add --max-disks " +
                        std::to_string(count) + " (" + what + " has " + std::to_string(count) +
                        " disks), or limits.max_disks in the job file.");
    }
    return {DecisionKind::approve, std::nullopt, "yes_flag",
            facts + ", limit " + std::to_string(*spec.max_disks)};
  }
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) {
    throw GateRefused("nobody is here to confirm the release of " + std::to_string(count) +
                      " disks: standard input or standard error is no terminal. Nothing was sent. "
                      "Use --yes --max-disks " +
                      std::to_string(count) + ".");
  }
  std::cerr << what << ":\n  disks       " << count << "\n  goal        " << to_text(spec.goal)
            << ": " << goal_meaning(spec.goal) << "\n  endpoint    " << callee.endpoint_name
            << "\n  credential  " << callee.credential->hint()
            << "\nA release cannot be undone by this program. Type the number of disks to go on: "
            << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != std::to_string(count)) {
    throw GateRefused("not confirmed: \"" + visible(answer) + "\" is not " + std::to_string(count) +
                      ". Nothing was sent.");
  }
  return {DecisionKind::approve, std::nullopt, "typed", facts};
}

std::int64_t unsettled_elsewhere(const Summary& summary) {
  std::int64_t count = 0;
  for (const EndingCount& ending : summary.endings) {
    if (ending.state == ItemState::skipped && ending.code == "unsettled_before") {
      count += ending.items;
    }
  }
  return count;
}

void add_next_step(const Options& options, Summary& summary) {
  const std::string run = std::to_string(summary.run.id.value);
  if (summary.counts[ItemState::pending] > 0) {
    summary.next_command = "diskrelease resume " + run + database_flag(options);
    if (options.sandbox) summary.next_command += " --sandbox";
    return;
  }
  if (summary.counts[ItemState::unknown] > 0) {
    summary.next_hint =
        "unknown: the disk may or may not have been released; look it up in the console. It is "
        "not sent again.";
    summary.next_command =
        "diskrelease audit show " + run + " --state unknown" + database_flag(options);
  }
}

void print(const Options& options, const Summary& summary) {
  if (options.json) {
    std::cout << summary_json(summary, explain_code) << '\n';
  } else {
    print_summary(std::cout, summary, explain_code, wants_colour(options));
  }
}

/// Sends what is pending in a run that is on record and approved; the invocation's beginning and
/// end go on record with it.
ExitCode work_on(const Options& options, const std::string& command, const JobSettings& settings,
                 const JobSpec& spec, Callee& callee, Database database, const RunRecord& run,
                 const DecisionRecord& approval, const std::filesystem::path& database_file,
                 SignalTarget& signals) {
  const SystemClock clock;
  const ProcessIdentity me = process_identity();
  InvocationDescription description;
  description.command = command;
  description.user = me.user;
  description.host = me.host;
  description.pid = me.pid;
  description.tool_version = tool_version();
  description.endpoint = callee.endpoint_name;
  description.credential_id = callee.credential->id;
  description.credential_source = callee.credential->source;
  description.settings_json = write_settings(settings);
  const InvocationId invocation = begin_invocation(database, run.id, description, clock.utc_now());
  record_decision(database, run.id, invocation, approval, clock.utc_now());
  skip_disks_of_other_runs(database, run, invocation, clock.utc_now());
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

  RunStop stop{EndReason::finished, "", ""};
  if (at_start[ItemState::pending] > 0) {
    HttpsTransport& transport = *callee.transport;
    const Caller caller{*callee.credential, host_header(callee.https.endpoint),
                        "diskrelease-" + std::string(tool_version())};
    Dispatch dispatch(PendingFeed(open_audit_for_reading(database_file), run), spec.rate,
                      spec.retry, at_start,
                      static_cast<std::uint64_t>(run.description.random_seed));
    AttemptLog log(std::move(database), run.id, invocation);
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
    // The transport and the dispatch must not be reached by a signal once they are gone.
    struct Disarm {
      SignalTarget& target;
      ~Disarm() { target.disarm(); }
    };
    {
      const Disarm disarm{signals};
      ProgressDisplay display(dispatch, clock, options.quiet);
      const AttemptObserver observer = [&](const AttemptEvent& event) {
        if (options.json) std::cout << event_json(event) << '\n';
        if (options.verbose) display.say(event_line(event));
      };
      run_senders({log, transport, clock, caller, dispatch, spec.goal}, spec.in_flight, observer);
    }
    stop = dispatch.stop_reason().value_or(stop);
    database = log.close();
  }

  Summary summary = summarise(database, run);
  if (summary.counts[ItemState::pending] == 0) stop = {EndReason::finished, "", ""};
  if (stop.reason == EndReason::stopped) {
    record_decision(database, run.id, invocation,
                    {DecisionKind::stop, std::nullopt, stop.cause, stop.detail}, clock.utc_now());
  }
  const ExitCode code = exit_code_of(summary.counts, unsettled_elsewhere(summary), stop.reason);
  end_invocation(database, invocation, stop.reason, stop.detail, static_cast<int>(code),
                 clock.utc_now());
  summary.end_reason = to_text(stop.reason);
  summary.end_cause = stop.cause;
  summary.end_detail = stop.detail;
  summary.exit_code = static_cast<int>(code);
  add_next_step(options, summary);
  print(options, summary);
  return code;
}

/// Reads the list into an enrolment. Throws UsageError with everything that is wrong with it.
Enrolment::Staged stage_list(const Options& options, const JobSpec& spec, Enrolment& enrolment,
                             ListFormat& format) {
  const ListSummary list = read_list_file(spec.list, {spec.format, spec.column},
                                          [&](Target&& target) { enrolment.add(target); });
  const std::string name = spec.list == "-" ? "standard input" : spec.list;
  if (!list.problems.empty()) {
    throw UsageError("the list cannot be used; nothing was sent, no run was made\n" +
                     list.problems.describe(visible(name)));
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

}  // namespace

ExitCode run_command(const Options& options) {
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

  const FileLock lock = lock_database(path, "run");
  Database database = open_or_create(path);
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
  DecisionRecord approval{DecisionKind::approve, std::nullopt, "nothing_to_send", ""};
  if (count > 0) {
    approval = approve(options, spec, callee, count,
                       run ? "run " + std::to_string(run->id.value) : "the list " + spec.list);
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
  return work_on(options, "run", settings, spec, callee, std::move(database), *run, approval, path,
                 signals);
}

ExitCode resume_command(const Options& options) {
  SignalTarget signals;
  const StopSignals watcher([&](int number, int count) { signals.signal(number, count); });
  const std::filesystem::path path = database_path(options);
  const SystemClock clock;
  // Before the lock: a mistyped path gets its own message, and no lock file.
  static_cast<void>(open_audit_for_reading(path));
  const FileLock lock = lock_database(path, "resume");
  Database database = open_audit_for_writing(path);
  tell_recovery(options, recover(database, clock.utc_now()));
  refuse_mixed_database(database, options.sandbox);

  std::optional<RunRecord> run = named_run(database, options);
  if (!run) {
    std::vector<RunRecord> unfinished;
    for (RunRecord& candidate : list_runs(database, 1'000)) {
      if (is_unfinished(database, candidate)) unfinished.push_back(std::move(candidate));
    }
    if (unfinished.empty()) {
      say(options, "nothing to resume: every run in " + path.string() + " is finished");
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
  return work_on(options, "resume", settings, spec, callee, std::move(database), *run, approval,
                 path, signals);
}

}  // namespace diskrelease
