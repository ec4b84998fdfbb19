#pragma once

#include <bitset>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "model/outcome.h"

namespace diskrelease {

/// Stops a run when answers show that going on makes no sense: the service is down (not_sent),
/// answers without proof (unknown: each one may be a disk whose fate a person has to find out),
/// calls our requests malformed, or refuses disk after disk for one reason that is not the disk's
/// (account suspended, quota, permission). Opens at several of one kind in a row, and at a share of
/// not_sent and unknown ones among the latest k_window. A pure value; not thread-safe.
class CircuitBreaker {
 public:
  /// Feeds one outcome in the order in which they come in. `concerns_disk`: the code is known to be
  /// about the disk. Returns the reason once the breaker opens; it stays open.
  std::optional<std::string> record(Outcome outcome, std::string_view api_code, bool concerns_disk);

  static constexpr int k_max_not_sent = 20;
  static constexpr int k_max_unknown = 10;
  static constexpr int k_max_malformed = 3;
  static constexpr int k_max_refused = 20;
  static constexpr int k_window = 50;
  static constexpr int k_max_failed_in_window = 30;

 private:
  void count_refusals(Outcome outcome, std::string_view api_code, bool concerns_disk);

  int not_sent_ = 0;
  int unknown_ = 0;
  int malformed_ = 0;
  int refused_ = 0;  ///< with refused_code_
  std::string refused_code_;
  std::bitset<k_window> failed_;  ///< a ring of the latest outcomes; true = not_sent or unknown
  std::size_t place_ = 0;
};

}  // namespace diskrelease
