#include "evidence/schema_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "custody/archive.h"
#include "custody/joined_evidence.h"
#include "custody/verification.h"
#include "derived/derived_tables.h"
#include "model/errors.h"
#include "record/audit_file.h"
#include "support/archivable_run.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A query that has no end.
constexpr const char* k_endless =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i";

class SchemaCheckTest : public ::testing::Test {
 protected:
  SchemaCheckTest() {
    create_audit_database(file_);
    add_finished_run(file_, "a-", k_test_time);
  }
  void change(const std::string& sql) const {
    Database database(file_, Database::Access::read_write);
    database.execute("PRAGMA foreign_keys = OFF; PRAGMA writable_schema = ON");
    database.execute(sql);
  }
  template <class Open>
  static std::string error_of(const Open& open) {
    try {
      open();
      return "opened";
    } catch (const AuditUnusable& error) {
      return error.what();
    }
  }
  /// What each way to open the file says; the longest a test can wait is for ever.
  void expect_refused(const std::string& finding) const {
    const std::string expected = "schema: " + finding;
    EXPECT_THAT(error_of([&] { static_cast<void>(open_evidence_for_reading(file_)); }),
                HasSubstr(expected));
    EXPECT_THAT(error_of([&] { static_cast<void>(open_audit_for_reading(file_)); }),
                HasSubstr(expected));
    EXPECT_THAT(error_of([&] { static_cast<void>(open_audit_beside_writer(file_)); }),
                HasSubstr(expected));
    EXPECT_THAT(error_of([&] { static_cast<void>(open_audit_for_writing(file_)); }),
                HasSubstr(expected));
    EXPECT_THAT(error_of([&] { require_audit_database(file_); }), HasSubstr(expected));
    Database database = open_for_verification(file_);
    EXPECT_THAT(verify_audit(database, {}).problems, Contains(HasSubstr(expected)));
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
};

TEST_F(SchemaCheckTest, OursFitsAlsoWithWhatSqliteMakesByItself) {
  change("ANALYZE");
  Database database = open_audit_for_reading(file_);
  EXPECT_THAT(compare_schema(database).problems, IsEmpty());
  EXPECT_THAT(compare_schema(database).other_derived, IsEmpty());
}

TEST_F(SchemaCheckTest, AViewThatNeverEndsIsNotRun) {
  change(std::string("DROP VIEW run_summary; CREATE VIEW run_summary AS ") + k_endless +
         " AS run_id FROM n");
  expect_refused("view run_summary was changed");
}

TEST_F(SchemaCheckTest, AViewInThePlaceOfATableOfEvidenceIsNotRun) {
  for (const char* table : {"archive", "chain", "run"}) {
    const std::filesystem::path copy = directory_ / "copy.db";
    std::filesystem::copy_file(file_, copy, std::filesystem::copy_options::overwrite_existing);
    change(std::string("DROP TABLE ") + table + "; CREATE VIEW " + table + " AS " + k_endless +
           " AS " + table + "_id FROM n");
    const std::string first =
        error_of([&] { static_cast<void>(open_evidence_for_reading(file_)); });
    EXPECT_THAT(first, testing::AnyOf(HasSubstr("schema: "), HasSubstr("lacks a table")));
    std::filesystem::rename(copy, file_);
  }
}

TEST_F(SchemaCheckTest, AViewInThePlaceOfADerivedTableIsNotRun) {
  change(std::string("DROP TABLE run_tally; CREATE VIEW run_tally AS ") + k_endless +
         " AS tally_id FROM n");
  expect_refused("view run_tally does not belong to an audit database");
}

TEST_F(SchemaCheckTest, ATriggerIsNotRun) {
  change("CREATE TRIGGER theirs AFTER INSERT ON attempt BEGIN DELETE FROM outcome; END");
  expect_refused("trigger theirs does not belong to an audit database");
}

/// Tables of ANALYZE are left out of the comparison; a definition under their name is not.
TEST_F(SchemaCheckTest, ATriggerUnderTheNameOfATableOfSqliteIsNotRun) {
  change(
      "INSERT INTO sqlite_schema VALUES ('table', 'sqlite_stat1', 'attempt', 0,"
      " 'CREATE TRIGGER theirs AFTER INSERT ON attempt BEGIN DELETE FROM outcome; END')");
  // SQLite itself may refuse the file.
  const std::string error = error_of([&] { static_cast<void>(open_audit_for_writing(file_)); });
  EXPECT_THAT(error, testing::AnyOf(HasSubstr("table sqlite_stat1 does not belong"),
                                    HasSubstr("malformed")));
}

/// What they say is not evidence, so a file with other ones is read all the same, by others.
TEST_F(SchemaCheckTest, DerivedTablesOfAnotherFormAreNotRead) {
  change(
      "DROP TABLE run_progress; CREATE TABLE run_progress (run_id INTEGER, first_gap_item_id"
      " GENERATED ALWAYS AS (1 / 0), last_touched_item_id INTEGER);"
      "INSERT INTO run_progress (run_id, last_touched_item_id) VALUES (1, 7)");
  {
    Database database = open_audit_for_reading(file_);
    EXPECT_EQ(database.query_integer("SELECT count(*) FROM temp.run_progress"), 1);
    EXPECT_FALSE(derived_tables_are_there(database));
  }
  const Database writer = open_audit_for_writing(file_);
  Database database = open_audit_for_reading(file_);
  EXPECT_TRUE(derived_tables_are_there(database));
}

TEST_F(SchemaCheckTest, AnArchiveThatIsReadTogetherIsLookedAtAsWell) {
  const std::filesystem::path old = directory_ / "old.db";
  add_finished_run(file_, "b-", k_test_time);
  archive_all(file_, old, k_test_time + std::chrono::hours(1));
  {
    Database database(old, Database::Access::read_write);
    database.execute(std::string("DROP VIEW attempt_log; CREATE VIEW attempt_log AS ") + k_endless +
                     " AS run_id FROM n");
  }
  const std::filesystem::path more[]{old};
  EXPECT_THAT(error_of([&] { static_cast<void>(open_joined_evidence(file_, more)); }),
              HasSubstr("schema: view attempt_log was changed"));
}

}  // namespace
}  // namespace diskrelease
