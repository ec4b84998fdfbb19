#include "simulation/process.h"

#include <chrono>
#include <optional>

#include "api/calls.h"
#include "queries/run_queries.h"
#include "record/attempt_log.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "run/clock_guard.h"
#include "support/enrolled_run.h"
#include "support/run_rig.h"

namespace diskrelease::simulation {
namespace {

Database opened_and_recovered(const std::filesystem::path& file, UtcTime now) {
  Database database = open_audit_for_writing(file);
  static_cast<void>(recover(database, now, file.parent_path()));
  return database;
}

InvocationId begun(Database& database, const RunRecord& run, const JobSpec& spec,
                   const Caller& caller, UtcTime now) {
  const InvocationId invocation =
      begin_test_invocation(database, run.id, k_test_time, caller.credential.id);
  record_decision(database, run.id, invocation,
                  {DecisionKind::approve, std::nullopt, "simulated", ""}, now);
  static_cast<void>(skip_disks_of_other_runs(
      database, run, invocation, spec.goal == Goal::purge && spec.include_recycled, now));
  return invocation;
}

std::unique_ptr<SharedRegion> region(const std::filesystem::path& pace) {
  if (pace.empty()) return nullptr;
  return SharedRegion::open(pace, DepartureGate::k_region_size);
}

std::string text_of(const StateCounts& counts) {
  std::string text;
  for (const std::int64_t count : counts.by_state) text += ' ' + std::to_string(count);
  return text;
}

/// What is durable of attempts that have no outcome yet, over a connection of its own. Opened late:
/// many lives send nothing.
struct OpenAttempts {
  explicit OpenAttempts(const std::filesystem::path& file)
      : reader(open_audit_for_reading(file)),
        find(reader.prepare("SELECT attempt.attempt_id, attempt.stage FROM disk_item"
                            " JOIN attempt USING (item_id) LEFT JOIN outcome USING (attempt_id)"
                            " WHERE disk_item.disk_id = ?1 AND outcome.outcome IS NULL")) {}
  Database reader;
  Statement find;
};

}  // namespace

struct Process::Private {
  Private(const std::filesystem::path& database_file, const std::filesystem::path& pace,
          const RunRecord& run_record, const JobSpec& job_spec, const Caller& caller,
          ModelServer& model_server, FakeClock& fake_clock, Scheduler& the_scheduler)
      : file(database_file),
        run(run_record),
        spec(job_spec),
        clock(fake_clock),
        scheduler(the_scheduler),
        writer(opened_and_recovered(file, clock.utc_now())),
        invocation(begun(writer, run, spec, caller, clock.utc_now())),
        at_start(count_states(writer, run)),
        marks(UnsentMarks::begin(
            writer, invocation,
            UnsentMarks::k_places_a_lane * static_cast<std::size_t>(spec.in_flight),
            file.parent_path())),
        gate(spec.rate, seed(), region(pace), clock.steady_now()),
        clock_guard(clock.utc_now(), clock.steady_now()),
        dispatch(gate, spec, at_start, seed()),
        // Commits happen with intents and flushes only, at the same places every time.
        log(std::move(writer), run.id, invocation, std::chrono::hours(1), {},
            std::chrono::microseconds(0), std::move(marks)),
        parts{log, model_server, clock, clock_guard, caller, gate, dispatch, spec} {
    scheduler.attach(gate, dispatch, model_server);
  }

  [[nodiscard]] std::uint64_t seed() const {
    return static_cast<std::uint64_t>(run.description.random_seed);
  }

  const std::filesystem::path file;
  const RunRecord run;
  const JobSpec spec;
  FakeClock& clock;
  Scheduler& scheduler;
  Database writer;
  InvocationId invocation;
  StateCounts at_start;
  std::unique_ptr<UnsentMarks> marks;
  DepartureGate gate;
  ClockGuard clock_guard;
  Dispatch dispatch;
  std::optional<OpenAttempts> open_attempts;
  AttemptLog log;
  RunParts parts;
};

Process::Process(const std::filesystem::path& file, const std::filesystem::path& pace,
                 const RunRecord& run, const JobSpec& spec, const Caller& caller,
                 ModelServer& server, FakeClock& clock, Scheduler& scheduler)
    : private_(std::make_unique<Private>(file, pace, run, spec, caller, server, clock, scheduler)) {
}

Process::~Process() = default;

void Process::work() {
  Private& self = *private_;
  static_cast<void>(run_course(
      self.parts, self.run, CourseKind::send_and_reconcile,
      [&] { return open_audit_for_reading(self.file); }, {},
      [&](std::vector<Actor> actors) { self.scheduler.drive(std::move(actors)); }));
}

std::string Process::end() {
  Private& self = *private_;
  Database database = self.log.close();
  const StateCounts stored = count_states(database, self.run);
  const RunStop stop = self.gate.stop_reason().value_or(RunStop{EndReason::finished, "", ""});
  end_invocation(database, self.invocation, stop.reason, stop.detail, 0, self.clock.utc_now());
  if (stored.total() != self.run.item_count) return "the states do not add up to the items";
  const RunProgress live = self.dispatch.progress(self.clock.steady_now());
  if (live.in_flight != 0) return "something is still assigned at the end";
  if (live.counts.by_state == stored.by_state) return {};
  return "the live counts are" + text_of(live.counts) + ", those on record" + text_of(stored);
}

std::pair<std::int64_t, std::int64_t> Process::open_attempt(const std::string& disk) {
  Private& self = *private_;
  if (!self.open_attempts) self.open_attempts.emplace(self.file);
  Statement& find = self.open_attempts->find;
  find.bind(1, disk);
  std::pair<std::int64_t, std::int64_t> found;
  if (find.step()) found = {find.integer(0), find.integer(1)};
  find.reset();
  return found;
}

}  // namespace diskrelease::simulation
