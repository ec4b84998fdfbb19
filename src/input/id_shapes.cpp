#include "input/id_shapes.h"

#include <algorithm>

#include "input/list_output.h"

namespace diskrelease {
namespace {

/// A spreadsheet's number has 15 digits and zeros behind them.
constexpr std::size_t k_kept_digits = 15;
/// 2^64 has 20.
constexpr std::size_t k_most_digits = 20;

bool is_number(std::string_view id) noexcept {
  return std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; });
}

bool may_be_rounded(std::string_view digits) noexcept {
  return digits.find_first_not_of('0', k_kept_digits) == std::string_view::npos;
}

std::string describe_other(std::string_view id, std::string_view hint) {
  std::string text = "the disk id " + quote_text(id);
  if (!is_number(id)) {
    text +=
        " is no number, and other ids of this list are numbers of 15 to 20 digits: it is a "
        "word, a name or another kind of id; remove it, or give it a list of its own";
  } else if (id.size() < k_kept_digits) {
    text += " has " + std::to_string(id.size()) + (id.size() == 1 ? " digit" : " digits") +
            ", and other ids of this list have 15 to 20: it is a count, a line number or cut off; "
            "remove it, or give it a list of its own";
  } else {
    text += " has " + std::to_string(id.size()) +
            " digits, and other ids of this list have 15 to 20: a line end may be missing "
            "between two ids; correct it, or give it a list of its own";
  }
  return text.append(hint);
}

}  // namespace

void IdShapes::Entries::add(std::int64_t line, std::string_view id, std::string_view hint) {
  ++count;
  if (first.size() < InputProblems::k_shown) {
    first.push_back({line, std::string(id), std::string(hint)});
  }
}

void IdShapes::see(std::int64_t line, std::string_view id, std::string_view hint) {
  const bool number = is_number(id);
  if (number && id.size() >= k_kept_digits && id.size() <= k_most_digits) {
    ++numbers_;
  } else {
    others_.add(line, id, hint);
  }
  if (!number || id.size() <= k_kept_digits) return;
  ++long_numbers_;
  double chance = 1;
  for (std::size_t digit = k_kept_digits; digit < id.size(); ++digit) chance /= 10;
  expected_rounded_ += chance;
  if (!may_be_rounded(id)) return;
  rounded_.add(line, id, "");
  rounded_differ_ = rounded_differ_ || id != rounded_.first.front().id;
}

void IdShapes::report(InputProblems& problems) const {
  const bool rounded = rounded_differ_ &&
                       (rounded_.count == long_numbers_ ||
                        static_cast<double>(rounded_.count) >= k_times_chance * expected_rounded_);
  if (rounded) {
    for (const Entry& entry : rounded_.first) {
      problems.add(
          {entry.line, "the digits of the disk id " + quote_text(entry.id) +
                           " are zeros from the 16th on, as in " + std::to_string(rounded_.count) +
                           " ids of this list: a spreadsheet has rounded them, and this file does "
                           "not hold the lost digits; export the column as text"});
    }
    problems.add_unseen(rounded_.count - static_cast<std::int64_t>(rounded_.first.size()));
  }
  if (numbers_ > 0) {
    for (const Entry& entry : others_.first) {
      problems.add({entry.line, describe_other(entry.id, entry.hint)});
    }
    problems.add_unseen(others_.count - static_cast<std::int64_t>(others_.first.size()));
  }
}

}  // namespace diskrelease
