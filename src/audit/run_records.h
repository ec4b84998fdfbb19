#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/database.h"
#include "audit/unsent_marks.h"
#include "model/disk_id.h"
#include "model/goal.h"
#include "model/ids.h"
#include "model/settled.h"
#include "model/time.h"

namespace diskrelease {

/// What is known of a run before it has rows.
struct RunDescription {
  std::string name;
  Goal goal = Goal::release;
  std::string endpoint;  ///< host[:port]; "sandbox" for the simulator inside the process
  bool sandbox = false;
  std::string list_source;  ///< path or "-"
  std::string list_format;
  std::string
      settings_json;  ///< the settings the run was made with, in the form of a job file; no secrets
  std::int64_t random_seed = 0;
};

/// A run as recorded. Its items are first_item .. first_item + item_count - 1, in list order.
struct RunRecord {
  RunId id;
  RunDescription description;
  std::string list_sha256;
  ItemId first_item;
  std::int64_t item_count = 0;
  std::int64_t duplicate_count = 0;
  UtcTime created;
};

/// One process that works on a run.
struct InvocationDescription {
  std::string command;  ///< the subcommand
  std::string user;
  std::string host;
  std::int64_t pid = 0;
  std::string tool_version;
  std::string endpoint;
  std::string credential_id;  ///< an access key id or a token's fingerprint, never a secret
  std::string credential_source;
  std::string settings_json;  ///< effective settings of this invocation; no secrets
};

/// Why an invocation ended. Persisted as text.
enum class EndReason {
  finished,      ///< nothing is left to send
  interrupted,   ///< a signal
  stopped,       ///< authentication, endpoint, certificate, circuit breaker, retry budget
  window_ended,  ///< a waiting time has ended, and something is still pending
  failed,        ///< an error of this machine, the audit database's included
  died,          ///< written by recovery for a process that did not write its end
};
[[nodiscard]] std::string_view to_text(EndReason reason) noexcept;

/// What was decided other than by an answer of the API. Kind and reason are persisted as text.
enum class DecisionKind {
  approve,       ///< a person or a flag has let the run begin
  skip,          ///< an item is not sent, for what other runs have done
  give_up,       ///< an item is not tried any more
  reject,        ///< an item is not sent: its disk was seen in a state that does not allow it
  already_gone,  ///< an item is not sent: its disk was seen in the recycle bin or beyond
  stop,          ///< the invocation stops before its end
};
[[nodiscard]] std::string_view to_text(DecisionKind kind) noexcept;

/// Reasons of decisions of kind `stop` that name an item: what was seen of somebody else who
/// releases disks of the account. The item's state stays what its attempts make of it.
inline constexpr std::string_view k_destroyed_reason =
    "destroyed";  ///< after our release, for good
inline constexpr std::string_view k_foreign_release_reason = "foreign_release";  ///< before ours

struct DecisionRecord {
  DecisionKind kind = DecisionKind::stop;
  std::optional<ItemId> item;
  std::string reason;  ///< one snake_case word
  std::string detail;  ///< for people; may be empty
  /// Whether it rests on the item's latest observation.
  bool on_observation = false;
};

/// Each function below that writes is one transaction, durable on return. All throw AuditUnusable.

[[nodiscard]] std::optional<RunRecord> find_run(Database& database, RunId run);
/// Newest first.
[[nodiscard]] std::vector<RunRecord> list_runs(Database& database, std::int64_t limit);
/// The newest run with this list, goal and endpoint that has pending or unknown items.
[[nodiscard]] std::optional<RunRecord> find_unfinished_run(Database& database,
                                                           std::string_view list_sha256, Goal goal,
                                                           std::string_view endpoint);
/// True while an item of the run is pending or unknown.
[[nodiscard]] bool is_unfinished(Database& database, const RunRecord& run);

[[nodiscard]] InvocationId begin_invocation(Database& database, RunId run,
                                            const InvocationDescription& invocation, UtcTime now);
void end_invocation(Database& database, InvocationId invocation, EndReason reason,
                    std::string_view detail, int exit_code, UtcTime now);

void record_decision(Database& database, RunId run, InvocationId invocation,
                     const DecisionRecord& decision, UtcTime now);

/// Skips every pending item of the run whose disk another run, archived or not, has released
/// already (reason
/// `released_before`, after its second stage `destroyed_before`) or may have released (reason
/// `unsettled_before`). Returns how many were
/// skipped by this call. With `for_purge`, disks whose first stage another run has reached stay
/// pending: what is done with them depends on what the preflight sees.
std::int64_t skip_disks_of_other_runs(Database& database, const RunRecord& run,
                                      InvocationId invocation, bool for_purge, UtcTime now);

/// What a person has found out about a disk of unknown outcome.
struct Marking {
  DiskId disk;
  Settled settled = Settled::executed;
};

/// Settles unknown items by a person's word, which goes on record in `words`. Throws UsageError
/// with every disk that the run does not have or whose outcome is not unknown; nothing is marked
/// then.
void check_markings(Database& database, const RunRecord& run, std::span<const Marking> markings);
/// Precondition: check_markings() has passed.
void mark_items(Database& database, const RunRecord& run, InvocationId invocation,
                std::span<const Marking> markings, std::string_view words, UtcTime now);

/// What recovery has found and closed.
struct Recovery {
  std::int64_t dead_invocations = 0;
  std::int64_t unknown_attempts = 0;  ///< open before; their requests may have been executed
  std::int64_t unsent_attempts = 0;   ///< open before; they had their marks (unsent_marks.h)
};

/// Closes what processes that died have left open, in every run of the database: as not sent what
/// has its mark in `marks_folder`, as unknown all else. Then it removes the marks. The caller holds
/// the database's lock, so no other process works on it. Repeating it changes nothing.
Recovery recover(Database& database, UtcTime now,
                 const std::filesystem::path& marks_folder = memory_directory());

/// Whether the database holds runs against the real API or against the sandbox; nullopt while it is
/// empty. The two are never mixed: a simulated release must not keep a real disk from being
/// released.
[[nodiscard]] std::optional<bool> is_sandbox_database(Database& database);

}  // namespace diskrelease
