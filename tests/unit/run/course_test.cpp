#include "run/course.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "record/run_records.h"
#include "run/disk_reader.h"
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

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;

JobSpec job(Goal goal = Goal::release) {
  JobSpec spec;
  spec.goal = goal;
  spec.rate.per_second = 10;
  spec.in_flight = 2;
  spec.settle.window = seconds(9);
  spec.settle.poll = seconds(3);
  return spec;
}

/// Whole courses over one run, by a clock that a test holds.
class CourseTest : public ::testing::Test {
 protected:
  void enrol_disks(const std::vector<std::string>& disks, Goal goal = Goal::release) {
    create_audit_database(file_);
    Database database = open_audit_for_writing(file_);
    RunDescription description = test_description();
    description.goal = goal;
    run_ = enrol(database, disks, description);
  }

  struct End {
    std::string problem;
    std::optional<RunStop> stop;
  };
  /// One invocation from its beginning to its end, recovery included.
  End course(AccountTransport& account, const JobSpec& spec = job(),
             CourseKind kind = CourseKind::send_and_reconcile) {
    {
      Database database = open_audit_for_writing(file_);
      static_cast<void>(recover(database, clock_.utc_now()));
    }
    RunRig rig(file_, run_, spec, account, clock_);
    End end;
    end.problem = rig.course(kind, drive_with_fake_clock(clock_, rig.dispatch));
    end.stop = rig.gate.stop_reason();
    static_cast<void>(rig.log.close());
    EXPECT_THAT(record_problems_in(file_), IsEmpty());
    EXPECT_EQ(rig.dispatch.progress(clock_.steady_now()).counts.by_state, counts().by_state);
    return end;
  }

  StateCounts counts() {
    Database reader = open_audit_for_reading(file_);
    return count_states(reader, run_);
  }

  std::int64_t query(const std::string& sql) {
    return open_audit_for_reading(file_).query_integer(sql);
  }
  std::string query_text(const std::string& sql) {
    Database reader = open_audit_for_reading(file_);
    Statement select = reader.prepare(sql);
    return select.step() ? std::string(select.text(0)) : "(no row)";
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  RunRecord run_;
  FakeClock clock_;
};

TEST_F(CourseTest, LooksAtEveryDiskBeforeItIsSentAndSeesTheReleaseComeTrue) {
  enrol_disks({"a", "b", "c"});
  AccountTransport account(
      {{"a", DiskStatus::available}, {"b", DiskStatus::available}, {"c", DiskStatus::available}});
  EXPECT_EQ(course(account).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(3));
  EXPECT_EQ(account.reads(), 3);  // two before, of one and of two disks, and one after
  EXPECT_EQ(counts()[ItemState::released], 3);
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE verified = 'recycled'"), 3);
  // Each attempt names what was seen before it.
  EXPECT_EQ(query("SELECT count(*) FROM attempt JOIN observation USING (observation_id)"
                  " WHERE status = 'AVAILABLE'"),
            3);
  EXPECT_EQ(query("SELECT count(DISTINCT item_id) FROM observation JOIN disk_read USING (read_id)"
                  " WHERE purpose = 'preflight' AND result = 'complete' AND status = 'AVAILABLE'"),
            3);
}

std::vector<std::string> many_disks(int count) {
  std::vector<std::string> disks;
  for (int i = 0; i < count; ++i) disks.push_back("disk-" + std::to_string(i));
  return disks;
}

std::map<std::string, DiskStatus> available(const std::vector<std::string>& disks) {
  std::map<std::string, DiskStatus> status;
  for (const std::string& disk : disks) status[disk] = DiskStatus::available;
  return status;
}

JobSpec wide_job(int in_flight) {
  JobSpec spec = job();
  spec.rate.per_second = 1'000;
  spec.in_flight = in_flight;
  return spec;
}

TEST_F(CourseTest, ManyLanesAreConnectedBeforeAnythingIsDueAndSeveralOfThemRead) {
  const std::vector<std::string> disks = many_disks(300);
  enrol_disks(disks);
  AccountTransport account(available(disks));
  EXPECT_EQ(course(account, wide_job(150)).problem, "");
  EXPECT_EQ(counts()[ItemState::released], 300);
  // Senders have the lanes 0 to 146; one of the four scouts has connected for its first read.
  EXPECT_THAT(account.early_lanes(), SizeIs(148));
  EXPECT_TRUE(account.early_lanes().contains(146));
  EXPECT_THAT(account.reading_lanes(), SizeIs(Ge(2)));
  EXPECT_THAT(account.reading_lanes(), Each(AllOf(Ge(147), Le(150))));
}

TEST_F(CourseTest, AShortListConnectsNoLaneAhead) {
  enrol_disks({"a", "b"});
  AccountTransport account(available({"a", "b"}));
  EXPECT_EQ(course(account, wide_job(1'000)).problem, "");
  EXPECT_EQ(counts()[ItemState::released], 2);
  EXPECT_THAT(account.early_lanes(), SizeIs(1)) << "the scout's";
}

TEST_F(CourseTest, SpendsNoCallOnADiskThatCannotOrMustNotBeReleased) {
  enrol_disks({"recycled", "recycling", "deleting", "absent", "in_use", "failed"});
  AccountTransport account({{"recycled", DiskStatus::recycled},
                            {"recycling", DiskStatus::recycling},
                            {"deleting", DiskStatus::deleting},
                            {"in_use", DiskStatus::in_use},
                            {"failed", DiskStatus::failed}});
  EXPECT_EQ(course(account).problem, "");
  EXPECT_THAT(account.releases(), IsEmpty());
  EXPECT_EQ(counts()[ItemState::already_gone], 3);
  EXPECT_EQ(counts()[ItemState::rejected], 3);
  EXPECT_EQ(query("SELECT count(*) FROM decision JOIN observation USING (observation_id)"
                  " WHERE decision.kind IN ('reject', 'already_gone')"
                  "   AND observation.item_id = decision.item_id"),
            6);
  EXPECT_EQ(query_text("SELECT decision_reason FROM item_state WHERE disk_id = 'absent'"),
            "not_found");
}

TEST_F(CourseTest, WaitsForADiskInTransition) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::attaching}});
  account.on_describe = [&](int number) -> std::optional<Reply> {
    if (number == 3) account.set("a", DiskStatus::available);
    return std::nullopt;
  };
  EXPECT_EQ(course(account).problem, "");
  EXPECT_THAT(account.releases(), ElementsAre("a"));
  EXPECT_EQ(counts()[ItemState::released], 1);
}

