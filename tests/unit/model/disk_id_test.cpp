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

}  // namespace
}  // namespace diskrelease
