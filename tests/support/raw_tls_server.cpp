#include "support/raw_tls_server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "support/loopback.h"

namespace diskrelease {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&::X509_free)>;

void require(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("test certificate: ") + what);
}

Key make_key() {
  Key key(EVP_EC_gen("P-256"), &::EVP_PKEY_free);
  require(key != nullptr, "key");
  return key;
}

struct CertificateWish {
  const char* common_name;
  EVP_PKEY* key;
  X509* issuer;  ///< nullptr = self-signed
  EVP_PKEY* issuer_key;
  std::vector<std::pair<int, std::string>> extensions;
  bool expired;
};

Certificate make_certificate(const CertificateWish& wish) {
  constexpr long day = 24L * 60 * 60;
  Certificate certificate(X509_new(), &::X509_free);
  X509* const x = certificate.get();
  require(x != nullptr, "X509_new");
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), wish.issuer == nullptr ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(x), -2 * day);
  X509_gmtime_adj(X509_getm_notAfter(x), wish.expired ? -day : day);
  X509_set_pubkey(x, wish.key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(wish.common_name), -1, -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(wish.issuer == nullptr ? x : wish.issuer));
  for (const auto& [nid, value] : wish.extensions) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    require(extension != nullptr, value.c_str());
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
  }
  require(X509_sign(x, wish.issuer_key, EVP_sha256()) > 0, "sign");
  return certificate;
}

Certificate make_authority(EVP_PKEY* key, const char* name) {
  return make_certificate({.common_name = name,
                           .key = key,
                           .issuer = nullptr,
                           .issuer_key = key,
                           .extensions = {{NID_basic_constraints, "critical,CA:TRUE"},
                                          {NID_key_usage, "critical,keyCertSign"}},
                           .expired = false});
}

std::string write_pem_file(X509* certificate) {
  std::string path =
      (std::filesystem::temp_directory_path() / "diskrelease-test-ca-XXXXXX").string();
  const int fd = ::mkstemp(path.data());
  require(fd >= 0, "mkstemp");
  FILE* const file = ::fdopen(fd, "w");
  require(file != nullptr && PEM_write_X509(file, certificate) == 1, "PEM");
  require(std::fclose(file) == 0, "fclose");
  return path;
}

}  // namespace

RawConnection::RawConnection(RawTlsServer& server, int fd, std::size_t number)
    : server_(server), fd_(fd), number_(number), ssl_(nullptr, &::SSL_free) {}

RawConnection::~RawConnection() {
  if (ssl_) close_notify();
  if (fd_ >= 0) ::close(fd_);
}

bool RawConnection::wait(short events) {
  return wait_unless_stopped(fd_, events, server_.stop_event_);
}

bool RawConnection::retry(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return wait(POLLIN);
    case SSL_ERROR_WANT_WRITE:
      return wait(POLLOUT);
    default:
      return false;
  }
}

bool RawConnection::wait_for_bytes() { return wait(POLLIN); }

bool RawConnection::handshake() {
  ssl_.reset(SSL_new(server_.context_.get()));
  SSL_set_fd(ssl_.get(), fd_);
  for (;;) {
    ERR_clear_error();
    const int result = SSL_accept(ssl_.get());
    if (result == 1) return true;
    if (!retry(result)) {
      ssl_.reset();
      return false;
    }
  }
}

int RawConnection::read_some(char* buffer, std::size_t size) {
  for (;;) {
    ERR_clear_error();
    const int n = SSL_read(ssl_.get(), buffer, static_cast<int>(size));
    if (n > 0) {
      const std::lock_guard lock(server_.mutex_);
      server_.received_bytes_ += static_cast<std::size_t>(n);
      return n;
    }
    if (!retry(n)) return 0;
  }
}

bool RawConnection::read_request() {
  constexpr std::string_view head_end = "\r\n\r\n";
  constexpr std::string_view length_field = "Content-Length: ";
  ReceivedRequest request{.text = {}, .connection = number_, .records = 0};
  std::size_t whole = std::string::npos;
  while (request.text.size() < whole) {
    char buffer[16'384];
    const int n = read_some(buffer, sizeof buffer);
    if (n <= 0) return false;
    ++request.records;
    request.text.append(buffer, static_cast<std::size_t>(n));
    const auto end = request.text.find(head_end);
    if (end == std::string::npos) continue;
    const auto field = request.text.find(length_field);
    whole = end + head_end.size();
    if (field < end) whole += std::stoul(request.text.substr(field + length_field.size()));
  }
  request_ = request.text;
  const std::lock_guard lock(server_.mutex_);
  server_.requests_.push_back(std::move(request));
  return true;
}

bool RawConnection::send(std::string_view text) {
  for (;;) {
    ERR_clear_error();
    const int result = SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
    if (result > 0) return true;
    if (!retry(result)) return false;
  }
}

void RawConnection::send_plain(std::string_view text) {
  if (::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) < 0) return;
}

