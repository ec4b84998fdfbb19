#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/calls.h"
#include "record/run_records.h"
#include "run/course.h"
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
using ::testing::HasSubstr;
using ::testing::IsEmpty;
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

const Caller& other_caller() {
  static const Caller k_caller{
      {Credential::Kind::key_pair, "AKTEST0002", Secret("another-made-up-secret"), "test"},
      "127.0.0.1:1",
      "diskrelease-test"};
  return k_caller;
}

/// Answers of DescribeDisks that are complete, consistent and say nothing.
class SilenceTest : public ::testing::Test {
 protected:
  void enrol_disks(const std::vector<std::string>& disks, Goal goal = Goal::release) {
    create_audit_database(file_);
    Database database = open_audit_for_writing(file_);
    RunDescription description = test_description();
    description.goal = goal;
    run_ = enrol(database, disks, description);
  }

  /// One invocation. Returns why it stopped.
  std::string course(AccountTransport& account, const JobSpec& spec = job(),
                     CourseKind kind = CourseKind::send_and_reconcile,
                     const Caller& caller = RunRig::made_up_caller()) {
    {
      Database database = open_audit_for_writing(file_);
      static_cast<void>(recover(database, clock_.utc_now()));
    }
    RunRig rig(file_, run_, spec, account, clock_, AttemptLog::k_max_delay, caller);
    static_cast<void>(rig.course(kind, drive_with_fake_clock(clock_, rig.dispatch)));
    const auto stop = rig.gate.stop_reason();
    static_cast<void>(rig.log.close());
    EXPECT_THAT(record_problems_in(file_), IsEmpty());
    EXPECT_EQ(rig.dispatch.progress(clock_.steady_now()).counts.by_state, counts().by_state);
    return stop ? stop->cause : "";
  }

  StateCounts counts() {
    Database reader = open_audit_for_reading(file_);
    return count_states(reader, run_);
  }
  std::int64_t query(const std::string& sql) {
    return open_audit_for_reading(file_).query_integer(sql);
  }
  std::string verified() {
    Database reader = open_audit_for_reading(file_);
    Statement select = reader.prepare("SELECT group_concat(DISTINCT verified) FROM item_state");
    return select.step() ? std::string(select.text(0)) : "";
  }

  /// All disks were seen AVAILABLE; every answer to a release was lost, and none was executed.
  void leave_unknown(AccountTransport& account) {
    account.on_release = [](const std::string&) { return lost_reply(); };
    JobSpec spec = job();
    spec.settle.window = seconds(0);
    static_cast<void>(course(account, spec));
    ASSERT_EQ(counts()[ItemState::unknown], run_.item_count);
    account.on_release = nullptr;
  }

  static std::map<std::string, DiskStatus> all_available() {
    std::map<std::string, DiskStatus> disks;
    for (const std::string& disk : k_disks) disks[disk] = DiskStatus::available;
    return disks;
  }

  inline static const std::vector<std::string> k_disks = {"a", "b", "c", "d", "e"};
  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  RunRecord run_;
  FakeClock clock_;
};

TEST_F(SilenceTest, EmptyAnswersReleaseNothing) {
  enrol_disks(k_disks);
  AccountTransport account(all_available());
  leave_unknown(account);
  account.on_describe = [](int) { return describe_reply({}); };
  course(account, job(), CourseKind::reconcile_only);
  course(account);
  EXPECT_EQ(counts()[ItemState::unknown], 5);
  EXPECT_EQ(query("SELECT count(*) FROM observation WHERE status = 'ABSENT'"), 0);
  EXPECT_GT(query("SELECT count(*) FROM disk_read WHERE result = 'failed'"
                  " AND message LIKE '5 of 5 disks are left out%'"),
            0);
  EXPECT_GT(query("SELECT count(*) FROM disk_read WHERE result = 'failed' AND disk_count = 1"
                  " AND message LIKE '%without any disk%'"),
            0);
}

