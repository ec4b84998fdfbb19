#include "record/attempt_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "evidence/chain.h"
#include "model/errors.h"
#include "queries/run_queries.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "support/enrolled_run.h"
#include "support/record_check.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

static_assert(!std::is_copy_constructible_v<OpenAttempt> && !std::is_copy_assignable_v<OpenAttempt>,
              "a licence to send can be used once");
static_assert(!std::is_default_constructible_v<OpenAttempt>);

class AttemptLogTest : public ::testing::Test {
 protected:
  void enrol_disks(int count) {
    create_audit_database(file_);
    Database database = open_audit_for_writing(file_);
    run_ = enrol(database, numbered_disks(count));
    invocation_ = begin_test_invocation(database, run_.id);
  }
  [[nodiscard]] ItemId item(int number) const { return ItemId{run_.first_item.value + number - 1}; }
  OpenAttempt announce(AttemptLog& log, int number) {
    return log
        .announce(item(number), disk_id("disk-" + std::to_string(number)), 1, Stage::release,
                  k_test_time)
        .take();
  }
  std::int64_t query(const std::string& sql) {
    return Database(file_, Database::Access::read_only).query_integer(sql);
  }
  void break_table(const std::string& table) {
    open_audit_for_writing(file_).execute("CREATE TRIGGER broken BEFORE INSERT ON " + table +
                                          " BEGIN SELECT RAISE(ABORT, 'broken'); END");
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  RunRecord run_;
  InvocationId invocation_;
};

TEST_F(AttemptLogTest, AnIntentIsOnDiskWhenItsLicenceIsHandedOut) {
  enrol_disks(1);
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_);
  const OpenAttempt attempt = announce(log, 1);
  EXPECT_EQ(query("SELECT count(*) FROM attempt WHERE attempt_id = " +
                  std::to_string(attempt.id().value) +
                  " AND item_id = 1 AND attempt_number = 1 AND stage = 1"),
            1);
  EXPECT_EQ(attempt.item(), item(1));
  EXPECT_EQ(attempt.disk(), disk_id("disk-1"));
  EXPECT_EQ(attempt.number(), 1);
  EXPECT_EQ(attempt.stage(), Stage::release);
}

/// The head of what would be left if the write-ahead log were lost.
std::int64_t last_block_without_log(const std::filesystem::path& file) {
  sqlite3* handle = nullptr;
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_open_v2(("file:" + file.string() + "?immutable=1").c_str(), &handle,
                            SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr),
            SQLITE_OK);
  EXPECT_EQ(sqlite3_prepare_v2(handle, "SELECT max(block_id) FROM chain", -1, &statement, nullptr),
            SQLITE_OK);
  EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
  const std::int64_t block = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(handle);
  return block;
}

/// 16 MiB are moved into the database at a time, three times.
TEST_F(AttemptLogTest, AnAnchorNamesWhatIsLostWithTheWriteAheadLogAtAnyTime) {
  enrol_disks(1);
  Database database = open_audit_for_writing(file_);
  std::vector<std::int64_t> anchored;
  AttemptLog log(std::move(database), run_.id, invocation_, AttemptLog::k_max_delay, {},
                 AttemptLog::k_intent_delay, nullptr,
                 [&](const ChainHead& head) { anchored.push_back(head.block); });
  const std::string detail(500'000, 'x');
  int checkpoints = 0;
  std::int64_t before = 0;
  for (int i = 0; i < 110; ++i) {
    log.record_decision({DecisionKind::stop, std::nullopt, "test", detail}, k_test_time);
    log.flush();
    const std::int64_t kept = last_block_without_log(file_);
    const std::int64_t head = query("SELECT max(block_id) FROM chain");
    if (std::exchange(before, kept) != kept) ++checkpoints;
    ASSERT_FALSE(anchored.empty());
    EXPECT_TRUE(kept == head || anchored.back() > kept) << kept << " of " << head;
  }
  EXPECT_GE(checkpoints, 3);
  EXPECT_LE(std::ssize(anchored), checkpoints + 1) << "an anchor costs a sync";
}

TEST_F(AttemptLogTest, AnAnchorThatCannotBeWrittenFailsTheCommit) {
  enrol_disks(2);
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_, AttemptLog::k_max_delay, {},
                 AttemptLog::k_intent_delay, nullptr,
                 [](const ChainHead&) { throw AuditUnusable("no anchor"); });
  EXPECT_THROW(static_cast<void>(announce(log, 1)), AuditUnusable);
  EXPECT_THROW(static_cast<void>(announce(log, 2)), AuditUnusable);
}

