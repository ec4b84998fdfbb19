#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "model/job_spec.h"
#include "model/run_record.h"
#include "model/time.h"
#include "pacing/pace_state.h"
#include "pacing/pacer.h"
#include "platform/shared_region.h"
#include "run/bell.h"

namespace diskrelease {

/// Why sending ends before all items are done.
struct RunStop {
  EndReason reason = EndReason::stopped;
  std::string cause;   ///< one snake_case word
  std::string detail;  ///< for people
};

/// Where the processes of a user that call one endpoint with one credential keep their common pace.
/// The name tells neither of the two. Nothing is created.
[[nodiscard]] std::filesystem::path limiter_file(const std::filesystem::path& state_directory,
                                                 std::string_view credential_id,
                                                 std::string_view endpoint);

/// The one place where requests of any kind leave, and where a run is told to stop.
///
/// With a shared region all processes that use it keep one pace, through crashes and restarts: a
/// pace that is new, of another boot or not plausible begins with a full window of waiting. Alone,
/// the first request may leave at once.
///
/// Thread-safe. It is told the time, reads no clock and does not sleep. The pace and the stop have
/// a lock each, so that stop() does not wait for another process. Every function that asks for the
/// pace may throw CallsImpossible, when the kernel refuses the lock of the region.
class DepartureGate {
 public:
  /// What SharedRegion::open() is to be given for it.
  static constexpr std::size_t k_region_size = sizeof(PaceState);

  /// `shared` = nullptr: a pace of this process alone. An unlimited rate has no pace to share: the
  /// region is then closed again, untouched. Precondition: a region of k_region_size.
  DepartureGate(const RateLimit& limit, std::uint64_t seed, std::unique_ptr<SharedRegion> shared,
                SteadyTime now);

  /// A slot not before `earliest`.
  [[nodiscard]] Slot reserve(SteadyTime earliest);
  /// nullopt = the request leaves now, and counts. Else the slot to wait for instead; while the run
  /// stops, it is now, so that whoever asks finds out.
  [[nodiscard]] std::optional<Slot> depart(const Slot& slot, SteadyTime now);
  /// A request whose departure was counted at `counted` has been written by `now`: where the
  /// processor was taken away in between, it counts from then.
  void left(SteadyTime counted, SteadyTime now);
  /// A request that left at `sent` was refused for rate: pauses all, here and in other processes.
  void throttled(SteadyTime sent, SteadyTime now,
                 std::optional<std::chrono::milliseconds> retry_after);

  /// Requests per second at this time; nullopt = unlimited.
  [[nodiscard]] std::optional<double> rate(SteadyTime now) const;
  /// The end of the present pause, where there is one.
  [[nodiscard]] std::optional<SteadyTime> paused_until(SteadyTime now) const;

  /// Requests that have left through this gate, and how many of them were refused for rate. Other
  /// processes are not counted.
  [[nodiscard]] std::int64_t departures() const noexcept { return departures_.load(); }
  [[nodiscard]] std::int64_t refusals() const noexcept { return refusals_.load(); }

  /// The first stop counts. Rings the bell.
  void stop(RunStop stop);
  [[nodiscard]] bool stopping() const noexcept { return stopping_.load(); }
  [[nodiscard]] std::optional<RunStop> stop_reason() const;

  /// The bell of the run, for all who wait for anything in it.
  [[nodiscard]] Bell& bell() noexcept { return bell_; }

 private:
  // Constant after construction.
  std::unique_ptr<SharedRegion> region_;

  Pacer pacer_;  ///< guarded by *region_
  std::atomic<std::int64_t> departures_{0};
  std::atomic<std::int64_t> refusals_{0};

  Bell bell_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex stop_mutex_;
  std::optional<RunStop> stop_;  ///< guarded by stop_mutex_
};

}  // namespace diskrelease
