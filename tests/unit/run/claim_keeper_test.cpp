#include "run/claim_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "coordination/audited_claims.h"
#include "coordination/sqlite_claims.h"
#include "support/account_transport.h"
#include "support/enrolled_run.h"
#include "support/fake_clock.h"
#include "support/fake_drive.h"
#include "support/record_check.h"
#include "support/run_rig.h"
#include "support/scripted_transport.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr std::string_view k_account = "127.0.0.1:1";

JobSpec job(Goal goal = Goal::release, bool include_recycled = false) {
  JobSpec spec;
  spec.goal = goal;
  spec.include_recycled = include_recycled;
  spec.rate.per_second = 10;
  spec.in_flight = 2;
  spec.settle.window = seconds(9);
  spec.settle.poll = seconds(3);
  return spec;
}

std::map<std::string, DiskStatus> all_of(const std::vector<std::string>& disks, DiskStatus status) {
  std::map<std::string, DiskStatus> all;
  for (const std::string& disk : disks) all[disk] = status;
  return all;
}

/// A run in this database, and claims of others in the same store.
class ClaimKeeperTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<SqliteClaims> session(const std::string& id) const {
    return std::make_unique<SqliteClaims>(
        ClaimsPlace{directory_ / "claims", false}, std::string(k_account),
        ClaimHolder{id, "/data/" + id + ".db", RunId{3}, "joe", "db1", 4711, k_test_time});
  }

  void enrol_disks(const std::vector<std::string>& disks, Goal goal = Goal::release) {
    create_audit_database(file_);
    Database database = open_audit_for_writing(file_);
    RunDescription description = test_description();
    description.goal = goal;
    run_ = enrol(database, disks, description);
  }

  /// One invocation, up to the end of its session.
  std::optional<RunStop> course(AccountTransport& account, const JobSpec& spec = job()) {
    const auto claims = session("mine");
    return course(account, spec, *claims);
  }
  std::optional<RunStop> course(AccountTransport& account, const JobSpec& spec, Claims& claims) {
    ClaimKeeper keeper(claims, clock_, spec.include_recycled);
    RunRig rig(file_, run_, spec, account, clock_);
    rig.parts.claims = &keeper;
    EXPECT_EQ(
        rig.course(CourseKind::send_and_reconcile, drive_with_fake_clock(clock_, rig.dispatch)),
        "");
    EXPECT_EQ(rig.dispatch.progress(clock_.steady_now()).counts.by_state, counts().by_state);
    Database database = rig.log.close();
    try {
      follow_audit(claims, database, clock_.utc_now());
    } catch (const ClaimsUnusable&) {
      EXPECT_EQ(rig.gate.stop_reason().value_or(RunStop{}).cause, "claims_unusable");
    }
    EXPECT_THAT(record_problems_in(file_), IsEmpty());
    return rig.gate.stop_reason();
  }

  StateCounts counts() {
    Database reader = open_audit_for_reading(file_);
    return count_states(reader, run_);
  }

  /// "disk stage state" of this database's claims that are there.
  [[nodiscard]] std::vector<std::string> claims_of(const std::string& id) const {
    Database reader(directory_ / "claims" / "claims.db", Database::Access::read_only);
    Statement select = reader.prepare(
        "SELECT disk_id || ' ' || stage || ' ' || state FROM claim JOIN session USING (session_id)"
        " WHERE database_id = ?1 ORDER BY 1");
    select.bind(1, id);
    std::vector<std::string> found;
    while (select.step()) found.emplace_back(select.text(0));
    return found;
  }

  [[nodiscard]] std::vector<std::string> skips() const {
    Database reader = open_audit_for_reading(file_);
    Statement select = reader.prepare(
        "SELECT disk_id || ' ' || reason FROM decision JOIN item USING (item_id)"
        " WHERE kind = 'skip' ORDER BY item_id");
    std::vector<std::string> found;
    while (select.step()) found.emplace_back(select.text(0));
    return found;
  }

  static void hold(Claims& claims, const std::string& disk,
                   std::optional<ClaimState> state = std::nullopt, Stage stage = Stage::release) {
    const ClaimKey key{disk_id(disk), stage};
    ASSERT_FALSE(claims.claim_page(std::vector{key}, k_test_time).at(0));
    if (state) claims.change(std::vector<ClaimChange>{{key, state}}, k_test_time);
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  RunRecord run_;
  FakeClock clock_;
};

TEST_F(ClaimKeeperTest, HasADurableClaimForTheDiskAtTheMomentOfEverySending) {
  const std::vector<std::string> disks = numbered_disks(20);
  enrol_disks(disks);
  AccountTransport account(all_of(disks, DiskStatus::available));
  int looked = 0;
  account.on_release = [&](const std::string& disk) {
    EXPECT_THAT(claims_of("mine"), ::testing::Contains(disk + " 1 held"));
    ++looked;
    return std::nullopt;
  };
  EXPECT_FALSE(course(account));
  EXPECT_EQ(looked, 20);
  EXPECT_EQ(counts()[ItemState::released], 20);
  EXPECT_THAT(claims_of("mine"), AllOf(SizeIs(20), ::testing::Each(HasSubstr(" 1 accepted"))));
}

