#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace diskrelease {

struct ChildResult {
  int exit_code = -1;  ///< -N = ended by signal N
  std::string out;
  std::string error;
};

/// A program started with exactly the given environment, the options of the thread sanitizer and a
/// RUNTIME_DIRECTORY, which goes with this process; standard input closed to it (/dev/null),
/// outputs in files of its own, no signal ignored. Killed on destruction if it still runs.
class ChildProcess {
 public:
  ChildProcess(std::vector<std::string> arguments,
               const std::map<std::string, std::string>& environment,
               const std::filesystem::path& output_folder);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void send_signal(int signal) const;
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// What it has written to standard error so far.
  [[nodiscard]] std::string error_so_far() const;
  /// Waits for its end; after 60 s it is killed, which shows as exit code -9.
  [[nodiscard]] ChildResult wait();

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
  std::filesystem::path out_;
  std::filesystem::path error_;
};

}  // namespace diskrelease
