#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <variant>

#include "model/attempt.h"
#include "model/goal.h"
#include "model/observation.h"
#include "model/settled.h"
#include "model/time.h"

namespace diskrelease {

/// What is known of a disk whose attempt ended as unknown, at the moment of a further complete
/// read.
struct SettlementFacts {
  Goal goal = Goal::release;
  Stage stage = Stage::release;
  /// The API answered that there is no such disk: whatever became of it, this call has not done it.
  bool denied = false;
  bool bin_keeps = false;            ///< OpenMatter::bin_keeps
  std::optional<DiskStatus> before;  ///< seen before the attempt; nullopt = it was sent unseen
  std::optional<DiskStatus> last;    ///< seen after the attempt, by the read before this one
  UtcTime last_seen;
  DiskStatus now = DiskStatus::other;  ///< this read
  UtcTime now_seen;
  bool changed = false;  ///< OpenMatter::changed, this read not included
  std::chrono::milliseconds poll{0};
  /// The window has passed and this is the one further read after it.
  bool last_read = false;
  bool resend = false;  ///< whether a disk that stayed as it was may be sent again
};

/// Nothing is proved yet; `why` is one snake_case word for what stays unknown in the end.
struct StillUnknown {
  std::string_view why;
};
struct Verdict {
  Settled settled;
  std::string_view reason;  ///< one snake_case word
};
using Settlement = std::variant<StillUnknown, Verdict>;

/// Pure. An answer may show the past, so a status counts only when two complete answers, at least
/// one poll apart, agree on what it means. Nothing but AVAILABLE (for stage `destroy`: RECYCLED)
/// from the attempt to the last read allows `not_executed`, and only with `resend`: an execution
/// that comes later than the whole window cannot be excluded. A call that was answered with "no
/// such disk" ends as `gone` once its disk is seen so, never as `executed`. Where the recycle
/// bin keeps what is released, one call leads there: a disk that is absent instead is somebody
/// else's doing, or the answers leave it out.
[[nodiscard]] Settlement settle(const SettlementFacts& facts);

/// Pure. Whether the latest two complete answers since an attempt show that the disk exists no
/// more: seen DELETING, or absent twice or after that. As the view item_state has it.
[[nodiscard]] bool is_gone_for_good(std::optional<DiskStatus> earlier, DiskStatus latest);

/// What is known of a disk whose first stage of goal purge took effect, at the moment of a further
/// complete read.
struct HalfWayFacts {
  bool reached_bin = false;        ///< OpenMatter::reached_bin
  std::optional<DiskStatus> last;  ///< as in SettlementFacts
  UtcTime last_seen;
  DiskStatus now = DiskStatus::other;
  UtcTime now_seen;
  std::chrono::milliseconds poll{0};
  bool last_read = false;
};

/// Pure. Whether somebody has taken the disk out of the recycle bin, so that the second stage is
/// off: seen in the bin, then out of it in two complete answers, at least one poll apart, when the
/// window has passed. A disk never seen in the bin may still be on its way there.
[[nodiscard]] bool was_restored(const HalfWayFacts& facts);

}  // namespace diskrelease
