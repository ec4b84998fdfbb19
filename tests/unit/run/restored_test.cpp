#include <gtest/gtest.h>

#include <variant>

#include "run/preflight.h"
#include "support/enrolled_run.h"

namespace diskrelease {
namespace {

Sighting seen_available() {
  Sighting sighting{
      disk_id("disk-1"), DiskStatus::available, "AVAILABLE", "DATA", true, "", "", "", "", {}};
  return sighting;
}

TEST(Restored, OneSightingOutsideTheBinIsLookedAtAgain) {
  const PreflightStep step = judge(
      seen_available(), {.goal = Goal::purge, .stage = Stage::destroy, .first_accepted = true});
  EXPECT_TRUE(std::holds_alternative<LookAgain>(step));
}

TEST(Restored, TwoSightingsOutsideTheBinAreBelieved) {
  const PreflightStep step = judge(seen_available(), {.goal = Goal::purge,
                                                      .stage = Stage::destroy,
                                                      .first_accepted = true,
                                                      .looked_before = true});
  const auto* declined = std::get_if<Decline>(&step);
  ASSERT_NE(declined, nullptr);
  EXPECT_EQ(declined->reason, "restored");
}

}  // namespace
}  // namespace diskrelease
