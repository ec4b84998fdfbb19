#include "input/list_format.h"

#include <algorithm>
#include <array>
#include <utility>

#include "input/csv_layout.h"
#include "input/json_list.h"
#include "input/line_reader.h"
#include "input/printed_table.h"
#include "input/text_list.h"

namespace diskrelease {

bool has_extension(std::string_view name, std::string_view extension) {
  if (name.size() <= extension.size()) return false;
  const std::string_view end = name.substr(name.size() - extension.size());
  return name[name.size() - extension.size() - 1] == '.' &&
         std::ranges::equal(end, extension, [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
         });
}

std::optional<ListFormat> format_of_name(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, ListFormat>, 7> k_formats = {{
      {"csv", ListFormat::csv},
      {"tsv", ListFormat::csv},
      {"json", ListFormat::json},
      {"ndjson", ListFormat::ndjson},
      {"jsonl", ListFormat::ndjson},
      {"txt", ListFormat::text},
      {"list", ListFormat::text},
  }};
  for (const auto& [extension, format] : k_formats) {
    if (has_extension(name, extension)) return format;
  }
  return std::nullopt;
}

ListFormat format_of_content(std::string_view beginning, bool for_column) {
  const std::size_t from = beginning.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return ListFormat::text;
  const std::string_view whole = beginning;
  beginning.remove_prefix(from);
  const std::string_view line = beginning.substr(0, first_line_end(beginning));

  if (line.starts_with('[')) return ListFormat::json;
  if (line.starts_with('{')) return is_ndjson_entry(line) ? ListFormat::ndjson : ListFormat::json;
  if (for_column) return ListFormat::csv;
  if (holds_printed_table(whole)) return ListFormat::text;
  if (named_delimiter(line)) return ListFormat::csv;
  const std::string_view entry = text_entry(line);
  // A quoted first line is CSV rather than NDJSON: as NDJSON a quoted header would pass for an id.
  if (entry.find_first_of(",;\t\"") != std::string_view::npos || is_id_column_name(entry)) {
    return ListFormat::csv;
  }
  return ListFormat::text;
}

}  // namespace diskrelease
