#include "model/time.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>

namespace diskrelease {
namespace {

using std::chrono::milliseconds;

constexpr UtcTime k_first_written{std::chrono::sys_days{std::chrono::year{0} / 1 / 1}};
constexpr UtcTime k_end_of_written{std::chrono::sys_days{std::chrono::year{10000} / 1 / 1}};

constexpr milliseconds k_longest_duration = std::chrono::hours{1000};

struct Unit {
  std::string_view name;
  std::uint64_t ms;
};

constexpr std::array<Unit, 4> k_units = {Unit{"s", 1'000}, Unit{"m", 60'000}, Unit{"h", 3'600'000},
                                         Unit{"ms", 1}};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Takes parts off the front of a text; a part that is not there is left and reported.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

  bool take(char wanted) noexcept {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view take_digits() noexcept {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_digit);
    const auto digits = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(digits.size());
    return digits;
  }

  /// A number of exactly `width` digits, not above `max`.
  std::optional<int> take_number(std::size_t width, int max) noexcept {
    if (rest_.size() < width || !std::all_of(rest_.begin(), rest_.begin() + width, is_digit)) {
      return std::nullopt;
    }
    int number = 0;
    for (const char digit : rest_.substr(0, width)) number = number * 10 + (digit - '0');
    rest_.remove_prefix(width);
    if (number > max) return std::nullopt;
    return number;
  }

 private:
  std::string_view rest_;
};

std::optional<UtcTime> take_date(Scanner& in) {
  const auto year = in.take_number(4, 9999);
  if (!year || !in.take('-')) return std::nullopt;
  const auto month = in.take_number(2, 12);
  if (!month || !in.take('-')) return std::nullopt;
  const auto day = in.take_number(2, 31);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days{date};
}

/// "03:04".
std::optional<milliseconds> take_hours_minutes(Scanner& in) {
  const auto hours = in.take_number(2, 23);
  if (!hours || !in.take(':')) return std::nullopt;
  const auto minutes = in.take_number(2, 59);
  if (!minutes) return std::nullopt;
  return std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
}

/// "03:04[:05[.678]]".
std::optional<milliseconds> take_time_of_day(Scanner& in) {
  auto time = take_hours_minutes(in);
  if (!time || !in.take(':')) return time;
  const auto seconds = in.take_number(2, 59);
  if (!seconds) return std::nullopt;
  *time += std::chrono::seconds{*seconds};
  if (!in.take('.')) return time;
  const auto fraction = in.take_digits();
  if (fraction.empty() || fraction.size() > 3) return std::nullopt;
  int weight = 100;
  for (const char digit : fraction) {
    *time += milliseconds{(digit - '0') * weight};
    weight /= 10;
  }
  return time;
}

/// What to take off a local time to have UTC.
std::optional<milliseconds> take_zone(Scanner& in) {
  if (in.at_end() || in.take('Z')) return milliseconds{0};
  const bool east = in.take('+');
  if (!east && !in.take('-')) return std::nullopt;
  const auto offset = take_hours_minutes(in);
  if (!offset) return std::nullopt;
  return east ? *offset : -*offset;
}

/// "90", "1.5": the exact decimal form of amount / unit; nullopt if it has no end.
std::optional<std::string> exact_decimal(std::uint64_t amount, std::uint64_t unit) {
  std::string text = std::to_string(amount / unit);
  std::uint64_t remainder = amount % unit;
  if (remainder != 0) text += '.';
  // Every finite fraction of 3,600,000 = 2^7 * 3^2 * 5^5 ends within seven digits.
  for (int digits = 0; remainder != 0; ++digits) {
    if (digits == 7) return std::nullopt;
    remainder *= 10;
    text += static_cast<char>('0' + remainder / unit);
    remainder %= unit;
  }
  return text;
}

}  // namespace

std::string format_utc(UtcTime time) {
  if (time < k_first_written || time >= k_end_of_written) {
    return std::to_string(time.time_since_epoch().count()) + " ms since 1970";
  }
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss<milliseconds> clock{time - day};
  std::array<char, 64> text{};
  const int length = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
      static_cast<int>(clock.subseconds().count()));
  return {text.data(), static_cast<std::size_t>(length)};
}

std::optional<UtcTime> parse_utc(std::string_view text) {
  Scanner in{text};
  auto time = take_date(in);
  if (!time) return std::nullopt;
  if (in.take('T')) {
    const auto time_of_day = take_time_of_day(in);
    if (!time_of_day) return std::nullopt;
    *time += *time_of_day;
  }
  const auto offset = take_zone(in);
  if (!offset || !in.at_end()) return std::nullopt;
  *time -= *offset;
  if (*time < k_first_written || *time >= k_end_of_written) return std::nullopt;
  return time;
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  constexpr auto k_longest = static_cast<std::uint64_t>(k_longest_duration.count());

  Scanner in{text};
  const auto whole_digits = in.take_digits();
  const bool has_fraction = in.take('.');
  auto fraction_digits = has_fraction ? in.take_digits() : std::string_view{};
  if (whole_digits.empty() || (has_fraction && fraction_digits.empty())) return std::nullopt;

  const auto* const unit = std::find_if(k_units.begin(), k_units.end(),
                                        [&](const Unit& known) { return known.name == in.rest(); });
  if (unit == k_units.end()) return std::nullopt;

  std::uint64_t whole = 0;
  if (std::from_chars(whole_digits.data(), whole_digits.data() + whole_digits.size(), whole).ec !=
          std::errc{} ||
      whole > k_longest) {
    return std::nullopt;
  }

  while (fraction_digits.ends_with('0')) fraction_digits.remove_suffix(1);
  // More than seven digits never come to whole milliseconds: see exact_decimal.
  if (fraction_digits.size() > 7) return std::nullopt;
  std::uint64_t fraction = 0;
  std::uint64_t scale = 1;
  for (const char digit : fraction_digits) {
    fraction = fraction * 10 + static_cast<std::uint64_t>(digit - '0');
    scale *= 10;
  }
  if (fraction * unit->ms % scale != 0) return std::nullopt;

  const std::uint64_t total = whole * unit->ms + fraction * unit->ms / scale;
  if (total > k_longest) return std::nullopt;
  return milliseconds{static_cast<milliseconds::rep>(total)};
}

std::string format_duration(milliseconds duration) {
  const bool negative = duration < milliseconds{0};
  const auto count = static_cast<std::uint64_t>(duration.count());
  const std::uint64_t amount = negative ? 0 - count : count;

  std::string shortest;
  for (const Unit& unit : k_units) {
    auto candidate = exact_decimal(amount, unit.ms);
    if (!candidate) continue;
    candidate->append(unit.name);
    if (shortest.empty() || candidate->size() < shortest.size()) shortest = *std::move(candidate);
  }
  return (negative ? "-" : "") + shortest;
}

}  // namespace diskrelease
