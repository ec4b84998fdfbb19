#include "cli/stop_request.h"

#include <unistd.h>

#include <cstring>
#include <iostream>

#include "cli/exit_code.h"

namespace diskrelease {

void SignalTarget::signal(int number, int count) {
  const std::lock_guard lock(mutex_);
  if (action_) {
    action_(number, count);
    return;
  }
  std::cerr << "\ndiskrelease: " << ::strsignal(number) << "; no request is under way\n";
  ::_exit(static_cast<int>(ExitCode::interrupted));
}

}  // namespace diskrelease