TEST_F(ClaimKeeperTest, WhatAnotherDatabaseHoldsOrHasDoneIsSkippedUnseen) {
  enrol_disks({"a", "b", "c", "d", "e"});
  AccountTransport account(all_of({"a", "b", "c", "d", "e"}, DiskStatus::available));
  const auto other = session("other");
  {
    const auto dead = session("dead");
    hold(*dead, "a");
  }
  hold(*other, "b");
  hold(*other, "c", ClaimState::accepted);
  hold(*other, "d", ClaimState::unknown);
  EXPECT_FALSE(course(account));
  EXPECT_THAT(account.releases(), ElementsAre("e"));
  EXPECT_THAT(skips(), ElementsAre("a unsettled_elsewhere", "b claimed_elsewhere",
                                   "c claimed_elsewhere", "d unsettled_elsewhere"));
  EXPECT_THAT(claims_of("mine"), ElementsAre("e 1 accepted"));
}

TEST_F(ClaimKeeperTest, WholePagesThatOthersHoldAreSkippedWithoutACall) {
  const std::vector<std::string> disks = numbered_disks(1'203);
  enrol_disks(disks);
  AccountTransport account(all_of(disks, DiskStatus::available));
  const auto other = session("other");
  std::vector<ClaimKey> keys;
  for (const std::string& disk : disks) keys.push_back({disk_id(disk)});
  static_cast<void>(other->claim_page(keys, k_test_time));
  EXPECT_FALSE(course(account));
  EXPECT_EQ(account.reads(), 0);
  EXPECT_EQ(counts()[ItemState::skipped], 1'203);
}

TEST_F(ClaimKeeperTest, WhatIsDeclinedRejectedOrLeftPendingIsFreeAfterTheRun) {
  enrol_disks({"attached", "refused", "fine"});
  AccountTransport account({{"attached", DiskStatus::in_use},
                            {"refused", DiskStatus::available},
                            {"fine", DiskStatus::available}});
  account.on_release = [](const std::string& disk) -> std::optional<Reply> {
    if (disk != "refused") return std::nullopt;
    return error_reply(400, "INVALID_DISK_NOT_PORTABLE");
  };
  EXPECT_FALSE(course(account));
  EXPECT_EQ(counts()[ItemState::rejected], 2);
  EXPECT_THAT(claims_of("mine"), ElementsAre("fine 1 accepted"));
}

TEST_F(ClaimKeeperTest, ARunThatStopsGivesBackWhatIsPending) {
  const std::vector<std::string> disks = numbered_disks(5);
  enrol_disks(disks);
  AccountTransport account(all_of(disks, DiskStatus::available));
  account.on_release = [](const std::string&) -> std::optional<Reply> {
    return error_reply(401, "AUTHFAILURE_SIGNATURE_FAILURE");
  };
  const auto stop = course(account);
  ASSERT_TRUE(stop);
  EXPECT_EQ(counts()[ItemState::pending], 5);
  EXPECT_THAT(claims_of("mine"), IsEmpty());
}

TEST_F(ClaimKeeperTest, TheSecondStageIsClaimedWhenItIsDue) {
  enrol_disks({"a", "b"}, Goal::purge);
  AccountTransport account(all_of({"a", "b"}, DiskStatus::available));
  const auto other = session("other");
  hold(*other, "b", ClaimState::accepted, Stage::destroy);
  account.on_release = [&](const std::string& disk) {
    if (account.status(disk) == DiskStatus::available) {
      EXPECT_THAT(claims_of("mine"), ::testing::Not(::testing::Contains(HasSubstr(" 2 "))));
    }
    return std::nullopt;
  };
  EXPECT_FALSE(course(account, job(Goal::purge)));
  EXPECT_EQ(account.status("a"), DiskStatus::absent);
  EXPECT_EQ(account.status("b"), DiskStatus::recycled);
  EXPECT_THAT(skips(), ElementsAre("b claimed_elsewhere"));
  EXPECT_THAT(claims_of("mine"), ElementsAre("a 1 accepted", "a 2 accepted", "b 1 accepted"));
}

TEST_F(ClaimKeeperTest, APurgeOfTheBinTakesWhatAnotherDatabaseHasReleasedButReleasesNothingAgain) {
  enrol_disks({"binned", "restored"}, Goal::purge);
  AccountTransport account({{"binned", DiskStatus::recycled}, {"restored", DiskStatus::available}});
  const auto other = session("other");
  hold(*other, "binned", ClaimState::accepted);
  hold(*other, "restored", ClaimState::accepted);
  EXPECT_FALSE(course(account, job(Goal::purge, true)));
  EXPECT_EQ(account.status("binned"), DiskStatus::absent);
  EXPECT_EQ(account.status("restored"), DiskStatus::available);
  EXPECT_THAT(skips(), ElementsAre("restored released_before"));
  EXPECT_THAT(claims_of("mine"), ElementsAre("binned 2 accepted"));
}

TEST_F(ClaimKeeperTest, NothingIsSentOnceTheStoreIsGone) {
  enrol_disks({"a"});
  AccountTransport account(all_of({"a"}, DiskStatus::available));
  const auto claims = session("mine");
  std::filesystem::remove(directory_ / "claims" / "claims.db");
  const auto stop = course(account, job(), *claims);
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->reason, EndReason::stopped);
  EXPECT_EQ(stop->cause, "claims_unusable");
  EXPECT_THAT(account.releases(), IsEmpty());
  EXPECT_EQ(counts()[ItemState::pending], 1);
}

/// Another database would be granted in a new store what is claimed here.
TEST_F(ClaimKeeperTest, StopsAmidAPageWhenTheStoreIsLost) {
  const std::vector<std::string> disks = numbered_disks(30);
  enrol_disks(disks);
  AccountTransport account(all_of(disks, DiskStatus::available));
  const auto claims = session("mine");
  account.on_release = [&](const std::string&) -> std::optional<Reply> {
    if (account.releases().size() == 2) {
      std::filesystem::remove(directory_ / "claims" / "claims.db");
    }
    return std::nullopt;
  };
  JobSpec spec = job();
  spec.rate.per_second = 2;
  const auto stop = course(account, spec, *claims);
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->cause, "claims_unusable");
  EXPECT_LE(account.releases().size(), 8u);
  EXPECT_GE(counts()[ItemState::pending], 22);
}

