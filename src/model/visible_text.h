#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace diskrelease {

/// Text from outside made safe for a terminal or a log line: control characters (C0, DEL, C1, the
/// Unicode line and paragraph separators and bidirectional controls), and bytes that are not UTF-8,
/// are written as \xNN a byte, in lower case; a backslash stays as it is. At most `max_bytes` of
/// the input are used, never cutting a character in two; "..." marks a cut.
[[nodiscard]] std::string visible(std::string_view text, std::size_t max_bytes = 400);

struct Character {
  char32_t code = 0;
  std::size_t bytes = 0;  ///< 0 = the text does not begin with a well-formed character
};

/// The first character of a text in UTF-8 that is not empty.
[[nodiscard]] Character first_character(std::string_view text) noexcept;

/// True if the text is well-formed UTF-8 (no overlong form, no surrogate, nothing above U+10FFFF).
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace diskrelease
