#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/http.h"

namespace diskrelease {

/// The largest head of an answer, and the most fields in it, that are read: far above what the API
/// sends, small enough to hold one per lane.
inline constexpr std::size_t k_head_cap = 32u << 10;
inline constexpr std::size_t k_head_field_cap = 100;

/// How an answer's body ends (RFC 9112, 6.3).
enum class Framing {
  no_body,         ///< 204 or 304
  content_length,  ///< exactly AnswerHead::content_length bytes
  chunked,         ///< with the last chunk
  until_connection_closes,
};

struct AnswerHead {
  int status = 0;        ///< 100 to 999
  HeaderFields headers;  ///< names in lower case, in the order received
  Framing framing = Framing::until_connection_closes;
  std::uint64_t content_length = 0;  ///< only with Framing::content_length
  bool keep_alive = false;  ///< HTTP/1.1, and nothing speaks against keeping the connection
};

/// Parses a head, the empty line at its end included. Strict, because the body's length hangs on
/// it: nullopt for anything but HTTP/1.0 and 1.1, lines that do not end in CRLF, folded fields, a
/// field name that is not a token, control characters, more than one value for the length,
/// Content-Length beside Transfer-Encoding, and any transfer coding but "chunked".
[[nodiscard]] std::optional<AnswerHead> parse_answer_head(std::string_view head);

/// The size in the line that opens a chunk (without its CRLF); nullopt if it is malformed.
/// Extensions are ignored.
[[nodiscard]] std::optional<std::uint64_t> parse_chunk_size(std::string_view line);

/// Whether the bytes received so far decide what the answer is: it is whole, or malformed, or over
/// a cap. False = more has to come, or the end of the connection.
[[nodiscard]] bool needs_no_more(std::string_view received, std::size_t body_cap);

}  // namespace diskrelease
