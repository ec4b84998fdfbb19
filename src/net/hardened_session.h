// Private to net.
#pragma once

#include <Poco/Net/HTTPSClientSession.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "net/tls_socket.h"

namespace diskrelease {

/// How reading a part of an answer ended.
enum class ReadEnd {
  whole,
  cut,        ///< the server closed the connection before the end
  malformed,  ///< not HTTP
  too_large,  ///< over the cap; the rest is not read
};

/// Poco's HTTPS session for exactly one connection, which is verified before the session exists. It
/// cannot connect again, so Poco's hidden re-send of a request on a new connection cannot happen,
/// and nothing of an earlier connection is left in its buffers. Functions that read or write throw
/// Poco::Exception; one thread at a time.
class HardenedSession final : public Poco::Net::HTTPSClientSession {
 public:
  /// The socket has shaken hands. Shares the ownership of it.
  HardenedSession(const Poco::Net::Context::Ptr& context, const Poco::AutoPtr<TlsSocketImpl>& tls);

  /// Whether the next request must not use this connection: the server has closed it, or has sent
  /// something that nobody asked for.
  [[nodiscard]] bool is_stale() noexcept;

  /// Writes the request; up to 16 KiB of head and body go out in one TLS record.
  void send(const HttpRequest& request, const std::string& host, const Bounds& bounds);

  [[nodiscard]] const TlsSocketImpl& tls() const { return *tls_; }

  /// Takes what has come of the answer, without waiting. True when reading the answer will not
  /// wait: it is whole, cannot become valid any more, or the connection has ended.
  [[nodiscard]] bool take_answer(std::size_t body_cap);

  /// Reads up to the empty line, which is part of `head`.
  [[nodiscard]] ReadEnd read_head(std::string& head);

  /// The three kinds of body. `body` is appended to and never grows beyond `cap`.
  [[nodiscard]] ReadEnd read_exactly(std::uint64_t length, std::string& body, std::size_t cap);
  [[nodiscard]] ReadEnd read_chunked(std::string& body, std::size_t cap);
  [[nodiscard]] ReadEnd read_to_end(std::string& body, std::size_t cap);

 protected:
  void connect(const Poco::Net::SocketAddress& address) override;
  int read(char* buffer, std::streamsize length) override;
  int write(const char* buffer, std::streamsize length) override;

 private:
  ReadEnd read_line(std::string& line, std::size_t cap);

  Poco::AutoPtr<TlsSocketImpl> tls_;
  bool answered_ = false;  ///< at least one head was read
};

/// Connects and verifies. `late` maps the phase in which a deadline struck to the problem to
/// report.
[[nodiscard]] std::variant<std::unique_ptr<HardenedSession>, TransportFailure> open_session(
    const HttpsSettings& settings, const Poco::Net::Context::Ptr& context, const Bounds& bounds);

}  // namespace diskrelease
