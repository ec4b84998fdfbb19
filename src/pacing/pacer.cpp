#include "pacing/pacer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <type_traits>

namespace diskrelease {
namespace {

using std::chrono::nanoseconds;

nanoseconds stretched(double seconds) {
  return nanoseconds(static_cast<std::int64_t>(std::ceil(seconds * 1e9 * (1.0 + Pacer::k_margin))));
}

std::int64_t stored(SteadyTime time) { return time.time_since_epoch().count(); }

std::optional<SteadyTime> time_of(std::int64_t stored) {
  if (stored == PaceState::k_never) return std::nullopt;
  return SteadyTime(nanoseconds(stored));
}

/// Each store is whole, and no later one is done before it: the state is what the stores up to a
/// certain one have made, whenever the process is killed.
template <class Field>
void store(Field& field, std::type_identity_t<Field> value) {
  std::atomic_ref<Field>(field).store(value, std::memory_order_release);
}

std::size_t place(std::uint64_t departure) { return departure % PaceState::k_ring; }

}  // namespace

Pacer::Pacer(const RateLimit& limit, std::uint64_t seed, PaceState& state)
    : limit_(limit), random_(seed), boot_(state.boot), state_(&state) {
  if (!limit_.per_second) return;
  const double rate = *limit_.per_second;
  // The shortest window of at least a second that a whole number of requests fills: a second, or
  // one interval of a slow rate. Rounded down, two windows of a rate such as 2.5 would touch one
  // second.
  const double whole = std::ceil(rate);
  window_ = stretched(whole / rate);
  per_window_ = static_cast<std::uint64_t>(whole) + static_cast<std::uint64_t>(limit_.burst - 1);
}

void Pacer::take_over(const std::optional<BootId>& boot, SteadyTime now) {
  const bool goes_on = boot && state_->boot == *boot && plausible(now);
  boot_ = boot.value_or(BootId{});
  if (!goes_on) begin_anew(now);
}

bool Pacer::plausible(SteadyTime now) const {
  const std::int64_t furthest = stored(now + k_longest_pause + window_);
  const auto possible = [&](std::int64_t time) {
    return time == PaceState::k_never || (time >= 0 && time <= furthest);
  };
  const bool fields = state_->magic == PaceState::k_magic &&
                      state_->version == PaceState::k_version &&
                      state_->size == sizeof(PaceState) && possible(state_->began) &&
                      possible(state_->paused_until) && possible(state_->cut_at) &&
                      state_->share_at_cut >= k_lowest_share && state_->share_at_cut <= 1.0;
  if (!fields) return false;
  std::int64_t later = furthest;
  for (std::uint64_t back = 1; back <= std::min(per_window_, state_->departed); ++back) {
    const std::int64_t time = state_->departures[place(state_->departed - back)];
    if (time < 0 || time > later) return false;
    later = time;
  }
  return true;
}

void Pacer::begin_anew(SteadyTime now) {
  store(state_->magic, 0);
  store(state_->version, PaceState::k_version);
  store(state_->size, sizeof(PaceState));
  store(state_->boot.high, boot_.high);
  store(state_->boot.low, boot_.low);
  store(state_->epoch, state_->epoch + 1);
  store(state_->began, stored(now));
  store(state_->departed, 0);
  store(state_->next, PaceState::k_never);
  store(state_->paused_until, PaceState::k_never);
  store(state_->throttled_in_a_row, 0);
  store(state_->cut_at, PaceState::k_never);
  store(state_->share_at_cut, 1.0);
  store(state_->magic, PaceState::k_magic);
}

void Pacer::require_usable(SteadyTime now) {
  // Another process may have been killed while it began anew.
  if (state_->magic != PaceState::k_magic) begin_anew(now);
}

nanoseconds Pacer::interval(SteadyTime from) const {
  const double full = *limit_.per_second;
  const double now = share(from);
  if (now >= 1.0) return stretched(1.0 / full);
  // The requests that become due in t seconds of growth: full * (now * t + growth / 2 * t^2).
  constexpr double growth = k_recovery_per_second;
  const double grows = (1.0 - now) / growth;
  const double due_by_then = full * grows * (now + 1.0) / 2;
  if (due_by_then < 1.0) return stretched(grows + (1.0 - due_by_then) / full);
  return stretched((std::sqrt(now * now + 2 * growth / full) - now) / growth);
}

std::optional<SteadyTime> Pacer::departure_that_limits() const {
  if (state_->departed < per_window_) return time_of(state_->began);
  return SteadyTime(nanoseconds(state_->departures[place(state_->departed - per_window_)]));
}

Slot Pacer::reserve(SteadyTime now) {
  require_usable(now);
  const std::optional<SteadyTime> began = time_of(state_->began);
  const SteadyTime opening = began ? *began + window_ : now;
  const SteadyTime earliest = std::max({now, opening, time_of(state_->paused_until).value_or(now)});
  if (!limit_.per_second) return {earliest, state_->epoch};
  const nanoseconds step = interval(earliest);
  // A pause of the run earns at most `burst` slots, and a beginning none.
  SteadyTime due = earliest - step * (limit_.burst - 1);
  if (began) due = std::max(due, opening);
  if (const std::optional<SteadyTime> next = time_of(state_->next)) {
    due = *next > earliest + step * k_longest_line ? earliest + step : std::max(due, *next);
  }
  store(state_->next, stored(due + interval(std::max(due, earliest))));
  return {std::max(due, earliest), state_->epoch};
}

std::optional<Slot> Pacer::depart(const Slot& slot, SteadyTime now) {
  require_usable(now);
  SteadyTime promised = slot.at;
  if (slot.epoch != state_->epoch) {
    const Slot instead = reserve(now);
    if (instead.at > now) return instead;
    promised = instead.at;
  }
  if (!limit_.per_second) return std::nullopt;
  if (const std::optional<SteadyTime> limiting = departure_that_limits()) {
    // No later than it has to be: so what is late by more is made up for, bit by bit.
    const SteadyTime open = *limiting + window_ - k_late;
    if (now < open) return Slot{std::max(open, promised), state_->epoch};
  }
  std::int64_t time = stored(now);
  // A sender may have read the clock before another one and ask after it.
  if (state_->departed > 0) {
    time = std::max(time, state_->departures[place(state_->departed - 1)]);
  }
  store(state_->departures[place(state_->departed)], time);
  store(state_->departed, state_->departed + 1);
  return std::nullopt;
}

void Pacer::left_late(SteadyTime counted, SteadyTime now) {
  require_usable(now);
  if (!limit_.per_second) return;
  const std::uint64_t most = std::min<std::uint64_t>(PaceState::k_ring, state_->departed);
  std::uint64_t back = 0;  // so many of the latest were counted then or later
  while (back < most && state_->departures[place(state_->departed - back - 1)] >= stored(counted)) {
    ++back;
  }
  if (back == 0) return;
  // The others move up, one by one: on the way each is as late as before or later.
  for (; back > 1; --back) {
    const std::uint64_t at = state_->departed - back;
    store(state_->departures[place(at)], state_->departures[place(at + 1)]);
  }
  std::int64_t& latest = state_->departures[place(state_->departed - 1)];
  store(latest, std::max(latest, stored(now)));
}

void Pacer::throttled(SteadyTime sent, SteadyTime now,
                      std::optional<std::chrono::milliseconds> retry_after) {
  require_usable(now);
  const std::optional<SteadyTime> cut = time_of(state_->cut_at);
  const bool new_storm = !cut || sent > *cut;
  if (!new_storm && !retry_after) return;
  // A storm is over once the rate has had time to grow back by half.
  const bool storm_goes_on = cut && now - *growth_begins() < std::chrono::seconds(10);
  std::int64_t in_a_row = state_->throttled_in_a_row;
  if (new_storm) in_a_row = storm_goes_on ? in_a_row + 1 : 1;
  nanoseconds pause{0};
  if (retry_after) {
    pause = std::clamp<nanoseconds>(*retry_after, nanoseconds(0), k_longest_pause);
  } else {
    const auto doublings = std::clamp<std::int64_t>(in_a_row - 1, 0, 3);
    const auto ceiling = std::min<std::chrono::milliseconds>(
        k_first_pause * (std::int64_t{1} << doublings), k_longest_own_pause);
    std::uniform_int_distribution<std::int64_t> jitter(0, nanoseconds(ceiling).count());
    pause = nanoseconds(jitter(random_));
  }
  const std::int64_t until = std::max(state_->paused_until, stored(now + pause));
  const std::optional<double> present = rate(now);

  // The order is that of the argument in PaceState.
  store(state_->epoch, state_->epoch + 1);
  store(state_->paused_until, until);
  store(state_->next, until);
  if (!new_storm) return;
  store(state_->throttled_in_a_row, in_a_row);
  store(state_->cut_at, std::max(state_->cut_at, stored(now)));
  if (present) {
    store(state_->share_at_cut, std::max(k_lowest_share, *present / *limit_.per_second / 2));
  }
}

std::optional<SteadyTime> Pacer::growth_begins() const {
  const std::optional<SteadyTime> cut = time_of(state_->cut_at);
  if (!cut) return std::nullopt;
  // Not within the pause: it would end with a rate that nobody has tried.
  return std::max(*cut, time_of(state_->paused_until).value_or(*cut));
}

double Pacer::share(SteadyTime now) const {
  const std::optional<SteadyTime> begins = growth_begins();
  if (!begins) return 1.0;
  const double seconds = std::max(0.0, std::chrono::duration<double>(now - *begins).count());
  return std::min(1.0, state_->share_at_cut + k_recovery_per_second * seconds);
}

std::optional<double> Pacer::rate(SteadyTime now) const {
  if (!limit_.per_second) return std::nullopt;
  return *limit_.per_second * share(now);
}

std::optional<SteadyTime> Pacer::paused_until(SteadyTime now) const {
  const std::optional<SteadyTime> end = time_of(state_->paused_until);
  if (!end || *end <= now) return std::nullopt;
  return end;
}

}  // namespace diskrelease
