#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "platform/clock.h"
#include "run/dispatch.h"

namespace diskrelease {

/// Shows progress while the senders work: a line that is written over on a terminal, a heartbeat
/// line elsewhere.
class ProgressDisplay {
 public:
  /// Both must outlive it.
  ProgressDisplay(const Dispatch& dispatch, const Clock& clock, bool quiet);
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  /// A message line that does not tear the progress line. Thread-safe.
  void say(const std::string& line);

 private:
  void loop(const std::stop_token& stop);

  const Dispatch& dispatch_;
  const Clock& clock_;
  const bool terminal_;
  SteadyTime started_;
  std::int64_t done_at_start_ = 0;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool shown_ = false;
  std::jthread thread_;
};

}  // namespace diskrelease
