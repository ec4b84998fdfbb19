#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "platform/clock.h"
#include "record/audit_file.h"
#include "support/archivable_run.h"
#include "support/child_process.h"
#include "support/enrolled_run.h"
#include "support/places.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// The real binary on a database with runs of a year ago, of two months ago and of now.
class ArchiveCommandTest : public ::testing::Test {
 protected:
  ArchiveCommandTest() {
    create_audit_database(path("a.db"));
    const UtcTime now = SystemClock().utc_now();
    add_finished_run(path("a.db"), "a-", now - std::chrono::days(365));
    add_finished_run(path("a.db"), "b-", now - std::chrono::days(60));
    add_finished_run(path("a.db"), "c-", now);
  }

  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }
  ChildResult run(std::vector<std::string> words) const {
    words.insert(words.begin(), built_program());
    ChildProcess child(std::move(words), {{"PATH", "/usr/bin:/bin"}, {"HOME", path("")}},
                       directory_.path());
    return child.wait();
  }
  ChildResult archive(std::vector<std::string> words) const {
    words.insert(words.begin(), {"audit", "archive", "--db", path("a.db")});
    return run(std::move(words));
  }

  /// Takes away what would show that a database has been put back.
  void forget_how_far_it_was() const {
    std::filesystem::remove(path("a.db.anchors"));
    std::filesystem::remove_all(path(".local/state/diskrelease"));
  }

  TemporaryDirectory directory_;
};

TEST_F(ArchiveCommandTest, MovesVerifiesAnchorsAndTells) {
  const ChildResult done = archive({"--before", "30d", "-o", path("old.db")});
  EXPECT_EQ(done.exit_code, 0) << done.error;
  EXPECT_THAT(done.out, AllOf(HasSubstr("archived 2 runs with 14 disks in " + path("old.db")),
                              HasSubstr("moved  run 1 (test,"), Not(HasSubstr("run 3"))));
  EXPECT_EQ(std::filesystem::status(path("old.db")).permissions(),
            std::filesystem::perms::owner_read);
  const ChildResult verified =
      run({"audit", "verify", "--db", path("a.db"), "--db", path("old.db")});
  EXPECT_EQ(verified.exit_code, 0) << verified.out;
  EXPECT_THAT(verified.out, AllOf(HasSubstr("this is archive 1: 2 runs, 14 disks, by "),
                                  HasSubstr("2 anchors of"), Not(HasSubstr("but for"))));
  EXPECT_THAT(run({"audit", "verify", "--db", path("a.db")}).out,
              AllOf(HasSubstr("is as it was written, but for what is in 1 archive"),
                    HasSubstr("verify it as well, with --db " + path("old.db"))));
  // Whichever comes first, the anchors beside the database are held against it.
  EXPECT_THAT(run({"audit", "verify", "--db", path("old.db"), "--db", path("a.db")}).out,
              Not(HasSubstr("without anchors")));
  EXPECT_THAT(run({"audit", "stats", "--db", path("a.db")}).out,
              HasSubstr("1  2 runs, 14 disks, by "));
  EXPECT_THAT(run({"audit", "stats", "--json", "--db", path("a.db")}).out,
              HasSubstr(R"("archives":[{"archive_id":1,"file":")" + path("old.db")));

  // What was moved is told of, and can be read together with what is left.
  const ChildResult status = run({"status", "1", "--db", path("a.db")});
  EXPECT_EQ(status.exit_code, 2);
  EXPECT_THAT(status.error, HasSubstr("run 1 was moved to " + path("old.db")));
  EXPECT_THAT(run({"status", "1", "--db", path("old.db")}).out, HasSubstr("listed"));
  const auto disks = [&](std::vector<std::string> databases) {
    std::vector<std::string> words{"audit", "log",       "--outcome", "accepted",
                                   "--csv", "--columns", "disk_id"};
    for (const std::string& database : databases) {
      words.insert(words.end(), {"--db", path(database)});
    }
    return run(std::move(words)).out;
  };
  EXPECT_EQ(disks({"a.db"}), "disk_id\nc-accepted\n");
  EXPECT_EQ(disks({"old.db"}), "disk_id\na-accepted\nb-accepted\n");
  EXPECT_EQ(disks({"old.db", "a.db"}), "disk_id\na-accepted\nb-accepted\nc-accepted\n");
  EXPECT_THAT(run({"audit", "explain", "a-accepted", "--db", path("a.db")}).out,
              HasSubstr("run 1: its release was accepted or may have been; that run is archived"));
}

TEST_F(ArchiveCommandTest, ADryRunChangesNothing) {
  const ChildResult told = archive({"--before", "30d", "--dry-run"});
  EXPECT_EQ(told.exit_code, 0) << told.error;
  EXPECT_THAT(told.out, HasSubstr("would be moved: run 1"));
  EXPECT_THAT(archive({"--before", "30d", "--dry-run", "--json"}).out,
              AllOf(HasSubstr(R"("done":false)"), HasSubstr(R"("runs":[1,2])")));
  EXPECT_EQ(open_evidence_for_reading(path("a.db")).query_integer("SELECT count(*) FROM run"), 3);
}

TEST_F(ArchiveCommandTest, NothingOldEnoughIsNoError) {
  const ChildResult told = archive({"--before", "400d", "-o", path("old.db")});
  EXPECT_EQ(told.exit_code, 0);
  EXPECT_THAT(told.out, HasSubstr("nothing to archive"));
  EXPECT_FALSE(std::filesystem::exists(path("old.db")));
}

TEST_F(ArchiveCommandTest, WhatItNeedsIsAskedForAndNoFileIsReplaced) {
  EXPECT_THAT(archive({"-o", path("old.db")}).error, HasSubstr("needs --before"));
  EXPECT_THAT(archive({"--before", "30d"}).error, HasSubstr("needs -o FILE"));
  EXPECT_THAT(archive({"--before", "30d", "-o", "-"}).error, HasSubstr("standard output"));
  EXPECT_THAT(archive({"--before", "soon", "-o", path("old.db")}).error, HasSubstr("--before"));
  std::ofstream(path("old.db")) << "something";
  const ChildResult refused = archive({"--before", "30d", "-o", path("old.db")});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.error, HasSubstr("an archive replaces nothing"));
  EXPECT_EQ(archive({"--before", "30d", "-o", path("no/such/old.db")}).exit_code, 2);
  EXPECT_EQ(open_evidence_for_reading(path("a.db")).query_integer("SELECT count(*) FROM run"), 3);
}