TEST_F(CourseTest, GivesUpADiskThatStaysInTransitionForTheWholeWindow) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::snapshot_creating}});
  const SteadyTime began = clock_.steady_now();
  EXPECT_EQ(course(account).problem, "");
  EXPECT_THAT(account.releases(), IsEmpty());
  EXPECT_EQ(counts()[ItemState::failed], 1);
  EXPECT_EQ(query_text("SELECT decision_reason FROM item_state"), "in_transition");
  EXPECT_GE(clock_.steady_now() - began, seconds(9));
  EXPECT_LT(clock_.steady_now() - began, seconds(14));
}

TEST_F(CourseTest, LooksAgainAtADiskWhoseStatusWasRefused) {
  enrol_disks({"a", "b"});
  AccountTransport account({{"a", DiskStatus::available}, {"b", DiskStatus::available}});
  bool first_of_b = true;
  account.on_release = [&](const std::string& disk) -> std::optional<Reply> {
    if (disk == "a") {  // somebody has attached it meanwhile
      account.set("a", DiskStatus::in_use);
    } else if (std::exchange(first_of_b, false)) {  // a snapshot of it was being made
      return error_reply(400, "UNSUPPORTED_OPERATION_DISK_STATUS");
    }
    return std::nullopt;
  };
  EXPECT_EQ(course(account).problem, "");
  EXPECT_EQ(counts()[ItemState::rejected], 1);
  EXPECT_EQ(query_text("SELECT decision_reason FROM item_state WHERE disk_id = 'a'"), "in_use");
  EXPECT_EQ(query_text("SELECT state FROM item_state WHERE disk_id = 'b'"), "released");
  EXPECT_THAT(account.releases(), SizeIs(3));
}

TEST_F(CourseTest, LimitsTheCallsForADiskWhoseStatusIsRefusedThoughItLooksFit) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  account.on_release = [](const std::string&) {
    return error_reply(400, "UNSUPPORTED_OPERATION_DISK_STATUS");
  };
  JobSpec spec = job();
  spec.retry.max_attempts = 3;
  EXPECT_EQ(course(account, spec).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(3));
  EXPECT_EQ(counts()[ItemState::rejected], 1);
  EXPECT_EQ(query_text("SELECT decision_reason FROM item_state"), "status_refused");
}

