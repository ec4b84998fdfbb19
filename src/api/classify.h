#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "api/blanking.h"
#include "model/goal.h"
#include "model/outcome.h"
#include "net/http.h"

namespace diskrelease {

/// Why the whole run has to stop.
enum class StopCause {
  authentication,    ///< AUTHFAILURE_*, 401: every call will be refused
  redirect,          ///< 3xx: wrong endpoint or a captive portal; never followed
  edge_block,        ///< the edge in front of the API refused: 403 with cf-mitigated, 451, a 403
                     ///< without a code of the API
  wrong_endpoint,    ///< another 4xx without any sign of the API: a wrong host or path, a proxy
  proxy,             ///< the proxy on the way refuses (403, 407 and the like); nothing was sent
  certificate,       ///< the server's certificate is not acceptable
  out_of_resources,  ///< this machine has no file descriptor or no memory left; nothing was sent
};

[[nodiscard]] std::string_view to_text(StopCause cause) noexcept;

/// What one reply to ReleaseDisk proves.
struct Classification {
  Outcome outcome = Outcome::unknown;
  Scope scope = Scope::disk;
  /// Set where scope is run, and with an unknown outcome after which going on makes no sense.
  std::optional<StopCause> stop;
  std::optional<int> http_status;
  /// As received but for our secrets, the first 128 bytes; empty where the reply has none or one
  /// that is not printable ASCII without blanks.
  std::string api_code;
  std::string request_id;  ///< likewise
  /// The API's message, else what broke, without our secrets and made visible
  /// (model/visible_text.h): UTF-8, no control characters, at most 1 KiB. Untrusted text all the
  /// same; never to be parsed.
  std::string message;
  std::optional<std::chrono::milliseconds> retry_after;  ///< only with throttled; capped at 60 s
};

/// What is known of the disk before the attempt, and what is wanted.
struct PriorKnowledge {
  bool seen_in_account = false;  ///< an observation of this run has shown the disk
  Goal goal = Goal::release;  ///< to `release`, a disk in the recycle bin is gone; to `purge` not
  /// The caller reads the disk after a refusal for its status, and may try again later: such a
  /// refusal then has Scope::moment.
  bool status_is_read_again = false;
};

/// Pure and thread-safe. Decides by the API's code first and by the HTTP status second. Whatever
/// does not prove what happened is unknown; the rules stand in one list in answer.cpp. `blank`
/// takes the secrets of the request out of every text; it decides nothing.
///
/// "No such disk" about one that was seen is no proof either, for the look may be right and the
/// answer wrong: unknown, to be read back.
[[nodiscard]] Classification classify_release(const Reply& reply, PriorKnowledge prior,
                                              const Blanking& blank);

/// Whether a code says that there is no such disk.
[[nodiscard]] bool says_not_found(std::string_view api_code) noexcept;

/// Whether a refusal with this code is about the disk that was named. False for what is about the
/// account or the call, and for a code that is not known.
[[nodiscard]] bool concerns_disk(std::string_view api_code) noexcept;

/// What a code means, for the summary; empty for a code that is not known. Case is ignored and '.'
/// counts as '_'; a part after the first '.' may be missing from the table.
[[nodiscard]] std::string_view explain_code(std::string_view api_code) noexcept;

}  // namespace diskrelease
