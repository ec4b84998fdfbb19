#pragma once

#include <cstdint>
#include <utility>

namespace diskrelease {

/// A listening TCP socket on loopback and its port, chosen by the system. Throws std::system_error.
[[nodiscard]] std::pair<int, std::uint16_t> listen_on_loopback(int backlog, bool ipv6 = false);

/// A connected TCP socket to 127.0.0.1, blocking. Throws std::system_error.
[[nodiscard]] int connect_to_loopback(std::uint16_t port);

/// Waits for events of poll(2) on fd, at most ten seconds. False when stop_fd became readable
/// first.
[[nodiscard]] bool wait_unless_stopped(int fd, short events, int stop_fd);

}  // namespace diskrelease
