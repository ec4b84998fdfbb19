#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace diskrelease {

/// An exclusive advisory lock (flock) on a file of its own, with a line of text that names the
/// holder. The kernel drops the lock when the holder dies, however it dies, so a dead holder is
/// taken over by simply locking. Move-only; the lock is held until destruction. The file stays
/// behind.
class FileLock {
 public:
  /// Takes the lock at once or returns nullopt when another process has it. Creates the file (mode
  /// 0600). Throws AuditUnusable when the file cannot be opened or locked for another reason.
  [[nodiscard]] static std::optional<FileLock> try_acquire(const std::filesystem::path& path,
                                                           const std::string& holder);

  /// The same lock on a file that is there, as it is: whatever its name is, one process has it.
  /// Where the file system keeps no such locks, or keeps them together with those of fcntl(), as
  /// network file systems do, the lock holds nothing: is_held() says so. Throws AuditUnusable when
  /// the file cannot be opened.
  ///
  /// Closing any descriptor of a file drops all locks that the process has on it by fcntl(), as
  /// SQLite has them: destroy it after the file's last connection, and do not try while there is
  /// one.
  [[nodiscard]] static std::optional<FileLock> try_acquire_itself(
      const std::filesystem::path& file);
  [[nodiscard]] bool is_held() const noexcept { return descriptor_ >= 0; }

  /// The process that holds the lock on the file itself, as far as the kernel tells.
  [[nodiscard]] static std::optional<std::int64_t> holder_of(const std::filesystem::path& file);

  /// What the present or last holder has written; empty if nothing can be read. For messages only.
  [[nodiscard]] static std::string read_holder(const std::filesystem::path& path);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) noexcept : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace diskrelease
