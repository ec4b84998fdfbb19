#include "report/json_object.h"

#include <gtest/gtest.h>

#include <limits>

namespace diskrelease {
namespace {

TEST(JsonObjectTest, WritesEveryKindOfValueInTheOrderGiven) {
  JsonObject object;
  object.add("text", "a\"b\\c\n")
      .add("int", std::int64_t{-9'007'199'254'740'993})
      .add("real", 0.5)
      .add("yes", true)
      .add_null("none")
      .add("maybe", std::optional<std::int64_t>())
      .add("number", std::optional<std::int64_t>(7))
      .add_optional("empty", "")
      .add_optional("full", "x")
      .add_json("raw", "[1,2]");
  EXPECT_EQ(std::move(object).text(),
            R"({"text":"a\"b\\c\n","int":-9007199254740993,"real":0.5,"yes":true,"none":null,)"
            R"("maybe":null,"number":7,"empty":null,"full":"x","raw":[1,2]})");
}

TEST(JsonObjectTest, MakesTextVisibleThatIsNotUtf8) {
  JsonObject object;
  object.add("bad", std::string_view("a\xff\xfe", 3)).add("good", "\xc3\xbc");
  EXPECT_EQ(std::move(object).text(), "{\"bad\":\"a\\\\xff\\\\xfe\",\"good\":\"\xc3\xbc\"}");
}

TEST(JsonObjectTest, EscapesNulBytes) {
  JsonObject object;
  object.add("nul", std::string_view("a\0b", 3));
  EXPECT_EQ(std::move(object).text(), "{\"nul\":\"a\\u0000b\"}");
}

TEST(JsonObjectTest, WritesNullForNumbersThatJsonCannotHold) {
  JsonObject object;
  object.add("nan", std::numeric_limits<double>::quiet_NaN())
      .add("infinite", -std::numeric_limits<double>::infinity());
  EXPECT_EQ(std::move(object).text(), R"({"nan":null,"infinite":null})");
}

TEST(JsonObjectTest, MayBeEmpty) { EXPECT_EQ(JsonObject().text(), "{}"); }

}  // namespace
}  // namespace diskrelease
