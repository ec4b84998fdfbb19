#include "model/size.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace diskrelease {
namespace {

constexpr std::array<std::pair<std::string_view, int>, 5> k_units = {
    {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}}};

bool same_in_any_case(char a, char b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
  return lower(a) == lower(b);
}

}  // namespace

std::optional<std::int64_t> parse_size(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || text.starts_with('-')) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty()) return number;
  for (const auto& [unit, bits] : k_units) {
    if (!std::ranges::equal(text, unit, same_in_any_case)) continue;
    if (number > std::numeric_limits<std::int64_t>::max() >> bits) return std::nullopt;
    return number << bits;
  }
  return std::nullopt;
}

std::string format_size(std::int64_t bytes) {
  for (const auto& [unit, bits] : k_units) {
    if (bits > 0 && bytes >= std::int64_t{1} << bits && (bytes >> bits) << bits == bytes) {
      return std::to_string(bytes >> bits) + std::string(unit);
    }
  }
  return std::to_string(bytes);
}

}  // namespace diskrelease
