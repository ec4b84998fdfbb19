#include "input/text_list.h"

namespace diskrelease {

std::string_view text_entry(std::string_view line) noexcept {
  for (std::size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1)) {
    if (at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t')
      return trim_blanks(line.substr(0, at));
  }
  return trim_blanks(line);
}

void read_text_list(LineReader& lines, ListOutput& output) {
  while (const auto line = lines.next()) {
    if (line->flaw != LineFlaw::none) {
      output.problem(line->number, std::string(describe(line->flaw)));
      continue;
    }
    const std::string_view entry = text_entry(line->text);
    if (entry.empty()) continue;
    if (const auto problem = output.take(line->number, entry)) {
      std::string text = describe_bad_id(entry, *problem);
      if (*problem == DiskIdProblem::bad_character &&
          entry.find_first_of(",;\t\"") != std::string_view::npos) {
        text += "; a text list has one id a line: if this is CSV, add --format csv";
      }
      output.problem(line->number, std::move(text));
    }
  }
}

}  // namespace diskrelease
