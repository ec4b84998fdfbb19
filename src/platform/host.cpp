#include "platform/host.h"

#include <linux/magic.h>
#include <pwd.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "model/visible_text.h"

namespace diskrelease {
namespace {

std::optional<passwd> password_entry(uid_t id, std::array<char, 4096>& buffer) {
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(id, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  return entry;
}

std::optional<std::filesystem::path> xdg_directory(const char* variable, const char* below_home) {
  // The XDG base directory specification: a relative path in the variable is to be ignored.
  if (const auto value = environment_variable(variable); value && value->front() == '/') {
    return std::filesystem::path(*value) / "diskrelease";
  }
  std::array<char, 4096> buffer{};
  std::optional<std::string> home = environment_variable("HOME");
  if (!home) {
    if (const auto entry = password_entry(::getuid(), buffer)) home = entry->pw_dir;
  }
  if (!home || home->empty()) return std::nullopt;
  return std::filesystem::path(*home) / below_home / "diskrelease";
}

/// Made visible, and without the signs by which recorded_user() tells its parts apart, so that
/// nobody can pretend to be more than one.
std::string name_from_outside(const std::string& name) {
  constexpr std::size_t longest = 64;  // twice what useradd allows
  std::string text = visible(name, longest);
  std::ranges::replace_if(
      text, [](char c) { return std::string_view(" ,:()").find(c) != std::string_view::npos; },
      '?');
  return text;
}

/// As the kernel keeps it from the login on (pam_loginuid); empty for who never logged in, as a
/// service.
std::string login_user() {
  constexpr std::uint32_t nobody_logged_in = 0xFFFFFFFF;
  std::ifstream in("/proc/self/loginuid");
  std::uint32_t id = nobody_logged_in;
  if (!(in >> id) || id == nobody_logged_in) return {};
  return user_name(id);
}

}  // namespace

std::string user_name(std::uint32_t id) {
  std::array<char, 4096> buffer{};
  const auto entry = password_entry(id, buffer);
  return entry ? entry->pw_name : std::to_string(id);
}

std::string recorded_user(const std::string& user, const std::string& sudo_user,
                          const std::string& login_user) {
  std::string behind;
  if (!sudo_user.empty() && sudo_user != user) behind = "sudo: " + name_from_outside(sudo_user);
  if (!login_user.empty() && login_user != user && login_user != sudo_user) {
    behind += (behind.empty() ? "login: " : ", login: ") + login_user;
  }
  return behind.empty() ? user : user + " (" + behind + ")";
}

ProcessIdentity process_identity() {
  ProcessIdentity identity;
  identity.user = recorded_user(user_name(::getuid()),
                                environment_variable("SUDO_USER").value_or(""), login_user());
  std::array<char, 256> host{};
  identity.host = ::gethostname(host.data(), host.size() - 1) == 0 ? host.data() : "unknown";
  identity.pid = ::getpid();
  return identity;
}

ProcessOrigin process_origin() {
  ProcessOrigin origin;
  origin.login_user = login_user();
  std::array<char, 256> terminal{};
  for (const int descriptor : {STDIN_FILENO, STDERR_FILENO}) {
    if (!origin.terminal.empty()) break;
    if (::ttyname_r(descriptor, terminal.data(), terminal.size()) == 0) {
      origin.terminal = terminal.data();
    }
  }
  if (const auto sudo = environment_variable("SUDO_USER")) {
    origin.sudo_user = name_from_outside(*sudo);
  }
  if (const auto ssh = environment_variable("SSH_CONNECTION")) {
    const std::string address = ssh->substr(0, ssh->find(' '));
    constexpr std::string_view k_of_addresses = "0123456789abcdefABCDEF.:%";
    if (address.size() <= 64 && address.find_first_not_of(k_of_addresses) == std::string::npos) {
      origin.ssh_client = address;
    }
  }
  return origin;
}

std::optional<BootId> boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string digits;
  if (!(in >> digits)) return std::nullopt;
  std::erase(digits, '-');
  BootId boot;
  const char* const begin = digits.data();
  const char* const middle = begin + std::min<std::size_t>(digits.size(), 16);
  const char* const end = begin + digits.size();
  const auto high = std::from_chars(begin, middle, boot.high, 16);
  const auto low = std::from_chars(middle, end, boot.low, 16);
  const bool read = digits.size() == 32 && high.ec == std::errc() && high.ptr == middle &&
                    low.ec == std::errc() && low.ptr == end;
  if (!read) return std::nullopt;
  return boot;
}

bool make_room_for_open_files(std::size_t more) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return true;  // whoever opens one will find out
  // The lowest free number. Few are open beyond it.
  const int probe = ::eventfd(0, EFD_CLOEXEC);
  const rlim_t open = probe >= 0 ? static_cast<rlim_t>(probe) : limit.rlim_cur;
  if (probe >= 0) ::close(probe);
  const rlim_t needed = open + more;
  if (limit.rlim_cur >= needed) return true;
  // Not to what is needed now: others in this process may count on the same room.
  constexpr rlim_t plenty = 65'536;
  limit.rlim_cur = std::min(std::max(needed, plenty), limit.rlim_max);
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= needed;
}

std::optional<std::string> environment_variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets variables
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

std::optional<std::filesystem::path> state_directory() {
  return xdg_directory("XDG_STATE_HOME", ".local/state");
}

bool is_in_memory(const std::filesystem::path& folder) {
  struct statfs status {};
  return ::statfs(folder.c_str(), &status) == 0 && status.f_type == TMPFS_MAGIC;
}

std::filesystem::path memory_directory() {
  // Several are separated by colons.
  const std::string first = environment_variable("RUNTIME_DIRECTORY").value_or("");
  const std::filesystem::path folder = first.substr(0, first.find(':'));
  return folder.is_absolute() && is_in_memory(folder) ? folder : "/dev/shm";
}

std::optional<std::filesystem::path> config_directory() {
  return xdg_directory("XDG_CONFIG_HOME", ".config");
}

}  // namespace diskrelease
