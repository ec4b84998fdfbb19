#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/waiting_transport.h"

namespace diskrelease {

/// Answers as a test says, and remembers what it was asked to send. Thread-safe; calls of
/// different lanes run at the same time, the callbacks too.
class ScriptedTransport final : public WaitingTransport {
 public:
  /// Decides the reply to a request, at the moment at which it would leave.
  using OnExchange = std::function<Reply(const HttpRequest&)>;
  using OnPrepare = std::function<std::optional<TransportFailure>()>;

  /// Without a callback, every request is accepted.
  explicit ScriptedTransport(OnExchange on_exchange = {}, OnPrepare on_prepare = {});

  /// The reply to the next request without one; scripted replies come before the callback's.
  void reply_next(Reply reply);

  [[nodiscard]] Reply exchange(std::size_t lane, const HttpRequest& request) override;
  void abort_all() noexcept override {}

  /// The disk ids of all requests so far, in the order of sending.
  [[nodiscard]] std::vector<std::string> sent_disks() const;

 private:
  [[nodiscard]] std::optional<TransportFailure> connect(std::size_t lane) override;

  OnExchange on_exchange_;
  OnPrepare on_prepare_;
  mutable std::mutex mutex_;
  std::deque<Reply> replies_;
  std::vector<std::string> sent_disks_;
};

/// The disk id in the body of a ReleaseDisk request.
[[nodiscard]] std::string disk_of(const HttpRequest& request);

[[nodiscard]] Reply accepted_reply();
/// An answer with an error code of the API.
[[nodiscard]] Reply error_reply(int status, const std::string& code,
                                const std::string& message = "no");
/// The connection could not be made: nothing was sent.
[[nodiscard]] Reply not_sent_reply();
/// The connection broke before an answer: nobody knows.
[[nodiscard]] Reply lost_reply();

}  // namespace diskrelease
