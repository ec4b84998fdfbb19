#include "platform/stop_signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>
#include <utility>

namespace diskrelease {
namespace {

/// What nohup, or a shell that starts a background job without job control, has the process ignore
/// is none of its business. Once blocked, an ignored signal would come all the same.
bool is_ignored(int signal) {
  struct sigaction current {};
  return ::sigaction(signal, nullptr, &current) == 0 && current.sa_handler == SIG_IGN;
}

}  // namespace

StopSignals::StopSignals(std::function<void(int, int)> on_signal) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!is_ignored(signal)) sigaddset(&signals, signal);
  }
  if (const int error = pthread_sigmask(SIG_BLOCK, &signals, nullptr); error != 0) {
    throw std::system_error(error, std::generic_category(), "cannot block signals");
  }
  signal_descriptor_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  end_descriptor_ = ::eventfd(0, EFD_CLOEXEC);
  if (signal_descriptor_ < 0 || end_descriptor_ < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot watch signals");
  }
  thread_ = std::thread([this, on_signal = std::move(on_signal)] {
    int count = 0;
    std::array<pollfd, 2> watched{{{signal_descriptor_, POLLIN, 0}, {end_descriptor_, POLLIN, 0}}};
    while (true) {
      if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
      if ((watched[1].revents & POLLIN) != 0) return;
      signalfd_siginfo info{};
      while (::read(signal_descriptor_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        on_signal(static_cast<int>(info.ssi_signo), ++count);
      }
    }
  });
}

StopSignals::~StopSignals() {
  const std::uint64_t one = 1;
  if (::write(end_descriptor_, &one, sizeof one) == static_cast<ssize_t>(sizeof one)) {
    thread_.join();
  } else {
    thread_.detach();
  }
  ::close(signal_descriptor_);
  ::close(end_descriptor_);
}

}  // namespace diskrelease