TEST_F(ClaimKeeperTest, TellsTheStoreOnceASecondHowAttemptsEnded) {
  const auto claims = session("mine");
  ClaimKeeper keeper(*claims, clock_, false);
  std::vector<PendingItem> items;
  for (const char* disk : {"a", "b", "c", "d", "e"}) items.push_back({ItemId{1}, disk_id(disk)});
  ASSERT_THAT(keeper.claim(items).granted, SizeIs(5));
  const auto ended = [&](const char* disk, Outcome outcome, Scope scope = Scope::disk) {
    AttemptEvent event;
    event.disk_id = disk;
    event.outcome = outcome;
    event.scope = scope;
    EXPECT_FALSE(keeper.ended(event));
  };
  ended("a", Outcome::accepted);
  ended("b", Outcome::unknown);
  ended("c", Outcome::rejected);
  ended("d", Outcome::rejected, Scope::moment);  // it is looked at again
  EXPECT_THAT(claims_of("mine"), SizeIs(5));
  EXPECT_THAT(claims_of("mine"), ::testing::Each(HasSubstr("held")));
  clock_.advance(seconds(1));
  ended("e", Outcome::already_gone);
  EXPECT_THAT(claims_of("mine"),
              ElementsAre("a 1 accepted", "b 1 unknown", "d 1 held", "e 1 gone"));
}

TEST_F(ClaimKeeperTest, ASkipNamesTheHolderAndWhatToDo) {
  RefusedClaim refused;
  refused.holder = {"id", "/data/\x1b[1mone.db", RunId{3}, "joe", "db1", 4711, k_test_time};
  refused.since = k_test_time;
  const auto detail = [&](ClaimState state, bool at_work) {
    refused.state = state;
    refused.at_work = at_work;
    const DecisionRecord skip = skip_of(ItemId{1}, refused);
    EXPECT_EQ(skip.kind, DecisionKind::skip);
    return skip.reason + ": " + skip.detail;
  };
  const std::string who =
      "database /data/\\x1b[1mone.db, run 3, joe@db1, " + format_utc(k_test_time) + ": ";
  EXPECT_EQ(detail(ClaimState::accepted, false), "claimed_elsewhere: " + who + "released");
  EXPECT_EQ(detail(ClaimState::gone, false), "claimed_elsewhere: " + who + "gone already");
  EXPECT_EQ(detail(ClaimState::held, true), "claimed_elsewhere: " + who + "at work (pid 4711)");
  EXPECT_EQ(detail(ClaimState::held, false),
            "unsettled_elsewhere: " + who +
                "its process was killed; diskrelease resume 3 --db /data/\\x1b[1mone.db");
  EXPECT_EQ(detail(ClaimState::unknown, true),
            "unsettled_elsewhere: " + who +
                "outcome unknown; diskrelease settle 3 --db /data/\\x1b[1mone.db");
  refused.own = true;
  EXPECT_THAT(detail(ClaimState::accepted, false),
              AllOf(HasSubstr("unsettled_elsewhere: "), HasSubstr("an older copy")));
}

TEST_F(ClaimKeeperTest, WhereClaimsMayBeMissingALookHoldsForTwoSeconds) {
  JobSpec spec = job();
  spec.rate.per_second = 2;
  DepartureGate gate(spec.rate, 1, nullptr, clock_.steady_now());
  const Dispatch trusting(gate, spec, {}, 1);
  const Dispatch distrustful(gate, spec, {}, 1, Dispatch::k_distrustful_look);
  EXPECT_GT(trusting.look_valid_for(), seconds(2));
  EXPECT_EQ(distrustful.look_valid_for(), seconds(2));
}

}  // namespace
}  // namespace diskrelease