TEST_F(AttemptLogTest, RecordsEveryFieldOfAnOutcome) {
  enrol_disks(2);
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_);
  OutcomeRecord full;
  full.outcome = Outcome::throttled;
  full.scope = Scope::run;
  full.http_status = 429;
  full.api_code = "CODE";
  full.request_id = "request-1";
  full.message = "slow down";
  full.retry_after = milliseconds(1'500);
  full.sent = k_test_time + milliseconds(1);
  full.finished = k_test_time + milliseconds(2);
  full.latency = microseconds(777);
  log.record_outcome(announce(log, 1), full);
  OutcomeRecord empty;
  empty.finished = k_test_time;
  log.record_outcome(announce(log, 2), empty);
  log.flush();
  EXPECT_EQ(query("SELECT count(*) FROM outcome WHERE attempt_id = 1 AND outcome = 'throttled'"
                  " AND scope = 'run' AND http_status = 429 AND api_code = 'CODE'"
                  " AND request_id = 'request-1' AND message = 'slow down'"
                  " AND retry_after_ms = 1500 AND sent_utc_ms = 1795000000001"
                  " AND finished_utc_ms = 1795000000002 AND latency_us = 777"),
            1);
  EXPECT_EQ(query("SELECT count(*) FROM outcome WHERE attempt_id = 2 AND outcome = 'unknown'"
                  " AND scope = 'disk' AND coalesce(http_status, api_code, request_id, message,"
                  " retry_after_ms, sent_utc_ms, latency_us) IS NULL"),
            1);
}

TEST_F(AttemptLogTest, ADroppedLicenceLeavesTheAttemptOpen) {
  enrol_disks(1);
  {
    AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_);
    static_cast<void>(announce(log, 1));
  }
  EXPECT_EQ(query("SELECT count(*) FROM attempt"), 1);
  EXPECT_EQ(query("SELECT count(*) FROM outcome"), 0);
}

TEST_F(AttemptLogTest, DestructionWritesWhatWasHandedOver) {
  enrol_disks(1);
  {
    AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_);
    OutcomeRecord outcome;
    outcome.outcome = Outcome::accepted;
    log.record_outcome(announce(log, 1), outcome);
    log.record_decision({DecisionKind::stop, std::nullopt, "signal", ""}, k_test_time);
  }
  EXPECT_EQ(query("SELECT count(*) FROM outcome WHERE outcome = 'accepted'"), 1);
  EXPECT_EQ(query("SELECT count(*) FROM decision WHERE kind = 'stop' AND reason = 'signal'"
                  " AND item_id IS NULL AND detail IS NULL"),
            1);
}

TEST_F(AttemptLogTest, ACommitHasItsOutcomesFirstAndInTheOrderOfTheirAttempts) {
  enrol_disks(4);
  {
    // No commit but with a flush.
    AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_, std::chrono::hours(1));
    std::vector<OpenAttempt> attempts;
    for (int disk = 1; disk <= 3; ++disk) attempts.push_back(announce(log, disk));
    const auto blocks_before = query("SELECT max(block_id) FROM chain");
    log.record_decision({DecisionKind::stop, std::nullopt, "signal", ""}, k_test_time);
    OutcomeRecord outcome;
    for (const std::size_t attempt : {2U, 0U, 1U}) {
      outcome.outcome = attempt == 0 ? Outcome::throttled : Outcome::accepted;
      log.record_outcome(std::move(attempts[attempt]), outcome);
    }
    log.record_decision({DecisionKind::give_up, item(1), "max_attempts", ""}, k_test_time);
    log.flush();
    Database reader = open_audit_for_reading(file_);
    EXPECT_EQ(query("SELECT max(block_id) FROM chain"), blocks_before + 1);
    Statement block = reader.prepare("SELECT entries FROM chain ORDER BY block_id DESC LIMIT 1");
    ASSERT_TRUE(block.step());
    const std::string entries(block.text(0));
    std::vector<std::pair<EvidenceKind, std::int64_t>> rows;
    for (std::size_t i = 0; i < entries.size() / k_entry_size; ++i) {
      const ChainEntry entry = entry_at(entries, i);
      rows.emplace_back(entry.kind, entry.id);
    }
    EXPECT_THAT(rows, ::testing::ElementsAre(
                          std::pair(EvidenceKind::outcome, 1), std::pair(EvidenceKind::outcome, 2),
                          std::pair(EvidenceKind::outcome, 3), std::pair(EvidenceKind::decision, 1),
                          std::pair(EvidenceKind::decision, 2)));
  }
  EXPECT_THAT(record_problems_in(file_), ::testing::IsEmpty());
}

