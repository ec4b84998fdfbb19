#include "support/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "platform/host.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

std::string content_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

ChildProcess::ChildProcess(std::vector<std::string> arguments,
                           const std::map<std::string, std::string>& environment,
                           const std::filesystem::path& output_folder) {
  static int number = 0;
  ++number;
  out_ = output_folder / ("child" + std::to_string(number) + ".out");
  error_ = output_folder / ("child" + std::to_string(number) + ".err");
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  // Whatever is in /var/lib/diskrelease of this machine.
  if (const auto home = environment.find("HOME");
      home != environment.end() && !environment.contains("DISKRELEASE_CLAIMS_DIR")) {
    variables.push_back("DISKRELEASE_CLAIMS_DIR=" + home->second + "/claims");
  }
  // The thread sanitizer's suppressions are the child's, too: what it links is what the tests link.
  if (const char* options = std::getenv("TSAN_OPTIONS")) {
    variables.push_back(std::string("TSAN_OPTIONS=") + options);
  }
  // What is killed leaves its marks.
  static const TemporaryDirectory k_memory(memory_directory());
  variables.push_back("RUNTIME_DIRECTORY=" + k_memory.path().string());
  std::vector<char*> argv;
  std::vector<char*> envp;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  for (std::string& variable : variables) envp.push_back(variable.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ > 0) return;
  const int in = ::open("/dev/null", O_RDONLY);
  const int out = ::open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int error = ::open(error_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  // However the tests themselves were started (nohup, a background job of a script).
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM}) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  if (::dup2(in, 0) != 0 || ::dup2(out, 1) != 1 || ::dup2(error, 2) != 2 ||
      ::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) {
    ::_exit(126);
  }
  ::execve(argv[0], argv.data(), envp.data());
  ::_exit(127);
}

ChildProcess::~ChildProcess() {
  if (ended_) return;
  send_signal(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ChildProcess::send_signal(int signal) const {
  if (!ended_) ::kill(pid_, signal);
}

std::string ChildProcess::error_so_far() const { return content_of(error_); }

ChildResult ChildProcess::wait() {
  const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (descriptor < 0) throw std::runtime_error("pidfd_open failed");
  pollfd watched{descriptor, POLLIN, 0};
  if (::poll(&watched, 1, 60'000) == 0) send_signal(SIGKILL);
  ::close(descriptor);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  ended_ = true;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), content_of(out_),
          content_of(error_)};
}

}  // namespace diskrelease
