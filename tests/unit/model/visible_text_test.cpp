#include "model/visible_text.h"

#include <gtest/gtest.h>

#include <random>

namespace diskrelease {
namespace {

TEST(VisibleTextTest, LeavesPrintableTextOfAnyScriptAsItIs) {
  for (const char* text :
       {"", "plain ~!", "a\\b", "caf\u00e9", "\u65e5\u672c", "\U0001F4BE", "\u00a0"}) {
    EXPECT_EQ(visible(text), text);
  }
}

TEST(VisibleTextTest, WritesControlCharactersAsBytes) {
  const std::pair<std::string, std::string> cases[] = {
      {std::string("\0", 1), "\\x00"},
      {"\x1b[31m", "\\x1b[31m"},
      {"a\tb\r\n", "a\\x09b\\x0d\\x0a"},
      {"\x1f ", "\\x1f "},
      {"~\x7f", "~\\x7f"},
      {"\u0080\u009f\u00a1", "\\xc2\\x80\\xc2\\x9f\u00a1"},
      {"\u061c", "\\xd8\\x9c"},
      {"\u200d\u200e\u200f\u2010", "\u200d\\xe2\\x80\\x8e\\xe2\\x80\\x8f\u2010"},
      {"\u2027\u2028\u202e\u202f", "\u2027\\xe2\\x80\\xa8\\xe2\\x80\\xae\u202f"},
      {"\u2065\u2066\u2069\u206a", "\u2065\\xe2\\x81\\xa6\\xe2\\x81\\xa9\u206a"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(visible(text), expected);
}

TEST(VisibleTextTest, WritesBytesThatAreNotUtf8OneByOne) {
  EXPECT_EQ(visible("a\xff"
                    "b"),
            "a\\xffb");
  EXPECT_EQ(visible("\xc3"), "\\xc3");
  EXPECT_EQ(visible("\xe2\x82z"), "\\xe2\\x82z");
  EXPECT_EQ(visible("\xed\xa0\x80"), "\\xed\\xa0\\x80");
}

TEST(VisibleTextTest, CutsAtTheLimitWithoutCuttingACharacter) {
  EXPECT_EQ(visible("abcd", 5), "abcd");
  EXPECT_EQ(visible("abcd", 4), "abcd");
  EXPECT_EQ(visible("abcd", 3), "abc...");
  EXPECT_EQ(visible("a\u00e9", 3), "a\u00e9");
  EXPECT_EQ(visible("a\u00e9", 2), "a...");
  EXPECT_EQ(visible("a\u00e9z", 3), "a\u00e9...");
  EXPECT_EQ(visible("a", 0), "...");
  EXPECT_EQ(visible("", 0), "");
  EXPECT_EQ(visible(std::string(401, 'x')), std::string(400, 'x') + "...");
}

TEST(VisibleTextTest, GivesOneLineOfUtf8ForAnyBytes) {
  std::mt19937 random(20240501);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 256);
    const std::string text = visible(bytes, 30);
    ASSERT_TRUE(is_utf8(text));
    for (const char c : text) ASSERT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f);
  }
}

TEST(Utf8Test, TellsEachBoundaryOfWellFormedSequences) {
  const std::pair<std::string, bool> cases[] = {
      {"", true},
      {std::string("\0", 1), true},
      {"\x7f", true},
      {"\x80", false},
      {"\xbf", false},
      {"\xc1\xbf", false},
      {"\xc2\x80", true},
      {"\xc2\x7f", false},
      {"\xc2\xc0", false},
      {"\xdf\xbf", true},
      {"\xe0\x9f\xbf", false},
      {"\xe0\xa0\x80", true},
      {"\xed\x9f\xbf", true},
      {"\xed\xa0\x80", false},
      {"\xee\x80\x80", true},
      {"\xef\xbf\xbf", true},
      {"\xf0\x8f\xbf\xbf", false},
      {"\xf0\x90\x80\x80", true},
      {"\xf4\x8f\xbf\xbf", true},
      {"\xf4\x90\x80\x80", false},
      {"\xf5\x80\x80\x80", false},
      {"\xff", false},
      {"\xe2\x82", false},
      {"\xf0\x9f\x92", false},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(is_utf8(text), expected) << visible(text);
    for (const std::size_t before : {1U, 7U, 8U, 9U}) {
      EXPECT_EQ(is_utf8(std::string(before, 'a') + text), expected) << visible(text);
      EXPECT_EQ(is_utf8(text + std::string(before, 'a')), expected) << visible(text);
    }
  }
}

}  // namespace
}  // namespace diskrelease
