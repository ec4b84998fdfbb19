#include "run/look_ahead.h"

#include <algorithm>
#include <array>
#include <limits>

namespace diskrelease {
namespace {

constexpr std::array<std::size_t, 4> k_first_batches{1, 2, 5, 10};
/// Where there is no rate: for the first second, then it is measured.
constexpr double k_first_pace = 10;
/// What is measured may be slow for want of looks: so more is looked at than that.
constexpr double k_headroom = 2;
constexpr std::chrono::seconds k_window{1};
/// Of the time of a look, as a share of which its call may wait: it is measured and varies.
constexpr double k_line_margin = 2.2;
constexpr double k_longest_line_s = 30;
constexpr double k_longest_line_requests = 8;
/// At very low rates a look takes fewer disks than `batch`, and more of the calls: who calls once
/// in a minute does not save calls.
constexpr double k_longest_sent_in = 30;

}  // namespace

LookAhead::LookAhead(const Limits& limits)
    : limit_(limits.per_second.value_or(std::numeric_limits<double>::infinity())),
      sent_in_(std::clamp(limits.batch / limit_, 1.0, k_longest_sent_in)),
      pace_(limits.per_second.value_or(k_first_pace)) {
  if (limits.longest_look) sent_in_ = std::min(sent_in_, Seconds(*limits.longest_look) / 2);
  // The look is the first of three requests.
  const Seconds three_requests(3 / limit_);
  valid_for_ =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::max(2 * sent_in_, three_requests));
  longest_line_ = Seconds(std::max(k_longest_line_s, k_longest_line_requests / limit_));
}

std::size_t LookAhead::batch() const {
  // A little more, for 0.1 s at 10 a second are not quite one disk.
  const double full = std::clamp(pace_ * sent_in_.count() + 1e-6, 1.0, double{k_most_new});
  const auto disks = static_cast<std::size_t>(full);
  if (in_place_) return disks;
  return std::min(disks, k_first_batches[std::min(growth_, k_first_batches.size() - 1)]);
}

bool LookAhead::due(std::size_t ready, std::size_t looking) const {
  if (!in_place_ && looking > 0) return false;
  return static_cast<double>(ready + looking) <= std::max(1.0, pace_ * way_.count());
}

void LookAhead::began() {
  if (growth_ < k_first_batches.size()) ++growth_;
}

void LookAhead::took(std::chrono::nanoseconds duration) {
  way_ = way_ == Seconds(0) ? Seconds(duration) : (way_ + Seconds(duration)) / 2;
}

void LookAhead::handed_out(SteadyTime now) {
  if (!window_began_) window_began_ = now;
  const Seconds window = now - *window_began_;
  if (window >= k_window) {
    const double measured = static_cast<double>(in_window_) / window.count();
    pace_ = std::min(limit_, k_headroom * measured);
    window_began_ = now;
    in_window_ = 0;
  }
  ++in_window_;
}

std::chrono::nanoseconds LookAhead::valid_for() const {
  const Seconds line = std::min(k_line_margin * way_, longest_line_);
  return std::max(valid_for_, std::chrono::duration_cast<std::chrono::nanoseconds>(line));
}

bool LookAhead::is_fresh(SteadyTime sent, SteadyTime answered, SteadyTime at,
                         std::chrono::nanoseconds valid_for) {
  const auto way = std::min<std::chrono::nanoseconds>(answered - sent, k_longest_way);
  return at - sent <= way + valid_for;
}

}  // namespace diskrelease
