#pragma once

#include <optional>
#include <string_view>

#include "model/job_spec.h"

namespace diskrelease {

/// What the end of a file name says about the format; nothing for a name that says nothing.
[[nodiscard]] std::optional<ListFormat> format_of_name(std::string_view name);

/// The format that the beginning of a list looks like: never automatic. With `for_column` what
/// could be CSV or text is CSV, since only CSV has columns.
[[nodiscard]] ListFormat format_of_content(std::string_view beginning, bool for_column);

[[nodiscard]] bool has_extension(std::string_view name, std::string_view extension);

}  // namespace diskrelease
