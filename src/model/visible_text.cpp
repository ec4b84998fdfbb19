#include "model/visible_text.h"

#include <cstdint>
#include <cstring>

namespace diskrelease {
namespace {

unsigned byte_at(std::string_view text, std::size_t index) noexcept {
  return static_cast<unsigned char>(text[index]);
}

bool disturbs_a_line(char32_t code) noexcept {
  if (code < 0x20 || (code >= 0x7F && code <= 0x9F)) return true;
  if (code == 0x061C || code == 0x200E || code == 0x200F) return true;
  return (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

void append_escaped(std::string& out, std::string_view bytes) {
  constexpr std::string_view k_digits = "0123456789abcdef";
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    out += "\\x";
    out += k_digits[value >> 4U];
    out += k_digits[value & 0x0FU];
  }
}

}  // namespace

// The ranges are those of table 3-7 of the Unicode standard.
Character first_character(std::string_view text) noexcept {
  const unsigned lead = byte_at(text, 0);
  if (lead < 0x80) return {static_cast<char32_t>(lead), 1};

  std::size_t bytes = 0;
  char32_t code = 0;
  unsigned second_from = 0x80;
  unsigned second_to = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    bytes = 2;
    code = lead & 0x1FU;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    bytes = 3;
    code = lead & 0x0FU;
    if (lead == 0xE0) second_from = 0xA0;
    if (lead == 0xED) second_to = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    bytes = 4;
    code = lead & 0x07U;
    if (lead == 0xF0) second_from = 0x90;
    if (lead == 0xF4) second_to = 0x8F;
  } else {
    return {};
  }
  if (text.size() < bytes) return {};
  for (std::size_t i = 1; i < bytes; ++i) {
    const unsigned next = byte_at(text, i);
    const bool fits =
        i == 1 ? next >= second_from && next <= second_to : next >= 0x80 && next <= 0xBF;
    if (!fits) return {};
    code = (code << 6U) | (next & 0x3FU);
  }
  return {code, bytes};
}

std::string visible(std::string_view text, std::size_t max_bytes) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const Character character = first_character(text.substr(at));
    const std::size_t bytes = character.bytes == 0 ? 1 : character.bytes;
    if (at + bytes > max_bytes) return out + "...";
    const std::string_view source = text.substr(at, bytes);
    if (character.bytes == 0 || disturbs_a_line(character.code)) {
      append_escaped(out, source);
    } else {
      out += source;
    }
    at += bytes;
  }
  return out;
}

bool is_utf8(std::string_view text) noexcept {
  constexpr std::uint64_t k_high_bits = 0x8080808080808080U;
  while (!text.empty()) {
    std::uint64_t word = k_high_bits;
    if (text.size() >= sizeof word) std::memcpy(&word, text.data(), sizeof word);
    if ((word & k_high_bits) == 0) {  // eight ASCII characters at once: lists are mostly that
      text.remove_prefix(sizeof word);
      continue;
    }
    const Character character = first_character(text);
    if (character.bytes == 0) return false;
    text.remove_prefix(character.bytes);
  }
  return true;
}

}  // namespace diskrelease
