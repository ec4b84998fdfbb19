#include "support/connect_proxy.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <system_error>
#include <utility>

#include "support/loopback.h"

namespace diskrelease {

ConnectProxy::ConnectProxy(std::string answer) : answer_(std::move(answer)) {
  stop_event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::tie(listener_, port_) = listen_on_loopback(16);
  acceptor_ = std::jthread([this] { accept_all(); });
}

ConnectProxy::~ConnectProxy() {
  const std::uint64_t one = 1;
  if (::write(stop_event_, &one, sizeof one) != sizeof one) std::abort();
  acceptor_.join();
  tunnels_.clear();
  ::close(listener_);
  ::close(stop_event_);
}

std::vector<std::string> ConnectProxy::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void ConnectProxy::accept_all() {
  for (;;) {
    pollfd watched[] = {{.fd = listener_, .events = POLLIN, .revents = 0},
                        {.fd = stop_event_, .events = POLLIN, .revents = 0}};
    if (::poll(watched, 2, -1) < 0 || watched[1].revents != 0) return;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    tunnels_.emplace_back([this, client] {
      serve(client);
      ::close(client);
    });
  }
}

void ConnectProxy::serve(int client) {
  std::string request;
  while (!request.ends_with("\r\n\r\n")) {
    char byte = 0;
    if (!wait_unless_stopped(client, POLLIN, stop_event_) || ::recv(client, &byte, 1, 0) != 1)
      return;
    request += byte;
  }
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  if (answer_.empty()) {
    char byte = 0;
    if (wait_unless_stopped(client, POLLIN, stop_event_)) ::recv(client, &byte, 1, 0);
    return;
  }
  if (::send(client, answer_.data(), answer_.size(), MSG_NOSIGNAL) < 0) return;
  if (!answer_.starts_with("HTTP/1.1 200")) return;
  const auto colon = request.rfind(':', request.find(" HTTP/1.1"));
  const int server =
      connect_to_loopback(static_cast<std::uint16_t>(std::stoul(request.substr(colon + 1))));
  relay(client, server);
  ::close(server);
}

void ConnectProxy::relay(int client, int server) const {
  for (;;) {
    pollfd watched[] = {{.fd = client, .events = POLLIN, .revents = 0},
                        {.fd = server, .events = POLLIN, .revents = 0},
                        {.fd = stop_event_, .events = POLLIN, .revents = 0}};
    if (::poll(watched, 3, -1) < 0 || watched[2].revents != 0) return;
    const bool from_client = watched[0].revents != 0;
    char buffer[16'384];
    const auto n = ::recv(from_client ? client : server, buffer, sizeof buffer, 0);
    if (n <= 0) return;
    if (::send(from_client ? server : client, buffer, static_cast<std::size_t>(n), MSG_NOSIGNAL) !=
        n) {
      return;
    }
  }
}

}  // namespace diskrelease
