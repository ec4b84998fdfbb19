#include "platform/file_access.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <set>

#include "model/shown_path.h"
#include "platform/host.h"

namespace diskrelease {
namespace {

std::string mode_text(mode_t mode) {
  std::array<char, 8> digits{};
  static_cast<void>(std::snprintf(digits.data(), digits.size(), "%04o", mode & 07777U));
  return digits.data();
}

/// "it belongs to root and has mode 0600"; empty for what cannot be examined.
std::string ownership_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return "it belongs to " + user_name(status.st_uid) + " and has mode " + mode_text(status.st_mode);
}

/// False for a matter of owner and mode only.
bool is_allowed(const std::filesystem::path& path, int wanted) {
  return ::faccessat(AT_FDCWD, path.c_str(), wanted, AT_EACCESS) == 0 || errno != EACCES;
}

/// The first folder on the way to a file that does not let this user through; for who writes, also
/// the last one where nothing may be made in it.
std::optional<std::filesystem::path> folder_in_the_way(const std::filesystem::path& file,
                                                       bool writes) {
  std::filesystem::path folder;
  const std::filesystem::path last = file.parent_path();
  for (const std::filesystem::path& name : last) {
    folder /= name;
    if (!is_allowed(folder, X_OK)) return folder;
  }
  if (folder.empty()) folder = ".";
  if (writes && !is_allowed(folder, W_OK | X_OK)) return folder;
  return std::nullopt;
}

}  // namespace

std::string files_of_others(std::span<const std::filesystem::path> files, FileUse use) {
  const bool writes = use == FileUse::read_and_write;
  const uid_t me = ::geteuid();
  std::string named;
  std::string foreign;
  std::string own;
  std::set<std::filesystem::path> folders;
  for (const std::filesystem::path& file : files) {
    if (const auto folder = folder_in_the_way(file, writes)) folders.insert(*folder);
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) continue;
    if (is_allowed(file, writes ? R_OK | W_OK : R_OK)) continue;
    named += "\n" + shown(file) + " cannot be " + (writes ? "written" : "read") + " by user " +
             user_name(me) + ": " + ownership_of(file);
    (status.st_uid == me ? own : foreign) += " " + shell_word(file);
  }
  std::string fix;
  const auto add_fix = [&](const std::string& command) {
    fix += (fix.empty() ? "\n  fix:  " : "; ") + command;
  };
  for (const std::filesystem::path& folder : folders) {
    named += "\n" + shown(folder) + ": user " + user_name(me) +
             " may not work in this folder: " + ownership_of(folder);
    // Never a command: the folder may be one of the system's.
    add_fix("choose another folder, or give this one to " + user_name(me) +
            " if it is for diskrelease alone");
  }
  if (!foreign.empty()) add_fix("sudo chown " + user_name(me) + foreign);
  if (!own.empty()) add_fix("chmod u+rw" + own);
  return named.empty() ? std::string() : named.substr(1) + fix;
}

std::string reason_for_no_access(const std::filesystem::path& file, FileUse use) {
  const std::string text = files_of_others({&file, 1}, use);
  return text.empty() ? text : ": " + text;
}

}  // namespace diskrelease
