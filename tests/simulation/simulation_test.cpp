#include "simulation/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

namespace diskrelease::simulation {
namespace {

constexpr int k_shards = 8;

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

std::string replay_command(std::uint64_t seed) {
  return "DISKRELEASE_TRACE=1 DISKRELEASE_SEEDS=1 DISKRELEASE_FIRST_SEED=" + std::to_string(seed) +
         " diskrelease_tests --gtest_filter='*SeedsHoldAllInvariants/0'";
}

class Simulation : public testing::TestWithParam<int> {};

/// DISKRELEASE_SEEDS: how many, over all shards. DISKRELEASE_FIRST_SEED: where to begin.
/// DISKRELEASE_TRACE=1: every event, and how often what happened.
TEST_P(Simulation, SeedsHoldAllInvariants) {
  const std::uint64_t first = setting("DISKRELEASE_FIRST_SEED", 1);
  const std::uint64_t count = setting("DISKRELEASE_SEEDS", 200);
  const bool with_trace = setting("DISKRELEASE_TRACE", 0) != 0;
  Tally tally;
  int failures = 0;
  for (auto i = static_cast<std::uint64_t>(GetParam()); i < count && failures < 10; i += k_shards) {
    const Result result = simulate(first + i, with_trace);
    if (with_trace) std::cout << result.trace;
    tally += result.tally;
    if (result.violations.empty()) continue;
    ++failures;
    std::string all;
    for (const std::string& violation : result.violations) all += violation + '\n';
    ADD_FAILURE() << "seed " << first + i << ":\n"
                  << all << "replay: " << replay_command(first + i);
  }
  std::cout << tally.text();
}

INSTANTIATE_TEST_SUITE_P(Shards, Simulation, testing::Range(0, k_shards));

TEST(SimulationItself, TheSameSeedGivesTheSameHistory) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Result once = simulate(seed, true);
    const Result again = simulate(seed, true);
    ASSERT_FALSE(once.trace.empty());
    ASSERT_EQ(once.trace, again.trace) << "seed " << seed;
  }
}

/// A simulation in which nothing goes wrong would hold any invariant.
TEST(SimulationItself, MeetsEverythingThatItClaimsToTest) {
  Tally tally;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) tally += simulate(seed, false).tally;
  EXPECT_GT(tally.killed, 0);
  EXPECT_GT(tally.power_cuts, 0);
  EXPECT_GT(tally.storage_failures, 0);
  EXPECT_GT(tally.unknown, 0);
  EXPECT_GT(tally.proved_unsent, 0);
  EXPECT_GT(tally.verdicts, 0);
  EXPECT_GT(tally.resends, 0);
  EXPECT_GT(tally.second_stages, 0);
  EXPECT_GT(tally.races_destroyed, 0);
  EXPECT_GT(tally.foreign_lives, 0);
  EXPECT_GT(tally.untrue_reads, 0);
  EXPECT_GT(tally.doubted_reads, 0);
  EXPECT_GT(tally.controls, 0);
}

}  // namespace
}  // namespace diskrelease::simulation
