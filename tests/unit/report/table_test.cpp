#include "report/table.h"

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

TEST(TableTest, WithoutRowsIsStillAWholeDocument) {
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
