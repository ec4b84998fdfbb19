#include "run/bell.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace diskrelease {

Bell::Ear::Ear(Bell& bell) : bell_(bell), fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw std::system_error(errno, std::system_category(), "eventfd");
  const std::lock_guard lock(bell_.mutex_);
  bell_.ears_.push_back(this);
}

Bell::Ear::~Ear() {
  {
    const std::lock_guard lock(bell_.mutex_);
    std::erase(bell_.ears_, this);
  }
  ::close(fd_);
}

void Bell::Ear::hear() noexcept {
  if (!listening_.exchange(false)) return;
  const std::uint64_t one = 1;
  // It cannot be full: the counter is read between two writes.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

void Bell::Ear::hush() noexcept {
  if (listening_.exchange(false)) return;  // nobody has rung
  // Whoever has rung may still be about to write.
  const std::lock_guard lock(bell_.mutex_);
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = ::read(fd_, &count, sizeof count);
}

void Bell::ring() noexcept {
  const std::lock_guard lock(mutex_);
  for (Ear* ear : ears_) ear->hear();
}

}  // namespace diskrelease
