#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <system_error>
#include <tuple>

#include "fuzz/fuzz_target.h"
#include "input/job_file.h"

namespace diskrelease {
namespace {

// A path and two quoted texts at most.
constexpr std::size_t k_max_problem_bytes = 4'000;

auto all_settings(const JobSettings& s) {
  return std::tie(s.name, s.list, s.format, s.column, s.goal, s.endpoint, s.profile,
                  s.credentials_file, s.ca_file, s.proxy, s.rate_unlimited, s.rate_per_second,
                  s.burst, s.in_flight, s.timeout, s.connect_timeout, s.max_attempts,
                  s.first_backoff, s.max_backoff, s.budget_percent, s.max_disks, s.preflight,
                  s.verify, s.settle_window, s.settle_poll, s.resend_unsettled, s.include_recycled);
}

void check_problems(const JobFile& file) {
  require(file.problems.size() <= 51, "too many problems are kept");
  for (const std::string& problem : file.problems) {
    require_visible(problem, k_max_problem_bytes, "a problem");
  }
}

// What was accepted is within the ranges, and survives being recorded.
void check_settings_of(const JobFile& file) {
  check_problems(file);
  if (!file.problems.empty()) return;
  require(check_settings(file.settings).empty(), "settings out of range were accepted");
  const std::string written = write_settings(file.settings);
  require(written.find('\n') == std::string::npos, "recorded settings are more than one line");
  const JobFile again = read_settings(written, "settings of the run");
  if (!again.problems.empty()) {
    finding("recorded settings are not accepted: " + again.problems.front() + " in " + written);
  }
  require(all_settings(again.settings) == all_settings(file.settings),
          "recorded settings are others: " + written + " / " + write_settings(again.settings));
}

// A file in memory, with a path.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& text) : descriptor_(::memfd_create("job", MFD_CLOEXEC)) {
    if (descriptor_ < 0 ||
        ::write(descriptor_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      throw std::system_error(errno, std::generic_category(), "a file in memory");
    }
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

void require_absolute(const std::optional<std::string>& path) {
  require(!path || path == "-" || path->starts_with('/'), "a path of a job file stays relative");
}

}  // namespace

void fuzz_job_file(FuzzInput input) {
  const std::string text = text_of(input);
  check_settings_of(read_settings(text, "settings"));
  // The reader takes 1 MiB of memory for a file, which is most of the time: one text of eight.
  if (std::hash<std::string>()(text) % 8 != 0) return;

  const MemoryFile file(text);
  const JobFile job = read_job_file(file.path(), JobFileKind::job);
  check_settings_of(job);
  if (job.problems.empty()) {
    require(job.settings.list.has_value(), "a job without a list was accepted");
    require(is_job_file(file.path()), "an accepted job file is taken for a list");
    require_absolute(job.settings.list);
    require_absolute(job.settings.credentials_file);
    require_absolute(job.settings.ca_file);
  }
  const JobFile user = read_job_file(file.path(), JobFileKind::user_config);
  check_settings_of(user);
  if (user.problems.empty()) {
    require(!user.settings.list && !user.settings.name, "a user's configuration names a list");
    require(!job.problems.empty(), "one file is a job and a user's configuration");
  }
}

}  // namespace diskrelease
