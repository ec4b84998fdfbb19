#include "cli/settings.h"

#include "input/job_file.h"
#include "model/errors.h"
#include "model/visible_text.h"
#include "platform/host.h"

namespace diskrelease {
namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

/// "in_flight must be ..." is the message for a job file; on the command line it is a flag.
void check_layer(const JobSettings& settings, const std::string& where) {
  std::vector<std::string> problems = check_settings(settings);
  if (problems.empty()) return;
  for (std::string& problem : problems) problem.insert(0, where + ": ");
  throw UsageError(joined(problems));
}

JobSettings environment_settings() {
  JobSettings settings;
  settings.endpoint = environment_variable("ZENLAYER_ENDPOINT");
  // The Terraform provider's name for the same.
  if (!settings.endpoint) settings.endpoint = environment_variable("ZENLAYERCLOUD_DOMAIN");
  check_layer(settings, "environment");
  return settings;
}

JobSettings user_configuration() {
  const auto folder = config_directory();
  std::error_code error;
  if (!folder || !std::filesystem::exists(*folder / "config.json", error)) return {};
  JobFile file = read_job_file(*folder / "config.json", JobFileKind::user_config);
  if (!file.problems.empty()) throw UsageError(joined(file.problems));
  return std::move(file.settings);
}

/// Settings are recorded, and a run may be resumed from another working directory.
void make_absolute(std::optional<std::string>& path) {
  if (path) *path = std::filesystem::absolute(*path).lexically_normal().string();
}

/// What the layers say together. Goal and preflight may come from different ones.
JobSettings finished(JobSettings settings) {
  check_layer(settings, "settings");
  const JobSpec spec = resolve(settings);
  std::vector<std::string> problems;
  if (spec.goal == Goal::purge && !spec.preflight) {
    problems.emplace_back(
        "purge needs the preflight: the second call is made only for a disk that was seen in the "
        "recycle bin");
  }
  if (spec.include_recycled && spec.goal != Goal::purge) {
    problems.emplace_back(
        "include_recycled is for the goal purge only: to release a disk in the recycle bin is to "
        "destroy it");
  }
  if (!problems.empty()) throw UsageError(joined(problems));
  make_absolute(settings.ca_file);
  make_absolute(settings.credentials_file);
  return settings;
}

}  // namespace

JobSettings settings_for_run(const Options& options, const std::string& target) {
  check_layer(options.settings, "flags");
  JobSettings settings = options.settings;
  const JobSettings environment = environment_settings();
  const JobSettings configuration = user_configuration();
  JobSettings from_target;
  if (is_job_file(target)) {
    JobFile file = read_job_file(target, JobFileKind::job);
    if (!file.problems.empty()) throw UsageError(joined(file.problems));
    from_target = std::move(file.settings);
  } else {
    from_target.list = target;
  }
  return finished(overlay(settings, overlay(environment, overlay(from_target, configuration))));
}

JobSettings settings_for_resume(const Options& options, const std::string& recorded_settings) {
  check_layer(options.settings, "flags");
  JobFile recorded = read_settings(recorded_settings, "settings of the run");
  if (!recorded.problems.empty()) {
    throw AuditUnusable("the run's recorded settings cannot be read: " + joined(recorded.problems));
  }
  JobSettings today = overlay(environment_settings(), user_configuration());
  // The run was approved for what is on record; where that is silent, the defaults were meant.
  today.goal.reset();
  today.include_recycled.reset();
  return finished(overlay(options.settings, overlay(recorded.settings, today)));
}

HttpsSettings https_settings(const JobSpec& spec) {
  HttpsSettings https;
  const std::optional<Endpoint> endpoint = parse_endpoint(spec.endpoint);
  if (!endpoint) {
    throw UsageError("endpoint \"" + visible(spec.endpoint) +
                     "\" is not HOST or HOST:PORT (no https://, no path)");
  }
  https.endpoint = *endpoint;
  https.ca_file = spec.ca_file;
  https.connect_timeout = spec.connect_timeout;
  https.total_timeout = spec.timeout;
  std::optional<std::string> proxy = spec.proxy;
  if (!proxy) {
    proxy = environment_variable("HTTPS_PROXY");
    if (!proxy) proxy = environment_variable("https_proxy");
    std::optional<std::string> excluded = environment_variable("NO_PROXY");
    if (!excluded) excluded = environment_variable("no_proxy");
    if (proxy && excluded && bypasses_proxy(https.endpoint, *excluded)) proxy.reset();
  }
  if (proxy) {
    https.proxy = parse_proxy(*proxy);
    // The URL may hold a password, so it is not repeated.
    if (!https.proxy) {
      throw UsageError(
          "the proxy (--proxy or HTTPS_PROXY) is not of the form http://[user:password@]host:port");
    }
  }
  return https;
}

}  // namespace diskrelease
