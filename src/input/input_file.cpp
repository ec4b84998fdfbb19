#include "input/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <istream>
#include <system_error>

#include "input/descriptor_buffer.h"

namespace diskrelease {
namespace {

/// A file descriptor that is closed at the end of the scope.
class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

void read_descriptor(int descriptor, const std::function<void(std::istream&)>& read) {
  DescriptorBuffer buffer(descriptor);
  std::istream in(&buffer);
  read(in);
}

}  // namespace

std::string with_input_file(const std::string& path, std::string_view what,
                            const std::function<void(std::istream&)>& read) {
  if (path == "-") {
    read_descriptor(STDIN_FILENO, read);
    return {};
  }
  const OpenFile file(path);
  struct stat status {};
  if (file.descriptor() < 0 || ::fstat(file.descriptor(), &status) != 0) {
    return "cannot open the " + std::string(what) + ": " + std::generic_category().message(errno);
  }
  if (S_ISDIR(status.st_mode)) {
    return "this is a directory; name the " + std::string(what) + " file in it";
  }
  read_descriptor(file.descriptor(), read);
  return {};
}

}  // namespace diskrelease
