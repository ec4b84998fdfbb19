#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "derived/derived_tables.h"
#include "input/list_reader.h"
#include "model/run_record.h"
#include "platform/clock.h"
#include "record/audit_file.h"
#include "support/child_process.h"
#include "support/enrolled_run.h"
#include "support/places.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// The real binary on a database in which the disks "old" and "new" were tried three days and one
/// day ago.
class AuditCommandTest : public ::testing::Test {
 protected:
  AuditCommandTest() {
    create_audit_database(path("a.db"));
    Database database = open_audit_for_writing(path("a.db"));
    const RunRecord run = enrol(database, {"old", "new"});
    static_cast<void>(begin_test_invocation(database, run.id));
    const std::int64_t now = SystemClock().utc_now().time_since_epoch().count();
    constexpr std::int64_t k_day = 86'400'000;
    Transaction transaction(database);
    database.execute(
        "INSERT INTO attempt (item_id, invocation_id, attempt_number, stage, intent_utc_ms) VALUES"
        " (1, 1, 1, 1, " +
        std::to_string(now - 3 * k_day) + "), (2, 1, 1, 1, " + std::to_string(now - k_day) +
        ");"
        "INSERT INTO outcome (attempt_id, outcome, scope, http_status, api_code, request_id,"
        " message, finished_utc_ms, latency_us) VALUES"
        " (1, 'accepted', 'disk', 200, NULL, 'T1', NULL, 1795000000000, 7000),"
        " (2, 'rejected', 'disk', 409, 'IN_USE', 'T2', '=SUM(A1)', 1795000000500, 5000)");
    transaction.commit();
    catch_up_derived_tables(database);
  }

  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }
  ChildResult run(std::vector<std::string> words, bool with_database = true) const {
    words.insert(words.begin(), built_program());
    if (with_database) words.insert(words.end(), {"--db", path("a.db")});
    ChildProcess child(std::move(words), {{"PATH", "/usr/bin:/bin"}, {"HOME", path("")}},
                       directory_.path());
    return child.wait();
  }
  std::string out(std::vector<std::string> words) const {
    const ChildResult result = run(std::move(words));
    EXPECT_EQ(result.exit_code, 0) << result.error;
    return result.out;
  }
  std::string refusal(std::vector<std::string> words) const {
    const ChildResult result = run(std::move(words));
    EXPECT_EQ(result.exit_code, 2) << result.out;
    EXPECT_EQ(result.out, "");
    return result.error;
  }

  TemporaryDirectory directory_;
};

TEST_F(AuditCommandTest, WhatItShowsIsAListInEveryFormat) {
  const std::pair<const char*, const char*> formats[] = {{"", "show.txt"},
                                                         {"--csv", "show.csv"},
                                                         {"--json", "show.json"},
                                                         {"--ndjson", "show.ndjson"}};
  for (const char* command : {"show", "log"}) {
    for (const auto& [flag, name] : formats) {
      std::vector<std::string> words{"audit", command};
      if (*flag != '\0') words.emplace_back(flag);
      const std::string shown = out(words);
      for (const char* source : {name, "-"}) {
        std::istringstream in(shown);
        std::set<std::string> disks;
        const ListSummary list =
            read_list(in, source, {}, [&](Target&& target) { disks.insert(target.disk.text()); });
        EXPECT_EQ(list.problems.describe(source), "") << shown;
        EXPECT_EQ(disks, (std::set<std::string>{"new", "old"})) << command << ' ' << name;
      }
    }
  }
}

