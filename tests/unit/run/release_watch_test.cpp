#include "run/release_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/enrolled_run.h"

namespace diskrelease {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto k_poll = 3s;
const UtcTime k_start{std::chrono::hours(24 * 365 * 50)};

class ReleaseWatchTest : public testing::Test {
 protected:
  /// Released `at` seconds after the start, answered at once.
  static AcceptedRelease released(int item, std::chrono::seconds at = 0s) {
    return {ItemId{item}, disk_id("disk-" + std::to_string(item)), k_start + at, k_start + at};
  }
  /// A read that is sent and answered at that second.
  ReleaseWatch::Seen see(const AcceptedRelease& release, DiskStatus status, std::chrono::seconds at,
                         bool last_look = false) {
    return watch_.saw(release, status, k_start + at, k_start + at, last_look);
  }

  ReleaseWatch watch_{k_poll};
};

TEST_F(ReleaseWatchTest, ADiskIsReadAtOnceAfterAPollUntilItIsInPlaceAndAfterAWhileOnceMore) {
  const AcceptedRelease one = released(1);
  watch_.accepted(one);
  ASSERT_THAT(watch_.take(100, k_start), SizeIs(1));
  EXPECT_THAT(watch_.take(100, k_start + 1h), IsEmpty()) << "somebody reads it";
  EXPECT_FALSE(see(one, DiskStatus::available, 0s).in_place);
  EXPECT_THAT(watch_.take(100, k_start + 2s), IsEmpty());
  ASSERT_THAT(watch_.take(100, k_start + 3s), SizeIs(1));
  EXPECT_TRUE(see(one, DiskStatus::recycled, 3s).in_place);
  EXPECT_THAT(watch_.take(100, k_start + 19s), IsEmpty());
  ASSERT_THAT(watch_.take(100, k_start + 20s), SizeIs(1));
  EXPECT_TRUE(see(one, DiskStatus::recycled, 20s).in_place);
  EXPECT_THAT(watch_.take(100, k_start + 1h), IsEmpty());
  EXPECT_FALSE(watch_.last_look_due());
}

TEST_F(ReleaseWatchTest, WhatWasNotReadIsGivenBack) {
  watch_.accepted(released(1));
  watch_.accepted(released(2));
  const auto taken = watch_.take(1, k_start);
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_EQ(taken.front().item, ItemId{1});
  watch_.give_back(taken);
  EXPECT_THAT(watch_.take(100, k_start), SizeIs(2));
}

TEST_F(ReleaseWatchTest, ADiskThatIsDestroyedWhileOthersAreInTheBinIsAnAlarm) {
  EXPECT_THAT(see(released(1), DiskStatus::recycled, 5s).alarms, IsEmpty());
  const auto alarms = see(released(2), DiskStatus::deleting, 4s).alarms;
  ASSERT_THAT(alarms, SizeIs(1));
  EXPECT_EQ(alarms[0].item, ItemId{2});
  EXPECT_TRUE(alarms[0].destroyed);
  EXPECT_THAT(alarms[0].text, HasSubstr("DELETING within 4s of its release"));
  EXPECT_THAT(see(released(2), DiskStatus::deleting, 8s).alarms, IsEmpty()) << "once for each disk";
}

TEST_F(ReleaseWatchTest, ADestroyedDiskIsAnAlarmAlsoWhereTheBinIsSeenLater) {
  EXPECT_THAT(see(released(1), DiskStatus::deleting, 4s).alarms, IsEmpty())
      << "accounts without a bin destroy at once";
  EXPECT_THAT(see(released(2), DiskStatus::recycling, 5s).alarms, SizeIs(1));
}

TEST_F(ReleaseWatchTest, ADiskOfOthersOnItsWayIntoTheBinProvesTheBinToo) {
  EXPECT_THAT(see(released(1), DiskStatus::deleting, 4s).alarms, IsEmpty());
  EXPECT_THAT(watch_.saw_unsent(ItemId{9}, disk_id("x"), DiskStatus::recycled, false), IsEmpty())
      << "it may be there from a time when the account had a bin";
  EXPECT_THAT(watch_.saw_unsent(ItemId{8}, disk_id("y"), DiskStatus::recycling, false), SizeIs(1));
}

TEST_F(ReleaseWatchTest, AnAccountWithoutABinRaisesNoAlarm) {
  for (int item = 1; item <= 50; ++item) {
    EXPECT_THAT(
        see(released(item), item % 2 == 0 ? DiskStatus::deleting : DiskStatus::absent, 4s).alarms,
        IsEmpty());
  }
}

TEST_F(ReleaseWatchTest, ADiskIsAbsentOnlyInTwoAnswersAPollApart) {
  see(released(1), DiskStatus::recycled, 5s);
  const AcceptedRelease two = released(2);
  watch_.accepted(two);
  EXPECT_THAT(see(two, DiskStatus::absent, 4s, true).alarms, IsEmpty());
  ASSERT_TRUE(watch_.last_look_due());
  EXPECT_EQ(*watch_.last_look_due(), k_start + 7s);
  EXPECT_THAT(watch_.take_for_last_look(100, k_start + 6s), IsEmpty());
  ASSERT_THAT(watch_.take_for_last_look(100, k_start + 7s), SizeIs(1));
  EXPECT_THAT(see(two, DiskStatus::absent, 7s, true).alarms, SizeIs(1));
  EXPECT_FALSE(watch_.last_look_due());
}

TEST_F(ReleaseWatchTest, ADiskThatLeavesTheBinByItselfIsNoAlarm) {
  see(released(1), DiskStatus::recycled, 2h);
  EXPECT_THAT(see(released(2), DiskStatus::deleting, 2h).alarms, IsEmpty());
  EXPECT_THAT(see(released(3), DiskStatus::deleting, 2h - 1s).alarms, SizeIs(1))
      << "others were kept for longer";
}

TEST_F(ReleaseWatchTest, ABinKeepsADiskForAnHourAtLeast) {
  see(released(1), DiskStatus::recycled, 1s);
  EXPECT_THAT(see(released(2), DiskStatus::deleting, 1h).alarms, IsEmpty());
  EXPECT_THAT(see(released(3), DiskStatus::deleting, 1h - 1s).alarms, SizeIs(1));
}

TEST_F(ReleaseWatchTest, ADiskThatWasAvailableAndLeavesBeforeItsCallIsAnAlarm) {
  for (const DiskStatus status :
       {DiskStatus::recycling, DiskStatus::recycled, DiskStatus::deleting, DiskStatus::absent}) {
    ReleaseWatch watch(k_poll);
    const auto alarms = watch.saw_unsent(ItemId{1}, disk_id("a"), status, true);
    ASSERT_THAT(alarms, SizeIs(1)) << to_text(status);
    EXPECT_FALSE(alarms[0].destroyed);
    EXPECT_THAT(watch.saw_unsent(ItemId{1}, disk_id("a"), status, true), IsEmpty());
    EXPECT_THAT(watch.saw_unsent(ItemId{2}, disk_id("b"), status, false), IsEmpty());
  }
  EXPECT_THAT(watch_.saw_unsent(ItemId{1}, disk_id("a"), DiskStatus::in_use, true), IsEmpty());
}

TEST_F(ReleaseWatchTest, ADiskWhoseReleaseWasProvedByReadingIsJudgedLikeAnAcceptedOne) {
  const AcceptedRelease lost = released(1);
  EXPECT_THAT(watch_.settled(lost, DiskStatus::absent, k_start + 5s), IsEmpty());
  EXPECT_THAT(watch_.settled(released(2), DiskStatus::recycled, k_start + 5s), SizeIs(1))
      << "the first one, now that the bin is known";
  EXPECT_THAT(watch_.settled(released(3), DiskStatus::deleting, k_start + 5s), SizeIs(1));
  EXPECT_THAT(watch_.settled(released(4), DiskStatus::deleting, k_start + 2h), IsEmpty());
}

TEST_F(ReleaseWatchTest, ABinThatIsKnownFromEarlierRunsCounts) {
  watch_.bin_is_known();
  EXPECT_THAT(see(released(1), DiskStatus::deleting, 4s).alarms, SizeIs(1));
}

/// Sent unseen, it may have been there from a time when the account had a bin.
TEST_F(ReleaseWatchTest, ADiskThatWasSentUnseenProvesNoBinByLyingInIt) {
  AcceptedRelease unseen = released(1);
  unseen.was_available = false;
  see(unseen, DiskStatus::recycled, 1s);
  EXPECT_THAT(see(released(2), DiskStatus::deleting, 4s).alarms, IsEmpty());
  see(unseen, DiskStatus::recycling, 5s);
  EXPECT_THAT(see(released(3), DiskStatus::deleting, 4s).alarms, SizeIs(1));
}

TEST_F(ReleaseWatchTest, WatchesABoundedNumberOfDisks) {
  const int most = static_cast<int>(ReleaseWatch::k_most_watched);
  for (int item = 1; item <= most + 5; ++item) watch_.accepted(released(item));
  EXPECT_THAT(watch_.take(ReleaseWatch::k_most_watched + 5, k_start),
              SizeIs(ReleaseWatch::k_most_watched));
}

}  // namespace
}  // namespace diskrelease
