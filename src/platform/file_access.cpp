#include "platform/file_access.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "model/shown_path.h"
#include "platform/host.h"

namespace diskrelease {
namespace {

std::string mode_text(mode_t mode) {
  std::array<char, 8> digits{};
  std::snprintf(digits.data(), digits.size(), "%04o", mode & 07777U);
  return digits.data();
}

}  // namespace

std::string ownership_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return "it belongs to " + user_name(status.st_uid) + " and has mode " + mode_text(status.st_mode);
}

std::string files_of_others(std::span<const std::filesystem::path> files, FileUse use) {
  const uid_t me = ::geteuid();
  std::string named;
  std::string foreign;
  std::string own;
  for (const std::filesystem::path& file : files) {
    const bool writes = use == FileUse::read_and_write;
    const int wanted = writes ? R_OK | W_OK : R_OK;
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) continue;
    if (::faccessat(AT_FDCWD, file.c_str(), wanted, AT_EACCESS) == 0 || errno != EACCES) continue;
    named += (named.empty() ? "" : "\n") + shown(file) + " cannot be " +
             (writes ? "written" : "read") + " by user " + user_name(me) + ": " +
             ownership_of(file);
    (status.st_uid == me ? own : foreign) += " " + shell_word(file);
  }
  if (named.empty()) return {};
  std::string fix = foreign.empty() ? "" : "sudo chown " + user_name(me) + foreign;
  if (!own.empty()) fix += std::string(fix.empty() ? "" : "; ") + "chmod u+rw" + own;
  return named + "\n  fix:  " + fix;
}

}  // namespace diskrelease
