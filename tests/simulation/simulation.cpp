#include "simulation/simulation.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <optional>

#include "derived/derived_tables.h"
#include "model/errors.h"
#include "platform/host.h"
#include "queries/run_queries.h"
#include "record/audit_file.h"
#include "run/release_watch.h"
#include "simulation/checker.h"
#include "simulation/process.h"
#include "simulation/scheduler.h"
#include "simulation/world.h"
#include "support/enrolled_run.h"
#include "support/faulty_vfs.h"
#include "support/lost_memory.h"
#include "support/record_check.h"
#include "support/run_rig.h"
#include "support/temporary_directory.h"

namespace diskrelease::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr int k_sqlite_full = 13;

/// Who works on a run with a credential of another account, and was let do so.
const Caller& foreign_caller() {
  static const Caller k_caller{
      {Credential::Kind::key_pair, "AKTEST0002", Secret("another-made-up-secret"), "test"},
      "127.0.0.1:1",
      "diskrelease-test"};
  return k_caller;
}
/// Calm lives that a run may need to come to its end.
constexpr int k_most_calm_lives = 4;

/// How a life ends, unless it comes to its end by itself before.
enum class Ending {
  by_itself,
  killed,
  power_cut,
  killed_while_storing,
  power_cut_while_storing,
  storage_fails,
  stopped,
  aborted
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, bool with_trace)
      : seed_(seed),
        with_trace_(with_trace),
        draw_(seed),
        world_(draw_world(draw_)),
        directory_(memory_directory()),
        file_(directory_ / "audit.db"),
        pace_(world_.shared_pace ? directory_ / "pace.state" : std::filesystem::path()),
        vfs_(FaultyVfs::Syncs::skipped),
        server_(world_.server, draw_.bits(), clock_) {
    if (with_trace_) {
      server_.tell = [this](const std::string& text) { tell(text); };
      result_.trace = describe(world_);
    }
  }

  Result run() {
    copy_new_database();
    enrol_next();
    for (int i = 0; i < world_.stormy_lives; ++i) {
      if (runs_.size() < world_.runs.size() && draw_.chance(0.4)) enrol_next();
      const auto run = static_cast<std::size_t>(draw_.between(0, std::ssize(runs_) - 1));
      if (!finished_[run] || draw_.chance(0.1)) live(run, false);
    }
    while (runs_.size() < world_.runs.size()) enrol_next();
    for (std::size_t run = 0; run < runs_.size(); ++run) {
      for (int i = 0; i < k_most_calm_lives && result_.violations.empty(); ++i) {
        live(run, true);
        if (!pending_) break;
      }
    }
    clock_.advance(world_.server.longest_late + world_.server.longest_travel);
    server_.catch_up();
    Database database = open_audit_for_writing(file_);
    check(database, server_, world_, runs_, run_of_life_, result_);
    return std::move(result_);
  }

 private:
  void tell(const std::string& text) {
    if (!with_trace_) return;
    const auto since = clock_.steady_now().time_since_epoch() - std::chrono::hours(1);
    result_.trace +=
        std::to_string(std::chrono::floor<milliseconds>(since).count()) + " ms: " + text + '\n';
  }

  void violated(const std::string& what) {
    result_.violations.push_back("life " + std::to_string(run_of_life_.size() - 1) + ": " + what);
  }

  void enrol_next() {
    Database database = open_audit_for_writing(file_);
    const RunPlan& plan = world_.runs[runs_.size()];
    RunDescription description = test_description();
    description.goal = plan.spec.goal;
    description.random_seed = static_cast<std::int64_t>(draw_.bits() >> 1U);
    runs_.push_back(enrol(database, plan.disks, description));
    finished_.push_back(false);
  }

  /// Making the schema takes longer than all else of a small simulation.
  void copy_new_database() {
    static const TemporaryDirectory k_directory(memory_directory());
    static const std::filesystem::path k_template = [] {
      std::filesystem::path path = k_directory / "audit.db";
      create_audit_database(path);
      return path;
    }();
    std::filesystem::copy_file(k_template, file_);
  }

  /// From 1, small ones more often: much happens at the beginning of a life.
  std::int64_t draw_moment(double most) {
    return static_cast<std::int64_t>(std::pow(most, draw_.share()));
  }

  Ending draw_ending() {
    static constexpr std::array k_endings = {Ending::by_itself,
                                             Ending::by_itself,
                                             Ending::by_itself,
                                             Ending::killed,
                                             Ending::killed,
                                             Ending::killed,
                                             Ending::power_cut,
                                             Ending::stopped,
                                             Ending::killed_while_storing,
                                             Ending::aborted,
                                             Ending::power_cut_while_storing,
                                             Ending::storage_fails};
    return draw_.one_of(k_endings);
  }

  void arm(Ending ending) {
    Fault fault;
    switch (ending) {
      case Ending::killed_while_storing:
        fault.effect = Fault::Effect::kill;
        break;
      case Ending::power_cut_while_storing:
        fault.effect = Fault::Effect::cut_power;
        fault.survivors_seed = draw_.bits();
        break;
      case Ending::storage_fails:
        fault.effect = Fault::Effect::fail;
        fault.code = k_sqlite_full;
        fault.lasting = draw_.chance(0.5);
        break;
      case Ending::by_itself:
      case Ending::killed:
      case Ending::power_cut:
      case Ending::stopped:
      case Ending::aborted:
        return;
    }
    fault.operation = draw_.chance(0.7) ? FileOperation::write : FileOperation::sync;
    fault.number = draw_moment(fault.operation == FileOperation::write ? 400 : 60);
    if (draw_.chance(0.3)) fault.torn = Fault::Torn::first_half;
    vfs_.arm(fault);
    armed_ = true;
  }

  /// The pace that is found after a boot is that of another one. That the kernel may have lost it
  /// as well is like a new one. Marks are gone.
  void boot() const {
    lose_marks(directory_.path());
    if (pace_.empty()) return;
    const auto region = SharedRegion::open(pace_, DepartureGate::k_region_size);
    const std::lock_guard lock(*region);
    ++static_cast<PaceState*>(region->data())->boot.high;
  }

  /// How many a crash may leave open at most.
  [[nodiscard]] std::int64_t most_open() const {
    std::int64_t most = 0;
    for (const RunPlan& plan : world_.runs) {
      most =
          std::max(most, std::int64_t{plan.spec.in_flight} * (plan.spec.rate.per_second ? 1 : 2));
    }
    return most;
  }

  void live(std::size_t run, bool calm) {
    const int number = static_cast<int>(run_of_life_.size());
    run_of_life_.push_back(run);
    ++result_.tally.lives;
    const Ending ending = calm ? Ending::by_itself : draw_ending();
    Scheduler::Plan plan;
    plan.late = calm ? 0 : world_.late_steps;
    const std::int64_t moment = draw_.chance(0.3) ? draw_moment(600) : draw_.between(1, 150);
    if (ending == Ending::killed || ending == Ending::power_cut) plan.kill_at = moment;
    if (ending == Ending::stopped) plan.stop_at = moment;
    if (ending == Ending::aborted) {
      plan.stop_at = moment;
      plan.abort_at = moment + draw_.between(0, 20);
    }
    Scheduler scheduler(clock_, draw_.bits(), plan);
    Process* process = nullptr;
    ModelServer::Life life;
    life.number = number;
    life.pass_time = [&](SteadyTime until) { scheduler.pass_time(until); };
    life.open_attempt = [&](const std::string& disk) { return process->open_attempt(disk); };
    life.calm = calm;
    life.blocked = !calm && draw_.chance(0.1);
    life.foreign = !calm && world_.foreign_lives > 0 && draw_.chance(world_.foreign_lives);
    const Caller& caller = life.foreign ? foreign_caller() : RunRig::made_up_caller();
    if (life.foreign) ++result_.tally.foreign_lives;
    tell("life " + std::to_string(number) + " works on run " + std::to_string(run + 1) +
         (calm ? ", all is calm" : ", ending " + std::to_string(static_cast<int>(ending))) +
         (life.foreign ? ", with a credential of another account" : ""));
    // Who starts a process that has died may do so at once.
    clock_.advance(draw_.time(milliseconds(draw_.chance(0.5) ? 300 : 10'000)));
    // Now and then as late as the recycle bin is emptied.
    if (draw_.chance(0.1)) clock_.advance(ReleaseWatch::k_bin_keeps + draw_.time(minutes(3)));
    server_.catch_up();
    server_.begin_life(std::move(life));
    armed_ = false;
    arm(ending);
    bool power_was_cut = false;
    // What fails at the armed operation is a process that does not go on.
    const bool dies_while_storing =
        ending == Ending::killed_while_storing || ending == Ending::power_cut_while_storing;
    scheduler.has_died = [&] { return dies_while_storing && vfs_.fault_happened(); };
    {
      std::optional<Process> working;
      try {
        working.emplace(file_, pace_, runs_[run], world_.runs[run].spec, caller, server_, clock_,
                        scheduler);
        process = &*working;
        working->work();
        if (const std::string wrong = working->end(); !wrong.empty()) violated(wrong);
      } catch (const Killed&) {
        if (!scheduler.problem().empty()) violated(scheduler.problem());
        tell("it is killed");
        ++result_.tally.killed;
        if (ending == Ending::power_cut) {
          ++result_.tally.power_cuts;
          vfs_.cut_power(draw_.bits());
          power_was_cut = true;
        } else {
          vfs_.kill();
        }
      } catch (const std::exception& error) {
        // The folder has another name every time; a seed has to give the same trace.
        std::string text = error.what();
        const std::size_t at = text.find(file_.string());
        if (at != std::string::npos) text.replace(at, file_.string().size(), "audit.db");
        tell("it fails: " + text);
        if (!armed_ || !vfs_.fault_happened()) {
          violated(std::string("it fails: ") + error.what());
        } else if (dies_while_storing) {
          ++result_.tally.killed;
        } else {
          ++result_.tally.storage_failures;
        }
      }
      if (ending == Ending::power_cut_while_storing && vfs_.fault_happened()) {
        ++result_.tally.power_cuts;
        power_was_cut = true;
      }
    }
    if (power_was_cut) boot();
    vfs_.restart();
    result_.tally.steps += scheduler.steps();
    for (const std::string& wrong : record_problems_in(file_)) violated(wrong);
    Database database = open_audit_for_writing(file_);
    const std::int64_t open =
        database.query_integer("SELECT count(*)" + std::string(k_from_open_attempts));
    if (open > most_open()) violated(std::to_string(open) + " attempts are open");
    Evidence now = Evidence::read(database);
    for (const std::string& change : now.changed_since(evidence_)) violated(change);
    evidence_ = std::move(now);
    const StateCounts states = count_states(database, runs_[run]);
    pending_ = states[ItemState::pending] > 0;
    finished_[run] = !pending_ && states[ItemState::unknown] == 0;
  }

  const std::uint64_t seed_;
  const bool with_trace_;
  Draw draw_;
  const World world_;
  FakeClock clock_;
  TemporaryDirectory directory_;
  const std::filesystem::path file_;
  const std::filesystem::path pace_;
  FaultyVfs vfs_;
  ModelServer server_;
  std::vector<RunRecord> runs_;
  std::vector<std::size_t> run_of_life_;
  Evidence evidence_;
  bool armed_ = false;
  bool pending_ = false;  ///< whether the run of the latest life has pending items
  std::vector<bool> finished_;
  Result result_;
};

}  // namespace

Tally& Tally::operator+=(const Tally& other) {
  lives += other.lives;
  killed += other.killed;
  power_cuts += other.power_cuts;
  storage_failures += other.storage_failures;
  steps += other.steps;
  releases += other.releases;
  reads += other.reads;
  unknown += other.unknown;
  proved_unsent += other.proved_unsent;
  verdicts += other.verdicts;
  resends += other.resends;
  second_stages += other.second_stages;
  races_destroyed += other.races_destroyed;
  races_named += other.races_named;
  foreign_releases += other.foreign_releases;
  unseen_destroyed += other.unseen_destroyed;
  accepted_twice += other.accepted_twice;
  left_unknown += other.left_unknown;
  left_half_way += other.left_half_way;
  foreign_lives += other.foreign_lives;
  untrue_reads += other.untrue_reads;
  doubted_reads += other.doubted_reads;
  controls += other.controls;
  return *this;
}

std::string Tally::text() const {
  const auto item = [](const char* name, std::int64_t value) {
    return std::string(name) + ' ' + std::to_string(value) + "\n";
  };
  return item("lives", lives) + item("killed", killed) + item("power cuts", power_cuts) +
         item("storage failures", storage_failures) + item("steps", steps) +
         item("releases sent", releases) + item("reads sent", reads) +
         item("unknown attempts", unknown) + item("proved not to be sent", proved_unsent) +
         item("verdicts", verdicts) + item("verdicts not_executed", resends) +
         item("second stages accepted", second_stages) +
         item("destroyed in a race", races_destroyed) +
         item("of these with an alarm", races_named) +
         item("released by others before us", foreign_releases) +
         item("destroyed unseen", unseen_destroyed) +
         item("accepted again after a renewal", accepted_twice) +
         item("items left unknown", left_unknown) + item("items left half way", left_half_way) +
         item("lives with another account's credential", foreign_lives) +
         item("complete reads that left disks out", untrue_reads) +
         item("reads doubted", doubted_reads) + item("reads of the account", controls);
}

Result simulate(std::uint64_t seed, bool with_trace) { return Simulation(seed, with_trace).run(); }

}  // namespace diskrelease::simulation
