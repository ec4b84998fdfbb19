#include "custody/archive.h"
#include "evidence/embedded_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "custody/verification.h"
#include "derived/derived_tables.h"
#include "model/errors.h"
#include "queries/disk_history.h"
#include "queries/find_run.h"
#include "queries/run_queries.h"
#include "record/attempt_log.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "store/raw_rows.h"
#include "support/archivable_run.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr UtcTime k_later = k_test_time + std::chrono::hours(1);

class ArchiveTest : public ::testing::Test {
 protected:
  ArchiveTest() { create_audit_database(file_); }

  RunRecord add_run(const std::string& prefix) {
    return add_finished_run(file_, prefix, k_test_time);
  }
  ArchivePlan plan(UtcTime before = k_later) const {
    Database database = open_audit_for_reading(file_);
    return plan_archive(database, before);
  }
  static std::vector<std::int64_t> ids(const std::vector<RunRecord>& runs) {
    std::vector<std::int64_t> ids;
    for (const RunRecord& run : runs) ids.push_back(run.id.value);
    return ids;
  }
  static Verification verified(const std::filesystem::path& path,
                               const std::vector<Anchor>& anchors = {}) {
    Database database = open_evidence_for_reading(path);
    return verify_audit(database, anchors);
  }
  Anchor anchor() const {
    Database database = open_evidence_for_reading(file_);
    return {read_chain_head(database), k_test_time};
  }
  static std::int64_t count(const std::filesystem::path& path, const std::string& sql) {
    return open_evidence_for_reading(path).query_integer(sql);
  }
  /// What is found after a change that nothing has guarded against.
  static Verification after(const std::filesystem::path& path, const std::string& sql,
                            const std::vector<Anchor>& anchors = {}) {
    const std::filesystem::path copy = path.string() + ".changed";
    std::filesystem::copy_file(path, copy, std::filesystem::copy_options::overwrite_existing);
    {
      Database database(copy, Database::Access::read_write);
      database.execute(
          "PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;"
          "PRAGMA ignore_check_constraints = ON");
      const std::vector<std::string> triggers = take_triggers(database);
      database.execute(sql);
      put_triggers(database, triggers);
    }
    return verified(copy, anchors);
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  std::filesystem::path old_ = directory_ / "old.db";
};

TEST_F(ArchiveTest, MovesWholeRunsIntoAFileOfTheSameChain) {
  add_run("a-");
  add_run("b-");
  add_run("c-");
  const std::vector<Anchor> anchors{anchor()};
  const ArchiveRecord archive = archive_all(file_, old_, k_later);

  EXPECT_EQ(archive.id, 1);
  EXPECT_EQ(archive.runs, 2);
  EXPECT_EQ(archive.items, 14);
  // Every table of evidence has rows of each run, and twice as many are there as are here.
  for (const char* table :
       {"run", "item", "duplicate_line", "disk_item", "invocation", "invocation_end", "attempt",
        "outcome", "disk_read", "observation", "verdict", "decision"}) {
    const std::string rows = std::string("SELECT count(*) FROM ") + table;
    EXPECT_GT(count(file_, rows), 0) << table;
    EXPECT_EQ(count(old_, rows), 2 * count(file_, rows)) << table;
  }
  const Verification here = verified(file_, anchors);
  const Verification there = verified(old_, anchors);
  EXPECT_THAT(here.problems, IsEmpty());
  EXPECT_THAT(there.problems, IsEmpty());
  EXPECT_EQ(here.anchors, 1);
  EXPECT_EQ(there.anchors, 1);
  EXPECT_EQ(here.sealed_archive, 0);
  EXPECT_EQ(there.sealed_archive, 1);
  ASSERT_THAT(here.archives, SizeIs(1));
  EXPECT_EQ(here.archives[0].hash, there.head.hash);
  EXPECT_EQ(here.archives[0].file, old_.string());
  EXPECT_EQ(here.archives[0].hash, archive.hash);
  Database database = open_audit_for_writing(file_);
  EXPECT_THAT(derived_differences(database), IsEmpty());
  Database sealed = open_audit_for_reading(old_);
  EXPECT_THAT(derived_differences(sealed), IsEmpty());
  const RunRecord moved = *find_run(sealed, RunId{1});
  EXPECT_EQ(count_states(sealed, moved)[ItemState::released], 2);
  EXPECT_FALSE(find_run(database, RunId{1}));
  EXPECT_EQ(archive_of(database, RunId{2})->file, old_.string());
  EXPECT_FALSE(archive_of(database, RunId{3}));
}

TEST_F(ArchiveTest, OnlyOldAndFinishedRunsAreMovedAndNeverTheNewestRows) {
  add_run("a-");                                                       // 1
  add_finished_run(file_, "young-", k_later + std::chrono::hours(1));  // 2
  {
    Database database = open_audit_for_writing(file_);
    enrol(database, {"pending"});                      // 3
    const RunRecord died = enrol(database, {"died"});  // 4
    const InvocationId invocation = begin_test_invocation(database, died.id);
    record_decision(database, died.id, invocation,
                    {DecisionKind::skip, died.first_item, "test", "", false}, k_test_time);
  }
  add_run("b-");  // 5

  const ArchivePlan found = plan();
  EXPECT_THAT(ids(found.runs), ElementsAre(1));
  std::vector<std::string> kept;
  for (const ArchivePlan::Kept& run : found.kept) {
    kept.push_back(std::to_string(run.run.id.value) + " " + run.reason);
  }
  EXPECT_THAT(kept, ElementsAre(HasSubstr("3 not finished"), HasSubstr("4 an invocation has not"),
                                HasSubstr("5 it has the newest rows")));
  // Nobody has worked since: the time itself is not before.
  EXPECT_THAT(plan(k_test_time).runs, IsEmpty());
}

/// They are not verified, and what they say cannot be taken back here.
TEST_F(ArchiveTest, DerivedTablesDoNotDecideWhatIsFinished) {
  {
    Database database = open_audit_for_writing(file_);
    const RunRecord run = enrol(database, {"disk"});
    end_invocation(database, begin_test_invocation(database, run.id), EndReason::interrupted, "", 6,
                   k_test_time);
    database.execute(
        "INSERT INTO run_tally VALUES (1, 1, 'released', '', '', 1, NULL);"
        "INSERT INTO item_now VALUES (1, 1, 0)");
  }
  add_run("b-");
  EXPECT_THAT(plan().runs, IsEmpty());
}

TEST_F(ArchiveTest, AnUnknownOutcomeKeepsItsRun) {
  {
    Database database = open_audit_for_writing(file_);
    const RunRecord run = enrol(database, {"disk"});
    const InvocationId invocation = begin_test_invocation(database, run.id);
    AttemptLog log(std::move(database), run.id, invocation);
    OutcomeRecord unknown;
    unknown.finished = k_test_time;
    log.record_outcome(
        log.announce(run.first_item, disk_id("disk"), 1, Stage::release, k_test_time).take(),
        unknown);
    database = log.close();
    end_invocation(database, invocation, EndReason::finished, "", 4, k_test_time);
  }
  add_run("b-");
  EXPECT_THAT(plan().runs, IsEmpty());
  EXPECT_THAT(plan().kept,
              Contains(testing::Field(&ArchivePlan::Kept::reason, HasSubstr("not finished"))));
}

TEST_F(ArchiveTest, WhatWasReleasedInAnArchivedRunIsNeverReleasedAgain) {
  add_run("a-");
  add_run("b-");
  archive_all(file_, old_, k_later);
  Database database = open_audit_for_writing(file_);
  const RunRecord run = enrol(database, {"a-accepted", "a-executed", "a-gone", "a-refused",
                                         "a-already_gone", "a-rejected", "a-skipped", "new"});
  const InvocationId invocation = begin_test_invocation(database, run.id);
  // Whatever the program believes: the database refuses it.
  const auto attempt = [&](int place, int stage) {
    try {
      Transaction transaction(database);
      database.execute(
          "INSERT INTO attempt (item_id, invocation_id, attempt_number, stage, intent_utc_ms)"
          " VALUES (" +
          std::to_string(run.first_item.value + place) + ", 1, 1, " + std::to_string(stage) +
          ", 1)");
      return std::string();
    } catch (const AuditUnusable& error) {
      return std::string(error.what());
    }
  };
  for (const int place : {0, 1, 2}) EXPECT_THAT(attempt(place, 1), HasSubstr("archived attempt"));
  for (const int place : {3, 4, 5, 6, 7}) EXPECT_THAT(attempt(place, 1), HasSubstr("FOREIGN KEY"));

  // A purge looks at those first.
  {
    RunRecord purge = run;
    purge.description.goal = Goal::purge;
    PendingFeed feed(open_audit_for_reading(file_), purge);
    std::set<std::string> elsewhere;
    for (const PendingItem& item : feed.next_page(100)) {
      if (item.released_elsewhere) elsewhere.insert(item.disk.text());
    }
    EXPECT_THAT(elsewhere, ElementsAre("a-accepted", "a-executed", "a-gone"));
  }
  EXPECT_EQ(skip_disks_of_other_runs(database, run, invocation, true, k_test_time), 0);

  EXPECT_EQ(skip_disks_of_other_runs(database, run, invocation, false, k_test_time), 3);
  std::vector<std::string> skipped;
  read_items(database, run, ItemState::skipped, [&](const ItemRow& row) {
    skipped.push_back(row.disk_id + " " + row.decision_reason);
    return true;
  });
  EXPECT_THAT(skipped, ElementsAre("a-accepted released_before", "a-executed released_before",
                                   "a-gone released_before"));
  EXPECT_EQ(
      database.query_integer("SELECT count(*) FROM decision WHERE detail = 'run 1, archived'"), 3);
  EXPECT_THAT(derived_differences(database), IsEmpty());

  const DiskHistory history = read_disk_history(database, "a-gone");
  ASSERT_THAT(history.events, Contains(testing::Field(&DiskEvent::kind, "archived")));
}

/// The way that is taken where most items of a run are pending and the others are few.
TEST_F(ArchiveTest, FewPendingItemsAreLookedForOneByOne) {
  add_run("a-");
  add_run("b-");
  archive_all(file_, old_, k_later);
  Database database = open_audit_for_writing(file_);
  const RunRecord large = enrol(database, numbered_disks(500));
  const RunRecord run = enrol(database, {"new", "a-accepted"});
  EXPECT_EQ(skip_disks_of_other_runs(database, run, begin_test_invocation(database, run.id), false,
                                     k_test_time),
            1);
  EXPECT_EQ(count_states(database, large)[ItemState::pending], 500);
}

TEST_F(ArchiveTest, TheSecondStageIsRememberedAsWell) {
  RunRecord run;
  {
    Database database = open_audit_for_writing(file_);
    RunDescription description = test_description();
    description.goal = Goal::purge;
    run = enrol(database, {"disk"}, description);
    const InvocationId invocation = begin_test_invocation(database, run.id);
    AttemptLog log(std::move(database), run.id, invocation);
    OutcomeRecord accepted;
    accepted.outcome = Outcome::accepted;
    accepted.finished = k_test_time;
    ReadRecord read;
    read.disk_count = 1;
    read.result = "complete";
    read.sent = read.finished = k_test_time;
    for (const int number : {1, 2}) {
      log.record_outcome(log.announce(run.first_item, disk_id("disk"), number,
                                      number == 1 ? Stage::release : Stage::destroy, k_test_time)
                             .take(),
                         accepted);
      log.record_read(read,
                      {{run.first_item,
                        {disk_id("disk"), DiskStatus::recycled, "", "", {}, "", "", "", "", {}}}});
      log.flush();
    }
    database = log.close();
    end_invocation(database, invocation, EndReason::finished, "", 0, k_test_time);
  }
  add_run("b-");
  archive_all(file_, old_, k_later);
  Database database = open_audit_for_writing(file_);
  const RunRecord again = enrol(database, {"disk"});
  EXPECT_EQ(skip_disks_of_other_runs(database, again, begin_test_invocation(database, again.id),
                                     true, k_test_time),
            1);
  EXPECT_EQ(
      database.query_integer("SELECT count(*) FROM decision WHERE reason = 'destroyed_before'"), 1);
}

TEST_F(ArchiveTest, NumbersGoOnBehindThoseOfTheArchive) {
  add_run("a-");
  add_run("b-");
  archive_all(file_, old_, k_later);
  add_run("c-");
  archive_all(file_, directory_ / "old2.db", k_later + std::chrono::hours(1));
  const RunRecord last = add_run("d-");
  EXPECT_EQ(last.id.value, 4);
  EXPECT_EQ(last.first_item.value, 22);
  for (const auto& [table, key] :
       {std::pair("attempt", "attempt_id"), std::pair("decision", "decision_id"),
        std::pair("disk_read", "read_id"), std::pair("observation", "observation_id"),
        std::pair("invocation", "invocation_id")}) {
    const std::string first = std::string("SELECT min(") + key + ") FROM " + table;
    const std::string highest = std::string("SELECT max(") + key + ") FROM " + table;
    EXPECT_GT(count(file_, first), count(directory_ / "old2.db", highest)) << table;
    EXPECT_GT(count(directory_ / "old2.db", first), count(old_, highest)) << table;
  }
}

TEST_F(ArchiveTest, WithALaterArchiveTheEarlierBlocksGoAndAllFilesAreVerified) {
  std::vector<Anchor> anchors;
  const auto at_each_step = [&] { anchors.push_back(anchor()); };
  add_run("a-");
  at_each_step();
  add_run("b-");
  at_each_step();
  archive_all(file_, old_, k_later);
  at_each_step();
  const std::int64_t emptied = count(file_, "SELECT emptied_blocks FROM archive");
  EXPECT_GT(emptied, 0);
  EXPECT_EQ(count(file_, "SELECT max(block_id) FROM chain WHERE entries = x''"), emptied);
  EXPECT_EQ(count(old_, "SELECT count(*) FROM chain WHERE entries = x''"), 0);
  add_run("c-");
  at_each_step();
  archive_all(file_, directory_ / "old2.db", k_later);
  at_each_step();
  // The block of the first archive among them.
  EXPECT_GE(count(file_, "SELECT max(emptied_blocks) FROM archive"),
            count(file_, "SELECT min(block_id) FROM archive"));
  add_run("d-");
  at_each_step();

  const Verification here = verified(file_, anchors);
  EXPECT_THAT(here.problems, IsEmpty());
  EXPECT_EQ(here.anchors, 6);
  const Verification first = verified(old_, anchors);
  EXPECT_THAT(first.problems, IsEmpty());
  EXPECT_EQ(first.anchors, 3);
  EXPECT_EQ(first.later_anchors, 3);
  const Verification second = verified(directory_ / "old2.db", anchors);
  EXPECT_THAT(second.problems, IsEmpty());
  EXPECT_EQ(second.anchors, 5);
  EXPECT_EQ(here.archives[0].hash, first.head.hash);
  EXPECT_EQ(here.archives[1].hash, second.head.hash);
  // The memory of both.
  Database database = open_audit_for_writing(file_);
  const RunRecord run = enrol(database, {"a-gone", "b-accepted", "e"});
  EXPECT_EQ(skip_disks_of_other_runs(database, run, begin_test_invocation(database, run.id), false,
                                     k_test_time),
            2);
}

TEST_F(ArchiveTest, RunsThatTookTurnsAreTakenApart) {
  // Two runs whose rows alternate, with one that stays in between.
  std::vector<RunRecord> runs;
  {
    Database database = open_audit_for_writing(file_);
    for (const char* prefix : {"a", "b", "c"}) {
      runs.push_back(enrol(database, {std::string(prefix) + "1", std::string(prefix) + "2",
                                      std::string(prefix) + "3"}));
    }
    for (int place = 0; place < 3; ++place) {
      for (const int which : {0, 2, 1}) {
        const RunRecord& run = runs[static_cast<std::size_t>(which)];
        const InvocationId invocation = begin_test_invocation(database, run.id);
        AttemptLog log(std::move(database), run.id, invocation);
        OutcomeRecord accepted;
        accepted.outcome = Outcome::accepted;
        accepted.finished = k_test_time;
        log.record_outcome(log.announce(ItemId{run.first_item.value + place}, disk_id("disk"), 1,
                                        Stage::release, k_test_time)
                               .take(),
                           accepted);
        database = log.close();
        end_invocation(database, invocation, EndReason::interrupted, "", 6,
                       which == 2 ? k_later : k_test_time);
      }
    }
  }
  add_run("d-");
  const ArchiveRecord archive = archive_all(file_, old_, k_later);
  EXPECT_EQ(archive.runs, 2);
  EXPECT_EQ(count(old_, "SELECT count(*) FROM archived_rows WHERE kind = 'attempt'"), 4);
  EXPECT_EQ(count(file_, "SELECT count(*) FROM attempt JOIN item USING (item_id) WHERE run_id = 3"),
            3);
  EXPECT_EQ(count(old_, "SELECT count(*) FROM attempt"), 6);
  EXPECT_THAT(verified(file_).problems, IsEmpty());
  EXPECT_THAT(verified(old_).problems, IsEmpty());
}

TEST_F(ArchiveTest, WhatFailsBeforeTheArchiveIsInPlaceLeavesTheDatabaseAsItWas) {
  add_run("a-");
  add_run("b-");
  const std::string head = anchor().head.hash;
  {
    Database database = open_audit_for_writing(file_);
    const ArchivePlan found = plan_archive(database, k_later);
    std::ofstream(old_).close();
    EXPECT_THROW(static_cast<void>(archive_runs(
                     database, found, archive_description(old_, k_later), old_,
                     [] { throw std::runtime_error("the disk is full"); }, k_later)),
                 std::runtime_error);
    EXPECT_EQ(database.query_integer("SELECT count(*) FROM run"), 2);
  }
  EXPECT_EQ(anchor().head.hash, head);
  EXPECT_THAT(verified(file_).problems, IsEmpty());
  std::filesystem::remove(old_);
  EXPECT_EQ(archive_all(file_, old_, k_later).runs, 1);
  EXPECT_THAT(verified(file_).problems, IsEmpty());
}

TEST_F(ArchiveTest, AProcessThatDiesWithTheArchiveInPlaceLeavesTheDatabaseAsItWas) {
  add_run("a-");
  add_run("b-");
  const std::string head = anchor().head.hash;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Database database = open_audit_for_writing(file_);
    const ArchivePlan found = plan_archive(database, k_later);
    std::ofstream(old_).close();
    static_cast<void>(archive_runs(
        database, found, archive_description(old_, k_later), old_, [] { ::_exit(7); }, k_later));
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(anchor().head.hash, head);
  EXPECT_THAT(verified(file_).problems, IsEmpty());
  EXPECT_THAT(verified(old_).problems, IsEmpty());
  // The rows are in both; the database does not know of the archive.
  EXPECT_EQ(count(file_, "SELECT count(*) FROM run"), 2);
  EXPECT_EQ(count(file_, "SELECT count(*) FROM archive"), 0);
}

TEST_F(ArchiveTest, NothingLeavesADatabaseThatWasMovedAwayMeanwhile) {
  add_run("a-");
  add_run("b-");
  const std::filesystem::path elsewhere = directory_ / "elsewhere.db";
  {
    Database database = open_audit_for_writing(file_);
    const ArchivePlan found = plan_archive(database, k_later);
    std::ofstream(old_).close();
    EXPECT_THROW(static_cast<void>(archive_runs(
                     database, found, archive_description(old_, k_later), old_,
                     [&] { std::filesystem::rename(file_, elsewhere); }, k_later)),
                 AuditUnusable);
  }
  std::filesystem::rename(elsewhere, file_);
  EXPECT_EQ(count(file_, "SELECT count(*) FROM run"), 2);
  EXPECT_THAT(verified(file_).problems, IsEmpty());
}

TEST_F(ArchiveTest, NothingIsEverWrittenToASealedFile) {
  add_run("a-");
  add_run("b-");
  archive_all(file_, old_, k_later);
  try {
    static_cast<void>(open_audit_for_writing(old_));
    FAIL() << "it was opened";
  } catch (const AuditUnusable& error) {
    EXPECT_THAT(error.what(), HasSubstr("sealed archive"));
  }
}

TEST_F(ArchiveTest, TheFileBecomesSmaller) {
  {
    Database database = open_audit_for_writing(file_);
    const RunRecord run = enrol(database, numbered_disks(5'000));
    const InvocationId invocation = begin_test_invocation(database, run.id);
    {
      Transaction transaction(database);
      database.execute(
          "INSERT INTO decision (run_id, invocation_id, item_id, kind, reason, decided_utc_ms)"
          " SELECT run_id, 1, item_id, 'skip', 'test', 1 FROM item");
      transaction.commit();
    }
    end_invocation(database, invocation, EndReason::finished, "", 0, k_test_time);
  }
  add_run("b-");
  archive_all(file_, old_, k_later);
  {
    Database database = open_audit_for_writing(file_);
    EXPECT_TRUE(shrink_database(database));
  }
  EXPECT_LT(std::filesystem::file_size(file_) * 2, std::filesystem::file_size(old_));
  EXPECT_THAT(verified(file_).problems, IsEmpty());
}

// ---- what somebody may do to the files

class ArchiveTamperTest : public ArchiveTest {
 protected:
  ArchiveTamperTest() {
    add_run("a-");
    add_run("b-");
    anchors_.push_back(anchor());
    archive_all(file_, old_, k_later);
    anchors_.push_back(anchor());
    add_run("c-");
    anchors_.push_back(anchor());
  }

  std::vector<Anchor> anchors_;
};

TEST_F(ArchiveTamperTest, EachChangeOfWhatIsRememberedIsFound) {
  for (const char* change : {
           "UPDATE archive SET file = 'elsewhere.db'",
           "UPDATE archive SET item_count = item_count + 1",
           "UPDATE archive SET emptied_blocks = emptied_blocks - 1",
           "UPDATE archive SET block_id = block_id + 1",
           "UPDATE archive SET emptied_sha256 = list_sha256 FROM run",
           "DELETE FROM archive",
           "UPDATE archived_rows SET last_id = last_id + 1 WHERE kind = 'attempt'",
           "DELETE FROM archived_rows WHERE kind = 'observation'",
           "INSERT INTO archived_rows VALUES (1, 'attempt', 1000, 2000)",
           "INSERT INTO archived_rows VALUES (2, 'attempt', 1000, 2000)",
           "UPDATE archived_release SET disk_id = 'a-other' WHERE disk_id = 'a-accepted'",
           "UPDATE archived_release SET stage = 2 WHERE disk_id = 'a-accepted'",
           "DELETE FROM archived_release WHERE disk_id = 'a-gone'",
           "INSERT INTO archived_release VALUES ('more', 1, 1, 1)",
           "INSERT INTO archived_release VALUES ('more', 1, 2, 1)",
           "INSERT INTO archive SELECT 2, file, 1, 1, 1, block_id, 0, '', user, host, '0', 1"
           " FROM archive",
       }) {
    EXPECT_GT(after(file_, change).problem_count, 0) << change;
    EXPECT_GT(after(old_, change).problem_count, 0) << change;
  }
}

TEST_F(ArchiveTamperTest, RowsThatStayedAreProtectedAsBefore) {
  for (const char* table :
       {"run", "invocation", "invocation_end", "attempt", "outcome", "disk_read", "observation",
        "verdict", "decision", "item", "duplicate_line", "disk_item"}) {
    const std::string change = std::string("DELETE FROM ") + table;
    EXPECT_GT(after(file_, change).problem_count, 0) << change;
    EXPECT_GT(after(old_, change).problem_count, 0) << change;
  }
  EXPECT_THAT(after(file_, "UPDATE outcome SET request_id = 'T' WHERE attempt_id = 8").problems,
              ElementsAre(HasSubstr("outcome 8: was changed")));
  EXPECT_THAT(after(old_, "UPDATE outcome SET request_id = 'T' WHERE attempt_id = 2").problems,
              ElementsAre(HasSubstr("outcome 2: was changed")));
}

TEST_F(ArchiveTamperTest, ArchivedRowsDoNotComeBack) {
  for (const char* change : {
           "INSERT INTO run SELECT 1, name, goal, endpoint, sandbox, list_source, list_format,"
           " list_sha256, settings_json, random_seed, 1, item_count, duplicate_count,"
           " created_utc_ms FROM run WHERE run_id = 2",
           "INSERT INTO item VALUES (1, 1, 'a-accepted', 1)",
           "INSERT INTO outcome SELECT 1, outcome, scope, http_status, api_code, request_id,"
           " message, retry_after_ms, sent_utc_ms, finished_utc_ms, latency_us FROM outcome"
           " WHERE attempt_id = 8",
           "INSERT INTO duplicate_line VALUES (1, 1, 'a-accepted')",
       }) {
    EXPECT_GT(after(file_, change).problem_count, 0) << change;
  }
}

TEST_F(ArchiveTamperTest, FurtherBlocksCannotBeEmptied) {
  const std::string emptied = std::to_string(count(file_, "SELECT emptied_blocks FROM archive"));
  EXPECT_GT(after(file_, "UPDATE chain SET entries = x'' WHERE block_id = " + emptied + " + 1")
                .problem_count,
            0);
  // With the mark moved as well, the archive is not what its entry says.
  EXPECT_GT(after(file_, "UPDATE chain SET entries = x'' WHERE block_id = " + emptied +
                             " + 1; UPDATE archive SET emptied_blocks = " + emptied + " + 1")
                .problem_count,
            0);
  EXPECT_GT(after(old_, "UPDATE chain SET entries = x'' WHERE block_id = 1").problem_count, 0);
  // The last one that was emptied is what the first one that is there hashes.
  EXPECT_GT(after(file_, "UPDATE chain SET hash = zeroblob(32) WHERE block_id = " + emptied)
                .problem_count,
            0);
  EXPECT_GT(after(file_, "DELETE FROM chain WHERE block_id = 2").problem_count, 0);
  // Nor can the others change, which the chain by itself does not bind any more.
  for (const char* block : {"1", "2", "3"}) {
    const std::string change =
        std::string("UPDATE chain SET hash = zeroblob(32) WHERE block_id = ") + block;
    EXPECT_GT(after(file_, change).problem_count, 0) << block;
  }
}

TEST_F(ArchiveTamperTest, AnArchiveThatIsCutOrPresentedAsTheDatabaseIsFound) {
  EXPECT_GT(after(old_, "DELETE FROM chain WHERE block_id = (SELECT max(block_id) FROM chain)")
                .problem_count,
            0);
  const std::string as_database =
      "PRAGMA application_id = " + std::to_string(k_audit_application_id);
  EXPECT_GT(after(old_, as_database, anchors_).problem_count, 0);
  const std::string as_archive =
      "PRAGMA application_id = " + std::to_string(k_archive_application_id);
  EXPECT_GT(after(file_, as_archive, anchors_).problem_count, 0);
  // Anchors of blocks that an archive does not have are not held against it.
  EXPECT_EQ(verified(old_, anchors_).later_anchors, 1);
  EXPECT_EQ(verified(old_, anchors_).problem_count, 0);
  // Of emptied blocks the hashes are held against anchors.
  EXPECT_EQ(verified(file_, anchors_).anchors, 3);
  EXPECT_GT(after(file_, "UPDATE chain SET hash = zeroblob(32) WHERE block_id = 2",
                  {{{anchors_[0].head.chain, 2, anchors_[0].head.hash}, k_test_time}})
                .problem_count,
            0);
}

}  // namespace
}  // namespace diskrelease
