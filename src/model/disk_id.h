#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace diskrelease {

/// Why a text is not a disk id.
enum class DiskIdProblem {
  empty,                ///< no characters at all
  too_long,             ///< more than DiskId::k_max_bytes
  scientific_notation,  ///< a spreadsheet has turned the id into a number such as 8.62857E+17
  formatted_number,     ///< a number with a sign, a decimal point or thousands separators
  placeholder,          ///< a word for no value or for a sum: null, N/A, nan, total
  column_name,          ///< a word that heads a column of ids: diskId, VolumeId, id
  no_letter_or_digit,   ///< punctuation only: a placeholder, or a rule of a drawn table
  bad_character,        ///< a byte outside [A-Za-z0-9._-]
};

/// Names the problem in words for an operator, e.g. "is empty".
[[nodiscard]] std::string_view describe(DiskIdProblem problem) noexcept;

/// A disk id that may be put into a request: 1 to k_max_bytes bytes of [A-Za-z0-9._-].
///
/// The provider documents neither alphabet nor length; published examples are decimal strings of 18
/// and 19 digits, above 2^53, so an id never passes through a floating-point number. parse() is the
/// only way from text to DiskId.
class DiskId {
 public:
  static constexpr std::size_t k_max_bytes = 128;

  /// Accepts exactly the text given; white space is not trimmed.
  [[nodiscard]] static std::variant<DiskId, DiskIdProblem> parse(std::string_view text);

  /// As parse(), for an entry of a list: also refuses what fits the alphabet and is in a list only
  /// by mistake. parse() takes that still: it reads what earlier versions have recorded.
  [[nodiscard]] static std::variant<DiskId, DiskIdProblem> parse_entry(std::string_view text);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }

  friend auto operator<=>(const DiskId&, const DiskId&) = default;

 private:
  explicit DiskId(std::string_view text) : text_(text) {}
  std::string text_;
};

}  // namespace diskrelease
