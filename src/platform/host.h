#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace diskrelease {

/// Who and where this process is, for the record.
struct ProcessIdentity {
  /// Login name of the real user id, else the number; and who stands behind it, see
  /// recorded_user().
  std::string user;
  std::string host;
  std::int64_t pid = 0;
};

[[nodiscard]] ProcessIdentity process_identity();

/// Where this process comes from; empty = not known. The last two are what the environment says,
/// which anybody can set: reduced to what a name or an address can have.
struct ProcessOrigin {
  std::string login_user;  ///< /proc/self/loginuid
  std::string terminal;    ///< of standard input, else of standard error
  std::string sudo_user;   ///< SUDO_USER
  std::string ssh_client;  ///< the first word of SSH_CONNECTION
};

[[nodiscard]] ProcessOrigin process_origin();

/// Login name of a user id, else the number.
[[nodiscard]] std::string user_name(std::uint32_t id);

/// "root (sudo: alice)" where SUDO_USER names somebody else, "root (login: alice)" where the kernel
/// says that somebody else has logged in (/proc/self/loginuid), both where they differ. An empty
/// text = nothing is known. SUDO_USER is what the environment says: anybody can set it for a
/// process of his own, so what the kernel says is never left out for it.
[[nodiscard]] std::string recorded_user(const std::string& user, const std::string& sudo_user,
                                        const std::string& login_user);

/// One boot of this machine, as its kernel names it.
struct BootId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend bool operator==(const BootId&, const BootId&) = default;
};

/// nullopt when the kernel does not tell.
[[nodiscard]] std::optional<BootId> boot_id();

/// Sees to it that `more` descriptors can be opened beyond those that are open, and raises this
/// process's soft limit where it has to. False: the hard limit, up to which it is raised then, does
/// not allow so many.
[[nodiscard]] bool make_room_for_open_files(std::size_t more);

/// An environment variable; nullopt when unset or empty.
[[nodiscard]] std::optional<std::string> environment_variable(const char* name);

/// $XDG_STATE_HOME/diskrelease, else ~/.local/state/diskrelease. Nothing is created. nullopt when
/// neither variable nor home directory is known.
[[nodiscard]] std::optional<std::filesystem::path> state_directory();

/// Whether what is in a folder outlives the processes of this machine but never its boot (tmpfs).
[[nodiscard]] bool is_in_memory(const std::filesystem::path& folder);

/// A folder for which that is so: $RUNTIME_DIRECTORY, as systemd sets it for a service that asks
/// for one; else /dev/shm, for which it is not looked at. Nothing is created.
[[nodiscard]] std::filesystem::path memory_directory();

/// $XDG_CONFIG_HOME/diskrelease, else ~/.config/diskrelease. Nothing is created.
[[nodiscard]] std::optional<std::filesystem::path> config_directory();

}  // namespace diskrelease
