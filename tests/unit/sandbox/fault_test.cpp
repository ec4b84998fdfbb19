#include "sandbox/fault.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace diskrelease::sandbox {
namespace {

FaultRule rule(FaultMatch match, FaultKind kind = FaultKind::stall) {
  return {std::move(match), default_fault(kind)};
}

/// For each of `count` ReleaseDisk requests of one disk: x = the fault befell it.
std::string pattern(FaultPlan plan, int count, const std::string& disk = "d1") {
  std::string text;
  const std::vector<std::string> disks{disk};
  for (int n = 1; n <= count; ++n) {
    text += plan.decide("ReleaseDisk", disks, static_cast<std::uint64_t>(n)) != nullptr ? 'x' : '.';
  }
  return text;
}

TEST(FaultPlanTest, CountsPickTheNthEveryNthAndTheFirst) {
  FaultMatch nth;
  nth.nth = 3;
  EXPECT_EQ(pattern(FaultPlan({rule(nth)}, 1), 6), "..x...");
  FaultMatch every;
  every.every = 2;
  EXPECT_EQ(pattern(FaultPlan({rule(every)}, 1), 6), ".x.x.x");
  FaultMatch first;
  first.first = 2;
  EXPECT_EQ(pattern(FaultPlan({rule(first)}, 1), 6), "xx....");
  EXPECT_EQ(pattern(FaultPlan({rule(FaultMatch{})}, 1), 3), "xxx");
  every.first = 4;
  EXPECT_EQ(pattern(FaultPlan({rule(every)}, 1), 6), ".x.x..") << "all conditions must hold";
}

TEST(FaultPlanTest, OnlyTheActionAndTheDisksOfTheRuleCount) {
  FaultMatch match;
  match.action = "ReleaseDisk";
  match.disk_ids = {"d2", "d3"};
  match.nth = 2;
  FaultPlan plan({rule(match)}, 1);
  const std::vector<std::string> d1{"d1"};
  const std::vector<std::string> d2{"d2"};
  const std::vector<std::string> d1_and_d3{"d1", "d3"};
  EXPECT_EQ(plan.decide("ReleaseDisk", d2, 1), nullptr);
  EXPECT_EQ(plan.decide("DescribeDisks", d2, 2), nullptr);
  EXPECT_EQ(plan.decide("ReleaseDisk", d1, 3), nullptr);
  EXPECT_NE(plan.decide("ReleaseDisk", d1_and_d3, 4), nullptr);
}

TEST(FaultPlanTest, PerDiskEachDiskHasItsOwnCount) {
  FaultMatch match;
  match.nth = 1;
  match.per_disk = true;
  FaultPlan plan({rule(match)}, 1);
  const std::vector<std::string> d1{"d1"};
  const std::vector<std::string> d2{"d2"};
  EXPECT_NE(plan.decide("ReleaseDisk", d1, 1), nullptr);
  EXPECT_EQ(plan.decide("ReleaseDisk", d1, 2), nullptr);
  EXPECT_NE(plan.decide("ReleaseDisk", d2, 3), nullptr);
  EXPECT_EQ(plan.decide("DescribeDisks", {}, 4), nullptr);
}

TEST(FaultPlanTest, TheFirstRuleThatMatchesWins) {
  FaultMatch second;
  second.nth = 2;
  FaultPlan plan({rule(second, FaultKind::gzip), rule(FaultMatch{}, FaultKind::stall)}, 1);
  EXPECT_EQ(plan.decide("ReleaseDisk", {}, 1)->kind, FaultKind::stall);
  EXPECT_EQ(plan.decide("ReleaseDisk", {}, 2)->kind, FaultKind::gzip);
}

TEST(FaultPlanTest, ProbabilitiesReplayWithTheirSeedAndDifferWithAnother) {
  FaultMatch match;
  match.probability = 0.25;
  const auto once = pattern(FaultPlan({rule(match)}, 7), 4000);
  EXPECT_EQ(once, pattern(FaultPlan({rule(match)}, 7), 4000));
  EXPECT_NE(once, pattern(FaultPlan({rule(match)}, 8), 4000));
  EXPECT_NEAR(static_cast<double>(std::ranges::count(once, 'x')), 1000, 120);
  match.probability = 0;
  EXPECT_EQ(pattern(FaultPlan({rule(match)}, 7), 3), "...");
  match.probability = 1;
  EXPECT_EQ(pattern(FaultPlan({rule(match)}, 7), 3), "xxx");
}

TEST(FaultPlanTest, PerDiskProbabilitiesDoNotDependOnTheOrderOfRequests) {
  FaultMatch match;
  match.probability = 0.5;
  match.per_disk = true;
  FaultPlan one({rule(match)}, 7);
  FaultPlan other({rule(match)}, 7);
  const std::vector<std::string> d1{"d1"};
  const std::vector<std::string> d2{"d2"};
  for (std::uint64_t n = 1; n <= 50; ++n) {
    const bool first = one.decide("ReleaseDisk", d1, n) != nullptr;
    (void)other.decide("ReleaseDisk", d2, 2 * n);
    EXPECT_EQ(first, other.decide("ReleaseDisk", d1, 2 * n + 1) != nullptr) << n;
  }
}

TEST(FaultKindTest, EveryNameIsReadBackAsItsKind) {
  for (const auto name : fault_kind_names()) {
    const auto kind = fault_kind_from_text(name);
    ASSERT_TRUE(kind) << name;
    EXPECT_EQ(to_text(*kind), name);
    EXPECT_EQ(default_fault(*kind).kind, *kind);
  }
  EXPECT_FALSE(fault_kind_from_text("no such fault"));
}

}  // namespace
}  // namespace diskrelease::sandbox
