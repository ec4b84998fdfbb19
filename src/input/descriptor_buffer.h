#pragma once

#include <streambuf>
#include <vector>

namespace diskrelease {

/// Reads a POSIX file descriptor. A failed read is thrown as std::system_error: std::cin and
/// std::ifstream let it look like the end of the file, which would shorten a list silently.
class DescriptorBuffer : public std::streambuf {
 public:
  /// Does not own the descriptor.
  explicit DescriptorBuffer(int descriptor);

 protected:
  int_type underflow() override;

 private:
  int descriptor_;
  std::vector<char> buffer_;
};

}  // namespace diskrelease
