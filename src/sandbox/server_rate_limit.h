#pragma once

#include <chrono>
#include <optional>

#include "model/time.h"

namespace diskrelease::sandbox {

enum class BodyForm { json, html };

struct RateLimitSettings {
  double per_second = 10;
  int burst = 10;
  std::optional<std::chrono::seconds> retry_after;  ///< set = the 429 carries Retry-After
  BodyForm body = BodyForm::json;
  /// The limit holds from this long after the first request, for so long: a storm that passes.
  std::chrono::milliseconds begins{0};
  std::optional<std::chrono::milliseconds> lasts = std::nullopt;
};

/// The provider's token bucket; full when the limit begins. Pure, not thread-safe.
class ServerRateLimit {
 public:
  explicit ServerRateLimit(const RateLimitSettings& settings)
      : settings_(settings), tokens_(settings.burst) {}

  /// Whether a request that arrives now is within the limit. Times must not go back.
  [[nodiscard]] bool admit(SteadyTime now);

  [[nodiscard]] const RateLimitSettings& settings() const noexcept { return settings_; }

 private:
  const RateLimitSettings settings_;
  double tokens_;
  std::optional<SteadyTime> first_;
  std::optional<SteadyTime> last_;
};

}  // namespace diskrelease::sandbox
