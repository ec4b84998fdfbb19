#include "support/sandbox_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace diskrelease::test {
namespace {

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(what);
}

void set_patience(int socket, int milliseconds) {
  timeval time{};
  time.tv_sec = milliseconds / 1000;
  time.tv_usec = (milliseconds % 1000) * 1000;
  require(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0, "SO_RCVTIMEO");
}

/// Bytes of the whole answer at the front of `bytes`; npos while it is not whole, or has no length.
std::size_t answer_size(const std::string& bytes) {
  const auto head = bytes.find("\r\n\r\n");
  const auto length = bytes.find("\r\nContent-Length: ");
  if (head == std::string::npos || length == std::string::npos || length > head) {
    return std::string::npos;
  }
  const auto size = head + 4 + std::stoul(bytes.substr(length + 18));
  return bytes.size() < size ? std::string::npos : size;
}

}  // namespace

void SandboxClient::FreeContext::operator()(SSL_CTX* context) const noexcept {
  SSL_CTX_free(context);
}
void SandboxClient::FreeSession::operator()(SSL* session) const noexcept { SSL_free(session); }

SandboxClient::SandboxClient(std::uint16_t port, const std::string& ca_pem)
    : context_(SSL_CTX_new(TLS_client_method())) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> pem(
      BIO_new_mem_buf(ca_pem.data(), static_cast<int>(ca_pem.size())), &BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> ca(
      PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr), &X509_free);
  require(X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), ca.get()) == 1, "CA");
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  session_.reset(SSL_new(context_.get()));
  require(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session_.get()), "127.0.0.1") == 1, "name");

  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(socket_ >= 0, "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  set_patience(socket_, 5'000);
  const bool connected =
      connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      SSL_set_fd(session_.get(), socket_) == 1 && SSL_connect(session_.get()) == 1;
  if (!connected) {
    close(socket_);
    throw std::runtime_error("cannot connect to the sandbox");
  }
}

SandboxClient::~SandboxClient() {
  if (socket_ >= 0) close(socket_);
}

void SandboxClient::send(std::string_view bytes) {
  ERR_clear_error();
  require(SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
              static_cast<int>(bytes.size()),
          "SSL_write");
}

SandboxClient::Received SandboxClient::read_answer() { return read_until(true, 5'000); }

SandboxClient::Received SandboxClient::read_to_end(int patience_ms) {
  return read_until(false, patience_ms);
}

SandboxClient::Received SandboxClient::read_until(bool whole_answer, int patience_ms) {
  set_patience(socket_, patience_ms);
  Received received{std::exchange(left_over_, {}), End::answer};
  std::array<char, 4096> chunk{};
  for (;;) {
    const auto size = answer_size(received.bytes);
    if (whole_answer && size != std::string::npos) {
      left_over_ = received.bytes.substr(size);
      received.bytes.resize(size);
      return received;
    }
    ERR_clear_error();
    errno = 0;
    const int got = SSL_read(session_.get(), chunk.data(), static_cast<int>(chunk.size()));
    if (got > 0) {
      received.bytes.append(chunk.data(), static_cast<std::size_t>(got));
      continue;
    }
    const int system_error = errno;
    const int error = SSL_get_error(session_.get(), got);
    if (error == SSL_ERROR_ZERO_RETURN) {
      received.end = End::close_notify;
    } else if (error == SSL_ERROR_WANT_READ) {
      received.end = End::time_out;
    } else {
      received.end = system_error == ECONNRESET ? End::rst : End::fin;
    }
    return received;
  }
}

void SandboxClient::reset() {
  const linger hard{1, 0};
  require(setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0, "SO_LINGER");
  close(socket_);
  socket_ = -1;
}

std::string sandbox_request(std::string_view action, std::string_view body) {
  std::string text = "POST /api/v2/zec HTTP/1.1\r\nHost: 127.0.0.1\r\nX-ZC-Action: ";
  text += action;
  text +=
      "\r\nAuthorization: Bearer sandbox-token-not-a-real-one\r\nX-ZC-Request-Client: test"
      "\r\nContent-Type: application/json\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n";
  text += body;
  return text;
}

}  // namespace diskrelease::test
