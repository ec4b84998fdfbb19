#pragma once

#include <cstdint>
#include <functional>
#include <variant>
#include <vector>

#include "model/time.h"

namespace diskrelease {

/// When an actor's next step is due. Steps say it instead of waiting, so that threads can drive
/// them as well as a test that holds the clock.
struct SleepUntil {
  SteadyTime at;
};
/// At that time, or earlier when Dispatch::version() is no longer `seen`.
struct AwaitWork {
  SteadyTime until = SteadyTime::max();
  std::uint64_t seen = 0;
};
struct Finished {};
using Due = std::variant<SleepUntil, AwaitWork, Finished>;

/// One step of something that works by itself: a sender, the scout, the reconciler.
using Actor = std::function<Due()>;

/// Runs actors side by side until all have finished. An error in any of them stops the run and is
/// thrown.
using Driver = std::function<void(std::vector<Actor>)>;

class DepartureGate;
class Dispatch;

/// A thread for each actor.
void drive_with_threads(DepartureGate& gate, Dispatch& dispatch, const std::vector<Actor>& actors);

}  // namespace diskrelease
