#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/transport.h"

namespace diskrelease {

/// host[:port]; an IPv6 address stands in brackets. Never a URL.
struct Endpoint {
  std::string host;  ///< lower case, no brackets
  std::uint16_t port = 443;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// nullopt for an empty host, a scheme, a path, user info, a port outside 1..65535, or bytes that
/// do not belong into a host name.
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view text);

/// As it stands in a Host header: brackets for IPv6, the port only if it is not 443.
[[nodiscard]] std::string host_header(const Endpoint& endpoint);

/// An HTTP proxy that is asked for a CONNECT tunnel.
struct Proxy {
  std::string host;
  std::uint16_t port = 8080;
  std::string user;      ///< empty = no authentication
  std::string password;  ///< a secret: never printed
};

/// "http://[user[:password]@]host[:port]". nullopt for anything else (https and socks proxies
/// included).
[[nodiscard]] std::optional<Proxy> parse_proxy(std::string_view url);

/// Whether NO_PROXY names this host: a list, separated by commas or blanks, of host names, domain
/// suffixes (with or without the leading dot), addresses, blocks of addresses (192.168.0.0/16,
/// fd00::/8), host:port, or "*".
[[nodiscard]] bool bypasses_proxy(const Endpoint& endpoint, std::string_view no_proxy);

struct HttpsSettings {
  Endpoint endpoint;
  std::optional<Proxy> proxy;
  /// PEM; added to the system's CAs (OpenSSL's default folder, and its default file where that may
  /// hold others; SSL_CERT_FILE and SSL_CERT_DIR move them), never instead of verification.
  std::optional<std::string> ca_file;
  /// Name look-up, TCP, proxy and TLS handshake together. The look-up counts but cannot be cut
  /// short (getaddrinfo): only the resolver's own time-out ends it.
  std::chrono::milliseconds connect_timeout{5'000};
  /// From the start of a request to the last byte of its answer; and an upper limit for connecting.
  std::chrono::milliseconds total_timeout{30'000};
  std::size_t body_cap = 1u << 20;              ///< bytes of an answer's body
  std::chrono::milliseconds idle_limit{4'000};  ///< a connection idle for longer is not used again
};

/// HTTPS through Poco, hardened: TLS 1.2 at least, certificate chain and host name always verified
/// (loopback included, slow handshakes included), nothing sent twice, nothing sent on a connection
/// that the server has closed. Every wait is bounded by the deadline of the exchange and ended by
/// abort_all(); there is no thread behind it. Destroy it only when no call is under way.
///
/// A connect time-out is reported as the phase it struck (connect, proxy, tls_handshake), the total
/// time-out as timeout. All addresses of a name are tried.
class HttpsTransport final : public Transport {
 public:
  /// Throws UsageError when the CA file cannot be read or holds no certificate. Has the process
  /// ignore SIGPIPE unless it handles it already.
  HttpsTransport(const HttpsSettings& settings, std::size_t lanes);
  ~HttpsTransport() override;

  [[nodiscard]] std::optional<TransportFailure> prepare(std::size_t lane) override;
  [[nodiscard]] bool is_connected(std::size_t lane) override;
  void start(std::size_t lane, const HttpRequest& request) override;
  [[nodiscard]] ReplyWatch watch(std::size_t lane) override;
  [[nodiscard]] bool can_finish(std::size_t lane) override;
  [[nodiscard]] Reply finish(std::size_t lane) override;
  void abort_all() noexcept override;

 private:
  struct Private;
  std::unique_ptr<Private> private_;
};

}  // namespace diskrelease
