#include "run/dispatch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "record/audit_file.h"
#include "support/enrolled_run.h"
#include "support/fake_clock.h"
#include "support/run_rig.h"
#include "support/scripted_transport.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using std::chrono::nanoseconds;

/// Items handed from one to the other without threads.
class DispatchTest : public ::testing::Test {
 protected:
  void begin(const std::vector<std::string>& disks, const JobSpec& spec = {}) {
    create_audit_database(file_);
    {
      Database database = open_audit_for_writing(file_);
      run_ = enrol(database, disks);
    }
    rig_.emplace(file_, run_, spec, transport_, clock_);
    rig_->dispatch.open(PendingFeed(open_audit_for_reading(file_), run_));
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  FakeClock clock_;
  ScriptedTransport transport_;
  RunRecord run_;
  std::optional<RunRig> rig_;
  const SteadyTime now_ = clock_.steady_now();
};

/// One pending disk.
class OneItemDispatchTest : public DispatchTest {
 protected:
  OneItemDispatchTest() { begin({"a"}); }

  /// The only item, as the scout gets it.
  WorkItem scouted(SteadyTime now) {
    return std::get<LookBatch>(rig_->dispatch.next_batch(now, clock_.utc_now())).items.at(0);
  }
};

TEST_F(OneItemDispatchTest, SendsNoReadyDiskWhoseSightingIsOldButLooksAgain) {
  Dispatch& dispatch = rig_->dispatch;
  dispatch.ready(scouted(now_), Stage::release, {now_, now_});
  const SteadyTime too_late = now_ + dispatch.look_valid_for() + nanoseconds(1);
  EXPECT_TRUE(std::holds_alternative<AwaitWork>(dispatch.next(too_late)));

  WorkItem again = scouted(too_late);
  EXPECT_EQ(again.pending.disk, disk_id("a"));
  dispatch.ready(std::move(again), Stage::release, {too_late, too_late});
  const Dispatch::Next next = dispatch.next(too_late + dispatch.look_valid_for());
  ASSERT_TRUE(std::holds_alternative<WorkItem>(next)) << "what is just valid was not sent";
  EXPECT_EQ(std::get<WorkItem>(next).seen_fit->sent, too_late);
}

/// Many pending disks, and several scouts.
class WideDispatchTest : public DispatchTest {
 protected:
  void begin(int disks, double per_second, int in_flight) {
    std::vector<std::string> names;
    for (int i = 0; i < disks; ++i) names.push_back("disk-" + std::to_string(i));
    JobSpec spec;
    spec.rate.per_second = per_second;
    spec.in_flight = in_flight;
    DispatchTest::begin(names, spec);
  }

  /// The size of the next batch, which stays with its scout; 0 = it has to wait.
  std::size_t take_batch() {
    Dispatch::NextBatch next = rig_->dispatch.next_batch(now_, clock_.utc_now());
    auto* batch = std::get_if<LookBatch>(&next);
    if (batch == nullptr) return 0;
    batches_.push_back(std::move(batch->items));
    return batches_.back().size();
  }
  void see_batch() {
    for (WorkItem& item : batches_.back()) {
      rig_->dispatch.ready(std::move(item), Stage::release, {now_, now_});
    }
    batches_.pop_back();
  }
  /// The beginning, with its small looks, is over, and a look takes so long.
  void settle(std::chrono::nanoseconds way) {
    rig_->dispatch.seen_in_place();
    rig_->dispatch.looked(now_ - way, now_);
  }

