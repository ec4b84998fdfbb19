#include "platform/time_zone.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "platform/host.h"

namespace diskrelease {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// "+02:00" by way of a time that ends with it.
std::optional<minutes> parse_offset(std::string_view text) {
  if (!text.starts_with('+') && !text.starts_with('-')) return std::nullopt;
  constexpr std::string_view k_noon = "2000-01-01T12:00";
  const auto utc = parse_utc(std::string(k_noon));
  const auto there = parse_utc(std::string(k_noon) + std::string(text));
  if (!utc || !there) return std::nullopt;
  return std::chrono::duration_cast<minutes>(*utc - *there);
}

bool is_in_database(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find("..") != std::string_view::npos) {
    return false;
  }
  const std::filesystem::path folder =
      environment_variable("TZDIR").value_or("/usr/share/zoneinfo");
  std::error_code error;
  if (!std::filesystem::is_regular_file(folder / name, error)) return false;
  // The folder has other files, too, which the C library would take for UTC (RFC 8536,
  // section 3.1).
  std::ifstream file(folder / name, std::ios::binary);
  std::array<char, 4> magic{};
  file.read(magic.data(), magic.size());
  return file && std::string_view(magic.data(), magic.size()) == "TZif";
}

std::tm local(std::time_t time) {
  std::tm fields{};
  ::localtime_r(&time, &fields);
  return fields;
}

}  // namespace

std::optional<TimeZone> TimeZone::find(std::string_view name) {
  if (name == "UTC" || name == "utc" || name == "Z") return TimeZone();
  if (const auto offset = parse_offset(name)) return TimeZone(offset);
  if (name != "local") {
    if (!is_in_database(name)) return std::nullopt;
    ::setenv("TZ", std::string(name).c_str(), 1);
  }
  ::tzset();
  return TimeZone(std::nullopt);
}

std::string TimeZone::format(UtcTime time) const {
  seconds offset(0);
  if (offset_) {
    offset = *offset_;
  } else {
    const auto whole = std::chrono::floor<seconds>(time);
    offset = seconds(local(whole.time_since_epoch().count()).tm_gmtoff);
  }
  std::string text = format_utc(time + offset);
  // Out of the years that have a form.
  if (offset == seconds(0) || !text.ends_with('Z')) return format_utc(time);
  const auto whole = std::chrono::abs(std::chrono::duration_cast<minutes>(offset)).count();
  std::array<char, 32> zone{};
  static_cast<void>(std::snprintf(zone.data(), zone.size(), "%c%02d:%02d",
                                  offset < seconds(0) ? '-' : '+', static_cast<int>(whole / 60),
                                  static_cast<int>(whole % 60)));
  text.pop_back();
  return text + zone.data();
}

std::optional<UtcTime> TimeZone::parse(std::string_view text) const {
  // What can be followed by a zone has none yet.
  const auto on_the_wall = parse_utc(std::string(text) + 'Z');
  if (!on_the_wall) return parse_utc(text);
  if (offset_) return *on_the_wall - *offset_;
  const auto whole = std::chrono::floor<seconds>(*on_the_wall);
  const std::time_t as_if_utc = whole.time_since_epoch().count();
  std::tm fields{};
  ::gmtime_r(&as_if_utc, &fields);
  fields.tm_isdst = -1;
  const std::time_t found = std::mktime(&fields);
  return UtcTime(seconds(found)) + (*on_the_wall - whole);
}

}  // namespace diskrelease
