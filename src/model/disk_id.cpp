#include "model/disk_id.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace diskrelease {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_allowed(char c) noexcept {
  return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' ||
         c == '-';
}

/// [+|-] digits [ (.|,) digits ] (e|E) [+|-] digits. The decimal comma is what a spreadsheet writes
/// in many locales.
bool is_scientific_notation(std::string_view text) noexcept {
  std::size_t at = !text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0;
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

bool is_letter(char c) noexcept { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

/// "862857.0", "862.857.204", "8,62", "-862857": digits with marks that no id of digits has.
bool is_formatted_number(std::string_view text) noexcept {
  const bool has_sign = !text.empty() && (text[0] == '+' || text[0] == '-');
  if (has_sign) text.remove_prefix(1);
  bool has_digit = false;
  bool has_mark = has_sign;
  for (const char c : text) {
    if (is_digit(c)) {
      has_digit = true;
    } else if (c == '.' || c == ',') {
      has_mark = true;
    } else {
      return false;
    }
  }
  return has_digit && has_mark;
}

/// The letters of a text in lower case, so that "N/A", "n.a." and "#N/A" are one word; empty for a
/// text that holds a digit or is long.
std::string word_of(std::string_view text) {
  constexpr std::size_t k_longest = 24;
  std::string word;
  if (text.size() > k_longest) return word;
  for (const char c : text) {
    if (is_digit(c) || static_cast<unsigned char>(c) >= 0x80) return {};
    if (is_letter(c)) word += static_cast<char>(c | 0x20);
  }
  return word;
}

constexpr std::array<std::string_view, 25> k_placeholders = {
    "null",    "none",  "nil",     "na",   "nan",   "nat",   "undefined", "inf",      "infinity",
    "unknown", "empty", "missing", "true", "false", "total", "totals",    "subtotal", "grandtotal",
    "sum",     "count", "rows",    "ref",  "value", "err",   "error"};

constexpr std::array<std::string_view, 17> k_column_names = {
    "id",       "ids",        "diskid",   "diskids", "disk",      "disks",
    "volumeid", "volumeids",  "volume",   "volumes", "uuid",      "name",
    "diskname", "resourceid", "diskuuid", "volid",   "instanceid"};

std::optional<DiskIdProblem> problem_of_entry(std::string_view text) {
  if (is_formatted_number(text)) return DiskIdProblem::formatted_number;
  if (std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }) &&
      std::ranges::none_of(text, [](char c) { return is_digit(c) || is_letter(c); })) {
    return DiskIdProblem::no_letter_or_digit;
  }
  const std::string word = word_of(text);
  const auto is = [&](std::string_view known) { return word == known; };
  if (std::ranges::any_of(k_placeholders, is)) return DiskIdProblem::placeholder;
  if (std::ranges::any_of(k_column_names, is)) return DiskIdProblem::column_name;
  return std::nullopt;
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
    case DiskIdProblem::formatted_number:
      return "is a number with a sign, a decimal point or thousands separators: a program has "
             "changed the id; export the column as text";
    case DiskIdProblem::placeholder:
      return "is a word for no value or for a sum, not a disk id; correct the export, or remove "
             "the entry";
    case DiskIdProblem::column_name:
      return "is the name of a column, not a disk id";
    case DiskIdProblem::no_letter_or_digit:
      return "has no letter and no digit: a placeholder, or a line of a drawn table; remove it";
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

std::variant<DiskId, DiskIdProblem> DiskId::parse_entry(std::string_view text) {
  if (!text.empty() && text.size() <= k_max_bytes && !is_scientific_notation(text)) {
    if (const auto problem = problem_of_entry(text)) return *problem;
  }
  return parse(text);
}

}  // namespace diskrelease
