#include "run/departure_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "support/pacing_traffic.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr SteadyTime k_start{std::chrono::hours(1)};
constexpr nanoseconds k_window{1'008'000'000};

RateLimit limit(double per_second, int burst = 1) {
  return {.per_second = per_second, .burst = burst};
}

class DepartureGateTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<SharedRegion> region() const {
    return SharedRegion::open(file_, DepartureGate::k_region_size);
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = limiter_file(directory_.path(), "id", "console.zenlayer.com");
};

TEST_F(DepartureGateTest, NamesTheFileByADigestOfCredentialAndEndpoint) {
  // printf 'id\0console.zenlayer.com' | sha256sum
  EXPECT_EQ(file_, directory_ / "limiter-b3fc1a47c09170d501f259e868bae2b2.state");
  EXPECT_NE(limiter_file("/s", "a", "bc"), limiter_file("/s", "ab", "c"));
}

TEST_F(DepartureGateTest, AloneTheFirstRequestLeavesAtOnceAndDeparturesCount) {
  DepartureGate gate(limit(2), 1, nullptr, k_start);
  const Slot first = gate.reserve(k_start);
  EXPECT_EQ(first.at, k_start);
  EXPECT_FALSE(gate.depart(first, k_start));
  const Slot second = gate.reserve(k_start);
  EXPECT_EQ(second.at, k_start + milliseconds(504));
  EXPECT_FALSE(gate.depart(second, second.at));
  EXPECT_TRUE(gate.depart(gate.reserve(second.at), second.at));
  EXPECT_EQ(gate.departures(), 2) << "who is told to wait has not left";
  EXPECT_EQ(gate.refusals(), 0);
}

TEST_F(DepartureGateTest, ThrottlingPausesAndHalvesAndCounts) {
  DepartureGate gate(limit(2), 1, nullptr, k_start);
  EXPECT_FALSE(gate.paused_until(k_start));
  gate.throttled(k_start, k_start, seconds(3));
  EXPECT_EQ(gate.refusals(), 1);
  EXPECT_EQ(gate.paused_until(k_start), k_start + seconds(3));
  EXPECT_DOUBLE_EQ(*gate.rate(k_start), 1);
}

TEST_F(DepartureGateTest, ANewSharedPaceBeginsWithAFullWindowOfWaiting) {
  DepartureGate gate(limit(2), 1, region(), k_start);
  const Slot slot = gate.reserve(k_start);
  EXPECT_EQ(slot.at, k_start + k_window);
  EXPECT_TRUE(gate.depart(slot, k_start + k_window - Pacer::k_late - nanoseconds(1)));
  EXPECT_FALSE(gate.depart(slot, k_start + k_window - Pacer::k_late));
}

TEST_F(DepartureGateTest, GatesOnOneFileKeepOnePace) {
  DepartureGate first(limit(2), 1, region(), k_start);
  const SteadyTime later = k_start + seconds(10);
  DepartureGate second(limit(2), 2, region(), later);
  const Slot slot = first.reserve(later);
  EXPECT_EQ(slot.at, later) << "the window of waiting is over";
  EXPECT_EQ(second.reserve(later).at, later + milliseconds(504));
  second.throttled(later, later, seconds(3));
  EXPECT_EQ(first.paused_until(later), later + seconds(3));
  EXPECT_DOUBLE_EQ(*first.rate(later), 1);
  EXPECT_EQ(first.depart(slot, later)->at, later + seconds(3));
  EXPECT_EQ(first.refusals(), 0);
}

TEST_F(DepartureGateTest, AGateOnTheFileOfADeadOneGoesOnWithItsPace) {
  const SteadyTime later = k_start + seconds(10);
  {
    DepartureGate gate(limit(1), 1, region(), k_start);
    EXPECT_FALSE(gate.depart(gate.reserve(later), later));
  }
  DepartureGate gate(limit(1), 1, region(), later);
  EXPECT_EQ(gate.reserve(later).at, later + k_window);
}

TEST_F(DepartureGateTest, AnUnlimitedRateNeitherTouchesNorLocksTheFile) {
  DepartureGate gate({.per_second = std::nullopt}, 1, region(), k_start);
  const auto other = region();
  const std::lock_guard lock(*other);  // a gate that locked it would wait for ever
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(gate.depart(gate.reserve(k_start), k_start));
  gate.throttled(k_start, k_start, seconds(3));
  EXPECT_EQ(gate.paused_until(k_start), k_start + seconds(3));
  EXPECT_FALSE(gate.rate(k_start));
  EXPECT_EQ(gate.departures(), 10);
  const auto* const bytes = static_cast<const char*>(other->data());
  EXPECT_TRUE(std::all_of(bytes, bytes + other->size(), [](char byte) { return byte == 0; }));
}

TEST_F(DepartureGateTest, ThreadsOfTwoGatesTogetherKeepTheRate) {
  const RateLimit both = limit(100);
  DepartureGate first(both, 1, region(), k_start);
  DepartureGate second(both, 2, region(), k_start);
  std::mutex mutex;
  std::vector<SteadyTime> departures;
  std::vector<std::thread> threads;
  for (DepartureGate* gate : {&first, &second, &first, &second}) {
    threads.emplace_back([&, gate] {
      SteadyTime now = k_start;
      for (int sent = 0; sent < 250; ++sent) {
        Slot slot = gate->reserve(now);
        while (true) {
          now = std::max(now, slot.at);
          const std::optional<Slot> later = gate->depart(slot, now);
          if (!later) break;
          slot = *later;
        }
        const std::lock_guard lock(mutex);
        departures.push_back(now);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(first.departures() + second.departures(), 1'000);
  EXPECT_LE(most_in_window(departures, seconds(1)), 100U);
  EXPECT_GE(average_rate(departures), 98);
}

TEST_F(DepartureGateTest, ARequestThatWasHeldUpOnItsWayOutCountsFromWhenItLeft) {
  for (const auto& [held_up, counts_from] :
       {std::pair(nanoseconds(milliseconds(1)), nanoseconds(0)),
        {milliseconds(2), milliseconds(2) - Pacer::k_late}}) {
    DepartureGate gate(limit(1), 1, nullptr, k_start);
    ASSERT_FALSE(gate.depart(gate.reserve(k_start), k_start));
    gate.left(k_start, k_start + held_up);
    const std::optional<Slot> next =
        gate.depart(gate.reserve(k_start), k_start + milliseconds(500));
    ASSERT_TRUE(next);
    EXPECT_EQ(next->at, k_start + k_window + counts_from);
  }
}

TEST_F(DepartureGateTest, NothingLeavesOnceTheRunStops) {
  DepartureGate gate(limit(2), 1, nullptr, k_start);
  const Slot slot = gate.reserve(k_start);
  gate.stop({EndReason::failed, "audit_failed", ""});
  const std::optional<Slot> instead = gate.depart(slot, slot.at);
  ASSERT_TRUE(instead);
  EXPECT_EQ(instead->at, slot.at);
  EXPECT_EQ(gate.departures(), 0);
}

TEST_F(DepartureGateTest, TheFirstStopCounts) {
  DepartureGate gate(limit(2), 1, nullptr, k_start);
  EXPECT_FALSE(gate.stopping());
  EXPECT_FALSE(gate.stop_reason());
  gate.stop({EndReason::interrupted, "signal", "SIGINT"});
  gate.stop({EndReason::stopped, "circuit_breaker", ""});
  EXPECT_TRUE(gate.stopping());
  ASSERT_TRUE(gate.stop_reason());
  EXPECT_EQ(gate.stop_reason()->reason, EndReason::interrupted);
  EXPECT_EQ(gate.stop_reason()->cause, "signal");
  EXPECT_EQ(gate.stop_reason()->detail, "SIGINT");
}

TEST_F(DepartureGateTest, AStopDoesNotWaitForAnotherProcessThatHoldsThePace) {
  DepartureGate gate(limit(2), 1, region(), k_start);
  const auto other = region();
  const std::lock_guard lock(*other);
  gate.stop({});
  EXPECT_TRUE(gate.stopping());
}

}  // namespace
}  // namespace diskrelease
