#include "api/blanking.h"

#include <algorithm>
#include <optional>

namespace diskrelease {
namespace {

constexpr std::string_view k_blank = "[secret]";
/// A secret has at most 4 KiB, and an escaped one six times as much.
constexpr std::size_t k_longest_text = std::size_t{64} * 1024;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::optional<unsigned> hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10U;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10U;
  return {};
}

std::optional<char> hex_byte(std::string_view text) noexcept {
  if (text.size() < 2) return {};
  const auto high = hex_digit(text[0]);
  const auto low = hex_digit(text[1]);
  if (!high || !low) return {};
  return static_cast<char>(static_cast<unsigned char>(*high * 16U + *low));
}

/// How many bytes at the beginning of the text stand for this character; 0 = none do.
std::size_t length_of(char wanted, std::string_view text) noexcept {
  const auto is_wanted = [&](char c) { return lower(c) == lower(wanted); };
  if (text.empty()) return 0;
  if (is_wanted(text.front())) return 1;
  if (text.front() == '%') {
    const auto byte = hex_byte(text.substr(1));
    return byte && is_wanted(*byte) ? 3 : 0;
  }
  if (text.front() != '\\' || text.size() < 2) return 0;
  if (text.substr(1).starts_with("u00")) {
    const auto byte = hex_byte(text.substr(4));
    return byte && is_wanted(*byte) ? 6 : 0;
  }
  return is_wanted(text[1]) ? 2 : 0;
}

/// How many bytes at the beginning of the text are this secret; 0 = they are not.
std::size_t length_of(std::string_view secret, std::string_view text) noexcept {
  std::size_t length = 0;
  for (std::size_t i = 0; i < secret.size(); ++i) {
    const std::size_t next = length_of(secret[i], text.substr(length));
    if (next == 0) {
      const bool is_cut = length == text.size() && i >= Blanking::k_shortest_part;
      return is_cut ? length : 0;
    }
    length += next;
  }
  return length;
}

}  // namespace

Blanking::Blanking(const Credential& credential) { add(credential.secret.reveal()); }

Blanking::Blanking(const Credential& credential, const HttpRequest& request)
    : Blanking(credential) {
  constexpr std::string_view k_signature = "Signature=";
  for (const auto& [name, value] : request.headers) {
    if (name != "Authorization") continue;
    const std::size_t at = value.rfind(k_signature);
    if (at != std::string::npos) add(std::string_view(value).substr(at + k_signature.size()));
  }
}

void Blanking::add(std::string_view secret) {
  if (secret.size() >= k_shortest_secret) secrets_.emplace_back(std::string(secret));
}

std::string Blanking::operator()(std::string_view text) const {
  text = text.substr(0, k_longest_text);
  std::string shown;
  while (!text.empty()) {
    std::size_t length = 0;
    for (const Secret& secret : secrets_) {
      length = std::max(length, length_of(secret.reveal(), text));
    }
    if (length == 0) {
      shown.push_back(text.front());
      text.remove_prefix(1);
    } else {
      shown.append(k_blank);
      text.remove_prefix(length);
    }
  }
  return shown;
}

}  // namespace diskrelease
