#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/goal.h"
#include "model/ids.h"
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

/// Where a process came from, as far as it is known; empty = not.
struct InvocationOrigin {
  std::string login_user;  ///< who logged in, as the kernel keeps it
  std::string sudo_user;   ///< as the environment says: anybody can set it
  std::string terminal;    ///< path of its device
  std::string ssh_client;  ///< address, as the environment says
  std::string reason;      ///< why it was started, in the words of who did
  friend bool operator==(const InvocationOrigin&, const InvocationOrigin&) = default;
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
  InvocationOrigin origin = {};
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

}  // namespace diskrelease
