#include "input/list_output.h"

#include "model/visible_text.h"

namespace diskrelease {

std::optional<DiskIdProblem> ListOutput::take(std::int64_t line, std::string_view id) {
  auto parsed = DiskId::parse(id);
  if (const auto* problem = std::get_if<DiskIdProblem>(&parsed)) return *problem;
  ++summary_.targets;
  sink_(Target{std::get<DiskId>(std::move(parsed)), line});
  return std::nullopt;
}

void ListOutput::problem(std::int64_t line, std::string text) {
  summary_.problems.add({line, std::move(text)});
}

std::string describe_bad_id(std::string_view id, DiskIdProblem problem) {
  std::string text = "the disk id ";
  if (problem != DiskIdProblem::empty) text += quote_text(id) + " ";
  return text.append(describe(problem));
}

std::string quote_text(std::string_view text) {
  constexpr std::size_t k_shown_bytes = 80;
  return '"' + visible(text, k_shown_bytes) + '"';
}

std::string_view trim_blanks(std::string_view text) noexcept {
  constexpr std::string_view k_blanks = " \t";
  const std::size_t from = text.find_first_not_of(k_blanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(k_blanks) - from + 1);
}

}  // namespace diskrelease
