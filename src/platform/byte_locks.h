#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>

namespace diskrelease {

/// Exclusive advisory locks on single bytes of one file, which many processes share: each byte
/// stands for something that one process at a time may have. The kernel drops a process's locks
/// when it dies, however it dies. Nothing is ever written to the file. Not thread-safe; two objects
/// of one process keep each other out, too.
class ByteLocks {
 public:
  /// Creates the file with that mode and group, whatever the umask is, where it does not exist.
  /// Throws std::system_error when it cannot be opened, or is a symbolic link.
  ByteLocks(const std::filesystem::path& path, mode_t mode, gid_t group);
  ~ByteLocks();
  ByteLocks(const ByteLocks&) = delete;
  ByteLocks& operator=(const ByteLocks&) = delete;

  /// False = somebody else has it. Throws std::system_error when the kernel refuses the lock.
  [[nodiscard]] bool try_lock(std::uint64_t byte);
  /// Waits while somebody else has it, at most for that time: a process that is stopped keeps what
  /// it has. Throws std::system_error as try_lock() does, and with ETIMEDOUT.
  void lock(std::uint64_t byte, std::chrono::milliseconds longest);
  void unlock(std::uint64_t byte);

  /// Whether somebody else has it.
  [[nodiscard]] bool is_held_elsewhere(std::uint64_t byte) const;

 private:
  int descriptor_ = -1;
};

}  // namespace diskrelease
