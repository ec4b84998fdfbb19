#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "store/database.h"
#include "support/child_process.h"
#include "support/places.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// The real binary on files that version 1 has left: tests/fixtures/version_1.
class OlderVersionTest : public ::testing::Test {
 protected:
  OlderVersionTest() {
    const std::filesystem::path fixtures = source_folder() / "tests/fixtures/version_1";
    for (const char* name : {"audit.db", "archive.db", "audit.db.anchors", "bundle.tar"}) {
      std::filesystem::copy_file(fixtures / name, path(name));
    }
  }

  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }
  ChildResult start(std::vector<std::string> words) const {
    ChildProcess child(std::move(words), {{"PATH", "/usr/bin:/bin"}, {"HOME", path("")}},
                       directory_.path());
    return child.wait();
  }
  ChildResult run(std::vector<std::string> words) const {
    words.insert(words.begin(), built_program());
    return start(std::move(words));
  }
  std::int64_t number(const std::string& file, const std::string& sql) const {
    Database database(path(file), Database::Access::read_only);
    return database.query_integer(sql);
  }
  /// Anything that opens the database for writing.
  void migrate() const {
    const ChildResult settled = run({"settle", "2", "--sandbox", "--db", path("audit.db")});
    ASSERT_EQ(settled.exit_code, 3) << settled.error;
    ASSERT_EQ(number("audit.db", "PRAGMA user_version"), 2);
  }
  void expect_verified(const std::vector<std::string>& files,
                       const std::string& anchors = "audit.db.anchors") const {
    std::vector<std::string> words{"audit", "verify", "--anchor-file", path(anchors)};
    for (const std::string& file : files) words.insert(words.end(), {"--db", path(file)});
    const ChildResult verified = run(words);
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.error;
  }

  TemporaryDirectory directory_;
};

TEST_F(OlderVersionTest, VerifiesAndAnswersWithoutBeingChanged) {
  expect_verified({"audit.db", "archive.db"});
  expect_verified({"archive.db", "audit.db"});
  const std::string both[]{"--db", path("audit.db"), "--db", path("archive.db")};
  EXPECT_THAT(run({"audit", "log", "--csv", "--columns", "disk_id,outcome", both[0], both[1],
                   both[2], both[3]})
                  .out,
              AllOf(HasSubstr("disk-1,accepted"), HasSubstr("disk-2,unknown"),
                    HasSubstr("disk-5,accepted"), HasSubstr("disk-6,accepted")));
  EXPECT_THAT(run({"audit", "explain", "disk-5", both[0], both[1], both[2], both[3]}).out,
              HasSubstr("accepted"));
  EXPECT_THAT(run({"audit", "sql", "SELECT count(*) AS origins FROM invocation_origin", both[0],
                   both[1], both[2], both[3]})
                  .out,
              HasSubstr("0"));
  EXPECT_THAT(run({"status", "2", "--db", path("audit.db")}).out, HasSubstr("listed"));
  EXPECT_THAT(run({"status", "1", "--db", path("archive.db")}).out, HasSubstr("listed"));
  EXPECT_EQ(number("audit.db", "PRAGMA user_version"), 1);
  EXPECT_EQ(number("archive.db", "PRAGMA user_version"), 1);
}

TEST_F(OlderVersionTest, AnAlteredByteIsStillFound) {
  Database(path("archive.db"), Database::Access::read_write)
      .execute(
          "DROP TRIGGER outcome_no_update;"
          "UPDATE outcome SET request_id = 'other' WHERE attempt_id = 1");
  const ChildResult verified = run({"audit", "verify", "--db", path("archive.db")});
  EXPECT_EQ(verified.exit_code, 9);
  EXPECT_THAT(verified.out + verified.error, HasSubstr("outcome 1: was changed"));
}

TEST_F(OlderVersionTest, AVersionThatIsNotTheFilesOwnIsFound) {
  for (const int version : {2, 3}) {
    Database(path("archive.db"), Database::Access::read_write)
        .execute("PRAGMA user_version = " + std::to_string(version));
    EXPECT_NE(run({"audit", "verify", "--db", path("archive.db")}).exit_code, 0) << version;
  }
}

TEST_F(OlderVersionTest, IsMigratedAfterACopyAndVerifiesWithTheSameAnchors) {
  std::filesystem::copy_file(path("audit.db.anchors"), path("before.anchors"));
  migrate();
  EXPECT_EQ(number("audit.db.v1.bak", "PRAGMA user_version"), 1);
  expect_verified({"audit.db", "archive.db"});
  expect_verified({"audit.db.v1.bak", "archive.db"}, "before.anchors");
  EXPECT_EQ(number("audit.db", "SELECT count(*) FROM invocation"), 2);
}

TEST_F(OlderVersionTest, AnArchiveOfVersionOneIsReadWithADatabaseOfVersionTwo) {
  migrate();
  const ChildResult found = run({"audit", "sql",
                                 "SELECT (SELECT count(*) FROM run) AS runs,"
                                 " (SELECT count(*) FROM item_state) AS items,"
                                 " (SELECT count(*) FROM attempt_log) AS attempts",
                                 "--json", "--db", path("audit.db"), "--db", path("archive.db")});
  EXPECT_EQ(found.exit_code, 0) << found.error;
  EXPECT_THAT(found.out, HasSubstr(R"("runs":2,"items":6,"attempts":4)"));
}

TEST_F(OlderVersionTest, IsArchivedOnceItIsMigrated) {
  migrate();
  std::ofstream(path("list.txt")) << "disk-90\n";
  ASSERT_EQ(run({"run", path("list.txt"), "--sandbox", "--yes", "--max-disks", "1", "--db",
                 path("audit.db")})
                .exit_code,
            0);
  const ChildResult archived = run(
      {"audit", "archive", "--before", "1ms", "-o", path("second.db"), "--db", path("audit.db")});
  EXPECT_EQ(archived.exit_code, 0) << archived.error;
  EXPECT_THAT(archived.out, HasSubstr("archived 1 run with 4 disks"));
  EXPECT_EQ(number("second.db", "PRAGMA user_version"), 2);
  expect_verified({"audit.db", "archive.db", "second.db"});
}

TEST_F(OlderVersionTest, ABundleOfVersionOneChecksItself) {
  ASSERT_EQ(start({"/usr/bin/tar", "-C", path(""), "-xf", path("bundle.tar")}).exit_code, 0);
  const ChildResult checked = start({"/bin/sh", path("bundle/check.sh")});
  EXPECT_EQ(checked.exit_code, 0) << checked.error;
  EXPECT_THAT(checked.out, HasSubstr("VERIFIED"));
}

TEST_F(OlderVersionTest, IsExportedWithoutBeingMigrated) {
  ASSERT_EQ(run({"audit", "export", "1", "-o", path("new"), "--db", path("archive.db")}).exit_code,
            0);
  const ChildResult checked = start({"/bin/sh", path("new/check.sh")});
  EXPECT_EQ(checked.exit_code, 0) << checked.error;
}

}  // namespace
}  // namespace diskrelease
