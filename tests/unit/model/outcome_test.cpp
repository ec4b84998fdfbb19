#include "model/outcome.h"

#include <gtest/gtest.h>

namespace diskrelease {
namespace {

TEST(OutcomeTest, EveryTextIsReadBackToItsOwnValue) {
  using enum Outcome;
  for (const Outcome outcome : {accepted, already_gone, rejected, throttled, not_sent, unknown}) {
    EXPECT_FALSE(to_text(outcome).empty());
    EXPECT_EQ(outcome_from_text(to_text(outcome)), outcome);
  }
  EXPECT_EQ(outcome_from_text(""), std::nullopt);
  EXPECT_EQ(outcome_from_text("Accepted"), std::nullopt);
}

TEST(ScopeTest, EveryTextIsReadBackToItsOwnValue) {
  EXPECT_EQ(to_text(Scope::disk), "disk");
  EXPECT_EQ(to_text(Scope::moment), "moment");
  EXPECT_EQ(to_text(Scope::run), "run");
  for (const Scope scope : {Scope::disk, Scope::moment, Scope::run}) {
    EXPECT_EQ(scope_from_text(to_text(scope)), scope);
  }
  EXPECT_EQ(scope_from_text(""), std::nullopt);
  EXPECT_EQ(scope_from_text("moments"), std::nullopt);
}

}  // namespace
}  // namespace diskrelease
