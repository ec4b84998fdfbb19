#include "pacing/pacer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <queue>
#include <random>
#include <vector>

#include "support/pacer_alone.h"

namespace diskrelease {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr SteadyTime k_start{std::chrono::hours(1)};

RateLimit limit(double per_second, int burst = 1) {
  return {.per_second = per_second, .burst = burst};
}

TEST(PacerTest, GivesSlotsOneIntervalAndAMarginApart) {
  struct Case {
    double rate;
    nanoseconds interval;
  };
  for (const Case& row : {Case{2, milliseconds(504)},
                          {1, milliseconds(1'008)},
                          {0.5, milliseconds(2'016)},
                          {1'000, nanoseconds(1'008'000)}}) {
    PacerAlone pacer(limit(row.rate), 1);
    for (int i = 0; i < 5; ++i) {
      EXPECT_NEAR(static_cast<double>((pacer.reserve(k_start).at - k_start).count()),
                  static_cast<double>((i * row.interval).count()), 5.0)
          << row.rate;
    }
  }
}

TEST(PacerTest, GivesTheFirstSlotAtOnce) {
  PacerAlone pacer(limit(2), 1);
  const Slot slot = pacer.reserve(k_start);
  EXPECT_EQ(slot.at, k_start);
  EXPECT_FALSE(pacer.depart(slot, k_start));
}

TEST(PacerTest, ABurstLeavesAtOnceAndAPauseEarnsNoMoreThanOneBurst) {
  PacerAlone pacer(limit(1, 3), 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pacer.reserve(k_start).at, k_start) << i;
  EXPECT_EQ(pacer.reserve(k_start).at, k_start + milliseconds(1'008));

  const SteadyTime much_later = k_start + std::chrono::hours(5);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pacer.reserve(much_later).at, much_later) << i;
  EXPECT_EQ(pacer.reserve(much_later).at, much_later + milliseconds(1'008));
}

TEST(PacerTest, WithoutBurstAPauseEarnsNothing) {
  PacerAlone pacer(limit(1), 1);
  static_cast<void>(pacer.reserve(k_start));
  const SteadyTime much_later = k_start + std::chrono::hours(5);
  EXPECT_EQ(pacer.reserve(much_later).at, much_later);
  EXPECT_EQ(pacer.reserve(much_later).at, much_later + milliseconds(1'008));
}

TEST(PacerTest, UnlimitedSlotsAreAllDueNow) {
  PacerAlone pacer({.per_second = std::nullopt}, 1);
  for (int i = 0; i < 100; ++i) {
    const Slot slot = pacer.reserve(k_start);
    EXPECT_EQ(slot.at, k_start);
    EXPECT_FALSE(pacer.depart(slot, k_start));
  }
  EXPECT_FALSE(pacer.rate(k_start));
}

TEST(PacerTest, ALateSenderPushesTheNextOneBackToTheEndOfTheWindow) {
  PacerAlone pacer(limit(1), 1);
  const Slot first = pacer.reserve(k_start);
  const Slot second = pacer.reserve(k_start);
  const SteadyTime late = k_start + milliseconds(900);
  ASSERT_FALSE(pacer.depart(first, late));

  const std::optional<Slot> instead = pacer.depart(second, second.at);
  ASSERT_TRUE(instead);
  EXPECT_EQ(instead->at, late + milliseconds(1'008) - Pacer::k_late);
  EXPECT_TRUE(pacer.depart(*instead, instead->at - nanoseconds(1)));
  EXPECT_FALSE(pacer.depart(*instead, instead->at));
}

TEST(PacerTest, ASenderWhoIsALittleLatePushesNobodyBack) {
  PacerAlone pacer(limit(2), 1);
  int late = 0;
  for (int i = 0; i < 100; ++i) {
    const Slot slot = pacer.reserve(k_start);
    late = (late + 7) % 11;
    EXPECT_FALSE(pacer.depart(slot, slot.at + Pacer::k_late * late / 10)) << i;
  }
}

TEST(PacerTest, WhoIsLateByMoreIsMadeUpFor) {
  PacerAlone pacer(limit(2), 1);
  const auto lateness_after_slot = [&](nanoseconds late) {
    Slot slot = pacer.reserve(k_start);
    const SteadyTime promised = slot.at;
    SteadyTime leaves = slot.at + late;
    while (const std::optional<Slot> later = pacer.depart(slot, leaves)) {
      slot = *later;
      leaves = slot.at + late;
    }
    return leaves - promised;
  };
  constexpr std::chrono::microseconds usual{100};
  static_cast<void>(lateness_after_slot(milliseconds(5)));
  for (int i = 0; i < 40; ++i) static_cast<void>(lateness_after_slot(usual));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(lateness_after_slot(usual), usual) << i;
}

TEST(PacerTest, ARequestThatWasHeldUpCountsFromWhenItLeft) {
  PacerAlone pacer(limit(2), 1);
  std::vector<Slot> slots;
  for (int i = 0; i < 4; ++i) slots.push_back(pacer.reserve(k_start));
  ASSERT_FALSE(pacer.depart(slots[0], slots[0].at));
  ASSERT_FALSE(pacer.depart(slots[1], slots[1].at));
  // The first one leaves after the second.
  const SteadyTime left = slots[1].at + milliseconds(20);
  pacer.left_late(slots[0].at, left);
  const std::optional<Slot> third = pacer.depart(slots[2], slots[2].at);
  ASSERT_TRUE(third);
  EXPECT_EQ(third->at, slots[1].at + milliseconds(1'008) - Pacer::k_late);
  ASSERT_FALSE(pacer.depart(*third, third->at));
  const std::optional<Slot> fourth = pacer.depart(slots[3], third->at + nanoseconds(1));
  ASSERT_TRUE(fourth);
  EXPECT_EQ(fourth->at, left + milliseconds(1'008) - Pacer::k_late);
}

TEST(PacerTest, WhatWasCountedBeforeARequestWasHeldUpStaysAsItIs) {
  PacerAlone pacer(limit(1), 1);
  pacer.left_late(k_start, k_start + seconds(1));
  const Slot first = pacer.reserve(k_start);
  ASSERT_FALSE(pacer.depart(first, k_start));
  pacer.left_late(k_start + nanoseconds(1), k_start + seconds(1));
  const Slot second = pacer.reserve(k_start);
  EXPECT_FALSE(pacer.depart(second, k_start + milliseconds(1'008)));
}

struct Traffic {
  double rate;
  int burst;
  int requests;
};

/// Departures of 32 senders that wake up as late as `lateness` says.
template <class Lateness>
std::vector<SteadyTime> simulate(const Traffic& traffic, Lateness lateness) {
  PacerAlone pacer(limit(traffic.rate, traffic.burst), 1);
  struct Waking {
    SteadyTime at;
    Slot slot;
    bool operator<(const Waking& other) const { return at > other.at; }
  };
  std::priority_queue<Waking> senders;
  for (int i = 0; i < 32; ++i) {
    const Slot slot = pacer.reserve(k_start);
    senders.push({slot.at + lateness(), slot});
  }
  std::vector<SteadyTime> departures;
  while (std::ssize(departures) < traffic.requests) {
    const Waking sender = senders.top();
    senders.pop();
    if (const std::optional<Slot> later = pacer.depart(sender.slot, sender.at)) {
      EXPECT_GT(later->at, sender.at);
      senders.push({later->at + lateness(), *later});
      continue;
    }
    departures.push_back(sender.at);
    const Slot next = pacer.reserve(sender.at);
    senders.push({next.at + lateness(), next});
  }
  return departures;
}

class PacerTrafficTest : public ::testing::TestWithParam<Traffic> {};

TEST_P(PacerTrafficTest, NoWindowHoldsMoreThanTheRateHoweverLateSendersWake) {
  const Traffic& traffic = GetParam();
  // One second; for slow rates the time of one request. A second holds the next whole number of
  // requests of a rate that is not whole: even spacing cannot avoid that.
  const auto window = nanoseconds(static_cast<std::int64_t>(1e9 * std::max(1.0, 1 / traffic.rate)));
  const auto allowed = static_cast<std::size_t>(std::max(1.0, std::ceil(traffic.rate))) +
                       static_cast<std::size_t>(traffic.burst - 1);
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    std::mt19937_64 random(seed);
    // Mostly punctual; now and then a sender oversleeps by up to two intervals.
    const auto interval = static_cast<std::int64_t>(1e9 / traffic.rate);
    const std::vector<SteadyTime> departures = simulate(traffic, [&]() -> nanoseconds {
      if (random() % 4 != 0) return nanoseconds(0);
      return nanoseconds(
          static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(2 * interval)));
    });
    std::deque<SteadyTime> in_window;
    std::size_t most = 0;
    for (const SteadyTime departure : departures) {
      while (!in_window.empty() && in_window.front() + window <= departure) in_window.pop_front();
      in_window.push_back(departure);
      most = std::max(most, in_window.size());
    }
    EXPECT_LE(most, allowed) << "seed " << seed;
  }
}

TEST_P(PacerTrafficTest, PunctualSendersReachTheRate) {
  const Traffic& traffic = GetParam();
  const std::vector<SteadyTime> departures = simulate(traffic, [] { return nanoseconds(0); });
  const double took = std::chrono::duration<double>(departures.back() - departures.front()).count();
  const auto intervals = static_cast<double>(traffic.requests - 1);
  EXPECT_GE(intervals / took, 0.99 * traffic.rate);
}

INSTANTIATE_TEST_SUITE_P(Rates, PacerTrafficTest,
                         ::testing::Values(Traffic{0.5, 1, 10'000}, Traffic{1, 1, 10'000},
                                           Traffic{2, 1, 10'000}, Traffic{2.5, 1, 10'000},
                                           Traffic{1.5, 3, 10'000}, Traffic{50, 1, 10'000},
                                           Traffic{50, 10, 10'000}, Traffic{1'000, 1, 10'000}),
                         [](const auto& instance) {
                           return std::to_string(static_cast<int>(instance.param.rate * 10)) +
                                  "_per_10_seconds_burst_" + std::to_string(instance.param.burst);
                         });

TEST(PacerThrottledTest, HalvesTheRateAndGrowsBackToAllOfIt) {
  PacerAlone pacer(limit(100), 1);
  EXPECT_DOUBLE_EQ(*pacer.rate(k_start), 100);
  pacer.throttled(k_start, k_start, milliseconds(0));
  EXPECT_DOUBLE_EQ(*pacer.rate(k_start), 50);
  EXPECT_DOUBLE_EQ(*pacer.rate(k_start + seconds(1)), 55);
  EXPECT_LT(*pacer.rate(k_start + milliseconds(9'999)), 100);
  EXPECT_DOUBLE_EQ(*pacer.rate(k_start + seconds(10)), 100);
  EXPECT_DOUBLE_EQ(*pacer.rate(k_start + std::chrono::hours(10)), 100);
}

TEST(PacerThrottledTest, NeverCutsBelowTheLowestShare) {
  PacerAlone pacer(limit(64), 1);
  SteadyTime now = k_start;
  for (int i = 0; i < 20; ++i) {
    pacer.throttled(now, now, milliseconds(0));
    now += nanoseconds(1);
  }
  EXPECT_NEAR(*pacer.rate(now), 1, 0.001);
}

TEST(PacerThrottledTest, AnswersToRequestsFromBeforeTheCutDoNotCutAgain) {
  PacerAlone pacer(limit(100), 1);
  const SteadyTime cut = k_start + seconds(1);
  pacer.throttled(k_start, cut, milliseconds(0));
  const std::uint64_t epoch = pacer.reserve(cut).epoch;
  pacer.throttled(cut - nanoseconds(1), cut, std::nullopt);
  pacer.throttled(cut, cut, std::nullopt);
  EXPECT_DOUBLE_EQ(*pacer.rate(cut), 50);
  EXPECT_EQ(pacer.reserve(cut).epoch, epoch);
  pacer.throttled(cut + nanoseconds(1), cut + nanoseconds(2), milliseconds(0));
  EXPECT_NEAR(*pacer.rate(cut + nanoseconds(2)), 25, 0.001);
}

TEST(PacerThrottledTest, HonoursRetryAfterUpToAMinute) {
  struct Case {
    milliseconds told;
    milliseconds waited;
  };
  for (const Case& row : {Case{milliseconds(59'999), milliseconds(59'999)},
                          {milliseconds(60'000), milliseconds(60'000)},
                          {milliseconds(60'001), milliseconds(60'000)},
                          {milliseconds(-1), milliseconds(0)}}) {
    PacerAlone pacer(limit(2), 1);
    pacer.throttled(k_start, k_start, row.told);
    EXPECT_EQ(pacer.reserve(k_start).at, k_start + row.waited) << row.told.count();
  }
}

TEST(PacerThrottledTest, AnOldAnswerMayLengthenThePauseAndNeverShortensIt) {
  PacerAlone pacer(limit(2), 1);
  pacer.throttled(k_start, k_start, seconds(10));
  pacer.throttled(k_start, k_start, seconds(5));
  EXPECT_EQ(pacer.paused_until(k_start), k_start + seconds(10));
  pacer.throttled(k_start, k_start, seconds(20));
  EXPECT_EQ(pacer.paused_until(k_start), k_start + seconds(20));
  EXPECT_DOUBLE_EQ(*pacer.rate(k_start), 1);
}

TEST(PacerThrottledTest, PausesAllSendersTogetherAndVoidsTheirSlots) {
  PacerAlone pacer(limit(2), 1);
  const Slot old = pacer.reserve(k_start);
  pacer.throttled(k_start, k_start, seconds(3));
  const std::optional<Slot> instead = pacer.depart(old, k_start);
  ASSERT_TRUE(instead);
  EXPECT_EQ(instead->at, k_start + seconds(3));
  EXPECT_FALSE(pacer.depart(*instead, instead->at));
  EXPECT_EQ(pacer.paused_until(k_start + seconds(3) - nanoseconds(1)), k_start + seconds(3));
  EXPECT_FALSE(pacer.paused_until(k_start + seconds(3)));
}

TEST(PacerThrottledTest, TheEndOfAPauseReleasesNoBurst) {
  PacerAlone pacer(limit(2, 5), 1);
  pacer.throttled(k_start, k_start, seconds(3));
  const SteadyTime end = k_start + seconds(3);
  EXPECT_EQ(pacer.reserve(k_start).at, end);
  EXPECT_GT(pacer.reserve(k_start).at, end);
}

TEST(PacerThrottledTest, PausesAnUnlimitedRateToo) {
  PacerAlone pacer({.per_second = std::nullopt}, 1);
  const Slot old = pacer.reserve(k_start);
  pacer.throttled(k_start, k_start, seconds(3));
  EXPECT_FALSE(pacer.rate(k_start));
  const std::optional<Slot> instead = pacer.depart(old, k_start);
  ASSERT_TRUE(instead);
  EXPECT_EQ(instead->at, k_start + seconds(3));
}

TEST(PacerThrottledTest, WithoutRetryAfterItPausesWithFullJitterBelowADoublingCeiling) {
  std::vector<nanoseconds> longest(9, nanoseconds(0));
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    PacerAlone pacer(limit(100), seed);
    SteadyTime now = k_start;
    SteadyTime end_before = now;
    for (std::size_t storm = 0; storm < longest.size(); ++storm) {
      now = end_before + nanoseconds(1);
      pacer.throttled(now, now, std::nullopt);
      const SteadyTime end = pacer.paused_until(now).value_or(now);
      const auto ceiling =
          std::min(Pacer::k_first_pause * (std::int64_t{1} << std::min<std::size_t>(storm, 6)),
                   Pacer::k_longest_own_pause);
      ASSERT_LE(end - now, ceiling) << "storm " << storm << " seed " << seed;
      longest[storm] = std::max<nanoseconds>(longest[storm], end - now);
      end_before = end;
    }
  }
  EXPECT_GT(longest[0], milliseconds(900));
  EXPECT_GT(longest[1], milliseconds(1'600));
  EXPECT_GT(longest[2], milliseconds(3'000));
  EXPECT_GT(longest[3], milliseconds(7'000));
  EXPECT_GT(longest[8], milliseconds(7'000)) << "a pause does not end the storm";
}

TEST(PacerThrottledTest, TheRateGrowsBackFromTheEndOfThePause) {
  PacerAlone pacer(limit(100), 1);
  pacer.throttled(k_start, k_start, seconds(30));
  const SteadyTime end = k_start + seconds(30);
  EXPECT_DOUBLE_EQ(*pacer.rate(end), 50);
  EXPECT_DOUBLE_EQ(*pacer.rate(end + seconds(1)), 55);
  EXPECT_DOUBLE_EQ(*pacer.rate(end + seconds(10)), 100);
}

TEST(PacerThrottledTest, SlotsThatArePromisedOnTheWayBackFollowTheGrowingRate) {
  for (const double per_second : {0.02, 0.5, 2.0, 64.0, 1'000.0}) {
    PacerAlone pacer(limit(per_second), 1);
    SteadyTime now = k_start;
    for (int i = 0; i < 6; ++i) {
      now += nanoseconds(1);
      pacer.throttled(now, now, milliseconds(0));
    }
    ASSERT_NEAR(*pacer.rate(now), per_second / 64, per_second * 1e-6);
    // From a share of 1/64 on there are ten seconds' worth of the full rate in the first twenty.
    const double grows = 20 * (1 - 1.0 / 64);
    const auto promised = static_cast<int>(per_second * (grows * (1 + 1.0 / 64) / 2 + 3)) + 1;
    SteadyTime last = now;
    for (int i = 0; i <= promised; ++i) {
      const SteadyTime at = pacer.reserve(now).at;
      EXPECT_GE(at, last);
      last = at;
    }
    const double expected = grows - grows * (1 + 1.0 / 64) / 2 + promised / per_second;
    const double took = std::chrono::duration<double>(last - now).count();
    EXPECT_GE(took, 0.999 * expected) << per_second;
    EXPECT_LE(took, 1.009 * expected) << per_second;
  }
}

/// Senders whose requests are refused until a storm is over.
SteadyTime full_rate_again(double per_second, std::uint64_t seed, nanoseconds latency,
                           SteadyTime storm_ends, int& refused) {
  PacerAlone pacer(limit(per_second), seed);
  struct Event {
    SteadyTime at;
    Slot slot;
    std::optional<SteadyTime> sent;
    bool operator<(const Event& other) const { return at > other.at; }
  };
  std::priority_queue<Event> events;
  const auto senders = static_cast<int>(per_second * 1.2) + 2;
  const auto take_slot = [&](SteadyTime now) {
    const Slot slot = pacer.reserve(now);
    events.push({slot.at, slot, {}});
  };
  for (int i = 0; i < senders; ++i) take_slot(k_start);
  std::deque<SteadyTime> second;
  while (true) {
    const Event event = events.top();
    events.pop();
    if (event.sent) {
      if (*event.sent < storm_ends) {
        ++refused;
        pacer.throttled(*event.sent, event.at, std::nullopt);
      }
      take_slot(event.at);
      continue;
    }
    if (const std::optional<Slot> later = pacer.depart(event.slot, event.at)) {
      events.push({later->at, *later, {}});
      continue;
    }
    events.push({event.at + latency, {}, event.at});
    if (event.at < storm_ends) continue;
    second.push_back(event.at);
    while (event.at - second.front() >= seconds(1)) second.pop_front();
    if (static_cast<double>(second.size()) >= std::floor(0.97 * per_second)) return second.front();
  }
}

TEST(PacerThrottledTest, TheRateIsBackHalfAMinuteAfterAStorm) {
  for (const double per_second : {2.0, 20.0, 100.0}) {
    for (const seconds storm : {seconds(1), seconds(20), seconds(300)}) {
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        int refused = 0;
        const SteadyTime ends = k_start + storm;
        const SteadyTime back = full_rate_again(per_second, seed, milliseconds(500), ends, refused);
        EXPECT_LE(back - ends, seconds(30)) << per_second << " seed " << seed;
        // Those under way at the first refusal, half as many after the first pause and so on; and
        // the few that find out whether it is over.
        EXPECT_LE(refused, per_second * 1.3 + 1 + static_cast<double>(storm.count()))
            << per_second << " seed " << seed;
      }
    }
  }
}

TEST(PacerThrottledTest, TheSameSeedGivesTheSamePauses) {
  const auto pause = [](std::uint64_t seed) {
    PacerAlone pacer(limit(2), seed);
    pacer.throttled(k_start, k_start, std::nullopt);
    return pacer.reserve(k_start).at;
  };
  EXPECT_EQ(pause(7), pause(7));
  EXPECT_NE(pause(7), pause(8));
}

}  // namespace
}  // namespace diskrelease
