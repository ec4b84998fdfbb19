#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "report/table.h"
#include "unit/input/reading.h"

// Lists as spreadsheets, databases, command lines and editors write them: each is read whole, or
// refused in words that help.

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string k_a = "862857204414550690";
const std::string k_b = "862857204414550691";

std::string notes_of(const std::string& text, const std::string& name) {
  std::istringstream in(text);
  return read_list(in, name, {}, [](Target&&) {}).notes.describe(name);
}

struct Accepted {
  const char* name;
  std::string text;
  Lines targets;
};

TEST(ListsAsFoundTest, AreReadWholeWhereTheirMeaningIsClear) {
  const std::string bom = "\xEF\xBB\xBF";
  const Accepted cases[] = {
      // A line that names the delimiter: Excel.
      {"sep.csv", "sep=;\r\ndiskId;name\r\n" + k_a + ";a\r\n", {"3 " + k_a}},
      {"sep.csv", bom + "SEP=,\ndiskId,name\n" + k_a + ",a\n", {"3 " + k_a}},
      {"sep.csv", "\"sep=|\"\ndiskId|name\n" + k_a + "|a,b;c\n", {"3 " + k_a}},
      {"sep.csv", "sep=;;;\ndiskId;name\n" + k_a + ";a\n", {"3 " + k_a}},
      {"sep.csv", "sep=\t\r\nname\tdiskId\r\na,b\t" + k_a + "\r\n", {"3 " + k_a}},
      {"sep.csv", "sep=;\n" + k_a + "\n", {"2 " + k_a}},
      {"sep.tsv", "sep=;\ndiskId;name\n" + k_a + ";a\n", {"3 " + k_a}},
      {"-", "sep=|\ndiskId|name\n" + k_a + "|a\n", {"3 " + k_a}},
      // Rows of empty cells: Excel, LibreOffice, Google Sheets.
      {"a.csv", "diskId,name\r\n" + k_a + ",a\r\n,\r\n,\r\n", {"2 " + k_a}},
      {"a.csv",
       ",,\ndiskId,name,\n" + k_a + ",a,\n, ,\t\n\"\",\"\"\n,,,,,\n" + k_b + ",b\n",
       {"3 " + k_a, "7 " + k_b}},
      {"a.csv", "diskId\n" + k_a + "\n\"\"\n", {"2 " + k_a}},
      {"a.csv", "name;diskId\n;\na;" + k_a + "\n;\n", {"3 " + k_a}},
      // Rows that are shorter or longer by empty cells.
      {"a.csv",
       "diskId,name,tag\r\n" + k_a + ",n0,\r\n" + k_b + ",n16\r\n",
       {"2 " + k_a, "3 " + k_b}},
      {"a.csv", "diskId,name,tag\n" + k_a + "\n" + k_b + ",,,,\n", {"2 " + k_a, "3 " + k_b}},
      {"a.csv", "name,diskId,tag\na," + k_a + "\n", {"2 " + k_a}},
      {"a.csv", "diskId,name,,\n" + k_a + ",a\n", {"2 " + k_a}},
      {"a.csv", k_a + ",\n" + k_b + ",\n", {"1 " + k_a, "2 " + k_b}},
      // Line ends: CR as old programs of the Mac write it, and a CR too many.
      {"a.csv", "diskId,name\r" + k_a + ",a\r" + k_b + ",b\r", {"2 " + k_a, "3 " + k_b}},
      {"a.csv", "diskId,name\r" + k_a + ",\"a\nb\"\r" + k_b + ",b", {"2 " + k_a, "3 " + k_b}},
      {"a.csv", "\r\rdiskId;name\r\r" + k_a + ";a\r", {"5 " + k_a}},
      {"a.csv", "sep=;\rdiskId;name\r" + k_a + ";a\r", {"3 " + k_a}},
      {"a.csv", "diskId,name\r\r\n" + k_a + ",a\r\r\n", {"2 " + k_a}},
      {"a.txt", k_a + "\r" + k_b + "\r", {"1 " + k_a, "2 " + k_b}},
      {"a.txt", k_a + "\r\r\n" + k_b + "\r\r\n", {"1 " + k_a, "2 " + k_b}},
      {"a.ndjson", "\"" + k_a + "\"\r{\"diskId\":\"" + k_b + "\"}\r", {"1 " + k_a, "2 " + k_b}},
      {"-", "diskId,name\r" + k_a + ",a\r", {"2 " + k_a}},
      // Forms in which people keep a long number from a spreadsheet.
      {"a.csv",
       "diskId,name\r\n=\"" + k_a + "\",a\r\n=\"" + k_b + "\",b\r\n",
       {"2 " + k_a, "3 " + k_b}},
      {"a.csv", "diskId,name\r\n\"=\"\"" + k_a + "\"\"\",a\r\n", {"2 " + k_a}},
      {"a.csv",
       "name;diskId\n\"x;\"\"y\"; =\"" + k_a + "\" \n=\"z;1\";=\"" + k_b + "\"\n",
       {"2 " + k_a, "3 " + k_b}},
      {"a.csv", "=\"" + k_a + "\"\n=\"" + k_b + "\"\n", {"1 " + k_a, "2 " + k_b}},
      {"a.csv", "diskId\n'" + k_a + "\n\"'" + k_b + "\"\n", {"2 " + k_a, "3 " + k_b}},
      {"a.csv", "note,diskId\n\"two\n=\"\"x\"\"\"," + k_a + "\n", {"2 " + k_a}},
      {"a.tsv", "diskId\tname\n=\"" + k_a + "\"\ta\n", {"2 " + k_a}},
      {"a.txt", "=\"" + k_a + "\"\n", {"1 " + k_a}},
      {"-", "=\"" + k_a + "\"\n=\"" + k_b + "\"\n", {"1 " + k_a, "2 " + k_b}},
      // The header again, as cat a.csv b.csv makes it.
      {"a.csv", "diskId\n" + k_a + "\ndiskId\n" + k_b + "\n", {"2 " + k_a, "4 " + k_b}},
      {"a.csv",
       "diskId,name\n" + k_a + ",a\ndiskId, name ,\n" + k_b + ",b\n",
       {"2 " + k_a, "4 " + k_b}},
      {"a.csv",
       "\"Volume\",diskId\nv," + k_a + "\nVolume,diskId\nw," + k_b + "\n",
       {"2 " + k_a, "4 " + k_b}},
      {"a.txt", "diskId\n" + k_a + "\n", {"2 " + k_a}},
      {"a.txt", "# all\n\ndisk_id\n" + k_a + "\ndisk_id\n" + k_b + "\n", {"4 " + k_a, "6 " + k_b}},
      // Comments before the header.
      {"a.csv", "# made by a, b; and c\n#\ndiskId,name\n" + k_a + ",a\n", {"4 " + k_a}},
      // psql -A -t, mysql --batch, markdown-free command lines.
      {"-", "disk_id\n" + k_a + "\n", {"2 " + k_a}},
      {"-", "disk_id\tname\n" + k_a + "\ta\n", {"2 " + k_a}},
      // JSON: names as in CSV, pages, one value after the other.
      {"a.json",
       "[{\"disk_id\":\"" + k_a + "\"},{\"DiskID\":\"" + k_b + "\"}]",
       {"1 " + k_a, "1 " + k_b}},
      {"a.ndjson",
       "{\"disk_id\":\"" + k_a + "\"}\n{\"disk-id\":\"" + k_b + "\"}\n",
       {"1 " + k_a, "2 " + k_b}},
      {"-", "{\"disk_id\":\"" + k_a + "\"}\n", {"1 " + k_a}},
      {"a.json",
       "{\"requestId\":\"T1\",\"response\":{\"requestId\":\"T1\",\"totalCount\":2,\"dataSet\":[{"
       "\"diskId\":\"" +
           k_a +
           "\"}]}}\n{\"requestId\":\"T2\",\"response\":{\"requestId\":\"T2\","
           "\"totalCount\":2,\"dataSet\":[{\"diskId\":\"" +
           k_b + "\"}]}}\n",
       {"1 " + k_a, "2 " + k_b}},
      {"-",
       "{\"response\":{\"totalCount\":2,\"dataSet\":[{\"diskId\":\"" + k_a +
           "\"}]}}"
           "{\"response\":{\"totalCount\":2,\"dataSet\":[{\"diskId\":\"" +
           k_b +
           "\"}]}}"
           "{\"response\":{\"totalCount\":2,\"dataSet\":[]}}",
       {"1 " + k_a, "1 " + k_b}},
      {"a.json", "[\"" + k_a + "\"]\n[\"" + k_b + "\"]", {"1 " + k_a, "2 " + k_b}},
      {"a.json",
       "{\"totalCount\":1,\"dataSet\":[\"" + k_a + "\"]} {\"totalCount\":1,\"dataSet\":[\"" + k_b +
           "\"]}",
       {"1 " + k_a, "1 " + k_b}},
      {"a.json",
       "{\n\"diskId\": \"" + k_a + "\",\n\"tags\": [{\"diskId\": 1}]\n}\n{\n\"diskId\": \"" + k_b +
           "\"\n}\n",
       {"1 " + k_a, "5 " + k_b}},
      {"a.json", "\"" + k_a + "\"\n\"" + k_b + "\"\n", {"1 " + k_a, "2 " + k_b}},
  };
  for (const Accepted& c : cases) {
    const Reading reading = read_text(c.text, c.name);
    EXPECT_EQ(reading.targets, c.targets) << c.text;
    EXPECT_EQ(reading.problems, Lines{}) << c.text;
    EXPECT_EQ(read_in_pieces(c.text, 1, c.name), reading) << c.text;
  }
}

