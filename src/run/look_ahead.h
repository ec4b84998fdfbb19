#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "model/time.h"

namespace diskrelease {

/// How many disks the next look takes, when it is due, and for how long it is believed. Between a
/// look and its call somebody else may release the disk, and the call would destroy it: so looks
/// are as young as the share of calls allows that they may cost. A value: it is told the times and
/// reads no clock.
///
/// A look takes the disks that are sent in one second, at low rates `batch` of them; the first
/// looks take 1, 2, 5 and 10, one at a time, until the first accepted disk was seen where it
/// belongs. The next look begins when as many disks are left as are sent while it is under way. How
/// many are sent is measured: senders may be slower than the rate.
class LookAhead {
 public:
  struct Limits {
    std::optional<double> per_second;  ///< nullopt = unlimited
    int batch = 10;                    ///< 1 to k_most
    /// No look is believed for longer, but for the line of requests that it waits in; nullopt = no
    /// such limit.
    std::optional<std::chrono::nanoseconds> longest_look;
  };
  explicit LookAhead(const Limits& limits);

  /// For the next look at disks that are to be sent.
  [[nodiscard]] std::size_t batch() const;
  /// Whether it is due while so many disks wait for senders and so many are being looked at.
  [[nodiscard]] bool due(std::size_t ready, std::size_t looking) const;

  /// A look at disks that are to be sent has begun.
  void began();
  /// It was answered, so long after it had begun.
  void took(std::chrono::nanoseconds duration);
  /// An accepted disk was seen in the recycle bin, or beyond.
  void seen_in_place() { in_place_ = true; }
  /// A sender has taken a disk.
  void handed_out(SteadyTime now);

  /// How long a look is believed after its answer: twice the time in which its disks are sent; and
  /// at least as long as the line of slots is, all processes counted that share the pace, for a
  /// call waits in the line that its look has waited in.
  [[nodiscard]] std::chrono::nanoseconds valid_for() const;
  /// Whether a disk may be sent at `at` by a look that was sent and answered then.
  [[nodiscard]] static bool is_fresh(SteadyTime sent, SteadyTime answered, SteadyTime at,
                                     std::chrono::nanoseconds valid_for);

  static constexpr std::size_t k_most = 100;  ///< ids that one DescribeDisks may name
  /// Of them, disks that are to be sent: there is always room for some that were accepted.
  static constexpr std::size_t k_most_new = 90;
  /// What a look is allowed for its way. A process that has stood still must not take it for one.
  static constexpr std::chrono::seconds k_longest_way{60};

 private:
  using Seconds = std::chrono::duration<double>;

  // Constant after construction.
  double limit_;                        ///< disks a second, at most
  Seconds sent_in_;                     ///< the time in which the disks of a look are to be sent
  std::chrono::nanoseconds valid_for_;  ///< where the line is short
  Seconds longest_line_;                ///< longer ones come from a pause, and end with it

  double pace_;  ///< disks a second that senders are believed to take
  std::optional<SteadyTime> window_began_;
  std::int64_t in_window_ = 0;  ///< disks handed out since
  Seconds way_{0};              ///< of a look, lately
  std::size_t growth_ = 0;      ///< looks that have begun, as far as they count for the first ones
  bool in_place_ = false;
};

}  // namespace diskrelease
