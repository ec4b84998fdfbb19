#include "sandbox/tls_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "model/errors.h"
#include "platform/host.h"
#include "sandbox/certificate.h"
#include "sandbox/request_reader.h"

namespace diskrelease::sandbox {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds k_handshake_limit{10'000};
constexpr milliseconds k_silence_limit{600'000};
constexpr milliseconds k_send_limit{10'000};
/// How long the server waits for the client to close its side, so that what is in flight does not
/// turn the FIN into a reset.
constexpr milliseconds k_linger_limit{200};

struct FreeSession {
  void operator()(SSL* session) const noexcept { SSL_free(session); }
};
using Session = std::unique_ptr<SSL, FreeSession>;

void set_limit(int socket, int option, milliseconds limit) {
  timeval time{};
  time.tv_sec = limit.count() / 1000;
  time.tv_usec = (limit.count() % 1000) * 1000;
  (void)setsockopt(socket, SOL_SOCKET, option, &time, sizeof time);
}

/// Waits; returns early only when the connection is broken or the server stops.
void wait_on(int socket, short events, std::optional<microseconds> duration) {
  pollfd poll_entry{socket, events, 0};
  timespec limit{};
  if (duration) {
    limit.tv_sec = duration->count() / 1'000'000;
    limit.tv_nsec = (duration->count() % 1'000'000) * 1000;
  }
  (void)ppoll(&poll_entry, 1, duration ? &limit : nullptr, nullptr);
}

bool write_all(SSL* session, std::string_view bytes) {
  if (bytes.empty()) return true;
  ERR_clear_error();
  return SSL_write(session, bytes.data(), static_cast<int>(bytes.size())) ==
         static_cast<int>(bytes.size());
}

/// Ends the connection in the way given; the socket itself is closed by the caller.
void finish(SSL* session, int socket, Ending ending) {
  switch (ending) {
    case Ending::rst: {
      const linger reset{1, 0};
      (void)setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      return;
    }
    case Ending::close_notify:
      ERR_clear_error();
      (void)SSL_shutdown(session);
      break;
    case Ending::fin:
      break;
  }
  (void)shutdown(socket, SHUT_WR);
  wait_on(socket, POLLRDHUP, k_linger_limit);
}

/// Plays the bytes of a script. False: the client was gone.
bool play(SSL* session, int socket, const WireScript& script) {
  if (script.delay > microseconds{0}) wait_on(socket, 0, script.delay);
  if (script.drip == milliseconds{0}) return write_all(session, script.bytes);
  for (const char& byte : script.bytes) {
    if (!write_all(session, {&byte, 1})) return false;
    wait_on(socket, 0, script.drip);
  }
  return true;
}

enum class Next { keep, ended };

Next perform(SSL* session, int socket, const Performance& performance) {
  const auto& script = performance.script;
  const bool written = play(session, socket, script);
  if (performance.ended) {
    performance.ended(!written          ? Delivery::failed
                      : script.complete ? Delivery::delivered
                                        : Delivery::swallowed);
  }
  if (!written) return Next::ended;
  if (script.stall) wait_on(socket, POLLRDHUP, std::nullopt);
  if (script.keep_open) return Next::keep;
  finish(session, socket, script.ending);
  return Next::ended;
}

/// Requests and answers until one side has had enough.
void converse(SSL* session, int socket, const TlsServer::Handler& handler,
              const std::optional<IdleClose>& idle_close) {
  RequestReader reader;
  ReceivedRequest request;
  std::array<char, 16UL * 1024> chunk{};
  for (;;) {
    ERR_clear_error();
    const int got = SSL_read(session, chunk.data(), static_cast<int>(chunk.size()));
    if (got <= 0) {
      const bool silent = SSL_get_error(session, got) == SSL_ERROR_WANT_READ;
      if (silent) finish(session, socket, idle_close ? idle_close->ending : Ending::close_notify);
      return;
    }
    reader.append({chunk.data(), static_cast<std::size_t>(got)});
    for (bool more = true; more;) {
      switch (reader.next(request)) {
        case RequestReader::State::incomplete:
          more = false;
          break;
        case RequestReader::State::complete:
          if (perform(session, socket, handler(request)) == Next::ended) return;
          break;
        case RequestReader::State::malformed:
          (void)write_all(session, plain_script({400, {{"Connection", "close"}}, {}}).bytes);
          finish(session, socket, Ending::close_notify);
          return;
      }
    }
  }
}

std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> new_context(const ServerIdentity& identity) {
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                            &SSL_CTX_free);
  if (context == nullptr || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_use_certificate(context.get(), identity.certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), identity.key.get()) != 1) {
    throw std::runtime_error("OpenSSL cannot make the sandbox's TLS context");
  }
  return context;
}

UsageError cannot_listen(std::uint16_t port) {
  return UsageError("the sandbox cannot listen on 127.0.0.1:" + std::to_string(port) + ": " +
                    std::generic_category().message(errno));
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// Threads started while it lives take no signals, SIGPIPE of OpenSSL's writes included.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { (void)pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

void TlsServer::FreeContext::operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }

TlsServer::TlsServer(const Settings& settings, Handler handler)
    : settings_(settings), handler_(std::move(handler)) {
  auto identity = make_server_identity();
  context_.reset(new_context(identity).release());
  ca_pem_ = std::move(identity.ca_pem);

  // Fewer connections than may be there are accepted then.
  static_cast<void>(make_room_for_open_files(settings.max_connections));

  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener_ < 0) throw cannot_listen(settings.port);
  const int on = 1;
  (void)setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto address = loopback(settings.port);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 || listen(listener_, SOMAXCONN) != 0 ||
      getsockname(listener_, generic, &size) != 0) {
    const auto error = cannot_listen(settings.port);
    close(listener_);
    throw UsageError(error);
  }
  port_ = ntohs(address.sin_port);
  const SignalsBlocked blocked;
  acceptor_ = std::thread([this] { accept_connections(); });
}

