#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace diskrelease {

/// "4096", "512KiB", "10MiB", "1GiB", "2TiB" as bytes; nullopt for anything else, and for what does
/// not fit. The unit may be in any case; a number without one counts bytes.
[[nodiscard]] std::optional<std::int64_t> parse_size(std::string_view text);

/// The shortest text that parse_size() reads back to the same value.
[[nodiscard]] std::string format_size(std::int64_t bytes);

}  // namespace diskrelease
