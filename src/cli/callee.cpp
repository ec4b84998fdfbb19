#include "cli/callee.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <iostream>
#include <system_error>

#include "cli/settings.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "platform/host.h"
#include "platform/scratch_file.h"
#include "run/departure_gate.h"

namespace diskrelease {
namespace {

sandbox::SandboxOptions sandbox_options(const Options& options, const std::filesystem::path& ca) {
  sandbox::SandboxOptions simulated;
  if (options.sandbox_scenario) {
    sandbox::ScenarioFile file = sandbox::read_scenario_file(*options.sandbox_scenario);
    if (!file.problems.empty()) {
      std::string text;
      for (const std::string& problem : file.problems) text += (text.empty() ? "" : "\n") + problem;
      throw UsageError(text);
    }
    simulated.scenario = std::move(file.scenario);
  }
  simulated.ca_file = ca;
  return simulated;
}

std::unique_ptr<SharedRegion> shared_pace(const Callee& callee) {
  const auto state = state_directory();
  if (!state) {
    throw CallsImpossible(
        "neither XDG_STATE_HOME nor a home directory is known, so there is no place where the "
        "processes of this user keep their common rate; set XDG_STATE_HOME. Nothing was sent.");
  }
  return SharedRegion::open(
      limiter_file(*state, callee.credential->id, host_header(callee.https.endpoint)),
      DepartureGate::k_region_size);
}

}  // namespace

TemporaryFile::TemporaryFile() {
  const std::filesystem::path folder = scratch_directory();
  std::string name = (folder / "diskrelease-ca-XXXXXX").string();
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) {
    throw UsageError("no temporary file can be made in " + shown(folder) + ": " +
                     std::generic_category().message(errno) + ". TMPDIR names another folder.");
  }
  ::close(descriptor);
  path_ = name;
}

TemporaryFile::~TemporaryFile() {
  std::error_code error;
  std::filesystem::remove(path_, error);
}

void find_callee(const Options& options, const JobSpec& spec, Callee& callee) {
  const std::size_t lanes = static_cast<std::size_t>(spec.in_flight) + 1;
  if (options.sandbox) {
    callee.ca.emplace();
    callee.simulator.emplace(sandbox_options(options, callee.ca->path()));
    JobSpec local = spec;
    local.endpoint = callee.simulator->endpoint();
    local.ca_file = callee.ca->path().string();
    callee.https = https_settings(local);
    callee.https.proxy.reset();
    callee.transport.emplace(callee.https, lanes);
    callee.endpoint_name = "sandbox";
    const sandbox::SandboxCredentials& keys = callee.simulator->credentials();
    callee.credential.emplace(Credential{Credential::Kind::key_pair, keys.key_id,
                                         Secret(keys.key_secret), "the sandbox"});
    return;
  }
  callee.https = https_settings(spec);
  callee.transport.emplace(callee.https, lanes);
  callee.endpoint_name = host_header(callee.https.endpoint);
  std::vector<std::string> warnings;
  callee.credential.emplace(
      find_credential({spec.credentials_file, spec.profile,
                       [](const char* name) { return environment_variable(name); }},
                      &warnings));
  if (spec.rate.per_second) callee.pace = shared_pace(callee);
  if (options.quiet) return;
  for (const std::string& warning : warnings) std::cerr << "warning: " << warning << '\n';
}

}  // namespace diskrelease
