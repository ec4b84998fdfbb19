#include "support/fake_drive.h"

#include <stdexcept>

namespace diskrelease {
namespace {

SteadyTime due_time(const Due& due, const Dispatch& dispatch, SteadyTime now) {
  if (const auto* sleep = std::get_if<SleepUntil>(&due)) {
    if (sleep->meanwhile != nullptr) sleep->meanwhile->wait();
    return sleep->at;
  }
  if (const auto* wait = std::get_if<AwaitWork>(&due)) {
    return dispatch.version() != wait->seen ? now : wait->until;
  }
  if (const auto* lane = std::get_if<AwaitLane>(&due)) {
    return lane->turn->taken ? SteadyTime::max() : now;
  }
  // Commits come when they come; by the clock that is held they take no time.
  if (const auto* commit = std::get_if<AwaitCommit>(&due)) commit->announcement->wait();
  return std::holds_alternative<Finished>(due) ? SteadyTime::max() : now;
}

}  // namespace

Driver drive_with_fake_clock(FakeClock& clock, const Dispatch& dispatch) {
  return [&](std::vector<Actor> actors) {
    std::vector<Due> due(actors.size(), SleepUntil{clock.steady_now()});
    while (true) {
      std::size_t first = actors.size();
      SteadyTime when = SteadyTime::max();
      bool all_finished = true;
      for (std::size_t i = 0; i < actors.size(); ++i) {
        if (std::holds_alternative<Finished>(due[i])) continue;
        all_finished = false;
        const SteadyTime time = due_time(due[i], dispatch, clock.steady_now());
        if (time >= when) continue;
        when = time;
        first = i;
      }
      if (all_finished) return;
      if (first == actors.size()) throw std::logic_error("every actor waits for another one");
      clock.advance_to(when);
      due[first] = actors[first].step();
    }
  };
}

}  // namespace diskrelease
