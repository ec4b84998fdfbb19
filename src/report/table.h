#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace diskrelease {

enum class TableFormat { text, json, ndjson, csv };

/// monostate = no value: "-" in a text table, null in JSON, an empty field in CSV.
using Cell = std::variant<std::monostate, std::int64_t, double, std::string>;

/// A field of a CSV file (RFC 4180) that holds a text. A spreadsheet takes a text for a formula
/// that begins with = + - @ or their wide forms, blanks and line ends before it or not: such a
/// text, one that begins with a tab or a line end, and one that begins with an apostrophe, gets an
/// apostrophe in front, so taking one leading apostrophe away gives every text back. (The rule of
/// OWASP's page "CSV Injection", and wider.)
[[nodiscard]] std::string csv_field(std::string_view text);

/// Writes rows as they come: an aligned text table, a JSON array of objects, one JSON object a
/// line, or CSV (csv_field(); lines end with LF; numbers are not texts). A text table is laid out
/// by its first k_sample rows, or k_sample_bytes, and cuts nothing. Text is made visible in a text
/// table and stays as it is in JSON.
class Table {
 public:
  Table(std::ostream& out, TableFormat format, std::vector<std::string> columns);

  /// Precondition: as many cells as columns.
  void add(std::vector<Cell> row);
  /// Call once after the last row. A text table without rows prints its header only.
  void finish();

  static constexpr std::size_t k_sample = 1'000;
  /// Of long texts fewer rows are looked at.
  static constexpr std::size_t k_sample_bytes = 4 * 1024 * 1024;

 private:
  void write_text_row(const std::vector<std::string>& cells);
  void lay_out();

  std::ostream& out_;
  TableFormat format_;
  std::vector<std::string> columns_;
  std::vector<std::vector<std::string>> sample_;
  std::size_t sample_bytes_ = 0;
  std::vector<std::size_t> widths_;
  bool laid_out_ = false;
  bool first_ = true;
};

}  // namespace diskrelease
