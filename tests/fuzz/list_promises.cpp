#include "fuzz/list_promises.h"

#include <algorithm>
#include <functional>
#include <istream>
#include <sstream>
#include <string_view>
#include <variant>

#include "fuzz/fuzz_target.h"
#include "input/byte_source.h"
#include "input/csv_layout.h"
#include "input/line_reader.h"
#include "unit/input/reading.h"

namespace diskrelease {
namespace {

// A problem quotes a few texts of the file, each cut; this is far above what they come to.
constexpr std::size_t k_max_problem_bytes = 4'000;

ListReading read_from(std::istream& in, const std::string& name, const ListOptions& options) {
  ListReading reading;
  reading.summary = read_list(in, name, options, [&](Target&& target) {
    reading.targets.emplace_back(target.source_line, target.disk.text());
  });
  return reading;
}

bool is_id(std::string_view text) {
  constexpr std::string_view marks = "._-";
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           marks.find(c) != std::string_view::npos;
  });
}

void check_targets(const ListReading& reading, std::int64_t lines) {
  std::int64_t line_before = 1;
  for (const auto& [line, id] : reading.targets) {
    require(is_id(id), "a target is no disk id: " + id);
    require(std::holds_alternative<DiskId>(DiskId::parse(id)), "an id is not accepted again");
    require(line >= line_before, "the lines of the targets do not ascend");
    require(line <= lines, "a target stands behind the end of the list");
    line_before = line;
  }
  require(std::cmp_equal(reading.summary.targets, reading.targets.size()),
          "the summary counts other targets");
}

void check_problems(const ListReading& reading, std::int64_t lines) {
  const InputProblems& problems = reading.summary.problems;
  require(std::cmp_greater_equal(problems.count(), problems.shown().size()) &&
              problems.shown().size() <= InputProblems::k_shown &&
              (std::cmp_equal(problems.count(), problems.shown().size()) ||
               problems.shown().size() == InputProblems::k_shown),
          "the problems are not counted well");
  for (const InputProblem& problem : problems.shown()) {
    require(!problem.text.empty(), "a problem says nothing");
    require_visible(problem.text, k_max_problem_bytes, "a problem");
    require(problem.line >= 0 && problem.line <= lines, "a problem stands behind the end");
  }
  const std::string text = problems.describe("list");
  const auto rows = problems.empty() ? 0 : 1 + std::ranges::count(text, '\n');
  const bool more = std::cmp_greater(problems.count(), problems.shown().size());
  require(std::cmp_equal(rows, problems.shown().size() + (more ? 1 : 0)),
          "a problem is more or less than one line");
}

void require_same(const ListReading& one, const ListReading& other, const std::string& how) {
  require(one.summary.format == other.summary.format, "another format " + how);
  require(one.summary.problems.count() == other.summary.problems.count(),
          "another number of problems " + how);
  require(one.targets.size() == other.targets.size(), "another number of targets " + how);
  for (std::size_t i = 0; i < one.targets.size(); ++i) {
    require(one.targets[i] == other.targets[i], "another target " + how);
  }
  const auto& shown = one.summary.problems.shown();
  const auto& other_shown = other.summary.problems.shown();
  for (std::size_t i = 0; i < shown.size(); ++i) {
    require(shown[i].line == other_shown[i].line && shown[i].text == other_shown[i].text,
            "another problem " + how + ": " + shown[i].text + " / " + other_shown[i].text);
  }
}

// What tells a file that is no text, or begins one, must stay at the beginning, and so must a line
// that names the delimiter; and a blank line with spaces in it is a row of one empty cell.
bool may_be_moved(std::string_view text) {
  if (text.empty()) return false;
  const auto first = static_cast<unsigned char>(text.front());
  return first < 0x80 && (first >= 0x20 || first == '\t') &&
         std::string_view("PB%<(").find(text.front()) == std::string_view::npos &&
         !text.starts_with("SQLite") && text.substr(0, 4).find('\0') == std::string_view::npos &&
         !named_delimiter(text.substr(0, first_line_end(text)));
}

// The ids of an accepted list, one a line, are a text list of the same disks.
void require_text_list(const ListReading& reading) {
  std::string text;
  for (const auto& [line, id] : reading.targets) text += id + "\n";
  std::istringstream in(text);
  const ListReading again = read_from(in, "ids.txt", {});
  require(again.accepted() && again.targets.size() == reading.targets.size(),
          "the ids of an accepted list are no text list");
  for (std::size_t i = 0; i < reading.targets.size(); ++i) {
    require(again.targets[i].second == reading.targets[i].second, "an id has changed");
  }
}

}  // namespace

ListReading read_list_checked(const std::string& text, const std::string& name,
                              const ListOptions& options) {
  std::istringstream in(text);
  ListReading reading = read_from(in, name, options);
  const std::int64_t lines = 1 + std::ranges::count(text, '\n') + std::ranges::count(text, '\r');
  check_targets(reading, lines);
  check_problems(reading, lines);
  if (reading.accepted()) {
    require(reading.summary.format != ListFormat::automatic, "an accepted list has no format");
    require(!reading.targets.empty(), "an accepted list is empty");
    require_text_list(reading);
  }
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
    PieceBuffer buffer(text, piece);
    std::istream pieces(&buffer);
    require_same(reading, read_from(pieces, name, options),
                 "in pieces of " + std::to_string(piece));
  }
  return reading;
}

void require_same_behind_blanks(const ListReading& reading, const std::string& text,
                                const std::string& name, const ListOptions& options) {
  const std::size_t hash = std::hash<std::string>()(text);
  if (hash % 4 != 0 || !may_be_moved(text)) return;
  const std::string blanks(ByteSource::k_block_bytes - hash / 4 % (text.size() + 1), ' ');
  std::istringstream in(blanks + text);
  require_same(reading, read_from(in, name, options),
               "behind " + std::to_string(blanks.size()) + " blanks");
}

}  // namespace diskrelease
