#include "pacing/pacer.h"

#include <algorithm>
#include <cmath>

namespace diskrelease {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds k_second = std::chrono::seconds(1);

nanoseconds stretched(double seconds) {
  return nanoseconds(static_cast<std::int64_t>(std::ceil(seconds * 1e9 * (1.0 + Pacer::k_margin))));
}

}  // namespace

Pacer::Pacer(const RateLimit& limit, std::uint64_t seed) : limit_(limit), random_(seed) {
  if (!limit_.per_second) return;
  const double rate = *limit_.per_second;
  // The shortest window of at least a second that a whole number of requests fills: a second, or
  // one interval of a slow rate. Rounded down, two windows of a rate such as 2.5 would touch one
  // second.
  const double per_window = std::ceil(rate);
  window_ = stretched(per_window / rate);
  departures_.resize(static_cast<std::size_t>(per_window) +
                     static_cast<std::size_t>(limit_.burst - 1));
  std::ranges::fill(departures_, SteadyTime::min());
}

nanoseconds Pacer::interval(SteadyTime now) const { return stretched(1.0 / *rate(now)); }

Slot Pacer::reserve(SteadyTime now) {
  const SteadyTime earliest = std::max(now, paused_until_.value_or(now));
  if (!limit_.per_second) return {earliest, epoch_};
  const nanoseconds step = interval(earliest);
  // A pause of the run earns at most `burst` slots.
  const SteadyTime floor = earliest - step * (limit_.burst - 1);
  const SteadyTime due = std::max(next_.value_or(floor), floor);
  next_ = due + step;
  return {std::max(due, earliest), epoch_};
}

std::optional<Slot> Pacer::depart(const Slot& slot, SteadyTime now) {
  if (slot.epoch != epoch_) {
    const Slot instead = reserve(now);
    if (instead.at > now) return instead;
  }
  if (departures_.empty()) return std::nullopt;
  const SteadyTime oldest = departures_[oldest_];
  if (oldest != SteadyTime::min() && now < oldest + window_) {
    return Slot{oldest + window_, epoch_};
  }
  departures_[oldest_] = now;
  oldest_ = (oldest_ + 1) % departures_.size();
  return std::nullopt;
}

void Pacer::throttled(SteadyTime sent, SteadyTime now,
                      std::optional<std::chrono::milliseconds> retry_after) {
  const bool new_storm = !cut_at_ || sent > *cut_at_;
  if (!new_storm && !retry_after) return;
  if (new_storm) {
    const std::optional<double> present = rate(now);
    if (present) {
      share_at_cut_ = std::max(k_lowest_share, *present / *limit_.per_second / 2);
    }
    // A storm is over once the rate has had time to grow back by half.
    const bool storm_goes_on = cut_at_ && now - *cut_at_ < std::chrono::seconds(10);
    throttled_in_a_row_ = storm_goes_on ? throttled_in_a_row_ + 1 : 1;
    cut_at_ = now;
  }
  nanoseconds pause{0};
  if (retry_after) {
    pause = std::clamp<nanoseconds>(*retry_after, nanoseconds(0), k_longest_pause);
  } else {
    const int doublings = std::min(throttled_in_a_row_ - 1, 6);
    const auto ceiling = std::min<std::chrono::milliseconds>(
        k_first_pause * (std::int64_t{1} << doublings), k_longest_pause);
    std::uniform_int_distribution<std::int64_t> jitter(0, nanoseconds(ceiling).count());
    pause = nanoseconds(jitter(random_));
  }
  const SteadyTime until = now + pause;
  paused_until_ = paused_until_ ? std::max(*paused_until_, until) : until;
  next_ = *paused_until_;
  ++epoch_;
}

std::optional<double> Pacer::rate(SteadyTime now) const {
  if (!limit_.per_second || !cut_at_) return limit_.per_second;
  const double seconds = std::max(0.0, std::chrono::duration<double>(now - *cut_at_).count());
  const double share = std::min(1.0, share_at_cut_ + k_recovery_per_second * seconds);
  return *limit_.per_second * share;
}

std::optional<SteadyTime> Pacer::paused_until(SteadyTime now) const {
  if (!paused_until_ || *paused_until_ <= now) return std::nullopt;
  return paused_until_;
}

}  // namespace diskrelease
