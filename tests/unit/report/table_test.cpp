#include "report/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace diskrelease {
namespace {

std::string write(TableFormat format, const std::vector<std::vector<Cell>>& rows) {
  std::ostringstream out;
  Table table(out, format, {"disk_id", "status", "message"});
  for (const std::vector<Cell>& row : rows) table.add(row);
  table.finish();
  return out.str();
}

const std::vector<std::vector<Cell>> k_rows{
    {std::string("disk-1"), std::int64_t{200}, std::monostate()},
    {std::string("a-longer-disk"), std::monostate(), std::string("über, \"quoted\"\nline")},
};

TEST(TableTest, AlignsTextAndMakesItVisible) {
  EXPECT_EQ(write(TableFormat::text, k_rows),
            "disk_id        status  message\n"
            "disk-1         200     -\n"
            "a-longer-disk  -       über, \"quoted\"\\x0aline\n");
}

TEST(TableTest, CountsCharactersNotBytes) {
  EXPECT_EQ(write(TableFormat::text, {{std::string("üüüüüüüü"), std::int64_t{1}, std::string("x")},
                                      {std::string("a"), std::int64_t{1}, std::string("y")}}),
            "disk_id   status  message\n"
            "üüüüüüüü  1       x\n"
            "a         1       y\n");
}

TEST(TableTest, WritesJsonThatKeepsTypesAndText) {
  EXPECT_EQ(write(TableFormat::json, k_rows),
            "[\n"
            R"({"disk_id":"disk-1","status":200,"message":null})"
            ",\n"
            R"({"disk_id":"a-longer-disk","status":null,"message":"über, \"quoted\"\nline"})"
            "\n]\n");
}

TEST(TableTest, QuotesCsvFieldsWhereTheyNeedIt) {
  EXPECT_EQ(write(TableFormat::csv, k_rows),
            "disk_id,status,message\n"
            "disk-1,200,\n"
            "a-longer-disk,,\"über, \"\"quoted\"\"\nline\"\n");
}

TEST(TableTest, WritesAnObjectALine) {
  EXPECT_EQ(write(TableFormat::ndjson, k_rows),
            R"({"disk_id":"disk-1","status":200,"message":null})"
            "\n"
            R"({"disk_id":"a-longer-disk","status":null,"message":"über, \"quoted\"\nline"})"
            "\n");
}

TEST(TableTest, WritesRealNumbersAsTheyReadBack) {
  const std::vector<std::vector<Cell>> rows{{0.1, -1e300, std::string("x")}};
  EXPECT_EQ(write(TableFormat::csv, rows), "disk_id,status,message\n0.1,-1e+300,x\n");
  EXPECT_THAT(write(TableFormat::ndjson, rows), ::testing::HasSubstr(R"("disk_id":0.1,)"));
}

TEST(TableTest, CsvLeavesNoFormulaToASpreadsheetAndNumbersAlone) {
  EXPECT_EQ(write(TableFormat::csv, {{std::string("=1+1"), std::int64_t{-5}, std::string("-5")}}),
            "disk_id,status,message\n'=1+1,-5,'-5\n");
}

TEST(TableTest, EveryTextComesBackFromItsCsvField) {
  const std::string signs = "=+-@\t\r'\",\n a;";
  std::vector<std::string> texts{""};
  for (const char first : signs) {
    texts.emplace_back(1, first);
    for (const char second : signs) texts.push_back(std::string{first, second} + "x");
  }
  for (const std::string& text : texts) {
    std::string field = csv_field(text);
    if (field.starts_with('"')) {
      std::string unquoted;
      for (std::size_t i = 1; i + 1 < field.size(); ++i) {
        unquoted += field[i];
        if (field[i] == '"') ++i;
      }
      field = unquoted;
    } else {
      EXPECT_EQ(field.find_first_of(",\"\r\n"), std::string::npos) << text;
    }
    if (!field.empty()) {
      EXPECT_EQ(std::string("=+-@\t\r").find(field.front()), std::string::npos) << field;
      if (field.front() == '\'') field.erase(0, 1);
    }
    EXPECT_EQ(field, text);
  }
}

TEST(TableTest, NoTextBeginsAFormulaBehindBlanksAndLineEnds) {
  for (const char* sign : {"=", "+", "-", "@", "\uFF1D", "\uFF0B", "\uFF0D", "\uFF20"}) {
    for (const char* before : {"", "\n", "\r\n", " ", " \n", "\t\t", "\v", "\f", "  \r"}) {
      const std::string text = std::string(before) + sign + "1+1";
      const std::string field = csv_field(text);
      const std::string begin = field.starts_with('"') ? field.substr(1) : field;
      EXPECT_EQ(begin.substr(0, 1 + text.size()), "'" + text) << text;
    }
  }
  EXPECT_EQ(csv_field(" a=1"), " a=1");
  EXPECT_EQ(csv_field("a\n=1"), "\"a\n=1\"");
}

TEST(TableTest, WithoutRowsIsStillAWholeDocument) {
  EXPECT_EQ(write(TableFormat::ndjson, {}), "");
  EXPECT_EQ(write(TableFormat::text, {}), "disk_id  status  message\n");
  EXPECT_EQ(write(TableFormat::json, {}), "[]\n");
  EXPECT_EQ(write(TableFormat::csv, {}), "disk_id,status,message\n");
}

TEST(TableTest, CutsNothingOfARowThatIsWiderThanTheSample) {
  std::vector<std::vector<Cell>> rows(Table::k_sample,
                                      {std::string("a"), std::int64_t{1}, std::string("b")});
  rows.push_back({std::string(40, 'x'), std::int64_t{1}, std::string("last")});
  const std::string text = write(TableFormat::text, rows);
  EXPECT_TRUE(text.ends_with("\n" + std::string(40, 'x') + "  1       last\n"));
}

}  // namespace
}  // namespace diskrelease
