#include "net/dial.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "model/visible_text.h"
#include "net/answer_head.h"

namespace diskrelease {
namespace {

std::string error_text(int error) { return std::system_category().message(error); }

/// host:port with the port always there, as CONNECT wants it.
std::string authority(const std::string& host, std::uint16_t port) {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

std::variant<Addresses, TransportFailure> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int result = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  const int error = errno;
  if (result == 0) return Addresses(found, &::freeaddrinfo);
  if (result == EAI_MEMORY || (result == EAI_SYSTEM && is_out_of_resources(error))) {
    return not_sent(TransportProblem::out_of_resources,
                    "looking up " + host + ": " + ::gai_strerror(result));
  }
  return not_sent(
      TransportProblem::name_resolution,
      host + ": " + (result == EAI_SYSTEM ? error_text(error) : ::gai_strerror(result)));
}

/// One TCP connection to one address.
std::variant<PlainSocket, TransportFailure> connect_to(const addrinfo& address,
                                                       const std::string& name,
                                                       const Bounds& bounds) {
  const auto broken = [&](int error) {
    return not_sent(
        is_out_of_resources(error) ? TransportProblem::out_of_resources : TransportProblem::connect,
        "connecting to " + name + ": " + error_text(error));
  };
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return broken(errno);
  PlainSocket socket(new Poco::Net::StreamSocketImpl(fd));
  // Poco keeps its own idea of the mode, and only without blocking do its waits stay out of play.
  socket->setBlocking(false);

  if (::connect(fd, address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS && errno != EINTR) return broken(errno);
    if (const Wake wake = wait_for(fd, POLLOUT, bounds); wake != Wake::ready) {
      return not_sent(wake, TransportProblem::connect, "connecting to " + name);
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return broken(errno);
    if (error != 0) return broken(error);
  }
  const int on = 1;
  if (::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return broken(errno);
  return socket;
}

std::variant<PlainSocket, TransportFailure> connect_by_name(const std::string& host,
                                                            std::uint16_t port,
                                                            const Bounds& bounds) {
  auto resolved = resolve(host, port);
  if (auto* failure = std::get_if<TransportFailure>(&resolved)) return std::move(*failure);
  return connect_to_any(*std::get<Addresses>(resolved), authority(host, port), bounds);
}

TransportFailure proxy_broke(const std::string& what) {
  return not_sent(TransportProblem::proxy, "the proxy " + what);
}

/// RFC 4648, for Basic authentication.
std::string base64(std::string_view bytes) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto group = bytes.substr(i, 3);
    unsigned bits = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (j < group.size() ? static_cast<unsigned char>(group[j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      result += j <= group.size() ? alphabet[bits >> (18 - 6 * j) & 0x3fu] : '=';
    }
  }
  return result;
}

std::optional<TransportFailure> send_all(int fd, std::string_view text, const Bounds& bounds) {
  while (!text.empty()) {
    const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (const Wake wake = wait_for(fd, POLLOUT, bounds); wake != Wake::ready) {
        return not_sent(wake, TransportProblem::proxy, "asking the proxy for a tunnel");
      }
    } else if (errno != EINTR) {
      return proxy_broke("broke the connection: " + error_text(errno));
    }
  }
  return std::nullopt;
}

/// Takes single bytes: what follows the head belongs to the TLS handshake.
std::variant<std::string, TransportFailure> receive_head(int fd, const Bounds& bounds) {
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    if (head.size() == k_head_cap) return proxy_broke("sent an endless answer to CONNECT");
    char byte = 0;
    const auto received = ::recv(fd, &byte, 1, 0);
    if (received == 1) {
      head += byte;
    } else if (received == 0) {
      return proxy_broke("closed the connection before it answered CONNECT");
    } else if (errno == EAGAIN) {
      if (const Wake wake = wait_for(fd, POLLIN, bounds); wake != Wake::ready) {
        return not_sent(wake, TransportProblem::proxy, "waiting for the proxy's answer to CONNECT");
      }
    } else if (errno != EINTR) {
      return proxy_broke("broke the connection: " + error_text(errno));
    }
  }
  return head;
}

/// The proxy has understood and says no to who asks or what is asked for. Other refusals may pass:
/// it looks the name up and connects itself.
bool refuses_for_good(int status) {
  switch (status) {
    case 401:
    case 403:
    case 405:
    case 407:
    case 451:
    case 501:
      return true;
    default:
      return false;
  }
}

void blank_out(std::string& text, const std::string& secret) {
  if (secret.empty()) return;
  constexpr std::string_view blank = "***";
  for (std::size_t at = text.find(secret); at != std::string::npos;
       at = text.find(secret, at + blank.size())) {
    text.replace(at, secret.size(), blank);
  }
}

/// The status line, without what a proxy may echo of the secrets it was sent.
std::string words_of(const std::string& head, const Proxy& proxy) {
  constexpr std::size_t longest = 200;
  constexpr std::size_t before_status = std::string_view("HTTP/1.1 ").size();
  std::string words = head.substr(before_status, head.find("\r\n") - before_status);
  blank_out(words, base64(proxy.user + ":" + proxy.password));
  blank_out(words, proxy.password);
  return visible(words, longest);
}

std::optional<TransportFailure> open_tunnel(int fd, const Endpoint& endpoint, const Proxy& proxy,
                                            const Bounds& bounds) {
  const std::string target = authority(endpoint.host, endpoint.port);
  std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  if (!proxy.user.empty()) {
    request += "Proxy-Authorization: Basic " + base64(proxy.user + ":" + proxy.password) + "\r\n";
  }
  request += "\r\n";
  if (auto failure = send_all(fd, request, bounds)) return failure;
  auto answer = receive_head(fd, bounds);
  if (auto* failure = std::get_if<TransportFailure>(&answer)) return std::move(*failure);
  const auto head = parse_answer_head(std::get<std::string>(answer));
  if (!head) return proxy_broke("did not answer CONNECT in HTTP");
  if (head->status >= 200 && head->status <= 299) return std::nullopt;
  TransportFailure failure =
      proxy_broke("answered CONNECT with: " + words_of(std::get<std::string>(answer), proxy));
  if (refuses_for_good(head->status)) {
    failure.problem = TransportProblem::proxy_refused;
    if (head->status == 407) {
      failure.detail += proxy.user.empty() ? " (it wants a user and a password)"
                                           : " (it does not take this user and password)";
    }
  }
  return failure;
}

}  // namespace

TransportFailure not_sent(TransportProblem problem, std::string detail) {
  return {.problem = problem,
          .request_may_have_left = false,
          .detail = std::move(detail),
          .status = std::nullopt};
}

TransportFailure not_sent(Wake wake, TransportProblem late, const std::string& doing) {
  if (wake == Wake::aborted) return not_sent(TransportProblem::aborted, "aborted while " + doing);
  return not_sent(late, "out of time while " + doing);
}

bool is_out_of_resources(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

std::variant<PlainSocket, TransportFailure> connect_to_any(const addrinfo& first,
                                                           const std::string& name,
                                                           const Bounds& bounds) {
  std::int64_t left = 0;
  for (const auto* address = &first; address != nullptr; address = address->ai_next) ++left;
  for (const auto* address = &first;; address = address->ai_next, --left) {
    const auto now = steady_now();
    const auto share = (bounds.deadline - now) / left;
    auto result = connect_to(*address, name, {.deadline = now + share, .abort = bounds.abort});
    const bool last = address->ai_next == nullptr || bounds.check() != Wake::ready;
    if (last || std::holds_alternative<PlainSocket>(result)) return result;
  }
}

std::variant<PlainSocket, TransportFailure> dial(const Endpoint& endpoint,
                                                 const std::optional<Proxy>& proxy,
                                                 const Bounds& bounds) {
  auto connected = connect_by_name(proxy ? proxy->host : endpoint.host,
                                   proxy ? proxy->port : endpoint.port, bounds);
  if (!proxy || std::holds_alternative<TransportFailure>(connected)) return connected;
  const int fd = std::get<PlainSocket>(connected)->sockfd();
  if (auto failure = open_tunnel(fd, endpoint, *proxy, bounds)) return std::move(*failure);
  return connected;
}

}  // namespace diskrelease
