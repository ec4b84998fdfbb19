#include "pacing/circuit_breaker.h"

namespace diskrelease {

void CircuitBreaker::count_refusals(Outcome outcome, std::string_view api_code,
                                    bool concerns_disk) {
  // Neither says anything of the refusals before it.
  if (outcome == Outcome::throttled || outcome == Outcome::not_sent) return;
  if (outcome != Outcome::rejected || concerns_disk) {
    refused_ = 0;
    return;
  }
  refused_ = refused_code_ == api_code ? refused_ + 1 : 1;
  refused_code_ = api_code;
}

std::optional<std::string> CircuitBreaker::record(Outcome outcome, std::string_view api_code,
                                                  bool concerns_disk) {
  count_refusals(outcome, api_code, concerns_disk);
  not_sent_ = outcome == Outcome::not_sent ? not_sent_ + 1 : 0;
  unknown_ = outcome == Outcome::unknown ? unknown_ + 1 : 0;
  // One malformed id is the list's fault; the same complaint about a parameter we always send is
  // ours.
  malformed_ = outcome == Outcome::rejected && api_code == "MISSING_PARAMETER" ? malformed_ + 1 : 0;
  if (not_sent_ >= k_max_not_sent) {
    return std::to_string(not_sent_) + " requests in a row could not be sent";
  }
  if (unknown_ >= k_max_unknown) {
    return std::to_string(unknown_) + " answers in a row did not tell what happened";
  }
  if (malformed_ >= k_max_malformed) {
    return std::to_string(malformed_) + " requests in a row were called malformed";
  }
  if (refused_ >= k_max_refused) {
    return std::to_string(refused_) + " requests in a row were refused " +
           (refused_code_.empty() ? "without a code" : "with " + refused_code_) +
           ", which is not about the disks: settle it with the provider, then resume";
  }
  failed_[place_] = outcome == Outcome::not_sent || outcome == Outcome::unknown;
  place_ = (place_ + 1) % k_window;
  if (failed_.count() >= k_max_failed_in_window) {
    return std::to_string(failed_.count()) + " of the latest " + std::to_string(k_window) +
           " requests could not be sent or were not answered properly";
  }
  return std::nullopt;
}

}  // namespace diskrelease
