#include "model/shown_path.h"

#include <string_view>

#include "model/visible_text.h"

namespace diskrelease {
namespace {

constexpr std::string_view k_plain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";

/// In the quotes of $'...'. An octal escape ends after three digits, whatever follows.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\'' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      result += '\\';
      result += static_cast<char>('0' + (byte >> 6));
      result += static_cast<char>('0' + (byte >> 3 & 7));
      result += static_cast<char>('0' + (byte & 7));
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace

std::string shown(const std::filesystem::path& path) {
  return visible(path.string(), path.string().size());
}

std::string shell_word(const std::filesystem::path& path) {
  const std::string& text = path.native();
  if (!text.empty() && text.find_first_not_of(k_plain) == std::string::npos) return text;
  if (shown(path) != text) return "$'" + escaped(text) + "'";
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

}  // namespace diskrelease
