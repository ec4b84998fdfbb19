#pragma once

#include <cstddef>
#include <optional>

#include "model/time.h"
#include "net/http.h"

namespace diskrelease {

/// What to wait for while a request is under way. It is only a hint when to ask can_finish().
struct ReplyWatch {
  int reply_fd = -1;  ///< readable when some of the answer is there; -1 = no waiting is needed
  int abort_fd = -1;  ///< readable once abort_all() was called; -1 = there is none
  SteadyTime deadline;
};

/// Sends requests to one endpoint over a fixed number of lanes. A lane is one persistent
/// connection, used by one thread at a time; different lanes may be used by different threads at
/// once.
///
/// A request is started, watched and finished, so that one thread can have requests under way on
/// many lanes; who has but one may finish it at once, which waits for the answer.
///
/// An implementation sends a request at most once: no hidden re-send, no redirect followed.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Makes the lane ready to send: checks a kept connection for staleness, connects if there is
  /// none. Nothing of a request is written. nullopt = ready; a failure always has
  /// request_may_have_left == false.
  [[nodiscard]] virtual std::optional<TransportFailure> prepare(std::size_t lane) = 0;

  /// Whether the lane has a connection that is good to send on now. Does not wait.
  [[nodiscard]] virtual bool is_connected(std::size_t lane) = 0;

  /// Writes one request on the connection that is_connected() has just found good; without one the
  /// request fails as not sent. It is under way then, whatever has happened, until finish() has
  /// returned; the lane is not to be used for anything else meanwhile.
  virtual void start(std::size_t lane, const HttpRequest& request) = 0;
  /// For a request under way.
  [[nodiscard]] virtual ReplyWatch watch(std::size_t lane) = 0;
  /// Whether finish() would return without waiting. Takes what has come of the answer.
  [[nodiscard]] virtual bool can_finish(std::size_t lane) = 0;
  /// The end of the request under way; waits for it, within the deadline that began with start().
  [[nodiscard]] virtual Reply finish(std::size_t lane) = 0;

  /// Breaks every exchange under way, from any thread; each returns TransportProblem::aborted, and
  /// so does every later call. Returns at once.
  virtual void abort_all() noexcept = 0;
};

}  // namespace diskrelease
