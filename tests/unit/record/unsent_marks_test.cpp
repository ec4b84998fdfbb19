#include "record/unsent_marks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>
#include <vector>

#include "model/errors.h"
#include "queries/run_queries.h"
#include "record/attempt_log.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

constexpr InvocationId k_other_invocation{77};

/// A database with a run and an invocation; a folder for marks that nobody else uses.
class UnsentMarksTest : public ::testing::Test {
 protected:
  UnsentMarksTest() {
    create_audit_database(file_);
    Database database = open_audit_for_writing(file_);
    run_ = enrol(database, numbered_disks(20));
    invocation_ = begin_test_invocation(database, run_.id);
  }

  [[nodiscard]] std::unique_ptr<UnsentMarks> begin(std::size_t most = 4) const {
    Database database(file_, Database::Access::read_only);
    return UnsentMarks::begin(database, invocation_, most, folder_.path());
  }
  [[nodiscard]] std::unique_ptr<UnsentMarks> find() const { return find_for(file_); }
  [[nodiscard]] std::unique_ptr<UnsentMarks> find_for(const std::filesystem::path& file) const {
    Database database(file, Database::Access::read_only);
    return UnsentMarks::find(database, folder_.path());
  }
  [[nodiscard]] std::filesystem::path marks_file() const {
    Database database(file_, Database::Access::read_only);
    return UnsentMarks::file_of(database, folder_.path());
  }
  [[nodiscard]] bool is_proved(std::int64_t attempt) const {
    const auto left = find();
    return left && left->claim(invocation_, AttemptId{attempt});
  }

  /// A log as the program has it.
  [[nodiscard]] std::unique_ptr<AttemptLog> open_log(std::size_t most = 8) const {
    auto marks = begin(most);
    return std::make_unique<AttemptLog>(open_audit_for_writing(file_), run_.id, invocation_,
                                        AttemptLog::k_max_delay, LogListeners{},
                                        AttemptLog::k_intent_delay, std::move(marks));
  }
  OpenAttempt announce(AttemptLog& log, int number) const {
    return log
        .announce(ItemId{run_.first_item.value + number - 1},
                  disk_id("disk-" + std::to_string(number)), 1, Stage::release, k_test_time)
        .take();
  }
  Recovery recover_now() const {
    Database database = open_audit_for_writing(file_);
    return recover(database, k_test_time, folder_.path());
  }
  std::int64_t query(const std::string& sql) const {
    return Database(file_, Database::Access::read_only).query_integer(sql);
  }

  TemporaryDirectory directory_;
  TemporaryDirectory folder_{memory_directory()};
  const std::filesystem::path file_ = directory_ / "audit.db";
  RunRecord run_;
  InvocationId invocation_;
};

TEST_F(UnsentMarksTest, WhatIsHeldIsFoundAfterTheProcessHasBeenKilled) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto marks = begin();
    marks->hold(AttemptId{1});
    marks->hold(AttemptId{2});
    static_cast<void>(marks->take(AttemptId{2}));
    static_cast<void>(::kill(::getpid(), SIGKILL));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(is_proved(1));
  EXPECT_FALSE(is_proved(2)) << "its request may have left";
  EXPECT_FALSE(is_proved(3)) << "it had no mark";
}

TEST_F(UnsentMarksTest, WhatIsTakenProvesNothingAndWhatIsClaimedCannotBeTaken) {
  const auto marks = begin();
  marks->hold(AttemptId{1});
  EXPECT_TRUE(marks->take(AttemptId{1}));
  EXPECT_FALSE(is_proved(1));
  marks->hold(AttemptId{2});
  EXPECT_TRUE(is_proved(2));
  EXPECT_TRUE(is_proved(2)) << "recovery may have to record it once more";
  EXPECT_FALSE(marks->take(AttemptId{2})) << "another process counts on it";
}

TEST_F(UnsentMarksTest, ProveNothingForAnotherInvocation) {
  begin()->hold(AttemptId{1});
  EXPECT_FALSE(find()->claim(k_other_invocation, AttemptId{1}));
  EXPECT_TRUE(is_proved(1));
}

