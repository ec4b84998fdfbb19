#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "model/outcome.h"
#include "net/http.h"

namespace diskrelease {

/// Why the whole run has to stop.
enum class StopCause {
  authentication,  ///< AUTHFAILURE_*, 401: every call will be refused
  redirect,        ///< 3xx: wrong endpoint or a captive portal; never followed
  edge_block,      ///< the edge in front of the API refused: cf-mitigated, 451, a 403 without JSON
  wrong_endpoint,  ///< 404/405/413/414/415 without JSON: not the API
  certificate,     ///< the server's certificate is not acceptable
};

[[nodiscard]] std::string_view to_text(StopCause cause) noexcept;

/// What one reply to ReleaseDisk proves.
struct Classification {
  Outcome outcome = Outcome::unknown;
  Scope scope = Scope::disk;
  std::optional<StopCause> stop;  ///< set exactly when scope is run
  std::optional<int> http_status;
  std::string api_code;    ///< as received, at most 128 bytes; for transport failures empty
  std::string request_id;  ///< as received, at most 128 bytes; may be empty
  std::string message;  ///< the API's message, or what broke; UTF-8, at most 1 KiB; untrusted text
  std::optional<std::chrono::milliseconds> retry_after;  ///< only with throttled; capped at 60 s
};

/// What is known of the disk before the attempt.
struct PriorKnowledge {
  bool seen_in_account = false;  ///< an observation of this run has shown the disk
};

/// Pure. Decides by the API's code first and by the HTTP status second. Anything that does not
/// prove what happened is unknown.
[[nodiscard]] Classification classify_release(const Reply& reply, PriorKnowledge prior);

/// What a code means, for the summary; empty for a code that is not known. Case is ignored and '.'
/// counts as '_'.
[[nodiscard]] std::string_view explain_code(std::string_view api_code) noexcept;

}  // namespace diskrelease
