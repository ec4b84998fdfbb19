#include "support/run_rig.h"

#include "support/enrolled_run.h"

namespace diskrelease {

const Caller& RunRig::made_up_caller() {
  static const Caller k_caller{
      {Credential::Kind::key_pair, "AKTEST0001", Secret("not-a-real-secret"), "test"},
      "127.0.0.1:1",
      "diskrelease-test"};
  return k_caller;
}

RunRig::RunRig(const std::filesystem::path& file, const RunRecord& run, const JobSpec& job_spec,
               Transport& transport, const Clock& clock, std::chrono::milliseconds max_delay,
               const Caller& caller, const std::filesystem::path& marks_folder,
               std::optional<std::chrono::nanoseconds> longest_look)
    : file_(file),
      run_(run),
      writer_(open_audit_for_writing(file)),
      id_(begin_test_invocation(writer_, run.id, k_test_time, caller.credential.id)),
      marks_(marks_folder.empty()
                 ? nullptr
                 : UnsentMarks::begin(
                       writer_, id_,
                       UnsentMarks::k_places_a_lane * static_cast<std::size_t>(job_spec.in_flight),
                       marks_folder)),
      job(job_spec),
      at_start(count_states(writer_, run)),
      gate(job.rate, static_cast<std::uint64_t>(run.description.random_seed), nullptr,
           clock.steady_now()),
      clock_guard(clock.utc_now(), clock.steady_now()),
      dispatch(gate, job, at_start, static_cast<std::uint64_t>(run.description.random_seed),
               longest_look),
      log(std::move(writer_), run.id, id_, max_delay, log_listeners(gate, dispatch),
          AttemptLog::k_intent_delay, std::move(marks_)),
      parts{log, transport, clock, clock_guard, caller, gate, dispatch, job} {}

void RunRig::send(const AttemptObserver& observer) {
  // Whatever a test has done to the file by now.
  dispatch.open(PendingFeed(Database(file_, Database::Access::read_only), run_));
  std::mutex mutex;
  const AttemptObserver one_at_a_time = [&](const AttemptEvent& event) {
    const std::lock_guard lock(mutex);
    if (observer) observer(event);
  };
  std::vector<Actor> actors;
  for (int lane = 0; lane < job.in_flight; ++lane) {
    auto sender = std::make_shared<Sender>(parts, static_cast<std::size_t>(lane),
                                           std::make_shared<LaneTurn>(), one_at_a_time);
    actors.push_back({[sender] { return sender->step(); }, false, static_cast<std::size_t>(lane)});
  }
  drive_with_threads(gate, dispatch, parts.clock, actors);
}

std::string RunRig::course(CourseKind kind) {
  return course(kind, [&](const std::vector<Actor>& actors) {
    drive_with_threads(gate, dispatch, parts.clock, actors);
  });
}

std::string RunRig::course(CourseKind kind, const Driver& drive) {
  return run_course(
      parts, run_, kind, [&] { return open_audit_for_reading(file_); }, {}, drive);
}

}  // namespace diskrelease
