#include "model/disk_id.h"

#include <algorithm>

namespace diskrelease {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_allowed(char c) noexcept {
  return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' ||
         c == '-';
}

/// digits [ (.|,) digits ] (e|E) [+|-] digits. The decimal comma is what a spreadsheet writes in
/// many locales.
bool is_scientific_notation(std::string_view text) noexcept {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t from = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at > from;
  };
  if (!digits()) return false;
  if (at < text.size() && (text[at] == '.' || text[at] == ',')) {
    ++at;
    if (!digits()) return false;
  }
  if (at == text.size() || (text[at] != 'e' && text[at] != 'E')) return false;
  ++at;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
  return digits() && at == text.size();
}

}  // namespace

std::string_view describe(DiskIdProblem problem) noexcept {
  switch (problem) {
    case DiskIdProblem::empty:
      return "is empty";
    case DiskIdProblem::too_long:
      return "is longer than 128 bytes";
    case DiskIdProblem::scientific_notation:
      return "is a number in scientific notation: a spreadsheet has destroyed the id; "
             "export the column as text";
    case DiskIdProblem::bad_character:
      return "has a character outside A-Z a-z 0-9 . _ -";
  }
  return "is not valid";
}

std::variant<DiskId, DiskIdProblem> DiskId::parse(std::string_view text) {
  if (text.empty()) return DiskIdProblem::empty;
  if (text.size() > k_max_bytes) return DiskIdProblem::too_long;
  if (is_scientific_notation(text)) return DiskIdProblem::scientific_notation;
  if (!std::ranges::all_of(text, is_allowed)) return DiskIdProblem::bad_character;
  return DiskId(text);
}

}  // namespace diskrelease
