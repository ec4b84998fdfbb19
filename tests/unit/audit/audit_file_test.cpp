#include "audit/audit_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <functional>
#include <limits>

#include "model/errors.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const AuditUnusable& error) {
    return error.what();
  }
  return "no error";
}

class AuditFileTest : public ::testing::Test {
 protected:
  std::string writing_error() {
    return error_of([&] { static_cast<void>(open_audit_for_writing(file_)); });
  }
  std::string reading_error() {
    return error_of([&] { static_cast<void>(open_audit_for_reading(file_)); });
  }
  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
};

TEST_F(AuditFileTest, CreatesADatabaseForItsOwnerOnly) {
  file_ = directory_ / "new" / "folder" / "audit.db";
  create_audit_database(file_);
  struct stat status {};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  Database database = open_audit_for_writing(file_);
  EXPECT_EQ(database.query_integer("PRAGMA application_id"), k_audit_application_id);
  EXPECT_EQ(database.query_integer("PRAGMA user_version"), 1);
  EXPECT_EQ(database.query_integer("PRAGMA synchronous"), 2);
  EXPECT_EQ(database.query_integer("PRAGMA foreign_keys"), 1);
  Statement journal = database.prepare("PRAGMA journal_mode");
  ASSERT_TRUE(journal.step());
  EXPECT_EQ(journal.text(0), "wal");
}

TEST_F(AuditFileTest, TakesPathsWithCharactersThatMeanSomethingInAUri) {
  for (const char* name : {"a?b.db", "a#b.db", "100%41.db", "blank and ü.db", "a?mode=ro"}) {
    file_ = directory_ / name;
    create_audit_database(file_);
    EXPECT_TRUE(std::filesystem::exists(file_)) << name;
    EXPECT_NO_THROW(open_audit_for_writing(file_).execute("CREATE TABLE t (a)")) << name;
  }
}

TEST_F(AuditFileTest, CreatesNothingOverAnExistingFile) {
  std::ofstream(file_) << "notes";
  EXPECT_THAT(error_of([&] { create_audit_database(file_); }), HasSubstr(file_.string()));
  std::string content;
  std::ifstream(file_) >> content;
  EXPECT_EQ(content, "notes");
}

TEST_F(AuditFileTest, OpeningNeverCreatesAFile) {
  EXPECT_THAT(writing_error(), HasSubstr("there is no such file"));
  EXPECT_THAT(reading_error(), HasSubstr("there is no such file"));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(AuditFileTest, RefusesAFolder) {
  std::filesystem::create_directory(file_);
  EXPECT_THAT(writing_error(), HasSubstr("not a regular file"));
}

TEST_F(AuditFileTest, RefusesAFileThatIsNotSqlite) {
  std::ofstream(file_) << std::string(5'000, 'x');
  EXPECT_THAT(writing_error(), HasSubstr("not a database"));
  EXPECT_THAT(reading_error(), HasSubstr("not a database"));
}

TEST_F(AuditFileTest, RefusesTheDatabaseOfAnotherProgramAndLeavesItAsItIs) {
  Database(file_, Database::Access::create).execute("CREATE TABLE theirs (a)");
  EXPECT_THAT(writing_error(), HasSubstr("another program"));
  EXPECT_THAT(reading_error(), HasSubstr("another program"));
  Database theirs(file_, Database::Access::read_only);
  EXPECT_EQ(theirs.query_integer("SELECT count(*) FROM sqlite_schema"), 1);
  EXPECT_EQ(theirs.query_integer("PRAGMA user_version"), 0);
}

TEST_F(AuditFileTest, RefusesANewerVersion) {
  create_audit_database(file_);
  open_audit_for_writing(file_).execute("PRAGMA user_version = 2");
  EXPECT_THAT(writing_error(), HasSubstr("has version 2"));
  EXPECT_THAT(reading_error(), HasSubstr("has version 2"));
}

TEST_F(AuditFileTest, FinishesACreationThatWasCutOff) {
  std::ofstream(file_).flush();
  Database database = open_audit_for_writing(file_);
  EXPECT_EQ(database.query_integer("PRAGMA user_version"), 1);
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM run"), 0);
}

TEST_F(AuditFileTest, FinishesACreationThatWasCutOffAfterWriteAheadLoggingWasSet) {
  Database(file_, Database::Access::create).execute("PRAGMA journal_mode = WAL");
  ASSERT_GT(std::filesystem::file_size(file_), 0U);
  EXPECT_EQ(open_audit_for_writing(file_).query_integer("SELECT count(*) FROM run"), 0);
}

TEST_F(AuditFileTest, AReaderCannotWrite) {
  create_audit_database(file_);
  Database reader = open_audit_for_reading(file_);
  EXPECT_THROW(reader.execute("CREATE TABLE t (a)"), AuditUnusable);
}

TEST_F(AuditFileTest, AReaderSeesTheLastCommitWhileAWriterIsAtWork) {
  create_audit_database(file_);
  Database writer = open_audit_for_writing(file_);
  Database reader = open_audit_for_reading(file_);
  writer.execute("CREATE TABLE t (a)");
  Transaction transaction(writer);
  writer.execute("INSERT INTO t VALUES (1)");
  EXPECT_EQ(reader.query_integer("SELECT count(*) FROM t"), 0);
  transaction.commit();
  EXPECT_EQ(reader.query_integer("SELECT count(*) FROM t"), 1);
}

TEST_F(AuditFileTest, ATransactionThatIsNotCommittedLeavesNothing) {
  create_audit_database(file_);
  Database writer = open_audit_for_writing(file_);
  writer.execute("CREATE TABLE t (a)");
  {
    const Transaction transaction(writer);
    writer.execute("INSERT INTO t VALUES (1)");
  }
  EXPECT_EQ(writer.query_integer("SELECT count(*) FROM t"), 0);
}

TEST_F(AuditFileTest, AStatementIsUsableAfterAnError) {
  Database database(file_, Database::Access::create);
  database.execute("CREATE TABLE t (a INTEGER PRIMARY KEY) STRICT");
  Statement insert = database.prepare("INSERT INTO t VALUES (?1)");
  insert.bind(1, std::int64_t{1}).run();
  EXPECT_THROW(insert.bind(1, std::int64_t{1}).run(), AuditUnusable);
  EXPECT_NO_THROW(insert.bind(1, std::int64_t{2}).run());
}

TEST_F(AuditFileTest, KeepsTextWithNulBytesWideIntegersAndTheDifferenceOfNullAndEmpty) {
  Database database(file_, Database::Access::create);
  database.execute("CREATE TABLE t (a ANY, b ANY, c ANY, d ANY) STRICT");
  const std::string with_nul("a\0b", 3);
  database.prepare("INSERT INTO t VALUES (?1, ?2, ?3, ?4)")
      .bind(1, with_nul)
      .bind(2, std::numeric_limits<std::int64_t>::min())
      .bind(3, std::string_view())
      .bind_optional(4, "")
      .run();
  Statement select = database.prepare("SELECT * FROM t");
  ASSERT_TRUE(select.step());
  EXPECT_EQ(select.text(0), with_nul);
  EXPECT_EQ(select.integer(1), std::numeric_limits<std::int64_t>::min());
  EXPECT_FALSE(select.is_null(2));
  EXPECT_TRUE(select.is_null(3));
  EXPECT_EQ(select.optional_integer(3), std::nullopt);
}

}  // namespace
}  // namespace diskrelease