struct Refused {
  const char* name;
  std::string text;
  std::vector<std::string> problems;  ///< "line: what the text must hold", one for each
};

void expect_refused(const Refused& c) {
  const Reading reading = read_text(c.text, c.name);
  ASSERT_EQ(reading.problems.size(), c.problems.size())
      << c.text << "\n"
      << ::testing::PrintToString(reading.problems);
  for (std::size_t i = 0; i < c.problems.size(); ++i) {
    const std::size_t colon = c.problems[i].find(": ");
    EXPECT_THAT(reading.problems[i], AllOf(StartsWith(c.problems[i].substr(0, colon + 2)),
                                           HasSubstr(c.problems[i].substr(colon + 2))))
        << c.text;
  }
  EXPECT_EQ(read_in_pieces(c.text, 1, c.name), reading) << c.text;
}

TEST(ListsAsFoundTest, WordsAreNoDiskIds) {
  const std::string word = "is a word for no value or for a sum";
  const std::string nothing = "has no letter and no digit";
  const std::string other =
      "is no number, and other ids of this list are numbers of 15 to 20 digits";
  const std::string list = k_a + "\n";
  const Refused cases[] = {
      {"a.txt",
       k_a + "\nnull\nNone\nundefined\nNULL\nnan\n",
       {"2: " + word, "3: " + word, "4: " + word, "5: " + word, "6: " + word}},
      {"a.txt",
       "N/A\nNA\nn.a.\nNaN\nNaT\nnil\n(null)\n<NA>\ntotal\nTRUE\n-nan\n",
       {"1: " + word, "2: " + word, "3: " + word, "4: " + word, "5: " + word, "6: " + word,
        "7: " + word, "8: " + word, "9: " + word, "10: " + word, "11: " + word}},
      {"a.csv",
       "diskId,name\n" + k_a + ",a\nTotal,1\nGrand Total,1\n#N/A,b\n",
       {"3: " + word, "4: " + word, "5: the row begins with #"}},
      {"a.json",
       "[\"null\",\"" + k_a + "\",\"None\"]",
       {"1: entry 1: the disk id \"null\"", "1: entry 3: the disk id \"None\""}},
      {"a.ndjson", "{\"diskId\":\"undefined\"}\n", {"1: the disk id \"undefined\""}},
      {"a.txt",
       "#N/A\n" + k_a + "\n#REF!\n  #VALUE!\n#### \n",
       {"1: \"#N/A\", which a spreadsheet writes", "3: \"#REF!\"", "4: \"#VALUE!\"",
        "5: \"####\""}},
      {"a.txt",
       ".\n..\n-\n--\n_\n" + k_a + "\n",
       {"1: " + nothing, "2: " + nothing, "3: " + nothing, "4: " + nothing, "5: " + nothing}},
      {"a.txt",
       "*\n|\n?\n+\n",
       {"1: " + nothing, "2: " + nothing, "3: " + nothing, "4: " + nothing}},
      {"a.json", "[\"-\",\"" + k_a + "\"]", {"1: entry 1: the disk id \"-\" " + nothing}},
      // Tables drawn for people: markdown, psql, mysql.
      {"a.txt",
       "| diskId |\n|---|\n| " + k_a + " |\n",
       {"1: column", "2: " + nothing + ": a placeholder, or a line of a drawn table",
        "3: a table drawn for people"}},
      {"a.txt",
       "       diskid       \n--------------------\n " + k_a + "\n(1 row)\n",
       {"2: " + nothing, "4: has a character outside"}},
      {"-",
       "+--------------------+\n| disk_id            |\n+--------------------+\n| " + k_a + " |\n",
       {"1: " + nothing, "2: name of a column", "3: " + nothing, "4: a table drawn for people"}},
      {"a.csv",
       " diskid | name\n--------+------\n " + k_a + " | a\n",
       {"1: has a character outside", "2: a table drawn for people",
        "3: a table drawn for people"}},
      // Headers where ids are expected.
      {"a.csv",
       "VolumeId\n" + k_a + "\n",
       {"1: \"VolumeId\" is the name of a column, not a disk id; if this row is a header, name its "
        "column with --column"}},
      {"a.csv",
       "Datentraeger\n" + k_a + "\n",
       {"1: \"Datentraeger\" " + other +
        ": it is a word, a name or another kind of id; remove it, or "
        "give it a list of its own; if this row is a header, name its column with --column"}},
      {"a.csv",
       "diskId,name\n" + k_a + ",a\nname,diskId\nb," + k_b + "\n",
       {"3: \"name\" is the name of a column", "4: \"b\" " + other}},
      {"a.txt", k_a + "\ndiskId\n", {"2: \"diskId\" is the name of a column"}},
      {"a.txt", "id\n" + k_a + "\ndiskId\n", {"3: \"diskId\" is the name of a column"}},
      {"a.csv", "diskId\n" + k_a + "\nDISKID\n", {"3: \"DISKID\" is the name of a column"}},
      // Words among numbers, in whatever order they come.
      {"a.txt", "web-01\n" + k_a + "\nEOF\n", {"1: \"web-01\" " + other, "3: \"EOF\" " + other}},
      {"a.csv", "name,diskId\na," + k_a + "\nb,backup\n", {"3: \"backup\" " + other}},
      {"a.txt", "--" + k_a + "\n" + k_b + "\n", {"1: \"--" + k_a + "\" " + other}},
      {"a.txt", k_a + "diskId\n" + k_b + "\n", {"1: \"" + k_a + "diskId\" " + other}},
      {"a.txt", k_a + "\n3\n", {"2: \"3\" has 1 digit, and other ids of this list have 15 to 20"}},
      {"a.txt", k_a + "\n" + k_a + k_b + "\n", {"2: a line end may be missing between two ids"}},
  };
  for (const Refused& c : cases) expect_refused(c);
}

