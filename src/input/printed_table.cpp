#include "input/printed_table.h"

#include <algorithm>

#include "input/line_reader.h"

namespace diskrelease {
namespace {

constexpr std::string_view k_gap = "  ";

bool is_column_name(std::string_view text) noexcept {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

bool begins_character(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

/// Where the character with that number begins; npos if the text is shorter.
std::size_t place_of(std::string_view text, std::size_t number) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (begins_character(text[i]) && number-- == 0) return i;
  }
  return std::string_view::npos;
}

}  // namespace

std::optional<PrintedTable> PrintedTable::of_header(std::string_view line) {
  std::optional<std::size_t> column;
  std::size_t names = 0;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    const std::string_view name = line.substr(at, end - at);
    if (!is_column_name(name)) return std::nullopt;
    ++names;
    if (name == "disk_id") {
      if (column) return std::nullopt;
      column = at;
    }
    const std::size_t next = std::min(line.find_first_not_of(' ', end), line.size());
    if (next < line.size() && next - end < k_gap.size()) return std::nullopt;
    at = next;
  }
  if (names < 2 || !column) return std::nullopt;
  return PrintedTable(*column);
}

std::optional<std::string_view> PrintedTable::disk_id(std::string_view row) const {
  const std::size_t begin = place_of(row, column_);
  if (begin == std::string_view::npos || row[begin] == ' ') return std::nullopt;
  if (begin > 0 && !row.substr(0, begin).ends_with(k_gap)) return std::nullopt;
  const std::string_view cell = row.substr(begin);
  const std::size_t end = std::min(cell.find(' '), cell.size());
  const bool ends_here = end == cell.size() || cell.substr(end).starts_with(k_gap) ||
                         cell.find_first_not_of(' ', end) == std::string_view::npos;
  return ends_here ? std::optional(cell.substr(0, end)) : std::nullopt;
}

bool holds_printed_table(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = first_line_end(text);
    if (PrintedTable::of_header(text.substr(0, end))) return true;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

}  // namespace diskrelease
