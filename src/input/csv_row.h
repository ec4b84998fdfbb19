#pragma once

#include <csv.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace diskrelease {

/// Puts the cells of one CSV row together, line by line (RFC 4180, strict about quotes; blanks
/// around a cell and outside of its quotes are left out). A cell of the form ="text" may stand
/// without quotes around it.
class CsvRow {
 public:
  enum class State {
    complete,         ///< cells() are the row; none at all for a blank line
    open_quote,       ///< a quoted cell goes on in the next line
    misplaced_quote,  ///< the row is lost; the next line begins a new one
  };

  explicit CsvRow(char delimiter);
  ~CsvRow();
  CsvRow(const CsvRow&) = delete;
  CsvRow& operator=(const CsvRow&) = delete;

  /// Takes a line without its line end. Begins a new row unless the last answer was open_quote.
  [[nodiscard]] State feed(std::string_view line);

  /// The cells that are complete; valid until the next feed().
  [[nodiscard]] std::span<const std::string> cells() const noexcept {
    return std::span(cells_).first(used_);
  }

 private:
  static void end_cell(void* text, std::size_t bytes, void* self);
  static void end_row(int terminator, void* self);
  void reset();
  [[nodiscard]] bool parse(std::string_view text);

  char delimiter_;
  csv_parser parser_{};
  std::vector<std::string> cells_;  ///< grows only: the strings keep their memory from row to row
  std::size_t used_ = 0;
  bool row_ended_ = true;
};

}  // namespace diskrelease