TEST_F(AuditCommandTest, TimesOfTheLogMayBeRelative) {
  const std::vector<std::string> disks{"audit", "log", "--columns", "disk_id", "--csv"};
  const auto since = [&](const std::string& time) {
    std::vector<std::string> words = disks;
    words.insert(words.end(), {"--since", time});
    return out(words);
  };
  EXPECT_EQ(since("4d"), "disk_id\nold\nnew\n");
  EXPECT_EQ(since("2d"), "disk_id\nnew\n");
  EXPECT_EQ(since("25h"), "disk_id\nnew\n");
  EXPECT_EQ(since("1430m"), "disk_id\n");
  std::vector<std::string> until = disks;
  until.insert(until.end(), {"--until", "2d"});
  EXPECT_EQ(out(until), "disk_id\nold\n");
  EXPECT_THAT(refusal({"audit", "log", "--since", "yesterday"}),
              HasSubstr("--since: \"yesterday\" is not a time"));
  EXPECT_THAT(refusal({"audit", "log", "--until", "2026-02-30"}), HasSubstr("is not a time"));
  EXPECT_THAT(refusal({"audit", "log", "--since", "1d", "--until", "2d"}),
              HasSubstr("--since 1d is not before --until 2d"));
}

TEST_F(AuditCommandTest, ColumnsOrderFormatAndZoneAreThoseAskedFor) {
  EXPECT_EQ(out({"audit", "log", "--columns", "finished,disk_id,latency_us", "--time-zone",
                 "+05:30", "--sort", "latency", "--csv"}),
            "finished,disk_id,latency_us\n"
            "2026-11-18T16:36:40.500+05:30,new,5000\n"
            "2026-11-18T16:36:40.000+05:30,old,7000\n");
  EXPECT_EQ(out({"audit", "log", "--columns", "message,api_code", "--disk", "new", "--csv"}),
            "message,api_code\n'=SUM(A1),IN_USE\n");
  EXPECT_EQ(out({"audit", "log", "--columns", "disk_id,user", "--sort", "disk", "--ndjson"}),
            "{\"disk_id\":\"new\",\"user\":\"operator\"}\n"
            "{\"disk_id\":\"old\",\"user\":\"operator\"}\n");
  const std::string all = out({"audit", "log", "--columns", "all", "--limit", "1", "--csv"});
  EXPECT_THAT(all, StartsWith("run_id,run_name,goal,disk_id,source_line,item_id,attempt_id,"
                              "attempt_number,stage,outcome,scope,settled,settled_reason,"
                              "settled_at,http_status,api_code,request_id,intent,sent,finished,"
                              "latency_us,retry_after_ms,invocation_id,command,user,host,"
                              "credential_id,endpoint,message\n1,test,release,old,1,1,1,1,1,"
                              "accepted,disk,,,,200,,T1,"));
  EXPECT_THAT(refusal({"audit", "log", "--columns", "disk"}),
              AllOf(HasSubstr("there is no column \"disk\""), HasSubstr("There are: run_id, ")));
  EXPECT_THAT(refusal({"audit", "log", "--columns", "disk_id,disk_id"}),
              HasSubstr("more than once"));
  EXPECT_THAT(refusal({"audit", "log", "--time-zone", "Mars/Olympus"}),
              HasSubstr("there is no time zone"));
  EXPECT_THAT(refusal({"audit", "log", "--text", std::string(2'000, 'x')}), HasSubstr("--text"));
}

TEST_F(AuditCommandTest, ExplainTellsTheStoryOfADiskOrThatThereIsNone) {
  const std::string story = out({"audit", "explain", "new"});
  EXPECT_THAT(story, AllOf(StartsWith("disk new\n"), HasSubstr("listed in list.txt, line 2"),
                           HasSubstr("by operator@host, run"), HasSubstr("attempt 1: rejected"),
                           HasSubstr("(IN_USE"), HasSubstr("[T2]"), HasSubstr("): rejected"),
                           Not(HasSubstr("[T1]"))));
  EXPECT_THAT(
      out({"audit", "explain", "new", "--ndjson"}),
      HasSubstr(R"("kind":"answered","what":"rejected","code":"IN_USE","request_id":"T2")"));
  EXPECT_THAT(refusal({"audit", "explain", "NEW"}), HasSubstr("is on no list"));
  EXPECT_THAT(refusal({"audit", "explain"}), HasSubstr("needs one DISK"));
}

TEST_F(AuditCommandTest, SqlAnswersInEveryFormatAndWithinItsLimits) {
  EXPECT_EQ(out({"audit", "sql", "SELECT disk_id, 0.5 AS half, x'00ff' AS b, NULL AS n FROM item",
                 "--csv"}),
            "disk_id,half,b,n\nold,0.5,x'00ff',\nnew,0.5,x'00ff',\n");
  const ChildResult cut =
      run({"audit", "sql", "SELECT disk_id FROM item", "--limit", "1", "--csv"});
  EXPECT_EQ(cut.exit_code, 0);
  EXPECT_EQ(cut.out, "disk_id\nold\n");
  EXPECT_THAT(cut.error, HasSubstr("these are the first 1 rows"));
  EXPECT_THAT(refusal({"audit", "sql", "DELETE FROM item"}), HasSubstr("was refused"));
  const ChildResult slow =
      run({"audit", "sql",
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
           "--timeout", "50ms"});
  EXPECT_EQ(slow.exit_code, 2);
  EXPECT_THAT(slow.error, HasSubstr("took longer than --timeout allows"));
}

TEST_F(AuditCommandTest, WhatAQueryHasGivenBeforeItsTimeIsOverIsWholeJson) {
  const ChildResult ended =
      run({"audit", "sql", "--json", "--timeout", "200ms",
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
           " WHERE i < 3 OR i % 2 = 3"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.error, HasSubstr("it took longer than --timeout allows"));
  EXPECT_THAT(ended.out, ::testing::MatchesRegex("\\[[^]]*\"i\":1[^]]*\"i\":2[^]]*\\]\n"));
}

TEST_F(AuditCommandTest, StatsAndBackupWorkOnWhatIsThere) {
  EXPECT_THAT(out({"audit", "stats"}), AllOf(HasSubstr("    attempt             2\n"),
                                             HasSubstr("    item                2\n")));
  EXPECT_THAT(out({"audit", "backup", "-o", path("copy.db")}), HasSubstr("verified up to block"));
  EXPECT_THAT(refusal({"audit", "backup", "-o", path("copy.db")}),
              HasSubstr("exists; nothing was written"));
  EXPECT_THAT(refusal({"audit", "backup", "-o", path("no/folder.db")}),
              HasSubstr("cannot be written: No such file or directory"));
  EXPECT_THAT(refusal({"audit", "backup", "-o", "-"}), HasSubstr("standard output"));
  struct stat status {};
  ASSERT_EQ(::stat(path("copy.db").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_THAT(out({"audit", "backup", "-o", path("copy.db"), "--force"}), HasSubstr("verified"));
  // Anchors are read before the copy is made, for a run may add some meanwhile: without them there
  // is no copy.
  EXPECT_THAT(refusal({"audit", "backup", "-o", path("early.db"), "--anchor-file", path("none")}),
              HasSubstr("cannot be read"));
  EXPECT_FALSE(std::filesystem::exists(path("early.db")));
  EXPECT_EQ(run({"audit", "verify", "--db", path("copy.db")}, false).exit_code, 0);
  // Anchors of the original hold for the copy; one that does not fit is told.
  std::ofstream(path("a.db.anchors")) << "diskrelease-anchor 1 " << std::string(64, 'a') << " 1 "
                                      << std::string(64, 'b') << " 2026-11-18T11:06:40.130Z\n";
  const ChildResult foreign = run({"audit", "backup", "-o", path("other.db")});
  EXPECT_EQ(foreign.exit_code, 9);
  EXPECT_THAT(foreign.out, HasSubstr("is of the chain aaaa"));
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    EXPECT_THAT(entry.path().string(), Not(HasSubstr("copy.db."))) << "something was left behind";
  }
}

}  // namespace
}  // namespace diskrelease
