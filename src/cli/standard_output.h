#pragma once

#include <mutex>
#include <streambuf>
#include <string>
#include <string_view>

namespace diskrelease {

/// std::cout over descriptor 1, for as long as this object lives, with the reason why a write has
/// failed. What follows a failed write is dropped, so a reader that goes away never stops who
/// writes. On a terminal each line is written at once. Thread-safe. One at a time.
class StandardOutput final : private std::streambuf {
 public:
  StandardOutput();
  ~StandardOutput() override;
  StandardOutput(const StandardOutput&) = delete;
  StandardOutput& operator=(const StandardOutput&) = delete;

  /// Writes what is buffered; returns errno of the first write that has failed, 0 = none.
  [[nodiscard]] int finish();

 private:
  int_type overflow(int_type character) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;

  // With the mutex held.
  void append(std::string_view text);
  void write_buffered();

  const bool line_by_line_;
  std::streambuf* const before_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::string buffered_;
  int error_ = 0;
};

}  // namespace diskrelease
