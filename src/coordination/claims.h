#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "model/attempt.h"
#include "model/disk_id.h"
#include "model/ids.h"
#include "model/time.h"

namespace diskrelease {

/// The claims cannot be read or written. what() says which, why, and what to do. It ends no
/// invocation by itself: whoever claims decides.
class ClaimsUnusable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What was claimed is in no store any more that others would look at: it was deleted, renamed or
/// replaced. Whoever is at work must stop.
class ClaimsLost : public ClaimsUnusable {
 public:
  using ClaimsUnusable::ClaimsUnusable;
};

/// What is claimed, within one account. The account is the endpoint's host[:port]: disk ids are
/// unique among all accounts of an endpoint, and credentials, which differ from user to user, do
/// not tell whose account it is.
struct ClaimKey {
  DiskId disk;
  Stage stage = Stage::release;
  friend auto operator<=>(const ClaimKey&, const ClaimKey&) = default;
};

/// How far a claim has come. Persisted as text.
enum class ClaimState {
  held,      ///< an attempt may follow, or be under way
  accepted,  ///< a call was accepted
  gone,      ///< the API has answered that the disk is gone
  unknown,   ///< a call may have been executed
};
[[nodiscard]] std::string_view to_text(ClaimState state) noexcept;

/// A process that claims, as others are told of it.
struct ClaimHolder {
  std::string database_id;    ///< of its audit database, which a copy shares
  std::string database_path;  ///< absolute
  RunId run;
  std::string user;
  std::string host;
  std::int64_t pid = 0;
  UtcTime started;
};

/// Why a disk was not granted.
struct RefusedClaim {
  ClaimHolder holder;
  ClaimState state = ClaimState::held;
  UtcTime since;         ///< when the claim came into this state
  bool at_work = false;  ///< whether a process works on the holder's database at present
  bool own = false;      ///< the holder is this audit database itself, in a later state
};

/// What has become of a claim of ours. nullopt = proved not executed, or never sent: it is given
/// back.
struct ClaimChange {
  ClaimKey key;
  std::optional<ClaimState> state;
};

/// A claim of this audit database that is held or unknown.
struct OpenClaim {
  std::int64_t session = 0;  ///< of the process that has claimed it
  ClaimKey key;
  ClaimState state = ClaimState::held;
};

/// What an audit database knows of claims that it had: evidence against a store that was lost or
/// put back.
struct ClaimsWitness {
  std::string store_id;              ///< of the store that it used last
  UtcTime at;                        ///< when
  std::optional<ClaimKey> accepted;  ///< its latest accepted call since then, or before
};

/// That disks may have been claimed without a trace in this store.
struct ClaimsDistrust {
  std::string why;
  UtcTime until;  ///< from then on whatever is missing would have expired
};

/// How long a claim stays that has not been given back: a disk is in the recycle bin for seven days
/// at most, in which a second call would destroy it, and a day covers clocks that differ. After
/// that every read shows that the disk is gone.
inline constexpr std::chrono::hours k_claims_kept{8 * 24};

/// Who may send for which disk and stage, among the audit databases that work on one account and
/// use the same store. One object is one session: one process on one run, from its construction to
/// its destruction or death.
///
/// A claim that is not given back stays for k_claims_kept after its last change, and, while it is
/// held, for as long as a process works on its database. Then it is removed, some with each
/// writing call, so that a store stays as large as what was claimed in that time.
///
/// Threads: one at a time. Times are the caller's. Every function throws ClaimsUnusable.
class Claims {
 public:
  Claims() = default;
  virtual ~Claims() = default;
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;

  /// Claims every key that may be had, all in one transaction, durable on return: an intent for a
  /// granted one may follow. One answer for each key, in the order given; nullopt = granted.
  ///
  /// A key is granted where there is no claim, one that has expired, or one of the same audit
  /// database that is not `accepted`: that database knows from its own rows what it has sent. Its
  /// own accepted claim is refused like that of another: a database that wants to send what it has
  /// had accepted is an older copy of itself.
  [[nodiscard]] virtual std::vector<std::optional<RefusedClaim>> claim_page(
      std::span<const ClaimKey> keys, UtcTime now) = 0;

  /// Changes claims of this audit database; others and missing ones are left alone. A crash may
  /// lose it, which leaves a claim that keeps others out for longer.
  virtual void change(std::span<const ClaimChange> changes, UtcTime now) = 0;

  /// Claims of this audit database, of whichever session, that are held or unknown, in the order of
  /// session and key, those behind `after`. Fewer than `limit`: there are no more.
  [[nodiscard]] virtual std::vector<OpenClaim> open_claims(const std::optional<OpenClaim>& after,
                                                           std::int64_t limit) = 0;

  /// Sessions of other audit databases on this account that are at work.
  [[nodiscard]] virtual std::vector<ClaimHolder> others_at_work() = 0;

  /// Identifies the store for as long as nothing in it is lost.
  [[nodiscard]] virtual const std::string& store_id() const noexcept = 0;

  /// Whether claims may be missing here that were made: by what `witness` knows, or because another
  /// audit database has found that before. nullopt = no reason to think so. A finding is kept in
  /// the store until its time has come. `witness` = nullopt: this database has claimed nothing that
  /// would still be there.
  [[nodiscard]] virtual std::optional<ClaimsDistrust> distrust(
      const std::optional<ClaimsWitness>& witness, UtcTime now) = 0;
};

}  // namespace diskrelease
