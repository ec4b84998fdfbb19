#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/attempt.h"
#include "model/disk_id.h"
#include "model/observation.h"
#include "model/progress.h"
#include "model/run_record.h"
#include "store/database.h"

namespace diskrelease {

/// Read-only questions about a run. All throw AuditUnusable. Where nothing else is said, they are
/// answered from the derived tables, and what they cost does not depend on how many items are done.

[[nodiscard]] StateCounts count_states(Database& database, const RunRecord& run);

/// The same from the evidence alone, looking at every item.
[[nodiscard]] StateCounts recount_states(Database& database, const RunRecord& run);

/// Attempts without an outcome: under way while a process works on the run.
[[nodiscard]] std::int64_t count_open_attempts(Database& database, const RunRecord& run);

/// Items of one state that ended the same way, most frequent first.
struct EndingCount {
  ItemState state = ItemState::pending;
  std::string code;  ///< the API's code, else HTTP status ("HTTP 502"), else the reason of a
                     ///< decision; may be empty
  std::int64_t items = 0;
  std::string example_disk;  ///< of one of the items, an early one as a rule
};
[[nodiscard]] std::vector<EndingCount> count_endings(Database& database, const RunRecord& run);

/// What reading has shown of the accepted releases of a run.
struct VerifiedCounts {
  std::int64_t recycled = 0;     ///< in the recycle bin
  std::int64_t destroyed = 0;    ///< absent after it was seen in the bin or on its way
  std::int64_t gone = 0;         ///< absent, and not seen on its way
  std::int64_t leaving = 0;      ///< on its way, or absent in one answer so far
  std::int64_t still_there = 0;  ///< accepted, and seen in a status as if nothing had happened
  std::int64_t not_read = 0;
};
[[nodiscard]] VerifiedCounts count_verified(Database& database, const RunRecord& run);

/// What a run has seen of somebody else who releases disks of its account.
struct ForeignCounts {
  std::int64_t destroyed = 0;  ///< disks that our release and a second one have destroyed
  std::int64_t released = 0;   ///< disks that were released elsewhere while the run was at work
  std::vector<std::string> destroyed_disks;  ///< the first k_named of them
  static constexpr std::size_t k_named = 10;
};
/// Looks at every decision about an item of the run.
[[nodiscard]] ForeignCounts count_foreign(Database& database, const RunRecord& run);

/// Whether a run that was made since then with this credential, against this endpoint, has seen an
/// accepted release in the recycle bin: so the account has one.
struct AccountOfRuns {
  std::string_view endpoint;
  std::string_view credential_id;
};
[[nodiscard]] bool has_seen_bin(Database& database, const AccountOfRuns& account, UtcTime since);

/// Whether a run has an item that can be sent now.
[[nodiscard]] bool has_sendable(Database& database, const RunRecord& run);

/// An item that is to be sent.
struct PendingItem {
  ItemId item;
  DiskId disk;
  int attempts = 0;  ///< recorded so far
  Stage stage = Stage::release;
  /// An observation of this run has shown the disk, made with the credential that is at work now:
  /// with another one, a disk that is missing may be in another account.
  bool seen_before = false;
  /// Another run, archived or not, has reached stage `release` for the disk: it must not be reached
  /// again.
  bool released_elsewhere = false;
  bool first_accepted = false;  ///< goal purge: the latest attempt is the accepted first stage
  bool bin_keeps = false;       ///< released disks of this run are in the recycle bin
};

/// The pending items of a run in list order, page by page, from a connection of its own. Items
/// behind the cursor are not looked at again. Not thread-safe.
class PendingFeed {
 public:
  PendingFeed(Database database, const RunRecord& run);

  /// Up to `limit` items; fewer = these were the last.
  [[nodiscard]] std::vector<PendingItem> next_page(std::int64_t limit);

 private:
  Database database_;
  Statement candidates_;
  Statement look_;
  Statement bin_keeps_;
  Statement elsewhere_;
  bool purge_;
  RunId run_;
  std::int64_t next_item_;
  std::int64_t last_item_;
};

/// An item whose fate is to be read: its outcome is unknown, or its release was accepted and has
/// not been seen to come true.
struct OpenMatter {
  ItemId item;
  DiskId disk;
  AttemptId attempt;         ///< the latest
  int unknown_attempts = 0;  ///< with that outcome; 0 unless `unknown`
  Stage stage = Stage::release;
  bool unknown = false;              ///< false = accepted
  std::optional<DiskStatus> before;  ///< as last seen before the attempt
  /// As last seen after the attempt, and when that read was sent.
  std::optional<DiskStatus> last;
  UtcTime last_seen;
  /// Whether it was seen after the attempt in another status than the one in which the attempt
  /// would find and leave it without effect: AVAILABLE, for stage `destroy` RECYCLED.
  bool changed = false;
  bool reached_bin = false;  ///< seen in the recycle bin, or on the way there, after the attempt
  UtcTime sent;              ///< when the attempt was, at the earliest
  /// When it was answered; only where its outcome is `accepted`.
  std::optional<UtcTime> accepted;
  bool seen_before = false;  ///< as in PendingItem, at any time
  bool released = false;     ///< the state; else unknown or pending
  bool bin_keeps = false;    ///< as in PendingItem
  int http_status = 0;       ///< of the latest attempt's answer; 0 = none
  std::string api_code;      ///< likewise; may be empty
};

/// Open matters of a run in list order, those behind `after`, at most `limit`. With `verify`,
/// accepted releases too; for goal purge the ones that wait for the recycle bin in any case. Fewer
/// than `limit`: there are no more. Accepted ones that have not been read since are found by
/// looking through the rows of the page.
[[nodiscard]] std::vector<OpenMatter> read_open_matters(Database& database, const RunRecord& run,
                                                        ItemId after, bool verify,
                                                        std::int64_t limit);

/// How many there are.
[[nodiscard]] std::int64_t count_open_matters(Database& database, const RunRecord& run,
                                              bool verify);

struct ItemRow {
  std::int64_t item_id = 0;
  std::string disk_id;
  std::int64_t source_line = 0;
  std::string state;
  std::int64_t attempts = 0;
  std::string last_outcome;
  std::optional<std::int64_t> last_http_status;
  std::string last_api_code;
  std::string last_request_id;
  std::string last_message;
  std::string decision_reason;
  std::string settled;      ///< how an unknown outcome was settled
  std::string verified;     ///< of an accepted release
  std::string last_status;  ///< of the disk, as last read
};

/// Calls `sink` for each item in list order; false ends it.
void read_items(Database& database, const RunRecord& run, std::optional<ItemState> only,
                const std::function<bool(const ItemRow&)>& sink);

/// An invocation with its end, where it has one.
struct InvocationRow {
  std::int64_t invocation_id = 0;
  InvocationDescription description;
  UtcTime started;
  std::string end_reason;  ///< empty = works still, or has died and is not yet recovered
  std::string end_detail;
  std::optional<std::int64_t> exit_code;
  std::optional<UtcTime> ended;
};
[[nodiscard]] std::vector<InvocationRow> read_invocations(Database& database, RunId run);

}  // namespace diskrelease
