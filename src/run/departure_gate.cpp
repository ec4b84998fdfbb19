#include "run/departure_gate.h"

#include <cstdlib>
#include <new>
#include <utility>

#include "platform/host.h"
#include "platform/sha256.h"

namespace diskrelease {
namespace {

std::unique_ptr<SharedRegion> region_for(const RateLimit& limit,
                                         std::unique_ptr<SharedRegion> shared) {
  if (shared && limit.per_second) {
    if (shared->size() < DepartureGate::k_region_size) std::abort();
    return shared;
  }
  std::unique_ptr<SharedRegion> own = SharedRegion::of_this_process(DepartureGate::k_region_size);
  new (own->data()) PaceState;
  return own;
}

}  // namespace

std::filesystem::path limiter_file(const std::filesystem::path& state_directory,
                                   std::string_view credential_id, std::string_view endpoint) {
  constexpr std::size_t digits = 32;
  Sha256 digest;
  digest.update(credential_id);
  digest.update(std::string_view("\0", 1));
  digest.update(endpoint);
  return state_directory / ("limiter-" + digest.finish_hex().substr(0, digits) + ".state");
}

DepartureGate::DepartureGate(const RateLimit& limit, std::uint64_t seed,
                             std::unique_ptr<SharedRegion> shared, SteadyTime now)
    : region_(region_for(limit, std::move(shared))),
      pacer_(limit, seed, *static_cast<PaceState*>(region_->data())) {
  if (!region_->shared()) return;
  const std::lock_guard lock(*region_);
  pacer_.take_over(boot_id(), now);
}

Slot DepartureGate::reserve(SteadyTime earliest) {
  const std::lock_guard lock(*region_);
  return pacer_.reserve(earliest);
}

std::optional<Slot> DepartureGate::depart(const Slot& slot, SteadyTime now) {
  const std::lock_guard lock(*region_);
  // Another process may have held the lock for as long as it took the log to fail.
  if (stopping_) return Slot{now, slot.epoch};
  std::optional<Slot> later = pacer_.depart(slot, now);
  if (!later) ++departures_;
  return later;
}

void DepartureGate::left(SteadyTime counted, SteadyTime now) {
  // Signed and connected before, it takes a few tenths of that.
  constexpr std::chrono::milliseconds prompt{1};
  if (now - counted <= prompt) return;
  const std::lock_guard lock(*region_);
  pacer_.left_late(counted, now);
}

void DepartureGate::throttled(SteadyTime sent, SteadyTime now,
                              std::optional<std::chrono::milliseconds> retry_after) {
  ++refusals_;
  const std::lock_guard lock(*region_);
  pacer_.throttled(sent, now, retry_after);
}

std::optional<double> DepartureGate::rate(SteadyTime now) const {
  const std::lock_guard lock(*region_);
  return pacer_.rate(now);
}

std::optional<SteadyTime> DepartureGate::paused_until(SteadyTime now) const {
  const std::lock_guard lock(*region_);
  return pacer_.paused_until(now);
}

void DepartureGate::stop(RunStop stop) {
  {
    const std::lock_guard lock(stop_mutex_);
    if (!stop_) stop_ = std::move(stop);
    stopping_ = true;
  }
  bell_.ring();
}

std::optional<RunStop> DepartureGate::stop_reason() const {
  const std::lock_guard lock(stop_mutex_);
  return stop_;
}

}  // namespace diskrelease
