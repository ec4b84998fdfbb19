#pragma once

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
