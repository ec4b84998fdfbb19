#include "report/table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ostream>
#include <utility>

#include "model/visible_text.h"
#include "report/json_object.h"

namespace diskrelease {
namespace {

/// The shortest text that reads back as the same number.
std::string text_of(double number) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  return {text.data(), end};
}

std::string plain(const Cell& cell) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) return std::to_string(*number);
  if (const auto* number = std::get_if<double>(&cell)) return text_of(*number);
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  return {};
}

/// Columns on a terminal: bytes that begin a character.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

std::string object_of(const std::vector<std::string>& columns, const std::vector<Cell>& row) {
  JsonObject object;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (const auto* number = std::get_if<std::int64_t>(&row[i])) {
      object.add(columns[i], *number);
    } else if (const auto* real = std::get_if<double>(&row[i])) {
      object.add(columns[i], *real);
    } else if (const auto* text = std::get_if<std::string>(&row[i])) {
      object.add(columns[i], *text);
    } else {
      object.add_null(columns[i]);
    }
  }
  return std::move(object).text();
}

bool begins_formula(std::string_view text) {
  // Blanks and line ends before the sign are skipped by some spreadsheets, and wide forms of it are
  // taken for it by others.
  constexpr std::string_view k_skipped = " \t\r\n\v\f";
  constexpr std::array<std::string_view, 8> k_signs = {"=",      "+",      "-",      "@",
                                                       "\uFF1D", "\uFF0B", "\uFF0D", "\uFF20"};
  if (!text.empty() &&
      std::string_view("\t\r\n\v\f").find(text.front()) != std::string_view::npos) {
    return true;
  }
  text.remove_prefix(std::min(text.find_first_not_of(k_skipped), text.size()));
  return std::ranges::any_of(k_signs,
                             [&](std::string_view sign) { return text.starts_with(sign); });
}

}  // namespace

std::string csv_field(std::string_view text) {
  std::string field;
  if (text.starts_with('\'') || begins_formula(text)) field = "'";
  field += text;
  if (field.find_first_of(",;\"\r\n\t") == std::string::npos) return field;
  std::string quoted = "\"";
  for (const char c : field) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

Table::Table(std::ostream& out, TableFormat format, std::vector<std::string> columns)
    : out_(out), format_(format), columns_(std::move(columns)) {
  if (format_ == TableFormat::csv) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      out_ << (i == 0 ? "" : ",") << csv_field(columns_[i]);
    }
    out_ << '\n';
  }
}

void Table::add(std::vector<Cell> row) {
  switch (format_) {
    case TableFormat::json:
      out_ << (first_ ? "[\n" : ",\n") << object_of(columns_, row);
      first_ = false;
      return;
    case TableFormat::ndjson:
      out_ << object_of(columns_, row) << '\n';
      return;
    case TableFormat::csv:
      for (std::size_t i = 0; i < row.size(); ++i) {
        const bool is_text = std::holds_alternative<std::string>(row[i]);
        out_ << (i == 0 ? "" : ",") << (is_text ? csv_field(plain(row[i])) : plain(row[i]));
      }
      out_ << '\n';
      return;
    case TableFormat::text: {
      std::vector<std::string> cells;
      cells.reserve(row.size());
      for (const Cell& cell : row) {
        std::string text = plain(cell);
        cells.push_back(text.empty() ? "-" : visible(text, text.size()));
        sample_bytes_ += cells.back().size();
      }
      if (laid_out_) {
        write_text_row(cells);
        return;
      }
      sample_.push_back(std::move(cells));
      if (sample_.size() == k_sample || sample_bytes_ >= k_sample_bytes) lay_out();
      return;
    }
  }
}

void Table::lay_out() {
  laid_out_ = true;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_[i].size();
    for (const auto& row : sample_) width = std::max(width, width_of(row[i]));
    widths_.push_back(width);
  }
  write_text_row(columns_);
  for (const auto& row : sample_) write_text_row(row);
  sample_.clear();
}

void Table::write_text_row(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    if (i + 1 == cells.size()) break;
    const std::size_t width = width_of(cells[i]);
    line.append(widths_[i] > width ? widths_[i] - width + 2 : 2, ' ');
  }
  out_ << line << '\n';
}

void Table::finish() {
  if (format_ == TableFormat::json) out_ << (first_ ? "[]\n" : "\n]\n");
  if (format_ == TableFormat::text && !laid_out_) lay_out();
}

}  // namespace diskrelease