  std::vector<std::vector<WorkItem>> batches_;
};

TEST_F(WideDispatchTest, ScoutsLookAtSeveralBatchesSideBySideAtAHighRate) {
  begin(3'000, 1'000, 1'000);
  settle(std::chrono::milliseconds(500));
  for (int scout = 0; scout < 6; ++scout) EXPECT_EQ(take_batch(), 90u) << scout;
  EXPECT_EQ(take_batch(), 0u) << "more than is sent while they are under way";
}

TEST_F(WideDispatchTest, ScoutsLookAgainWhenWhatTheyBroughtIsNearlyUsedUp) {
  begin(100, 5, 4);
  settle(std::chrono::milliseconds(400));
  EXPECT_EQ(take_batch(), 10u);
  EXPECT_EQ(take_batch(), 0u);
  see_batch();
  EXPECT_EQ(take_batch(), 0u);
  std::vector<WorkItem> sent;
  const auto send = [&] {
    sent.push_back(std::get<WorkItem>(rig_->dispatch.next(now_)));
    rig_->dispatch.departed(sent.back());
  };
  for (int i = 0; i < 7; ++i) send();
  EXPECT_EQ(take_batch(), 0u);
  const std::uint64_t seen = rig_->dispatch.version();
  send();
  EXPECT_NE(rig_->dispatch.version(), seen) << "nobody has called the scout";
  EXPECT_EQ(take_batch(), 10u);
}

/// As many items are with senders as may be, and one more sender waits.
class FullDispatchTest : public WideDispatchTest {
 protected:
  FullDispatchTest() {
    begin(100, 2, 100);
    settle(std::chrono::milliseconds(0));
    EXPECT_EQ(take_batch(), 10u);
    see_batch();
    first_ = std::get<WorkItem>(rig_->dispatch.next(now_));
    static_cast<void>(rig_->dispatch.next(now_));
    waits_since_ = std::get<AwaitWork>(rig_->dispatch.next(now_)).seen;
  }
  void expect_room() {
    EXPECT_NE(rig_->dispatch.version(), waits_since_) << "nobody is woken";
    EXPECT_TRUE(std::holds_alternative<WorkItem>(rig_->dispatch.next(now_)));
  }

  std::optional<WorkItem> first_;
  std::uint64_t waits_since_ = 0;
};

TEST_F(FullDispatchTest, AnItemThatDepartsMakesRoomForAnother) {
  rig_->dispatch.departed(*first_);
  expect_room();
}

TEST_F(FullDispatchTest, AnItemThatEndsUnsentMakesRoomForAnother) {
  Classification unsent;
  unsent.outcome = Outcome::not_sent;
  static_cast<void>(rig_->dispatch.ended(*std::move(first_), unsent, now_));
  expect_room();
}

/// At no further call.
TEST_F(WideDispatchTest, ALookTakesAcceptedDisksWithItWhereThereIsRoom) {
  begin(100, 2, 4);
  ASSERT_EQ(take_batch(), 1u);
  see_batch();
  WorkItem item = std::get<WorkItem>(rig_->dispatch.next(now_));
  const ItemId released = item.pending.item;
  Classification accepted;
  accepted.outcome = Outcome::accepted;
  const UtcTime utc = clock_.utc_now();
  static_cast<void>(
      rig_->dispatch.ended(std::move(item), accepted, now_, Dispatch::Sent{utc, utc}));
  const Dispatch::NextBatch next = rig_->dispatch.next_batch(now_, utc);
  ASSERT_TRUE(std::holds_alternative<LookBatch>(next));
  const LookBatch& batch = std::get<LookBatch>(next);
  EXPECT_EQ(batch.items.size(), 2u);
  ASSERT_EQ(batch.accepted.size(), 1u);
  EXPECT_EQ(batch.accepted[0].item, released);
}

TEST_F(WideDispatchTest, AnItemThatIsDoneWakesNobodyWhoCouldDoNothing) {
  begin(3, 1'000, 4);
  settle(std::chrono::milliseconds(0));
  ASSERT_EQ(take_batch(), 3u);
  see_batch();
  std::vector<WorkItem> items;
  for (int i = 0; i < 3; ++i) {
    items.push_back(std::get<WorkItem>(rig_->dispatch.next(now_)));
  }
  ASSERT_TRUE(std::holds_alternative<AwaitWork>(rig_->dispatch.next(now_)));
  const std::uint64_t seen = rig_->dispatch.version();
  Classification accepted;
  accepted.outcome = Outcome::accepted;
  static_cast<void>(rig_->dispatch.ended(std::move(items[0]), accepted, now_));
  EXPECT_EQ(rig_->dispatch.version(), seen);

  Classification throttled;
  throttled.outcome = Outcome::throttled;
  static_cast<void>(rig_->dispatch.ended(std::move(items[1]), throttled, now_));
  const std::uint64_t retry = rig_->dispatch.version();
  EXPECT_NE(retry, seen) << "it is to be sent again";
  WorkItem again = std::get<WorkItem>(rig_->dispatch.next(now_));
  static_cast<void>(rig_->dispatch.ended(std::move(again), accepted, now_));
  EXPECT_EQ(rig_->dispatch.version(), retry);
  static_cast<void>(rig_->dispatch.ended(std::move(items[2]), accepted, now_));
  EXPECT_NE(rig_->dispatch.version(), retry) << "it was the last one";
  EXPECT_TRUE(std::holds_alternative<Finished>(rig_->dispatch.next(now_)));
  EXPECT_EQ(take_batch(), 0u);
}

/// So that two databases over one list do not call the same disks at the same time.
TEST_F(WideDispatchTest, APageIsWorkedOnInAnOrderOfTheRunsOwn) {
  std::vector<std::string> listed;
  for (int i = 0; i < 90; ++i) listed.push_back("disk-" + std::to_string(i));
  begin(90, 1'000, 4);
  const auto order_of = [&](std::uint64_t seed) {
    Dispatch dispatch(rig_->gate, rig_->job, {}, seed);
    dispatch.open(PendingFeed(open_audit_for_reading(file_), run_));
    dispatch.seen_in_place();
    std::vector<std::string> order;
    const Dispatch::NextBatch next = dispatch.next_batch(now_, clock_.utc_now());
    for (const WorkItem& item : std::get<LookBatch>(next).items) {
      order.push_back(item.pending.disk.text());
    }
    return order;
  };
  const std::vector<std::string> one = order_of(1);
  EXPECT_NE(one, listed);
  EXPECT_NE(one, order_of(2));
  EXPECT_EQ(one, order_of(1)) << "a run is repeated exactly";
  EXPECT_THAT(one, testing::UnorderedElementsAreArray(listed));
}

/// Claims of a page keep other databases away from its disks.
TEST_F(WideDispatchTest, AtLowRatesAPageHoldsWhatIsSentInAnHour) {
  begin(1, 1, 1);
  for (const auto& [rate, expected] : {std::pair(0.002, 7), {0.1, 360}, {2.0, 500}}) {
    JobSpec spec;
    spec.rate.per_second = rate;
    Dispatch dispatch(rig_->gate, spec, {}, 1);
    std::int64_t asked = 0;
    dispatch.open([&](std::int64_t limit) {
      asked = limit;
      return ItemPage{{}, 0, true};
    });
    static_cast<void>(dispatch.next_batch(now_, clock_.utc_now()));
    EXPECT_EQ(asked, expected) << rate;
  }
}

/// A list of whole pages ends with one that is empty, which nobody else sees.
TEST_F(WideDispatchTest, TheEndOfTheListWakesSendersWhoWaitForWork) {
  begin(500, 50, 4);
  settle(std::chrono::milliseconds(0));
  while (take_batch() > 0) {
    for (std::size_t i = batches_.back().size(); i > 0; --i) {
      if (batches_.size() == 10 && i == 1) break;  // the last one of the list
      rig_->dispatch.settled_unsent(ItemState::already_gone);
    }
    if (batches_.size() == 10) break;
  }
  rig_->dispatch.settled_unsent(ItemState::already_gone);
  const Dispatch::Next waiting = rig_->dispatch.next(now_);
  ASSERT_TRUE(std::holds_alternative<AwaitWork>(waiting));
  EXPECT_EQ(take_batch(), 0u);
  EXPECT_NE(rig_->dispatch.version(), std::get<AwaitWork>(waiting).seen);
  EXPECT_TRUE(std::holds_alternative<Finished>(rig_->dispatch.next(now_)));
}

TEST_F(WideDispatchTest, AnItemThatHasGrownOldIsExchangedForOneThatIsFresh) {
  begin(2, 1'000, 4);
  settle(std::chrono::milliseconds(0));
  ASSERT_EQ(take_batch(), 2u);
  Dispatch& dispatch = rig_->dispatch;
  const SteadyTime later = now_ + dispatch.look_valid_for();
  const DiskId second = batches_.back()[1].pending.disk;
  dispatch.ready(std::move(batches_.back()[0]), Stage::release, {now_, now_});
  dispatch.ready(std::move(batches_.back()[1]), Stage::release, {later, later});
  WorkItem old = std::get<WorkItem>(dispatch.next(now_));
  EXPECT_TRUE(dispatch.is_fresh(old, later));
  const SteadyTime too_late = later + nanoseconds(1);
  EXPECT_FALSE(dispatch.is_fresh(old, too_late));
  std::optional<WorkItem> fresh = dispatch.exchange_stale(std::move(old), too_late, too_late);
  ASSERT_TRUE(fresh);
  EXPECT_EQ(fresh->pending.disk, second);
  EXPECT_EQ(dispatch.progress(too_late).in_flight, 1);
  // Both old ones are to be looked at again, and nobody has them.
  EXPECT_FALSE(
      dispatch.exchange_stale(*std::move(fresh), too_late + dispatch.look_valid_for(), too_late));
  EXPECT_EQ(dispatch.progress(too_late).in_flight, 0);
  const SteadyTime then = too_late + dispatch.look_valid_for();
  std::size_t looked_at = 0;
  for (int look = 0; look < 2; ++look) {
    const Dispatch::NextBatch again = dispatch.next_batch(then, clock_.utc_now());
    if (const auto* batch = std::get_if<LookBatch>(&again)) looked_at += batch->items.size();
  }
  EXPECT_EQ(looked_at, 2u);
}

TEST_F(WideDispatchTest, WhoTakesAnothersSlotMustBeFreshInIt) {
  begin(2, 1'000, 4);
  settle(std::chrono::milliseconds(0));
  ASSERT_EQ(take_batch(), 2u);
  Dispatch& dispatch = rig_->dispatch;
  for (WorkItem& item : batches_.back()) {
    dispatch.ready(std::move(item), Stage::release, {now_, now_});
  }
  const SteadyTime departure = now_ + dispatch.look_valid_for() + nanoseconds(1);
  WorkItem first = std::get<WorkItem>(dispatch.next(now_));
  EXPECT_FALSE(dispatch.exchange_stale(std::move(first), departure, now_));
}

/// As after many refusals: else no look would ever be young enough.
TEST_F(WideDispatchTest, WhileTheRateIsCutWhatWasSeenHoldsForThreeRequestsToo) {
  begin(1, 10, 1);
  ASSERT_EQ(take_batch(), 1u);
  rig_->dispatch.ready(std::move(batches_.back()[0]), Stage::release, {now_, now_});
  WorkItem item = std::get<WorkItem>(rig_->dispatch.next(now_));
  const SteadyTime later = now_ + std::chrono::seconds(2) + nanoseconds(1);
  EXPECT_FALSE(rig_->dispatch.is_fresh(item, later));
  SteadyTime cut = now_;
  for (int i = 0; i < 8; ++i) {
    rig_->gate.throttled(cut, cut, std::chrono::milliseconds(0));
    cut += std::chrono::milliseconds(1);
  }
  EXPECT_TRUE(rig_->dispatch.is_fresh(item, later));
}

TEST_F(WideDispatchTest, AtVeryLowRatesWhatWasSeenHoldsForThreeRequests) {
  begin(1, 0.001, 1);
  ASSERT_EQ(take_batch(), 1u);
  rig_->dispatch.ready(std::move(batches_.back()[0]), Stage::release, {now_, now_});
  WorkItem item = std::get<WorkItem>(rig_->dispatch.next(now_));
  EXPECT_TRUE(rig_->dispatch.is_fresh(item, now_ + std::chrono::seconds(3'000)));
  EXPECT_FALSE(rig_->dispatch.is_fresh(item, now_ + std::chrono::seconds(3'001)));
}

TEST_F(OneItemDispatchTest, ScoutsNothingMoreOnceTheRunIsStopping) {
  rig_->dispatch.stop({EndReason::interrupted, "signal", ""});
  EXPECT_TRUE(std::holds_alternative<Finished>(rig_->dispatch.next_batch(now_, {})));
  EXPECT_TRUE(std::holds_alternative<Finished>(rig_->dispatch.next(now_)));
}

}  // namespace
}  // namespace diskrelease
