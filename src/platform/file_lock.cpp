#include "platform/file_lock.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
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

std::optional<FileLock> FileLock::try_acquire_itself(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const std::string reason = std::strerror(errno);
    throw AuditUnusable("audit database " + file.string() + ": cannot be opened: " + reason +
                        ". Nothing was sent.");
  }
  FileLock lock(descriptor);
  struct statfs system {};
  // As they are named in /usr/include/linux/magic.h, where they are named.
  constexpr std::array<std::uint32_t, 5> k_network{NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, 0xFE534D42U,
                                                   0xFF534D42U, V9FS_MAGIC};
  const bool is_network =
      ::fstatfs(descriptor, &system) == 0 &&
      std::ranges::find(k_network, static_cast<std::uint32_t>(system.f_type)) != k_network.end();
  while (!is_network) {
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno == EWOULDBLOCK) return std::nullopt;
    if (errno != EINTR) break;
  }
  return FileLock(-1);
}

std::optional<std::int64_t> FileLock::holder_of(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return std::nullopt;
  // "1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF", the device in hex.
  std::array<char, 64> place{};
  static_cast<void>(std::snprintf(place.data(), place.size(), "%02x:%02x:%ju", major(status.st_dev),
                                  minor(status.st_dev),
                                  static_cast<std::uintmax_t>(status.st_ino)));
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number;
    std::string kind;
    std::string manner;
    std::string access;
    std::int64_t pid = 0;
    std::string where;
    if (words >> number >> kind >> manner >> access >> pid >> where && kind == "FLOCK" &&
        where == place.data() && pid > 0) {
      return pid;
    }
  }
  return std::nullopt;
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
