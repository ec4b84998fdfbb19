#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <vector>

#include "coordination/claims.h"
#include "model/progress.h"
#include "model/run_record.h"
#include "platform/clock.h"
#include "queries/run_queries.h"

namespace diskrelease {

/// Why a disk is skipped that was not granted: `claimed_elsewhere` where its release is done or
/// under way, `unsettled_elsewhere` where nobody can say so yet. The detail names the holder and,
/// for the latter, the command that settles it.
[[nodiscard]] DecisionRecord skip_of(ItemId item, const RefusedClaim& refused);

/// Claims what an invocation is about to hand out, a page at a time, and tells the store how
/// attempts have ended: in groups, about once a second, and what is missing then with
/// follow_audit() at the end. Thread-safe by one mutex.
class ClaimKeeper {
 public:
  /// Both must outlive it. `both_stages`: a read decides which stage an item is sent for, as for
  /// goal purge with include_recycled.
  ClaimKeeper(Claims& claims, const Clock& clock, bool both_stages);

  struct Page {
    std::vector<PendingItem> granted;
    std::vector<DecisionRecord> skipped;  ///< to be recorded; a disk each
  };
  /// On return the claims of what is granted are durable. Throws ClaimsUnusable, then nothing of
  /// the page may be sent.
  [[nodiscard]] Page claim(std::vector<PendingItem> items);

  /// An attempt has ended. Why nothing more may be sent, where the claims were lost; else nullopt:
  /// a claim that cannot be changed keeps others out for longer.
  [[nodiscard]] std::optional<std::string> ended(const AttemptEvent& event);

  /// How many disks were skipped by this invocation, by the holder's database.
  struct Skipped {
    ClaimHolder holder;
    std::int64_t disks = 0;
  };
  [[nodiscard]] std::vector<Skipped> skipped() const;

 private:
  void write_changes();

  static constexpr std::size_t k_changes_a_commit = 500;
  static constexpr std::chrono::seconds k_changes_wait{1};

  const Clock& clock_;
  const bool both_stages_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  Claims& claims_;
  std::vector<ClaimChange> changes_;
  SteadyTime written_;
  std::vector<Skipped> skipped_;
};

}  // namespace diskrelease
