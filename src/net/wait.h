#pragma once

#include <atomic>
#include <ctime>

#include "model/time.h"

namespace diskrelease {

[[nodiscard]] SteadyTime steady_now() noexcept;

/// For ppoll(2); nothing where there is none left.
[[nodiscard]] std::timespec timeout_of(SteadyTime::duration left) noexcept;

/// Once raised, it ends every wait that was given it, now and for ever. Any thread.
class AbortSignal {
 public:
  /// Throws std::system_error when there is no file descriptor left.
  AbortSignal();
  ~AbortSignal();
  AbortSignal(const AbortSignal&) = delete;
  AbortSignal& operator=(const AbortSignal&) = delete;

  void raise() noexcept;
  [[nodiscard]] bool raised() const noexcept { return raised_.load(std::memory_order_acquire); }
  /// Readable once raised.
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
  std::atomic<bool> raised_{false};
};

enum class Wake {
  ready,     ///< the descriptor can be read or written, or has failed
  deadline,  ///< the deadline has passed
  aborted,   ///< the signal was raised
};

/// What bounds the work on a connection.
struct Bounds {
  SteadyTime deadline;
  const AbortSignal* abort;

  /// Wake::ready when the work may go on.
  [[nodiscard]] Wake check() const noexcept;
};

/// Waits for `events` (as of poll(2)) on `fd`. A deadline that has passed wins over a descriptor
/// that is ready, so a peer that always has one more byte cannot outlive it. Signals do not end the
/// wait.
[[nodiscard]] Wake wait_for(int fd, short events, const Bounds& bounds) noexcept;

}  // namespace diskrelease
