#include "support/faulty_vfs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "model/errors.h"
#include "store/database.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FaultyVfsTest : public ::testing::Test {
 protected:
  FaultyVfsTest() {
    Database database(file_, Database::Access::create);
    database.execute("PRAGMA journal_mode = WAL; CREATE TABLE number (number INTEGER)");
  }

  Database open() {
    Database database(file_, Database::Access::read_write);
    database.execute("PRAGMA synchronous = FULL");
    return database;
  }

  static void insert(Database& database, int number) {
    database.execute("INSERT INTO number VALUES (" + std::to_string(number) + ")");
  }

  /// From a new process, so to speak.
  std::vector<std::int64_t> numbers() {
    Database database(file_, Database::Access::read_write);
    EXPECT_EQ(database.query_integer("SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
              1);
    Statement select = database.prepare("SELECT number FROM number ORDER BY number");
    std::vector<std::int64_t> found;
    while (select.step()) found.push_back(select.integer(0));
    return found;
  }

  std::string content(const char* suffix) const {
    std::ifstream in(file_.string() + suffix, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return std::move(text).str();
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "numbers.db";
};

TEST_F(FaultyVfsTest, APowerCutTakesWhatWasNotSyncedAndLeavesWhatWas) {
  FaultyVfs vfs(FaultyVfs::Syncs::skipped);
  {
    Database database = open();
    insert(database, 1);
    database.execute("PRAGMA synchronous = OFF");
    insert(database, 2);
    EXPECT_EQ(database.query_integer("SELECT count(*) FROM number"), 2);
    vfs.cut_power();
    EXPECT_THROW(insert(database, 3), AuditUnusable);
  }
  vfs.restart();
  EXPECT_THAT(numbers(), ElementsAre(1));
}

TEST_F(FaultyVfsTest, AKillLeavesWhatWasWritten) {
  FaultyVfs vfs(FaultyVfs::Syncs::skipped);
  {
    Database database = open();
    database.execute("PRAGMA synchronous = OFF");
    insert(database, 1);
    vfs.kill();
    EXPECT_THROW(insert(database, 2), AuditUnusable);
  }
  vfs.restart();
  EXPECT_THAT(numbers(), ElementsAre(1));
}

TEST_F(FaultyVfsTest, AFailedSyncLosesItsWritesThoughALaterOneSucceeds) {
  FaultyVfs vfs(FaultyVfs::Syncs::skipped);
  {
    Database database = open();
    insert(database, 1);
    vfs.arm({.operation = FileOperation::sync, .code = SQLITE_IOERR_FSYNC});
    EXPECT_THROW(insert(database, 2), AuditUnusable);
    insert(database, 3);
    vfs.cut_power();
  }
  vfs.restart();
  // The third is written over the second, in the same place of the log.
  EXPECT_THAT(numbers(), ElementsAre(1, 3));
}

TEST_F(FaultyVfsTest, ADrawDecidesWhatOfTheUnsyncedSurvives) {
  std::vector<std::string> logs;
  for (const std::uint64_t seed : {7U, 7U, 8U}) {
    SCOPED_TRACE(seed);
    file_ = directory_ / std::to_string(logs.size());
    {
      Database database(file_, Database::Access::create);
      database.execute("CREATE TABLE number (number INTEGER)");
    }
    FaultyVfs vfs(FaultyVfs::Syncs::skipped);
    std::string before;
    {
      // In the file itself, whose bytes are the same every time; a log begins with a random number.
      Database database = open();
      database.execute("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF");
      before = content("");
      database.execute(
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)"
          " INSERT INTO number SELECT i FROM n");
      const std::string after = content("");
      vfs.cut_power(seed);
      EXPECT_NE(content(""), before);
      EXPECT_NE(content(""), after);
    }
    logs.push_back(content(""));
  }
  EXPECT_EQ(logs[0], logs[1]);
  EXPECT_NE(logs[0], logs[2]);
}

TEST_F(FaultyVfsTest, TearsAWriteAndFailsIt) {
  for (const auto torn : {Fault::Torn::first_half, Fault::Torn::all_but_last_sector}) {
    FaultyVfs vfs(FaultyVfs::Syncs::skipped);
    Database database = open();
    insert(database, 1);
    const std::string before = content("-wal");
    // The second write is the page, after the header of its frame.
    vfs.arm(
        {.operation = FileOperation::write, .number = 2, .code = SQLITE_IOERR_WRITE, .torn = torn});
    EXPECT_THROW(insert(database, 2), AuditUnusable);
    EXPECT_TRUE(vfs.fault_happened());
    const std::string after = content("-wal");
    EXPECT_EQ(after.size(), before.size() + 24 + (torn == Fault::Torn::first_half ? 2048U : 4096U));
    if (torn == Fault::Torn::all_but_last_sector) {
      EXPECT_TRUE(after.ends_with(std::string(512, '\xA5')));
    }
    EXPECT_EQ(vfs.count(FileOperation::write), 2);
  }
}

TEST_F(FaultyVfsTest, FailsOneOperationOrAllFromThereOn) {
  FaultyVfs vfs(FaultyVfs::Syncs::skipped);
  Database database = open();
  vfs.arm({.operation = FileOperation::write, .code = SQLITE_FULL});
  EXPECT_THROW(insert(database, 1), AuditUnusable);
  insert(database, 2);
  vfs.arm({.operation = FileOperation::write, .code = SQLITE_FULL, .lasting = true});
  EXPECT_THROW(insert(database, 3), AuditUnusable);
  EXPECT_THROW(insert(database, 4), AuditUnusable);
  EXPECT_GE(vfs.count(FileOperation::write), 2);
  EXPECT_GE(vfs.count_changes(), vfs.count(FileOperation::write));
}

TEST_F(FaultyVfsTest, RefusesToRestartUnderOpenConnections) {
  FaultyVfs vfs(FaultyVfs::Syncs::skipped);
  Database database = open();
  insert(database, 1);
  EXPECT_THROW(vfs.restart(), std::logic_error);
}

TEST_F(FaultyVfsTest, GivesThePlainFileSystemBackWhenItIsGone) {
  const sqlite3_vfs* before = sqlite3_vfs_find(nullptr);
  {
    const FaultyVfs vfs(FaultyVfs::Syncs::real);
    EXPECT_NE(sqlite3_vfs_find(nullptr), before);
    Database database = open();
    insert(database, 1);
    EXPECT_GT(vfs.count(FileOperation::sync), 0);
  }
  EXPECT_EQ(sqlite3_vfs_find(nullptr), before);
  EXPECT_THAT(numbers(), ElementsAre(1));
}

}  // namespace
}  // namespace diskrelease