TEST_F(SilenceTest, EmptyAnswersMakeNoUnsentDiskAlreadyGone) {
  enrol_disks(k_disks);
  AccountTransport account(all_available());
  bool silent = false;
  // Each is to be looked at again.
  account.on_release = [&](const std::string&) {
    silent = account.releases().size() >= 5;
    return error_reply(400, "UNSUPPORTED_OPERATION_DISK_STATUS");
  };
  account.on_describe = [&](int) -> std::optional<Reply> {
    return silent ? std::optional(describe_reply({})) : std::nullopt;
  };
  EXPECT_EQ(course(account), "reads_failed");
  EXPECT_EQ(counts()[ItemState::pending], 5);
  silent = false;
  account.on_release = nullptr;
  EXPECT_EQ(course(account), "");
  EXPECT_EQ(counts()[ItemState::released], 5);
}

TEST_F(SilenceTest, WhoRedirectsACallMayHavePassedItOn) {
  enrol_disks({"a"});
  AccountTransport account({{"a", DiskStatus::available}});
  account.on_release = [](const std::string&) -> Reply {
    return HttpResponse{302, {{"location", "https://portal.example/"}}, "", true};
  };
  EXPECT_EQ(course(account), "redirect");
  EXPECT_EQ(counts()[ItemState::unknown], 1);
  account.execute("a");
  course(account, job(), CourseKind::reconcile_only);
  EXPECT_EQ(counts()[ItemState::released], 1);
}

TEST_F(SilenceTest, AnotherAccountsCredentialReleasesNothing) {
  enrol_disks(k_disks);
  AccountTransport account(all_available());
  leave_unknown(account);
  AccountTransport other({});
  course(other, job(), CourseKind::reconcile_only, other_caller());
  EXPECT_EQ(counts()[ItemState::unknown], 5);
  EXPECT_EQ(query("SELECT count(*) FROM observation WHERE status = 'ABSENT'"), 0);
  EXPECT_EQ(query("SELECT count(*) FROM verdict"), 0);
}

TEST_F(SilenceTest, DisksThatAreGoneFromAnAccountThatIsShownAreReleased) {
  enrol_disks(k_disks);
  AccountTransport account(all_available());
  leave_unknown(account);
  for (const std::string& disk : k_disks) account.set(disk, DiskStatus::absent);
  course(account, job(), CourseKind::reconcile_only);
  EXPECT_EQ(counts()[ItemState::released], 5);
  EXPECT_EQ(query("SELECT count(*) FROM verdict WHERE settled = 'executed'"), 5);
  EXPECT_EQ(verified(), "gone") << "nobody has seen them being destroyed";
  EXPECT_GE(account.controls(), 1);
  EXPECT_LE(account.controls(), 3) << "one for each round at most";
}

/// A server that lets two requests pass and refuses the third: each read before a control would
/// otherwise cost the control its place.
TEST_F(SilenceTest, AControlThatIsRefusedForRateIsRepeatedAndNotBegunAnew) {
  enrol_disks(k_disks);
  AccountTransport account(all_available());
  leave_unknown(account);
  for (const std::string& disk : k_disks) account.set(disk, DiskStatus::absent);
  account.on_describe = [](int number) -> std::optional<Reply> {
    if (number % 3 == 0) return error_reply(429, "REQUEST_LIMIT_EXCEEDED");
    return std::nullopt;
  };
  course(account, job(), CourseKind::reconcile_only);
  EXPECT_EQ(counts()[ItemState::released], 5);
}

TEST_F(SilenceTest, AnAbsentDiskIsNotReleasedWhereTheBinKeepsTheOthers) {
  enrol_disks(k_disks);
  AccountTransport account(all_available());
  leave_unknown(account);
  for (const std::string& disk : k_disks) account.set(disk, DiskStatus::recycled);
  account.set("c", DiskStatus::absent);
  course(account, job(), CourseKind::reconcile_only);
  EXPECT_EQ(counts()[ItemState::released], 4);
  EXPECT_EQ(counts()[ItemState::unknown], 1);
}