TEST_F(CourseTest, SettlesALostReplyByTwoReads) {
  enrol_disks({"executed", "attached"});
  AccountTransport account(
      {{"executed", DiskStatus::available}, {"attached", DiskStatus::available}});
  account.on_release = [&](const std::string& disk) -> std::optional<Reply> {
    if (disk == "executed") account.execute(disk);
    if (disk == "attached") account.set(disk, DiskStatus::in_use);
    return lost_reply();
  };
  EXPECT_EQ(course(account).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(2));
  EXPECT_EQ(query_text("SELECT state || ' ' || settled FROM item_state WHERE disk_id = 'executed'"),
            "released executed");
  EXPECT_EQ(query_text("SELECT state || ' ' || settled FROM item_state WHERE disk_id = 'attached'"),
            "rejected refused");
  EXPECT_EQ(query("SELECT count(*) FROM disk_read WHERE purpose = 'settle'"), 2);
  EXPECT_EQ(query("SELECT count(*) FROM verdict JOIN attempt USING (attempt_id)"
                  " JOIN observation ON observation.observation_id = verdict.observation_id"
                  " WHERE observation.item_id = attempt.item_id"
                  "   AND observation.observation_id > attempt.observation_id"),
            2);
}

TEST_F(CourseTest, LeavesADiskThatStaysAvailableUnknownAndNeverSendsItAgain) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  account.on_release = [](const std::string&) { return lost_reply(); };
  const SteadyTime began = clock_.steady_now();
  EXPECT_EQ(course(account).problem, "");
  EXPECT_GE(clock_.steady_now() - began, seconds(9));
  EXPECT_EQ(counts()[ItemState::unknown], 1);
  EXPECT_EQ(course(account).problem, "");
  EXPECT_EQ(course(account, job(), CourseKind::reconcile_only).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(1));
  EXPECT_EQ(counts()[ItemState::unknown], 1);
}

TEST_F(CourseTest, SendsAnUnsettledDiskOnceMoreWhenToldTo) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  bool lost = false;
  int reads_at_resend = 0;
  account.on_release = [&](const std::string&) -> std::optional<Reply> {
    if (!std::exchange(lost, true)) return lost_reply();
    reads_at_resend = account.reads();
    return std::nullopt;
  };
  JobSpec spec = job();
  spec.settle.resend = true;
  const SteadyTime began = clock_.steady_now();
  EXPECT_EQ(course(account, spec).problem, "");
  EXPECT_GE(clock_.steady_now() - began, seconds(9));
  EXPECT_THAT(account.releases(), SizeIs(2));
  EXPECT_EQ(account.status("a"), DiskStatus::recycled);
  EXPECT_EQ(counts()[ItemState::released], 1);
  EXPECT_EQ(query_text("SELECT group_concat(settled || ' ' || reason) FROM verdict"),
            "not_executed as_before_throughout");
  // Preflight, at 0, 3, 6 and after 9 s, and the preflight of the second sending.
  EXPECT_GE(reads_at_resend, 6);
}

TEST_F(CourseTest, SendsAtMostMaxAttemptsTimesHoweverOftenItIsUnsettled) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  account.on_release = [](const std::string&) { return lost_reply(); };
  JobSpec spec = job();
  spec.settle.resend = true;
  spec.retry.max_attempts = 3;
  EXPECT_EQ(course(account, spec).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(3));
  EXPECT_EQ(counts()[ItemState::unknown], 1);
}

TEST_F(CourseTest, CountsForThatOnlyWhatWasUnknown) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  int calls = 0;
  account.on_release = [&](const std::string&) -> std::optional<Reply> {
    return ++calls <= 3 ? error_reply(429, "REQUEST_LIMIT_EXCEEDED") : lost_reply();
  };
  JobSpec spec = job();
  spec.settle.resend = true;
  spec.retry.max_attempts = 2;
  EXPECT_EQ(course(account, spec).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(3 + 2));
  EXPECT_EQ(counts()[ItemState::unknown], 1);
}

TEST_F(CourseTest, TakesNoFailedPartialOrOddAnswerForAbsence) {
  enrol_disks({"a", "b"});
  AccountTransport account({{"a", DiskStatus::available}, {"b", DiskStatus::available}});
  account.on_release = [](const std::string&) { return lost_reply(); };
  account.on_describe = [](int number) -> std::optional<Reply> {
    if (number <= 2) return std::nullopt;
    switch (number % 6) {
      case 0:
        return lost_reply();
      case 1:
        return describe_reply({disk_row("a", "AVAILABLE")}, 2);  // a page that lacks a row
      case 2:
        return describe_reply({disk_row("c", "AVAILABLE")});  // a disk nobody asked for
      case 3:
        return error_reply(500, "INTERNAL_SERVER_ERROR");
      case 4:
        return HttpResponse{200, {}, "<html></html>", true};
      default:
        return describe_reply({disk_row("a", "AVAILABLE"), disk_row("a", "AVAILABLE")});
    }
  };
  EXPECT_EQ(course(account).problem, "");
  EXPECT_EQ(counts()[ItemState::unknown], 2);
  EXPECT_EQ(query("SELECT count(*) FROM verdict"), 0);
  EXPECT_EQ(query("SELECT count(*) FROM observation WHERE status = 'ABSENT'"), 0);
  EXPECT_GT(query("SELECT count(*) FROM disk_read WHERE result = 'failed'"), 6);
}

