#include "model/time.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace diskrelease {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

UtcTime at(std::int64_t ms) { return UtcTime{milliseconds{ms}}; }

std::optional<std::int64_t> utc_ms(std::string_view text) {
  const auto time = parse_utc(text);
  if (!time) return std::nullopt;
  return time->time_since_epoch().count();
}

std::optional<std::int64_t> duration_ms(std::string_view text) {
  const auto duration = parse_duration(text);
  if (!duration) return std::nullopt;
  return duration->count();
}

TEST(FormatUtcTest, WritesMillisecondsAndZ) {
  EXPECT_EQ(format_utc(at(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_utc(at(1'795'489'445'678)), "2026-11-24T03:04:05.678Z");
  EXPECT_EQ(format_utc(at(1'709'251'199'999)), "2024-02-29T23:59:59.999Z");
  EXPECT_EQ(format_utc(at(1'709'251'200'000)), "2024-03-01T00:00:00.000Z");
}

TEST(FormatUtcTest, WritesTimesBefore1970) {
  EXPECT_EQ(format_utc(at(-1)), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(format_utc(at(-86'400'000)), "1969-12-31T00:00:00.000Z");
  EXPECT_EQ(format_utc(at(-86'400'001)), "1969-12-30T23:59:59.999Z");
}

TEST(FormatUtcTest, WritesWhatHasNoSuchFormAsANumber) {
  EXPECT_EQ(format_utc(at(-62'167'219'200'001)), "-62167219200001 ms since 1970");
  EXPECT_EQ(format_utc(at(-62'167'219'200'000)), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(format_utc(at(253'402'300'799'999)), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(format_utc(at(253'402'300'800'000)), "253402300800000 ms since 1970");
  EXPECT_EQ(format_utc(at(std::numeric_limits<std::int64_t>::max())),
            "9223372036854775807 ms since 1970");
  EXPECT_EQ(format_utc(at(std::numeric_limits<std::int64_t>::min())),
            "-9223372036854775808 ms since 1970");
}

TEST(ParseUtcTest, ReadsEveryLengthOfATime) {
  EXPECT_EQ(utc_ms("2026-11-24"), 1'795'478'400'000);
  EXPECT_EQ(utc_ms("2026-11-24Z"), 1'795'478'400'000);
  EXPECT_EQ(utc_ms("2026-11-24T03:04"), 1'795'489'440'000);
  EXPECT_EQ(utc_ms("2026-11-24T03:04Z"), 1'795'489'440'000);
  EXPECT_EQ(utc_ms("2026-11-24T03:04:05"), 1'795'489'445'000);
  EXPECT_EQ(utc_ms("2026-11-24T03:04:05.6Z"), 1'795'489'445'600);
  EXPECT_EQ(utc_ms("2026-11-24T03:04:05.67"), 1'795'489'445'670);
  EXPECT_EQ(utc_ms("2026-11-24T03:04:05.678Z"), 1'795'489'445'678);
  EXPECT_EQ(utc_ms("1969-12-31T23:59:59.999Z"), -1);
}

TEST(ParseUtcTest, TakesTheZoneOff) {
  EXPECT_EQ(utc_ms("2026-11-24T03:04:05+08:00"), 1'795'489'445'000 - 8 * 3'600'000);
  EXPECT_EQ(utc_ms("2026-11-24T03:04:05-05:30"), 1'795'489'445'000 + 19'800'000);
  EXPECT_EQ(utc_ms("2026-11-24T03:04:05.678+00:00"), 1'795'489'445'678);
  EXPECT_EQ(utc_ms("2026-11-24T03:04:05-00:00"), 1'795'489'445'000);
  EXPECT_EQ(utc_ms("2026-01-01T00:00+23:59"), utc_ms("2025-12-31T00:01Z"));
  EXPECT_EQ(utc_ms("2026-11-24+08:00"), utc_ms("2026-11-23T16:00Z"));
}

TEST(ParseUtcTest, KnowsLeapYears) {
  for (const char* day : {"2024-02-29", "2000-02-29", "0000-02-29", "2026-02-28", "2026-12-31"}) {
    EXPECT_TRUE(utc_ms(day)) << day;
  }
  for (const char* day : {"2023-02-29", "1900-02-29", "2100-02-29", "2024-02-30", "2026-04-31",
                          "2026-00-10", "2026-13-01", "2026-01-00", "2026-01-32"}) {
    EXPECT_FALSE(utc_ms(day)) << day;
  }
}

TEST(ParseUtcTest, RefusesEverythingElse) {
  for (const char* text : {"",
                           " ",
                           "now",
                           "2026",
                           "2026-11",
                           "2026-11-2",
                           "2026-1-24",
                           "26-11-24",
                           "02026-11-24",
                           "-2026-11-24",
                           "+2026-11-24",
                           "2026/11/24",
                           "20261124",
                           "2026-11-24T",
                           "2026-11-24T03",
                           "2026-11-24T03:",
                           "2026-11-24T3:04",
                           "2026-11-24T03:04:",
                           "2026-11-24T03:04:5",
                           "2026-11-24T03:04:05.",
                           "2026-11-24T03:04:05.6789",
                           "2026-11-24T03:04:05,678",
                           "2026-11-24T24:00",
                           "2026-11-24T23:60",
                           "2026-11-24T23:59:60Z",
                           "2026-11-24 03:04",
                           "2026-11-24t03:04",
                           "2026-11-24T03:04z",
                           "2026-11-24T03:04ZZ",
                           "2026-11-24T03:04Z ",
                           " 2026-11-24",
                           "2026-11-24T03:04+8:00",
                           "2026-11-24T03:04+0800",
                           "2026-11-24T03:04+08",
                           "2026-11-24T03:04+24:00",
                           "2026-11-24T03:04+08:60",
                           "2026-11-24T03:04+08:00Z",
                           "2026-11-24T03:04 +08:00",
                           "2026-11-24T-3:04",
                           "2026-11-24T03:04:05.-1"}) {
    EXPECT_FALSE(utc_ms(text)) << text;
  }
  EXPECT_FALSE(utc_ms(std::string_view("2026-11-24\0", 11)));
}

TEST(ParseUtcTest, RefusesAnInstantOutsideTheYears0000To9999) {
  EXPECT_EQ(utc_ms("0000-01-01T00:00Z"), -62'167'219'200'000);
  EXPECT_FALSE(utc_ms("0000-01-01T00:00+00:01"));
  EXPECT_TRUE(utc_ms("0000-01-01T00:01+00:01"));
  EXPECT_TRUE(utc_ms("9999-12-31T23:58:59.999-00:01"));
  EXPECT_FALSE(utc_ms("9999-12-31T23:59-00:01"));
}

TEST(ParseUtcTest, ReadsBackWhatFormatUtcWrites) {
  std::mt19937_64 engine{20261124};
  std::uniform_int_distribution<std::int64_t> any(-62'167'219'200'000, 253'402'300'799'999);
  for (int i = 0; i < 2000; ++i) {
    const auto time = at(any(engine));
    EXPECT_EQ(parse_utc(format_utc(time)), time) << format_utc(time);
  }
}

TEST(ParseDurationTest, ReadsEveryUnit) {
  EXPECT_EQ(duration_ms("0ms"), 0);
  EXPECT_EQ(duration_ms("500ms"), 500);
  EXPECT_EQ(duration_ms("30s"), 30'000);
  EXPECT_EQ(duration_ms("5m"), 300'000);
  EXPECT_EQ(duration_ms("2h"), 7'200'000);
  EXPECT_EQ(duration_ms("007s"), 7'000);
}

TEST(ParseDurationTest, ReadsFractionsThatComeToWholeMilliseconds) {
  EXPECT_EQ(duration_ms("1.5s"), 1'500);
  EXPECT_EQ(duration_ms("0.001s"), 1);
  EXPECT_EQ(duration_ms("0.25h"), 900'000);
  EXPECT_EQ(duration_ms("1.0ms"), 1);
  EXPECT_EQ(duration_ms("1.50000000000000000000000000000s"), 1'500);
  EXPECT_EQ(duration_ms("0.0078125h"), 28'125);
  for (const char* text : {"0.5ms", "0.0001s", "1.0005s", "0.00000001h", "0.3333333m",
                           "0.00000000000000000000000000001h"}) {
    EXPECT_FALSE(duration_ms(text)) << text;
  }
}

TEST(ParseDurationTest, EndsAt1000Hours) {
  EXPECT_EQ(duration_ms("999.5h"), 3'598'200'000);
  EXPECT_EQ(duration_ms("1000h"), 3'600'000'000);
  EXPECT_FALSE(duration_ms("1000.1h"));
  EXPECT_FALSE(duration_ms("1001h"));
  EXPECT_EQ(duration_ms("60000m"), 3'600'000'000);
  EXPECT_FALSE(duration_ms("60001m"));
  EXPECT_EQ(duration_ms("3600000s"), 3'600'000'000);
  EXPECT_FALSE(duration_ms("3600000.001s"));
  EXPECT_EQ(duration_ms("3600000000ms"), 3'600'000'000);
  EXPECT_FALSE(duration_ms("3600000001ms"));
}

TEST(ParseDurationTest, RefusesNumbersThatOverflow) {
  for (const char* text :
       {"18446744073709551615h", "18446744073709551616ms", "9223372036854775808ms",
        "5124095576030432h", "99999999999999999999999999999999s"}) {
    EXPECT_FALSE(duration_ms(text)) << text;
  }
}

TEST(ParseDurationTest, RefusesEverythingElse) {
  for (const char* text : {"",     " ",     "5",     "s",    ".5s",  "1.s",   "-1s",  "+1s",
                           "1 s",  " 1s",   "1s ",   "1S",   "1sec", "1d",    "1min", "1,5s",
                           "1e3s", "1h30m", "1..5s", "0x1s", "inf",  "1.-5s", "1us",  "1.5"}) {
    EXPECT_FALSE(duration_ms(text)) << text;
  }
  EXPECT_FALSE(duration_ms(std::string_view("1s\0", 3)));
}

TEST(FormatDurationTest, WritesTheShortestForm) {
  const std::pair<milliseconds, const char*> cases[] = {{milliseconds{0}, "0s"},
                                                        {milliseconds{1}, "1ms"},
                                                        {milliseconds{50}, "50ms"},
                                                        {milliseconds{500}, "0.5s"},
                                                        {milliseconds{999}, "999ms"},
                                                        {milliseconds{1'000}, "1s"},
                                                        {milliseconds{1'001}, "1.001s"},
                                                        {milliseconds{1'500}, "1.5s"},
                                                        {milliseconds{30'000}, "30s"},
                                                        {milliseconds{60'000}, "1m"},
                                                        {milliseconds{90'000}, "90s"},
                                                        {milliseconds{600'600}, "600.6s"},
                                                        {milliseconds{5'400'000}, "90m"},
                                                        {hours{2}, "2h"},
                                                        {hours{1000}, "1000h"}};
  for (const auto& [duration, text] : cases) EXPECT_EQ(format_duration(duration), text);
}

TEST(FormatDurationTest, WritesWhatParseDurationRefusesToo) {
  EXPECT_EQ(format_duration(milliseconds{-1'500}), "-1.5s");
  EXPECT_EQ(format_duration(hours{1001}), "1001h");
  EXPECT_EQ(format_duration(milliseconds{std::numeric_limits<std::int64_t>::min()}),
            "-9223372036854775.808s");
}

TEST(FormatDurationTest, IsReadBackToTheSameValue) {
  for (std::int64_t ms = 0; ms <= 4'000; ++ms) {
    EXPECT_EQ(duration_ms(format_duration(milliseconds{ms})), ms);
  }
  std::mt19937_64 engine{7};
  std::uniform_int_distribution<std::int64_t> any(0, 3'600'000'000);
  for (int i = 0; i < 2000; ++i) {
    const auto ms = any(engine);
    EXPECT_EQ(duration_ms(format_duration(milliseconds{ms})), ms);
    EXPECT_EQ(duration_ms(format_duration(milliseconds{ms - ms % 22'500})), ms - ms % 22'500);
  }
}

}  // namespace
}  // namespace diskrelease