TEST_F(SilenceTest, PurgeIsNotReachedByEmptyAnswers) {
  enrol_disks(k_disks, Goal::purge);
  AccountTransport account(all_available());
  account.on_describe = [&](int) -> std::optional<Reply> {
    if (account.releases().size() < 5) return std::nullopt;
    return describe_reply({});
  };
  course(account, job(Goal::purge));
  EXPECT_EQ(counts()[ItemState::pending], 5);
  EXPECT_THAT(account.releases(), SizeIs(5)) << "the first stage of each";
  EXPECT_EQ(account.status("a"), DiskStatus::recycled);
  account.on_describe = nullptr;
  course(account, job(Goal::purge));
  EXPECT_EQ(counts()[ItemState::released], 5);
  EXPECT_THAT(account.releases(), SizeIs(10));
  EXPECT_EQ(verified(), "destroyed");
}

TEST_F(SilenceTest, OneAbsenceDoesNotReachTheGoalOfAPurge) {
  enrol_disks({"a", "b"}, Goal::purge);
  AccountTransport account({{"a", DiskStatus::available}, {"b", DiskStatus::available}});
  int hidden = 0;
  account.on_describe = [&](int) -> std::optional<Reply> {
    // Once, while both are in the bin.
    if (account.releases().size() < 2 || hidden++ > 0) return std::nullopt;
    return describe_reply({disk_row("b", "RECYCLED")});
  };
  course(account, job(Goal::purge));
  EXPECT_THAT(account.releases(), SizeIs(4));
  EXPECT_EQ(account.status("a"), DiskStatus::absent);
  EXPECT_EQ(counts()[ItemState::released], 2);
}

TEST_F(SilenceTest, NothingIsCalledDestroyedAfterOneEmptyAnswer) {
  enrol_disks(k_disks);
  AccountTransport account(all_available());
  int reads_after = 0;
  account.on_describe = [&](int) -> std::optional<Reply> {
    if (account.releases().size() < 5 || reads_after++ > 0) return std::nullopt;
    return describe_reply({});
  };
  course(account);
  EXPECT_EQ(counts()[ItemState::released], 5);
  EXPECT_EQ(verified(), "recycled");
}

TEST_F(SilenceTest, ADiskThatTheApiDoesNotFindIsReadBack) {
  enrol_disks({"gone", "there"});
  AccountTransport account({{"gone", DiskStatus::available}, {"there", DiskStatus::available}});
  account.on_release = [&](const std::string& disk) -> std::optional<Reply> {
    if (disk == "gone") account.set(disk, DiskStatus::absent);
    return error_reply(404, "INVALID_DISK_NOT_FOUND");
  };
  course(account);
  EXPECT_EQ(counts()[ItemState::already_gone], 1);
  EXPECT_EQ(counts()[ItemState::unknown], 1) << "it is AVAILABLE all the same";
  EXPECT_EQ(query("SELECT count(*) FROM verdict WHERE settled = 'gone'"
                  " AND reason = 'absent_as_answered'"),
            1);
}

TEST_F(SilenceTest, ADiskInTheBinThatTheSecondStageDoesNotFindIsNotGivenUp) {
  enrol_disks({"a"}, Goal::purge);
  AccountTransport account({{"a", DiskStatus::available}});
  int calls = 0;
  account.on_release = [&](const std::string&) -> std::optional<Reply> {
    if (++calls != 2) return std::nullopt;
    return error_reply(404, "INVALID_DISK_NOT_FOUND");
  };
  course(account, job(Goal::purge));
  EXPECT_EQ(counts()[ItemState::unknown], 1);
  JobSpec spec = job(Goal::purge);
  spec.settle.resend = true;
  course(account, spec);
  EXPECT_EQ(counts()[ItemState::released], 1);
  EXPECT_EQ(account.status("a"), DiskStatus::absent);
}

}  // namespace
}  // namespace diskrelease
