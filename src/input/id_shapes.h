#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "input/list_reader.h"

namespace diskrelease {

/// Looks at the ids of a list side by side for what no id shows alone:
/// - Digits lost to a spreadsheet, which keeps 15: ids of 16 and more digits whose digits from the
///   16th on are all zeros. At least two different ones, and either all long ids of the list or
///   k_times_chance times as many as chance alone would give.
/// - Entries that are something else: in a list that holds numbers of 15 to 20 digits, as the
///   provider's ids are, whatever is not one.
/// Memory does not grow with the list.
class IdShapes {
 public:
  /// `hint` is added to a problem of this entry.
  void see(std::int64_t line, std::string_view id, std::string_view hint);

  void report(InputProblems& problems) const;

  static constexpr double k_times_chance = 20;

 private:
  struct Entry {
    std::int64_t line = 0;
    std::string id;
    std::string hint;
  };
  struct Entries {
    std::vector<Entry> first;
    std::int64_t count = 0;

    void add(std::int64_t line, std::string_view id, std::string_view hint);
  };

  Entries others_;            ///< no numbers of 15 to 20 digits
  std::int64_t numbers_ = 0;  ///< of 15 to 20 digits
  Entries rounded_;
  bool rounded_differ_ = false;
  std::int64_t long_numbers_ = 0;  ///< of 16 and more digits
  double expected_rounded_ = 0;    ///< of them by chance
};

}  // namespace diskrelease
