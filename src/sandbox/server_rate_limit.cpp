#include "sandbox/server_rate_limit.h"

#include <algorithm>

namespace diskrelease::sandbox {

bool ServerRateLimit::admit(SteadyTime now) {
  if (!first_) first_ = now;
  const SteadyTime begins = *first_ + settings_.begins;
  if (now < begins || (settings_.lasts && now >= begins + *settings_.lasts)) return true;
  if (last_) {
    const std::chrono::duration<double> passed = now - *last_;
    tokens_ = std::min(static_cast<double>(settings_.burst),
                       tokens_ + passed.count() * settings_.per_second);
  }
  last_ = now;
  // A token that is due now must not be lost to rounding.
  constexpr double k_rounding = 1e-9;
  if (tokens_ < 1.0 - k_rounding) return false;
  tokens_ -= 1.0;
  return true;
}

}  // namespace diskrelease::sandbox
