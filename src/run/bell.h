#pragma once

#include <atomic>
#include <mutex>
#include <vector>

namespace diskrelease {

/// Tells threads which wait that something may have changed: an intent that is waited for is
/// durable, there is work, the run stops. Thread-safe; ringing costs nearly nothing while nobody
/// waits.
class Bell {
 public:
  /// One thread's ear for the bell, which must outlive it. How to wait without missing a ring:
  /// listen(), look at what is waited for, then poll fd() until it is readable, then hush().
  class Ear {
   public:
    /// Throws std::system_error when there is no file descriptor left.
    explicit Ear(Bell& bell);
    ~Ear();
    Ear(const Ear&) = delete;
    Ear& operator=(const Ear&) = delete;

    /// An exchange, not a store: what was changed before a ring that came earlier is seen after it.
    void listen() noexcept { listening_.exchange(true); }
    void hush() noexcept;
    [[nodiscard]] int fd() const noexcept { return fd_; }

   private:
    friend class Bell;
    void hear() noexcept;

    Bell& bell_;
    int fd_;
    std::atomic<bool> listening_{false};
  };

  Bell() = default;
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  void ring() noexcept;

 private:
  std::mutex mutex_;
  std::vector<Ear*> ears_;  ///< guarded by mutex_
};

}  // namespace diskrelease
