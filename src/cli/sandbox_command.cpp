#include "sandbox/sandbox.h"

#include <condition_variable>
#include <iostream>
#include <mutex>

#include "cli/commands.h"
#include "model/errors.h"
#include "platform/stop_signals.h"
#include "report/json_object.h"

namespace diskrelease {

ExitCode sandbox_command(const Options& options) {
  std::mutex mutex;
  std::condition_variable ended;
  bool end = false;
  const StopSignals watcher([&](int, int) {
    const std::lock_guard lock(mutex);
    end = true;
    ended.notify_one();
  });
  if (options.words.size() > 1) throw UsageError("sandbox takes flags only");
  if (options.port < 0 || options.port > 65'535) {
    throw UsageError("--port must be a number from 0 (any free port) to 65535");
  }
  sandbox::SandboxOptions simulated;
  if (options.sandbox_scenario) {
    sandbox::ScenarioFile file = sandbox::read_scenario_file(*options.sandbox_scenario);
    std::string text;
    for (const std::string& problem : file.problems) text += (text.empty() ? "" : "\n") + problem;
    if (!text.empty()) throw UsageError(text);
    simulated.scenario = std::move(file.scenario);
  }
  simulated.port = static_cast<std::uint16_t>(options.port);
  if (options.ca_out) simulated.ca_file = *options.ca_out;
  if (options.ledger) simulated.ledger_file = *options.ledger;
  const sandbox::Sandbox simulator(simulated);
  const sandbox::SandboxCredentials& keys = simulator.credentials();
  if (options.json) {
    JsonObject object;
    object.add("event", "sandbox_started")
        .add("endpoint", simulator.endpoint())
        .add("access_key_id", keys.key_id)
        .add("access_key_secret", keys.key_secret);
    std::cout << std::move(object).text() << std::endl;
  } else {
    std::cout << "serving the simulator on " << simulator.endpoint()
              << " until interrupted\n  export ZENLAYER_ACCESS_KEY_ID=" << keys.key_id
              << "\n  export ZENLAYER_ACCESS_KEY_SECRET=" << keys.key_secret << "\n  diskrelease "
              << "run LIST --endpoint " << simulator.endpoint() << " --ca-file "
              << options.ca_out.value_or("CA.pem (see --ca-out)") << " --db sandbox-test.db"
              << std::endl;
  }
  {
    std::unique_lock lock(mutex);
    ended.wait(lock, [&] { return end; });
  }
  const sandbox::SandboxStats stats = simulator.stats();
  std::cerr << "requests " << stats.requests << ", accepted releases " << stats.accepted_releases
            << ", throttled " << stats.throttled << ", disks released twice "
            << stats.released_twice << '\n';
  return ExitCode::done;
}

}  // namespace diskrelease