TEST(ListsAsFoundTest, NumbersThatAProgramHasChangedAreRefused) {
  const std::string formatted = "is a number with a sign, a decimal point or thousands separators";
  const std::string scientific = "is a number in scientific notation";
  const std::string rounded = "are zeros from the 16th on";
  const Refused cases[] = {
      {"a.csv", "diskId\n" + k_a + ".0\n", {"2: " + formatted}},
      {"a.csv",
       "diskId;n\n862857204414550690,0;a\n1.234.567.890;b\n\"1,234,567\";c\n",
       {"2: " + formatted, "3: " + formatted, "4: " + formatted}},
      {"a.txt",
       "-" + k_a + "\n+5\n1.5\n.0\n",
       {"1: " + formatted, "2: " + formatted, "3: " + formatted, "4: " + formatted}},
      {"a.ndjson", "\"" + k_a + ".0\"\n", {"1: " + formatted}},
      {"a.csv",
       "diskId;n\n8,62857E+17;a\n8.62857204414551e+17;b\n-1e5;c\n",
       {"2: " + scientific, "3: " + scientific, "4: " + scientific}},
      {"a.csv",
       "diskId\n862857204414550000\n862857204414551000\n862857204414552000\n",
       {"2: " + rounded + ", as in 3 ids of this list", "3: " + rounded, "4: " + rounded}},
      {"a.txt",
       "862857204414550000\n" + k_a + "\n8628572044145510000\n862857204414550000\n",
       {"1: " + rounded + ", as in 3 ids", "3: " + rounded, "4: " + rounded}},
      {"a.json",
       "[\"86285720441455000000\",\n\"86285720441456000000\"]",
       {"1: " + rounded, "2: " + rounded}},
      {"a.csv",
       "diskId\n=\"862857204414550000\"\n=\"862857204414551000\"\n",
       {"2: " + rounded, "3: " + rounded}},
      // All 16 digits end so: chance would be one in a hundred.
      {"a.txt", "8628572044145500\n8628572044145510\n", {"1: " + rounded, "2: " + rounded}},
      {"a.csv",
       "diskId\n=862857204414550690\n=TEXT(862857204414550690;\"0\")\n",
       {"2: has a character outside", "3: a quote is in the wrong place"}},
      {"a.csv", "diskId\n=\"862857\"&\"204414550690\"\n", {"2: a quote is in the wrong place"}},
  };
  for (const Refused& c : cases) expect_refused(c);
}

