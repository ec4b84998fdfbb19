#include <gtest/gtest.h>

#include "unit/input/reading.h"

namespace diskrelease {
namespace {

Reading read_csv(const std::string& text, std::optional<std::string> column = std::nullopt) {
  return read_text(text, "disks.csv", {ListFormat::automatic, std::move(column)});
}

std::string only_problem(const Reading& reading) {
  return reading.problems.size() == 1
             ? reading.problems.front()
             : std::to_string(reading.problems.size()) + " problems instead of one";
}

struct Accepted {
  const char* text;
  Lines targets;
  std::optional<std::string> column;
};

TEST(CsvListTest, FindsTheIdsInEveryAcceptedForm) {
  const Accepted cases[] = {
      // The header names, in any case.
      {"diskId,name\n11,a\n12,b\n", {"2 11", "3 12"}, {}},
      {"name,DISK_ID\na,11\n", {"2 11"}, {}},
      {"name,Disk Id\na,11\n", {"2 11"}, {}},
      {"name,disk-id\na,11\n", {"2 11"}, {}},
      {"name,ID\na,11\n", {"2 11"}, {}},
      {"id,diskId\na,11\n", {"2 11"}, {}},  // the better name wins
      {"\"diskId\",\"name\"\n\"11\",\"a\"\n", {"2 11"}, {}},
      {" diskId , name\n11,a\n", {"2 11"}, {}},
      {"diskId\n11\n", {"2 11"}, {}},
      // One column, no header.
      {"11\n12\n", {"1 11", "2 12"}, {}},
      {"\"11\"\n\"12\"\n", {"1 11", "2 12"}, {}},
      {"disk-a\n", {"1 disk-a"}, {}},
      // The column that was asked for.
      {"name,volume\na,11\n", {"2 11"}, "volume"},
      {"name,\"Disk ID (primary)\"\na,11\n", {"2 11"}, "disk id (PRIMARY)"},
      {"id,diskId\n11,12\n", {"2 11"}, "id"},
      {"id,diskId\n11,12\n", {"2 11"}, "1"},
      {"a,11\nb,12\n", {"1 11", "2 12"}, "2"},
      {"11\n12\n", {"1 11", "2 12"}, "1"},
      // Delimiters.
      {"diskId;name\n11;a\n", {"2 11"}, {}},
      {"diskId\tname\n11\ta\n", {"2 11"}, {}},
      {"name;diskId\na,b;11\n", {"2 11"}, {}},
      {"\"name, long\";diskId\na;11\n", {"2 11"}, {}},
      {"name, long;diskId\na;11\n", {"2 11"}, {}},
      {"name, long;volume\na;11\n", {"2 11"}, "volume"},
      // Line ends, byte order mark, the last line without an end, blank lines.
      {"diskId,name\r\n11,a\r\n12,b\r\n", {"2 11", "3 12"}, {}},
      {"diskId,name\n11,a\r\n12,b", {"2 11", "3 12"}, {}},
      {"\xEF\xBB\xBF"
       "diskId,name\n11,a\n",
       {"2 11"},
       {}},
      {"\xEF\xBB\xBF\"diskId\"\n11\n", {"2 11"}, {}},
      {"\r\n\ndiskId,name\n\n11,a\n  \n\n", {"5 11"}, {}},
      // Quotes.
      {"diskId,name\n11,\"a \"\"b\"\", c\"\n", {"2 11"}, {}},
      {"diskId,name\n11,\"\"\n", {"2 11"}, {}},
      {"diskId,\"a\nb\"\n11,\"x\r\ny\n\nz\"\r\n12,c\n", {"3 11", "7 12"}, {}},
      // Blanks around an id.
      {"diskId,name\n 11\t,a\n\" 12 \",b\n\"13\" ,c\n \"14\",d\n",
       {"2 11", "3 12", "4 13", "5 14"},
       {}},
  };
  for (const Accepted& c : cases) {
    const Reading reading = read_csv(c.text, c.column);
    EXPECT_EQ(reading.targets, c.targets) << c.text;
    EXPECT_EQ(reading.problems, Lines{}) << c.text;
    EXPECT_EQ(reading.format, ListFormat::csv) << c.text;
  }
}

TEST(CsvListTest, TakesOnlyTabsAsDelimitersOfATsvFile) {
  const Reading reading = read_text("name, long;id\tdiskId\na;b,c\t11\n", "disks.TSV");
  EXPECT_EQ(reading.targets, Lines{"2 11"});
  EXPECT_EQ(reading.problems, Lines{});
}

struct Refused {
  std::string text;
  std::string problem;
  std::optional<std::string> column;
};

TEST(CsvListTest, SaysWhatIsWrongAndWhatToDo) {
  const Refused cases[] = {
      {"name,size\na,11\n",
       "1: the first row has 2 columns and none is named diskId, disk_id or id, so it is not clear "
       "which one holds the disk ids: \"name\", \"size\"; say which with --column NAME or "
       "--column NUMBER",
       {}},
      {"diskId,name,Disk ID\n1,2,3\n",
       "1: 2 columns could hold the disk ids, \"diskId\" and \"Disk ID\"; say which one by its "
       "number, e.g. --column 1",
       {}},
      {"x,id,ID\n1,2,3\n",
       "1: 2 columns could hold the disk ids, \"id\" and \"ID\"; say which one by its number, e.g. "
       "--column 2",
       {}},
      {"name,size\na,11\n",
       "1: no column is named \"volume\"; the first row has 2 columns: \"name\", \"size\"",
       "volume"},
      {"diskId\n11\n", "1: no column is named \"volume\"; the first row has 1 column: \"diskId\"",
       "volume"},
      {"name,size\na,11\n",
       "1: there is no column \"3\"; columns are counted from 1, and the first row has 2 columns: "
       "\"name\", \"size\"",
       "3"},
      {"name,size\na,11\n",
       "1: there is no column \"0\"; columns are counted from 1, and the first row has 2 columns: "
       "\"name\", \"size\"",
       "0"},
      {"a\n",
       "1: there is no column \"99999999999999999999999\"; columns are counted from 1, and the "
       "first row has 1 column: \"a\"",
       "99999999999999999999999"},
      {"1,5;2\n",
       "1: the first row holds more than one of comma, semicolon and tab outside quotes, so the "
       "delimiter is not clear; add a header row with the name diskId, or put cells that hold such "
       "a character into quotes",
       "2"},
      {"id,a;id\n1,2;3\n",
       "1: the first row holds more than one of comma, semicolon and tab outside quotes, so the "
       "delimiter is not clear; add a header row with the name diskId, or put cells that hold such "
       "a character into quotes",
       {}},
      {"Disk ID (primary)\n11\n",
       "1: the disk id \"Disk ID (primary)\" has a character outside A-Z a-z 0-9 . _ -; if this "
       "row is a header, name its column with --column",
       {}},
      {"name,diskId\na,11\nb\n",
       "3: the row has 1 cell, and the disk id is expected in cell 2: a disk id is missing",
       {}},
      {"diskId,name\n11,a\n12,b,c\n", "3: the row has 3 cells where the first row has 2", {}},
      {"11\n12,x\n", "2: the row has 2 cells where the first row has 1", {}},
      {"diskId,name\n11,a\n ,b\n",
       "3: the cell of column 1 \"diskId\" is empty: a disk id is missing",
       {}},
      {"a,11\nb,\"\"\n", "2: the cell of column 2 is empty: a disk id is missing", "2"},
      {"diskId\n8.62857E+17\n",
       "2: the disk id \"8.62857E+17\" is a number in scientific notation: a spreadsheet has "
       "destroyed the id; export the column as text",
       {}},
      {"diskId\n1 2\n", "2: the disk id \"1 2\" has a character outside A-Z a-z 0-9 . _ -", {}},
      {"diskId\n\"1\n2\"\n",
       "2: the disk id \"1\\x0a2\" has the character U+000A (line feed), and ids are of A-Z a-z "
       "0-9 "
       ". _ - alone; it shows nothing: type the id anew, or delete it",
       {}},
      {"diskId\n" + std::string(129, '7') + "\n",
       "2: the disk id \"" + std::string(80, '7') + "...\" is longer than 128 bytes",
       {}},
      {"diskId,name\n1\"1,a\n12,b\n",
       "2: a quote is in the wrong place: a cell with quotes must be in quotes as a whole, with "
       "each quote inside doubled",
       {}},
      {"diskId,name\n\"11\"x,a\n12,b\n",
       "2: a quote is in the wrong place: a cell with quotes must be in quotes as a whole, with "
       "each quote inside doubled",
       {}},
      {"na\"me,diskId\na,11\n",
       "1: a quote is in the wrong place: a cell with quotes must be in quotes as a whole, with "
       "each quote inside doubled",
       {}},
      {"diskId,name\n11,\"a\n12,b\n",
       "2: the quote that opens here is not closed before the end of the list, so the rows after "
       "it cannot be told apart; close it, or double a quote that belongs to the text",
       {}},
      {"a,b,diskId\n\"x\n\",\"y\n\"\"z,11\n",
       "3: the quote that opens here is not closed before the end of the list, so the rows after "
       "it cannot be told apart; close it, or double a quote that belongs to the text",
       {}},
      {"diskId,name\n11,\xE9\n", "2: the line is not valid UTF-8; save the file as UTF-8", {}},
      {"diskId,n\xE9\n11,a\n", "1: the line is not valid UTF-8; save the file as UTF-8", {}},
      {std::string("diskId\n1\0001\n", 11),
       "2: the line holds a NUL byte: the file is damaged, or UTF-16 without a byte order mark; "
       "save it as UTF-8",
       {}},
      {"diskId,name\n",
       "0: the list holds no disk id, only a header or blank lines; check how it was made",
       {}},
      {"\n \n",
       "0: the list holds no disk id, only a header or blank lines; check how it was made",
       {}},
  };
  for (const Refused& c : cases)
    EXPECT_EQ(only_problem(read_csv(c.text, c.column)), c.problem) << c.text;
}

TEST(CsvListTest, ListsAtMostTwentyColumnsInAProblem) {
  std::string header = "c1";
  for (int i = 2; i <= 22; ++i) header += ",c" + std::to_string(i);
  EXPECT_NE(only_problem(read_csv(header + "\n")).find("\"c19\", \"c20\" and 2 more; say which"),
            std::string::npos);
}

TEST(CsvListTest, GoesOnAfterBadRows) {
  const Reading reading =
      read_csv("diskId,name\n1,a\n,b\n2,x,y\n3,\"c\"c\n4,\"d\ne\"\n5 5,e\n6,\xFF\n7,f\n");
  EXPECT_EQ(reading.targets, (Lines{"2 1", "6 4", "10 7"}));
  EXPECT_EQ(reading.problems,
            (Lines{"3: the cell of column 1 \"diskId\" is empty: a disk id is missing",
                   "4: the row has 3 cells where the first row has 2",
                   "5: a quote is in the wrong place: a cell with quotes must be in quotes as a "
                   "whole, with each quote inside doubled",
                   "8: the disk id \"5 5\" has a character outside A-Z a-z 0-9 . _ -",
                   "9: the line is not valid UTF-8; save the file as UTF-8"}));
}

TEST(CsvListTest, BoundsARowWithQuotedLineEnds) {
  const std::string begin = "diskId,name\n11,a\n12,\"b\n";
  const std::string line = "13,c and so on, and so on, and so on\n";
  std::string cell;
  while (cell.size() + line.size() < std::size_t{1000} * 1024) cell += line;
  EXPECT_EQ(read_csv(begin + cell + "\"\n").targets, (Lines{"2 11", "3 12"}));
  EXPECT_EQ(read_csv(begin + cell + "\"\n").problems, Lines{});

  const std::string not_closed =
      "3: the quote that opens here is not closed within 1 MiB, so the rows after it cannot be "
      "told apart; close it, or double a quote that belongs to the text";
  while (cell.size() < std::size_t{1100} * 1024) cell += line;
  EXPECT_EQ(only_problem(read_csv(begin + cell)), not_closed);
  EXPECT_EQ(only_problem(read_csv(begin + cell + "\"\n")), not_closed);
}

}  // namespace
}  // namespace diskrelease
