#include "input/csv_layout.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "input/csv_row.h"
#include "input/line_reader.h"
#include "input/list_output.h"

namespace diskrelease {
namespace {

constexpr std::string_view k_delimiters = ",;\t";

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool is_plain_id_name(std::string_view cell) { return lower_case(trim_blanks(cell)) == "id"; }

template <typename Matches>
std::vector<std::size_t> matching_columns(std::span<const std::string> row, Matches matches) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (matches(row[i])) found.push_back(i);
  }
  return found;
}

std::string list_columns(std::span<const std::string> row) {
  constexpr std::size_t k_shown = 20;
  std::string text;
  for (std::size_t i = 0; i < std::min(row.size(), k_shown); ++i) {
    text += (i == 0 ? "" : ", ") + quote_text(trim_blanks(row[i]));
  }
  if (row.size() > k_shown) text += " and " + std::to_string(row.size() - k_shown) + " more";
  return text;
}

std::string count_columns(std::size_t count) {
  return count == 1 ? "1 column" : std::to_string(count) + " columns";
}

std::variant<CsvColumn, std::string> only_one(const std::vector<std::size_t>& found,
                                              std::span<const std::string> row) {
  if (found.size() == 1) return CsvColumn{found.front(), true};
  return std::to_string(found.size()) + " columns could hold the disk ids, " +
         quote_text(trim_blanks(row[found[0]])) + " and " + quote_text(trim_blanks(row[found[1]])) +
         "; say which one by its number, e.g. --column " + std::to_string(found[0] + 1);
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::variant<CsvColumn, std::string> numbered_column(std::span<const std::string> row,
                                                     const std::string& wanted) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), number);
  if (error != std::errc() || number == 0 || number > row.size()) {
    return "there is no column " + quote_text(wanted) +
           "; columns are counted from 1, and the first " + "row has " + count_columns(row.size()) +
           ": " + list_columns(row);
  }
  return CsvColumn{number - 1, std::ranges::any_of(row, is_id_column_name)};
}

std::variant<CsvColumn, std::string> named_column(std::span<const std::string> row,
                                                  const std::string& wanted) {
  const std::string name = lower_case(trim_blanks(wanted));
  const auto found = matching_columns(
      row, [&](const std::string& cell) { return lower_case(trim_blanks(cell)) == name; });
  if (found.empty()) {
    return "no column is named " + quote_text(wanted) + "; the first row has " +
           count_columns(row.size()) + ": " + list_columns(row);
  }
  return only_one(found, row);
}

bool shows_a_header(std::string_view first_row, char delimiter,
                    const std::optional<std::string>& wanted_column) {
  CsvRow row(delimiter);
  while (!first_row.empty()) {
    const std::size_t line_end = first_line_end(first_row);
    const CsvRow::State state = row.feed(first_row.substr(0, line_end));
    first_row.remove_prefix(line_end);
    first_row.remove_prefix(std::min(first_row.find_first_not_of("\r\n"), first_row.size()));
    if (state == CsvRow::State::complete) break;
  }
  const auto column = find_id_column(row.cells(), wanted_column);
  const auto* found = std::get_if<CsvColumn>(&column);
  return found != nullptr && found->has_header;
}

}  // namespace

bool is_disk_id_name(std::string_view cell) {
  std::string name = lower_case(trim_blanks(cell));
  std::erase_if(name, [](char c) { return c == ' ' || c == '_' || c == '-'; });
  return name == "diskid";
}

bool is_id_column_name(std::string_view cell) {
  return is_disk_id_name(cell) || is_plain_id_name(cell);
}

std::variant<CsvColumn, std::string> find_id_column(std::span<const std::string> first_row,
                                                    const std::optional<std::string>& wanted) {
  if (wanted) {
    return is_number(*wanted) ? numbered_column(first_row, *wanted)
                              : named_column(first_row, *wanted);
  }
  if (const auto found = matching_columns(first_row, is_disk_id_name); !found.empty()) {
    return only_one(found, first_row);
  }
  if (const auto found = matching_columns(first_row, is_plain_id_name); !found.empty()) {
    return only_one(found, first_row);
  }
  if (first_row.size() == 1) return CsvColumn{0, false};
  return "the first row has " + count_columns(first_row.size()) +
         " and none is named diskId, disk_id or id, so it is not clear which one holds the disk "
         "ids: " +
         list_columns(first_row) + "; say which with --column NAME or --column NUMBER";
}

std::optional<std::string_view> named_delimiter(std::string_view first_line) {
  if (first_line.size() >= 2 && first_line.starts_with('"') && first_line.ends_with('"')) {
    first_line = first_line.substr(1, first_line.size() - 2);
  }
  constexpr std::string_view k_name = "sep=";
  if (lower_case(first_line.substr(0, k_name.size())) != k_name) return std::nullopt;
  first_line.remove_prefix(k_name.size());
  const bool one_character_again =
      !first_line.empty() &&
      first_line.find_first_not_of(first_line.front()) == std::string_view::npos;
  return one_character_again ? first_line.substr(0, 1) : first_line;
}

std::string_view id_of_cell(std::string_view cell) noexcept {
  cell = trim_blanks(cell);
  if (cell.size() > 3 && cell.starts_with("=\"") && cell.ends_with('"')) {
    const std::string_view inner = cell.substr(2, cell.size() - 3);
    return inner.find('"') == std::string_view::npos ? trim_blanks(inner) : cell;
  }
  if (cell.size() > 1 && cell.front() == '\'' &&
      (is_number(cell.substr(1)) ||
       std::string_view("=+-@").find(cell[1]) != std::string_view::npos)) {
    return cell.substr(1);
  }
  return cell;
}

std::variant<char, std::string> find_delimiter(std::string_view beginning,
                                               const std::optional<std::string>& wanted_column) {
  for (;;) {
    beginning.remove_prefix(std::min(beginning.find_first_not_of("\r\n"), beginning.size()));
    if (!beginning.starts_with('#')) break;
    beginning.remove_prefix(first_line_end(beginning));
  }
  std::string candidates;
  bool in_quotes = false;
  std::size_t end = 0;
  for (; end < beginning.size(); ++end) {
    const char c = beginning[end];
    if (c == '"') in_quotes = !in_quotes;
    if (in_quotes) continue;
    if (c == '\n' || c == '\r') break;
    if (k_delimiters.find(c) != std::string_view::npos && candidates.find(c) == std::string::npos) {
      candidates += c;
    }
  }
  if (candidates.empty()) return k_delimiters.front();
  if (candidates.size() == 1) return candidates.front();

  const std::string_view first_row = beginning.substr(0, end);
  std::erase_if(candidates, [&](char c) { return !shows_a_header(first_row, c, wanted_column); });
  if (candidates.size() == 1) return candidates.front();
  return std::string(
      "the first row holds more than one of comma, semicolon and tab outside quotes, so the "
      "delimiter is not clear; add a header row with the name diskId, or put cells that hold such "
      "a character into quotes");
}

}  // namespace diskrelease
