#include "queries/sql_question.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <set>
#include <sstream>
#include <stdexcept>

#include "model/errors.h"
#include "record/audit_file.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

bool never() { return false; }

class SqlQuestionTest : public ::testing::Test {
 protected:
  SqlQuestionTest() {
    create_audit_database(directory_ / "audit.db");
    Database database = open_audit_for_writing(directory_ / "audit.db");
    enrol(database, {"a", "b", "c"});
  }

  std::vector<std::string> answer(const std::string& sql) {
    Database database = open_evidence_for_reading(directory_ / "audit.db");
    SqlQuestion question(database, sql, never);
    std::vector<std::string> values;
    while (question.step()) values.emplace_back(question.row().text(0));
    return values;
  }
  std::string refusal(const std::string& sql) {
    try {
      static_cast<void>(answer(sql));
    } catch (const UsageError& error) {
      return error.what();
    }
    return {};
  }
  /// All bytes of the database and of what stands beside it; as a number, for messages.
  std::size_t files() {
    std::string all;
    std::set<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      paths.insert(entry.path());
    }
    for (const auto& path : paths) {
      // The index of the log is rebuilt by whoever opens it, and an empty log is none.
      if (path.string().ends_with("-shm") || std::filesystem::file_size(path) == 0) continue;
      std::ifstream in(path, std::ios::binary);
      std::ostringstream bytes;
      bytes << in.rdbuf();
      all += path.string() + '\n' + bytes.str();
    }
    return std::hash<std::string>()(all);
  }

  TemporaryDirectory directory_;
};

TEST_F(SqlQuestionTest, AnswersFromTablesViewsAndExpressions) {
  EXPECT_THAT(answer("SELECT disk_id FROM item ORDER BY 1 DESC"), ElementsAre("c", "b", "a"));
  EXPECT_THAT(answer("SELECT state FROM item_state WHERE disk_id = 'a'"), ElementsAre("pending"));
  EXPECT_THAT(answer("SELECT listed FROM run_summary;"), ElementsAre("3"));
  EXPECT_THAT(answer("SELECT 1; -- done\n ; /* really */ "), ElementsAre("1"));
  EXPECT_THAT(answer("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3)"
                     " SELECT i FROM n"),
              ElementsAre("1", "2", "3"));
  EXPECT_THAT(answer("PRAGMA table_info(duplicate_line)"), ElementsAre("0", "1", "2"));
  EXPECT_FALSE(answer("EXPLAIN QUERY PLAN SELECT * FROM attempt_log").empty());
}

TEST_F(SqlQuestionTest, CannotBeMadeToWrite) {
  const std::string file = (directory_ / "new.db").string();
  const std::size_t before = files();
  for (const std::string& sql : {
           std::string("DELETE FROM outcome"),
           std::string("UPDATE run SET name = 'x'"),
           std::string("INSERT INTO duplicate_line VALUES (1, 2, 'x')"),
           std::string("REPLACE INTO disk_item VALUES ('x', 1)"),
           std::string("INSERT INTO run SELECT * FROM run RETURNING run_id"),
           std::string("WITH x AS (SELECT 1) DELETE FROM item"),
           std::string("DROP TABLE derived_until"),
           std::string("DROP TRIGGER run_no_update"),
           std::string("CREATE TABLE mine (a)"),
           std::string("CREATE TEMP TABLE mine (a)"),
           std::string("CREATE TEMP VIEW item_state AS SELECT 1"),
           std::string("CREATE VIRTUAL TABLE mine USING fts5(a)"),
           std::string("CREATE INDEX mine ON item (disk_id)"),
           std::string("ALTER TABLE run ADD COLUMN mine"),
           "ATTACH '" + file + "' AS mine",
           std::string("DETACH main"),
           "VACUUM INTO '" + file + "'",
           std::string("VACUUM"),
           std::string("REINDEX"),
           std::string("ANALYZE"),
           std::string("BEGIN IMMEDIATE"),
           std::string("COMMIT"),
           std::string("ROLLBACK"),
           std::string("SAVEPOINT mine"),
           std::string("PRAGMA user_version = 7"),
           std::string("PRAGMA writable_schema = ON"),
           std::string("PRAGMA journal_mode = DELETE"),
           std::string("PRAGMA wal_checkpoint(TRUNCATE)"),
           std::string("PRAGMA query_only = OFF"),
           std::string("PRAGMA temp_store_directory = '/'"),
           std::string("SELECT load_extension('mine.so')"),
           std::string("SELECT * FROM pragma_journal_mode"),
           std::string("SELECT * FROM json_each('[1]')"),
           std::string("SELECT fts3_tokenizer('simple')"),
           std::string("SELECT 1; DELETE FROM outcome"),
       }) {
    EXPECT_NE(refusal(sql), "") << sql;
  }
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_EQ(files(), before);
}

