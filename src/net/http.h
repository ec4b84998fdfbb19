#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/time.h"

namespace diskrelease {

using HeaderFields = std::vector<std::pair<std::string, std::string>>;

/// One POST to the API endpoint. The host, Host header and Content-Length belong to the transport,
/// which is made for one endpoint.
struct HttpRequest {
  std::string path;      ///< absolute path, e.g. "/api/v2/zec"
  HeaderFields headers;  ///< sent as they are, in this order; no Host, no Content-Length
  std::string body;      ///< the bytes that were hashed are the bytes that are sent
};

/// A complete answer: its end was seen, not guessed.
struct HttpResponse {
  int status = 0;        ///< 100 to 999
  HeaderFields headers;  ///< names in lower case, in the order received; values unchanged
  std::string body;
  /// True where the protocol proves that the body is whole (a valid Content-Length that was read to
  /// the byte, or a status without body). False for chunked answers and bodies that end with the
  /// connection, even where that end was seen: on the way they may have been made of an answer that
  /// was cut, so only a complete document inside proves it.
  bool length_proven = false;
};

/// First value of a response header, name in lower case; nullopt when absent.
[[nodiscard]] std::optional<std::string_view> find_header(
    const HttpResponse& response, std::string_view lower_case_name) noexcept;

enum class TransportProblem {
  name_resolution,    ///< the host name was not found
  connect,            ///< refused, unreachable, or no TCP connection in time
  proxy,              ///< the proxy broke the CONNECT, or could not reach the server
  proxy_refused,      ///< the proxy does not allow the CONNECT, and will not the next time
  tls_handshake,      ///< the TLS handshake broke, ended early or took too long
  certificate,        ///< the server's certificate is not acceptable: chain, date, host name
  send,               ///< the connection broke while the request was being written
  no_answer,          ///< the connection ended or broke before a complete answer head
  timeout,            ///< the total deadline passed
  incomplete_answer,  ///< the answer's body is shorter than announced, or broke off
  invalid_answer,     ///< not HTTP, contradictory lengths, too many or too long header fields
  answer_too_large,   ///< more than the body cap
  aborted,            ///< abort_all() was called
  out_of_resources,   ///< no file descriptor, no memory: this machine's fault
};

/// No complete answer.
struct TransportFailure {
  TransportProblem problem = TransportProblem::connect;
  /// False only where it is proved that no byte of the request can have reached the server.
  bool request_may_have_left = true;
  /// For the operator: what the library said. May hold text from outside, never a secret.
  std::string detail;
  /// The status of the answer's head, where one was seen before the failure.
  std::optional<int> status;
};

[[nodiscard]] std::string_view to_text(TransportProblem problem) noexcept;

using Reply = std::variant<HttpResponse, TransportFailure>;

}  // namespace diskrelease