TEST_F(CourseTest, SendsNothingWhenDisksCannotBeLookedAt) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  account.on_describe = [](int) { return error_reply(500, "INTERNAL_SERVER_ERROR"); };
  const End end = course(account);
  ASSERT_TRUE(end.stop);
  EXPECT_EQ(end.stop->cause, "reads_failed");
  EXPECT_THAT(account.releases(), IsEmpty());
  EXPECT_EQ(counts()[ItemState::pending], 1);
  EXPECT_EQ(account.reads(), DiskReader::k_max_tries);
}

TEST_F(CourseTest, SpendsNoDepartureOnAReadWhoseConnectionEndsAtOnce) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  account.ends_connections = true;
  const End end = course(account);
  ASSERT_TRUE(end.stop);
  EXPECT_EQ(end.stop->cause, "reads_failed");
  EXPECT_THAT(end.stop->detail, HasSubstr("ends new connections at once"));
  EXPECT_EQ(account.reads(), 0);
}

TEST_F(CourseTest, SaysHowToGoOnWithoutPermissionToRead) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  account.on_describe = [](int) { return error_reply(403, "AUTHFAILURE_UNAUTHORIZED_OPERATION"); };
  const End end = course(account);
  ASSERT_TRUE(end.stop);
  EXPECT_EQ(end.stop->cause, "authentication");
  EXPECT_THAT(end.stop->detail, HasSubstr("--no-preflight"));
  EXPECT_THAT(account.releases(), IsEmpty());

  // Unseen, it is sent; and what is unknown then stays so, with the reason told.
  account.on_release = [](const std::string&) { return lost_reply(); };
  JobSpec unseen = job();
  unseen.preflight = false;
  const End second = course(account, unseen);
  EXPECT_EQ(second.stop, std::nullopt);
  EXPECT_THAT(second.problem, HasSubstr("AUTHFAILURE_UNAUTHORIZED_OPERATION"));
  EXPECT_EQ(counts()[ItemState::unknown], 1);
}

TEST_F(CourseTest, AssumesNothingAboutADiskThatWasSentUnseen) {
  enrol_disks({"recycled", "absent"});
  AccountTransport account(
      {{"recycled", DiskStatus::available}, {"absent", DiskStatus::available}});
  account.on_release = [&](const std::string& disk) -> std::optional<Reply> {
    account.execute(disk);
    if (disk == "absent") account.execute(disk);
    return lost_reply();
  };
  JobSpec unseen = job();
  unseen.preflight = false;
  EXPECT_EQ(course(account, unseen).problem, "");
  EXPECT_EQ(query("SELECT count(*) FROM attempt WHERE observation_id IS NULL"), 2);
  EXPECT_EQ(query_text("SELECT state FROM item_state WHERE disk_id = 'recycled'"), "already_gone");
  EXPECT_EQ(query_text("SELECT state FROM item_state WHERE disk_id = 'absent'"), "unknown");
}

TEST_F(CourseTest, SettlesWhatADeadProcessLeftOpen) {
  enrol_disks({"a", "b"});
  AccountTransport account({{"a", DiskStatus::available}, {"b", DiskStatus::available}});
  {
    RunRig dead(file_, run_, job(), account, clock_);
    dead.log.record_read({ReadPurpose::preflight, 1, "complete", 200, "", "r", "", clock_.utc_now(),
                          clock_.utc_now()},
                         {{run_.first_item, sighting_of("a", DiskStatus::available)}});
    static_cast<void>(
        dead.log.announce(run_.first_item, disk_id("a"), 1, Stage::release, clock_.utc_now())
            .take());
    account.execute("a");
  }
  EXPECT_EQ(course(account).problem, "");
  EXPECT_THAT(account.releases(), ElementsAre("b"));
  EXPECT_EQ(query_text("SELECT settled FROM item_state WHERE disk_id = 'a'"), "executed");
  EXPECT_EQ(counts()[ItemState::released], 2);
}

