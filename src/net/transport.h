#pragma once

#include <cstddef>
#include <optional>

#include "net/http.h"

namespace diskrelease {

/// Sends requests to one endpoint over a fixed number of lanes. A lane is one persistent
/// connection, used by one thread at a time; different lanes may be used by different threads at
/// once.
///
/// An implementation sends a request at most once: no hidden re-send, no redirect followed.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Makes the lane ready to send: checks a kept connection for staleness, connects if there is
  /// none. Nothing of a request is written. A failure is kept to the lane: exchange() tries again.
  /// nullopt = ready; a failure always has request_may_have_left == false.
  [[nodiscard]] virtual std::optional<TransportFailure> prepare(std::size_t lane) = 0;

  /// Sends one request and reads its answer, within the total deadline of the transport's settings.
  [[nodiscard]] virtual Reply exchange(std::size_t lane, const HttpRequest& request) = 0;

  /// Breaks every exchange under way, from any thread; each returns TransportProblem::aborted, and
  /// so does every later call. Returns at once.
  virtual void abort_all() noexcept = 0;
};

}  // namespace diskrelease
