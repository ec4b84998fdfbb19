#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "pacing/pacer.h"
#include "support/pacing_traffic.h"
#include "support/single_steps.h"

namespace diskrelease {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr SteadyTime k_start{std::chrono::hours(1)};
constexpr BootId k_boot{1, 2};
constexpr nanoseconds k_tick{1};
constexpr nanoseconds k_window{1'008'000'000};  ///< of every whole rate

RateLimit limit(double per_second, int burst = 1) {
  return {.per_second = per_second, .burst = burst};
}

nanoseconds punctual() { return nanoseconds(0); }

std::int64_t stored(SteadyTime time) { return time.time_since_epoch().count(); }

/// Shared memory in the middle of this boot, in which nothing has left for a long time.
std::unique_ptr<PaceState> quiet_state() {
  auto state = std::make_unique<PaceState>();
  state->boot = k_boot;
  state->began = stored(k_start - std::chrono::minutes(30));
  return state;
}

std::unique_ptr<PaceState> copy_of(const PaceState& state) {
  return std::make_unique<PaceState>(state);
}

// ---- several Pacers on one state
// -----------------------------------------------------------------

struct Mixture {
  std::string name;
  std::vector<RateLimit> limits;
};

class SharedPaceTest : public ::testing::TestWithParam<Mixture> {};

TEST_P(SharedPaceTest, NobodySendsIntoAWindowThatIsFullForHisLimitHoweverLateSendersWake) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const auto state = quiet_state();
    std::mt19937_64 random(seed);
    PacingTraffic traffic([&]() -> nanoseconds {
      if (random() % 4 != 0) return nanoseconds(0);
      return nanoseconds(static_cast<std::int64_t>(random() % 300'000'000));
    });
    std::list<Pacer> pacers;
    std::map<const Pacer*, PacingPromise> promises;
    for (const RateLimit& one : GetParam().limits) {
      pacers.emplace_back(one, seed, *state);
      pacers.back().take_over(k_boot, k_start);
      promises.emplace(&pacers.back(), PacingPromise(one));
      traffic.add(pacers.back(), 5, k_start);
    }
    const std::vector<Departure> departures = traffic.next(3'000);
    for (std::size_t last = 0; last < departures.size(); ++last) {
      const PacingPromise& promise = promises.at(departures[last].pacer);
      std::size_t first = last;
      while (first > 0 && departures[first - 1].at + promise.window > departures[last].at) --first;
      ASSERT_LE(last - first + 1, promise.departures) << "seed " << seed << " departure " << last;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Limits, SharedPaceTest,
    ::testing::Values(Mixture{"same", {limit(50), limit(50)}},
                      Mixture{"same_with_burst", {limit(20, 5), limit(20, 5), limit(20, 5)}},
                      Mixture{"different_rates", {limit(50), limit(7)}},
                      Mixture{"different_bursts", {limit(10, 10), limit(10, 1)}},
                      Mixture{"fast_and_very_slow", {limit(100, 3), limit(0.5)}}),
    [](const auto& instance) { return instance.param.name; });

TEST(SharedPacerTest, TwoWithTheSameLimitReachItTogether) {
  const auto state = quiet_state();
  Pacer first(limit(50), 1, *state);
  Pacer second(limit(50), 2, *state);
  PacingTraffic traffic(punctual);
  traffic.add(first, 4, k_start);
  traffic.add(second, 4, k_start);
  const std::vector<Departure> departures = traffic.next(2'000);
  EXPECT_GE(average_rate(times_of(departures)), 0.99 * 50);
  const auto of_first = std::ranges::count(departures, &first, &Departure::pacer);
  EXPECT_NEAR(static_cast<double>(of_first), 1'000, 10) << "both have the same part of it";
}

TEST(SharedPacerTest, SlotsOfTwoStandInOneLine) {
  const auto state = quiet_state();
  Pacer first(limit(2), 1, *state);
  Pacer second(limit(2), 2, *state);
  EXPECT_EQ(first.reserve(k_start).at, k_start);
  EXPECT_EQ(second.reserve(k_start).at, k_start + milliseconds(504));
  EXPECT_EQ(first.reserve(k_start).at, k_start + milliseconds(1'008));
}

TEST(SharedPacerTest, ADepartureOfOneClosesTheWindowOfTheOtherToTheNanosecond) {
  for (const nanoseconds off : {-k_tick, nanoseconds(0), k_tick}) {
    const auto state = quiet_state();
    Pacer first(limit(1), 1, *state);
    Pacer second(limit(1), 2, *state);
    const Slot slot = second.reserve(k_start);
    ASSERT_FALSE(first.depart(first.reserve(k_start), k_start));
    const SteadyTime open = k_start + milliseconds(1'008);
    const std::optional<Slot> instead = second.depart(slot, open - Pacer::k_late + off);
    ASSERT_EQ(instead.has_value(), off < nanoseconds(0)) << off.count();
    if (instead) {
      EXPECT_EQ(instead->at, open - Pacer::k_late);
    }
  }
}

TEST(SharedPacerTest, ASenderWhoAsksWithAnOlderTimeLeavesNoEarlierThanTheLatest) {
  const auto state = quiet_state();
  Pacer two(limit(2), 1, *state);
  Pacer one(limit(1), 2, *state);
  ASSERT_FALSE(two.depart(two.reserve(k_start), k_start));
  ASSERT_FALSE(two.depart(two.reserve(k_start), k_start - milliseconds(100)));
  const Slot slot = one.reserve(k_start);
  const SteadyTime open = k_start + k_window - Pacer::k_late;
  EXPECT_TRUE(one.depart(slot, open - k_tick));
  EXPECT_FALSE(one.depart(slot, open));
}

TEST(SharedPacerTest, ThrottlingOfOnePausesAndSlowsTheOtherAndVoidsItsSlots) {
  const auto state = quiet_state();
  Pacer first(limit(100), 1, *state);
  Pacer second(limit(40), 2, *state);
  const Slot old = second.reserve(k_start);
  first.throttled(k_start, k_start, seconds(3));
  const SteadyTime end = k_start + seconds(3);
  EXPECT_EQ(second.paused_until(k_start), end);
  EXPECT_DOUBLE_EQ(*second.rate(k_start), 20);
  const std::optional<Slot> instead = second.depart(old, k_start);
  ASSERT_TRUE(instead);
  EXPECT_EQ(instead->at, end);
  EXPECT_FALSE(second.depart(*instead, end));
}

TEST(SharedPacerTest, AnswersToRequestsFromBeforeTheCutOfAnotherDoNotCutAgain) {
  const auto state = quiet_state();
  Pacer first(limit(100), 1, *state);
  Pacer second(limit(100), 2, *state);
  first.throttled(k_start, k_start, milliseconds(0));
  second.throttled(k_start, k_start + k_tick, std::nullopt);
  EXPECT_DOUBLE_EQ(*second.rate(k_start), 50);
}

TEST(SharedPacerTest, AMuchSlowerLimitDoesNotMakeAFastOneWaitForItsWholeLine) {
  const auto state = quiet_state();
  Pacer slow(limit(0.01), 1, *state);
  Pacer fast(limit(100), 2, *state);
  for (int i = 0; i < 4; ++i) static_cast<void>(slow.reserve(k_start));
  const nanoseconds step{10'080'000};
  EXPECT_EQ(fast.reserve(k_start).at, k_start + step);
  EXPECT_EQ(fast.reserve(k_start).at, k_start + 2 * step);
}

TEST(SharedPacerTest, ALineIsWaitedForUpToItsGreatestLength) {
  const nanoseconds step{10'080'000};
  const SteadyTime longest = k_start + step * Pacer::k_longest_line;
  for (const nanoseconds off : {-k_tick, nanoseconds(0), k_tick}) {
    const auto state = quiet_state();
    Pacer pacer(limit(100), 1, *state);
    state->next = stored(longest + off);
    const SteadyTime expected = off > nanoseconds(0) ? k_start + step : longest + off;
    EXPECT_EQ(pacer.reserve(k_start).at, expected) << off.count();
  }
}

// ---- restarts
// ------------------------------------------------------------------------------------

TEST(RestartedPacerTest, GoesOnWhereTheOneBeforeItWas) {
  const auto state = quiet_state();
  {
    Pacer before(limit(2), 1, *state);
    for (int i = 0; i < 2; ++i) {
      const Slot slot = before.reserve(k_start);
      ASSERT_FALSE(before.depart(slot, slot.at));
    }
    before.throttled(k_start + milliseconds(504), k_start + milliseconds(600), seconds(2));
  }
  const SteadyTime now = k_start + milliseconds(700);
  Pacer after(limit(2), 1, *state);
  after.take_over(k_boot, now);
  EXPECT_EQ(after.paused_until(now), k_start + milliseconds(2'600));
  EXPECT_NEAR(*after.rate(now), 1, 0.02);
  EXPECT_EQ(after.reserve(now).at, k_start + milliseconds(2'600));
}

TEST(RestartedPacerTest, NoWindowHoldsMoreThanTheRateAcrossManyDeathsAndTheAverageStaysNear) {
  const RateLimit both = limit(50, 3);
  const PacingPromise promise(both);
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const auto state = quiet_state();
    std::mt19937_64 random(seed);
    PacingTraffic traffic(punctual);
    std::list<Pacer> pacers;
    const auto start_one = [&](SteadyTime now) {
      pacers.emplace_back(both, random(), *state);
      pacers.back().take_over(k_boot, now);
      traffic.add(pacers.back(), 2, now);
    };
    start_one(k_start);
    start_one(k_start);
    std::vector<SteadyTime> times;
    for (int death = 0; death < 30; ++death) {
      const auto until_death = static_cast<int>(50 + random() % 100);
      for (const Departure& departure : traffic.next(until_death)) times.push_back(departure.at);
      traffic.kill(pacers.front());
      pacers.pop_front();
      start_one(times.back());
    }
    EXPECT_LE(most_in_window(times, promise.window), promise.departures) << "seed " << seed;
    EXPECT_GE(average_rate(times), 0.95 * 50) << "seed " << seed;
  }
}

// ---- states that are not to be trusted
// -----------------------------------------------------------

/// What an error looks like that must make a Pacer begin anew.
struct Untrusted {
  std::string name;
  std::function<void(PaceState&)> damage;
  std::optional<BootId> boot = k_boot;
};

constexpr SteadyTime k_furthest = k_start + Pacer::k_longest_pause + k_window;

class UntrustedPaceTest : public ::testing::TestWithParam<Untrusted> {};

TEST_P(UntrustedPaceTest, BeginsWithAFullWindowOfWaitingAndNoBurst) {
  const auto state = quiet_state();
  GetParam().damage(*state);
  const std::uint64_t epoch = state->epoch;
  Pacer pacer(limit(5, 3), 1, *state);
  pacer.take_over(GetParam().boot, k_start);

  const SteadyTime open = k_start + k_window;
  EXPECT_NE(state->epoch, epoch) << "slots from before are void";
  EXPECT_TRUE(pacer.depart({k_start, epoch}, k_start));
  EXPECT_FALSE(pacer.paused_until(k_start));
  EXPECT_DOUBLE_EQ(*pacer.rate(k_start), 5);
  PacingTraffic traffic(punctual);
  traffic.add(pacer, 8, k_start);
  const std::vector<SteadyTime> times = times_of(traffic.next(30));
  EXPECT_GE(times.front(), open);
  EXPECT_LE(times.front(), open + milliseconds(202));
  for (std::size_t i = 1; i < times.size(); ++i) {
    EXPECT_GE(times[i] - times[i - 1], milliseconds(201)) << i;
  }
}

void depart_at(PaceState& state, std::int64_t time) {
  for (int i = 0; i < 10; ++i) state.departures[state.departed++] = time;
}

INSTANTIATE_TEST_SUITE_P(
    Damage, UntrustedPaceTest,
    ::testing::Values(
        Untrusted{"new", [](PaceState& s) { std::memset(static_cast<void*>(&s), 0, sizeof s); }},
        Untrusted{"all_bits_set",
                  [](PaceState& s) { std::memset(static_cast<void*>(&s), 0xff, sizeof s); }},
        Untrusted{"of_another_boot", [](PaceState& s) { s.boot.low ^= 1; }},
        Untrusted{"of_an_unknown_boot", [](PaceState&) {}, std::nullopt},
        Untrusted{"of_another_version", [](PaceState& s) { ++s.version; }},
        Untrusted{"of_another_size", [](PaceState& s) { --s.size; }},
        Untrusted{"left_while_it_began_anew", [](PaceState& s) { s.magic = 0; }},
        Untrusted{"begun_too_far_ahead",
                  [](PaceState& s) { s.began = stored(k_furthest + k_tick); }},
        Untrusted{"paused_too_far_ahead",
                  [](PaceState& s) { s.paused_until = stored(k_furthest + k_tick); }},
        Untrusted{"cut_too_far_ahead",
                  [](PaceState& s) { s.cut_at = stored(k_furthest + k_tick); }},
        Untrusted{"departed_too_far_ahead",
                  [](PaceState& s) { depart_at(s, stored(k_furthest + k_tick)); }},
        Untrusted{"departed_before_the_boot", [](PaceState& s) { depart_at(s, -1); }},
        Untrusted{"departed_out_of_order",
                  [](PaceState& s) {
                    depart_at(s, stored(k_start));
                    s.departures[s.departed++] = stored(k_start) - 1;
                  }},
        Untrusted{"without_a_share", [](PaceState& s) { s.share_at_cut = 0; }},
        Untrusted{"with_a_share_above_one", [](PaceState& s) { s.share_at_cut = 1.01; }},
        Untrusted{"with_a_share_that_is_no_number",
                  [](PaceState& s) { s.share_at_cut = std::nan(""); }}),
    [](const auto& instance) { return instance.param.name; });

TEST(PlausiblePaceTest, IsBelievedUpToAPauseAndAWindowAhead) {
  const auto state = quiet_state();
  state->paused_until = stored(k_furthest);
  state->cut_at = stored(k_furthest);
  state->share_at_cut = 0.5;
  state->epoch = 7;
  depart_at(*state, stored(k_furthest));
  Pacer pacer(limit(5, 3), 1, *state);
  pacer.take_over(k_boot, k_start);
  EXPECT_EQ(pacer.paused_until(k_start), k_furthest);
  EXPECT_DOUBLE_EQ(*pacer.rate(k_start), 2.5);
  const Slot slot = pacer.reserve(k_start);
  EXPECT_EQ(slot.epoch, 7U);
  EXPECT_EQ(slot.at, k_furthest);
  EXPECT_EQ(pacer.depart(slot, k_furthest)->at, k_furthest + k_window - Pacer::k_late);
}

TEST(UntrustedStateTest, ALimitWithALongerWindowWaitsForItsOwnOne) {
  const auto state = std::make_unique<PaceState>();
  std::memset(static_cast<void*>(state.get()), 0, sizeof(PaceState));
  Pacer fast(limit(10), 1, *state);
  Pacer slow(limit(0.1), 2, *state);
  fast.take_over(k_boot, k_start);
  slow.take_over(k_boot, k_start + seconds(1));
  const SteadyTime open = k_start + milliseconds(10'080);
  const Slot slot = slow.reserve(k_start + seconds(1));
  EXPECT_EQ(slot.at, open);
  EXPECT_TRUE(slow.depart(slot, open - Pacer::k_late - k_tick));
  EXPECT_FALSE(slow.depart(slot, open - Pacer::k_late));
}

TEST(UntrustedStateTest, APacerAtWorkWaitsTooWhenAnotherOneHasDiedWhileItBeganAnew) {
  const auto state = quiet_state();
  Pacer pacer(limit(1), 1, *state);
  pacer.take_over(k_boot, k_start);
  const Slot slot = pacer.reserve(k_start);
  state->magic = 0;
  state->departed = 0;
  const std::optional<Slot> instead = pacer.depart(slot, k_start);
  ASSERT_TRUE(instead);
  EXPECT_EQ(instead->at, k_start + k_window);
  EXPECT_EQ(state->magic, PaceState::k_magic);
  EXPECT_EQ(state->boot, k_boot);
}

TEST(UntrustedStateTest, WhateverIsInItNothingIsStuckAndNoWindowHoldsMoreThanTheRate) {
  const RateLimit mine = limit(5, 2);
  const PacingPromise promise(mine);
  const auto state = std::make_unique<PaceState>();
  const std::span<std::int64_t> words(&state->began, 8);
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    // A right head, and times which are near, far, or anything.
    *state = PaceState{};
    state->boot = k_boot;
    const auto any_time = [&]() -> std::int64_t {
      const std::uint64_t value = random();
      switch (random() % 4) {
        case 0:
          return stored(k_start) + static_cast<std::int64_t>(value % 200'000'000'000) -
                 100'000'000'000;
        case 1:
          return PaceState::k_never;
        case 2:
          return static_cast<std::int64_t>(value % 1'000);
        default:
          return static_cast<std::int64_t>(value);
      }
    };
    state->began = any_time();
    state->next = any_time();
    state->paused_until = any_time();
    state->cut_at = any_time();
    state->epoch = random();
    state->throttled_in_a_row = any_time();
    state->share_at_cut = static_cast<double>(random() % 200) / 100;
    state->departed = random() % 2 == 0 ? random() % 20 : random();
    for (std::uint64_t back = 1; back < 20; ++back) {
      state->departures[(state->departed - back) % PaceState::k_ring] = any_time();
    }
    Pacer pacer(mine, seed, *state);
    pacer.take_over(k_boot, k_start);
    pacer.throttled(k_start, k_start, milliseconds(0));
    PacingTraffic traffic(punctual);
    traffic.add(pacer, 3, k_start);
    const std::vector<SteadyTime> times = times_of(traffic.next(40));
    EXPECT_LE(most_in_window(times, promise.window), promise.departures);
    const nanoseconds longest = Pacer::k_longest_pause + 2 * k_window +
                                milliseconds(202) * 64 * (Pacer::k_longest_line + 3);
    EXPECT_LE(times.front() - k_start, longest);
  }
}

// ---- killed between two stores
// -------------------------------------------------------------------

/// Copies of a state, one for each moment at which a process may be killed that makes a change.
std::vector<std::unique_ptr<PaceState>> states_on_the_way(
    const PaceState& before, const RateLimit& limit, const std::function<void(Pacer&)>& change) {
  constexpr std::size_t watched = offsetof(PaceState, departures) + 64 * sizeof(std::int64_t);
  const auto contents =
      contents_on_the_way(std::as_bytes(std::span(&before, 1)), watched, [&](void* memory) {
        const auto pacer = std::make_shared<Pacer>(limit, 1, *static_cast<PaceState*>(memory));
        return [&change, pacer] { change(*pacer); };
      });
  std::vector<std::unique_ptr<PaceState>> states;
  for (const std::vector<std::byte>& content : contents) {
    states.push_back(copy_of(before));
    std::memcpy(static_cast<void*>(states.back().get()), content.data(), content.size());
  }
  return states;
}

class KilledPacerTest : public ::testing::Test {
 protected:
  /// Ten senders sleep past their slots, five requests have left just now.
  void SetUp() override {
    Pacer pacer(limit_, 1, *before_);
    pacer.take_over(k_boot, k_start);
    for (int i = 0; i < 5; ++i) {
      const Slot slot = pacer.reserve(k_start);
      ASSERT_FALSE(pacer.depart(slot, slot.at));
      left_.push_back(slot.at);
    }
    now_ = left_.back() + milliseconds(1);
    for (int i = 0; i < 10; ++i) held_.push_back(pacer.reserve(k_start));
  }

  /// When the requests of another process leave that goes on with this state, having slept over the
  /// slots that it holds.
  [[nodiscard]] std::vector<SteadyTime> goes_on_with(const PaceState& state, SteadyTime now) const {
    const auto copy = copy_of(state);
    Pacer pacer(limit_, 3, *copy);
    PacingTraffic traffic(punctual);
    for (const Slot& slot : held_) traffic.add_waking(pacer, slot, now);
    return times_of(traffic.next(40));
  }

  /// Also after another start.
  void expect_no_fuller_window(const PaceState& state, std::vector<SteadyTime> left) const {
    for (const SteadyTime time : goes_on_with(state, now_)) left.push_back(time);
    EXPECT_LE(most_in_window(left, promise_.window), promise_.departures);
  }

  /// Never earlier than both the state before and the state after would have it, but for what one
  /// that is pushed back may make up for in each window.
  void expect_slow(const std::vector<std::unique_ptr<PaceState>>& states, SteadyTime now) const {
    const std::vector<SteadyTime> before = goes_on_with(*states.front(), now);
    const std::vector<SteadyTime> after = goes_on_with(*states.back(), now);
    for (std::size_t state = 0; state < states.size(); ++state) {
      const std::vector<SteadyTime> between = goes_on_with(*states[state], now);
      for (std::size_t i = 0; i < between.size(); ++i) {
        const auto windows = static_cast<std::int64_t>(i / promise_.departures) + 1;
        ASSERT_GE(between[i], std::min(before[i], after[i]) - windows * Pacer::k_late)
            << "killed after store " << state << ", departure " << i;
      }
    }
  }

  RateLimit limit_ = limit(5);
  PacingPromise promise_{limit_};
  std::unique_ptr<PaceState> before_ = quiet_state();
  std::vector<SteadyTime> left_;
  std::vector<Slot> held_;
  SteadyTime now_;
};

TEST_F(KilledPacerTest, WhileARequestDeparts) {
  const SteadyTime now = left_.front() + k_window;
  const auto states = states_on_the_way(*before_, limit_, [&](Pacer& pacer) {
    if (pacer.depart(held_.front(), now)) ::_exit(3);
  });
  ASSERT_EQ(states.size(), 3U) << "the time, the count";
  now_ = now;
  for (std::size_t i = 0; i < states.size(); ++i) {
    SCOPED_TRACE("killed after store " + std::to_string(i));
    std::vector<SteadyTime> left = left_;
    if (i + 1 == states.size()) left.push_back(now);
    expect_no_fuller_window(*states[i], left);
    // A limit of one looks at the latest departure only.
    const auto copy = copy_of(*states[i]);
    Pacer one(limit(1), 3, *copy);
    const SteadyTime open = left.back() + k_window - Pacer::k_late;
    EXPECT_TRUE(one.depart({now, copy->epoch}, open - k_tick));
    EXPECT_FALSE(one.depart({now, copy->epoch}, open));
  }
  expect_slow(states, now);
}

TEST_F(KilledPacerTest, WhileARequestThatWasHeldUpIsCountedAgain) {
  const SteadyTime late = now_ + milliseconds(30);
  const auto states =
      states_on_the_way(*before_, limit_, [&](Pacer& pacer) { pacer.left_late(left_[1], late); });
  ASSERT_EQ(states.size(), 5U) << "three move up, one is later";
  for (std::size_t i = 0; i < states.size(); ++i) {
    SCOPED_TRACE("killed after store " + std::to_string(i));
    std::vector<SteadyTime> left = left_;
    if (i + 1 == states.size()) left[1] = late;
    expect_no_fuller_window(*states[i], left);
  }
  now_ = late;
  expect_slow(states, now_);
}

TEST_F(KilledPacerTest, WhileASlotIsReserved) {
  const auto states = states_on_the_way(
      *before_, limit_, [&](Pacer& pacer) { static_cast<void>(pacer.reserve(now_)); });
  ASSERT_EQ(states.size(), 2U);
  for (const auto& state : states) expect_no_fuller_window(*state, left_);
  expect_slow(states, now_);
}

TEST_F(KilledPacerTest, WhileItIsThrottled) {
  for (const milliseconds retry_after : {milliseconds(0), milliseconds(3'000)}) {
    SCOPED_TRACE(retry_after.count());
    const auto states = states_on_the_way(
        *before_, limit_, [&](Pacer& pacer) { pacer.throttled(now_, now_, retry_after); });
    ASSERT_EQ(states.size(), 7U);
    for (const auto& state : states) expect_no_fuller_window(*state, left_);
    expect_slow(states, now_);
  }
}

TEST_F(KilledPacerTest, WhileItIsThrottledOnTheWayBackFromAnEarlierStorm) {
  Pacer earlier(limit_, 1, *before_);
  for (int i = 0; i < 3; ++i) {
    now_ += k_tick;
    earlier.throttled(now_, now_, milliseconds(0));
  }
  const SteadyTime now = now_ + seconds(8);
  const auto states = states_on_the_way(
      *before_, limit_, [&](Pacer& pacer) { pacer.throttled(now, now, milliseconds(0)); });
  ASSERT_GE(states.size(), 6U);
  expect_slow(states, now);
}

TEST_F(KilledPacerTest, WhileItBeginsAnew) {
  // The times of another boot may look like times of this one.
  before_->boot.high ^= 1;
  before_->departed = 0;
  before_->next = PaceState::k_never;
  const auto states =
      states_on_the_way(*before_, limit_, [&](Pacer& pacer) { pacer.take_over(k_boot, now_); });
  ASSERT_GE(states.size(), 5U);
  for (std::size_t i = 0; i < states.size(); ++i) {
    SCOPED_TRACE("killed after store " + std::to_string(i));
    Pacer next(limit_, 2, *states[i]);
    const SteadyTime later = now_ + milliseconds(1);
    next.take_over(k_boot, later);
    PacingTraffic traffic(punctual);
    traffic.add(next, 5, later);
    EXPECT_GE(traffic.next().at, now_ + k_window);
  }
}

}  // namespace
}  // namespace diskrelease
