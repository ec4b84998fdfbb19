#pragma once

#include <filesystem>
#include <string>

namespace diskrelease {

/// A path in a message: whole, made safe for a terminal or a log line (model/visible_text.h).
[[nodiscard]] std::string shown(const std::filesystem::path& path);

/// A path as a word of a shell command that a message suggests: quoted where it has to be, control
/// characters and bytes that are not UTF-8 in the form $'\033' of bash and POSIX 2024.
[[nodiscard]] std::string shell_word(const std::filesystem::path& path);

}  // namespace diskrelease
