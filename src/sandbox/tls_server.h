#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "sandbox/ledger.h"
#include "sandbox/request_check.h"
#include "sandbox/scenario.h"
#include "sandbox/wire.h"

struct ssl_ctx_st;

namespace diskrelease::sandbox {

/// A script to play, and whom to tell how it ended.
struct Performance {
  WireScript script;
  std::function<void(Delivery)> ended;  ///< called once, by the connection's thread
};

struct ServerCounts {
  std::uint64_t connections = 0;  ///< accepted so far
  std::uint64_t refused = 0;      ///< of these closed at once: too many
  std::uint64_t failed_handshakes = 0;
  std::size_t open_connections = 0;
};

/// HTTP/1.1 over TLS 1.2 or later on 127.0.0.1, a thread for each connection, keep-alive without
/// limit. It plays scripts to the byte, which an HTTP library's server cannot: broken lengths, cut
/// answers, resets. Its threads take no signals. A connection that is silent for ten minutes, or
/// takes nothing for ten seconds, is closed, so that clients which died cannot hold threads for
/// ever.
class TlsServer {
 public:
  /// Called by several threads at once. An exception ends the connection with a reset.
  using Handler = std::function<Performance(const ReceivedRequest&)>;

  struct Settings {
    std::uint16_t port = 0;  ///< 0 = any free one
    std::size_t max_connections = 2'048;
    std::optional<IdleClose> idle_close;
  };

  /// Listens on return. Throws UsageError if it cannot.
  TlsServer(const Settings& settings, Handler handler);
  /// Ends all connections and waits for their threads, which takes milliseconds.
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] const std::string& ca_pem() const noexcept { return ca_pem_; }
  [[nodiscard]] ServerCounts counts() const;

 private:
  struct Connection {
    int socket = -1;  ///< guarded by mutex_; -1 once closed
    std::atomic<bool> finished{false};
    std::thread thread;
  };
  struct FreeContext {
    void operator()(ssl_ctx_st* context) const noexcept;
  };

  void accept_connections();
  void start_connection(int socket);
  void reap_finished();
  void serve(Connection& connection, int socket);

  const Settings settings_;
  const Handler handler_;
  std::unique_ptr<ssl_ctx_st, FreeContext> context_;
  std::string ca_pem_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> failed_handshakes_{0};
  mutable std::mutex mutex_;
  std::list<Connection> connections_;  ///< guarded by mutex_
  std::thread acceptor_;
};

}  // namespace diskrelease::sandbox
