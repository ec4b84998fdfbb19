#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace diskrelease {

/// Whether a CSV header names a column of disk ids: diskId, disk_id, "disk id", disk-id or id, in
/// any case.
[[nodiscard]] bool is_id_column_name(std::string_view cell);

struct CsvColumn {
  std::size_t index = 0;  ///< from 0
  bool has_header = false;
};

/// Finds the column of the ids from the first row of a CSV list. `wanted` is a header name or a
/// 1-based number. Without it: the one column named like a disk id (a plain "id" counts only where
/// there is no better name), else the only column, which then has no header. The other side is a
/// message for the operator.
[[nodiscard]] std::variant<CsvColumn, std::string> find_id_column(
    std::span<const std::string> first_row, const std::optional<std::string>& wanted);

/// Finds the delimiter (comma, semicolon or tab) from the beginning of a CSV list: the only one
/// outside quotes in the first row, or else the only one that lets find_id_column() see a header.
/// Where that leaves a doubt it is a message for the operator: a wrong guess could turn half a cell
/// into an id.
[[nodiscard]] std::variant<char, std::string> find_delimiter(
    std::string_view beginning, const std::optional<std::string>& wanted_column);

}  // namespace diskrelease
