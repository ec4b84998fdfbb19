#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace diskrelease {

/// Where temporary files go: the first of $SQLITE_TMPDIR, $TMPDIR, /var/tmp and /tmp that is a
/// folder this user may write to, else /tmp.
[[nodiscard]] std::filesystem::path scratch_directory();

/// Bytes that need not outlive this object and may be more than fit into memory: a file without a
/// name in $SQLITE_TMPDIR, $TMPDIR, /var/tmp or /tmp, where SQLite keeps its own. There is none
/// before the first 256 KiB. Not thread-safe; throws AuditUnusable where the file cannot be made,
/// written or read.
class ScratchFile {
 public:
  ScratchFile() = default;
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  void append(std::string_view bytes);
  [[nodiscard]] std::int64_t size() const noexcept {
    return written_ + static_cast<std::int64_t>(waiting_.size());
  }
  /// Fills `bytes` from `offset` on as far as there are any; returns how many.
  [[nodiscard]] std::size_t read(std::int64_t offset, std::span<char> bytes) const;

 private:
  void write_waiting();

  std::string waiting_;  ///< what follows the bytes in the file
  std::int64_t written_ = 0;
  int descriptor_ = -1;
};

}  // namespace diskrelease
