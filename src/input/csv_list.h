#pragma once

#include <optional>
#include <string>

#include "input/line_reader.h"
#include "input/list_output.h"

namespace diskrelease {

struct CsvOptions {
  std::optional<std::string> column;  ///< as ListOptions::column
  std::optional<char> delimiter;      ///< nothing = find it
};

/// Reads CSV rows to the end. `beginning` is the first block of the source, for the delimiter.
void read_csv_list(std::string_view beginning, LineReader& lines, const CsvOptions& options,
                   ListOutput& output);

}  // namespace diskrelease
