#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace diskrelease {

/// An HTTP proxy on 127.0.0.1 that knows CONNECT only. Whatever host it is asked for, it connects
/// to the port asked for on 127.0.0.1.
class ConnectProxy {
 public:
  /// What it answers to CONNECT. A status 200 is followed by the tunnel, anything else by the end
  /// of the connection. Empty: it never answers.
  explicit ConnectProxy(std::string answer = "HTTP/1.1 200 Connection established\r\n\r\n");
  ~ConnectProxy();
  ConnectProxy(const ConnectProxy&) = delete;
  ConnectProxy& operator=(const ConnectProxy&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// The CONNECT requests it has read.
  [[nodiscard]] std::vector<std::string> requests() const;

 private:
  void accept_all();
  void serve(int client);
  void relay(int client, int server) const;

  std::string answer_;
  int listener_ = -1;
  int stop_event_ = -1;
  std::uint16_t port_ = 0;

  mutable std::mutex mutex_;  // guards requests_
  std::vector<std::string> requests_;

  std::vector<std::jthread> tunnels_;  // only touched by acceptor_ until it has ended
  std::jthread acceptor_;
};

}  // namespace diskrelease
