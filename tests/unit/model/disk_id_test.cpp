#include "model/disk_id.h"

#include <gtest/gtest.h>

namespace diskrelease {
namespace {

std::optional<DiskIdProblem> problem_of(std::string_view text) {
  const auto parsed = DiskId::parse(text);
  if (const auto* problem = std::get_if<DiskIdProblem>(&parsed)) return *problem;
  return std::nullopt;
}

TEST(DiskIdTest, KeepsThePublishedFormsAsTheyAre) {
  for (const char* text :
       {"862857204414550690", "1440908808376556310", "your-disk-id", "A.b_c-9"}) {
    const auto parsed = DiskId::parse(text);
    ASSERT_TRUE(std::holds_alternative<DiskId>(parsed)) << text;
    EXPECT_EQ(std::get<DiskId>(parsed).text(), text);
  }
}

TEST(DiskIdTest, AcceptsOneTo128Bytes) {
  EXPECT_EQ(problem_of(""), DiskIdProblem::empty);
  EXPECT_EQ(problem_of("1"), std::nullopt);
  EXPECT_EQ(problem_of(std::string(128, '7')), std::nullopt);
  EXPECT_EQ(problem_of(std::string(129, '7')), DiskIdProblem::too_long);
}

TEST(DiskIdTest, RefusesWhatASpreadsheetMakesOfALongNumber) {
  for (const char* text : {"8.62857E+17", "8,62857E+17", "8E17", "1e5", "8.62857e-17"}) {
    EXPECT_EQ(problem_of(text), DiskIdProblem::scientific_notation) << text;
  }
  for (const char* text : {"e5", "8.5", "8.E5", "1e", "1e+", "disk-1e5", "1e5x"}) {
    EXPECT_NE(problem_of(text), DiskIdProblem::scientific_notation) << text;
  }
}

TEST(DiskIdTest, RefusesEveryByteOutsideTheAlphabet) {
  const std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = {'a', static_cast<char>(byte), 'b'};
    const bool expected = allowed.find(static_cast<char>(byte)) != std::string_view::npos;
    EXPECT_EQ(!problem_of(text).has_value(), expected) << byte;
  }
}

std::optional<DiskIdProblem> problem_of_entry(std::string_view text) {
  const auto parsed = DiskId::parse_entry(text);
  if (const auto* problem = std::get_if<DiskIdProblem>(&parsed)) return *problem;
  return std::nullopt;
}

TEST(DiskIdTest, TakesFewerTextsFromAListThanFromTheRecord) {
  const std::pair<const char*, DiskIdProblem> entries[] = {
      {"null", DiskIdProblem::placeholder},      {"None", DiskIdProblem::placeholder},
      {"NaN", DiskIdProblem::placeholder},       {"total", DiskIdProblem::placeholder},
      {"diskId", DiskIdProblem::column_name},    {"VOLUME_ID", DiskIdProblem::column_name},
      {".", DiskIdProblem::no_letter_or_digit},  {"--", DiskIdProblem::no_letter_or_digit},
      {"_", DiskIdProblem::no_letter_or_digit},  {"-11", DiskIdProblem::formatted_number},
      {"11.0", DiskIdProblem::formatted_number}, {"1.2.3", DiskIdProblem::formatted_number},
  };
  for (const auto& [text, problem] : entries) {
    EXPECT_EQ(problem_of_entry(text), problem) << text;
    EXPECT_EQ(problem_of(text), std::nullopt) << text;
  }
  for (const char* text :
       {"862857204414550690", "your-disk-id", "A.b_c-9", "null-1", "total2", "1.a"}) {
    EXPECT_EQ(problem_of_entry(text), std::nullopt) << text;
  }
  EXPECT_EQ(problem_of_entry(""), DiskIdProblem::empty);
  EXPECT_EQ(problem_of_entry("N/A"), DiskIdProblem::placeholder);
  EXPECT_EQ(problem_of_entry("a b"), DiskIdProblem::bad_character);
  EXPECT_EQ(problem_of_entry("-8.6E+17"), DiskIdProblem::scientific_notation);
}

}  // namespace
}  // namespace diskrelease
