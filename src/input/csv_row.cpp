#include "input/csv_row.h"

#include <new>

namespace diskrelease {
namespace {

/// libcsv grows its buffer by a fixed amount; its own 128 bytes make a long cell quadratic.
constexpr std::size_t k_cell_growth_bytes = std::size_t{64} * 1024;

/// A lone CR ends no row: it would give rows without line numbers of their own. It stays in its
/// cell, where no id can hold it.
int is_line_feed(unsigned char c) { return c == CSV_LF ? 1 : 0; }

constexpr std::string_view k_formula = "=\"";

/// The same line with cells of the form ="text" in quotes as a whole. Spreadsheets write and read
/// the form as it is, to keep long numbers; RFC 4180 has no quote within a cell without quotes.
std::string with_quoted_formulas(std::string_view line, char delimiter, bool in_quotes) {
  std::string quoted;
  bool at_cell_begin = !in_quotes;
  while (!line.empty()) {
    const char c = line.front();
    const bool blank = (c == ' ' || c == '\t') && c != delimiter;
    if (at_cell_begin && line.starts_with(k_formula)) {
      const std::size_t close = line.find('"', k_formula.size());
      std::size_t end = close == std::string_view::npos ? line.size() : close + 1;
      while (end < line.size() && line[end] == ' ') ++end;
      if (close != std::string_view::npos && (end == line.size() || line[end] == delimiter)) {
        quoted += "\"=\"\"";
        quoted += line.substr(k_formula.size(), close - k_formula.size());
        quoted += "\"\"\"";
        line.remove_prefix(end);
        at_cell_begin = false;
        continue;
      }
    }
    if (c == '"') {
      in_quotes = !in_quotes;  // a doubled quote changes it twice
      at_cell_begin = false;
    } else if (!in_quotes) {
      at_cell_begin = c == delimiter || (at_cell_begin && blank);
    }
    quoted += c;
    line.remove_prefix(1);
  }
  return quoted;
}

}  // namespace

CsvRow::CsvRow(char delimiter) : delimiter_(delimiter) { reset(); }

CsvRow::~CsvRow() { csv_free(&parser_); }

CsvRow::State CsvRow::feed(std::string_view line) {
  std::string quoted;
  if (line.find(k_formula) != std::string_view::npos) {
    quoted = with_quoted_formulas(line, delimiter_, !row_ended_);
    line = quoted;
  }
  if (row_ended_) used_ = 0;
  row_ended_ = false;
  if (!parse(line) || !parse("\n")) {
    csv_free(&parser_);
    reset();
    return State::misplaced_quote;
  }
  return row_ended_ ? State::complete : State::open_quote;
}

void CsvRow::end_cell(void* text, std::size_t bytes, void* self) {
  auto& row = *static_cast<CsvRow*>(self);
  if (row.used_ == row.cells_.size()) row.cells_.emplace_back();
  row.cells_[row.used_++].assign(static_cast<const char*>(text), bytes);
}

void CsvRow::end_row(int /*terminator*/, void* self) {
  static_cast<CsvRow*>(self)->row_ended_ = true;
}

void CsvRow::reset() {
  if (csv_init(&parser_, CSV_STRICT | CSV_REPALL_NL) != 0) throw std::bad_alloc();
  csv_set_delim(&parser_, static_cast<unsigned char>(delimiter_));
  csv_set_blk_size(&parser_, k_cell_growth_bytes);
  csv_set_term_func(&parser_, &is_line_feed);
  used_ = 0;
  row_ended_ = true;
}

bool CsvRow::parse(std::string_view text) {
  if (csv_parse(&parser_, text.data(), text.size(), &end_cell, &end_row, this) == text.size()) {
    return true;
  }
  if (csv_error(&parser_) != CSV_EPARSE) throw std::bad_alloc();
  return false;
}

}  // namespace diskrelease
