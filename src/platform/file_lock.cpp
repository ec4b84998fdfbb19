#include "platform/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "model/errors.h"
#include "model/shown_path.h"
#include "platform/file_access.h"

namespace diskrelease {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* doing) {
  const int error = errno;
  const std::string reason = std::strerror(error);
  const std::string why =
      error == EACCES ? reason_for_no_access(path, FileUse::read_and_write) : std::string();
  throw AuditUnusable("lock file " + shown(path) + ": cannot " + doing + ": " + reason + why +
                      "\nNothing was sent; check the permissions of the folder.");
}

}  // namespace

std::optional<FileLock> FileLock::try_acquire(const std::filesystem::path& path,
                                              const std::string& holder) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) fail(path, "open");
  FileLock lock(descriptor);
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    if (errno != EINTR) fail(path, "lock");
  }
  // The text only serves the message that a second process prints; losing it is no reason to stop.
  const std::string line = holder + "\n";
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, line.data(), line.size(), 0) != static_cast<ssize_t>(line.size())) {
    fail(path, "write");
  }
  return lock;
}

std::string FileLock::read_holder(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return {};
  std::array<char, 512> buffer{};
  const ssize_t length = ::read(descriptor, buffer.data(), buffer.size());
  ::close(descriptor);
  if (length <= 0) return {};
  std::string text(buffer.data(), static_cast<std::size_t>(length));
  return text.substr(0, text.find('\n'));
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace diskrelease
