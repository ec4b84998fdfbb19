#include "platform/time_zone.h"

#include <gtest/gtest.h>
#include <time.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

UtcTime at(const char* text) { return *parse_utc(text); }

/// A named zone is set for the whole process: what was set before comes back.
class TimeZoneTest : public ::testing::Test {
 protected:
  TimeZoneTest() {
    if (const char* zone = std::getenv("TZ")) before_ = zone;
  }
  ~TimeZoneTest() override {
    before_ ? ::setenv("TZ", before_->c_str(), 1) : ::unsetenv("TZ");
    ::unsetenv("TZDIR");
    ::tzset();
  }

 private:
  std::optional<std::string> before_;
};

TEST_F(TimeZoneTest, ATimeThatHasNoFormIsWrittenAsItIs) {
  const UtcTime far(std::chrono::milliseconds(300'000'000'000'000));
  EXPECT_EQ(TimeZone::find("+02:00")->format(far), format_utc(far));
}

TEST_F(TimeZoneTest, IsUtcUnlessSaidOtherwise) {
  const TimeZone zone;
  EXPECT_EQ(zone.format(at("2026-11-24T01:02:03.004Z")), "2026-11-24T01:02:03.004Z");
  EXPECT_EQ(zone.parse("2026-11-24T01:02"), at("2026-11-24T01:02Z"));
  EXPECT_EQ(TimeZone::find("UTC")->parse("2026-11-24"), at("2026-11-24"));
}

TEST_F(TimeZoneTest, TakesAnOffset) {
  const auto east = TimeZone::find("+05:30");
  ASSERT_TRUE(east);
  EXPECT_EQ(east->format(at("2026-11-24T20:00:00Z")), "2026-11-25T01:30:00.000+05:30");
  EXPECT_EQ(east->parse("2026-11-25T01:30"), at("2026-11-24T20:00Z"));
  EXPECT_EQ(east->parse("2026-11-25"), at("2026-11-24T18:30Z"));
  const auto west = TimeZone::find("-08:00");
  ASSERT_TRUE(west);
  EXPECT_EQ(west->format(at("2026-11-24T07:00:00Z")), "2026-11-23T23:00:00.000-08:00");
  EXPECT_EQ(west->parse("2026-11-23T23:00"), at("2026-11-24T07:00Z"));
}

TEST_F(TimeZoneTest, ATimeThatNamesItsZoneIsOfThatOne) {
  const auto zone = TimeZone::find("+05:30");
  ASSERT_TRUE(zone);
  EXPECT_EQ(zone->parse("2026-11-24T01:00Z"), at("2026-11-24T01:00Z"));
  EXPECT_EQ(zone->parse("2026-11-24T01:00+01:00"), at("2026-11-24T00:00Z"));
}

TEST_F(TimeZoneTest, RefusesWhatIsNoZoneAndNoTime) {
  for (const char* name : {"", "Nowhere/Atlantis", "+5", "+25:00", "../etc/passwd", "/etc/passwd",
                           "utc+1", "+02:00:00"}) {
    EXPECT_FALSE(TimeZone::find(name)) << name;
  }
  for (const char* text : {"", "yesterday", "2026-02-30", "24:00", "2026-11-24T25:00"}) {
    EXPECT_FALSE(TimeZone().parse(text)) << text;
  }
}

/// The rules of a zone as POSIX writes them, so that the test needs no database of the system: one
/// hour ahead of UTC, two from March to October.
TEST_F(TimeZoneTest, FollowsTheClockChangesOfTheLocalZone) {
  ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  const auto zone = TimeZone::find("local");
  ASSERT_TRUE(zone);
  EXPECT_EQ(zone->format(at("2026-11-24T00:00:00Z")), "2026-11-24T01:00:00.000+01:00");
  EXPECT_EQ(zone->format(at("2026-07-01T00:00:00Z")), "2026-07-01T02:00:00.000+02:00");
  EXPECT_EQ(zone->parse("2026-11-24T01:00:00.250"), at("2026-11-24T00:00:00.250Z"));
  EXPECT_EQ(zone->parse("2026-07-01T02:00"), at("2026-07-01T00:00Z"));
}

TEST_F(TimeZoneTest, FindsANamedZoneInTheDatabaseOfTheSystem) {
  const TemporaryDirectory directory;
  ::setenv("TZDIR", directory.path().c_str(), 1);
  EXPECT_FALSE(TimeZone::find("Test"));
  std::ofstream(directory / "zone.tab") << "#country codes and zones";
  EXPECT_FALSE(TimeZone::find("zone.tab"));
  // The smallest file there can be (RFC 8536): no transitions, one kind of time, three hours ahead.
  std::string file = "TZif";
  file += std::string(16, '\0');
  const auto number = [&](std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(value >> shift & 0xFF);
  };
  for (const std::uint32_t count : {0u, 0u, 0u, 0u, 1u, 4u}) number(count);
  number(3 * 3600);
  file += std::string(2, '\0');
  file += std::string("TST\0", 4);
  std::ofstream(directory / "Test", std::ios::binary) << file;
  const auto zone = TimeZone::find("Test");
  ASSERT_TRUE(zone);
  EXPECT_EQ(zone->format(at("2026-11-24T00:00:00Z")), "2026-11-24T03:00:00.000+03:00");
  EXPECT_EQ(zone->parse("2026-11-24T03:00"), at("2026-11-24T00:00Z"));
}

}  // namespace
}  // namespace diskrelease
