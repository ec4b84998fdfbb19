#include "platform/byte_locks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <thread>

namespace diskrelease {
namespace {

struct flock lock_on(std::uint64_t byte, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(byte & 0x3FFF'FFFF'FFFF'FFFFU);
  lock.l_len = 1;
  return lock;
}

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

ByteLocks::ByteLocks(const std::filesystem::path& path, mode_t mode, gid_t group) {
  // O_NONBLOCK: a FIFO in its place must not make the process wait for a peer.
  constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  descriptor_ = ::open(path.c_str(), flags | O_CREAT | O_EXCL, mode);
  if (descriptor_ >= 0) {
    if (::fchmod(descriptor_, mode) != 0 || ::fchown(descriptor_, static_cast<uid_t>(-1), group)) {
      const int error = errno;
      ::close(descriptor_);
      throw std::system_error(error, std::generic_category(), path.string());
    }
    return;
  }
  if (errno == EEXIST) descriptor_ = ::open(path.c_str(), flags);
  if (descriptor_ < 0) fail(path.string());
}

ByteLocks::~ByteLocks() { ::close(descriptor_); }

bool ByteLocks::try_lock(std::uint64_t byte) {
  struct flock lock = lock_on(byte, F_WRLCK);
  while (::fcntl(descriptor_, F_OFD_SETLK, &lock) != 0) {
    if (errno == EAGAIN || errno == EACCES) return false;
    if (errno != EINTR) fail("lock");
  }
  return true;
}

void ByteLocks::lock(std::uint64_t byte, std::chrono::milliseconds longest) {
  // The kernel can wait without end or not at all.
  constexpr std::chrono::milliseconds pause{5};
  for (auto waited = std::chrono::milliseconds(0); !try_lock(byte); waited += pause) {
    if (waited >= longest) {
      errno = ETIMEDOUT;
      fail("another process has had the lock for too long");
    }
    std::this_thread::sleep_for(pause);
  }
}

void ByteLocks::unlock(std::uint64_t byte) {
  struct flock lock = lock_on(byte, F_UNLCK);
  if (::fcntl(descriptor_, F_OFD_SETLK, &lock) != 0) fail("unlock");
}

bool ByteLocks::is_held_elsewhere(std::uint64_t byte) const {
  struct flock lock = lock_on(byte, F_WRLCK);
  if (::fcntl(descriptor_, F_OFD_GETLK, &lock) != 0) fail("look at lock");
  return lock.l_type != F_UNLCK;
}

}  // namespace diskrelease
