#include "net/tls_socket.h"

#include <Poco/Net/NetSSL.h>
#include <Poco/Net/SSLException.h>
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "model/errors.h"
#include "model/shown_path.h"

namespace diskrelease {
namespace {

/// OpenSSL calls back in the thread that shakes hands; Poco gives no way to the SSL object, where
/// the reason would be kept otherwise.
thread_local int t_verify_error = X509_V_OK;

int note_verify_error(int verified, X509_STORE_CTX* store) {
  if (verified == 0) t_verify_error = X509_STORE_CTX_get_error(store);
  return verified;
}

/// Poco takes one error at a time out of the thread's queue and looks at errno after calls that
/// leave it alone: what an earlier failure left behind would be taken for the next result.
void forget_errors() noexcept {
  ERR_clear_error();
  errno = 0;
}

std::string openssl_error() {
  const char* const reason = ERR_reason_error_string(ERR_get_error());
  return reason != nullptr ? reason : "unknown reason";
}

/// "002c0b4f.0": the name by which OpenSSL finds a certificate in a folder.
bool is_hashed_name(std::string_view name) {
  constexpr std::size_t digits = 8;
  return name.size() == digits + 2 && name.ends_with(".0") &&
         name.find_first_not_of("0123456789abcdef") == digits;
}

/// Of the folder OpenSSL reads those that a server's certificate asks for; the file it reads as a
/// whole, some 140 certificates: 20 ms of each start.
void trust_system(SSL_CTX* ssl) {
  const bool moved = std::getenv(X509_get_default_cert_file_env()) != nullptr ||
                     std::getenv(X509_get_default_cert_dir_env()) != nullptr;
  const bool without_file =
      !moved && is_in_hashed_folder(X509_get_default_cert_file(), X509_get_default_cert_dir());
  if (SSL_CTX_set_default_verify_dir(ssl) != 1 ||
      (!without_file && SSL_CTX_set_default_verify_file(ssl) != 1)) {
    throw Poco::Net::SSLContextException("cannot set up TLS", openssl_error());
  }
}

bool is_address(const std::string& host) {
  std::array<char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

}  // namespace

bool is_in_hashed_folder(const std::filesystem::path& file, const std::filesystem::path& folder) {
  std::error_code error;
  const std::filesystem::path real_folder = std::filesystem::canonical(folder, error);
  if (error || std::filesystem::canonical(file, error).parent_path() != real_folder) return false;
  for (std::filesystem::directory_iterator entry(real_folder, error), end; !error && entry != end;
       entry.increment(error)) {
    // A link may lead nowhere, where only this folder was copied from elsewhere.
    std::error_code ignored;
    if (is_hashed_name(entry->path().filename().string()) && entry->is_regular_file(ignored)) {
      return true;
    }
  }
  return false;
}

Poco::Net::Context::Ptr make_client_context(const HttpsSettings& settings) {
  Poco::Net::Context::Params params;
  params.verificationMode = Poco::Net::Context::VERIFY_STRICT;
  params.loadDefaultCAs = false;
  params.cipherList = "HIGH:!aNULL";
  Poco::Net::Context::Ptr context(
      new Poco::Net::Context(Poco::Net::Context::TLS_CLIENT_USE, params));
  SSL_CTX* const ssl = context->sslContext();

  forget_errors();
  trust_system(ssl);
  if (settings.ca_file && SSL_CTX_load_verify_file(ssl, settings.ca_file->c_str()) != 1) {
    throw UsageError("no CA certificate could be read from " + shown(*settings.ca_file) + " (" +
                     openssl_error() + "); give a PEM file");
  }

  const std::string& host = settings.endpoint.host;
  X509_VERIFY_PARAM* const expected = SSL_CTX_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int host_set = is_address(host)
                           ? X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str())
                           : X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size());
  if (host_set != 1 || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1) {
    throw Poco::Net::SSLContextException("cannot set up TLS", openssl_error());
  }
  SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, &note_verify_error);
  return context;
}

TlsSocketImpl::TlsSocketImpl(PlainSocket plain, const Poco::Net::Context::Ptr& context,
                             const Bounds& bounds)
    : SecureStreamSocketImpl(plain.get(), context), bounds_(bounds) {}

