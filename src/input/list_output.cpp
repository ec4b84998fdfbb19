#include "input/list_output.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "model/visible_text.h"

namespace diskrelease {
namespace {

struct NamedCharacter {
  char32_t code;
  std::string_view name;
};

/// Characters that a person does not see, and that editors, browsers and spreadsheets leave behind.
constexpr std::array<NamedCharacter, 27> k_unseen = {{
    {0x09, "tab"},
    {0x0A, "line feed"},
    {0x0D, "carriage return"},
    {0x85, "next line"},
    {0xA0, "no-break space"},
    {0xAD, "soft hyphen"},
    {0x61C, "Arabic letter mark"},
    {0x180E, "Mongolian vowel separator"},
    {0x2007, "figure space"},
    {0x2009, "thin space"},
    {0x200A, "hair space"},
    {0x200B, "zero-width space"},
    {0x200C, "zero-width non-joiner"},
    {0x200D, "zero-width joiner"},
    {0x200E, "left-to-right mark"},
    {0x200F, "right-to-left mark"},
    {0x2028, "line separator"},
    {0x2029, "paragraph separator"},
    {0x202C, "pop directional formatting"},
    {0x202D, "left-to-right override"},
    {0x202E, "right-to-left override"},
    {0x202F, "narrow no-break space"},
    {0x2060, "word joiner"},
    {0x2066, "left-to-right isolate"},
    {0x2069, "pop directional isolate"},
    {0x3000, "ideographic space"},
    {0xFEFF, "byte order mark"},
}};

std::string_view name_of(char32_t code) noexcept {
  const auto* const found = std::ranges::find(k_unseen, code, &NamedCharacter::code);
  return found == k_unseen.end() ? std::string_view() : found->name;
}

bool shows_nothing(char32_t code) noexcept {
  return !name_of(code).empty() || (code >= 0x2000 && code <= 0x200F) ||
         (code >= 0x202A && code <= 0x202F) || (code >= 0x205F && code <= 0x206F) ||
         code == 0x34F || code == 0x115F || code == 0x1160 || code == 0x1680 || code == 0x2800 ||
         code == 0x3164 || code == 0xFFA0 || (code >= 0xFE00 && code <= 0xFE0F) ||
         (code >= 0xFFF9 && code <= 0xFFFB) || (code >= 0xE0000 && code <= 0xE01EF);
}

std::string code_point(char32_t code) {
  std::array<char, 16> text{};
  const int size = std::snprintf(text.data(), text.size(), "U+%04X", static_cast<unsigned>(code));
  return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
}

std::string named(char32_t code) {
  const std::string_view name = name_of(code);
  return code_point(code) + (name.empty() ? "" : " (" + std::string(name) + ")");
}

/// The first character that no id may hold, if a person cannot tell it from the text itself.
std::optional<char32_t> first_odd_character(std::string_view text) noexcept {
  while (!text.empty()) {
    const Character character = first_character(text);
    if (character.bytes == 0) return std::nullopt;
    if (character.code < ' ' || character.code > '~') return character.code;
    text.remove_prefix(character.bytes);
  }
  return std::nullopt;
}

}  // namespace

std::optional<DiskIdProblem> ListOutput::take(std::int64_t line, std::string_view id,
                                              std::string_view hint) {
  auto parsed = DiskId::parse_entry(id);
  if (const auto* problem = std::get_if<DiskIdProblem>(&parsed)) return *problem;
  ++summary_.targets;
  shapes_.see(line, id, hint);
  sink_(Target{std::get<DiskId>(std::move(parsed)), line});
  return std::nullopt;
}

void ListOutput::problem(std::int64_t line, std::string text) {
  summary_.problems.add({line, std::move(text)});
}

void ListOutput::note(std::int64_t line, std::string text) {
  summary_.notes.add({line, std::move(text)});
}

void ListOutput::finish() { shapes_.report(summary_.problems); }

std::string describe_bad_id(std::string_view id, DiskIdProblem problem) {
  std::string text = "the disk id ";
  if (problem != DiskIdProblem::empty) text += quote_text(id) + " ";
  const auto odd = problem == DiskIdProblem::bad_character ? first_odd_character(id) : std::nullopt;
  if (!odd) return text.append(describe(problem));
  return text + "has the character " + named(*odd) + ", and ids are of A-Z a-z 0-9 . _ - alone; " +
         (*odd < ' ' || shows_nothing(*odd) ? "it shows nothing: type the id anew, or delete it"
                                            : "take the id from where it came from");
}

std::string name_odd_character(std::string_view text) {
  if (text.empty()) return {};
  const Character character = first_character(text);
  if (character.bytes == 0 || (character.code >= ' ' && character.code <= '~')) return {};
  return named(character.code);
}

std::string name_character_beside_quote(std::string_view line) {
  bool behind_quote = false;
  for (std::size_t at = 0; at < line.size();) {
    const Character character = first_character(line.substr(at));
    if (character.bytes == 0) return {};
    const std::size_t next = at + character.bytes;
    const bool beside = behind_quote || (next < line.size() && line[next] == '"');
    if (beside && character.bytes > 1 && shows_nothing(character.code))
      return named(character.code);
    behind_quote = line[at] == '"';
    at = next;
  }
  return {};
}

std::string hint_for_drawing(std::string_view text) {
  const std::string_view trimmed = trim_blanks(text);
  const bool drawn = trimmed.starts_with('|') || trimmed.starts_with("+-") ||
                     trimmed.starts_with("--") || trimmed.starts_with("==") ||
                     trimmed.find(" | ") != std::string_view::npos ||
                     trimmed.starts_with("\xE2\x94") || trimmed.starts_with("\xE2\x95");
  return drawn ? "; this looks like a table drawn for people: export it as CSV (psql --csv, mysql "
                 "--batch), JSON, or one id a line"
               : "";
}

std::string quote_text(std::string_view text) {
  constexpr std::size_t k_shown_bytes = 80;
  std::string out = "\"";
  std::size_t used = 0;
  while (used < text.size()) {
    const Character character = first_character(text.substr(used));
    const std::size_t bytes = std::max<std::size_t>(character.bytes, 1);
    if (used + bytes > k_shown_bytes) return out + "...\"";
    if (character.bytes > 1 && shows_nothing(character.code)) {
      out += '<' + code_point(character.code) + '>';
    } else {
      out += visible(text.substr(used, bytes), bytes);
    }
    used += bytes;
  }
  return out + '"';
}

std::string_view trim_blanks(std::string_view text) noexcept {
  constexpr std::string_view k_blanks = " \t";
  const std::size_t from = text.find_first_not_of(k_blanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(k_blanks) - from + 1);
}

}  // namespace diskrelease
