#pragma once

#include <functional>
#include <mutex>

namespace diskrelease {

/// What a signal does depends on how far the command is: before anything can be under way it ends
/// the process, later it asks the senders to stop.
class SignalTarget {
 public:
  void arm(std::function<void(int, int)> action) {
    const std::lock_guard lock(mutex_);
    action_ = std::move(action);
  }
  /// From here on the books are being closed: a signal must not cut that short.
  void disarm() {
    arm([](int, int) {});
  }

  void signal(int number, int count);

 private:
  std::mutex mutex_;
  std::function<void(int, int)> action_;
};

}  // namespace diskrelease
