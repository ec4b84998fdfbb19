#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace diskrelease {

/// "maxDisks", "max-disks", "Max Disks" -> "max_disks".
[[nodiscard]] std::string in_snake_case(std::string_view text);

/// Finds the known word that was probably meant by one that is not known: the nearest by changed,
/// added, lost and swapped characters, if it is near at all. Spelling in other cases is no
/// difference.
class Suggestion {
 public:
  explicit Suggestion(std::string_view written);

  /// `known` is in snake_case; `shown` is what the operator is to write for it. Among equally near
  /// words the first one stays.
  void consider(std::string_view known, std::string_view shown);

  /// "; did you mean \"max_disks\"?", empty if nothing is near.
  [[nodiscard]] std::string text() const;

 private:
  std::string written_;  ///< empty = too long for a misspelt word
  std::string shown_;
  std::size_t nearest_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace diskrelease
