#include "support/loopback.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace diskrelease {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::system_category(), what);
}

}  // namespace

std::pair<int, std::uint16_t> listen_on_loopback(int backlog, bool ipv6) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  auto* const address = ipv6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
  socklen_t size = ipv6 ? sizeof v6 : sizeof v4;

  const int fd = ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  if (::bind(fd, address, size) != 0) fail("bind");
  if (::listen(fd, backlog) != 0) fail("listen");
  if (::getsockname(fd, address, &size) != 0) fail("getsockname");
  return {fd, ntohs(ipv6 ? v6.sin6_port : v4.sin_port)};
}

int connect_to_loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
  return fd;
}

bool wait_unless_stopped(int fd, short events, int stop_fd) {
  constexpr int longest_ms = 10'000;
  pollfd watched[] = {{.fd = fd, .events = events, .revents = 0},
                      {.fd = stop_fd, .events = POLLIN, .revents = 0}};
  return ::poll(watched, 2, longest_ms) > 0 && watched[1].revents == 0;
}

}  // namespace diskrelease
