#include "cli/progress_display.h"

#include <unistd.h>

#include <iostream>

#include "report/progress_line.h"

namespace diskrelease {
namespace {

constexpr std::chrono::milliseconds k_terminal_refresh{200};
constexpr std::chrono::seconds k_heartbeat{30};

}  // namespace

ProgressDisplay::ProgressDisplay(const Dispatch& dispatch, const Clock& clock, bool quiet)
    : dispatch_(dispatch), clock_(clock), terminal_(::isatty(STDERR_FILENO) == 1) {
  started_ = clock_.steady_now();
  done_at_start_ = done_items(dispatch_.progress(started_));
  if (!quiet) thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
}

ProgressDisplay::~ProgressDisplay() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  if (terminal_ && shown_) std::cerr << "\r\x1b[K" << std::flush;
}

void ProgressDisplay::say(const std::string& line) {
  const std::lock_guard lock(mutex_);
  if (terminal_ && shown_) std::cerr << "\r\x1b[K";
  std::cerr << line << '\n';
}

void ProgressDisplay::loop(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    const std::chrono::milliseconds pause = terminal_ ? k_terminal_refresh : k_heartbeat;
    if (wake_.wait_for(lock, stop, pause, [] { return false; }) || stop.stop_requested()) return;
    const SteadyTime now = clock_.steady_now();
    const std::string line =
        progress_line(dispatch_.progress(now), done_at_start_,
                      std::chrono::duration_cast<std::chrono::milliseconds>(now - started_), now);
    if (terminal_) {
      std::cerr << "\r\x1b[K" << line << std::flush;
      shown_ = true;
    } else {
      std::cerr << line << '\n';
    }
  }
}

}  // namespace diskrelease
