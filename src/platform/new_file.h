#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace diskrelease {

/// A file that appears at its path whole or not at all: it is written under another name in the
/// same folder, mode 0600, and gets its own with finish(). Nothing stays behind without that.
///
/// Every function throws UsageError, which names the path and says what to do.
class NewFile {
 public:
  /// Without `replace`, nothing may stand at the path; with it, nothing but a regular file.
  /// `advice` is told where something else does.
  NewFile(std::filesystem::path path, bool replace, std::string_view advice = {});
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  [[nodiscard]] std::ostream& out() noexcept { return out_; }
  /// Where it is until finish(): empty by now, for who writes it otherwise.
  [[nodiscard]] const std::string& unfinished() const noexcept { return written_; }

  /// Durable on return, its name as well where the file system can be asked for it. Without
  /// `replace`, a file that has come to stand at the path meanwhile stays as it is. Returns the
  /// size in bytes. To be called once.
  std::int64_t finish();

 private:
  std::filesystem::path path_;
  bool replace_;
  std::string written_;  ///< where it is until finish()
  std::ofstream out_;
};

}  // namespace diskrelease
