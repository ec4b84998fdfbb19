#include "input/text_list.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "input/csv_layout.h"
#include "input/printed_table.h"

namespace diskrelease {

std::string_view text_entry(std::string_view line) noexcept {
  for (std::size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1)) {
    if (at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t')
      return trim_blanks(line.substr(0, at));
  }
  return trim_blanks(line);
}

namespace {

/// What a spreadsheet writes for a formula that has failed; as a comment it would shorten the list.
bool is_spreadsheet_error(std::string_view line) noexcept {
  constexpr std::array<std::string_view, 9> k_errors = {
      "#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "####"};
  return std::ranges::any_of(
      k_errors, [&](std::string_view error) { return trim_blanks(line).starts_with(error); });
}

std::string hint_for_text(std::string_view entry) {
  if (std::string hint = hint_for_drawing(entry); !hint.empty()) return hint;
  if (entry.find_first_of(",;\"") != std::string_view::npos) {
    return "; a text list has one id a line: if this is CSV, add --format csv";
  }
  if (entry.find_first_of(" \t") != std::string_view::npos) {
    return "; a text list has one id a line: if these are several, put each on its own line, for "
           "example with tr -s '[:blank:]' '\\n'; if this is CSV, add --format csv";
  }
  return {};
}

/// The ids of plain text, line by line.
class TextReader {
 public:
  explicit TextReader(ListOutput& output) : output_(output) {}

  void take(std::int64_t line, std::string_view text) {
    if (is_spreadsheet_error(text)) {
      output_.problem(line, "the line holds " + quote_text(trim_blanks(text)) +
                                ", which a spreadsheet writes for a value that it cannot show: a "
                                "disk id is missing; correct the sheet and export it again");
      return;
    }
    const std::string_view entry = text_entry(text);
    if (entry.empty()) return;
    if (!std::exchange(begun_, true) && is_id_column_name(entry)) {
      header_ = entry;
      output_.note(line, quote_text(entry) + " is taken for the name of the column, left out");
      return;
    }
    if (!header_.empty() && entry == header_) {
      output_.note(line, "the header again, left out");
      return;
    }
    const std::string_view id = entry.starts_with('=') ? id_of_cell(entry) : entry;
    if (const auto problem = output_.take(line, id)) {
      output_.problem(line, describe_bad_id(id, *problem) +
                                (*problem == DiskIdProblem::bad_character ||
                                         *problem == DiskIdProblem::formatted_number ||
                                         *problem == DiskIdProblem::no_letter_or_digit
                                     ? hint_for_text(id)
                                     : ""));
    }
  }

 private:
  ListOutput& output_;
  bool begun_ = false;
  std::string header_;  ///< empty without one
};

/// The ids of a table that this program has printed.
class TableReader {
 public:
  explicit TableReader(ListOutput& output) : output_(output) {}

  void take(std::int64_t line, std::string_view text) {
    if (trim_blanks(text).empty()) return;
    if (!table_) {
      take_above(line, text);
    } else if (text == header_) {
      output_.note(line, "the header again, left out");
    } else if (const auto id = table_->disk_id(text)) {
      if (const auto problem = output_.take(line, *id)) {
        output_.problem(line, describe_bad_id(*id, *problem));
      }
    } else {
      output_.problem(line,
                      "the row is not laid out as the header of the table says, so which text is "
                      "the disk id is not clear; print the table again with --csv");
    }
  }

 private:
  void take_above(std::int64_t line, std::string_view text) {
    table_ = PrintedTable::of_header(text);
    if (table_) {
      header_ = text;
      output_.note(line, "read as a table with the column disk_id" +
                             std::string(line > 1 ? "; the lines above it are left out" : ""));
    } else if (std::holds_alternative<DiskId>(DiskId::parse_entry(text_entry(text)))) {
      output_.problem(line, "the disk id " + quote_text(text_entry(text)) +
                                " stands above the header of a table, so whether it is meant is "
                                "not clear; leave only the table, or only ids");
    }
  }

  ListOutput& output_;
  std::optional<PrintedTable> table_;  ///< nothing = still above it
  std::string header_;
};

template <class Reader>
void read_lines(LineReader& lines, Reader reader, ListOutput& output) {
  while (const auto line = lines.next()) {
    if (line->flaw != LineFlaw::none) {
      output.problem(line->number, std::string(describe(line->flaw)));
    } else {
      reader.take(line->number, line->text);
    }
  }
}

}  // namespace

void read_text_list(std::string_view beginning, LineReader& lines, ListOutput& output) {
  if (holds_printed_table(beginning)) {
    read_lines(lines, TableReader(output), output);
  } else {
    read_lines(lines, TextReader(output), output);
  }
}

}  // namespace diskrelease
