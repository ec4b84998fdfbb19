#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "model/job_spec.h"
#include "platform/host.h"

namespace diskrelease {

/// All that a pace consists of, as a plain value that may lie in memory which processes share. Only
/// Pacer reads and writes it, one at a time. Times are nanoseconds of the steady clock, which is
/// the same one for all processes of a boot; k_never where there is none.
///
/// As it is here, nothing has left yet: the pace of a process alone. Shared memory, new or left by
/// others, is made usable by Pacer::take_over().
///
/// A process may be killed between any two stores of Pacer. What it leaves then is not faster than
/// the faster one of the states before and after the change, but for Pacer::k_late in each window:
///   - a departure is a store of its time beyond the latest, then of `departed`, which makes it
///     count; the request leaves after both. Without the second, nothing has left;
///   - a reservation is one store. A slot whose holder dies stays unused;
///   - throttling first voids the slots (`epoch`), then pauses, then cuts. `cut_at` goes before
///     `share_at_cut`: alone it takes back growth, while a new share on an old cut could add some;
///   - beginning anew clears `magic` first and sets it last. Who finds it cleared begins anew.
struct PaceState {
  static constexpr std::uint64_t k_magic = 0x6563'6170'6b73'6964;  // "diskpace"
  /// To be raised with every change of the layout or of the meaning of a field.
  static constexpr std::uint64_t k_version = 1;
  static constexpr std::int64_t k_never = std::numeric_limits<std::int64_t>::min();
  /// More than the departures that any limit has to look back on.
  static constexpr std::size_t k_ring = 131'072;

  std::uint64_t magic = k_magic;
  std::uint64_t version = k_version;
  std::uint64_t size = sizeof(PaceState);
  BootId boot;  ///< of which boot the times are

  std::int64_t began = k_never;  ///< counts as the time of every departure before the first
  std::uint64_t epoch = 0;       ///< slots of another epoch are void
  std::int64_t next = k_never;   ///< theoretical time of the next slot
  std::int64_t paused_until = k_never;
  std::int64_t throttled_in_a_row = 0;
  std::int64_t cut_at = k_never;
  double share_at_cut = 1.0;  ///< of the full rate

  std::uint64_t departed = 0;  ///< since `began`
  /// The n-th departure, counted from 0, is at n % k_ring. Ascending. What lies beyond `departed`
  /// has no value: only what is used of it is ever touched.
  std::array<std::int64_t, k_ring> departures;
};

static_assert(std::is_trivially_copyable_v<PaceState> && std::is_standard_layout_v<PaceState>);
static_assert(sizeof(PaceState) == (13 + PaceState::k_ring) * sizeof(std::int64_t));
static_assert(PaceState::k_ring > static_cast<std::size_t>(k_max_rate) + k_max_burst);

}  // namespace diskrelease
