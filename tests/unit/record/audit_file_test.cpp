#include "record/audit_file.h"
#include "evidence/embedded_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>
#include <limits>
#include <map>

#include "custody/audit_stats.h"
#include "custody/verification.h"
#include "evidence/chain.h"
#include "evidence/schema_check.h"
#include "model/errors.h"
#include "record/run_records.h"
#include "support/audit_error.h"
#include "support/enrolled_run.h"
#include "support/places.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// The folder that relative paths begin in, while it lives.
class CurrentFolder {
 public:
  explicit CurrentFolder(const std::filesystem::path& folder) {
    std::filesystem::current_path(folder);
  }
  ~CurrentFolder() { std::filesystem::current_path(before_); }
  CurrentFolder(const CurrentFolder&) = delete;
  CurrentFolder& operator=(const CurrentFolder&) = delete;

 private:
  std::filesystem::path before_ = std::filesystem::current_path();
};

/// While it lives, SQLite finds its files on a file system that has no memory shared by processes.
class NoSharedMemory {
 public:
  NoSharedMemory() {
    layer_ = *beneath_;
    layer_.zName = "without_shared_memory";
    layer_.pAppData = beneath_;
    layer_.xOpen = &open;
    EXPECT_EQ(sqlite3_vfs_register(&layer_, 1), SQLITE_OK);
  }
  ~NoSharedMemory() {
    sqlite3_vfs_unregister(&layer_);
    sqlite3_vfs_register(beneath_, 1);
  }
  NoSharedMemory(const NoSharedMemory&) = delete;
  NoSharedMemory& operator=(const NoSharedMemory&) = delete;

 private:
  static int open(sqlite3_vfs* layer, const char* name, sqlite3_file* file, int flags,
                  int* out_flags) {
    auto* const beneath = static_cast<sqlite3_vfs*>(layer->pAppData);
    const int result = beneath->xOpen(beneath, name, file, flags, out_flags);
    if (result == SQLITE_OK) {
      // Shared memory came with the second version of the methods.
      static sqlite3_io_methods methods;
      methods = *file->pMethods;
      methods.iVersion = 1;
      file->pMethods = &methods;
    }
    return result;
  }

  sqlite3_vfs* beneath_ = sqlite3_vfs_find(nullptr);
  sqlite3_vfs layer_{};
};