TlsServer::~TlsServer() {
  stopping_ = true;
  (void)shutdown(listener_, SHUT_RDWR);  // wakes accept() on Linux
  acceptor_.join();
  close(listener_);
  {
    const std::lock_guard lock(mutex_);
    for (auto& connection : connections_) {
      if (connection.socket >= 0) (void)shutdown(connection.socket, SHUT_RDWR);
    }
  }
  // Nobody adds to the list any more.
  for (auto& connection : connections_) connection.thread.join();
}

ServerCounts TlsServer::counts() const {
  const std::lock_guard lock(mutex_);
  const auto open = std::ranges::count_if(
      connections_, [](const Connection& connection) { return connection.socket >= 0; });
  return {accepted_, refused_, failed_handshakes_, static_cast<std::size_t>(open)};
}

void TlsServer::accept_connections() {
  while (!stopping_) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) {
      // Out of descriptors: give the connections a moment to end.
      if (!stopping_) wait_on(-1, 0, milliseconds(10));
      continue;
    }
    ++accepted_;
    reap_finished();
    start_connection(socket);
  }
}

void TlsServer::reap_finished() {
  std::list<Connection> finished;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = connections_.begin(); at != connections_.end();) {
      const auto here = at++;
      if (here->finished) finished.splice(finished.end(), connections_, here);
    }
  }
  for (auto& connection : finished) connection.thread.join();
}

void TlsServer::start_connection(int socket) {
  const std::lock_guard lock(mutex_);
  if (connections_.size() >= settings_.max_connections) {
    ++refused_;
    close(socket);
    return;
  }
  auto& connection = connections_.emplace_back();
  connection.socket = socket;
  try {
    connection.thread = std::thread([this, &connection, socket] { serve(connection, socket); });
  } catch (const std::system_error&) {  // no thread to be had
    connections_.pop_back();
    ++refused_;
    close(socket);
  }
}

void TlsServer::serve(Connection& connection, int socket) {
  const int on = 1;
  (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  set_limit(socket, SO_SNDTIMEO, k_send_limit);
  set_limit(socket, SO_RCVTIMEO, k_handshake_limit);
  {
    const Session session(SSL_new(context_.get()));
    ERR_clear_error();
    if (session != nullptr && SSL_set_fd(session.get(), socket) == 1 &&
        SSL_accept(session.get()) == 1) {
      const auto& idle = settings_.idle_close;
      set_limit(socket, SO_RCVTIMEO, idle ? idle->after : k_silence_limit);
      try {
        converse(session.get(), socket, handler_, idle);
      } catch (const std::exception&) {
        finish(session.get(), socket, Ending::rst);
      }
    } else {
      ++failed_handshakes_;
    }
    ERR_clear_error();
  }
  {
    const std::lock_guard lock(mutex_);
    close(socket);
    connection.socket = -1;
  }
  connection.finished = true;
}

}  // namespace diskrelease::sandbox
