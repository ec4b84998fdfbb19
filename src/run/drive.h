#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <variant>
#include <vector>

#include "model/time.h"
#include "net/transport.h"
#include "platform/clock.h"
#include "record/attempt_log.h"

namespace diskrelease {

/// Whose turn it is on a lane that several actors use. Theirs alone, and they share a thread.
struct LaneTurn {
  bool taken = false;
};

/// When an actor's next step is due. Steps say it instead of waiting, so that few threads can drive
/// many actors, and a test that holds the clock can drive them as well.
struct SleepUntil {
  SteadyTime at;  ///< or when the run stops
  /// Will be decided meanwhile: whoever makes up the time has to wait for it.
  const Announcement* meanwhile = nullptr;
  /// From this time on earlier, where a request of the same thread has just ended: then one commit
  /// does for what the step hands over and for that outcome.
  SteadyTime with_answer_from = SteadyTime::max();
};
/// At that time, or earlier when Dispatch::version() is no longer `seen` or the run stops.
struct AwaitWork {
  SteadyTime until = SteadyTime::max();
  std::uint64_t seen = 0;
};
/// When the announcement is decided; it stays where it is until then.
struct AwaitCommit {
  const Announcement* announcement;
};
/// When there is something of an answer, at its deadline, or when it is aborted.
struct AwaitReply {
  ReplyWatch watch;
};
/// When another actor of the same lane has left it, or the run stops.
struct AwaitLane {
  const LaneTurn* turn;
};
/// Now, but apart from other actors: it may take long (name look-up, connecting).
struct StepApart {};
struct Finished {};
using Due =
    std::variant<SleepUntil, AwaitWork, AwaitCommit, AwaitReply, AwaitLane, StepApart, Finished>;

/// Something that works by itself, step by step: a sender, the scout, the reconciler.
struct Actor {
  std::function<Due()> step;
  bool blocks = false;   ///< its steps wait for answers, so it needs a thread of its own
  std::size_t lane = 0;  ///< actors of one lane share a thread, unless they block
};

/// Runs actors side by side until all have finished. An error in any of them stops the run and is
/// thrown.
using Driver = std::function<void(std::vector<Actor>)>;

class DepartureGate;
class Dispatch;

/// Actors that do not block share a few threads: waiting together costs less than waking one thread
/// for each.
void drive_with_threads(DepartureGate& gate, Dispatch& dispatch, const Clock& clock,
                        const std::vector<Actor>& actors);

}  // namespace diskrelease
