#include "input/csv_list.h"

#include "input/csv_layout.h"
#include "input/csv_row.h"

namespace diskrelease {
namespace {

/// Takes complete rows: the first one decides the column, the others give an id each.
class CsvRowReader {
 public:
  CsvRowReader(const std::optional<std::string>& wanted_column, ListOutput& output)
      : wanted_column_(wanted_column), output_(output) {}

  [[nodiscard]] bool started() const noexcept { return columns_ != 0; }

  /// False if reading on is pointless.
  [[nodiscard]] bool take(std::int64_t line, std::span<const std::string> cells) {
    if (started()) {
      take_id(line, cells, "");
      return true;
    }
    const auto found = find_id_column(cells, wanted_column_);
    if (const auto* problem = std::get_if<std::string>(&found)) {
      output_.problem(line, *problem);
      return false;
    }
    column_ = std::get<CsvColumn>(found).index;
    columns_ = cells.size();
    if (std::get<CsvColumn>(found).has_header) {
      column_name_ = quote_text(trim_blanks(cells[column_]));
    } else {
      take_id(line, cells, "; if this row is a header, name its column with --column");
    }
    return true;
  }

 private:
  void take_id(std::int64_t line, std::span<const std::string> cells, const char* hint) {
    if (cells.size() != columns_) {
      output_.problem(line, "the row has " + std::to_string(cells.size()) +
                                (cells.size() == 1 ? " cell" : " cells") +
                                " where the first row has " + std::to_string(columns_));
      return;
    }
    const std::string_view id = trim_blanks(cells[column_]);
    const auto problem = output_.take(line, id);
    if (!problem) return;
    if (*problem == DiskIdProblem::empty) {
      output_.problem(line, "the cell of column " + std::to_string(column_ + 1) +
                                (column_name_.empty() ? "" : " " + column_name_) +
                                " is empty: a disk id is missing" + hint);
    } else {
      output_.problem(line, describe_bad_id(id, *problem) + hint);
    }
  }

  const std::optional<std::string>& wanted_column_;
  ListOutput& output_;
  std::size_t columns_ = 0;  ///< cells of the first row; 0 = not seen yet
  std::size_t column_ = 0;
  std::string column_name_;  ///< empty without a header
};

}  // namespace

void read_csv_list(std::string_view beginning, LineReader& lines, const CsvOptions& options,
                   ListOutput& output) {
  const auto delimiter = options.delimiter ? std::variant<char, std::string>(*options.delimiter)
                                           : find_delimiter(beginning, options.column);
  if (const auto* problem = std::get_if<std::string>(&delimiter)) {
    output.problem(1, *problem);
    return;
  }
  CsvRow row(std::get<char>(delimiter));
  CsvRowReader rows(options.column, output);
  CsvRow::State state = CsvRow::State::complete;
  std::int64_t row_line = 0;
  std::int64_t quote_line = 0;
  std::size_t row_bytes = 0;
  bool flawed = false;
  std::size_t cells_before = 0;

  while (const auto line = lines.next()) {
    if (state != CsvRow::State::open_quote) {
      row_line = line->number;
      row_bytes = 0;
      flawed = false;
      cells_before = 0;
    }
    if (line->flaw != LineFlaw::none) {
      output.problem(line->number, std::string(describe(line->flaw)));
      flawed = true;
    }
    // A quoted cell must not collect the rest of a file whose closing quote is missing.
    row_bytes += line->text.size() + 1;
    if (row_bytes > k_max_line_bytes + 1) break;

    const bool was_open = state == CsvRow::State::open_quote;
    state = row.feed(line->text);
    if (state == CsvRow::State::misplaced_quote) {
      output.problem(line->number,
                     "a quote is in the wrong place: a cell with quotes must be in quotes as a "
                     "whole, with each quote inside doubled");
      flawed = true;
    } else if (state == CsvRow::State::open_quote) {
      if (!was_open || row.cells().size() > cells_before) quote_line = line->number;
      cells_before = row.cells().size();
    } else if (!row.cells().empty() && !flawed && !rows.take(row_line, row.cells())) {
      return;
    }
    // Without the first row nothing tells which column of the others holds the ids.
    if (flawed && !rows.started() && state != CsvRow::State::open_quote) return;
  }
  if (state == CsvRow::State::open_quote && !lines.failed()) {
    output.problem(
        quote_line,
        "the quote that opens here is not closed " +
            std::string(row_bytes > k_max_line_bytes + 1 ? "within 1 MiB"
                                                         : "before the end of the list") +
            ", so the rows after it cannot be told apart; close it, or double a quote "
            "that belongs to the text");
  }
}

}  // namespace diskrelease
