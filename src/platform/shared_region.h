#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

namespace diskrelease {

/// Memory that all processes of this user see which open the same file, with a lock (BasicLockable)
/// that keeps them apart; or memory of this process alone. New memory is all zero. What a process
/// has stored is there for the others at once, and stays when it dies, however it dies. Nothing is
/// said about a crash of the machine.
///
/// The lock is a mutex among the threads of this process and flock(2) among processes, which the
/// kernel drops when its holder dies: a dead holder is taken over by simply locking. The memory may
/// then be in the middle of a change.
class SharedRegion {
 public:
  /// Opens the file, or creates it with mode 0600 and its folder with mode 0700. Its blocks are
  /// allocated up to `size`: a store into a hole of a file on a full disk would end the process
  /// with SIGBUS. Throws CallsImpossible when that fails, or when the file is a symbolic link, not
  /// a regular one, or another user's.
  ///
  /// The file has to lie on a local file system, and nobody may shorten it while it is open. A
  /// file system that copies on write may need room for any store, not only for the first.
  [[nodiscard]] static std::unique_ptr<SharedRegion> open(const std::filesystem::path& path,
                                                          std::size_t size);

  /// Memory of this process alone.
  [[nodiscard]] static std::unique_ptr<SharedRegion> of_this_process(std::size_t size);

  ~SharedRegion();
  SharedRegion(const SharedRegion&) = delete;
  SharedRegion& operator=(const SharedRegion&) = delete;

  /// `size()` bytes, aligned to a page. To be touched with the lock held only.
  [[nodiscard]] void* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Whether other processes may see this memory.
  [[nodiscard]] bool shared() const noexcept { return descriptor_ >= 0; }

  /// Waits for as long as another thread or process holds the lock. Throws CallsImpossible when the
  /// kernel refuses the lock.
  void lock();
  void unlock() noexcept;

 private:
  SharedRegion() = default;

  // Constant after construction.
  std::string name_;
  void* data_ = nullptr;
  std::size_t size_ = 0;
  int descriptor_ = -1;

  std::mutex mutex_;
};

}  // namespace diskrelease
