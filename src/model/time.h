#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace diskrelease {

/// Wall-clock time, UTC. For the record, for signatures; never for waiting.
using UtcTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// Monotonic time. For waiting, pacing and deadlines; means nothing outside the process.
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

/// "2026-11-24T03:04:05.678Z". A time outside the years 0000 to 9999, which has no such form, is
/// written as "N ms since 1970".
[[nodiscard]] std::string format_utc(UtcTime time);

/// Reads "2026-11-24", "2026-11-24T03:04[:05[.678]]" and a trailing "Z" or "+HH:MM" ("-HH:MM");
/// without a zone it is UTC. A fraction has one to three digits. nullopt for anything else: a date
/// that does not exist, 24:00, a leap second, an instant outside the years 0000 to 9999 included.
[[nodiscard]] std::optional<UtcTime> parse_utc(std::string_view text);

/// Reads a whole number with one of the units ms, s, m, h: "500ms", "30s", "2h". Fractions of a
/// unit are allowed ("1.5s") where they come to whole milliseconds. nullopt for anything else, a
/// missing unit, a negative value or more than 1000 hours.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// The shortest text that parse_duration reads back to the same value; among equally short ones
/// the first of s, m, h, ms ("0s"). What parse_duration would refuse is written in the same form.
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

}  // namespace diskrelease
