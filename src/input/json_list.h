#pragma once

#include <cstdint>
#include <string_view>

#include "input/byte_source.h"
#include "input/line_reader.h"
#include "input/list_output.h"

namespace diskrelease {

/// Reads the JSON values that hold the list, one after the other, as a stream of events: of each
/// saved page of an answer a number is kept, else nothing. Returns the number of lines read.
std::int64_t read_json_list(ByteSource& source, ListOutput& output);

/// Reads one JSON value a line.
void read_ndjson_list(LineReader& lines, ListOutput& output);

/// Whether a line is one complete JSON object with a member for the disk id, as NDJSON has them.
[[nodiscard]] bool is_ndjson_entry(std::string_view line);

}  // namespace diskrelease
