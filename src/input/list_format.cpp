#include "input/list_format.h"

#include <algorithm>
#include <array>
#include <utility>

#include "input/csv_layout.h"
#include "input/json_list.h"
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
  beginning.remove_prefix(from);
  const std::string_view line = beginning.substr(0, beginning.find('\n'));

  if (line.starts_with('[')) return ListFormat::json;
  if (line.starts_with('{')) return is_ndjson_entry(line) ? ListFormat::ndjson : ListFormat::json;
  if (for_column) return ListFormat::csv;
  const std::string_view entry = text_entry(line.substr(0, line.find_last_not_of('\r') + 1));
  // A quoted first line is CSV rather than NDJSON: as NDJSON a quoted header would pass for an id.
  if (entry.find_first_of(",;\t\"") != std::string_view::npos || is_id_column_name(entry)) {
    return ListFormat::csv;
  }
  return ListFormat::text;
}

}  // namespace diskrelease