TEST_F(CourseTest, TellsOfAnAcceptedReleaseThatDoesNotComeTrue) {
  enrol_disks({"a", "b"});
  AccountTransport account({{"a", DiskStatus::available}, {"b", DiskStatus::available}});
  account.on_release = [&](const std::string& disk) -> std::optional<Reply> {
    if (disk == "b") return accepted_reply();  // and nothing happens
    return std::nullopt;
  };
  const SteadyTime began = clock_.steady_now();
  EXPECT_EQ(course(account).problem, "");
  EXPECT_GE(clock_.steady_now() - began, seconds(9));
  EXPECT_LT(clock_.steady_now() - began, seconds(20));
  Database reader = open_audit_for_reading(file_);
  const VerifiedCounts verified = count_verified(reader, run_);
  EXPECT_EQ(verified.recycled, 1);
  EXPECT_EQ(verified.still_there, 1);
  EXPECT_THAT(account.releases(), SizeIs(2));
}

TEST_F(CourseTest, DoesNotReadAcceptedDisksBackWithoutVerify) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  JobSpec spec = job();
  spec.verify = false;
  EXPECT_EQ(course(account, spec).problem, "");
  EXPECT_EQ(account.reads(), 1);
  EXPECT_EQ(query_text("SELECT verified FROM item_state"), "not_read");
}

TEST_F(CourseTest, PurgesInTwoStagesEachWithItsOwnIntent) {
  enrol_disks({"a", "direct"}, Goal::purge);
  AccountTransport account({{"a", DiskStatus::available}, {"direct", DiskStatus::available}});
  account.on_release = [&](const std::string& disk) -> std::optional<Reply> {
    if (disk == "direct") account.set(disk, DiskStatus::recycled);  // goes straight to absent
    return std::nullopt;
  };
  EXPECT_EQ(course(account, job(Goal::purge)).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(3));
  EXPECT_EQ(account.status("a"), DiskStatus::absent);
  EXPECT_EQ(counts()[ItemState::released], 2);
  EXPECT_EQ(query_text("SELECT verified FROM item_state WHERE disk_id = 'a'"), "destroyed");
  EXPECT_EQ(query_text("SELECT verified FROM item_state WHERE disk_id = 'direct'"), "gone");
  EXPECT_EQ(query_text("SELECT group_concat(stage) FROM attempt_log WHERE disk_id = 'a'"), "1,2");
  EXPECT_EQ(query_text("SELECT group_concat(stage) FROM attempt_log WHERE disk_id = 'direct'"),
            "1");
}

TEST_F(CourseTest, NeverSendsTheSecondStageUnlessTheDiskIsInTheRecycleBin) {
  enrol_disks({"a"}, Goal::purge);
  AccountTransport account({{"a", DiskStatus::available}});
  account.on_release = [](const std::string&) { return accepted_reply(); };  // stays AVAILABLE
  EXPECT_EQ(course(account, job(Goal::purge)).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(1));
  EXPECT_EQ(counts()[ItemState::pending], 1);

  // Somebody takes it out of the bin between the two calls.
  account.set("a", DiskStatus::recycled);
  account.on_describe = [&](int) -> std::optional<Reply> {
    if (query("SELECT count(*) FROM observation WHERE status = 'RECYCLED'") > 0) {
      account.set("a", DiskStatus::available);
    }
    return std::nullopt;
  };
  EXPECT_EQ(course(account, job(Goal::purge)).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(1));
  EXPECT_EQ(query_text("SELECT state || ' ' || decision_reason FROM item_state"),
            "rejected restored");
}

TEST_F(CourseTest, LeavesADiskAloneThatIsTakenOutOfTheBinBeforeItIsSeenRecycled) {
  enrol_disks({"a"}, Goal::purge);
  AccountTransport account({{"a", DiskStatus::available}});
  account.on_release = [&](const std::string&) -> std::optional<Reply> {
    account.set("a", DiskStatus::recycling);
    return accepted_reply();
  };
  account.on_describe = [&](int number) -> std::optional<Reply> {
    if (number == 3) account.set("a", DiskStatus::in_use);
    return std::nullopt;
  };
  EXPECT_EQ(course(account, job(Goal::purge)).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(1));
  EXPECT_EQ(query_text("SELECT state || ' ' || decision_reason FROM item_state"),
            "rejected restored");
  EXPECT_EQ(query("SELECT count(*) FROM decision JOIN observation USING (observation_id)"
                  " WHERE reason = 'restored' AND observation.status = 'IN_USE'"),
            1);
}

