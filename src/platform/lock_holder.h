#pragma once

#include <filesystem>
#include <span>
#include <string>

namespace diskrelease {

/// Who else holds a write lock of the kernel (fcntl) on one of the files, for messages only:
/// "sqlite3 (pid 4711, user alice)", several separated by ", ". Where the kernel does not tell, the
/// processes that have one of them open, as far as this user may look. Empty = nobody was found.
[[nodiscard]] std::string lock_holders(std::span<const std::filesystem::path> files);

}  // namespace diskrelease
