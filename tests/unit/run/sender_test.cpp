#include "run/sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <map>
#include <memory>
#include <set>

#include "model/errors.h"
#include "queries/log_query.h"
#include "queries/run_queries.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "support/enrolled_run.h"
#include "support/fake_clock.h"
#include "support/run_rig.h"
#include "support/scripted_transport.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;

/// Writing beyond this size fails from now on, as on a full disk. Returns the limit to restore.
rlimit limit_file_size(std::uintmax_t bytes) {
  static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));
  rlimit before{};
  EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{bytes, before.rlim_max};
  EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  return before;
}

/// Sending alone: what is looked at before and read back after has tests of its own.
JobSpec quick_job() {
  JobSpec job;
  job.rate.per_second = std::nullopt;
  job.preflight = false;
  job.verify = false;
  job.in_flight = 1;
  job.retry.first_backoff = std::chrono::milliseconds(1);
  job.retry.max_backoff = std::chrono::milliseconds(2);
  return job;
}

JobSpec with_lanes(int lanes, JobSpec job = quick_job()) {
  job.in_flight = lanes;
  return job;
}

/// Steps on until it has to sleep or to wait for work.
Due next_due(Sender& sender) {
  while (true) {
    Due due = sender.step();
    if (const auto* commit = std::get_if<AwaitCommit>(&due)) {
      commit->announcement->wait();
    } else if (!std::holds_alternative<StepApart>(due) &&
               !std::holds_alternative<AwaitReply>(due)) {
      return due;
    }
  }
}

/// A run in a database of its own, on which one invocation after another works.
class SenderTest : public ::testing::Test {
 protected:
  void enrol_disks(const std::vector<std::string>& disks) {
    create_audit_database(file_);
    Database database = open_audit_for_writing(file_);
    run_ = enrol(database, disks);
  }

  std::unique_ptr<RunRig> begin(Transport& transport, const JobSpec& job = quick_job()) {
    return std::make_unique<RunRig>(file_, run_, job, transport, system_clock_);
  }
  std::unique_ptr<RunRig> begin_with_fake_clock(Transport& transport,
                                                const JobSpec& job = quick_job()) {
    auto rig = std::make_unique<RunRig>(file_, run_, job, transport, fake_clock_);
    rig->dispatch.open(PendingFeed(open_audit_for_reading(file_), run_));
    return rig;
  }

  /// On a lane of its own.
  static Sender lone_sender(const RunRig& rig) {
    static const AttemptObserver k_nobody = [](const AttemptEvent&) {};
    return {rig.parts, 0, std::make_shared<LaneTurn>(), k_nobody};
  }

  /// Sends what is pending, closes the log, and compares what the dispatch counts with the rows.
  std::optional<RunStop> send_all(Transport& transport, const JobSpec& job = quick_job()) {
    const auto rig = begin(transport, job);
    rig->send();
    static_cast<void>(rig->log.close());
    EXPECT_EQ(rig->dispatch.progress(system_clock_.steady_now()).counts.by_state,
              counts().by_state);
    EXPECT_EQ(rig->dispatch.progress(system_clock_.steady_now()).in_flight, 0);
    return rig->gate.stop_reason();
  }

  StateCounts counts() {
    Database reader(file_, Database::Access::read_only);
    return count_states(reader, run_);
  }

  std::vector<LogRow> log_rows() {
    Database reader(file_, Database::Access::read_only);
    std::vector<LogRow> rows;
    read_log(reader, {}, [&](const LogRow& row) {
      rows.push_back(row);
      return true;
    });
    return rows;
  }

  std::vector<std::string> outcomes() {
    std::vector<std::string> texts;
    for (const LogRow& row : log_rows()) texts.push_back(row.outcome);
    return texts;
  }

