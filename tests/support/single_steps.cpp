#include "support/single_steps.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace diskrelease {
namespace {

constexpr long k_most_steps = 5'000'000;

void wait_for_child(pid_t child, int& status) {
  if (::waitpid(child, &status, 0) != child) throw std::runtime_error("waitpid failed");
}

}  // namespace

std::vector<std::vector<std::byte>> contents_on_the_way(
    std::span<const std::byte> memory, std::size_t watched,
    const std::function<std::function<void()>(void*)>& prepare) {
  void* const data =
      ::mmap(nullptr, memory.size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) throw std::runtime_error("mmap failed");
  const auto unmap = [&memory](void* mapped) { ::munmap(mapped, memory.size()); };
  const std::unique_ptr<void, decltype(unmap)> owner(data, unmap);
  std::memcpy(data, memory.data(), memory.size());

  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    const std::function<void()> change = prepare(data);
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(1);
    if (::raise(SIGSTOP) != 0) ::_exit(2);
    change();
    ::_exit(0);
  }
  std::vector<std::vector<std::byte>> contents;
  const auto look = [&] {
    if (!contents.empty() && std::memcmp(contents.back().data(), data, watched) == 0) return;
    const auto* const bytes = static_cast<const std::byte*>(data);
    contents.emplace_back(bytes, bytes + watched);
  };
  int status = 0;
  wait_for_child(child, status);
  for (long step = 0; WIFSTOPPED(status) && step < k_most_steps; ++step) {
    look();
    if (::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) break;
    wait_for_child(child, status);
  }
  look();
  if (WIFSTOPPED(status)) {
    ::kill(child, SIGKILL);
    wait_for_child(child, status);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error("the child was not traced to its end");
  }
  return contents;
}

}  // namespace diskrelease
