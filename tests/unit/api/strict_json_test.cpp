#include "api/strict_json.h"

#include <gtest/gtest.h>

namespace diskrelease {
namespace {

bool accepts(std::string_view text) { return std::holds_alternative<JsonValue>(parse_json(text)); }

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(StrictJsonTest, KeepsTypesAndLargeNumbersAsWritten) {
  const auto parsed =
      parse_json(R"( {"s":"a\u00e9\n","n":18446744073709551616,"f":-1.50e3,"t":true,"z":null,)"
                 R"("a":[1,"2"],"o":{"k":false}} )");
  const auto* root = std::get_if<JsonValue>(&parsed);
  ASSERT_NE(root, nullptr);
  EXPECT_EQ(root->kind, JsonValue::Kind::object);
  EXPECT_EQ(root->find("s")->text, "a\xc3\xa9\n");
  EXPECT_EQ(root->find("n")->kind, JsonValue::Kind::number);
  EXPECT_EQ(root->find("n")->text, "18446744073709551616");
  EXPECT_EQ(root->find("f")->text, "-1.50e3");
  EXPECT_EQ(root->find("t")->text, "true");
  EXPECT_EQ(root->find("z")->kind, JsonValue::Kind::null);
  ASSERT_EQ(root->find("a")->elements.size(), 2U);
  EXPECT_EQ(root->find("a")->elements[1].text, "2");
  EXPECT_EQ(root->find("o")->find("k")->kind, JsonValue::Kind::boolean);
  EXPECT_EQ(root->find("none"), nullptr);
}

TEST(StrictJsonTest, AKeyIsNotCutAtNul) {
  const auto parsed = parse_json(R"({"code\u0000x":1})");
  const auto& root = std::get<JsonValue>(parsed);
  EXPECT_EQ(root.find("code"), nullptr);
  EXPECT_NE(root.find(std::string_view("code\0x", 6)), nullptr);
}

TEST(StrictJsonTest, RefusesWhatIsNotOneCompleteStrictDocument) {
  using namespace std::string_literals;
  for (const std::string& text : {""s,
                                  " "s,
                                  "{"s,
                                  "}"s,
                                  "{\"a\":1"s,
                                  "{\"a\":1}}"s,
                                  "{\"a\":1} x"s,
                                  "{\"a\":1}\0"s,
                                  "{\"a\":1}\0junk"s,
                                  "\0{}"s,
                                  "{\"a\":1,}"s,
                                  "[1,]"s,
                                  "{'a':1}"s,
                                  "{a:1}"s,
                                  "// c\n{}"s,
                                  "{}/**/"s,
                                  "NaN"s,
                                  "[Infinity]"s,
                                  "[01]"s,
                                  "[1.]"s,
                                  "[+1]"s,
                                  "[\"\x01\"]"s,
                                  "[\"\0\"]"s,
                                  "[\"\\x\"]"s,
                                  "\xef\xbb\xbf{}"s,
                                  "[\"\xff\"]"s,
                                  "[\"\xc0\xaf\"]"s,
                                  "[\"\xed\xa0\x80\"]"s,
                                  "[\"\\ud800\"]"s,
                                  "[\"\\udc00\"]"s,
                                  "{\"\\udc00\":1}"s,
                                  "<html>"s}) {
    EXPECT_FALSE(accepts(text)) << testing::PrintToString(text);
  }
}

TEST(StrictJsonTest, RefusesAKeyThatOccursTwiceAnywhere) {
  EXPECT_TRUE(accepts(R"({"a":1,"b":{"a":2}})"));
  EXPECT_FALSE(accepts(R"({"a":1,"b":2,"a":1})"));
  EXPECT_FALSE(accepts(R"([{"x":{"a":1,"\u0061":1}}])"));
}

TEST(StrictJsonTest, NestingEndsAtThirtyTwo) {
  EXPECT_TRUE(accepts(nested(31)));
  EXPECT_TRUE(accepts(nested(32)));
  EXPECT_FALSE(accepts(nested(33)));
  EXPECT_FALSE(accepts(std::string(1 << 20, '[')));
}

TEST(StrictJsonTest, TheNumberOfValuesEndsAtOneHundredThousand) {
  const auto array = [](std::size_t elements) {
    std::string text = "[0";
    for (std::size_t i = 1; i < elements; ++i) text += ",0";
    return text + "]";
  };
  EXPECT_TRUE(accepts(array(99'999)));  // and the array itself
  EXPECT_FALSE(accepts(array(100'000)));
}

TEST(StrictJsonTest, AProblemNamesReasonAndPlaceButNothingOfTheText) {
  const auto parsed = parse_json(R"({"fake-secret": oops})");
  const auto* problem = std::get_if<JsonProblem>(&parsed);
  ASSERT_NE(problem, nullptr);
  EXPECT_FALSE(problem->reason.empty());
  EXPECT_EQ(problem->reason.find("fake"), std::string_view::npos);
  EXPECT_EQ(problem->offset, 16U);
}

}  // namespace
}  // namespace diskrelease