class AuditFileTest : public ::testing::Test {
 protected:
  std::string writing_error() {
    return error_of([&] { static_cast<void>(open_audit_for_writing(file_)); });
  }
  std::string reading_error() {
    return error_of([&] { static_cast<void>(open_audit_for_reading(file_)); });
  }
  /// A database as version 1 has left it, with every kind of row.
  void make_older_version() {
    std::filesystem::copy_file(source_folder() / "tests/fixtures/version_1/audit.db", file_);
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  std::filesystem::path copy_ = directory_ / "audit.db.v1.bak";
};

TEST_F(AuditFileTest, CreatesADatabaseForItsOwnerOnly) {
  file_ = directory_ / "new" / "folder" / "audit.db";
  create_audit_database(file_);
  struct stat status {};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  Database database = open_audit_for_writing(file_);
  EXPECT_EQ(database.query_integer("PRAGMA application_id"), k_audit_application_id);
  EXPECT_EQ(database.query_integer("PRAGMA user_version"), current_schema_version());
  EXPECT_EQ(database.query_integer("PRAGMA synchronous"), 2);
  EXPECT_EQ(database.query_integer("PRAGMA foreign_keys"), 1);
  Statement journal = database.prepare("PRAGMA journal_mode");
  ASSERT_TRUE(journal.step());
  EXPECT_EQ(journal.text(0), "wal");
}

TEST_F(AuditFileTest, TakesPathsWithCharactersThatMeanSomethingInAUri) {
  for (const char* name :
       {"a?b.db", "a#b.db", "100%41.db", "blank and ü.db", "a?mode=ro", "a\nb.db"}) {
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
  open_audit_for_writing(file_).execute("PRAGMA user_version = 99");
  EXPECT_THAT(writing_error(), HasSubstr("has version 99"));
  EXPECT_THAT(reading_error(), HasSubstr("has version 99"));
}

TEST_F(AuditFileTest, FinishesACreationThatWasCutOff) {
  std::ofstream(file_).flush();
  Database database = open_audit_for_writing(file_);
  EXPECT_EQ(database.query_integer("PRAGMA user_version"), current_schema_version());
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM run"), 0);
}

TEST_F(AuditFileTest, FinishesACreationThatWasCutOffAfterWriteAheadLoggingWasSet) {
  Database(file_, Database::Access::create).execute("PRAGMA journal_mode = WAL");
  ASSERT_GT(std::filesystem::file_size(file_), 0U);
  EXPECT_EQ(open_audit_for_writing(file_).query_integer("SELECT count(*) FROM run"), 0);
}

TEST_F(AuditFileTest, CreatesADatabaseWhoseNameHasNoFolder) {
  const CurrentFolder inside(directory_.path());
  create_audit_database("audit.db");
  EXPECT_EQ(open_audit_for_writing(file_).query_integer("SELECT count(*) FROM run"), 0);
}

TEST_F(AuditFileTest, SaysWhyTheFolderCannotBeCreated) {
  std::ofstream(directory_ / "notes").flush();
  file_ = directory_ / "notes" / "audit.db";
  EXPECT_THAT(
      error_of([&] { create_audit_database(file_); }),
      AllOf(HasSubstr(file_.string()), HasSubstr("its folder cannot be created: Not a directory")));
}

TEST_F(AuditFileTest, BringsAnOlderVersionUpToDateAndKeepsACopyOfIt) {
  make_older_version();
  const Database database = open_audit_for_writing(file_);
  Database reader = open_audit_for_reading(file_);
  EXPECT_EQ(reader.query_integer("PRAGMA user_version"), current_schema_version());
  EXPECT_EQ(reader.query_integer("SELECT count(*) FROM main.invocation_origin"), 0);
  EXPECT_EQ(reader.query_integer("SELECT count(*) FROM run"), 1);
  Database copy(copy_, Database::Access::read_only);
  EXPECT_EQ(copy.query_integer("PRAGMA user_version"), 1);
  EXPECT_EQ(copy.query_integer("SELECT count(*) FROM outcome"), 2);
  EXPECT_EQ(copy.query_integer("PRAGMA application_id"), k_audit_application_id);
}

TEST_F(AuditFileTest, AnOlderVersionWithWhatIsNotOursIsNotMigrated) {
  make_older_version();
  Database(file_, Database::Access::read_write).execute("CREATE TABLE theirs (a)");
  EXPECT_THAT(writing_error(), HasSubstr("table theirs does not belong to an audit database"));
  EXPECT_FALSE(std::filesystem::exists(copy_));
  Database database(file_, Database::Access::read_only);
  EXPECT_EQ(database.query_integer("PRAGMA user_version"), 1);
}

TEST_F(AuditFileTest, LeavesAnOlderVersionAsItIsWhenItCannotBeCopied) {
  make_older_version();
  std::filesystem::create_directory(copy_);
  EXPECT_THAT(writing_error(),
              AllOf(HasSubstr("has the older version 1"), HasSubstr(copy_.string())));
  Database database(file_, Database::Access::read_only);
  EXPECT_EQ(database.query_integer("PRAGMA user_version"), 1);
  EXPECT_EQ(
      database.query_integer("SELECT count(*) FROM sqlite_schema WHERE name = 'invocation_origin'"),
      0);
}

TEST_F(AuditFileTest, ACopyThatAnInterruptedMigrationHasLeftIsMadeAnew) {
  make_older_version();
  std::ofstream(copy_) << "half of a copy";
  static_cast<void>(open_audit_for_writing(file_));
  Database copy(copy_, Database::Access::read_only);
  EXPECT_EQ(copy.query_integer("PRAGMA user_version"), 1);
}

TEST_F(AuditFileTest, AReaderReadsAnOlderVersionAndLeavesItAsItIs) {
  make_older_version();
  {
    Database reader = open_audit_for_reading(file_);
    EXPECT_EQ(reader.query_integer("SELECT count(*) FROM invocation_origin"), 0);
    EXPECT_EQ(reader.query_integer("SELECT count(*) FROM item_state WHERE state = 'released'"), 2);
  }
  EXPECT_FALSE(std::filesystem::exists(copy_));
  Database database(file_, Database::Access::read_only);
  EXPECT_EQ(database.query_integer("PRAGMA user_version"), 1);
  EXPECT_EQ(
      database.query_integer("SELECT count(*) FROM sqlite_schema WHERE name = 'invocation_origin'"),
      0);
}

TEST_F(AuditFileTest, RefusesAFileSystemWithoutSharedMemory) {
  create_audit_database(file_);
  open_audit_for_writing(file_).execute("PRAGMA journal_mode = DELETE");
  const NoSharedMemory network;
  EXPECT_THAT(writing_error(), HasSubstr("does not support write-ahead logging"));
  file_ = directory_ / "new.db";
  EXPECT_THAT(error_of([&] { create_audit_database(file_); }),
              HasSubstr("does not support write-ahead logging"));
}

TEST_F(AuditFileTest, WhatTheInspectionRefusesIsLeftAsItIsWithItsWriteAheadLog) {
  create_audit_database(file_);
  const std::filesystem::path log = file_.string() + "-wal";
  std::filesystem::path kept = directory_ / "kept";
  {
    Database database = open_audit_for_writing(file_);
    enrol(database, {"one"});
    std::filesystem::copy_file(log, kept);
  }
  // As after a kill: the log holds what the database does not have yet.
  std::filesystem::rename(kept, log);
  const auto size = std::filesystem::file_size(log);
  EXPECT_THAT(error_of([&] {
                static_cast<void>(open_audit_for_writing(
                    file_, [](Database&) { throw AuditUnusable("another one"); }));
              }),
              HasSubstr("another one"));
  EXPECT_EQ(std::filesystem::file_size(log), size);
}

TEST_F(AuditFileTest, RefusesToWriteToAFileWithSeveralNames) {
  create_audit_database(file_);
  std::filesystem::create_hard_link(file_, directory_ / "second");
  EXPECT_THAT(writing_error(), HasSubstr("has 2 names (hard links)"));
  EXPECT_NO_THROW(static_cast<void>(open_audit_for_reading(file_)));
  std::filesystem::remove(directory_ / "second");
  EXPECT_NO_THROW(static_cast<void>(open_audit_for_writing(file_)));
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

TEST_F(AuditFileTest, ACopyIsWholeWhateverTheWriterDoesAndNothingIsWrittenOver) {
  const TemporaryDirectory directory;
  create_audit_database(directory / "a.db");
  Database writer = open_audit_for_writing(directory / "a.db");
  const RunRecord run = enrol(writer, {"a", "b"});
  Database reader = open_evidence_for_reading(directory / "a.db");
  std::ofstream(directory / "copy.db").close();
  copy_database(reader, directory / "copy.db");
  // What comes later is not in it.
  static_cast<void>(begin_test_invocation(writer, run.id));
  Database copy = open_evidence_for_reading(directory / "copy.db");
  EXPECT_TRUE(verify_audit(copy, {}).passed());
  EXPECT_EQ(copy.query_integer("SELECT count(*) FROM item"), 2);
  EXPECT_EQ(copy.query_integer("SELECT count(*) FROM invocation"), 0);
  EXPECT_THROW(copy_database(reader, directory / "copy.db"), AuditUnusable);
  EXPECT_EQ(copy.query_integer("SELECT count(*) FROM item"), 2);
  EXPECT_THROW(copy_database(reader, directory / "no" / "copy.db"), AuditUnusable);
  // It can be worked on like the original.
  Database reopened = open_audit_for_writing(directory / "copy.db");
  enrol(reopened, {"c"});
  EXPECT_TRUE(verify_audit(reopened, {}).passed());
}

TEST_F(AuditFileTest, StatsCountRowsAndTellTheSpan) {
  const TemporaryDirectory directory;
  create_audit_database(directory / "a.db");
  Database database = open_audit_for_writing(directory / "a.db");
  EXPECT_FALSE(read_stats(database).first_run);
  const RunRecord run = enrol(database, {"a", "b", "c"});
  const InvocationId invocation = begin_test_invocation(database, run.id);
  end_invocation(database, invocation, EndReason::finished, "", 0, k_test_time);
  static_cast<void>(begin_test_invocation(database, run.id));
  const AuditStats stats = read_stats(database);
  std::map<std::string_view, std::int64_t> rows;
  for (const TableStats& table : stats.tables) rows[table.name] = table.rows;
  EXPECT_EQ(rows.at("run"), 1);
  EXPECT_EQ(rows.at("item"), 3);
  EXPECT_EQ(rows.at("invocation"), 2);
  EXPECT_EQ(rows.at("invocation_end"), 1);
  EXPECT_EQ(rows.at("outcome"), 0);
  EXPECT_EQ(rows.at("invocation_origin"), 2);
  EXPECT_EQ(rows.size(), k_kinds.size() - 1) << "all but the archive's";
  EXPECT_EQ(stats.first_run, k_test_time);
  EXPECT_EQ(stats.last_end, k_test_time);
  EXPECT_EQ(stats.head.block, read_chain_head(database).block);
}

}  // namespace
}  // namespace diskrelease