TEST_F(CourseTest, PurgesARecycledDiskOnlyWhenToldTo) {
  enrol_disks({"a"}, Goal::purge);
  AccountTransport account({{"a", DiskStatus::recycled}});
  EXPECT_EQ(course(account, job(Goal::purge)).problem, "");
  EXPECT_THAT(account.releases(), IsEmpty());
  EXPECT_EQ(counts()[ItemState::skipped], 1);

  file_ = directory_ / "second.db";
  enrol_disks({"a"}, Goal::purge);
  JobSpec spec = job(Goal::purge);
  spec.include_recycled = true;
  EXPECT_EQ(course(account, spec).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(1));
  EXPECT_EQ(account.status("a"), DiskStatus::absent);
  EXPECT_EQ(query("SELECT stage FROM attempt"), 2);
  EXPECT_EQ(counts()[ItemState::released], 1);
}

TEST_F(CourseTest, SettlesALostReplyToTheSecondStage) {
  enrol_disks({"a"}, Goal::purge);
  AccountTransport account({{"a", DiskStatus::available}});
  int calls = 0;
  account.on_release = [&](const std::string& disk) -> std::optional<Reply> {
    if (++calls == 1) return std::nullopt;
    account.execute(disk);
    return lost_reply();
  };
  EXPECT_EQ(course(account, job(Goal::purge)).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(2));
  EXPECT_EQ(query_text("SELECT state || ' ' || settled FROM item_state"), "released executed");
}

TEST_F(CourseTest, StopsBeforeTheNextSendingWhenTheClockJumps) {
  enrol_disks(numbered_disks(5));
  std::map<std::string, DiskStatus> disks;
  for (const std::string& disk : numbered_disks(5)) disks[disk] = DiskStatus::available;
  AccountTransport account(disks);
  account.on_release = [&](const std::string&) -> std::optional<Reply> {
    clock_.jump(std::chrono::hours(24));
    return std::nullopt;
  };
  const End end = course(account);
  ASSERT_TRUE(end.stop);
  EXPECT_EQ(end.stop->reason, EndReason::failed);
  EXPECT_EQ(end.stop->cause, "clock_jump");
  EXPECT_THAT(account.releases(), SizeIs(1));
  EXPECT_EQ(counts()[ItemState::pending], 4);
  account.on_release = {};
  EXPECT_EQ(course(account).problem, "");
  EXPECT_EQ(counts()[ItemState::released], 5);
}

TEST_F(CourseTest, StopsWhenThisMachineHasNoFileDescriptorsLeft) {
  enrol_disks({"a", "b"});
  AccountTransport account({{"a", DiskStatus::available}, {"b", DiskStatus::available}});
  account.on_release = [](const std::string&) -> std::optional<Reply> {
    return TransportFailure{TransportProblem::out_of_resources, false, "Too many open files", {}};
  };
  const End end = course(account);
  ASSERT_TRUE(end.stop);
  EXPECT_EQ(end.stop->reason, EndReason::failed);
  EXPECT_EQ(end.stop->cause, "out_of_resources");
  EXPECT_EQ(counts()[ItemState::pending], 2);
}

TEST_F(CourseTest, LooksNoFurtherWhenThisMachineHasNoFileDescriptorsLeft) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  account.on_describe = [](int) -> std::optional<Reply> {
    return TransportFailure{TransportProblem::out_of_resources, false, "Too many open files", {}};
  };
  const End end = course(account);
  ASSERT_TRUE(end.stop);
  EXPECT_EQ(end.stop->reason, EndReason::failed);
  EXPECT_EQ(end.stop->cause, "out_of_resources");
  EXPECT_THAT(end.stop->detail, HasSubstr("Too many open files"));
  EXPECT_EQ(account.reads(), 1);
  EXPECT_THAT(account.releases(), IsEmpty());
  EXPECT_EQ(counts()[ItemState::pending], 1);
}

TEST_F(CourseTest, SendsNothingWhenReadsAreThrottledWithoutEnd) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  account.on_describe = [](int) { return error_reply(429, "REQUEST_LIMIT_EXCEEDED"); };
  const End end = course(account);
  ASSERT_TRUE(end.stop);
  EXPECT_EQ(end.stop->cause, "reads_failed");
  EXPECT_THAT(end.stop->detail, HasSubstr(std::to_string(k_max_throttled) + " times in a row"));
  EXPECT_EQ(account.reads(), k_max_throttled);
  EXPECT_EQ(query("SELECT count(*) FROM disk_read WHERE result = 'throttled'"), k_max_throttled);
  EXPECT_THAT(account.releases(), IsEmpty());
  EXPECT_EQ(counts()[ItemState::pending], 1);
}