TEST_F(UnsentMarksTest, ProveNothingForAnAttemptThatFoundNoPlace) {
  const auto marks = begin(2);
  for (const std::int64_t attempt : {1, 2, 3}) marks->hold(AttemptId{attempt});
  EXPECT_TRUE(marks->take(AttemptId{3})) << "nobody can have claimed it";
  EXPECT_FALSE(is_proved(3));
  marks->clear(AttemptId{3});
  marks->clear(AttemptId{2});
  EXPECT_FALSE(is_proved(2));
  EXPECT_TRUE(is_proved(1));
  for (const std::int64_t attempt : {5, 7}) marks->hold(AttemptId{attempt});
  EXPECT_TRUE(is_proved(5)) << "the place was free, whatever the number";
  EXPECT_FALSE(is_proved(7));
  marks->clear(AttemptId{1});
  marks->hold(AttemptId{9});
  EXPECT_TRUE(is_proved(9)) << "what was claimed is cleared as well";
}

TEST_F(UnsentMarksTest, AreNotFoundForACopyOfTheDatabase) {
  begin()->hold(AttemptId{1});
  std::filesystem::copy_file(file_, directory_ / "copy.db");
  EXPECT_EQ(find_for(directory_ / "copy.db"), nullptr);
  // Nor for the copy in the place of the original.
  std::filesystem::rename(directory_ / "copy.db", file_);
  EXPECT_EQ(find(), nullptr);
}

TEST_F(UnsentMarksTest, AreNotFoundForAnotherDatabaseInTheSameFile) {
  begin()->hold(AttemptId{1});
  TemporaryDirectory elsewhere;
  create_audit_database(elsewhere / "audit.db");
  {
    Database other = open_audit_for_writing(elsewhere / "audit.db");
    static_cast<void>(begin_test_invocation(other, enrol(other, {"another"}).id));
  }
  std::ofstream(file_, std::ios::binary)
      << std::ifstream(elsewhere / "audit.db", std::ios::binary).rdbuf();
  EXPECT_EQ(find(), nullptr);
}

TEST_F(UnsentMarksTest, AreNotBelievedForAStateFromBeforeTheyBeganOrWhatHasBecomeOfIt) {
  // Two descendants of one state, whose ids are the same.
  const std::filesystem::path elsewhere = directory_ / "elsewhere.db";
  const std::filesystem::path older = directory_ / "older.db";
  std::filesystem::copy_file(file_, elsewhere);
  std::filesystem::copy_file(file_, older);
  for (const std::filesystem::path& file : {file_, elsewhere}) {
    Database database = open_audit_for_writing(file);
    record_decision(database, run_.id, invocation_,
                    {DecisionKind::approve, std::nullopt, file.filename().string(), ""},
                    k_test_time);
  }
  begin()->hold(AttemptId{1});
  EXPECT_TRUE(is_proved(1));
  for (const std::filesystem::path& state : {elsewhere, older}) {
    std::ofstream(file_, std::ios::binary) << std::ifstream(state, std::ios::binary).rdbuf();
    EXPECT_EQ(find(), nullptr) << state;
  }
}

