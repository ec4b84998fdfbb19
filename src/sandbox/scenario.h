#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sandbox/disk_model.h"
#include "sandbox/fault.h"
#include "sandbox/request_check.h"
#include "sandbox/server_rate_limit.h"

namespace diskrelease::sandbox {

struct FixedLatency {
  std::chrono::microseconds value{0};
};
struct UniformLatency {
  std::chrono::microseconds from{0};
  std::chrono::microseconds to{0};
};
struct LognormalLatency {
  std::chrono::microseconds median{0};
  double sigma = 0.5;  ///< of the logarithm
  std::chrono::microseconds cap{std::chrono::seconds(60)};
};
using Latency = std::variant<FixedLatency, UniformLatency, LognormalLatency>;

/// Between the arrival of a request, at which it takes effect, and its answer. Seed and sequence
/// number decide alone.
[[nodiscard]] std::chrono::microseconds draw_latency(const Latency& latency, std::uint64_t seed,
                                                     std::uint64_t sequence);

struct IdleClose {
  std::chrono::milliseconds after{0};
  Ending ending = Ending::close_notify;
};

/// How instanceId and instanceName look for a disk that hangs on nothing; not documented.
enum class DetachedForm { null, empty, missing };

/// Everything the simulator does, as a scenario file says it (docs/sandbox.md). The default is an
/// account with recycle bin in which every disk that is asked for exists, without any fault.
struct Scenario {
  ModelSettings model;
  CheckSettings check;
  Latency latency;
  std::optional<RateLimitSettings> rate_limit;
  std::optional<IdleClose> idle_close;
  DetachedForm detached_form = DetachedForm::null;
  std::vector<Disk> disks;
  std::vector<FaultRule> faults;

  [[nodiscard]] std::uint64_t seed() const noexcept { return model.seed; }
};

struct ScenarioFile {
  Scenario scenario;                  ///< meaningful only without problems
  std::vector<std::string> problems;  ///< "demo.json: $.delays.leave_ms: ...", all of them
};

/// Never throws for what the text holds. Unknown and doubtful keys are problems. `source_name`
/// begins each problem.
[[nodiscard]] ScenarioFile parse_scenario(std::string_view json, const std::string& source_name);

/// The same from a file; a file that cannot be read is a problem.
[[nodiscard]] ScenarioFile read_scenario_file(const std::filesystem::path& path);

}  // namespace diskrelease::sandbox
