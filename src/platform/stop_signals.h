#pragma once

#include <functional>
#include <thread>

namespace diskrelease {

/// Turns SIGINT, SIGTERM and SIGHUP into calls of a function on a thread of its own. One that is
/// ignored at the construction (nohup, a background job of a shell script) stays ignored.
///
/// Construct it in the main thread before any other thread is started: it blocks the signals there,
/// and threads inherit that. `on_signal` gets the signal and how many have come so far, counted
/// from 1. It may take locks; it must not throw. Destruction ends the thread; the signals stay
/// blocked, so none can kill a process that is closing its books.
class StopSignals {
 public:
  explicit StopSignals(std::function<void(int signal, int count)> on_signal);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  int signal_descriptor_ = -1;
  int end_descriptor_ = -1;
  std::thread thread_;
};

}  // namespace diskrelease
