#include "cli/exit_code.h"

#include <gtest/gtest.h>

namespace diskrelease {
namespace {

StateCounts counts_of(std::int64_t released, std::int64_t rejected, std::int64_t pending) {
  StateCounts counts;
  counts[ItemState::released] = released;
  counts[ItemState::rejected] = rejected;
  counts[ItemState::pending] = pending;
  return counts;
}

TEST(ExitCodeTest, ADiskThatSomebodyElseHasReleasedIsNeverASuccess) {
  EXPECT_EQ(exit_code_of(counts_of(5, 0, 0), {}, EndReason::finished), ExitCode::done);
  EXPECT_EQ(exit_code_of(counts_of(5, 0, 0), {.foreign = 1}, EndReason::finished),
            ExitCode::unknown_remain);
  EXPECT_EQ(exit_code_of(counts_of(4, 1, 0), {.foreign = 1}, EndReason::finished),
            ExitCode::unknown_remain)
      << "it wins over disks that were rejected";
  EXPECT_EQ(exit_code_of(counts_of(4, 0, 1), {.foreign = 1}, EndReason::stopped), ExitCode::stopped)
      << "the rest can be resumed";
}

TEST(ExitCodeTest, EachOpenFateCountsByItself) {
  for (const OpenFates& open : {OpenFates{.unsettled_elsewhere = 1}, OpenFates{.still_there = 1},
                                OpenFates{.foreign = 1}}) {
    EXPECT_EQ(exit_code_of(counts_of(5, 0, 0), open, EndReason::finished),
              ExitCode::unknown_remain);
  }
  EXPECT_EQ(exit_code_of(counts_of(5, 0, 0), {.unverified = 1}, EndReason::finished),
            ExitCode::done);
  EXPECT_EQ(exit_code_of(counts_of(5, 0, 0), {.unverified = 1}, EndReason::interrupted),
            ExitCode::interrupted);
}

}  // namespace
}  // namespace diskrelease