void TlsSocketImpl::handshake(const std::string& host) {
  // RFC 6066: no address in the server name indication.
  if (!is_address(host)) setPeerHostName(host);
  setLazyHandshake();
  connectSSL();
  t_verify_error = X509_V_OK;
  try {
    for (;;) {
      require_time();
      forget_errors();
      const int result = completeHandshake();
      if (result == 1) break;
      if (result == 0) throw Poco::Net::SSLConnectionUnexpectedlyClosedException();
      wait(result);
    }
  } catch (const Poco::Net::SSLException&) {
    if (t_verify_error == X509_V_OK) throw;
    throw UnacceptableCertificate(X509_verify_cert_error_string(t_verify_error));
  }
  // Poco's own check lets a connection without a certificate pass.
  if (!havePeerCertificate()) throw UnacceptableCertificate("the server has shown none");
  try {
    verifyPeerCertificate(host);
  } catch (const Poco::Net::SSLException& problem) {
    throw UnacceptableCertificate(problem.displayText());
  }
}

void TlsSocketImpl::begin_exchange(const Bounds& bounds) noexcept {
  bounds_ = bounds;
  wake_ = Wake::ready;
  wrote_ = false;
}

int TlsSocketImpl::sendBytes(const void* buffer, int length, int flags) {
  if (send_failed_) throw Poco::IOException("a write on this connection has failed before");
  require_time();
  send_failed_ = true;
  for (;;) {
    wrote_ = true;
    forget_errors();
    const int result = SecureStreamSocketImpl::sendBytes(buffer, length, flags);
    if (result >= 0) {
      send_failed_ = false;
      return result;
    }
    wait(result);
  }
}

TlsSocketImpl::Taken TlsSocketImpl::take(std::size_t limit) {
  constexpr std::size_t portion = 16 * 1024;
  if (ended_) return Taken::end;
  if (taken().size() >= limit) {
    ended_ = true;
    end_error_ = std::make_exception_ptr(Poco::IOException("the answer does not come to an end"));
    return Taken::end;
  }
  std::array<char, portion> bytes;
  try {
    forget_errors();
    const int result = SecureStreamSocketImpl::receiveBytes(bytes.data(), portion, 0);
    if (result > 0) {
      taken_.append(bytes.data(), static_cast<std::size_t>(result));
      return Taken::something;
    }
    // A write that TLS itself wants is not waited for here.
    if (result < 0) return Taken::nothing;
  } catch (const Poco::Exception&) {
    end_error_ = std::current_exception();
  }
  ended_ = true;
  return Taken::end;
}

int TlsSocketImpl::receiveBytes(void* buffer, int length, int flags) {
  if (!taken().empty()) {
    const std::size_t count =
        taken().copy(static_cast<char*>(buffer), static_cast<std::size_t>(length));
    received_ += count;
    if (received_ == taken_.size()) {
      taken_.clear();
      received_ = 0;
    }
    return static_cast<int>(count);
  }
  if (ended_) {
    if (end_error_) std::rethrow_exception(end_error_);
    return 0;
  }
  for (;;) {
    if (available() > 0) {
      require_time();
    } else {
      wait(Poco::Net::SecureStreamSocket::ERR_SSL_WANT_READ);
    }
    forget_errors();
    const int result = SecureStreamSocketImpl::receiveBytes(buffer, length, flags);
    if (result >= 0) return result;
    if (result != Poco::Net::SecureStreamSocket::ERR_SSL_WANT_READ) wait(result);
  }
}

bool TlsSocketImpl::is_readable() noexcept {
  char byte = 0;
  return ::recv(sockfd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

bool TlsSocketImpl::take_tickets() noexcept {
  char byte = 0;
  try {
    forget_errors();
    return SecureStreamSocketImpl::receiveBytes(&byte, 1, 0) ==
           Poco::Net::SecureStreamSocket::ERR_SSL_WANT_READ;
  } catch (const Poco::Exception&) {
    return false;
  }
}

void TlsSocketImpl::require_time() {
  wake_ = bounds_.check();
  if (wake_ != Wake::ready) throw Poco::TimeoutException();
}

void TlsSocketImpl::wait(int want) {
  const bool to_write = want == Poco::Net::SecureStreamSocket::ERR_SSL_WANT_WRITE;
  wake_ = wait_for(sockfd(), to_write ? POLLOUT : POLLIN, bounds_);
  if (wake_ != Wake::ready) throw Poco::TimeoutException();
}

}  // namespace diskrelease
