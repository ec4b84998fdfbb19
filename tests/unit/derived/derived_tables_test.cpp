#include "derived/derived_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "queries/run_queries.h"
#include "record/attempt_log.h"
#include "record/audit_file.h"
#include "support/enrolled_run.h"
#include "support/record_check.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A run in which three of five disks are done and one is unknown.
class DerivedTablesTest : public ::testing::Test {
 protected:
  DerivedTablesTest() {
    create_audit_database(file_);
    Database database = open_audit_for_writing(file_);
    run_ = enrol(database, numbered_disks(5));
    const InvocationId invocation = begin_test_invocation(database, run_.id);
    AttemptLog log(std::move(database), run_.id, invocation);
    const auto attempt = [&](int number, Outcome outcome) {
      OutcomeRecord record;
      record.outcome = outcome;
      record.finished = k_test_time;
      log.record_outcome(
          log.announce(ItemId{run_.first_item.value + number - 1},
                       disk_id("disk-" + std::to_string(number)), 1, Stage::release, k_test_time)
              .take(),
          record);
    };
    attempt(1, Outcome::accepted);
    attempt(2, Outcome::rejected);
    attempt(3, Outcome::unknown);
    attempt(4, Outcome::already_gone);
    log.flush();
  }

  void tamper(const std::string& sql) {
    Database(file_, Database::Access::read_write).execute(sql);
  }
  [[nodiscard]] bool are_there() {
    Database database(file_, Database::Access::read_only);
    return derived_tables_are_there(database);
  }
  void expect_true_answers(Database& database) {
    EXPECT_EQ(count_states(database, run_).by_state, recount_states(database, run_).by_state);
    EXPECT_EQ(count_states(database, run_)[ItemState::released], 1);
    EXPECT_EQ(read_open_matters(database, run_, {}, false, 10).size(), 1U);
    EXPECT_TRUE(has_sendable(database, run_));
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  RunRecord run_;
};

constexpr std::array k_damages{
    "DROP TABLE item_now",
    "DROP TABLE run_tally",
    "DROP TABLE run_progress",
    "DROP TABLE derived_until",
    "DROP TABLE request_index",
    "DROP INDEX item_now_open",
    "DELETE FROM item_now",
    "DELETE FROM run_progress",
    "DELETE FROM derived_until",
    "UPDATE run_progress SET run_id = 77",
    "DELETE FROM item_now; DELETE FROM run_tally; DELETE FROM run_progress;"
    " DELETE FROM derived_until",
    "UPDATE derived_until SET layout = layout + 1",
    "UPDATE derived_until SET settled_attempts = 5",
    "UPDATE derived_until SET observation_id = 1",
    "UPDATE derived_until SET decision_id = 100"};

TEST_F(DerivedTablesTest, AWriterMakesThemAgainWhereTheyAreMissingOrOfAnotherLayout) {
  std::filesystem::path untouched = directory_ / "untouched.db";
  std::filesystem::copy_file(file_, untouched);
  EXPECT_TRUE(are_there());
  for (const char* damage : k_damages) {
    SCOPED_TRACE(damage);
    std::filesystem::copy_file(untouched, file_, std::filesystem::copy_options::overwrite_existing);
    tamper(damage);
    EXPECT_FALSE(are_there());
    Database database = open_audit_for_writing(file_);
    EXPECT_THAT(derived_differences(database), IsEmpty());
    EXPECT_EQ(count_states(database, run_).by_state, recount_states(database, run_).by_state);
  }
}

TEST_F(DerivedTablesTest, AWriterCountsEvidenceThatSomebodyElseHasAdded) {
  for (const char* addition :
       {"INSERT INTO attempt (item_id, invocation_id, attempt_number, stage, intent_utc_ms)"
        " VALUES (5, 1, 1, 1, 1)",
        "INSERT INTO outcome (attempt_id, outcome, scope, finished_utc_ms)"
        " VALUES (5, 'accepted', 'disk', 2)",
        "INSERT INTO disk_read VALUES (1, 1, 'verify', 1, 'complete', 200, '', '', '', 1, 2);"
        "INSERT INTO observation (read_id, item_id, status) VALUES (1, 1, 'RECYCLED')",
        "INSERT INTO decision (run_id, invocation_id, item_id, kind, reason, decided_utc_ms)"
        " VALUES (1, 1, 2, 'skip', 'released_before', 1)"}) {
    SCOPED_TRACE(addition);
    tamper(addition);
    Database database = open_audit_for_writing(file_);
    EXPECT_THAT(derived_differences(database), IsEmpty());
    EXPECT_EQ(count_states(database, run_).by_state, recount_states(database, run_).by_state);
    EXPECT_EQ(database.query_integer("SELECT count(*) FROM item_state WHERE state = 'pending'"), 0);
  }
}

TEST_F(DerivedTablesTest, AReaderAnswersWithoutThemAndLeavesTheFileAsItIs) {
  for (const char* damage : {"UPDATE derived_until SET layout = layout + 1", "DELETE FROM item_now",
                             "DROP TABLE request_index",
                             "DROP TABLE item_now; DROP TABLE run_tally; DROP TABLE run_progress;"
                             " DROP TABLE derived_until"}) {
    SCOPED_TRACE(damage);
    tamper(damage);
    {
      Database reader = open_audit_for_reading(file_);
      expect_true_answers(reader);
    }
    EXPECT_FALSE(are_there());
  }
}

TEST_F(DerivedTablesTest, EveryKindOfDifferenceIsNamed) {
  static_cast<void>(open_audit_for_writing(file_));  // the marks are up to date then
  std::filesystem::path untouched = directory_ / "untouched.db";
  std::filesystem::copy_file(file_, untouched);
  struct Case {
    const char* damage;
    const char* difference;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"UPDATE item_now SET tally_id = 2 WHERE item_id = 1",
            "item 1 is \"released not_read\", its row says"},
           {"DELETE FROM item_now WHERE item_id = 4",
            "item 4 is \"already_gone\", its row says \"pending\""},
           {"UPDATE item_now SET open = 0 WHERE item_id = 3",
            "item 3 is \"unknown\", what its row leaves to do is 0"},
           {"UPDATE run_tally SET items = items + 1 WHERE state = 'released'",
            "tally 1 counts 2 items and has 1"},
           {"UPDATE item_now SET tally_id = 99 WHERE item_id = 1",
            "tally 99 counts 0 items and has 1"},
           {"INSERT INTO item_now VALUES (999, 1, 2);"
            " UPDATE run_tally SET items = items + 1 WHERE tally_id = 1",
            "item 999 has a row and is in no list"},
           {"UPDATE run_tally SET example_item_id = 5",
            "has item 5 as its example, which is of another"},
           {"UPDATE run_progress SET first_gap_item_id = 6",
            "item 5 has no row and is below the first gap"},
           {"UPDATE run_progress SET last_touched_item_id = 3",
            "item 4 has evidence and is above the last touched one"},
           {"DROP TRIGGER outcome_no_delete; DELETE FROM outcome WHERE attempt_id = 2",
            "attempt 2 is open and among the settled ones"}}) {
    SCOPED_TRACE(c.damage);
    std::filesystem::copy_file(untouched, file_, std::filesystem::copy_options::overwrite_existing);
    EXPECT_THAT(derived_differences_in(file_), IsEmpty());
    tamper(c.damage);
    EXPECT_THAT(derived_differences_in(file_), Contains(HasSubstr(c.difference)));
  }
}

TEST_F(DerivedTablesTest, EvidenceDoesNotDependOnThem) {
  tamper(
      "DROP TABLE item_now; DROP TABLE run_tally; DROP TABLE run_progress;"
      " DROP TABLE derived_until");
  Database database(file_, Database::Access::read_only);
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM item_state WHERE state = 'pending'"), 1);
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM attempt_log"), 4);
}

}  // namespace
}  // namespace diskrelease
