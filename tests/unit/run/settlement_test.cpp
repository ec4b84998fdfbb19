#include "run/settlement.h"

#include <gtest/gtest.h>

#include <ostream>

namespace diskrelease {
namespace {

using std::chrono::milliseconds;

constexpr UtcTime k_first{milliseconds(1'795'000'000'000)};
constexpr milliseconds k_poll{3'000};

/// Sent while AVAILABLE, seen `last` by one read and `now` by the next, one poll later.
SettlementFacts seen(DiskStatus last, DiskStatus now) {
  return {.goal = Goal::release,
          .stage = Stage::release,
          .denied = false,
          .bin_keeps = false,
          .before = DiskStatus::available,
          .last = last,
          .last_seen = k_first,
          .now = now,
          .now_seen = k_first + k_poll,
          .poll = k_poll};
}

/// "executed", "gone", ..., or "unknown".
std::string verdict(const SettlementFacts& facts) {
  const Settlement settlement = settle(facts);
  if (const auto* found = std::get_if<Verdict>(&settlement)) {
    return std::string(to_text(found->settled));
  }
  return "unknown";
}

TEST(SettlementTest, ADiskThatLeftAvailableWasReleased) {
  for (const DiskStatus status :
       {DiskStatus::recycling, DiskStatus::recycled, DiskStatus::deleting, DiskStatus::absent}) {
    EXPECT_EQ(verdict(seen(status, status)), "executed") << to_text(status);
  }
  EXPECT_EQ(verdict(seen(DiskStatus::recycling, DiskStatus::recycled)), "executed");
}

TEST(SettlementTest, OneSightingIsNoProof) {
  for (const DiskStatus status :
       {DiskStatus::recycled, DiskStatus::absent, DiskStatus::in_use, DiskStatus::deleting}) {
    SettlementFacts once = seen(status, status);
    once.last.reset();
    EXPECT_EQ(verdict(once), "unknown") << to_text(status);
    EXPECT_EQ(verdict(seen(DiskStatus::available, status)), "unknown") << to_text(status);
  }
}

TEST(SettlementTest, SightingsCountFromOnePollApart) {
  SettlementFacts facts = seen(DiskStatus::absent, DiskStatus::absent);
  facts.now_seen = k_first + k_poll - milliseconds(1);
  EXPECT_EQ(verdict(facts), "unknown");
  facts.now_seen = k_first + k_poll;
  EXPECT_EQ(verdict(facts), "executed");
  facts.now_seen = k_first + k_poll + milliseconds(1);
  EXPECT_EQ(verdict(facts), "executed");
}

TEST(SettlementTest, ADiskThatSomebodyAttachedWasRefused) {
  EXPECT_EQ(verdict(seen(DiskStatus::in_use, DiskStatus::in_use)), "refused");
}

TEST(SettlementTest, ADiskSentUnseenIsGoneOnlyWhereItIsStillListed) {
  SettlementFacts recycled = seen(DiskStatus::recycled, DiskStatus::recycled);
  recycled.before.reset();
  EXPECT_EQ(verdict(recycled), "gone");
  SettlementFacts absent = seen(DiskStatus::absent, DiskStatus::absent);
  absent.before.reset();
  EXPECT_EQ(verdict(absent), "unknown");
}

TEST(SettlementTest, AvailableToTheEndStaysUnknownUnlessAskedToResend) {
  SettlementFacts facts = seen(DiskStatus::available, DiskStatus::available);
  EXPECT_EQ(verdict(facts), "unknown");
  facts.last_read = true;
  EXPECT_EQ(verdict(facts), "unknown");
  facts.resend = true;
  EXPECT_EQ(verdict(facts), "not_executed");
  facts.last_read = false;
  EXPECT_EQ(verdict(facts), "unknown") << "the window has not passed";
}

TEST(SettlementTest, ADiskThatWasSeenElsewhereMeanwhileIsNotSentAgain) {
  SettlementFacts facts = seen(DiskStatus::available, DiskStatus::available);
  facts.last_read = true;
  facts.resend = true;
  facts.changed = true;
  EXPECT_EQ(verdict(facts), "unknown");
  facts.changed = false;
  facts.last = DiskStatus::recycled;
  EXPECT_EQ(verdict(facts), "unknown");
  facts.last.reset();
  EXPECT_EQ(verdict(facts), "unknown") << "there has to be a further, fresh read";
}

TEST(SettlementTest, WhatTheApiDidNotFindIsGoneOnceItIsSeenSo) {
  SettlementFacts denied = seen(DiskStatus::absent, DiskStatus::absent);
  denied.denied = true;
  EXPECT_EQ(verdict(denied), "gone");
  denied.last.reset();
  EXPECT_EQ(verdict(denied), "unknown") << "one sighting is no proof";
  SettlementFacts there = seen(DiskStatus::available, DiskStatus::available);
  there.denied = true;
  there.last_read = true;
  EXPECT_EQ(verdict(there), "unknown") << "the answer was wrong, or the reads show the past";
  there.resend = true;
  EXPECT_EQ(verdict(there), "not_executed");
  SettlementFacts in_bin = seen(DiskStatus::recycled, DiskStatus::recycled);
  in_bin.denied = true;
  EXPECT_EQ(verdict(in_bin), "gone");
  in_bin.goal = Goal::purge;
  EXPECT_EQ(verdict(in_bin), "unknown") << "purge wants it destroyed";
  SettlementFacts second = seen(DiskStatus::absent, DiskStatus::absent);
  second.goal = Goal::purge;
  second.stage = Stage::destroy;
  second.before = DiskStatus::recycled;
  second.denied = true;
  EXPECT_EQ(verdict(second), "gone");
  second.last = DiskStatus::recycled;
  second.now = DiskStatus::recycled;
  EXPECT_EQ(verdict(second), "unknown") << "it is in the bin still, and is not given up";
}

TEST(SettlementTest, WhereTheBinKeepsDisksAnAbsentOneWasNotReleasedByOneCall) {
  SettlementFacts absent = seen(DiskStatus::absent, DiskStatus::absent);
  absent.bin_keeps = true;
  EXPECT_EQ(verdict(absent), "unknown");
  SettlementFacts recycled = seen(DiskStatus::recycled, DiskStatus::recycled);
  recycled.bin_keeps = true;
  EXPECT_EQ(verdict(recycled), "executed");
  // The second stage leads out of the bin.
  absent.stage = Stage::destroy;
  absent.before = DiskStatus::recycled;
  EXPECT_EQ(verdict(absent), "executed");
}

TEST(SettlementTest, ADiskExistsNoMoreWhenItIsDeletedOrTwiceAbsent) {
  using enum DiskStatus;
  EXPECT_TRUE(is_gone_for_good(std::nullopt, deleting));
  EXPECT_TRUE(is_gone_for_good(recycled, deleting));
  EXPECT_TRUE(is_gone_for_good(absent, absent));
  EXPECT_TRUE(is_gone_for_good(deleting, absent));
  EXPECT_FALSE(is_gone_for_good(std::nullopt, absent));
  EXPECT_FALSE(is_gone_for_good(recycled, absent));
  EXPECT_FALSE(is_gone_for_good(absent, recycled));
  EXPECT_FALSE(is_gone_for_good(absent, available));
}

TEST(SettlementTest, TransitionalAndUnknownStatusesSettleNothing) {
  for (const DiskStatus status :
       {DiskStatus::creating, DiskStatus::attaching, DiskStatus::detaching, DiskStatus::changing,
        DiskStatus::snapshot_creating, DiskStatus::rolling_back, DiskStatus::failed,
        DiskStatus::other}) {
    SettlementFacts facts = seen(status, status);
    facts.last_read = true;
    facts.resend = true;
    EXPECT_EQ(verdict(facts), "unknown") << to_text(status);
  }
}

TEST(SettlementTest, TheSecondStageIsJudgedFromTheRecycleBin) {
  const auto second = [](DiskStatus last, DiskStatus now) {
    SettlementFacts facts = seen(last, now);
    facts.stage = Stage::destroy;
    facts.before = DiskStatus::recycled;
    return facts;
  };
  EXPECT_EQ(verdict(second(DiskStatus::deleting, DiskStatus::absent)), "executed");
  EXPECT_EQ(verdict(second(DiskStatus::absent, DiskStatus::absent)), "executed");
  SettlementFacts unchanged = second(DiskStatus::recycled, DiskStatus::recycled);
  EXPECT_EQ(verdict(unchanged), "unknown");
  unchanged.last_read = true;
  unchanged.resend = true;
  EXPECT_EQ(verdict(unchanged), "not_executed");
  // Somebody has taken it out of the bin: before the call or after it?
  for (const DiskStatus status :
       {DiskStatus::available, DiskStatus::in_use, DiskStatus::recycling}) {
    SettlementFacts restored = second(status, status);
    restored.last_read = true;
    restored.resend = true;
    EXPECT_EQ(verdict(restored), "unknown") << to_text(status);
  }
}

/// Seen in the bin, then twice out of it, when the window has passed.
HalfWayFacts restored(DiskStatus last, DiskStatus now) {
  return {.reached_bin = true,
          .last = last,
          .last_seen = k_first,
          .now = now,
          .now_seen = k_first + k_poll,
          .poll = k_poll,
          .last_read = true};
}

TEST(SettlementTest, ADiskSeenInTheBinAndThenTwiceOutOfItWasRestored) {
  EXPECT_TRUE(was_restored(restored(DiskStatus::available, DiskStatus::available)));
  EXPECT_TRUE(was_restored(restored(DiskStatus::attaching, DiskStatus::in_use)));
}

TEST(SettlementTest, ADiskIsNotTakenForRestoredOnLessThanThat) {
  for (const DiskStatus status :
       {DiskStatus::recycling, DiskStatus::recycled, DiskStatus::deleting, DiskStatus::absent}) {
    EXPECT_FALSE(was_restored(restored(DiskStatus::available, status))) << to_text(status);
    EXPECT_FALSE(was_restored(restored(status, DiskStatus::available))) << to_text(status);
  }
  HalfWayFacts facts = restored(DiskStatus::available, DiskStatus::available);
  facts.reached_bin = false;
  EXPECT_FALSE(was_restored(facts));
  facts = restored(DiskStatus::available, DiskStatus::available);
  facts.last.reset();
  EXPECT_FALSE(was_restored(facts));
  facts = restored(DiskStatus::available, DiskStatus::available);
  facts.last_read = false;
  EXPECT_FALSE(was_restored(facts));
  facts = restored(DiskStatus::available, DiskStatus::available);
  facts.now_seen -= milliseconds(1);
  EXPECT_FALSE(was_restored(facts));
}

}  // namespace
}  // namespace diskrelease
