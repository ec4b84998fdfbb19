#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace diskrelease {

/// One request as the server saw it in clear.
struct ReceivedRequest {
  std::string text;            ///< head and body
  std::size_t connection = 0;  ///< RawConnection::number()
  std::size_t records = 0;     ///< TLS records it came in
};

struct RawServerOptions {
  /// The certificate's subjectAltName, as openssl.cnf has it.
  std::string names = "DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1";
  bool expired = false;
  bool unknown_ca = false;  ///< signed by a CA that is not in ca_file()
  bool only_tls_1_1 = false;
  bool on_ipv6 = false;  ///< listen on ::1 instead of 127.0.0.1
};

class RawTlsServer;

/// One accepted TCP connection, in the hands of a script, which runs in a thread of its own. Each
/// function that waits gives up when the server stops. At the end of the script the connection is
/// closed, with a close_notify if TLS still stands.
class RawConnection {
 public:
  RawConnection(RawTlsServer& server, int fd, std::size_t number);
  ~RawConnection();
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  /// Counted from 0.
  [[nodiscard]] std::size_t number() const { return number_; }
  /// Until the client has sent something, the first message of the handshake for example. False
  /// when the server stops meanwhile.
  bool wait_for_bytes();
  /// False when it failed.
  bool handshake();
  /// Reads one whole request (head and Content-Length bytes) and records it. False when the client
  /// has closed the connection before its end.
  bool read_request();
  /// The latest one that read_request() has read, head and body.
  [[nodiscard]] const std::string& request() const { return request_; }
  /// Through TLS. False when the client is gone.
  bool send(std::string_view text);
  /// Past TLS, straight onto the TCP connection.
  void send_plain(std::string_view text);
  /// "200 OK" with this body and its Content-Length.
  bool answer(std::string_view body);
  /// Ends TLS in order, leaves TCP open.
  void close_notify();
  /// Ends TCP without a close_notify.
  void close_by_fin();
  void close_by_reset();
  /// False when the server stops meanwhile.
  bool pause(std::chrono::milliseconds time);
  /// Until the connection is closed from either side, or the server stops. What arrives is thrown
  /// away.
  void wait_until_closed();

 private:
  bool wait(short events);
  bool retry(int result);
  int read_some(char* buffer, std::size_t size);

  RawTlsServer& server_;
  int fd_;
  std::size_t number_;
  std::string request_;
  std::unique_ptr<SSL, decltype(&::SSL_free)> ssl_;
};

/// A TLS server on loopback whose every step is scripted, to misbehave in ways that a decent server
/// does not offer. Makes its own CA and certificate. Records what it received in clear.
class RawTlsServer {
 public:
  using Script = std::function<void(RawConnection&)>;

  explicit RawTlsServer(Script script, const RawServerOptions& options = {});
  ~RawTlsServer();
  RawTlsServer(const RawTlsServer&) = delete;
  RawTlsServer& operator=(const RawTlsServer&) = delete;

  /// A script: answers every request with "200 OK" and the body "{}", for ever.
  static void answer_all(RawConnection& connection);

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// PEM file with the CA; lives as long as the server.
  [[nodiscard]] const std::string& ca_file() const { return ca_file_; }

  /// Ends all scripts and waits for them: what was received is final then. May be repeated.
  void stop();
  [[nodiscard]] std::vector<ReceivedRequest> requests() const;
  /// Bytes of clear text, whole requests or not.
  [[nodiscard]] std::size_t received_bytes() const;
  [[nodiscard]] std::size_t connections() const;

 private:
  friend class RawConnection;
  void accept_all();

  Script script_;
  std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> context_;
  std::string ca_file_;
  int listener_ = -1;
  int stop_event_ = -1;
  std::uint16_t port_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  std::vector<ReceivedRequest> requests_;
  std::size_t received_bytes_ = 0;
  std::vector<std::jthread> scripts_;

  std::jthread acceptor_;
};

/// A port on 127.0.0.1 that takes no further connection: its accept queue is full.
class FullAcceptQueue {
 public:
  FullAcceptQueue();
  ~FullAcceptQueue();
  FullAcceptQueue(const FullAcceptQueue&) = delete;
  FullAcceptQueue& operator=(const FullAcceptQueue&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::vector<int> fillers_;
};

/// A port on 127.0.0.1 at which nobody listens.
[[nodiscard]] std::uint16_t refused_port();

}  // namespace diskrelease
