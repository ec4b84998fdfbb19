#pragma once

#include <string_view>
#include <variant>

#include "model/attempt.h"
#include "model/goal.h"
#include "model/observation.h"
#include "model/run_record.h"

namespace diskrelease {

/// What is known of an item that was looked at before it is sent.
struct PreflightFacts {
  Goal goal = Goal::release;
  Stage stage = Stage::release;  ///< what the next attempt would be
  bool include_recycled = false;
  bool seen_before = false;         ///< PendingItem::seen_before
  bool released_elsewhere = false;  ///< another run has reached stage `release`
  bool first_accepted = false;      ///< the latest attempt is this run's accepted first stage
  bool looked_before = false;       ///< the latest sighting, a poll ago, led to LookAgain
  bool absent_before = false;       ///< and it showed the disk absent
  bool bin_keeps = false;           ///< PendingItem::bin_keeps
};

struct SendIt {
  Stage stage;
};
/// In transition: to be looked at again.
struct LookAgain {};
/// Not sent. Goes on record as a decision.
struct Decline {
  DecisionKind kind;
  std::string_view reason;  ///< one snake_case word
};
/// Not sent, and nothing to decide: the observation itself settles the item (goal purge: the disk
/// has gone without a second call).
struct GoalReached {};
using PreflightStep = std::variant<SendIt, LookAgain, Decline, GoalReached>;

/// Pure. A disk is sent only in the status in which the call does what the goal asks: AVAILABLE,
/// and for stage `destroy` RECYCLED. A status that is not known is not touched, nor is a row that
/// contradicts itself or leaves out whether the disk is portable. A disk that was seen and is
/// absent counts as gone when two looks, a poll apart, agree; not where the recycle bin keeps what
/// is released, for then it would be there.
[[nodiscard]] PreflightStep judge(const Sighting& sighting, const PreflightFacts& facts);

}  // namespace diskrelease
