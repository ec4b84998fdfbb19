// Private to net.
#pragma once

#include <Poco/Net/Context.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/SecureStreamSocketImpl.h>

#include <cstddef>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "net/dial.h"
#include "net/https_transport.h"
#include "net/wait.h"

namespace diskrelease {

/// TLS 1.2 at least, VERIFY_STRICT, the system's CAs and those of the settings. The expected host
/// name is part of OpenSSL's own verification, so that no handshake, however slow and whoever
/// finishes it, can end well with another host's certificate. Verification failures are not asked
/// of Poco's process-wide handlers, which may let one pass. Throws UsageError for a bad CA file.
[[nodiscard]] Poco::Net::Context::Ptr make_client_context(const HttpsSettings& settings);

/// Whether a file of CAs, links followed, lies in a folder whose certificates OpenSSL finds one by
/// one, as Debian's update-ca-certificates keeps them: then the folder has all that the file has.
[[nodiscard]] bool is_in_hashed_folder(const std::filesystem::path& file,
                                       const std::filesystem::path& folder);

/// The server's certificate must not be accepted; what() is the reason.
class UnacceptableCertificate : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Poco's TLS socket on a non-blocking descriptor. Every wait is a poll(2) of our own, bounded by
/// one deadline for all reads and writes together and by the abort signal; Poco's waits (per read,
/// of twice the length asked for, confused by a stale errno) are never reached.
class TlsSocketImpl final : public Poco::Net::SecureStreamSocketImpl {
 public:
  TlsSocketImpl(PlainSocket plain, const Poco::Net::Context::Ptr& context, const Bounds& bounds);

  /// Ends with the certificate verified for the host, or throws UnacceptableCertificate or
  /// Poco::Exception.
  void handshake(const std::string& host);

  /// A new deadline, and nothing written so far.
  void begin_exchange(const Bounds& bounds) noexcept;

  /// Retries until all is written. After a failure nothing is written ever again.
  int sendBytes(const void* buffer, int length, int flags) override;
  /// What was taken comes first.
  int receiveBytes(void* buffer, int length, int flags) override;

  enum class Taken {
    something,
    nothing,  ///< for now
    end,      ///< the peer has closed the connection, or it has broken
  };
  /// Reads ahead what can be read without waiting, some kilobytes at most. A peer that has sent
  /// `limit` bytes is taken for one whose connection has broken.
  [[nodiscard]] Taken take(std::size_t limit);
  /// Read ahead and not yet received.
  [[nodiscard]] std::string_view taken() const noexcept {
    return std::string_view(taken_).substr(received_);
  }
  [[nodiscard]] bool has_ended() const noexcept { return ended_; }
  [[nodiscard]] int descriptor() const noexcept { return sockfd(); }

  /// True from just before the first byte of an exchange is handed to the operating system.
  [[nodiscard]] bool wrote() const noexcept { return wrote_; }
  /// Why the last operation was given up, if it was by deadline or abort.
  [[nodiscard]] Wake wake() const noexcept { return wake_; }
  /// Whether there is something to read or the peer has closed. One system call.
  [[nodiscard]] bool is_readable() noexcept;
  /// Reads session tickets and the like, if the peer has sent any. False when the peer has closed
  /// the connection or sent anything else.
  [[nodiscard]] bool take_tickets() noexcept;

 protected:
  ~TlsSocketImpl() override = default;

 private:
  void require_time();
  void wait(int want);

  Bounds bounds_;
  Wake wake_ = Wake::ready;
  bool wrote_ = false;
  bool send_failed_ = false;

  std::string taken_;
  std::size_t received_ = 0;      ///< of what was taken
  bool ended_ = false;            ///< take() has seen the end
  std::exception_ptr end_error_;  ///< how it broke; nullptr = it was closed
};

/// A handle for Poco; takes over the reference.
class TlsSocket final : public Poco::Net::SecureStreamSocket {
 public:
  explicit TlsSocket(TlsSocketImpl* impl) : SecureStreamSocket(impl) {}
};

}  // namespace diskrelease
