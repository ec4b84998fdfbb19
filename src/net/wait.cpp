#include "net/wait.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace diskrelease {

SteadyTime steady_now() noexcept { return std::chrono::steady_clock::now(); }

std::timespec timeout_of(SteadyTime::duration left) noexcept {
  if (left < left.zero()) return {};
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  return {.tv_sec = static_cast<std::time_t>(seconds.count()),
          .tv_nsec = static_cast<long>((left - seconds).count())};
}

AbortSignal::AbortSignal() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw std::system_error(errno, std::system_category(), "eventfd");
}

AbortSignal::~AbortSignal() { ::close(fd_); }

void AbortSignal::raise() noexcept {
  raised_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  // A full counter would mean that it was raised before: nothing to do then.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

Wake Bounds::check() const noexcept {
  if (abort->raised()) return Wake::aborted;
  return steady_now() >= deadline ? Wake::deadline : Wake::ready;
}

Wake wait_for(int fd, short events, const Bounds& bounds) noexcept {
  for (;;) {
    const auto left = bounds.deadline - steady_now();
    if (bounds.abort->raised()) return Wake::aborted;
    if (left <= left.zero()) return Wake::deadline;
    const std::timespec timeout = timeout_of(left);
    pollfd watched[] = {{.fd = fd, .events = events, .revents = 0},
                        {.fd = bounds.abort->fd(), .events = POLLIN, .revents = 0}};
    const int ready = ::ppoll(watched, 2, &timeout, nullptr);
    if (ready < 0 && errno != EINTR) return Wake::ready;  // the next use of fd tells what is wrong
    if (ready <= 0) continue;
    return watched[1].revents != 0 ? Wake::aborted : Wake::ready;
  }
}

}  // namespace diskrelease