TEST_F(ArchiveCommandTest, WhatAnInterruptedArchivingLeftIsRecognised) {
  std::filesystem::copy_file(path("a.db"), path("before.db"));
  ASSERT_EQ(archive({"--before", "30d", "-o", path("old.db")}).exit_code, 0);
  // As if the process had died before its commit.
  std::filesystem::rename(path("before.db"), path("a.db"));
  forget_how_far_it_was();
  const ChildResult refused = archive({"--before", "30d", "-o", path("old.db")});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.error, HasSubstr("left by an archiving that did not come to its end"));
  const ChildResult verified =
      run({"audit", "verify", "--db", path("a.db"), "--db", path("old.db")});
  EXPECT_EQ(verified.exit_code, 9) << verified.out;
  EXPECT_THAT(verified.out, HasSubstr("does not have it on record"));
  std::filesystem::remove(path("old.db"));
  EXPECT_EQ(archive({"--before", "30d", "-o", path("old.db")}).exit_code, 0);
  EXPECT_EQ(run({"audit", "verify", "--db", path("a.db"), "--db", path("old.db")}).exit_code, 0);
}

TEST_F(ArchiveCommandTest, AnArchiveThatAnOlderCopyDoesNotKnowIsToBeKept) {
  std::filesystem::copy_file(path("a.db"), path("backup.db"));
  add_finished_run(path("a.db"), "d-", SystemClock().utc_now());
  ASSERT_EQ(archive({"--before", "30d", "-o", path("old.db")}).exit_code, 0);
  std::filesystem::rename(path("backup.db"), path("a.db"));
  const ChildResult contradicted = archive({"--before", "30d", "-o", path("old.db")});
  EXPECT_EQ(contradicted.exit_code, 10);
  EXPECT_THAT(contradicted.error, HasSubstr("an older copy was put back"));
  forget_how_far_it_was();
  const ChildResult refused = archive({"--before", "30d", "-o", path("old.db")});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.error, AllOf(HasSubstr("Keep that file"), Not(HasSubstr("Remove"))));
}