TEST_F(UnsentMarksTest, EachIsEitherTakenOrClaimed) {
  constexpr std::int64_t count = 200'000;
  constexpr int k_spins = 1'000;
  const auto marks = begin();
  const auto left = find();
  std::atomic<std::int64_t> arrivals = 0;
  std::int64_t meetings_here = 0;
  std::int64_t meetings_there = 0;
  const auto meet = [&](std::int64_t& meetings) {
    ++meetings;
    ++arrivals;
    // Without sleeping, so that both go on in the same moment; unless there is one processor only.
    for (int spins = 0; arrivals < 2 * meetings; ++spins) {
      if (spins > k_spins) std::this_thread::yield();
    }
  };
  bool taken = false;
  std::thread sender([&] {
    for (std::int64_t attempt = 1; attempt <= count; ++attempt) {
      meet(meetings_there);
      taken = marks->take(AttemptId{attempt});
      meet(meetings_there);
    }
  });
  std::int64_t wrong = 0;
  for (std::int64_t attempt = 1; attempt <= count; ++attempt) {
    marks->hold(AttemptId{attempt});
    meet(meetings_here);
    const bool claimed = left->claim(invocation_, AttemptId{attempt});
    meet(meetings_here);
    if (taken == claimed) ++wrong;
    marks->clear(AttemptId{attempt});
  }
  sender.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(UnsentMarksTest, AreNotKeptNorBelievedWhereTheyWouldOutliveTheBoot) {
  std::filesystem::path on_disk = directory_.path();
  if (is_in_memory(on_disk)) on_disk = std::filesystem::current_path();
  ASSERT_FALSE(is_in_memory(on_disk)) << "there is no disk here";
  begin()->hold(AttemptId{1});
  Database database = open_audit_for_reading(file_);
  EXPECT_EQ(UnsentMarks::begin(database, invocation_, 4, on_disk), nullptr);
  const std::filesystem::path copy = UnsentMarks::file_of(database, on_disk);
  EXPECT_FALSE(std::filesystem::exists(copy));
  std::filesystem::copy_file(marks_file(), copy);
  std::filesystem::permissions(copy, std::filesystem::perms::owner_all);
  EXPECT_EQ(UnsentMarks::find(database, on_disk), nullptr);
  std::filesystem::remove(copy);
}

TEST_F(UnsentMarksTest, AreNotBelievedWhenOthersCouldHaveMadeThem) {
  begin()->hold(AttemptId{1});
  ASSERT_EQ(::chmod(marks_file().c_str(), 0666), 0);
  EXPECT_EQ(find(), nullptr);
  ASSERT_EQ(::chmod(marks_file().c_str(), 0600), 0);
  std::filesystem::rename(marks_file(), folder_ / "elsewhere");
  std::filesystem::create_symlink(folder_ / "elsewhere", marks_file());
  EXPECT_EQ(find(), nullptr);
}

TEST_F(UnsentMarksTest, AreNotBelievedWhenTheirFileIsOfAnotherLayoutTooShortOrTooLong) {
  begin()->hold(AttemptId{1});
  ASSERT_TRUE(is_proved(1));
  const std::uintmax_t size = std::filesystem::file_size(marks_file());
  std::filesystem::resize_file(marks_file(), std::uintmax_t{2} << 20U);
  EXPECT_EQ(find(), nullptr);
  std::filesystem::resize_file(marks_file(), size - 4 * sizeof(std::int64_t) + 7);
  EXPECT_EQ(find(), nullptr) << "the header alone, and part of a place";
  std::filesystem::resize_file(marks_file(), 0);
  EXPECT_EQ(find(), nullptr);
  static_cast<void>(begin());
  ASSERT_NE(find(), nullptr);
  std::fstream(marks_file(), std::ios::in | std::ios::out | std::ios::binary).put('x');
  EXPECT_EQ(find(), nullptr);
}

TEST_F(UnsentMarksTest, CannotBeHadWhereSomethingElseStands) {
  std::filesystem::create_directory(marks_file());
  EXPECT_EQ(begin(), nullptr);
}

TEST_F(UnsentMarksTest, ANewInvocationLeavesTheEarlierOneItsOwn) {
  const auto first = begin();
  first->hold(AttemptId{1});
  const auto second = begin();
  EXPECT_FALSE(is_proved(1));
  EXPECT_TRUE(first->take(AttemptId{1}));
}

TEST_F(UnsentMarksTest, RecoveryRecordsAsNotSentWhatHadItsMarkAndOnlyThat) {
  {
    const auto log = open_log();
    OutcomeRecord accepted;
    accepted.outcome = Outcome::accepted;
    OpenAttempt done = announce(*log, 1);
    static_cast<void>(log->departs(done));
    log->record_outcome(std::move(done), accepted);
    const OpenAttempt waits = announce(*log, 2);
    const OpenAttempt sent = announce(*log, 3);
    static_cast<void>(log->departs(sent));
  }
  const Recovery recovery = recover_now();
  EXPECT_EQ(recovery.unsent_attempts, 1);
  EXPECT_EQ(recovery.unknown_attempts, 1);
  EXPECT_EQ(query("SELECT count(*) FROM outcome WHERE attempt_id = 1 AND outcome = 'accepted'"), 1);
  EXPECT_EQ(query("SELECT count(*) FROM outcome WHERE attempt_id = 2 AND outcome = 'not_sent'"
                  " AND scope = 'run' AND sent_utc_ms IS NULL"),
            1);
  EXPECT_EQ(query("SELECT count(*) FROM outcome WHERE attempt_id = 3 AND outcome = 'unknown'"), 1);
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state = 'pending'"), 18);
  EXPECT_FALSE(std::filesystem::exists(marks_file()));
  EXPECT_EQ(recover_now().unsent_attempts, 0);
}

TEST_F(UnsentMarksTest, RecoveryThatCannotBeCommittedProvesTheSameAgain) {
  {
    const auto log = open_log();
    static_cast<void>(announce(*log, 1));
  }
  Database database = open_audit_for_writing(file_);
  database.execute(
      "CREATE TRIGGER broken BEFORE INSERT ON invocation_end BEGIN SELECT RAISE(ABORT, 'broken');"
      " END");
  EXPECT_THROW(static_cast<void>(recover(database, k_test_time, folder_.path())), AuditUnusable);
  EXPECT_EQ(query("SELECT count(*) FROM outcome"), 0);
  database.execute("DROP TRIGGER broken");
  EXPECT_EQ(recover(database, k_test_time, folder_.path()).unsent_attempts, 1);
}

TEST_F(UnsentMarksTest, WithoutThemRecoveryKnowsNothing) {
  {
    const auto log = open_log();
    static_cast<void>(announce(*log, 1));
  }
  std::filesystem::remove(marks_file());
  const Recovery recovery = recover_now();
  EXPECT_EQ(recovery.unsent_attempts, 0);
  EXPECT_EQ(recovery.unknown_attempts, 1);
}

TEST_F(UnsentMarksTest, NothingDepartsThatAnotherProcessHasRecordedAsNotSent) {
  const auto log = open_log();
  const OpenAttempt attempt = announce(*log, 1);
  EXPECT_EQ(recover_now().unsent_attempts, 1);
  EXPECT_THROW(static_cast<void>(log->departs(attempt)), AuditUnusable);
}

TEST_F(UnsentMarksTest, APlaceIsFreeAgainWhateverTheEnd) {
  const auto log = open_log(2);
  OutcomeRecord outcome;
  for (int disk = 1; disk < 20; ++disk) {
    OpenAttempt attempt = announce(*log, disk);
    const bool is_sent = disk % 2 == 0;
    if (is_sent) static_cast<void>(log->departs(attempt));
    outcome.outcome = is_sent ? Outcome::rejected : Outcome::not_sent;
    log->record_outcome(std::move(attempt), outcome);
    log->flush();
  }
  static_cast<void>(announce(*log, 20));
  EXPECT_TRUE(is_proved(20));
}

TEST_F(UnsentMarksTest, TheEndOfALogRemovesThem) {
  const auto log = open_log();
  EXPECT_TRUE(std::filesystem::exists(marks_file()));
  static_cast<void>(log->close());
  EXPECT_FALSE(std::filesystem::exists(marks_file()));
}

TEST_F(UnsentMarksTest, TheyStayWhereTheLogHasFailed) {
  const auto log = open_log();
  const OpenAttempt waits = announce(*log, 1);
  open_audit_for_writing(file_).execute(
      "CREATE TRIGGER broken BEFORE INSERT ON attempt BEGIN SELECT RAISE(ABORT, 'broken'); END");
  EXPECT_THROW(static_cast<void>(announce(*log, 2)), AuditUnusable);
  EXPECT_THROW(static_cast<void>(log->close()), AuditUnusable);
  EXPECT_TRUE(is_proved(waits.id().value));
}

}  // namespace
}  // namespace diskrelease
