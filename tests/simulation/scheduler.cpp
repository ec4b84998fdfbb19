#include "simulation/scheduler.h"

#include <algorithm>
#include <exception>

namespace diskrelease::simulation {

Scheduler::Scheduler(FakeClock& clock, std::uint64_t seed, const Plan& plan)
    : clock_(clock), draw_(seed), plan_(plan) {}

void Scheduler::attach(DepartureGate& gate, Dispatch& dispatch, Transport& transport) {
  gate_ = &gate;
  dispatch_ = &dispatch;
  transport_ = &transport;
}

SteadyTime Scheduler::due_at(const Task& task) const {
  const SteadyTime now = clock_.steady_now();
  if (const auto* wait = std::get_if<AwaitWork>(&task.due)) {
    return dispatch_->version() != wait->seen ? now : std::max(now, wait->until);
  }
  if (const auto* lane = std::get_if<AwaitLane>(&task.due)) {
    return lane->turn->taken && !gate_->stopping() ? SteadyTime::max() : now;
  }
  // A commit comes when it comes; by the clock that is held it takes no time.
  if (const auto* commit = std::get_if<AwaitCommit>(&task.due)) commit->announcement->wait();
  const auto* sleep = std::get_if<SleepUntil>(&task.due);
  if (sleep != nullptr && sleep->meanwhile != nullptr) sleep->meanwhile->wait();
  return gate_->stopping() || sleep == nullptr
             ? now
             : std::max(now, std::min(sleep->at, task.with_answer));
}

Scheduler::Task* Scheduler::choose(SteadyTime until) {
  SteadyTime earliest = SteadyTime::max();
  std::vector<Task*> equals;
  for (Task& task : tasks_) {
    if (task.running || task.finished) continue;
    const SteadyTime at = due_at(task);
    if (at > until || at > earliest || at == SteadyTime::max()) continue;
    if (at < earliest) equals.clear();
    earliest = at;
    equals.push_back(&task);
  }
  if (equals.empty()) return nullptr;
  clock_.advance_to(earliest);
  return draw_.one_of(equals);
}

void Scheduler::draw_answer(Task& task) {
  task.with_answer = SteadyTime::max();
  const auto* sleep = std::get_if<SleepUntil>(&task.due);
  if (sleep == nullptr || sleep->with_answer_from >= sleep->at || draw_.chance(0.3)) return;
  task.with_answer =
      sleep->with_answer_from + draw_.time(std::chrono::floor<std::chrono::milliseconds>(
                                    sleep->at - sleep->with_answer_from));
}

void Scheduler::step(Task& task) {
  ++steps_;
  if (steps_ == plan_.kill_at) throw Killed{};
  if (steps_ == plan_.stop_at) dispatch_->stop({EndReason::interrupted, "signal", "simulated"});
  if (steps_ == plan_.abort_at) transport_->abort_all();
  if (draw_.chance(plan_.late)) {
    clock_.advance(draw_.time(std::chrono::milliseconds(draw_.chance(0.05) ? 3'000 : 60)));
  }
  task.running = true;
  try {
    task.due = task.actor->step();
    task.finished = std::holds_alternative<Finished>(task.due);
    draw_answer(task);
  } catch (const std::exception& error) {
    if (!first_error_) first_error_ = std::current_exception();
    task.finished = true;
    dispatch_->stop({EndReason::failed, "internal_error", error.what()});
  }
  task.running = false;
  if (has_died && has_died()) throw Killed{};
}

void Scheduler::drive(std::vector<Actor> actors) {
  tasks_.clear();
  first_error_ = nullptr;
  for (const Actor& actor : actors) tasks_.push_back({&actor, SleepUntil{clock_.steady_now()}});
  while (std::ranges::any_of(tasks_, [](const Task& task) { return !task.finished; })) {
    Task* const next = choose(SteadyTime::max());
    if (next == nullptr) {
      problem_ = "every actor waits for another one";
    } else if (steps_ >= k_most_steps) {
      problem_ = "the actors do not come to an end";
    }
    if (!problem_.empty()) throw Killed{};
    step(*next);
  }
  if (first_error_) std::rethrow_exception(first_error_);
}

void Scheduler::pass_time(SteadyTime until) {
  while (Task* const next = choose(until)) {
    if (steps_ >= k_most_steps) problem_ = "the actors do not come to an end";
    if (!problem_.empty()) throw Killed{};
    step(*next);
  }
  clock_.advance_to(until);
}

}  // namespace diskrelease::simulation