bool RawConnection::answer(std::string_view body) {
  return send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
              std::string(body));
}

void RawConnection::close_notify() {
  if (!ssl_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ssl_.reset();
}

void RawConnection::close_by_fin() {
  ssl_.reset();
  ::shutdown(fd_, SHUT_WR);
}

void RawConnection::close_by_reset() {
  ssl_.reset();
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(std::exchange(fd_, -1));
}

bool RawConnection::pause(std::chrono::milliseconds time) {
  pollfd stop{.fd = server_.stop_event_, .events = POLLIN, .revents = 0};
  return ::poll(&stop, 1, static_cast<int>(time.count())) == 0;
}

void RawConnection::wait_until_closed() {
  if (fd_ < 0) return;
  char buffer[4096];
  while (wait(POLLIN)) {
    const auto n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) return;
  }
}

RawTlsServer::RawTlsServer(Script script, const RawServerOptions& options)
    : script_(std::move(script)), context_(SSL_CTX_new(TLS_server_method()), &::SSL_CTX_free) {
  const Key ca_key = make_key();
  const Certificate ca = make_authority(ca_key.get(), "diskrelease test CA");
  const Key other_key = make_key();
  const Certificate other = make_authority(other_key.get(), "some other CA");
  const Key key = make_key();
  const Certificate certificate =
      make_certificate({.common_name = "test server",
                        .key = key.get(),
                        .issuer = options.unknown_ca ? other.get() : ca.get(),
                        .issuer_key = options.unknown_ca ? other_key.get() : ca_key.get(),
                        .extensions = {{NID_subject_alt_name, options.names}},
                        .expired = options.expired});
  SSL_CTX* const context = context_.get();
  require(SSL_CTX_use_certificate(context, certificate.get()) == 1, "use certificate");
  require(SSL_CTX_use_PrivateKey(context, key.get()) == 1, "use key");
  if (options.only_tls_1_1) {
    SSL_CTX_set_security_level(context, 0);  // else OpenSSL 3 would not offer it at all
    SSL_CTX_set_min_proto_version(context, TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
    require(SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0") == 1, "ciphers");
  }
  ca_file_ = write_pem_file(ca.get());

  stop_event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::tie(listener_, port_) = listen_on_loopback(128, options.on_ipv6);
  acceptor_ = std::jthread([this] { accept_all(); });
}

RawTlsServer::~RawTlsServer() {
  stop();
  ::close(listener_);
  ::close(stop_event_);
  std::error_code ignored;
  std::filesystem::remove(ca_file_, ignored);
}

void RawTlsServer::answer_all(RawConnection& connection) {
  if (!connection.handshake()) return;
  while (connection.read_request() && connection.answer("{}")) {
  }
}

void RawTlsServer::stop() {
  const std::uint64_t one = 1;
  if (::write(stop_event_, &one, sizeof one) != sizeof one) std::abort();
  if (acceptor_.joinable()) acceptor_.join();
  for (auto& script : scripts_) {
    if (script.joinable()) script.join();
  }
}

std::vector<ReceivedRequest> RawTlsServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::size_t RawTlsServer::received_bytes() const {
  const std::lock_guard lock(mutex_);
  return received_bytes_;
}

std::size_t RawTlsServer::connections() const {
  const std::lock_guard lock(mutex_);
  return scripts_.size();
}

void RawTlsServer::accept_all() {
  for (;;) {
    pollfd watched[] = {{.fd = listener_, .events = POLLIN, .revents = 0},
                        {.fd = stop_event_, .events = POLLIN, .revents = 0}};
    if (::poll(watched, 2, -1) < 0 || watched[1].revents != 0) return;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) continue;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::lock_guard lock(mutex_);
    scripts_.emplace_back([this, fd, number = scripts_.size()] {
      RawConnection connection(*this, fd, number);
      script_(connection);
    });
  }
}

FullAcceptQueue::FullAcceptQueue() {
  std::tie(listener_, port_) = listen_on_loopback(0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port_);
  for (int i = 0; i < 4; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
        errno != EINPROGRESS) {
      std::abort();
    }
    fillers_.push_back(fd);
  }
}

FullAcceptQueue::~FullAcceptQueue() {
  for (const int fd : fillers_) ::close(fd);
  ::close(listener_);
}

std::uint16_t refused_port() {
  const auto [fd, port] = listen_on_loopback(1);
  ::close(fd);
  return port;
}

}  // namespace diskrelease
