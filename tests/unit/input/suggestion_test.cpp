#include "input/suggestion.h"

#include <gtest/gtest.h>

namespace diskrelease {
namespace {

std::string suggested(std::string_view written, std::initializer_list<std::string_view> known) {
  Suggestion suggestion{written};
  for (const auto word : known) suggestion.consider(word, word);
  return suggestion.text();
}

TEST(SuggestionTest, NamesTheNearestWord) {
  EXPECT_EQ(suggested("max_disk", {"max_attempts", "max_disks", "max_risks"}),
            "; did you mean \"max_disks\"?");
}

TEST(SuggestionTest, TakesASwapOfNeighboursForOneChange) {
  EXPECT_EQ(suggested("ilst", {"list"}), "; did you mean \"list\"?");
  EXPECT_EQ(suggested("tlis", {"list"}), "");
}

TEST(SuggestionTest, EndsAtAThirdOfTheWord) {
  EXPECT_EQ(suggested("burxx", {"burst"}), "; did you mean \"burst\"?");
  EXPECT_EQ(suggested("buxxx", {"burst"}), "");
  EXPECT_EQ(suggested("gool", {"goal"}), "; did you mean \"goal\"?");
  EXPECT_EQ(suggested("gxxl", {"goal"}), "");
}

TEST(SuggestionTest, KeepsTheFirstOfEquallyNearWords) {
  EXPECT_EQ(suggested("rale", {"rate", "tale", "rule"}), "; did you mean \"rate\"?");
}

TEST(SuggestionTest, DoesNotMindAnotherCase) {
  for (const char* written : {"inFlight", "InFlight", "IN_FLIGHT", "in-flight", "In Flight"}) {
    EXPECT_EQ(in_snake_case(written), "in_flight");
    EXPECT_EQ(suggested(written, {"in_flight"}), "; did you mean \"in_flight\"?");
  }
  EXPECT_EQ(in_snake_case("CSV"), "csv");
  EXPECT_EQ(in_snake_case(""), "");
}

TEST(SuggestionTest, KnowsNothingForWhatIsEmptyOrLong) {
  EXPECT_EQ(suggested("", {"a"}), "");
  EXPECT_EQ(suggested(std::string(40, 'a'), {std::string(40, 'a')}),
            "; did you mean \"" + std::string(40, 'a') + "\"?");
  EXPECT_EQ(suggested(std::string(41, 'a'), {std::string(41, 'a')}), "");
}

}  // namespace
}  // namespace diskrelease