TEST(ListsAsFoundTest, IdsThatHappenToEndInZerosAreTaken) {
  // One alone, however often; the digits before the 16th; and what chance makes of many.
  EXPECT_EQ(read_text("862857204414550000\n" + k_a + "\n862857204414550000\n", "a.txt").problems,
            Lines{});
  EXPECT_EQ(read_text("862857204414000\n862857204415000\n", "a.txt").problems, Lines{});
  EXPECT_EQ(read_text("862857204414550010\n862857204414550100\n", "a.txt").problems, Lines{});
  std::string consecutive;
  for (int i = 0; i < 5'000; ++i) consecutive += std::to_string(862857204414550500 + i) + "\n";
  EXPECT_EQ(read_text(consecutive, "a.txt").problems, Lines{});
}

TEST(ListsAsFoundTest, CharactersThatShowNothingAreNamed) {
  const Refused cases[] = {
      {"a.txt",
       k_a + "\u00A0\n" + k_b + "\n",
       {"1: \"" + k_a + "<U+00A0>\" has the character U+00A0 (no-break space)"}},
      {"a.csv", "diskId\n" + k_a + "\u200B\n", {"2: U+200B (zero-width space)"}},
      {"a.txt", "\uFEFF" + k_a + "\n\uFEFF" + k_b + "\n", {"2: U+FEFF (byte order mark)"}},
      {"a.csv",
       "\uFEFFdiskId,n\n" + k_a + ",a\n\uFEFFdiskId,n\n" + k_b + ",b\n",
       {"3: \"<U+FEFF>diskId\" has the character U+FEFF"}},
      {"a.txt",
       "\u202A" + k_a + "\u202C\n\u2060" + k_b + "\n8628\u00AD57\n",
       {"1: U+202A", "2: U+2060 (word joiner)", "3: U+00AD (soft hyphen)"}},
      {"a.json", "[\"" + k_a + "\u200D\"]", {"1: U+200D (zero-width joiner)"}},
      {"a.csv", "disk\u00A0Id,name\n" + k_a + ",a\n", {"1: \"disk<U+00A0>Id\", \"name\""}},
      {"a.csv",
       "diskId\n" + k_a + "\u3000\n\u00A0\n",
       {"2: U+3000 (ideographic space)", "3: U+00A0 (no-break space)"}},
      {"a.csv",
       "\uFEFF\"diskId\",n\n" + k_a + ",a\n\uFEFF\"diskId\",n\n" + k_b + ",b\n",
       {"3: beside a quote stands the character U+FEFF (byte order mark)"}},
      {"a.csv",
       "diskId,n\n\"" + k_a + "\"\u00A0,a\n",
       {"2: beside a quote stands the character U+00A0 (no-break space)"}},
      {"a.json",
       "[\"" + k_a + "\"]\n\uFEFF[\"" + k_b + "\"]",
       {"2: found U+FEFF (byte order mark)"}},
      {"a.json", "[\"" + k_a + "\",\u00A0\"" + k_b + "\"]", {"1: found U+00A0"}},
      {"a.ndjson", "\"" + k_a + "\"\n\uFEFF\"" + k_b + "\"\n", {"2: found U+FEFF"}},
      // Digits that only look like those of an id.
      {"a.txt", "\uFF18\uFF16\n\u0661\n", {"1: U+FF18", "2: U+0661"}},
      {"a.csv", "\uFEFF\uFEFFdiskId\n" + k_a + "\n", {"0: two byte order marks (U+FEFF)"}},
  };
  for (const Refused& c : cases) expect_refused(c);
}

TEST(ListsAsFoundTest, WhatIsNotClearIsRefused) {
  const std::string mixed = "the line ends of the list are mixed";
  const std::string hash = "begins with #";
  const Refused cases[] = {
      {"a.csv",
       "sep=\ndiskId\n" + k_a + "\n",
       {"1: the line \"sep=\" names \"\" as the delimiter"}},
      {"a.csv", "sep=ab\ndiskId\n" + k_a + "\n", {"1: names \"ab\" as the delimiter"}},
      {"a.csv",
       "diskId;n\nsep=,\n" + k_a + ";a\n",
       {
           "2: has a character outside",
       }},
      {"a.csv", "diskId,n\n" + k_a + ",a\r" + k_b + ",b\n", {"2: " + mixed}},
      {"a.csv", "diskId,n\r" + k_a + ",a\n" + k_b + ",b\r", {"2: " + mixed}},
      {"a.txt", k_a + "\n" + k_b + "\r" + k_a + "\n", {"2: " + mixed}},
      {"a.txt", k_a + "\r" + k_b + "\n" + k_a + "\r", {"2: " + mixed}},
      {"a.csv", "diskId,n\n" + k_a + ",a\n#" + k_b + ",b\n", {"3: the row " + hash}},
      {"a.csv", "name,diskId\n# old," + k_a + "\n", {"2: the row " + hash}},
      {"a.csv", "#diskId,name\n" + k_a + ",a\n", {"1: the line " + hash}},
      {"a.txt", k_a + "\t" + k_b + "\n", {"1: put each on its own line, for example with tr"}},
      {"a.ndjson", "{\"response\":{\"dataSet\":[\"" + k_a + "\"]}}\n", {"1: add --format json"}},
      {"a.json", "[{\"id\":\"" + k_a + "\"}]", {"1: no member \"diskId\" or \"disk_id\""}},
      {"a.json",
       "[{\"response\":{\"dataSet\":[\"" + k_a + "\"]}}]",
       {"1: save the answers one after the other, without an array around them"}},
      {"a.json", "[\"" + k_a + "\"],\n[\"" + k_b + "\"]", {"1: this is not a JSON value"}},
      {"a.json", "[\"" + k_a + "\"]\n}", {"2: this is not a JSON value"}},
      {"a.json", "{\"dataSet\":[\"" + k_a + "\"]}\nnull", {"2: the entry is null"}},
      {"a.json",
       "{\"response\":{\"totalCount\":3,\"dataSet\":[\"11\"]}}\n"
       "{\"response\":{\"totalCount\":3,\"dataSet\":[\"12\"]}}\n",
       {"2: \"totalCount\" is 3 but the saved 2 pages hold 2: a page is missing"}},
      {"a.json",
       "{\"totalCount\":2,\"dataSet\":[\"11\"]}\n{\"totalCount\":3,\"dataSet\":[\"12\"]}\n",
       {"1: it is one page of several", "2: it is one page of several"}},
      {"a.json",
       "{\"totalCount\":2,\"dataSet\":[\"11\"]}\n{\"totalCount\":2,\"dataSet\":[\"11\"]}\n",
       {"2: the same page of the answer is saved twice"}},
      {"a.txt", std::string("8\0006\0002\0\n\0", 8), {"0: UTF-16 without a byte order mark"}},
      {"a.csv", std::string("\0d\0i", 4), {"0: UTF-16 without a byte order mark"}},
      {"a.csv", std::string("\xFF\xFE\0\0d\0\0\0", 8), {"0: UTF-32"}},
      {"a.txt", "<!DOCTYPE html>\n<html>\n", {"0: HTML or XML"}},
  };
  for (const Refused& c : cases) expect_refused(c);
}

TEST(ListsAsFoundTest, WhatIsLeftOutIsSaid) {
  EXPECT_EQ(notes_of("diskId\n" + k_a + "\ndiskId\n" + k_b + "\n", "a.csv"),
            "a.csv:3: the header again, left out");
  EXPECT_EQ(notes_of("diskId\n" + k_a + "\ndiskId\n", "a.txt"),
            "a.txt:1: \"diskId\" is taken for the name of the column, left out\n"
            "a.txt:3: the header again, left out");
  EXPECT_EQ(notes_of("# x\ndiskId\n" + k_a + "\n", "a.csv"),
            "a.csv:1: a comment before the first row, left out");
  EXPECT_EQ(notes_of("diskId\n" + k_a + "\n,\n", "a.csv"), "");
}

std::string printed(TableFormat format, const std::string& second_name) {
  std::ostringstream out;
  if (format == TableFormat::text) {
    out << "run 1 (a, b): goal release, list /x/disk_id  list.csv, sandbox\n"
           "  listed               2\ninvocations:\n  1  2026-12-01T00:00:00Z  run by a@b\n"
           "items:\n";
  }
  Table table(out, format, {"item_id", "name", "disk_id", "source_line", "last_message"});
  table.add({std::int64_t{1}, std::string("n\u00E9"), k_a, std::int64_t{2},
             std::string("gone  away, = 5")});
  table.add({std::int64_t{20}, second_name, std::string("-disk-b"), std::int64_t{3}, Cell()});
  table.finish();
  return out.str();
}

TEST(PrintedTableTest, WhatThisProgramPrintsIsAListInEveryFormat) {
  for (const TableFormat format :
       {TableFormat::text, TableFormat::csv, TableFormat::json, TableFormat::ndjson}) {
    const std::string text = printed(format, "second  name");
    for (const char* name : {"-", format == TableFormat::csv    ? "a.csv"
                                  : format == TableFormat::json ? "a.json"
                                  : format == TableFormat::text ? "a.txt"
                                                                : "a.ndjson"}) {
      Reading reading = read_text(text, name);
      // The list is of both kinds of ids, so that a disk id with a sign is tried.
      ASSERT_EQ(reading.problems.size(), 1U) << text << ::testing::PrintToString(reading.problems);
      EXPECT_THAT(reading.problems.front(), HasSubstr("\"-disk-b\" is no number"));
      ASSERT_EQ(reading.targets.size(), 2U) << text;
      EXPECT_THAT(reading.targets[0], ::testing::EndsWith(" " + k_a));
      EXPECT_THAT(reading.targets[1], ::testing::EndsWith(" -disk-b"));
    }
  }
}

TEST(PrintedTableTest, ARowThatIsLaidOutInAnotherWayIsRefused) {
  const std::string head = "run 1\nitem_id  disk_id             state\n";
  const std::string unclear = "is not laid out as the header of the table says";
  const Refused cases[] = {
      {"a.txt", head + "12345678  " + k_a + "  released\n", {"3: " + unclear}},
      {"a.txt", head + "1\n", {"3: " + unclear}},
      {"a.txt", head + "1        " + k_a + " released\n", {"3: " + unclear}},
      {"a.txt",
       k_b + "\n" + head + "1        " + k_a + "  released\n",
       {"1: stands above the header of a table"}},
      {"a.txt", head + "1        -                   released\n", {"3: no letter and no digit"}},
  };
  for (const Refused& c : cases) expect_refused(c);
  EXPECT_EQ(notes_of(head + "1        " + k_a + "  released\n", "a.txt"),
            "a.txt:2: read as a table with the column disk_id; the lines above it are left out");
}

TEST(ListSizeTest, AListMayBeOfTheSizeAndNoLarger) {
  const std::pair<const char*, std::string> lists[] = {{"a.txt", "11\n12\n"},
                                                       {"a.csv", "diskId\n11\n"},
                                                       {"a.json", "[\"11\"]"},
                                                       {"a.ndjson", "11\n"}};
  for (const auto& [name, text] : lists) {
    ListOptions options;
    options.max_bytes = static_cast<std::int64_t>(text.size());
    EXPECT_EQ(read_text(text, name, options).problems, Lines{}) << name;
    --options.max_bytes;
    const Reading reading = read_text(text, name, options);
    ASSERT_EQ(reading.problems.size(), 1U) << name;
    EXPECT_THAT(reading.problems.front(), HasSubstr("--max-list-size")) << name;
  }
}

/// Gives the same text for ever.
class EndlessBuffer : public std::streambuf {
 public:
  explicit EndlessBuffer(std::string text) : text_(std::move(text)) {}

 protected:
  int_type underflow() override {
    setg(text_.data(), text_.data(), text_.data() + text_.size());
    return traits_type::to_int_type(text_.front());
  }

 private:
  std::string text_;
};

TEST(ListSizeTest, AListThatNeverEndsIsRefused) {
  for (const char* text : {"11\n", "x", "\"11\"\n", " ", "\r"}) {
    for (const char* name : {"a.txt", "a.csv", "a.json", "a.ndjson"}) {
      EndlessBuffer buffer(text);
      std::istream in(&buffer);
      ListOptions options;
      options.max_bytes = std::int64_t{3} * 1024 * 1024;
      const Reading reading = read_stream(in, name, options);
      EXPECT_THAT(reading.problems, Not(::testing::IsEmpty())) << name << " " << text;
    }
  }
}

}  // namespace
}  // namespace diskrelease
