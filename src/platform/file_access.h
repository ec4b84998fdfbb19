#pragma once

#include <filesystem>
#include <span>
#include <string>

namespace diskrelease {

enum class FileUse { read, read_and_write };

/// Which of the files, and of the folders that they are in, this user may not use because of their
/// owner and mode, and the command that puts that right: several lines. Files that do not exist do
/// not count. Empty = none.
[[nodiscard]] std::string files_of_others(std::span<const std::filesystem::path> files,
                                          FileUse use);
/// Of one file, behind ": "; for the message about its error EACCES, for which it is the reason.
[[nodiscard]] std::string reason_for_no_access(const std::filesystem::path& file, FileUse use);

}  // namespace diskrelease
