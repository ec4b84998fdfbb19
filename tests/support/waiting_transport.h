#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "net/transport.h"

namespace diskrelease {

/// For transports of tests, which say in exchange() what is replied to a request: start() keeps the
/// reply, so that what a test sees of a request happens at its departure.
class WaitingTransport : public Transport {
 public:
  [[nodiscard]] bool is_connected(std::size_t lane) override {
    const std::lock_guard lock(mutex_);
    return prepared_[lane];
  }
  void start(std::size_t lane, const HttpRequest& request) override {
    Reply reply = exchange(lane, request);
    const std::lock_guard lock(mutex_);
    prepared_[lane] = keeps_connection(reply);
    if (!replies_.emplace(lane, std::move(reply)).second) {
      throw std::logic_error("two requests on one lane");
    }
  }
  [[nodiscard]] ReplyWatch watch(std::size_t) override { return {}; }
  [[nodiscard]] bool can_finish(std::size_t) override { return true; }
  [[nodiscard]] Reply finish(std::size_t lane) override {
    const std::lock_guard lock(mutex_);
    return std::move(replies_.extract(lane).mapped());
  }
  [[nodiscard]] std::optional<TransportFailure> prepare(std::size_t lane) final {
    std::optional<TransportFailure> failure = connect(lane);
    const std::lock_guard lock(mutex_);
    prepared_[lane] = !failure;
    return failure;
  }

 protected:
  /// The server has closed the lane's connection.
  void close(std::size_t lane) {
    const std::lock_guard lock(mutex_);
    prepared_[lane] = false;
  }
  [[nodiscard]] virtual Reply exchange(std::size_t lane, const HttpRequest& request) = 0;
  /// After this reply. If not, the next request begins with prepare().
  [[nodiscard]] virtual bool keeps_connection(const Reply&) { return false; }
  /// The process that has started requests is gone.
  void forget_requests() {
    const std::lock_guard lock(mutex_);
    prepared_.clear();
    replies_.clear();
  }
  [[nodiscard]] virtual std::optional<TransportFailure> connect(std::size_t lane) = 0;

 private:
  std::mutex mutex_;
  std::map<std::size_t, bool> prepared_;
  std::map<std::size_t, Reply> replies_;
};

}  // namespace diskrelease