TEST_F(CourseTest, ReadsNothingMoreBackFromAServerWhoseCertificateIsNotAcceptable) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  account.on_release = [](const std::string&) { return lost_reply(); };
  account.on_describe = [](int) -> std::optional<Reply> {
    return TransportFailure{TransportProblem::certificate, false, "self-signed", {}};
  };
  JobSpec unseen = job();
  unseen.preflight = false;
  const End end = course(account, unseen);
  EXPECT_THAT(end.problem, HasSubstr("DescribeDisks: certificate: "));
  EXPECT_THAT(end.problem, HasSubstr("self-signed"));
  EXPECT_EQ(account.reads(), 1);
  EXPECT_EQ(counts()[ItemState::unknown], 1);
}

TEST_F(CourseTest, LooksAgainWhenWhatWasSeenIsOld) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  int calls = 0;
  account.on_release = [&](const std::string&) -> std::optional<Reply> {
    if (++calls > 1) return std::nullopt;
    HttpResponse throttled = std::get<HttpResponse>(error_reply(429, "REQUEST_LIMIT_EXCEEDED"));
    throttled.headers.emplace_back("retry-after", "60");
    clock_.advance(std::chrono::minutes(5));  // the disk is recycled by somebody meanwhile
    account.set("a", DiskStatus::recycled);
    return throttled;
  };
  EXPECT_EQ(course(account).problem, "");
  EXPECT_THAT(account.releases(), SizeIs(1));
  EXPECT_EQ(account.status("a"), DiskStatus::recycled) << "a second call has destroyed it";
  EXPECT_EQ(counts()[ItemState::already_gone], 1);
}

TEST_F(CourseTest, LooksCostATenthOfTheCallsAtMostAndReadBackWhatIsSentMeanwhile) {
  std::map<std::string, DiskStatus> disks;
  for (const std::string& disk : numbered_disks(250)) disks[disk] = DiskStatus::available;
  for (const double rate : {2.0, 20.0, 200.0}) {
    SCOPED_TRACE(rate);
    file_ = directory_ / ("audit-" + std::to_string(rate) + ".db");
    enrol_disks(numbered_disks(250));
    AccountTransport account(disks);
    JobSpec spec = job();
    spec.rate.per_second = rate;
    EXPECT_EQ(course(account, spec).problem, "");
    EXPECT_EQ(counts()[ItemState::released], 250);
    const std::int64_t looks = query("SELECT count(*) FROM disk_read WHERE purpose = 'preflight'");
    EXPECT_LE(looks, 25 + 4) << "the first ones are smaller";
    EXPECT_LE(account.reads(), looks + 5);
    // How old each look was when its request left.
    EXPECT_LE(query("SELECT max(outcome.sent_utc_ms - disk_read.sent_utc_ms) FROM attempt"
                    " JOIN outcome USING (attempt_id) JOIN observation USING (observation_id)"
                    " JOIN disk_read USING (read_id)"),
              rate < 10 ? 10'000 : 2'000);
  }
}

/// Each look waits for its slot behind a call, and each call behind a look.
TEST_F(CourseTest, ComesToItsEndAtVeryLowRatesAndWithShortLooks) {
  for (const auto& [rate, longest] : {std::pair(0.03, std::optional<std::chrono::nanoseconds>()),
                                      {0.2, std::chrono::nanoseconds(seconds(2))},
                                      {2.0, std::chrono::nanoseconds(seconds(2))}}) {
    SCOPED_TRACE(rate);
    file_ = directory_ / ("audit-" + std::to_string(rate) + ".db");
    enrol_disks(numbered_disks(30));
    std::map<std::string, DiskStatus> disks;
    for (const std::string& disk : numbered_disks(30)) disks[disk] = DiskStatus::available;
    AccountTransport account(disks);
    JobSpec spec = job();
    spec.rate.per_second = rate;
    spec.in_flight = 4;
    RunRig rig(file_, run_, spec, account, clock_, AttemptLog::k_max_delay,
               RunRig::made_up_caller(), {}, longest);
    // With each request others take slots, as processes do that share the pace.
    account.on_release = [&](const std::string&) -> std::optional<Reply> {
      for (int i = 0; i < 2; ++i) static_cast<void>(rig.gate.reserve(clock_.steady_now()));
      return std::nullopt;
    };
    account.on_describe = [&](int number) -> std::optional<Reply> {
      if (number > 100) rig.dispatch.stop({EndReason::failed, "looks_without_end", ""});
      for (int i = 0; i < 2; ++i) static_cast<void>(rig.gate.reserve(clock_.steady_now()));
      return std::nullopt;
    };
    static_cast<void>(
        rig.course(CourseKind::send_and_reconcile, drive_with_fake_clock(clock_, rig.dispatch)));
    static_cast<void>(rig.log.close());
    EXPECT_EQ(counts()[ItemState::released], 30);
    EXPECT_LE(account.reads(), 60);
  }
}

