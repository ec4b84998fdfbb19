#pragma once

#include <bitset>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "model/outcome.h"

namespace diskrelease {

/// Stops a run when answers show that going on makes no sense: the service is down (not_sent),
/// answers without proof (unknown: each one may be a disk whose fate a person has to find out), or
/// calls our requests malformed. Opens at several of one kind in a row, and at a share of not_sent
/// and unknown ones among the latest k_window. A pure value; not thread-safe.
class CircuitBreaker {
 public:
  /// Feeds one outcome in the order in which they come in. Returns the reason once the breaker
  /// opens; it stays open.
  std::optional<std::string> record(Outcome outcome, std::string_view api_code);

  static constexpr int k_max_not_sent = 20;
  static constexpr int k_max_unknown = 10;
  static constexpr int k_max_malformed = 3;
  static constexpr int k_window = 50;
  static constexpr int k_max_failed_in_window = 30;

 private:
  int not_sent_ = 0;
  int unknown_ = 0;
  int malformed_ = 0;
  std::bitset<k_window> failed_;  ///< a ring of the latest outcomes; true = not_sent or unknown
  std::size_t place_ = 0;
};

}  // namespace diskrelease
