#include <gtest/gtest.h>

#include "unit/input/reading.h"

namespace diskrelease {
namespace {

TEST(TextListTest, TakesOneIdALineWithoutCommentsAndBlanks) {
  const Reading reading = read_text(
      "\xEF\xBB\xBF# exported today\r\n\r\n11\r\n  12\t\n\t# 13\n14 # the old one, see #7\n15\t#x\n"
      "\n16",
      "disks.txt");
  EXPECT_EQ(reading.targets, (Lines{"3 11", "4 12", "6 14", "7 15", "9 16"}));
  EXPECT_EQ(reading.problems, Lines{});
  EXPECT_EQ(reading.format, ListFormat::text);
}

TEST(TextListTest, ReportsEveryBadLineAndGoesOn) {
  const std::string nul("4\0", 2);
  const Reading reading =
      read_text("1\n8.62857E+17\n2 3\n3#x\n4,5\n\"6\"\n\xFF\n" + nul + "\n7\r8\n9\n", "disks.list");
  const std::string bad = " has a character outside A-Z a-z 0-9 . _ -";
  const std::string hint = "; a text list has one id a line: if this is CSV, add --format csv";
  const std::string blanks =
      "; a text list has one id a line: if these are several, put each on its own line, for "
      "example with tr -s '[:blank:]' '\\n'; if this is CSV, add --format csv";
  EXPECT_EQ(reading.targets, (Lines{"1 1", "10 9"}));
  EXPECT_EQ(
      reading.problems,
      (Lines{
          "2: the disk id \"8.62857E+17\" is a number in scientific notation: a "
          "spreadsheet has destroyed the id; export the column as text",
          "3: the disk id \"2 3\"" + bad + blanks, "4: the disk id \"3#x\"" + bad,
          "5: the disk id \"4,5\" is a number with a sign, a decimal point or thousands "
          "separators: a program has changed the id; export the column as text" +
              hint,
          "6: the disk id \"\"6\"\"" + bad + hint,
          "7: the line is not valid UTF-8; save the file as UTF-8",
          "8: the line holds a NUL byte: the file is damaged, or UTF-16 without a byte "
          "order mark; save it as UTF-8",
          "9: the line ends of the list are mixed: some are a carriage return (CR) alone, others "
          "are not, so where an id ends is not clear; convert the file, for example with "
          "tr '\\r' '\\n'"}));
}

TEST(TextListTest, RefusesAListOfOnlyComments) {
  EXPECT_EQ(read_text("# nothing\n\n", "disks.txt").problems,
            Lines{"0: the list holds no disk id, only comments or blank lines; check how it was "
                  "made"});
}

}  // namespace
}  // namespace diskrelease
