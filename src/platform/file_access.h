#pragma once

#include <filesystem>
#include <span>
#include <string>

namespace diskrelease {

enum class FileUse { read, read_and_write };

/// "it belongs to root and has mode 0600"; empty for what cannot be examined.
[[nodiscard]] std::string ownership_of(const std::filesystem::path& path);

/// Which of the files, and of the folders that they are in, this user may not use because of their
/// owner and mode, and the command that puts that right: several lines. Files that do not exist do
/// not count. Empty = none.
[[nodiscard]] std::string files_of_others(std::span<const std::filesystem::path> files,
                                          FileUse use);

}  // namespace diskrelease
