#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "api/api_codes.h"
#include "api/blanking.h"
#include "api/classify.h"
#include "api/strict_json.h"
#include "net/http.h"

// Private to the api room: what the answers to all calls have in common. Everything here is pure.

namespace diskrelease {

enum class BodyKind {
  document,    ///< a complete JSON document, of whatever type
  unreadable,  ///< may be the API's answer, but cut, broken, contradictory or encoded
  not_json,    ///< certainly not the API's answer
};

struct Body {
  BodyKind kind = BodyKind::not_json;
  JsonValue document;  ///< null unless kind is document
};

[[nodiscard]] Body read_body(const HttpResponse& response);

/// The member of an object with this key; nullptr where there is none or it is null.
[[nodiscard]] const JsonValue* find_value(const JsonValue& object, std::string_view key) noexcept;

/// Text of a string member that is printable ASCII without blanks, its first 128 bytes; else empty.
/// For decisions; what is recorded is shown_identifier().
[[nodiscard]] std::string identifier(const JsonValue& object, std::string_view key);
[[nodiscard]] std::string shown_identifier(const JsonValue& object, std::string_view key,
                                           const Blanking& blank);

/// Text from outside without our secrets, made visible (model/visible_text.h) and cut: at most
/// `max_bytes` long, which is at least 3; "..." marks a cut.
[[nodiscard]] std::string bounded_text(std::string_view text, std::size_t max_bytes,
                                       const Blanking& blank);

/// The same for a message: at most 1 KiB.
[[nodiscard]] std::string message_text(std::string_view text, const Blanking& blank);

/// The API's message, else what arrived, as message_text().
[[nodiscard]] std::string describe_answer(const HttpResponse& response, const Body& body,
                                          const Blanking& blank);

/// What broke, as message_text().
[[nodiscard]] std::string describe_failure(const TransportFailure& failure, const Blanking& blank);

/// Retry-After, at most 60 s; a date is counted from the answer's own Date, so that the skew of two
/// clocks does not matter.
[[nodiscard]] std::optional<std::chrono::milliseconds> read_retry_after(
    const HttpResponse& response);

/// Why every further call would end in the same failure; nullopt where it need not.
[[nodiscard]] std::optional<StopCause> stop_cause(const TransportFailure& failure) noexcept;

/// What an answer says, whatever the call was.
struct Verdict {
  enum class Kind {
    success,    ///< 2xx: what its body proves is the call's affair
    in_doubt,   ///< the call may have been executed; with `stop` it makes no sense to go on
    throttled,  ///< refused for rate
    stop,       ///< refused, and so will be every further call: `stop` says why
    refused,    ///< 4xx with a code of the API
  };
  Kind kind = Kind::in_doubt;
  std::optional<StopCause> stop;  ///< with `stop`, and perhaps with `in_doubt`
};

/// `meaning` is that of the body's code.
[[nodiscard]] Verdict judge(const HttpResponse& response, const Body& body, CodeMeaning meaning);

}  // namespace diskrelease
