#include "report/html.h"

#include <gtest/gtest.h>

#include <sstream>
#include <type_traits>

namespace diskrelease {
namespace {

std::string as_text(std::string_view text) {
  std::ostringstream out;
  Html(out).text(text);
  return out.str();
}

TEST(HtmlTest, TextCannotBecomeMarkup) {
  EXPECT_EQ(as_text("<script>alert(1)</script>"), "&lt;script&gt;alert(1)&lt;/script&gt;");
  EXPECT_EQ(as_text("\" onload='x' & more"), "&quot; onload=&#39;x&#39; &amp; more");
  EXPECT_EQ(as_text("&amp;"), "&amp;amp;");
  EXPECT_EQ(as_text(""), "");
}

TEST(HtmlTest, WhatWouldDisturbALineIsMadeVisible) {
  EXPECT_EQ(as_text("a\r\n\t\x1b[31m\x7f"), "a\\x0d\\x0a\\x09\\x1b[31m\\x7f");
  EXPECT_EQ(as_text("\u202egpj.exe\u2066"), "\\xe2\\x80\\xaegpj.exe\\xe2\\x81\\xa6");
  EXPECT_EQ(as_text(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(as_text("\xff<"), "\\xff&lt;");
  EXPECT_EQ(as_text("Größe 数"), "Größe 数");
}

TEST(HtmlTest, LongTextIsWholeAndCutNowhere) {
  const std::string text(10'000, '<');
  EXPECT_EQ(as_text(text).size(), 4 * text.size());
}

TEST(HtmlTest, OnlyALiteralIsMarkup) {
  static_assert(!std::is_constructible_v<Markup, std::string>);
  static_assert(!std::is_constructible_v<Markup, std::string_view>);
}

TEST(HtmlTest, NumbersAreGroupedByThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1'000), "1,000");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
  EXPECT_EQ(grouped(-999), "-999");
  EXPECT_EQ(grouped(-1'000), "-1,000");
}

TEST(HtmlTest, DecimalsEndWithoutZeros) {
  EXPECT_EQ(decimal(2, 2), "2");
  EXPECT_EQ(decimal(1.5, 2), "1.5");
  EXPECT_EQ(decimal(1.005, 1), "1");
  EXPECT_EQ(decimal(100, 0), "100");
  EXPECT_EQ(decimal(0.125, 2), "0.12");
}

TEST(HtmlTest, ATimeIsShownShortAndHeldInFull) {
  std::ostringstream out;
  Html(out).time(UtcTime(std::chrono::milliseconds(1'795'000'000'123)));
  EXPECT_EQ(out.str(), "<time datetime=\"2026-11-18T11:06:40.123Z\">2026-11-18 11:06:40</time>");
}

}  // namespace
}  // namespace diskrelease