/// Many intents that one commit carries: they wait for company while many attempts are open.
class ManyIntentsTest : public AttemptLogTest {
 protected:
  static constexpr int k_open = 60;

  void SetUp() override {
    enrol_disks(100);
    log_.emplace(open_audit_for_writing(file_), run_.id, invocation_, std::chrono::hours(1),
                 LogListeners{}, std::chrono::hours(1));
    announce_all(1, k_open);
    log_->flush();
    take_all();
    blocks_ = query("SELECT max(block_id) FROM chain");
  }
  void announce_all(int first, int last) {
    for (int number = first; number <= last; ++number) announce_one(number);
  }
  void announce_one(int number) {
    announced_.push_back(log_->announce(item(number), disk_id("disk-" + std::to_string(number)), 1,
                                        Stage::release, k_test_time));
  }
  void take_all() {
    for (Announcement& announcement : announced_) open_.push_back(announcement.take());
    announced_.clear();
  }

  std::optional<AttemptLog> log_;
  std::vector<Announcement> announced_;
  std::vector<OpenAttempt> open_;
  std::int64_t blocks_ = 0;
};

TEST_F(ManyIntentsTest, HaveEachItsItemAndWhatWasReadBeforeIt) {
  announce_all(61, 70);
  ReadRecord read{ReadPurpose::preflight, 2, "complete", 200, "", "", "", k_test_time, k_test_time};
  std::vector<ItemSighting> sightings;
  for (const int number : {65, 75}) {
    sightings.push_back({item(number), Sighting{disk_id("disk-" + std::to_string(number)),
                                                DiskStatus::available,
                                                "",
                                                "",
                                                {},
                                                "",
                                                "",
                                                "",
                                                "",
                                                {}}});
  }
  log_->record_read(read, sightings);
  announce_all(71, 80);
  log_->flush();
  take_all();
  EXPECT_EQ(query("SELECT max(block_id) FROM chain"), blocks_ + 1);
  ASSERT_EQ(open_.size(), 80U);
  for (std::size_t i = 0; i < open_.size(); ++i) {
    const OpenAttempt& attempt = open_[i];
    EXPECT_EQ(attempt.item(), item(static_cast<int>(i) + 1));
    EXPECT_EQ(attempt.disk().text(), "disk-" + std::to_string(i + 1));
    EXPECT_EQ(query("SELECT item_id FROM attempt WHERE attempt_id = " +
                    std::to_string(attempt.id().value)),
              attempt.item().value);
  }
  // The read of disk 65 was handed over behind its intent.
  EXPECT_EQ(query("SELECT count(*) FROM attempt WHERE observation_id IS NOT NULL"), 1);
  EXPECT_EQ(query("SELECT observation.item_id FROM attempt JOIN observation USING (observation_id)"
                  " WHERE attempt.item_id = observation.item_id"),
            item(75).value);
  for (OpenAttempt& attempt : open_) log_->record_outcome(std::move(attempt), {});
  static_cast<void>(log_->close());
  EXPECT_THAT(record_problems_in(file_), ::testing::IsEmpty());
}

TEST_F(ManyIntentsTest, AreAllRefusedWithTheOneThatIs) {
  announce_all(61, 64);
  announce_one(7);
  announce_all(65, 80);
  EXPECT_THROW(log_->flush(), AuditUnusable);
  for (Announcement& announcement : announced_) {
    EXPECT_THROW(static_cast<void>(announcement.take()), AuditUnusable);
  }
  EXPECT_EQ(query("SELECT count(*) FROM attempt"), k_open);
  EXPECT_EQ(query("SELECT max(block_id) FROM chain"), blocks_);
}

