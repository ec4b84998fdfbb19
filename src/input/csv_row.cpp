#include "input/csv_row.h"

#include <new>

namespace diskrelease {
namespace {

/// libcsv grows its buffer by a fixed amount; its own 128 bytes make a long cell quadratic.
constexpr std::size_t k_cell_growth_bytes = std::size_t{64} * 1024;

/// A lone CR ends no row: it would give rows without line numbers of their own. It stays in its
/// cell, where no id can hold it.
int is_line_feed(unsigned char c) { return c == CSV_LF ? 1 : 0; }

}  // namespace

CsvRow::CsvRow(char delimiter) : delimiter_(delimiter) { reset(); }

CsvRow::~CsvRow() { csv_free(&parser_); }

CsvRow::State CsvRow::feed(std::string_view line) {
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