  std::int64_t query(const std::string& sql) {
    return Database(file_, Database::Access::read_only).query_integer(sql);
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  RunRecord run_;
  SystemClock system_clock_;
  FakeClock fake_clock_;
};

TEST_F(SenderTest, HasADurableOpenAttemptForTheDiskAtTheMomentOfEverySending) {
  enrol_disks(numbered_disks(40));
  std::atomic<int> seen_open = 0;
  ScriptedTransport transport([&](const HttpRequest& request) {
    Database other_process = open_audit_for_reading(file_);
    Statement select = other_process.prepare(
        "SELECT count(*) FROM attempt_log WHERE disk_id = ?1 AND outcome IS NULL");
    const std::string disk = disk_of(request);
    select.bind(1, disk);
    EXPECT_TRUE(select.step());
    EXPECT_EQ(select.integer(0), 1) << disk << " was sent without a row that announces it";
    if (select.integer(0) == 1) ++seen_open;
    return accepted_reply();
  });

  EXPECT_EQ(send_all(transport, with_lanes(4)), std::nullopt);

  EXPECT_EQ(seen_open, 40);
  EXPECT_THAT(transport.sent_disks(), UnorderedElementsAreArray(numbered_disks(40)));
  EXPECT_EQ(counts()[ItemState::released], 40);
}

TEST_F(SenderTest, HasGivenAwayItsMarkAtTheMomentOfEverySending) {
  enrol_disks(numbered_disks(40));
  const TemporaryDirectory folder(memory_directory());
  std::atomic<int> unmarked = 0;
  ScriptedTransport transport([&](const HttpRequest& request) {
    Database other_process = open_audit_for_reading(file_);
    const auto marks = UnsentMarks::find(other_process, folder.path());
    Statement select = other_process.prepare(
        "SELECT invocation_id, attempt_id FROM attempt_log WHERE disk_id = ?1");
    const std::string disk = disk_of(request);
    select.bind(1, disk);
    EXPECT_TRUE(select.step());
    const bool is_marked =
        marks->claim(InvocationId{select.integer(0)}, AttemptId{select.integer(1)});
    EXPECT_FALSE(is_marked) << disk << " would be recorded as not sent after a crash";
    if (!is_marked) ++unmarked;
    return accepted_reply();
  });
  RunRig rig(file_, run_, with_lanes(4), transport, system_clock_, AttemptLog::k_max_delay,
             RunRig::made_up_caller(), folder.path());
  rig.send();
  EXPECT_EQ(unmarked, 40);
}

TEST_F(SenderTest, SendsNothingThatAnotherProcessHasRecordedAsNotSent) {
  enrol_disks({"disk-1", "disk-2"});
  const TemporaryDirectory folder(memory_directory());
  ScriptedTransport transport({}, [&]() -> std::optional<TransportFailure> {
    // As if somebody had removed the lock file and started another one.
    Database database = open_audit_for_writing(file_);
    EXPECT_EQ(recover(database, k_test_time, folder.path()).unsent_attempts, 1);
    return std::nullopt;
  });
  RunRig rig(file_, run_, quick_job(), transport, system_clock_, AttemptLog::k_max_delay,
             RunRig::made_up_caller(), folder.path());
  EXPECT_THROW(rig.send(), AuditUnusable);
  EXPECT_THAT(transport.sent_disks(), IsEmpty());
}

TEST_F(SenderTest, SendsNothingWhenTheIntentCannotBeCommitted) {
  enrol_disks(numbered_disks(20));
  ScriptedTransport transport;
  const auto invocation = begin(transport, with_lanes(4));
  {
    Database saboteur = open_audit_for_writing(file_);
    saboteur.execute(
        "CREATE TRIGGER disk_is_full BEFORE INSERT ON attempt BEGIN SELECT RAISE(ABORT, 'full'); "
        "END");
  }
  EXPECT_THROW(invocation->send(), AuditUnusable);
  EXPECT_THAT(transport.sent_disks(), IsEmpty());
  EXPECT_EQ(query("SELECT count(*) FROM attempt"), 0);
}

TEST_F(SenderTest, EndsAtOnceWhenTheLogFailsWhileAllWaitForWork) {
  enrol_disks({"disk-1"});
  ScriptedTransport transport({}, [] {
    return TransportFailure{TransportProblem::connect, false, "refused", std::nullopt};
  });
  JobSpec job = quick_job();
  job.retry.first_backoff = std::chrono::hours(1);
  job.retry.max_backoff = std::chrono::hours(1);
  const auto invocation = begin(transport, job);
  open_audit_for_writing(file_).execute(
      "CREATE TRIGGER disk_is_full BEFORE INSERT ON outcome BEGIN SELECT RAISE(ABORT, 'full'); "
      "END");
  invocation->send();
  EXPECT_THROW(invocation->log.flush(), AuditUnusable);
  EXPECT_THAT(transport.sent_disks(), IsEmpty());
}

TEST_F(SenderTest, SendsNothingWhenTheDatabaseCannotGrow) {
  enrol_disks(numbered_disks(3'000));
  ScriptedTransport transport;
  const auto invocation = begin(transport, with_lanes(4));
  // The write connection is the log's; the limit is one of the file, as a full disk is.
  const rlimit before = limit_file_size(std::filesystem::file_size(file_) + 64 * 1024);

  EXPECT_THROW(invocation->send(), AuditUnusable);

  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_LT(transport.sent_disks().size(), 3'000U);
  for (const std::string& disk : transport.sent_disks()) {
    EXPECT_EQ(query("SELECT count(*) FROM attempt_log WHERE disk_id = '" + disk + "'"), 1) << disk;
  }
}

TEST_F(SenderTest, SendsNothingMoreWhenAnOutcomeCannotBeRecorded) {
  enrol_disks(numbered_disks(50));
  std::atomic<bool> broken = false;
  ScriptedTransport transport([&](const HttpRequest&) {
    if (!broken.exchange(true)) {
      open_audit_for_writing(file_).execute(
          "CREATE TRIGGER disk_is_full BEFORE INSERT ON outcome BEGIN SELECT RAISE(ABORT, 'full'); "
          "END");
    }
    return accepted_reply();
  });
  const auto invocation = begin(transport);
  // One sender: its next intent travels in the commit that fails.
  EXPECT_THROW(invocation->send(), AuditUnusable);
  EXPECT_EQ(transport.sent_disks().size(), 1U);
  for (const std::string& disk : transport.sent_disks()) {
    EXPECT_EQ(query("SELECT count(*) FROM attempt_log WHERE disk_id = '" + disk + "'"), 1) << disk;
  }
}

TEST_F(SenderTest, NeverSendsAgainWhatWasOpenWhenTheProcessDied) {
  enrol_disks(numbered_disks(5));
  {
    Database writer = open_audit_for_writing(file_);
    const InvocationId id = begin_test_invocation(writer, run_.id);
    AttemptLog log(std::move(writer), run_.id, id);
    for (const int disk : {2, 4}) {
      static_cast<void>(log.announce(ItemId{run_.first_item.value + disk - 1},
                                     disk_id("disk-" + std::to_string(disk)), 1, Stage::release,
                                     k_test_time)
                            .take());
    }
  }
  // Not yet recovered, and unknown all the same.
  EXPECT_EQ(counts()[ItemState::unknown], 2);
  {
    Database writer = open_audit_for_writing(file_);
    const Recovery recovery = recover(writer, k_test_time);
    EXPECT_EQ(recovery.unknown_attempts, 2);
    EXPECT_EQ(recovery.dead_invocations, 1);
    const Recovery again = recover(writer, k_test_time);
    EXPECT_EQ(again.unknown_attempts, 0);
    EXPECT_EQ(again.dead_invocations, 0);
  }

  ScriptedTransport transport;
  EXPECT_FALSE(send_all(transport));

  EXPECT_THAT(transport.sent_disks(), UnorderedElementsAre("disk-1", "disk-3", "disk-5"));
  EXPECT_EQ(counts()[ItemState::released], 3);
  EXPECT_EQ(counts()[ItemState::unknown], 2);
  EXPECT_EQ(query("SELECT count(*) FROM invocation_end WHERE reason = 'died'"), 1);
}

TEST_F(SenderTest, TriesAgainWhatWasNotSentUntilTheLimitAndThenGivesUp) {
  for (const int max_attempts : {1, 2, 5}) {
    file_ = directory_ / (std::to_string(max_attempts) + ".db");
    enrol_disks({"disk-1"});
    ScriptedTransport transport([](const HttpRequest&) { return not_sent_reply(); });
    JobSpec job = quick_job();
    job.retry.max_attempts = max_attempts;

    EXPECT_EQ(send_all(transport, job), std::nullopt);

    EXPECT_THAT(transport.sent_disks(), SizeIs(static_cast<std::size_t>(max_attempts)));
    EXPECT_EQ(counts()[ItemState::failed], 1);
    EXPECT_EQ(query("SELECT max(attempt_number) FROM attempt"), max_attempts);
    EXPECT_EQ(query("SELECT count(*) FROM decision WHERE kind = 'give_up' AND item_id = 1"
                    " AND reason = 'max_attempts'"),
              1);
    EXPECT_EQ(query("SELECT count(*) FROM outcome WHERE outcome = 'not_sent' AND sent_utc_ms IS "
                    "NULL AND latency_us IS NULL"),
              max_attempts);
  }
}

TEST_F(SenderTest, ReleasesADiskThatCouldNotBeSentAtFirst) {
  enrol_disks({"disk-1"});
  ScriptedTransport transport;
  transport.reply_next(not_sent_reply());
  EXPECT_FALSE(send_all(transport));
  EXPECT_THAT(outcomes(), ElementsAre("not_sent", "accepted"));
  EXPECT_EQ(counts()[ItemState::released], 1);
}

TEST_F(SenderTest, RecordsAFailedConnectionAsNotSentAndTriesAgain) {
  enrol_disks({"disk-1"});
  int prepared = 0;
  ScriptedTransport transport({}, [&]() -> std::optional<TransportFailure> {
    if (++prepared > 1) return std::nullopt;
    return TransportFailure{TransportProblem::connect, false, "refused", std::nullopt};
  });
  EXPECT_FALSE(send_all(transport));
  EXPECT_THAT(outcomes(), ElementsAre("not_sent", "accepted"));
  EXPECT_THAT(transport.sent_disks(), ElementsAre("disk-1"));
}

/// Connects and accepts.
class AcceptingTransport : public WaitingTransport {
 public:
  void abort_all() noexcept override {}
  int sent = 0;
  int connections = 0;

 private:
  [[nodiscard]] Reply exchange(std::size_t, const HttpRequest&) override {
    ++sent;
    return accepted_reply();
  }
  [[nodiscard]] std::optional<TransportFailure> connect(std::size_t) override {
    ++connections;
    return std::nullopt;
  }
};

/// No connection lives until the request.
class DyingConnections final : public AcceptingTransport {
 public:
  [[nodiscard]] bool is_connected(std::size_t) override { return false; }
};

TEST_F(SenderTest, GivesUpAServerThatEndsEveryNewConnection) {
  enrol_disks({"disk-1"});
  DyingConnections transport;
  JobSpec job = quick_job();
  job.retry.max_attempts = 3;
  EXPECT_EQ(send_all(transport, job), std::nullopt);
  EXPECT_THAT(outcomes(), ElementsAre("not_sent", "not_sent", "not_sent"));
  EXPECT_EQ(counts()[ItemState::failed], 1);
  EXPECT_LE(transport.connections, 2 * 3);
  EXPECT_EQ(transport.sent, 0) << "sent on a connection that had ended";
}

/// Connections that have brought an answer are kept.
class KeptConnections final : public AcceptingTransport {
 public:
  using WaitingTransport::close;

 private:
  [[nodiscard]] bool keeps_connection(const Reply&) override { return true; }
};

/// A sender that has sent once, one a second, on a connection that is kept.
class KeptConnectionTest : public SenderTest {
 protected:
  KeptConnectionTest() {
    enrol_disks(numbered_disks(3));
    JobSpec job = quick_job();
    job.rate.per_second = 1;
    rig_ = begin_with_fake_clock(transport_, job);
    sender_.emplace(rig_->parts, 0, turn_, observer_);
    for (int i = 0; i < 9 && transport_.sent == 0; ++i) step();
    EXPECT_EQ(transport_.sent, 1);
  }
  /// Ends when the sleep is over.
  void step() {
    const Due due = next_due(*sender_);
    if (const auto* until = std::get_if<SleepUntil>(&due)) {
      fake_clock_.advance_to(std::max(until->at, fake_clock_.steady_now()));
    }
  }

  KeptConnections transport_;
  const std::shared_ptr<LaneTurn> turn_ = std::make_shared<LaneTurn>();
  const AttemptObserver observer_ = [](const AttemptEvent&) {};
  std::unique_ptr<RunRig> rig_;
  std::optional<Sender> sender_;
};

TEST_F(KeptConnectionTest, SleepsOverTheCommitToItsSlotWhereNothingElseIsToBeDone) {
  const Due before = sender_->step();
  ASSERT_TRUE(std::holds_alternative<SleepUntil>(before));
  fake_clock_.advance_to(std::get<SleepUntil>(before).at);
  const Due in_slot = sender_->step();
  ASSERT_TRUE(std::holds_alternative<SleepUntil>(in_slot)) << "not for the commit";
  EXPECT_EQ(std::get<SleepUntil>(in_slot).at,
            std::get<SleepUntil>(before).at + Sender::k_intent_lead);
  EXPECT_TRUE(turn_->taken);
  fake_clock_.advance_to(std::get<SleepUntil>(in_slot).at);
  const Due due = sender_->step();
  ASSERT_TRUE(std::holds_alternative<AwaitCommit>(due)) << "nothing leaves without it";
  std::get<AwaitCommit>(due).announcement->wait();
  EXPECT_EQ(transport_.sent, 1);
  static_cast<void>(sender_->step());
  EXPECT_EQ(transport_.sent, 2);
}

TEST_F(KeptConnectionTest, TheNextIntentMayShareTheCommitOfAnOutcome) {
  const Due due = sender_->step();
  ASSERT_TRUE(std::holds_alternative<SleepUntil>(due));
  const auto before = std::get<SleepUntil>(due);
  const SteadyTime slot = before.at + Sender::k_intent_lead;
  EXPECT_EQ(before.with_answer_from, slot - std::chrono::milliseconds(1'100));
  const Due early = sender_->step();  // an answer to another one has woken its thread
  ASSERT_TRUE(std::holds_alternative<SleepUntil>(early));
  EXPECT_EQ(std::get<SleepUntil>(early).at, slot);
  ASSERT_NE(std::get<SleepUntil>(early).meanwhile, nullptr) << "it is handed over";
  EXPECT_TRUE(turn_->taken);
  EXPECT_EQ(transport_.sent, 1);
  fake_clock_.advance_to(slot);
  static_cast<void>(next_due(*sender_));
  EXPECT_EQ(transport_.sent, 2);
}

TEST_F(KeptConnectionTest, AConnectionThatIsSeldomUsedIsLookedAtShortlyBeforeTheSlotAsWell) {
  for (int others = 0; others < 3; ++others) {
    static_cast<void>(rig_->gate.reserve(fake_clock_.steady_now()));
  }
  const Due due = sender_->step();
  ASSERT_TRUE(std::holds_alternative<SleepUntil>(due));
  const auto before = std::get<SleepUntil>(due);
  fake_clock_.advance_to(before.with_answer_from);
  const Due early = sender_->step();
  ASSERT_TRUE(std::holds_alternative<SleepUntil>(early));
  EXPECT_EQ(std::get<SleepUntil>(early).at, before.at);
  ASSERT_NE(std::get<SleepUntil>(early).meanwhile, nullptr) << "it is handed over";
  EXPECT_FALSE(turn_->taken);
  transport_.close(0);
  fake_clock_.advance_to(before.at);
  const Due in_slot = next_due(*sender_);
  ASSERT_TRUE(std::holds_alternative<SleepUntil>(in_slot));
  EXPECT_EQ(std::get<SleepUntil>(in_slot).at, before.at + Sender::k_intent_lead);
  EXPECT_EQ(transport_.connections, 2) << "made ahead of the slot";
  fake_clock_.advance_to(std::get<SleepUntil>(in_slot).at);
  static_cast<void>(next_due(*sender_));
  EXPECT_EQ(transport_.sent, 2);
}

TEST_F(KeptConnectionTest, AnAnswerThatPausesTheRunTakesNoIntentAlong) {
  const SteadyTime now = fake_clock_.steady_now();
  const Due due = sender_->step();
  rig_->gate.throttled(now, now, std::chrono::seconds(30));
  fake_clock_.advance_to(std::get<SleepUntil>(due).with_answer_from);
  const Due later = sender_->step();
  EXPECT_EQ(std::get<SleepUntil>(later).at, std::get<SleepUntil>(due).at);
  EXPECT_EQ(std::get<SleepUntil>(later).meanwhile, nullptr);
  rig_->log.flush();
  EXPECT_EQ(query("SELECT count(*) FROM attempt"), 1);
}

TEST(SenderLeadTest, NoMoreThanTheNextIntentIsEarly) {
  const auto lead_at = [](std::optional<double> per_second) {
    RateLimit rate;
    rate.per_second = per_second;
    return Sender::lead_with_answer(rate);
  };
  EXPECT_EQ(lead_at(10), std::chrono::milliseconds(110));
  EXPECT_EQ(lead_at(2), std::chrono::milliseconds(550));
  EXPECT_EQ(lead_at(1), std::chrono::milliseconds(1'100));
  for (const std::optional<double> rate : {std::optional(0.9), std::optional(11.0), {}}) {
    EXPECT_EQ(lead_at(rate), Sender::k_intent_lead);
  }
}

/// And sleeps over the commit of its second intent.
class SleepingSenderTest : public KeptConnectionTest {
 protected:
  SleepingSenderTest() {
    for (int i = 0; i < 9 && !turn_->taken; ++i) step();
    EXPECT_TRUE(turn_->taken);
    EXPECT_EQ(transport_.sent, 1);
    rig_->log.flush();
    EXPECT_EQ(query("SELECT count(*) FROM attempt_log WHERE outcome IS NULL"), 1);
  }
};

TEST_F(SleepingSenderTest, SendsNothingAfterAStop) {
  rig_->dispatch.stop({EndReason::interrupted, "signal", "SIGTERM"});
  for (int i = 0; i < 5 && turn_->taken; ++i) step();
  EXPECT_FALSE(turn_->taken);
  static_cast<void>(rig_->log.close());
  EXPECT_EQ(transport_.sent, 1);
  EXPECT_THAT(outcomes(), ElementsAre("accepted", "not_sent"));
}

TEST_F(SleepingSenderTest, SendsNothingOnceTheLogHasFailed) {
  open_audit_for_writing(file_).execute(
      "CREATE TRIGGER broken BEFORE INSERT ON attempt BEGIN SELECT RAISE(ABORT, 'broken'); END");
  Announcement another = rig_->log.announce(ItemId{run_.first_item.value + 2}, disk_id("disk-3"), 1,
                                            Stage::release, fake_clock_.utc_now());
  EXPECT_THROW(static_cast<void>(another.take()), AuditUnusable);
  EXPECT_TRUE(rig_->gate.stopping());
  EXPECT_THROW(for (int i = 0; i < 5; ++i) step(), AuditUnusable);
  EXPECT_EQ(transport_.sent, 1);
}

TEST_F(SleepingSenderTest, ConnectsAnewWhereTheServerHasClosedTheConnection) {
  transport_.close(0);
  const int connections = transport_.connections;
  for (int i = 0; i < 5 && transport_.sent == 1; ++i) step();
  EXPECT_EQ(transport_.sent, 2);
  EXPECT_EQ(transport_.connections, connections + 1);
}

TEST_F(SleepingSenderTest, WaitsForItsNewSlotAfterARefusalElsewhere) {
  const SteadyTime now = fake_clock_.steady_now();
  rig_->gate.throttled(now, now, std::chrono::seconds(7));
  for (int i = 0; i < 9 && transport_.sent == 1; ++i) step();
  EXPECT_EQ(transport_.sent, 2);
  EXPECT_GE(fake_clock_.steady_now(), now + std::chrono::seconds(7));
}

TEST_F(SenderTest, TriesThrottledItemsAgainWithoutCountingTheAttempts) {
  enrol_disks({"disk-1"});
  ScriptedTransport transport;
  HttpResponse throttled = std::get<HttpResponse>(error_reply(429, "REQUEST_LIMIT_EXCEEDED"));
  throttled.headers.emplace_back("retry-after", "0");
  for (int i = 0; i < 7; ++i) transport.reply_next(throttled);
  JobSpec job = quick_job();
  job.retry.max_attempts = 1;

  EXPECT_EQ(send_all(transport, job), std::nullopt);

  EXPECT_THAT(outcomes(), SizeIs(8));
  EXPECT_EQ(outcomes().back(), "accepted");
  EXPECT_EQ(counts()[ItemState::released], 1);
}

TEST_F(SenderTest, NeverTriesAgainWhatHasAFinalOrAnUnknownOutcome) {
  const std::vector<std::pair<Reply, ItemState>> endings{
      {accepted_reply(), ItemState::released},
      {error_reply(400, "UNSUPPORTED_OPERATION_DISK_STATUS"), ItemState::rejected},
      {lost_reply(), ItemState::unknown},
      {error_reply(500, "INTERNAL_SERVER_ERROR"), ItemState::unknown},
  };
  int file = 0;
  for (const auto& [reply, expected] : endings) {
    file_ = directory_ / (std::to_string(++file) + ".db");
    enrol_disks({"disk-1"});
    ScriptedTransport transport;
    transport.reply_next(reply);
    EXPECT_FALSE(send_all(transport));
    EXPECT_THAT(transport.sent_disks(), SizeIs(1)) << file;
    EXPECT_EQ(counts()[expected], 1) << file;
    ScriptedTransport second_invocation;
    EXPECT_EQ(send_all(second_invocation), std::nullopt);
    EXPECT_THAT(second_invocation.sent_disks(), IsEmpty()) << file;
  }
}

TEST_F(SenderTest, StopsAtAnAnswerThatConcernsTheWholeRunAndLeavesTheRestPending) {
  enrol_disks(numbered_disks(10));
  ScriptedTransport transport;
  transport.reply_next(accepted_reply());
  transport.reply_next(error_reply(401, "AUTHFAILURE_SIGNATURE_FAILURE"));

  const std::optional<RunStop> stop = send_all(transport);

  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->reason, EndReason::stopped);
  EXPECT_EQ(stop->cause, "authentication");
  EXPECT_THAT(stop->detail, HasSubstr("AUTHFAILURE_SIGNATURE_FAILURE"));
  ASSERT_THAT(transport.sent_disks(), SizeIs(2));
  EXPECT_EQ(counts()[ItemState::released], 1);
  EXPECT_EQ(counts()[ItemState::pending], 9);

  // The next invocation, with a good key, sends the refused one too.
  ScriptedTransport good;
  EXPECT_EQ(send_all(good), std::nullopt);
  EXPECT_THAT(good.sent_disks(), SizeIs(9));
  EXPECT_THAT(good.sent_disks(), Contains(transport.sent_disks()[1]));
  EXPECT_EQ(counts()[ItemState::released], 10);
}

TEST_F(SenderTest, StopsByTheCircuitBreakerAfterTooManyUnknownOutcomesInARow) {
  enrol_disks(numbered_disks(30));
  ScriptedTransport transport([](const HttpRequest&) { return lost_reply(); });
  const std::optional<RunStop> stop = send_all(transport);
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->cause, "circuit_breaker");
  EXPECT_EQ(counts()[ItemState::unknown], CircuitBreaker::k_max_unknown);
  EXPECT_EQ(counts()[ItemState::pending], 30 - CircuitBreaker::k_max_unknown);
}

TEST_F(SenderTest, StopsWhenDiskAfterDiskIsRefusedForAReasonThatIsNotTheDisks) {
  enrol_disks(numbered_disks(30));
  ScriptedTransport transport(
      [](const HttpRequest&) { return error_reply(403, "ACCOUNT_SUSPENDED"); });
  const std::optional<RunStop> stop = send_all(transport);
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->reason, EndReason::stopped);
  EXPECT_EQ(stop->cause, "circuit_breaker");
  EXPECT_THAT(stop->detail, HasSubstr("ACCOUNT_SUSPENDED"));
  EXPECT_EQ(counts()[ItemState::rejected], CircuitBreaker::k_max_refused);
  EXPECT_EQ(counts()[ItemState::pending], 30 - CircuitBreaker::k_max_refused);
}

TEST_F(SenderTest, GoesOnWhenDiskAfterDiskIsRefusedForTheDisk) {
  enrol_disks(numbered_disks(30));
  ScriptedTransport transport(
      [](const HttpRequest&) { return error_reply(404, "INVALID_DISK_NOT_FOUND"); });
  EXPECT_FALSE(send_all(transport));
  EXPECT_EQ(counts()[ItemState::pending], 0);
}

TEST_F(SenderTest, StopsWhenTheRunNeedsMoreRetriesThanItsBudget) {
  enrol_disks(numbered_disks(30));
  // Never two failures in a row, so the circuit breaker keeps still.
  std::map<std::string, int> tries;
  ScriptedTransport transport([&](const HttpRequest& request) {
    return ++tries[disk_of(request)] == 1 ? not_sent_reply() : accepted_reply();
  });
  JobSpec job = quick_job();
  job.retry.budget_percent = 0;
  const std::optional<RunStop> stop = send_all(transport, job);
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->cause, "retry_budget");
  EXPECT_EQ(query("SELECT count(*) FROM outcome WHERE outcome = 'not_sent'"), 11);
  EXPECT_EQ(counts()[ItemState::failed], 0);
  EXPECT_EQ(counts()[ItemState::pending] + counts()[ItemState::released], 30);
}

TEST_F(SenderTest, StaysWithinARetryBudgetThatJustSuffices) {
  enrol_disks(numbered_disks(10));
  std::map<std::string, int> tries;
  ScriptedTransport transport([&](const HttpRequest& request) {
    return ++tries[disk_of(request)] == 1 ? not_sent_reply() : accepted_reply();
  });
  JobSpec job = quick_job();
  job.retry.budget_percent = 0;
  EXPECT_EQ(send_all(transport, job), std::nullopt);
  EXPECT_EQ(counts()[ItemState::released], 10);
}

TEST_F(SenderTest, RecordsAnAnnouncedAttemptAsNotSentWhenStoppedBeforeItsSlot) {
  enrol_disks({"disk-1", "disk-2"});
  ScriptedTransport transport;
  {
    const auto invocation = begin_with_fake_clock(transport);
    std::vector<AttemptEvent> events;
    const AttemptObserver observer = [&](const AttemptEvent& event) { events.push_back(event); };
    Sender sender(invocation->parts, 0, std::make_shared<LaneTurn>(), observer);
    ASSERT_TRUE(std::holds_alternative<SleepUntil>(next_due(sender)));  // has a slot
    ASSERT_TRUE(std::holds_alternative<SleepUntil>(next_due(sender)));  // has an intent
    EXPECT_EQ(query("SELECT count(*) FROM attempt_log WHERE outcome IS NULL"), 1);

    invocation->dispatch.stop({EndReason::interrupted, "signal", "SIGTERM"});
    ASSERT_TRUE(std::holds_alternative<SleepUntil>(next_due(sender)));
    EXPECT_TRUE(std::holds_alternative<Finished>(next_due(sender)));
    static_cast<void>(invocation->log.close());
    ASSERT_THAT(events, SizeIs(1));
    EXPECT_EQ(events[0].outcome, Outcome::not_sent);
    EXPECT_EQ(invocation->dispatch.progress(fake_clock_.steady_now()).in_flight, 0);
  }
  EXPECT_THAT(transport.sent_disks(), IsEmpty());
  EXPECT_THAT(outcomes(), ElementsAre("not_sent"));
  EXPECT_EQ(counts()[ItemState::pending], 2);

  EXPECT_FALSE(send_all(transport));
  EXPECT_THAT(transport.sent_disks(), UnorderedElementsAre("disk-1", "disk-2"));
  EXPECT_EQ(counts()[ItemState::released], 2);
}

TEST_F(SenderTest, PutsAnItemBackWithoutARowWhenStoppedBeforeItsIntent) {
  enrol_disks({"disk-1"});
  ScriptedTransport transport;
  const auto invocation = begin_with_fake_clock(transport);
  Sender sender = lone_sender(*invocation);
  ASSERT_TRUE(std::holds_alternative<SleepUntil>(next_due(sender)));
  EXPECT_EQ(invocation->dispatch.progress(fake_clock_.steady_now()).in_flight, 1);
  invocation->dispatch.stop({EndReason::interrupted, "signal", "SIGTERM"});
  ASSERT_TRUE(std::holds_alternative<SleepUntil>(next_due(sender)));
  EXPECT_TRUE(std::holds_alternative<Finished>(next_due(sender)));
  EXPECT_EQ(invocation->dispatch.progress(fake_clock_.steady_now()).in_flight, 0);
  static_cast<void>(invocation->log.close());
  EXPECT_EQ(query("SELECT count(*) FROM attempt"), 0);
  EXPECT_EQ(counts()[ItemState::pending], 1);
}

TEST_F(SenderTest, AnnouncesAnAttemptNoEarlierThanTheLeadBeforeItsSlot) {
  enrol_disks({"disk-1", "disk-2"});
  ScriptedTransport transport;
  JobSpec job = quick_job();
  job.rate.per_second = 1.0;
  const auto invocation = begin_with_fake_clock(transport, job);
  Sender sender = lone_sender(*invocation);
  for (int step = 0; step < 3; ++step) {
    const Due due = next_due(sender);
    ASSERT_TRUE(std::holds_alternative<SleepUntil>(due));
    fake_clock_.advance_to(std::get<SleepUntil>(due).at);
  }
  ASSERT_THAT(transport.sent_disks(), SizeIs(1));
  const SteadyTime first = fake_clock_.steady_now();

  const Due second = next_due(sender);
  EXPECT_EQ(std::get<SleepUntil>(second).at,
            first + std::chrono::milliseconds(1'008) - Sender::k_intent_lead);
  fake_clock_.advance_to(std::get<SleepUntil>(second).at);
  const Due announced = next_due(sender);
  EXPECT_EQ(std::get<SleepUntil>(announced).at, first + std::chrono::milliseconds(1'008));

  // Woken too early, it does not send; it gets the time to wait for.
  const Due too_early = next_due(sender);
  EXPECT_EQ(std::get<SleepUntil>(too_early).at, first + std::chrono::milliseconds(1'008));
  EXPECT_THAT(transport.sent_disks(), SizeIs(1));
  fake_clock_.advance_to(std::get<SleepUntil>(too_early).at);
  static_cast<void>(next_due(sender));
  EXPECT_THAT(transport.sent_disks(), SizeIs(2));
}

TEST_F(SenderTest, WithoutARateTheFirstRequestWaitsForNothingButItsIntent) {
  enrol_disks({"disk-1"});
  ScriptedTransport transport;
  const auto invocation = begin_with_fake_clock(transport);
  Sender sender = lone_sender(*invocation);
  const SteadyTime began = fake_clock_.steady_now();
  for (int step = 0; step < 9 && transport.sent_disks().empty(); ++step) {
    const Due due = next_due(sender);
    if (const auto* sleep = std::get_if<SleepUntil>(&due)) {
      EXPECT_LE(sleep->at, began);
    }
  }
  EXPECT_THAT(transport.sent_disks(), SizeIs(1));
}

/// Its first connection is closed as soon as it stands.
class FirstConnectionEnds final : public AcceptingTransport {
 public:
  [[nodiscard]] bool is_connected(std::size_t lane) override {
    return connections > 1 && WaitingTransport::is_connected(lane);
  }
};

TEST_F(SenderTest, AFirstConnectionThatEndsAtOnceIsMadeAgainWithAndWithoutARate) {
  enrol_disks({"disk-1", "disk-2"});
  JobSpec job = quick_job();
  for (const std::optional<double> rate : {std::optional<double>(), std::optional(1.0)}) {
    FirstConnectionEnds transport;
    job.rate.per_second = rate;
    const auto invocation = begin_with_fake_clock(transport, job);
    const AttemptObserver observer = [&](const AttemptEvent& event) {
      EXPECT_EQ(event.outcome, Outcome::accepted);
      invocation->dispatch.stop({});
    };
    Sender sender(invocation->parts, 0, std::make_shared<LaneTurn>(), observer);
    for (int step = 0; step < 9; ++step) {
      const Due due = next_due(sender);
      if (std::holds_alternative<Finished>(due)) break;
      fake_clock_.advance_to(std::max(std::get<SleepUntil>(due).at, fake_clock_.steady_now()));
    }
    EXPECT_EQ(transport.connections, 2);
  }
  EXPECT_EQ(counts()[ItemState::released], 2);
}

/// The processor may be taken away between the count of a departure and its write.
TEST_F(SenderTest, ARequestThatWasHeldUpCountsFromWhenItLeft) {
  enrol_disks({"disk-1", "disk-2"});
  constexpr std::chrono::milliseconds held_up(400);
  ScriptedTransport transport([this, held_up](const HttpRequest&) {
    fake_clock_.advance_to(fake_clock_.steady_now() + held_up);
    return accepted_reply();
  });
  JobSpec job = quick_job();
  job.rate.per_second = 1.0;
  const auto invocation = begin_with_fake_clock(transport, job);
  Sender sender = lone_sender(*invocation);
  std::vector<SteadyTime> left;
  for (int step = 0; step < 30 && left.size() < 2; ++step) {
    const Due due = next_due(sender);
    if (transport.sent_disks().size() > left.size()) left.push_back(fake_clock_.steady_now());
    ASSERT_TRUE(std::holds_alternative<SleepUntil>(due));
    fake_clock_.advance_to(std::max(std::get<SleepUntil>(due).at, fake_clock_.steady_now()));
  }
  ASSERT_THAT(left, SizeIs(2));
  // The second one was held up as well, after it had kept a second from where the first had left.
  EXPECT_GE(left[1] - held_up - left[0], std::chrono::seconds(1));
}

/// A job with preflight, where the test is the scout.
class StaleItemTest : public SenderTest {
 protected:
  StaleItemTest() {
    enrol_disks({"disk-1"});
    JobSpec job = quick_job();
    job.preflight = true;
    job.rate.per_second = 1.0;
    rig_ = begin_with_fake_clock(transport_, job);
    see();
    sender_.emplace(rig_->parts, 0, std::make_shared<LaneTurn>(), observer_);
  }
  void see() {
    const SteadyTime now = fake_clock_.steady_now();
    auto batch = rig_->dispatch.next_batch(now, fake_clock_.utc_now());
    ASSERT_TRUE(std::holds_alternative<LookBatch>(batch));
    rig_->dispatch.ready(std::move(std::get<LookBatch>(batch).items.at(0)), Stage::release,
                         {now, now});
  }
  /// To the next time that it waits for.
  void step() {
    const Due due = next_due(*sender_);
    if (const auto* sleep = std::get_if<SleepUntil>(&due)) {
      fake_clock_.advance_to(std::max(sleep->at, fake_clock_.steady_now()));
    }
  }

  void expect_sent_only_after_another_look() {
    EXPECT_THAT(transport_.sent_disks(), IsEmpty());
    rig_->log.flush();
    EXPECT_THAT(outcomes(), ElementsAre("not_sent"));
    see();
    for (int i = 0; i < 8 && transport_.sent_disks().empty(); ++i) step();
    EXPECT_THAT(transport_.sent_disks(), ElementsAre("disk-1"));
  }

  ScriptedTransport transport_;
  std::unique_ptr<RunRig> rig_;
  const AttemptObserver observer_ = [](const AttemptEvent&) {};
  std::optional<Sender> sender_;
};

/// Other processes have slots in front of it.
TEST_F(StaleItemTest, WhatHasWaitedTooLongForItsSlotIsLookedAtAgainAndNotAnnounced) {
  for (int slot = 0; slot < 301; ++slot) {
    static_cast<void>(rig_->gate.reserve(fake_clock_.steady_now()));
  }
  for (int i = 0; i < 4; ++i) step();
  EXPECT_THAT(transport_.sent_disks(), IsEmpty());
  EXPECT_EQ(query("SELECT count(*) FROM attempt"), 0);
  see();
  for (int i = 0; i < 4; ++i) step();
  EXPECT_THAT(transport_.sent_disks(), ElementsAre("disk-1"));
}

TEST_F(StaleItemTest, WhatPausesHoldUpForTooLongIsLookedAtAgainAndNotSent) {
  step();  // has a slot
  step();  // has an intent
  ASSERT_EQ(query("SELECT count(*) FROM attempt_log WHERE outcome IS NULL"), 1);
  for (int minute = 0; minute < 6; ++minute) {
    const SteadyTime now = fake_clock_.steady_now();
    rig_->gate.throttled(now, now, std::chrono::seconds(60));
    step();
  }
  fake_clock_.advance(std::chrono::seconds(60));  // a look from within the pause is old after it
  expect_sent_only_after_another_look();
  EXPECT_EQ(query("SELECT max(attempt_number) FROM attempt"), 2);
}

/// As after SIGSTOP, or a sync that takes minutes.
TEST_F(StaleItemTest, WhatHasGrownOldWhileTheProcessStoodStillIsLookedAtAgainAndNotSent) {
  step();  // has a slot
  step();  // has an intent
  ASSERT_EQ(query("SELECT count(*) FROM attempt_log WHERE outcome IS NULL"), 1);
  fake_clock_.advance_to(fake_clock_.steady_now() + rig_->dispatch.look_valid_for());
  for (int i = 0; i < 3; ++i) step();
  EXPECT_EQ(rig_->gate.departures(), 0) << "no slot is lost";
  expect_sent_only_after_another_look();
}

/// Much time passes between a sender's last look at its connection and its departure.
class HeldUpDepartures final : public AcceptingTransport {
 public:
  HeldUpDepartures(FakeClock& clock, const Dispatch& dispatch)
      : clock_(clock), dispatch_(dispatch) {}
  [[nodiscard]] bool is_connected(std::size_t lane) override {
    const bool connected = WaitingTransport::is_connected(lane);
    if (connected) clock_.advance(dispatch_.look_valid_for());
    return connected;
  }

 private:
  FakeClock& clock_;
  const Dispatch& dispatch_;
};

/// As when another process holds the lock of the common pace.
TEST_F(StaleItemTest, WhatHasGrownOldAtItsVeryDepartureIsLookedAtAgainAndNotSent) {
  HeldUpDepartures transport(fake_clock_, rig_->dispatch);
  const RunParts& rigs = rig_->parts;
  const RunParts parts{rigs.log,    transport, rigs.clock,    rigs.clock_guard,
                       rigs.caller, rigs.gate, rigs.dispatch, rigs.spec};
  Sender sender(parts, 0, std::make_shared<LaneTurn>(), observer_);
  for (int i = 0; i < 4; ++i) {
    const Due due = next_due(sender);
    if (const auto* sleep = std::get_if<SleepUntil>(&due)) {
      fake_clock_.advance_to(std::max(sleep->at, fake_clock_.steady_now()));
    }
  }
  rig_->log.flush();
  EXPECT_THAT(outcomes(), ElementsAre("not_sent"));
  EXPECT_EQ(transport.sent, 0);
}

/// Two senders of one lane, both with a durable intent, the request of the first under way.
class TwoOnALaneTest : public SenderTest {
 protected:
  TwoOnALaneTest() {
    enrol_disks({"disk-1", "disk-2"});
    rig_ = begin_with_fake_clock(transport_);
    first_.emplace(rig_->parts, 0, turn_, observer_);
    second_.emplace(rig_->parts, 0, turn_, observer_);
    while (transport_.sent_disks().empty()) step(*first_);
    while (!std::holds_alternative<AwaitLane>(step(*second_))) {
    }
  }
  Due step(Sender& sender) {
    Due due = sender.step();
    if (const auto* commit = std::get_if<AwaitCommit>(&due)) commit->announcement->wait();
    if (const auto* sleep = std::get_if<SleepUntil>(&due)) {
      fake_clock_.advance_to(std::max(sleep->at, fake_clock_.steady_now()));
    }
    return due;
  }

  ScriptedTransport transport_;
  std::unique_ptr<RunRig> rig_;
  const AttemptObserver observer_ = [](const AttemptEvent&) {};
  std::shared_ptr<LaneTurn> turn_ = std::make_shared<LaneTurn>();
  std::optional<Sender> first_;
  std::optional<Sender> second_;
};

TEST_F(TwoOnALaneTest, TheSecondIntentIsDurableWhileTheFirstRequestIsUnderWay) {
  EXPECT_EQ(query("SELECT count(*) FROM attempt_log WHERE outcome IS NULL"), 2);
  EXPECT_THAT(transport_.sent_disks(), SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<AwaitLane>(step(*second_))) << "the lane is taken";

  while (turn_->taken) step(*first_);
  while (transport_.sent_disks().size() == 1) step(*second_);
  while (turn_->taken) step(*second_);
  static_cast<void>(rig_->log.close());
  EXPECT_THAT(transport_.sent_disks(), UnorderedElementsAre("disk-1", "disk-2"));
  EXPECT_THAT(outcomes(), ElementsAre("accepted", "accepted"));
}

TEST_F(TwoOnALaneTest, AStopCancelsTheOneThatWaitsForTheLaneAndAwaitsTheOther) {
  rig_->dispatch.stop({EndReason::interrupted, "signal", "SIGTERM"});
  step(*second_);
  EXPECT_TRUE(turn_->taken) << "by the request that is under way";
  while (turn_->taken) step(*first_);
  EXPECT_TRUE(std::holds_alternative<Finished>(step(*first_)));
  EXPECT_TRUE(std::holds_alternative<Finished>(step(*second_)));
  static_cast<void>(rig_->log.close());
  EXPECT_THAT(transport_.sent_disks(), SizeIs(1));
  EXPECT_THAT(outcomes(), ElementsAre("accepted", "not_sent"));
  EXPECT_EQ(counts()[ItemState::pending], 1);
}

TEST_F(SenderTest, StopWakesSendersThatWaitForDistantSlots) {
  enrol_disks(numbered_disks(8));
  JobSpec job = with_lanes(4);
  job.rate.per_second = k_min_rate;
  std::unique_ptr<RunRig> invocation;
  ScriptedTransport transport([&](const HttpRequest&) {
    invocation->dispatch.stop({EndReason::interrupted, "signal", "SIGTERM"});
    return accepted_reply();
  });
  invocation = begin(transport, job);
  invocation->send();
  static_cast<void>(invocation->log.close());
  EXPECT_THAT(transport.sent_disks(), SizeIs(1));
  EXPECT_EQ(counts()[ItemState::released], 1);
  EXPECT_EQ(counts()[ItemState::pending], 7);
  EXPECT_EQ(query("SELECT count(*) FROM attempt_log WHERE outcome IS NULL"), 0);
}

TEST_F(SenderTest, StopDoesNotCutOffARequestUnderWay) {
  enrol_disks(numbered_disks(3));
  std::unique_ptr<RunRig> invocation;
  ScriptedTransport transport([&](const HttpRequest&) {
    invocation->dispatch.stop({EndReason::interrupted, "signal", "SIGTERM"});
    return accepted_reply();
  });
  invocation = begin(transport);
  invocation->send();
  static_cast<void>(invocation->log.close());
  EXPECT_THAT(outcomes(), ElementsAre("accepted"));
}

TEST_F(SenderTest, RecordsWhatTheAnswerSaid) {
  enrol_disks({"disk-1"});
  ScriptedTransport transport;
  EXPECT_FALSE(send_all(transport));
  const std::vector<LogRow> rows = log_rows();
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].disk_id, "disk-1");
  EXPECT_EQ(rows[0].http_status, 200);
  EXPECT_EQ(rows[0].request_id, "request-0001");
  EXPECT_TRUE(rows[0].sent);
  EXPECT_TRUE(rows[0].finished);
  EXPECT_GE(rows[0].latency_us.value_or(-1), 0);
}

TEST_F(SenderTest, TellsTheObserverOfEveryAttemptOneAtATime) {
  enrol_disks(numbered_disks(50));
  ScriptedTransport transport;
  const auto invocation = begin(transport, with_lanes(8));
  std::atomic<int> inside = 0;
  std::set<std::string> told;
  invocation->send([&](const AttemptEvent& event) {
    EXPECT_EQ(++inside, 1);
    told.insert(event.disk_id);
    --inside;
  });
  EXPECT_THAT(told, SizeIs(50));
}

TEST_F(SenderTest, SendsEveryItemOfSeveralPagesExactlyOnceOverManyLanes) {
  enrol_disks(numbered_disks(1'203));
  ScriptedTransport transport;
  EXPECT_EQ(send_all(transport, with_lanes(8)), std::nullopt);
  EXPECT_THAT(transport.sent_disks(), UnorderedElementsAreArray(numbered_disks(1'203)));
}

}  // namespace
}  // namespace diskrelease
