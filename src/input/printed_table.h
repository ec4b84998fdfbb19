#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace diskrelease {

/// A table as `audit show` and `audit log` print it for people, with a column disk_id: a header of
/// column names, two blanks or more between columns, each cell below the beginning of its name.
/// What stands above the header is no part of it.
class PrintedTable {
 public:
  /// nullopt for a line that is no such header.
  [[nodiscard]] static std::optional<PrintedTable> of_header(std::string_view line);

  /// The cell of the column disk_id; nullopt for a row that is not laid out as the header is, so
  /// that what belongs to which column is not clear.
  [[nodiscard]] std::optional<std::string_view> disk_id(std::string_view row) const;

 private:
  explicit PrintedTable(std::size_t column) : column_(column) {}

  std::size_t column_;  ///< characters before the column
};

/// Whether a line of the text is the header of such a table.
[[nodiscard]] bool holds_printed_table(std::string_view text);

}  // namespace diskrelease
