#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "model/time.h"

namespace diskrelease {

/// Where a clock on the wall stands. For reading and showing times to people; the record is UTC.
///
/// The rules of a named zone are those of the system's time zone database, by way of the C library,
/// which knows one zone at a time: find() with a name sets it for the whole process. To be used by
/// one thread, with one zone.
class TimeZone {
 public:
  /// UTC.
  TimeZone() = default;

  /// "UTC", "local", an offset such as "+02:00", or a name of the database such as
  /// "Europe/Berlin". nullopt = there is no such zone here.
  [[nodiscard]] static std::optional<TimeZone> find(std::string_view name);

  /// "2026-11-24T05:04:05.678+02:00"; with Z in UTC.
  [[nodiscard]] std::string format(UtcTime time) const;

  /// As parse_utc(), but a time that does not name its zone is of this one. Of an hour that a clock
  /// shows twice the C library picks one; an hour that it skips counts from its beginning.
  [[nodiscard]] std::optional<UtcTime> parse(std::string_view text) const;

 private:
  explicit TimeZone(std::optional<std::chrono::minutes> offset) : offset_(offset) {}

  /// nullopt = as the C library says.
  std::optional<std::chrono::minutes> offset_ = std::chrono::minutes(0);
};

}  // namespace diskrelease
