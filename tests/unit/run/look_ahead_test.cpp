#include "run/look_ahead.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace diskrelease {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

const SteadyTime k_start = SteadyTime{} + 1h;

LookAhead at_rate(std::optional<double> per_second, int batch = 10) {
  return LookAhead({per_second, batch, std::nullopt});
}

/// After the beginning.
LookAhead settled(std::optional<double> per_second, int batch = 10) {
  LookAhead look = at_rate(per_second, batch);
  look.seen_in_place();
  return look;
}

TEST(LookAheadTest, ALookTakesTheDisksOfASecondAndAtLowRatesTheBatch) {
  EXPECT_EQ(settled(2).batch(), 10u);
  EXPECT_EQ(settled(10).batch(), 10u);
  EXPECT_EQ(settled(20).batch(), 20u);
  EXPECT_EQ(settled(89).batch(), 89u);
  EXPECT_EQ(settled(90).batch(), 90u);
  EXPECT_EQ(settled(1'000).batch(), 90u) << "there is room for disks to be read back";
  EXPECT_EQ(settled(2, 1).batch(), 2u) << "a look a second is young enough";
  EXPECT_EQ(settled(2, 100).batch(), 60u) << "half a minute's worth at most";
}

TEST(LookAheadTest, ALookIsBelievedForTwiceTheTimeInWhichItsDisksAreSent) {
  EXPECT_EQ(settled(2).valid_for(), 10s);
  EXPECT_EQ(settled(10).valid_for(), 2s);
  EXPECT_EQ(settled(1'000).valid_for(), 2s);
  EXPECT_EQ(settled(std::nullopt).valid_for(), 2s);
  EXPECT_EQ(settled(0.001).valid_for(), 3'000s) << "the look is the first of three requests";
}

TEST(LookAheadTest, TheAgeOfALookCountsFromItsAnswerUnlessTheWayWasLong) {
  const auto valid = settled(10).valid_for();
  const SteadyTime answered = k_start + 5s;
  EXPECT_TRUE(LookAhead::is_fresh(k_start, answered, answered + 2s, valid));
  EXPECT_FALSE(LookAhead::is_fresh(k_start, answered, answered + 2s + nanoseconds(1), valid));
  // As after SIGSTOP: when it was answered is not known.
  const SteadyTime late = k_start + 10min;
  EXPECT_FALSE(LookAhead::is_fresh(k_start, late, late, valid));
  EXPECT_TRUE(LookAhead::is_fresh(k_start, late, k_start + LookAhead::k_longest_way + 2s, valid));
}

TEST(LookAheadTest, FirstLooksTakeFewDisksUntilAnAcceptedOneWasSeenInPlace) {
  LookAhead look = at_rate(200);
  std::vector<std::size_t> batches;
  for (int i = 0; i < 6; ++i) {
    batches.push_back(look.batch());
    look.began();
  }
  EXPECT_EQ(batches, (std::vector<std::size_t>{1, 2, 5, 10, 10, 10}));
  look.seen_in_place();
  EXPECT_EQ(look.batch(), 90u);
}

TEST(LookAheadTest, FirstLooksAreMadeOneAtATime) {
  LookAhead look = at_rate(200);
  look.took(1s);
  EXPECT_TRUE(look.due(200, 0));
  EXPECT_FALSE(look.due(0, 1));
  look.seen_in_place();
  EXPECT_TRUE(look.due(0, 90));
}

TEST(LookAheadTest, TheNextLookIsDueWhenAsManyAreLeftAsAreSentMeanwhile) {
  LookAhead look = settled(20);
  EXPECT_TRUE(look.due(1, 0)) << "nothing is known of the way";
  EXPECT_FALSE(look.due(2, 0));
  look.took(500ms);
  EXPECT_TRUE(look.due(10, 0));
  EXPECT_TRUE(look.due(0, 10));
  EXPECT_FALSE(look.due(1, 10));
  look.took(100ms);
  EXPECT_FALSE(look.due(10, 0)) << "the latest counts half";
  EXPECT_TRUE(look.due(6, 0));
}

TEST(LookAheadTest, WhereSendersAreSlowerThanTheRateLooksTakeFewer) {
  LookAhead look = settled(100);
  for (int i = 0; i <= 10; ++i) look.handed_out(k_start + i * 100ms);
  EXPECT_EQ(look.batch(), 20u) << "twice what was measured";
  for (int i = 1; i <= 10; ++i) look.handed_out(k_start + 1s + i * 100ms);
  EXPECT_EQ(look.batch(), 20u);
  for (int i = 1; i <= 80; ++i) look.handed_out(k_start + 2s + i * 12'500us);
  EXPECT_EQ(look.batch(), 90u) << "never more than the rate, and room for others";
}

TEST(LookAheadTest, AnUnlimitedRateIsMeasured) {
  LookAhead look = settled(std::nullopt);
  EXPECT_EQ(look.batch(), 10u);
  for (int i = 0; i <= 40; ++i) look.handed_out(k_start + i * 25ms);
  EXPECT_EQ(look.batch(), 80u);
}

/// Else no call would ever be young enough where many processes share a pace.
TEST(LookAheadTest, ALookIsBelievedForAsLongAsItsCallHasToWaitInTheLine) {
  LookAhead look({2.0, 10, 2s});
  EXPECT_EQ(look.valid_for(), 2s);
  look.took(5s);
  EXPECT_EQ(look.valid_for(), 11s);
  look.took(10min);
  EXPECT_EQ(look.valid_for(), 30s) << "that was a pause";
  LookAhead slow = at_rate(0.03);
  slow.took(10min);
  EXPECT_GT(slow.valid_for(), 260s) << "eight requests";
  EXPECT_LT(slow.valid_for(), 270s);
}

TEST(LookAheadTest, ALongestLookBoundsBatchAndAgeWhateverTheyWouldBe) {
  LookAhead look({2.0, 10, 2s});
  look.seen_in_place();
  EXPECT_EQ(look.valid_for(), 2s);
  EXPECT_EQ(look.batch(), 2u);
  LookAhead slow({0.1, 10, 2s});
  EXPECT_EQ(slow.valid_for(), 30s) << "three requests";
}

}  // namespace
}  // namespace diskrelease
