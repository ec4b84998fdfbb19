#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <variant>
#include <vector>

namespace diskrelease {

enum class TableFormat { text, json, csv };

/// monostate = no value: "-" in a text table, null in JSON, an empty field in CSV.
using Cell = std::variant<std::monostate, std::int64_t, std::string>;

/// Writes rows as they come: an aligned text table, a JSON array of objects, or CSV (RFC 4180, LF).
/// A text table is laid out by its first k_sample rows and cuts nothing. Text is made visible in a
/// text table and stays as it is in JSON and CSV.
class Table {
 public:
  Table(std::ostream& out, TableFormat format, std::vector<std::string> columns);

  /// Precondition: as many cells as columns.
  void add(std::vector<Cell> row);
  /// Call once after the last row. A text table without rows prints its header only.
  void finish();

  static constexpr std::size_t k_sample = 1'000;

 private:
  void write_text_row(const std::vector<std::string>& cells);
  void lay_out();

  std::ostream& out_;
  TableFormat format_;
  std::vector<std::string> columns_;
  std::vector<std::vector<std::string>> sample_;
  std::vector<std::size_t> widths_;
  bool laid_out_ = false;
  bool first_ = true;
};

}  // namespace diskrelease
