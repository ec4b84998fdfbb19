#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "run/departure_gate.h"
#include "run/dispatch.h"
#include "run/drive.h"
#include "simulation/model_server.h"
#include "support/fake_clock.h"

namespace diskrelease::simulation {

/// Thrown through everything that a process is at the moment: it is gone. Not a std::exception, so
/// nobody takes it for an error.
struct Killed {};

/// Drives the actors of one process on one thread, by a clock that it moves: always the one that is
/// due next, a drawn one among equals, now and then too late.
///
/// While a request travels, its lane's step is not over; pass_time() lets the others go on inside
/// it. An answer may so be noticed late, as by a thread that was not woken.
class Scheduler {
 public:
  struct Plan {
    /// Before that step (from 1): the process dies; the run is told to stop; requests under way are
    /// cut off. 0 = never.
    std::int64_t kill_at = 0;
    std::int64_t stop_at = 0;
    std::int64_t abort_at = 0;
    double late = 0;  ///< steps that come late
  };
  Scheduler(FakeClock& clock, std::uint64_t seed, const Plan& plan);

  void attach(DepartureGate& gate, Dispatch& dispatch, Transport& transport);
  /// A Driver. Throws Killed.
  void drive(std::vector<Actor> actors);
  void pass_time(SteadyTime until);

  /// Asked after each step; true = the process has died in it.
  std::function<bool()> has_died;

  [[nodiscard]] std::int64_t steps() const { return steps_; }
  /// Why the actors cannot go on though they have not finished; empty where all is well.
  [[nodiscard]] const std::string& problem() const { return problem_; }

  static constexpr std::int64_t k_most_steps = 100'000;

 private:
  struct Task {
    const Actor* actor;
    Due due;
    bool running = false;
    bool finished = false;
    /// An answer wakes it then (SleepUntil::with_answer_from).
    SteadyTime with_answer = SteadyTime::max();
  };
  [[nodiscard]] SteadyTime due_at(const Task& task) const;
  /// The next step before or at `until`; nullptr = there is none.
  Task* choose(SteadyTime until);
  void draw_answer(Task& task);
  void step(Task& task);

  FakeClock& clock_;
  Draw draw_;
  Plan plan_;
  DepartureGate* gate_ = nullptr;
  Dispatch* dispatch_ = nullptr;
  Transport* transport_ = nullptr;
  std::vector<Task> tasks_;
  std::exception_ptr first_error_;
  std::int64_t steps_ = 0;
  std::string problem_;
};

}  // namespace diskrelease::simulation
