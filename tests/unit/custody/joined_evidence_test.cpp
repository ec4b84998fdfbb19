#include "custody/joined_evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "derived/request_index.h"
#include "model/errors.h"
#include "queries/disk_history.h"
#include "queries/log_query.h"
#include "queries/sql_question.h"
#include "record/audit_file.h"
#include "support/archivable_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Paths = std::vector<std::filesystem::path>;

/// Run 1 in old.db, run 2 in older.db, runs 3 and 4 in audit.db, a day apart.
class JoinedEvidenceTest : public ::testing::Test {
 protected:
  JoinedEvidenceTest() {
    create_audit_database(file_);
    add_finished_run(file_, "a-", day(0));
    add_finished_run(file_, "b-", day(1));
    archive_all(file_, old_, day(1));
    add_finished_run(file_, "c-", day(2));
    archive_all(file_, older_, day(2));
    add_finished_run(file_, "d-", day(3));
  }

  static UtcTime day(int number) {
    return UtcTime(std::chrono::milliseconds(1'795'000'000'000)) + std::chrono::days(number);
  }
  static std::vector<std::string> runs(Database& database, const std::string& from) {
    std::vector<std::string> found;
    Statement select = database.prepare("SELECT DISTINCT run_id FROM " + from + " ORDER BY run_id");
    while (select.step()) found.emplace_back(select.text(0));
    return found;
  }
  std::string refusal(const std::filesystem::path& path, const Paths& more) const {
    try {
      static_cast<void>(open_joined_evidence(path, more));
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  std::filesystem::path old_ = directory_ / "old.db";
  std::filesystem::path older_ = directory_ / "older.db";
};

TEST_F(JoinedEvidenceTest, HasTheRowsOfAllInWhateverOrderTheyAreNamed) {
  for (const Paths& paths : {Paths{file_, old_, older_}, Paths{older_, file_, old_}}) {
    Database database = open_joined_evidence(paths[0], Paths{paths[1], paths[2]});
    for (const char* name : {"run", "item", "invocation", "duplicate_line", "attempt_log",
                             "item_state", "run_summary", "disk_history", "decision"}) {
      EXPECT_THAT(runs(database, name), ElementsAre("1", "2", "3", "4")) << name;
    }
    // Six attempts a run; each day once, of which the first has those of a run.
    EXPECT_EQ(database.query_integer("SELECT count(*) FROM daily_totals"), 4);
    EXPECT_EQ(database.query_integer("SELECT sum(attempts) FROM daily_totals"), 24);
    EXPECT_EQ(database.query_integer("SELECT sum(attempts) FROM error_totals"), 20);
    // The memory of the archives is that of the database.
    EXPECT_EQ(database.query_integer("SELECT count(*) FROM archive"), 2);
    EXPECT_EQ(database.query_integer("SELECT count(*) FROM archived_release"), 6);
  }
}

TEST_F(JoinedEvidenceTest, ADayThatIsInSeveralOfThemIsOneDay) {
  add_finished_run(file_, "e-", day(0));
  Database database = open_joined_evidence(file_, Paths{old_});
  Statement first = database.prepare("SELECT day, attempts FROM daily_totals ORDER BY 1");
  ASSERT_TRUE(first.step());
  EXPECT_EQ(first.integer(1), 12);
}

TEST_F(JoinedEvidenceTest, ArchivesAloneAreReadAsWell) {
  Database database = open_joined_evidence(old_, Paths{older_});
  EXPECT_THAT(runs(database, "run_summary"), ElementsAre("1", "2"));
  Database alone = open_joined_evidence(old_, {});
  EXPECT_THAT(runs(alone, "run_summary"), ElementsAre("1"));
}

TEST_F(JoinedEvidenceTest, TheLogFindsADiskAndARequestInWhicheverItIs) {
  Database database = open_joined_evidence(file_, Paths{old_, older_});
  const auto logged = [&](const LogFilter& filter) {
    std::vector<std::string> rows;
    read_log(database, filter, [&](const LogRow& row) {
      rows.push_back(std::to_string(row.run_id) + " " + row.disk_id + " " + row.request_id);
      return true;
    });
    return rows;
  };
  LogFilter disk;
  disk.disk = "b-gone";
  EXPECT_THAT(logged(disk), ElementsAre("2 b-gone b-T2"));
  for (const std::string prefix : {"a-", "b-", "c-", "d-"}) {
    LogFilter request;
    request.request_id = prefix + "T5";
    EXPECT_THAT(logged(request), ElementsAre(HasSubstr(prefix + "rejected")));
    EXPECT_EQ(attempts_by_request(database, prefix + "T5")->size(), 1U);
  }
  LogFilter all;
  EXPECT_EQ(logged(all).size(), 24U);
  EXPECT_THAT(logged(all).front(), HasSubstr("1 a-accepted"));
}

TEST_F(JoinedEvidenceTest, TheStoryOfADiskIsToldOnce) {
  Database database = open_joined_evidence(file_, Paths{old_, older_});
  const DiskHistory history = read_disk_history(database, "a-gone");
  std::vector<std::string> kinds;
  for (const DiskEvent& event : history.events) kinds.push_back(event.kind);
  EXPECT_THAT(kinds, ElementsAre("listed", "attempted", "answered", "settled"));
  ASSERT_EQ(history.items.size(), 1U);
  EXPECT_EQ(history.items[0].state, "already_gone");
  // Of what is not read, where it is.
  Database without = open_joined_evidence(file_, Paths{older_});
  const DiskHistory elsewhere = read_disk_history(without, "a-gone");
  ASSERT_EQ(elsewhere.events.size(), 1U);
  EXPECT_EQ(elsewhere.events[0].kind, "archived");
  EXPECT_EQ(elsewhere.events[0].detail, old_.string());
}

TEST_F(JoinedEvidenceTest, OneDiskIsSearchedForAndNotAllAreRead) {
  Database database = open_joined_evidence(file_, Paths{old_, older_});
  for (const char* sql :
       {"SELECT * FROM disk_history LEFT JOIN invocation USING (invocation_id)"
        " WHERE disk_id = 'a-gone'",
        "SELECT * FROM attempt_log WHERE item_id IN"
        " (SELECT item_id FROM disk_item WHERE disk_id = 'a-gone')",
        "SELECT * FROM item_state JOIN run USING (run_id)"
        " WHERE item_id IN (SELECT item_id FROM disk_item WHERE disk_id = 'a-gone')"}) {
    Statement plan = database.prepare(std::string("EXPLAIN QUERY PLAN ") + sql);
    std::string text;
    while (plan.step()) text += std::string(plan.text(3)) + '\n';
    for (const char* table : {"disk_item", "item", "attempt", "outcome", "observation"}) {
      EXPECT_THAT(text, ::testing::Not(HasSubstr(std::string("SCAN ") + table + "\n"))) << sql;
    }
  }
}

TEST_F(JoinedEvidenceTest, AQuestionIsAnsweredFromAllAndStillCannotWrite) {
  Database database = open_joined_evidence(file_, Paths{old_, older_});
  {
    SqlQuestion question(database, "SELECT count(*) FROM outcome", [] { return false; });
    ASSERT_TRUE(question.step());
    EXPECT_EQ(question.row().integer(0), 24);
  }
  for (const char* sql : {"DELETE FROM archive_1.outcome", "DETACH archive_1",
                          "CREATE TEMP TABLE t (a)", "ATTACH 'x.db' AS x", "DROP VIEW temp.run"}) {
    EXPECT_THROW(SqlQuestion(database, sql, [] { return false; }), UsageError) << sql;
  }
}

TEST_F(JoinedEvidenceTest, WhatDoesNotBelongTogetherIsRefused) {
  create_audit_database(directory_ / "other.db");
  add_finished_run(directory_ / "other.db", "x-", day(0));
  EXPECT_THAT(refusal(file_, {directory_ / "other.db"}), HasSubstr("not of the same chain"));
  EXPECT_THAT(refusal(file_, {file_}), HasSubstr("copies of one database"));
  std::filesystem::copy_file(old_, directory_ / "copy.db");
  EXPECT_THAT(refusal(old_, {file_, directory_ / "copy.db"}), HasSubstr("copies of one database"));
  std::filesystem::copy_file(file_, directory_ / "backup.db");
  EXPECT_THAT(refusal(file_, {directory_ / "backup.db"}), HasSubstr("copies of one database"));
  EXPECT_THAT(refusal(file_, Paths(10, old_)), HasSubstr("at most 10"));
  // The database as it was before that archive was made, which still has its rows.
  std::filesystem::copy_file(file_, directory_ / "before.db");
  add_finished_run(file_, "f-", day(9));
  archive_all(file_, directory_ / "third.db", day(8));
  EXPECT_THAT(refusal(directory_ / "before.db", {directory_ / "third.db"}),
              HasSubstr("does not have this archive on record"));
  EXPECT_EQ(refusal(file_, {directory_ / "third.db", old_}), "");
}

}  // namespace
}  // namespace diskrelease
