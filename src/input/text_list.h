#pragma once

#include <string_view>

#include "input/line_reader.h"
#include "input/list_output.h"

namespace diskrelease {

/// What a line of a plain text list says: without a comment (a # at the beginning or after a blank,
/// which no id can hold) and without blanks at its ends; empty for a line that says nothing.
[[nodiscard]] std::string_view text_entry(std::string_view line) noexcept;

/// `beginning` is the first block of the source: it tells a table (PrintedTable) from plain text.
void read_text_list(std::string_view beginning, LineReader& lines, ListOutput& output);

}  // namespace diskrelease