/// Each of the guards must hold by itself; here the connection could write.
TEST_F(SqlQuestionTest, DoesNotWriteThroughAConnectionThatCould) {
  Database database = open_audit_for_writing(directory_ / "audit.db");
  for (const char* sql : {"INSERT INTO disk_item VALUES ('x', 1)", "CREATE TABLE mine (a)",
                          "PRAGMA user_version = 7", "BEGIN"}) {
    EXPECT_THROW(SqlQuestion(database, sql, never), UsageError) << sql;
  }
}

TEST_F(SqlQuestionTest, SaysWhatIsWrongWithAQuery) {
  EXPECT_THAT(refusal("SELEKT 1"), HasSubstr("syntax error, at \"SELEKT 1\""));
  EXPECT_THAT(refusal("SELECT * FROM nowhere"), HasSubstr("no such table: nowhere"));
  EXPECT_THAT(refusal("DROP TABLE run"),
              HasSubstr("refused: anything but reading tables and views is not allowed"));
  EXPECT_THAT(refusal("PRAGMA user_version = 7"), HasSubstr("refused: PRAGMA user_version"));
  EXPECT_THAT(refusal(""), HasSubstr("is empty"));
  EXPECT_THAT(refusal("-- nothing"), HasSubstr("is empty"));
  EXPECT_THAT(refusal("SELECT 1; SELECT 2"),
              HasSubstr("behind its first statement: \" SELECT 2\""));
  EXPECT_THAT(refusal("SELECT ?1"), HasSubstr("has parameters"));
  EXPECT_THAT(refusal("SELECT abs(-9223372036854775808)"), HasSubstr("failed: integer overflow"));
  EXPECT_THAT(refusal("SELECT randomblob(2000000)"), HasSubstr("failed: "));
  std::string wide = "SELECT hex(randomblob(500000))";
  for (int i = 0; i < 400; ++i) wide += ", hex(randomblob(500000))";
  EXPECT_THAT(refusal(wide), HasSubstr("more memory than it may have"));
  EXPECT_THAT(answer("SELECT 1"), ElementsAre("1"));
}

TEST_F(SqlQuestionTest, AnswersNothingWhereNobodyCountsItsMemory) {
  // In a process of its own: the count is SQLite's, for all connections.
  EXPECT_EXIT(
      {
        sqlite3_shutdown();
        leave_memory_uncounted();
        try {
          static_cast<void>(answer("SELECT 1"));
        } catch (const std::logic_error& error) {
          std::cerr << error.what();
          std::_Exit(7);
        }
        std::_Exit(0);
      },
      ::testing::ExitedWithCode(7), "SQLite does not count its memory");
}

TEST_F(SqlQuestionTest, EndsWhenItsTimeIsOver) {
  Database database = open_evidence_for_reading(directory_ / "audit.db");
  int looks = 0;
  SqlQuestion question(database,
                       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                       " SELECT max(i) FROM n",
                       [&] { return ++looks == 3; });
  try {
    static_cast<void>(question.step());
    ADD_FAILURE() << "it came to an end";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("took longer"));
  }
  EXPECT_EQ(looks, 3);
}

TEST_F(SqlQuestionTest, GivesEachColumnANameOfItsOwn) {
  Database database = open_evidence_for_reading(directory_ / "audit.db");
  const SqlQuestion question(database, "SELECT 1 AS a, 2 AS a, 3 AS a, 4 AS b", never);
  EXPECT_THAT(question.columns(), ElementsAre("a", "a_2", "a_3", "b"));
}

}  // namespace
}  // namespace diskrelease
