#include "input/suggestion.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace diskrelease {
namespace {

constexpr std::size_t k_longest_word = 40;

/// Changes of one character, and swaps of two neighbours, that lead from one text to the other.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before_last(to.size() + 1);
  std::vector<std::size_t> last(to.size() + 1);
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1,
                         last[j - 1] + static_cast<std::size_t>(from[i - 1] != to[j - 1])});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[to.size()];
}

}  // namespace

std::string in_snake_case(std::string_view text) {
  std::string snake;
  bool in_word = false;
  for (const char c : text) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && in_word) snake += '_';
    in_word = c >= 'a' && c <= 'z';
    if (upper) {
      snake += static_cast<char>(c - 'A' + 'a');
    } else {
      snake += c == '-' || c == ' ' ? '_' : c;
    }
  }
  return snake;
}

Suggestion::Suggestion(std::string_view written)
    : written_(written.size() <= k_longest_word ? in_snake_case(written) : std::string()) {}

void Suggestion::consider(std::string_view known, std::string_view shown) {
  if (written_.empty()) return;
  const auto distance = edit_distance(written_, known);
  if (distance < nearest_ && distance <= (known.size() + 1) / 3) {
    nearest_ = distance;
    shown_ = shown;
  }
}

std::string Suggestion::text() const {
  return shown_.empty() ? "" : "; did you mean \"" + shown_ + "\"?";
}

}  // namespace diskrelease