TEST_F(ArchiveCommandTest, CommandsSayWhichArchivesTheyDoNotLookAt) {
  ASSERT_EQ(archive({"--before", "30d", "-o", path("old.db")}).exit_code, 0);
  const std::string note = "what is in archive 1 is not looked at";
  EXPECT_THAT(run({"report", "--since", "400d", "-o", path("r.html"), "--db", path("a.db")}).error,
              HasSubstr(note));
  EXPECT_THAT(run({"status", "--all", "--db", path("a.db")}).error, HasSubstr(note));
  EXPECT_EQ(run({"status", "--all", "--quiet", "--db", path("a.db")}).error, "");
  std::ofstream(path("log.json")) << R"({"requestId":"T","response":{"logs":[]}})";
  const auto reconcile = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"audit",   "reconcile", "--provider-log", path("log.json"),
                                   "--since", "400d",      "--until",        "1h",
                                   "--db",    path("a.db")};
    words.insert(words.end(), more.begin(), more.end());
    return run(std::move(words));
  };
  EXPECT_THAT(reconcile({}).error, HasSubstr(note));
  EXPECT_THAT(reconcile({"--db", path("old.db")}).error, Not(HasSubstr(note)));
  const ChildResult log = run({"audit", "log", "--run", "1", "--db", path("a.db")});
  EXPECT_EQ(log.exit_code, 2);
  EXPECT_THAT(log.error, HasSubstr("run 1 was moved to"));
}

TEST_F(ArchiveCommandTest, AlteredRowsAreNotMoved) {
  {
    Database database(path("a.db"), Database::Access::read_write);
    database.execute(
        "DROP TRIGGER outcome_no_update;"
        "UPDATE outcome SET request_id = 'Tforged' WHERE attempt_id = 1;"
        "CREATE TRIGGER outcome_no_update BEFORE UPDATE ON outcome BEGIN SELECT RAISE(ABORT, "
        "'append-only'); END");
  }
  const ChildResult refused = archive({"--before", "30d", "-o", path("old.db")});
  EXPECT_EQ(refused.exit_code, 9);
  EXPECT_THAT(refused.out, HasSubstr("outcome 1: was changed"));
  EXPECT_THAT(refused.error, HasSubstr("nothing was archived"));
  EXPECT_FALSE(std::filesystem::exists(path("old.db")));
  EXPECT_EQ(open_evidence_for_reading(path("a.db")).query_integer("SELECT count(*) FROM run"), 3);
}

TEST_F(ArchiveCommandTest, AnArchiveOfAnotherHistoryIsFound) {
  std::filesystem::copy_file(path("a.db"), path("b.db"));
  ASSERT_EQ(archive({"--before", "30d", "-o", path("old.db")}).exit_code, 0);
  // The same chain up to here, archived otherwise, as on another machine.
  forget_how_far_it_was();
  std::filesystem::rename(path("a.db"), path("away.db"));
  ASSERT_EQ(
      run({"audit", "archive", "--db", path("b.db"), "--before", "100d", "-o", path("forged.db")})
          .exit_code,
      0);
  std::filesystem::rename(path("away.db"), path("a.db"));
  const ChildResult found =
      run({"audit", "verify", "--db", path("a.db"), "--db", path("forged.db"), "--quiet"});
  EXPECT_EQ(found.exit_code, 9);
  EXPECT_THAT(found.out, HasSubstr("has it on record with the head"));
}

TEST_F(ArchiveCommandTest, OthersThanReadersTakeOneDatabase) {
  const ChildResult refused = run({"status", "--db", path("a.db"), "--db", path("b.db")});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.error, HasSubstr("--db is given more than once; only these read several"));
}

}  // namespace
}  // namespace diskrelease
