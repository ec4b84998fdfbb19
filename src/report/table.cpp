#include "report/table.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "model/visible_text.h"
#include "report/json_object.h"

namespace diskrelease {
namespace {

std::string plain(const Cell& cell) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) return std::to_string(*number);
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  return {};
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

/// Columns on a terminal: bytes that begin a character.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

}  // namespace

Table::Table(std::ostream& out, TableFormat format, std::vector<std::string> columns)
    : out_(out), format_(format), columns_(std::move(columns)) {
  if (format_ == TableFormat::csv) {
    for (std::size_t i = 0; i < columns_.size(); ++i) out_ << (i == 0 ? "" : ",") << columns_[i];
    out_ << '\n';
  }
}

void Table::add(std::vector<Cell> row) {
  switch (format_) {
    case TableFormat::json: {
      JsonObject object;
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (const auto* number = std::get_if<std::int64_t>(&row[i])) {
          object.add(columns_[i], *number);
        } else if (const auto* text = std::get_if<std::string>(&row[i])) {
          object.add(columns_[i], *text);
        } else {
          object.add_null(columns_[i]);
        }
      }
      out_ << (first_ ? "[\n" : ",\n") << std::move(object).text();
      first_ = false;
      return;
    }
    case TableFormat::csv:
      for (std::size_t i = 0; i < row.size(); ++i) {
        out_ << (i == 0 ? "" : ",") << csv_field(plain(row[i]));
      }
      out_ << '\n';
      return;
    case TableFormat::text: {
      std::vector<std::string> cells;
      cells.reserve(row.size());
      for (const Cell& cell : row) {
        std::string text = plain(cell);
        cells.push_back(text.empty() ? "-" : visible(text, text.size()));
      }
      if (laid_out_) {
        write_text_row(cells);
        return;
      }
      sample_.push_back(std::move(cells));
      if (sample_.size() == k_sample) lay_out();
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
