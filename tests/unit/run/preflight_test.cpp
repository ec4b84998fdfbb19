#include "run/preflight.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/account_transport.h"

namespace diskrelease {
namespace {

Sighting sighting(DiskStatus status) { return sighting_of("disk-1", status); }

/// "send 1", "look again", "reject in_use", "goal reached", ...
std::string text(const PreflightStep& step) {
  if (const auto* send = std::get_if<SendIt>(&step)) {
    return "send " + std::to_string(static_cast<int>(send->stage));
  }
  if (const auto* decline = std::get_if<Decline>(&step)) {
    return std::string(to_text(decline->kind)) + " " + std::string(decline->reason);
  }
  return std::holds_alternative<LookAgain>(step) ? "look again" : "goal reached";
}

std::string judged(DiskStatus status, const PreflightFacts& facts = {}) {
  return text(judge(sighting(status), facts));
}

TEST(PreflightTest, SendsOnlyWhatIsAvailable) {
  EXPECT_EQ(judged(DiskStatus::available), "send 1");
  EXPECT_EQ(judged(DiskStatus::in_use), "reject in_use");
  EXPECT_EQ(judged(DiskStatus::failed), "reject creation_failed");
  EXPECT_EQ(judged(DiskStatus::other), "reject status_not_known");
  EXPECT_EQ(judged(DiskStatus::absent), "reject not_found");
}

TEST(PreflightTest, NeverSendsADiskThatACallWouldDestroy) {
  EXPECT_EQ(judged(DiskStatus::recycled), "already_gone recycled");
  EXPECT_EQ(judged(DiskStatus::recycling), "already_gone recycled");
  EXPECT_EQ(judged(DiskStatus::deleting), "already_gone deleting");
}

TEST(PreflightTest, WaitsForTransitionsToEnd) {
  for (const DiskStatus status :
       {DiskStatus::creating, DiskStatus::attaching, DiskStatus::detaching, DiskStatus::changing,
        DiskStatus::snapshot_creating, DiskStatus::rolling_back}) {
    EXPECT_EQ(judged(status), "look again") << to_text(status);
  }
}

TEST(PreflightTest, RejectsBootDisksAndDisksThatCannotBeDetached) {
  Sighting boot = sighting(DiskStatus::available);
  boot.disk_type = "SYSTEM";
  EXPECT_EQ(text(judge(boot, {})), "reject system_disk");
  boot.status = DiskStatus::in_use;
  EXPECT_EQ(text(judge(boot, {})), "reject system_disk");
  boot.status = DiskStatus::changing;
  EXPECT_EQ(text(judge(boot, {})), "reject system_disk");
  Sighting fixed = sighting(DiskStatus::available);
  fixed.portable = false;
  EXPECT_EQ(text(judge(fixed, {})), "reject not_portable");
}

TEST(PreflightTest, RejectsRowsThatLeaveSomethingOutOrContradictThemselves) {
  Sighting odd = sighting(DiskStatus::available);
  odd.portable.reset();  // missing, or no boolean
  EXPECT_EQ(text(judge(odd, {})), "reject portable_not_known");
  Sighting attached = sighting(DiskStatus::available);
  attached.instance_id = "instance-1";
  EXPECT_EQ(text(judge(attached, {})), "reject attached");
  // On its way to the instance or from it: the next look tells.
  attached.status = DiskStatus::detaching;
  EXPECT_EQ(text(judge(attached, {})), "look again");
  // The type says only what must not be released.
  Sighting untyped = sighting(DiskStatus::available);
  untyped.disk_type.clear();
  EXPECT_EQ(text(judge(untyped, {})), "send 1");
}

TEST(PreflightTest, ADiskThatWasThereBeforeIsGoneRatherThanNotFound) {
  EXPECT_EQ(judged(DiskStatus::absent, {.seen_before = true}), "look again");
  EXPECT_EQ(judged(DiskStatus::absent, {.seen_before = true, .looked_before = true}), "look again")
      << "the look before has shown it";
  EXPECT_EQ(judged(DiskStatus::absent,
                   {.seen_before = true, .looked_before = true, .absent_before = true}),
            "already_gone absent");
  EXPECT_EQ(
      judged(
          DiskStatus::absent,
          {.seen_before = true, .looked_before = true, .absent_before = true, .bin_keeps = true}),
      "give_up absent_not_in_bin")
      << "one release would have left it in the bin";
  EXPECT_EQ(judged(DiskStatus::absent, {.looked_before = true, .absent_before = true}),
            "reject not_found")
      << "this credential has never seen it";
}

TEST(PreflightTest, PurgeTakesRecycledDisksOnlyWhenToldTo) {
  EXPECT_EQ(judged(DiskStatus::available, {.goal = Goal::purge}), "send 1");
  EXPECT_EQ(judged(DiskStatus::recycled, {.goal = Goal::purge}), "skip recycled_before");
  EXPECT_EQ(judged(DiskStatus::recycling, {.goal = Goal::purge}), "skip recycled_before");
  const PreflightFacts included{.goal = Goal::purge, .include_recycled = true};
  EXPECT_EQ(judged(DiskStatus::recycled, included), "send 2");
  EXPECT_EQ(judged(DiskStatus::recycling, included), "look again");
  // The option means nothing to goal release.
  EXPECT_EQ(judged(DiskStatus::recycled, {.goal = Goal::release, .include_recycled = true}),
            "already_gone recycled");
}

TEST(PreflightTest, TheFirstStageOfAnotherRunIsNotReachedAgain) {
  const PreflightFacts facts{
      .goal = Goal::purge, .include_recycled = true, .released_elsewhere = true};
  EXPECT_EQ(judged(DiskStatus::available, facts), "skip released_before");
  EXPECT_EQ(judged(DiskStatus::recycled, facts), "send 2");
}

TEST(PreflightTest, TheSecondCallNeedsTheRecycleBinAgain) {
  const PreflightFacts second{
      .goal = Goal::purge, .stage = Stage::destroy, .seen_before = true, .first_accepted = true};
  EXPECT_EQ(judged(DiskStatus::recycled, second), "send 2");
  EXPECT_EQ(judged(DiskStatus::recycling, second), "look again");
  EXPECT_EQ(judged(DiskStatus::absent, second), "look again");
  PreflightFacts absent_twice = second;
  absent_twice.looked_before = true;
  absent_twice.absent_before = true;
  EXPECT_EQ(judged(DiskStatus::absent, absent_twice), "goal reached");
  absent_twice.seen_before = false;
  EXPECT_EQ(judged(DiskStatus::absent, absent_twice), "look again")
      << "this credential has never seen it";
  EXPECT_EQ(judged(DiskStatus::deleting, second), "goal reached");
  for (const DiskStatus status :
       {DiskStatus::available, DiskStatus::in_use, DiskStatus::changing, DiskStatus::other}) {
    EXPECT_EQ(judged(status, second), "look again") << to_text(status);
    PreflightFacts looked = second;
    looked.looked_before = true;
    EXPECT_EQ(judged(status, looked), "reject restored") << to_text(status);
  }
  PreflightFacts never_accepted = second;
  never_accepted.first_accepted = false;
  EXPECT_EQ(judged(DiskStatus::absent, never_accepted), "look again");
  never_accepted.absent_before = true;
  EXPECT_EQ(judged(DiskStatus::absent, never_accepted), "already_gone absent");
  never_accepted.seen_before = false;
  EXPECT_EQ(judged(DiskStatus::absent, never_accepted), "reject not_found");
  never_accepted.seen_before = true;
  EXPECT_EQ(judged(DiskStatus::deleting, never_accepted), "already_gone deleting");
}

}  // namespace
}  // namespace diskrelease