TEST_F(AttemptLogTest, FailsWhereThereIsNoIdLeft) {
  enrol_disks(2);
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_);
  {
    Database database(file_, Database::Access::read_write);
    database.execute(
        "INSERT INTO attempt (attempt_id, item_id, invocation_id, attempt_number, stage,"
        " intent_utc_ms) VALUES (9223372036854775807, " +
        std::to_string(item(2).value) + ", 1, 1, 1, 1)");
  }
  EXPECT_THROW(static_cast<void>(announce(log, 1)), AuditUnusable);
}

TEST_F(AttemptLogTest, CloseGivesTheConnectionBack) {
  enrol_disks(1);
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_);
  log.record_outcome(announce(log, 1), {});
  Database database = log.close();
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM outcome"), 1);
  end_invocation(database, invocation_, EndReason::finished, "", 0, k_test_time);
  EXPECT_EQ(query("SELECT count(*) FROM invocation_end"), 1);
}

TEST_F(AttemptLogTest, KeepsTheRecordsOfManyThreadsApartAndAllOfThem) {
  constexpr int k_threads = 8;
  constexpr int k_each = 50;
  enrol_disks(k_threads * k_each);
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_);
  std::mutex mutex;
  std::set<std::int64_t> ids;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < k_threads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 1; i <= k_each; ++i) {
          const int number = thread * k_each + i;
          OpenAttempt attempt = announce(log, number);
          {
            const std::lock_guard lock(mutex);
            ids.insert(attempt.id().value);
          }
          OutcomeRecord outcome;
          outcome.outcome = Outcome::accepted;
          outcome.request_id = "disk-" + std::to_string(number);
          log.record_outcome(std::move(attempt), outcome);
        }
      });
    }
  }
  log.flush();
  EXPECT_EQ(ids.size(), std::size_t{k_threads * k_each});
  EXPECT_EQ(query("SELECT count(*) FROM attempt_log WHERE outcome = 'accepted'"
                  " AND request_id = disk_id"),
            k_threads * k_each);
}

/// Nothing here happens because time has passed: every wait of the log is an hour.
class AttemptLogCompanyTest : public AttemptLogTest {
 protected:
  AttemptLogCompanyTest() { enrol_disks(8); }

  Announcement hand_over(int number) {
    return log().announce(item(number), disk_id("disk-" + std::to_string(number)), 1,
                          Stage::release, k_test_time);
  }
  AttemptLog& log() {
    if (!log_) {
      log_.emplace(open_audit_for_writing(file_), run_.id, invocation_, std::chrono::hours(1),
                   LogListeners{}, std::chrono::hours(1));
    }
    return *log_;
  }
  /// Three attempts that are open.
  std::vector<OpenAttempt> open_three() {
    std::vector<OpenAttempt> open;
    for (int number = 1; number <= 3; ++number) open.push_back(hand_over(number).take());
    return open;
  }
  std::optional<AttemptLog> log_;
};

TEST_F(AttemptLogCompanyTest, AnIntentWaitsForAnotherWhileManyAttemptsAreOpen) {
  const std::vector<OpenAttempt> open = open_three();
  const std::int64_t before = query("SELECT count(*) FROM chain");
  Announcement fourth = hand_over(4);
  Announcement fifth = hand_over(5);
  static_cast<void>(fourth.take());
  static_cast<void>(fifth.take());
  EXPECT_EQ(query("SELECT count(*) FROM chain"), before + 1);
}

TEST_F(AttemptLogCompanyTest, AnIntentDoesNotWaitForLongerThanAttemptsAreOpen) {
  std::vector<OpenAttempt> open = open_three();
  Announcement fourth = hand_over(4);
  log().record_outcome(std::move(open.back()), {});
  static_cast<void>(fourth.take());
  EXPECT_EQ(query("SELECT count(*) FROM outcome"), 1);
}

TEST_F(AttemptLogCompanyTest, AFlushAndTheEndDoNotWaitForCompany) {
  const std::vector<OpenAttempt> open = open_three();
  Announcement fourth = hand_over(4);
  log().flush();
  EXPECT_TRUE(fourth.decided());
  static_cast<void>(hand_over(5));
  log_.reset();
  EXPECT_EQ(query("SELECT count(*) FROM attempt"), 5);
}

