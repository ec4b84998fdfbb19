#include "platform/process_start.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

namespace diskrelease {
namespace {

/// The lowest free number, which is the missing one: those below it are open.
bool open_lowest() noexcept {
  // Not close-on-exec: these three are meant to be inherited. A root folder without devices (a
  // chroot) still has itself: reading and writing it fail, which is what a closed descriptor did.
  return ::open("/dev/null", O_RDWR) >= 0 || ::open("/", O_RDONLY | O_DIRECTORY) >= 0;
}

void open_missing_descriptors() noexcept {
  for (int descriptor = 0; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) < 0 && !open_lowest()) ::_exit(1);
  }
}

void ignore(int signal) noexcept {
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  // Fails for a number that is no signal only.
  [[maybe_unused]] const int result = ::sigaction(signal, &action, nullptr);
}

/// Poco blocks it while it is loaded, which would keep SIGPIPE from ending what only prints.
void unblock_broken_pipes() noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  [[maybe_unused]] const int result = ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

}  // namespace

void prepare_process() noexcept {
  open_missing_descriptors();
  unblock_broken_pipes();
  ::umask(0077);
  ignore(SIGXFSZ);
}

void ignore_broken_pipes() noexcept { ignore(SIGPIPE); }

}  // namespace diskrelease
