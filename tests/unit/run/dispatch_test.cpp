#include "run/dispatch.h"

#include <gtest/gtest.h>

#include "audit/audit_file.h"
#include "support/enrolled_run.h"
#include "support/fake_clock.h"
#include "support/run_rig.h"
#include "support/scripted_transport.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using std::chrono::nanoseconds;

/// One pending disk, handed from one to the other without threads.
class DispatchTest : public ::testing::Test {
 protected:
  DispatchTest() {
    create_audit_database(file_);
    {
      Database database = open_audit_for_writing(file_);
      run_ = enrol(database, {"a"});
    }
    rig_.emplace(file_, run_, JobSpec{}, transport_, clock_);
    rig_->dispatch.open(PendingFeed(open_audit_for_reading(file_), run_));
  }

  /// The only item, as the scout gets it.
  WorkItem scouted(SteadyTime now) {
    return std::get<std::vector<WorkItem>>(rig_->dispatch.next_batch(now)).at(0);
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  FakeClock clock_;
  ScriptedTransport transport_;
  RunRecord run_;
  std::optional<RunRig> rig_;
  const SteadyTime now_ = clock_.steady_now();
};

TEST_F(DispatchTest, SendsNoReadyDiskWhoseSightingIsOldButLooksAgain) {
  Dispatch& dispatch = rig_->dispatch;
  dispatch.ready(scouted(now_), Stage::release, now_);
  const SteadyTime too_late = now_ + Dispatch::k_observation_valid + nanoseconds(1);
  EXPECT_TRUE(std::holds_alternative<AwaitWork>(dispatch.next(too_late)));

  WorkItem again = scouted(too_late);
  EXPECT_EQ(again.pending.disk, disk_id("a"));
  dispatch.ready(std::move(again), Stage::release, too_late);
  const Dispatch::Next next = dispatch.next(too_late + Dispatch::k_observation_valid);
  ASSERT_TRUE(std::holds_alternative<WorkItem>(next)) << "what is just valid was not sent";
  EXPECT_EQ(std::get<WorkItem>(next).observed, too_late);
}

TEST_F(DispatchTest, ScoutsNothingMoreOnceTheRunIsStopping) {
  rig_->dispatch.stop({EndReason::interrupted, "signal", ""});
  EXPECT_TRUE(std::holds_alternative<Finished>(rig_->dispatch.next_batch(now_)));
  EXPECT_TRUE(std::holds_alternative<Finished>(rig_->dispatch.next(now_)));
}

}  // namespace
}  // namespace diskrelease