TEST_F(AttemptLogTest, AnIntentWithoutCompanyIsCommittedAllTheSame) {
  enrol_disks(4);
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_);
  std::vector<OpenAttempt> open;
  for (int number = 1; number <= 4; ++number) open.push_back(announce(log, number));
  EXPECT_EQ(query("SELECT count(*) FROM attempt"), 4);
}

TEST_F(AttemptLogTest, TellsOfCommitsThatSomebodyExpectsAndOfNoOthers) {
  enrol_disks(2);
  std::atomic<int> told = 0;
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_, AttemptLog::k_max_delay,
                 {.decided = [&] { ++told; }, .failed = {}});
  const OpenAttempt unexpected = announce(log, 1);
  log.flush();
  EXPECT_EQ(told, 0);
  // Nothing is decided before it is expected.
  std::optional<Database> other = open_audit_for_writing(file_);
  std::optional<Transaction> holds_the_lock(std::in_place, *other);
  Announcement expected = log.announce(item(2), disk_id("disk-2"), 1, Stage::release, k_test_time);
  ASSERT_FALSE(expected.decided());
  expected.expect();
  holds_the_lock.reset();
  static_cast<void>(expected.take());
  log.flush();
  EXPECT_EQ(told, 1);
}

TEST_F(AttemptLogTest, AFailedCommitWakesAllWhoWaitAndNothingIsWrittenAfterIt) {
  enrol_disks(64);
  std::atomic<int> failures = 0;
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_, AttemptLog::k_max_delay,
                 {.decided = {}, .failed = [&] { ++failures; }});
  OpenAttempt before = announce(log, 1);
  break_table("attempt");
  std::atomic<int> told = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 3; ++i) {
          try {
            static_cast<void>(announce(log, 2 + thread * 3 + i));
          } catch (const AuditUnusable&) {
            ++told;
          }
        }
      });
    }
  }
  EXPECT_EQ(told, 24);
  EXPECT_EQ(failures, 1);
  EXPECT_THROW(log.flush(), AuditUnusable);
  EXPECT_THROW(log.record_outcome(std::move(before), {}), AuditUnusable);
  EXPECT_THROW(log.record_decision({}, k_test_time), AuditUnusable);
  EXPECT_THROW(static_cast<void>(log.close()), AuditUnusable);
  EXPECT_EQ(query("SELECT count(*) FROM attempt"), 1);
}

TEST_F(AttemptLogTest, TellsOfADisplacedDatabaseBeforeItWritesTheLastOutcomes) {
  enrol_disks(1);
  Database reader = open_audit_for_reading(file_);
  std::int64_t written_by_then = -1;
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_, AttemptLog::k_max_delay,
                 {.decided = {}, .failed = [&] {
                    written_by_then = reader.query_integer("SELECT count(*) FROM outcome");
                  }});
  OpenAttempt attempt = announce(log, 1);
  std::filesystem::rename(file_, directory_ / "moved.db");
  log.record_outcome(std::move(attempt), {});
  EXPECT_THROW(log.flush(), AuditUnusable);
  EXPECT_EQ(written_by_then, 0);
  EXPECT_EQ(reader.query_integer("SELECT count(*) FROM outcome"), 1);
}

TEST_F(AttemptLogTest, AnOutcomeThatCannotBeWrittenFailsTheNextIntent) {
  enrol_disks(2);
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_);
  OpenAttempt attempt = announce(log, 1);
  break_table("outcome");
  log.record_outcome(std::move(attempt), {});
  EXPECT_THROW(static_cast<void>(announce(log, 2)), AuditUnusable);
  EXPECT_EQ(query("SELECT count(*) FROM attempt WHERE item_id = 2"), 0);
}

TEST_F(AttemptLogTest, RefusesASecondIntentForADiskWhoseAttemptIsOpen) {
  enrol_disks(1);
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_);
  const OpenAttempt attempt = announce(log, 1);
  EXPECT_THROW(static_cast<void>(
                   log.announce(item(1), disk_id("disk-1"), 2, Stage::release, k_test_time).take()),
               AuditUnusable);
}

}  // namespace
}  // namespace diskrelease
