#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace diskrelease::test {

/// A TLS client that shows what is on the wire, byte for byte. Verifies the server against a CA and
/// the name 127.0.0.1. Every wait is bounded. Failures are thrown as std::runtime_error.
class SandboxClient {
 public:
  SandboxClient(std::uint16_t port, const std::string& ca_pem);
  ~SandboxClient();
  SandboxClient(const SandboxClient&) = delete;
  SandboxClient& operator=(const SandboxClient&) = delete;

  void send(std::string_view bytes);

  /// How reading came to an end.
  enum class End { answer, close_notify, fin, rst, time_out };
  struct Received {
    std::string bytes;
    End end;
  };

  /// Until an answer with a Content-Length is whole, or the connection ends.
  [[nodiscard]] Received read_answer();
  /// Until the connection ends, or nothing comes for `patience_ms`.
  [[nodiscard]] Received read_to_end(int patience_ms = 5'000);

  /// Resets the connection, as the kernel does for a process that was killed with unread data.
  void reset();

 private:
  struct FreeContext {
    void operator()(SSL_CTX* context) const noexcept;
  };
  struct FreeSession {
    void operator()(SSL* session) const noexcept;
  };

  [[nodiscard]] Received read_until(bool whole_answer, int patience_ms);

  int socket_ = -1;
  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::unique_ptr<SSL, FreeSession> session_;
  std::string left_over_;  ///< read, but behind the answer that was asked for
};

/// A signed-in (Bearer) request to the sandbox with its default token.
[[nodiscard]] std::string sandbox_request(std::string_view action, std::string_view body);

}  // namespace diskrelease::test