/// Another credential may be that of another account.
TEST_F(CourseTest, ABinIsKnownFromRunsOfTheSameCredentialAndEndpointAlone) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  EXPECT_EQ(course(account).problem, "");
  Database reader = open_audit_for_reading(file_);
  const std::string& credential = RunRig::made_up_caller().credential.id;
  const std::string& endpoint = run_.description.endpoint;
  EXPECT_TRUE(has_seen_bin(reader, {endpoint, credential}, run_.created));
  EXPECT_FALSE(has_seen_bin(reader, {endpoint, "AKOTHER0002"}, run_.created));
  EXPECT_FALSE(has_seen_bin(reader, {"elsewhere", credential}, run_.created));
  EXPECT_FALSE(has_seen_bin(reader, {endpoint, credential}, run_.created + seconds(1)));
}

TEST_F(CourseTest, ReadsAHundredDisksBackWithOneCall) {
  std::map<std::string, DiskStatus> disks;
  for (const std::string& disk : numbered_disks(250)) disks[disk] = DiskStatus::available;
  enrol_disks(numbered_disks(250));
  AccountTransport account(disks);
  JobSpec unseen = job();
  unseen.preflight = false;
  EXPECT_EQ(course(account, unseen).problem, "");
  EXPECT_EQ(counts()[ItemState::released], 250);
  EXPECT_EQ(account.reads(), 3);
}

/// As a second database of the same account, a person in the console, or Terraform.
TEST_F(CourseTest, StopsAndNamesTheDiskWhenSomebodyElseReleasesOneThatIsAboutToBeSent) {
  enrol_disks(numbered_disks(30));
  std::map<std::string, DiskStatus> disks;
  for (const std::string& disk : numbered_disks(30)) disks[disk] = DiskStatus::available;
  AccountTransport account(disks);
  JobSpec spec = job();
  spec.rate.per_second = 2.0;
  int calls = 0;
  account.on_release = [&](const std::string& disk) -> std::optional<Reply> {
    if (++calls == 19) {
      // Some wait for their slots, and something holds them up until their look is too old.
      for (const std::string& other : numbered_disks(30)) {
        if (other != disk) account.set(other, DiskStatus::recycled);
      }
      clock_.advance(std::chrono::seconds(35));
    }
    return std::nullopt;
  };
  const End end = course(account, spec);
  ASSERT_TRUE(end.stop);
  EXPECT_EQ(end.stop->reason, EndReason::stopped);
  EXPECT_EQ(end.stop->cause, "foreign_release");
  EXPECT_THAT(end.stop->detail, HasSubstr(" was AVAILABLE, and RECYCLED"));
  for (const std::string& disk : numbered_disks(30)) {
    EXPECT_EQ(account.status(disk), DiskStatus::recycled) << "a second call has destroyed " << disk;
  }
  EXPECT_GE(query("SELECT count(*) FROM decision WHERE kind = 'stop'"
                  " AND reason = 'foreign_release' AND item_id IS NOT NULL"
                  " AND observation_id IS NOT NULL"),
            1);
}

TEST_F(CourseTest, StopsWithinSecondsWhenADiskIsDestroyedByASecondRelease) {
  enrol_disks(numbered_disks(100));
  std::map<std::string, DiskStatus> disks;
  for (const std::string& disk : numbered_disks(100)) disks[disk] = DiskStatus::available;
  AccountTransport account(disks);
  const std::string victim = numbered_disks(100)[30];
  JobSpec spec = job();
  spec.rate.per_second = 2.0;
  account.on_release = [&](const std::string& disk) -> std::optional<Reply> {
    if (disk == victim) account.execute(disk);  // somebody else's call, after our look
    return std::nullopt;
  };
  const End end = course(account, spec);
  ASSERT_TRUE(end.stop);
  EXPECT_EQ(end.stop->cause, "foreign_release");
  EXPECT_THAT(end.stop->detail, HasSubstr("disk " + victim + " was ABSENT"));
  EXPECT_LE(account.releases().size(), 31u + 20u) << "within two looks";
  Database reader = open_audit_for_reading(file_);
  const ForeignCounts foreign = count_foreign(reader, run_);
  EXPECT_EQ(foreign.destroyed, 1);
  EXPECT_THAT(foreign.destroyed_disks, testing::ElementsAre(victim));
}

}  // namespace
}  // namespace diskrelease
