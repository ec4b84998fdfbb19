#include "input/csv_list.h"

#include <algorithm>
#include <utility>
#include <vector>

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
    const std::size_t filled = filled_cells(cells);
    if (filled == 0) return true;  // spreadsheets write rows of empty cells below a table
    if (started()) {
      take_row(line, cells, filled);
      return true;
    }
    // Without a column of that number to look for, empty cells at the end name none.
    const auto row = wanted_column_ ? cells : cells.first(filled);
    const auto found = find_id_column(row, wanted_column_);
    if (const auto* problem = std::get_if<std::string>(&found)) {
      output_.problem(line, *problem + hint_for_drawing(cells.front()));
      return false;
    }
    column_ = std::get<CsvColumn>(found).index;
    columns_ = row.size();
    if (std::get<CsvColumn>(found).has_header) {
      column_name_ = quote_text(trim_blanks(row[column_]));
      header_.assign(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(filled));
    } else {
      take_id(line, cells[column_], "; if this row is a header, name its column with --column");
    }
    return true;
  }

 private:
  static std::size_t filled_cells(std::span<const std::string> cells) {
    std::size_t count = cells.size();
    while (count > 0 && trim_blanks(cells[count - 1]).empty()) --count;
    return count;
  }

  void take_row(std::int64_t line, std::span<const std::string> cells, std::size_t filled) {
    const auto same_text = [](const std::string& a, const std::string& b) {
      return trim_blanks(a) == trim_blanks(b);
    };
    if (!header_.empty() && std::ranges::equal(cells.first(filled), header_, same_text)) {
      output_.note(line, "the header again, left out");
      return;
    }
    if (filled > columns_) {
      output_.problem(line, "the row has " + count_cells(filled) + " where the first row has " +
                                std::to_string(columns_));
    } else if (column_ >= cells.size()) {
      output_.problem(line, "the row has " + count_cells(cells.size()) +
                                ", and the disk id is expected in cell " +
                                std::to_string(column_ + 1) + ": a disk id is missing");
    } else {
      take_id(line, cells[column_], "");
    }
  }

  static std::string count_cells(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " cell" : " cells");
  }

  void take_id(std::int64_t line, const std::string& cell, std::string_view hint) {
    const std::string_view id = id_of_cell(cell);
    const auto problem = output_.take(line, id, hint);
    if (!problem) return;
    if (*problem == DiskIdProblem::empty) {
      output_.problem(line, "the cell of column " + std::to_string(column_ + 1) +
                                (column_name_.empty() ? "" : " " + column_name_) +
                                " is empty: a disk id is missing" + std::string(hint));
    } else {
      output_.problem(line, describe_bad_id(id, *problem) +
                                (hint.empty() ? hint_for_drawing(cell) : std::string(hint)));
    }
  }

  const std::optional<std::string>& wanted_column_;
  ListOutput& output_;
  std::size_t columns_ = 0;  ///< cells of the first row; 0 = not seen yet
  std::size_t column_ = 0;
  std::string column_name_;          ///< empty without a header
  std::vector<std::string> header_;  ///< its cells; empty without one
};

/// Whether every line end within the line stands in quotes, where it belongs to the text.
bool only_quoted_ends(std::string_view line, bool in_quotes) {
  for (const char c : line) {
    if (c == '"') in_quotes = !in_quotes;
    if (!in_quotes && (c == '\r' || c == '\n')) return false;
  }
  return true;
}

/// The delimiter of the list, or what is wrong. `first_line` is the first line if that names it.
std::variant<char, std::string> choose_delimiter(std::string_view beginning,
                                                 const CsvOptions& options,
                                                 bool& first_line_names_it) {
  if (const auto named = named_delimiter(beginning.substr(0, first_line_end(beginning)))) {
    first_line_names_it = true;
    constexpr std::string_view k_possible = ",;\t|:^~!";
    if (named->size() == 1 && k_possible.find(named->front()) != std::string_view::npos) {
      return named->front();
    }
    return "the line \"sep=\" names " + quote_text(*named) +
           " as the delimiter, which is none of , ; | : ^ ~ ! and tab; save the list with a comma";
  }
  if (options.delimiter) return *options.delimiter;
  return find_delimiter(beginning, options.column);
}

/// What a line with # at its beginning is, before and after the first row.
struct HashLine {
  bool may_be_left_out = false;
  std::string_view text;
};

bool begins_with_hash(std::string_view line) noexcept {
  const std::size_t at = line.find_first_not_of(' ');
  return at != std::string_view::npos && line[at] == '#';
}

HashLine judge_hash_line(std::string_view line, bool started) {
  if (started) {
    return {false,
            "the row begins with #, and CSV has no comments, so whether the disk is meant is not "
            "clear; remove the row or the #, or put the cell into quotes"};
  }
  line.remove_prefix(line.find('#') + 1);
  while (!line.empty()) {
    const std::size_t end = std::min(line.find_first_of(",;\t"), line.size());
    if (is_id_column_name(line.substr(0, end))) {
      return {false,
              "the line begins with #, so whether it is a comment or the header is not clear; "
              "remove the # of a header, or the line"};
    }
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return {true, "a comment before the first row, left out"};
}

}  // namespace

void read_csv_list(std::string_view beginning, LineReader& lines, const CsvOptions& options,
                   ListOutput& output) {
  bool at_named_delimiter = false;
  const auto delimiter = choose_delimiter(beginning, options, at_named_delimiter);
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
    if (std::exchange(at_named_delimiter, false)) continue;
    if (state != CsvRow::State::open_quote) {
      row_line = line->number;
      row_bytes = 0;
      flawed = false;
      cells_before = 0;
    }
    const bool was_open = state == CsvRow::State::open_quote;
    if (!was_open && line->flaw == LineFlaw::none && begins_with_hash(line->text)) {
      const HashLine hash = judge_hash_line(line->text, rows.started());
      if (hash.may_be_left_out) {
        output.note(line->number, std::string(hash.text));
        continue;
      }
      output.problem(line->number, std::string(hash.text));
      if (!rows.started()) return;
      flawed = true;
    }
    const bool fine = line->flaw == LineFlaw::none || (line->flaw == LineFlaw::mixed_ends &&
                                                       only_quoted_ends(line->text, was_open));
    if (!fine) {
      output.problem(line->number, std::string(describe(line->flaw)));
      flawed = true;
    }
    // A quoted cell must not collect the rest of a file whose closing quote is missing.
    row_bytes += line->text.size() + 1;
    if (row_bytes > k_max_line_bytes + 1) break;

    state = row.feed(line->text);
    if (state == CsvRow::State::misplaced_quote) {
      const std::string unseen = name_character_beside_quote(line->text);
      output.problem(line->number,
                     unseen.empty() ? "a quote is in the wrong place: a cell with quotes must be "
                                      "in quotes as a whole, with each quote inside doubled"
                                    : "beside a quote stands the character " + unseen +
                                          ", which shows nothing; delete it");
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
