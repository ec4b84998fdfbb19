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

/// Whether a name can only mean a disk id: diskId, disk_id, "disk id" or disk-id, in any case.
[[nodiscard]] bool is_disk_id_name(std::string_view name);

/// What a first line "sep=;" names as the delimiter: the text behind "sep=" (in any case; the line
/// may be in quotes, and a program that saved it as a row may have repeated the delimiter).
/// nullopt for another line.
[[nodiscard]] std::optional<std::string_view> named_delimiter(std::string_view first_line);

/// The id that a cell holds: without blanks at its ends, and out of the forms in which people and
/// programs keep an id from a spreadsheet: ="862..", an apostrophe before digits or before a
/// character that would begin a formula.
[[nodiscard]] std::string_view id_of_cell(std::string_view cell) noexcept;

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
/// outside quotes in the first row that is no comment, or else the only one that lets
/// find_id_column() see a header. Where that leaves a doubt it is a message for the operator: a
/// wrong guess could turn half a cell into an id.
[[nodiscard]] std::variant<char, std::string> find_delimiter(
    std::string_view beginning, const std::optional<std::string>& wanted_column);

}  // namespace diskrelease
