#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/disk_id.h"
#include "model/ids.h"
#include "model/observation.h"
#include "model/time.h"

namespace diskrelease {

/// A disk whose release, first stage of goal release, was accepted: between these two times the
/// call was executed.
struct AcceptedRelease {
  ItemId item;
  DiskId disk;
  UtcTime sent;
  UtcTime answered;
  /// It was seen AVAILABLE before: where it is RECYCLED now, our call has put it there.
  bool was_available = true;
};

/// A sign that somebody else releases disks of the account.
struct ForeignRelease {
  ItemId item;
  DiskId disk;
  bool destroyed = false;  ///< ours was one of two calls, and the disk is gone for good
  std::string text;        ///< what was seen, one clause for people
};

/// Watches the disks that this invocation has released, from the moment of acceptance until they
/// were seen in the recycle bin after a while, and notices when somebody else releases disks of the
/// account:
///   - a disk was AVAILABLE, and has left before it was called;
///   - a disk that was called is destroyed, though the account keeps released disks in a bin: a
///     second call has met it there.
/// That an account has a bin is proved by any disk on its way into it, and by any of ours in it.
/// Whether a released disk is gone too early is judged by how long others were seen in the bin, and
/// by k_bin_keeps.
///
/// Told the times, reads no clock. Thread-safe. Holds at most k_most_watched disks; the others are
/// seen by the reconciler, when sending is over.
class ReleaseWatch {
 public:
  /// `poll` lies between two reads of one disk.
  explicit ReleaseWatch(std::chrono::milliseconds poll) : poll_(poll) {}

  void accepted(AcceptedRelease release);

  /// Up to `most` watched disks that are worth a read now, in list order. Nobody else is given them
  /// until they are seen, or given back.
  [[nodiscard]] std::vector<AcceptedRelease> take(std::size_t most, UtcTime now);
  void give_back(const std::vector<AcceptedRelease>& releases);

  /// When sending is over, each is looked at once more; one that an answer has lacked is read until
  /// that is proved or refuted. nullopt = all have been.
  [[nodiscard]] std::optional<UtcTime> last_look_due() const;
  [[nodiscard]] std::vector<AcceptedRelease> take_for_last_look(std::size_t most, UtcTime now);

  struct Seen {
    bool in_place = false;  ///< in the bin, or beyond
    std::vector<ForeignRelease> alarms;
  };
  /// What a complete read, sent and answered then, has shown of a disk that was accepted.
  /// `last_look`: sending is over.
  [[nodiscard]] Seen saw(const AcceptedRelease& release, DiskStatus status, UtcTime sent,
                         UtcTime answered, bool last_look);
  /// The same of a disk whose outcome was unknown, where reading has proved that the call took
  /// effect.
  [[nodiscard]] std::vector<ForeignRelease> settled(const AcceptedRelease& release,
                                                    DiskStatus status, UtcTime answered);
  /// An earlier run, or this one before, has seen that the account has a bin.
  void bin_is_known();
  /// The same of a disk that is to be sent. `was_available`: this invocation has seen it so, and
  /// nothing of this database can have released it since.
  [[nodiscard]] std::vector<ForeignRelease> saw_unsent(ItemId item, const DiskId& disk,
                                                       DiskStatus status, bool was_available);

  /// A disk is read once more after so long: by then a second call that rested on a look from
  /// before ours has come, and has had its effect.
  static constexpr std::chrono::seconds k_watched_for{20};
  /// A recycle bin keeps a disk for 24 h (zenlayer/zenlayer-cloud-csi-driver, pkg/cloud/types.go);
  /// the provider's documentation promises no time. What is gone sooner than this was destroyed.
  static constexpr std::chrono::hours k_bin_keeps{1};
  static constexpr std::size_t k_most_watched = 10'000;
  static constexpr std::size_t k_most_gone = 1'000;

 private:
  struct Watched {
    AcceptedRelease release;
    UtcTime next_read;
    UtcTime next_last_look = UtcTime::min();  ///< max() = it has had it
    bool out = false;                         ///< somebody reads it
    std::optional<UtcTime> seen_absent = {};  ///< first
  };
  struct Gone {
    AcceptedRelease release;
    std::chrono::milliseconds age;  ///< at most, when it was seen
    DiskStatus status;
  };

  /// Those whose time, as the member has it, has come.
  std::vector<AcceptedRelease> take(std::size_t most, UtcTime now, UtcTime Watched::*due);
  void prove_bin(std::chrono::milliseconds kept, std::vector<ForeignRelease>& alarms);
  [[nodiscard]] bool too_early(const Gone& gone) const;
  void judge_gone(Gone gone, std::vector<ForeignRelease>& alarms);
  void raise(const Gone& gone, std::vector<ForeignRelease>& alarms);

  const std::chrono::milliseconds poll_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<std::int64_t, Watched> watched_;  ///< by item
  std::vector<Gone> gone_;                   ///< not too early by what is known so far
  std::set<std::int64_t> raised_;            ///< items
  bool has_bin_ = false;
  std::chrono::milliseconds longest_in_bin_{0};
};

}  // namespace diskrelease
