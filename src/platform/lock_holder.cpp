#include "platform/lock_holder.h"

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include "model/visible_text.h"
#include "platform/host.h"

namespace diskrelease {
namespace {

/// Of a file; the device that /proc/locks shows differs from that of stat() on some file systems.
using Inodes = std::set<ino_t>;

std::filesystem::path folder_of(pid_t pid) {
  return std::filesystem::path("/proc") / std::to_string(pid);
}

bool has_open(pid_t pid, const Inodes& inodes) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder_of(pid) / "fd", error), end;
       !error && entry != end; entry.increment(error)) {
    struct stat status {};
    if (::stat(entry->path().c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        inodes.contains(status.st_ino)) {
      return true;
    }
  }
  return false;
}

bool may_look_at(pid_t pid) { return ::access((folder_of(pid) / "fd").c_str(), R_OK) == 0; }

/// A line is "1: POSIX  ADVISORY  WRITE 4711 08:01:1311 120 120"; with "->" after the number it is
/// of who waits for a lock.
std::set<pid_t> holders_by_kernel(const Inodes& inodes) {
  std::set<pid_t> found;
  std::ifstream in("/proc/locks");
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string number;
    std::string kind;
    std::string advisory;
    std::string access;
    pid_t pid = 0;
    std::string place;
    if (!(words >> number >> kind >> advisory >> access >> pid >> place)) continue;
    if (kind != "POSIX" || access != "WRITE" || pid <= 0 || pid == ::getpid()) continue;
    const std::size_t colon = place.rfind(':');
    ino_t inode = 0;
    const char* const end = place.data() + place.size();
    if (colon == std::string::npos ||
        std::from_chars(place.data() + colon + 1, end, inode).ec != std::errc() ||
        !inodes.contains(inode)) {
      continue;
    }
    // The same number on another file system is another file.
    if (!may_look_at(pid) || has_open(pid, inodes)) found.insert(pid);
  }
  return found;
}

std::set<pid_t> who_has_open(const Inodes& inodes) {
  std::set<pid_t> found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    pid_t pid = 0;
    const auto [stop, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (wrong != std::errc() || stop != name.data() + name.size() || pid == ::getpid()) continue;
    if (has_open(pid, inodes)) found.insert(pid);
  }
  return found;
}

std::string describe(pid_t pid) {
  std::ifstream in(folder_of(pid) / "comm");
  std::string program;
  std::getline(in, program);
  std::string text = program.empty() ? "a process" : visible(program);
  text += " (pid " + std::to_string(pid);
  struct stat status {};
  if (::stat(folder_of(pid).c_str(), &status) == 0) text += ", user " + user_name(status.st_uid);
  return text + ")";
}

}  // namespace

std::string lock_holders(std::span<const std::filesystem::path> files) {
  Inodes inodes;
  for (const std::filesystem::path& file : files) {
    struct stat status {};
    if (::stat(file.c_str(), &status) == 0) inodes.insert(status.st_ino);
  }
  if (inodes.empty()) return {};
  std::set<pid_t> holders = holders_by_kernel(inodes);
  if (holders.empty()) holders = who_has_open(inodes);
  std::string text;
  for (const pid_t pid : holders) text += (text.empty() ? "" : ", ") + describe(pid);
  return text;
}

}  // namespace diskrelease
