#include "queries/report_queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "record/audit_file.h"
#include "record/run_records.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t k_start = k_test_time.time_since_epoch().count();

/// Evidence is written as rows, so that the answers can be told from what stands here.
class ReportQueriesTest : public ::testing::Test {
 protected:
  void SetUp() override { create_audit_database(file()); }

  std::filesystem::path file() const { return directory_ / "audit.db"; }

  RunRecord enrol_run(int disks) {
    Database database = open_audit_for_writing(file());
    RunDescription description = test_description();
    RunRecord run = enrol(database, numbered_disks(disks), description);
    begin_test_invocation(database, run.id);
    return run;
  }

  /// Runs SQL and lets the derived tables be brought up to date.
  void write(const std::string& sql) {
    open_audit_for_writing(file()).execute(sql);
    static_cast<void>(open_audit_for_writing(file()));
  }

  /// An attempt on an item at `ms` after the start, sent at once. Without an outcome it is open.
  void attempt(std::int64_t item, const std::string& outcome, std::int64_t ms,
               const std::string& code = "NULL", const std::string& latency = "NULL",
               std::int64_t invocation = 1) {
    const std::string id = std::to_string(++attempts_);
    const std::string at = std::to_string(k_start + ms);
    const std::string number = std::to_string(++numbers_[item]);
    sql_ += "INSERT INTO attempt VALUES (" + id + ", " + std::to_string(item) + ", " +
            std::to_string(invocation) + ", " + number + ", 1, " + at + ", NULL);";
    if (outcome.empty()) return;
    const std::string sent = outcome == "not_sent" ? "NULL" : at;
    sql_ +=
        "INSERT INTO outcome (attempt_id, outcome, scope, api_code, sent_utc_ms,"
        " finished_utc_ms, latency_us) VALUES (" +
        id + ", '" + outcome + "', 'disk', " + code + ", " + sent + ", " + at + ", " + latency +
        ");";
  }
  void read(std::int64_t ms, const std::string& status = "", std::int64_t item = 0) {
    const std::string id = std::to_string(++reads_);
    const std::string at = std::to_string(k_start + ms);
    sql_ +=
        "INSERT INTO disk_read (read_id, invocation_id, purpose, disk_count, result,"
        " sent_utc_ms, finished_utc_ms) VALUES (" +
        id + ", 1, 'verify', 1, 'complete', " + at + ", " + at + ");";
    if (status.empty()) return;
    sql_ += "INSERT INTO observation (read_id, item_id, status) VALUES (" + id + ", " +
            std::to_string(item) + ", '" + status + "');";
  }
  void decide(std::int64_t item, const std::string& kind, const std::string& reason) {
    sql_ +=
        "INSERT INTO decision (run_id, invocation_id, item_id, kind, reason, decided_utc_ms)"
        " VALUES (1, 1, " +
        std::to_string(item) + ", '" + kind + "', '" + reason + "', 1);";
  }
  void commit() {
    write(sql_);
    sql_.clear();
  }

  Database reader() { return open_audit_for_reading(file()); }

  std::vector<std::string> attention(const RunRecord& run, std::int64_t limit) {
    std::vector<std::string> found;
    Database database = reader();
    read_attention(database, run, limit, [&](Attention kind, const ItemRow& row) {
      EXPECT_EQ(row.state, to_text(state_of(kind)));
      found.push_back(row.disk_id + " " + row.state);
    });
    return found;
  }

  TemporaryDirectory directory_;
  std::string sql_;
  std::int64_t attempts_ = 0;
  std::int64_t reads_ = 0;
  std::map<std::int64_t, int> numbers_;
};

TEST_F(ReportQueriesTest, AttentionComesInTheOrderOfItsUrgencyAndIsCutOffAtItsEnd) {
  const RunRecord run = enrol_run(9);
  attempt(1, "accepted", 0);
  read(1, "RECYCLED", 1);
  attempt(2, "rejected", 2);
  attempt(3, "accepted", 3);
  read(4, "AVAILABLE", 3);
  decide(4, "give_up", "max_attempts");
  attempt(5, "unknown", 5);
  attempt(6, "", 6);
  attempt(7, "throttled", 7);
  decide(8, "skip", "released_before");
  commit();
  EXPECT_THAT(attention(run, 100),
              ElementsAre("disk-5 unknown", "disk-6 unknown", "disk-3 released", "disk-4 failed",
                          "disk-2 rejected", "disk-7 pending", "disk-9 pending"));
  EXPECT_THAT(attention(run, 3),
              ElementsAre("disk-5 unknown", "disk-6 unknown", "disk-3 released"));
}

TEST_F(ReportQueriesTest, AnOpenAttemptMakesAnItemUnknownOnceWhateverItWasBefore) {
  const RunRecord run = enrol_run(2);
  attempt(1, "throttled", 0);
  attempt(1, "", 1);
  attempt(2, "throttled", 2);
  commit();
  EXPECT_THAT(attention(run, 100), ElementsAre("disk-1 unknown", "disk-2 pending"));
}

TEST_F(ReportQueriesTest, AnOpenAttemptThatTheDerivedTablesDoNotKnowCountsOnce) {
  const RunRecord run = enrol_run(2);
  attempt(1, "", 0);
  open_audit_for_writing(file()).execute(sql_);
  EXPECT_THAT(attention(run, 100), ElementsAre("disk-1 unknown", "disk-2 pending"));
}

TEST_F(ReportQueriesTest, AttentionKeepsToItsRun) {
  const RunRecord first = enrol_run(2);
  const RunRecord second = enrol_run(1);
  attempt(1, "rejected", 0);
  attempt(3, "unknown", 0, "NULL", "NULL", 2);
  commit();
  EXPECT_THAT(attention(first, 9), ElementsAre("disk-1 rejected", "disk-2 pending"));
  EXPECT_THAT(attention(second, 9), ElementsAre("disk-1 unknown"));
}

TEST_F(ReportQueriesTest, TheRateIsMeasuredUpToTheLastRelease) {
  const RunRecord run = enrol_run(4);
  read(0);
  attempt(1, "accepted", 500);
  attempt(2, "rejected", 1'000);
  attempt(3, "accepted", 2'000);
  attempt(4, "not_sent", 3'000);
  read(9'000);
  commit();
  Database database = reader();
  const std::vector<Activity> activities = read_activities(database, run);
  ASSERT_EQ(activities.size(), 1u);
  const Activity& activity = activities.front();
  EXPECT_EQ(activity.attempts, 4);
  EXPECT_EQ(activity.begun, k_test_time);
  EXPECT_EQ(activity.ended, k_test_time + milliseconds(9'000));
  EXPECT_EQ(activity.paced_requests, 4);
  EXPECT_EQ(activity.paced_time, milliseconds(2'000));
}

TEST_F(ReportQueriesTest, OfAnInvocationThatOnlyReadsTheReadsCount) {
  const RunRecord run = enrol_run(1);
  read(0);
  read(1'500);
  commit();
  Database database = reader();
  const std::vector<Activity> activities = read_activities(database, run);
  ASSERT_EQ(activities.size(), 1u);
  EXPECT_EQ(activities.front().attempts, 0);
  EXPECT_EQ(activities.front().paced_requests, 2);
  EXPECT_EQ(activities.front().paced_time, milliseconds(1'500));
}

TEST_F(ReportQueriesTest, ATimelinePutsEachRequestIntoItsInterval) {
  const RunRecord run = enrol_run(7);
  attempt(1, "accepted", 0);
  attempt(2, "rejected", 99);
  attempt(3, "throttled", 100);
  attempt(4, "unknown", 199);
  attempt(5, "", 200);
  attempt(6, "already_gone", 200);
  attempt(7, "not_sent", 299);
  read(300);
  commit();
  Database database = reader();
  const Activity activity = read_activities(database, run).at(0);
  const std::vector<RequestCounts> timeline =
      read_timeline(database, activity, {activity.begun, milliseconds(100), 3});
  ASSERT_EQ(timeline.size(), 3u);
  EXPECT_EQ(timeline[0].accepted, 1);
  EXPECT_EQ(timeline[0].refused, 1);
  EXPECT_EQ(timeline[1].throttled, 1);
  EXPECT_EQ(timeline[1].unknown, 1);
  EXPECT_EQ(timeline[2].unknown, 1);
  EXPECT_EQ(timeline[2].refused, 1);
  EXPECT_EQ(timeline[2].not_sent, 1);
  EXPECT_EQ(timeline[2].reads, 1) << "what lies behind the last interval counts in it";
}

TEST_F(ReportQueriesTest, TimelinesOfTwoInvocationsDoNotMix) {
  const RunRecord run = enrol_run(3);
  {
    Database database = open_audit_for_writing(file());
    begin_test_invocation(database, run.id);
  }
  attempt(1, "throttled", 0);
  attempt(2, "accepted", 1);
  attempt(1, "accepted", 5'000, "NULL", "NULL", 2);
  commit();
  Database database = reader();
  const std::vector<Activity> activities = read_activities(database, run);
  ASSERT_EQ(activities.size(), 2u);
  EXPECT_EQ(activities[0].attempts, 2);
  EXPECT_EQ(activities[1].attempts, 1);
  const std::vector<RequestCounts> first =
      read_timeline(database, activities[0], {activities[0].begun, milliseconds(10), 1});
  const std::vector<RequestCounts> second =
      read_timeline(database, activities[1], {activities[1].begun, milliseconds(10), 1});
  EXPECT_EQ(first.at(0).accepted, 1);
  EXPECT_EQ(first.at(0).throttled, 1);
  EXPECT_EQ(second.at(0).accepted, 1);
  EXPECT_EQ(second.at(0).throttled, 0);
}

TEST_F(ReportQueriesTest, PercentilesAreThoseOfTheNearestRank) {
  const RunRecord run = enrol_run(101);
  for (int i = 1; i <= 100; ++i) {
    attempt(i, "accepted", i, "NULL", std::to_string((i * 37 % 101) * 1'000));
  }
  attempt(101, "accepted", 101);  // without a latency
  commit();
  Database database = reader();
  const Latencies latencies = read_latencies(database, run);
  EXPECT_EQ(latencies.answers, 100);
  EXPECT_EQ(latencies.p50, milliseconds(50));
  EXPECT_EQ(latencies.p90, milliseconds(90));
  EXPECT_EQ(latencies.p99, milliseconds(99));
  EXPECT_EQ(latencies.least, milliseconds(1));
  EXPECT_EQ(latencies.most, milliseconds(100));
  std::int64_t sum = 0;
  for (const LatencyBin& bin : latencies.bins) sum += bin.answers;
  EXPECT_EQ(sum, 100);
}

TEST_F(ReportQueriesTest, OneAnswerIsEveryPercentile) {
  const RunRecord run = enrol_run(1);
  attempt(1, "accepted", 0, "NULL", "0");
  commit();
  Database database = reader();
  const Latencies latencies = read_latencies(database, run);
  EXPECT_EQ(latencies.answers, 1);
  EXPECT_EQ(latencies.p99, microseconds(0));
  ASSERT_EQ(latencies.bins.size(), 1u);
  EXPECT_EQ(latencies.bins[0].answers, 1);
}

TEST_F(ReportQueriesTest, NoLatencyOnRecordGivesNothing) {
  const RunRecord run = enrol_run(1);
  Database database = reader();
  EXPECT_EQ(read_latencies(database, run).answers, 0);
  EXPECT_THAT(read_latencies(database, run).bins, IsEmpty());
}

TEST_F(ReportQueriesTest, ALatencyAtTheEndOfABinIsInTheNext) {
  const RunRecord run = enrol_run(4);
  attempt(1, "accepted", 0, "NULL", "9999");
  attempt(2, "accepted", 0, "NULL", "10000");
  attempt(3, "accepted", 0, "NULL", "10001");
  attempt(4, "accepted", 0, "NULL", "30000");
  commit();
  Database database = reader();
  std::vector<std::string> bins;
  for (const LatencyBin& bin : read_latencies(database, run).bins) {
    bins.push_back(std::to_string(bin.from.count()) + "-" + std::to_string(bin.to.count()) + ": " +
                   std::to_string(bin.answers));
  }
  EXPECT_THAT(bins, ElementsAre("7000-10000: 1", "10000-15000: 2", "15000-20000: 0",
                                "20000-30000: 0", "30000-50000: 1"));
}

TEST_F(ReportQueriesTest, ALatencyThatNobodyHasWaitedForEndsTheBins) {
  const RunRecord run = enrol_run(1);
  attempt(1, "accepted", 0, "NULL", "9223372036854775807");
  commit();
  Database database = reader();
  EXPECT_EQ(read_latencies(database, run).bins.back().answers, 1);
}

TEST_F(ReportQueriesTest, AnswersAddUpToTheAttemptsAndTellWhatIsLeftOut) {
  const RunRecord run = enrol_run(6);
  attempt(1, "throttled", 0, "'SLOW'");
  attempt(1, "throttled", 1, "'SLOW'");
  attempt(1, "accepted", 2, "'IGNORED'");
  attempt(2, "rejected", 3, "'IN_USE'");
  attempt(3, "unknown", 4);
  attempt(4, "unknown", 5);
  read(6, "RECYCLED", 4);
  sql_ += "INSERT INTO verdict VALUES (6, 1, 'executed', 'left', 1, NULL, 1);";
  attempt(5, "", 7);
  commit();
  Database database = reader();
  std::vector<std::string> kinds;
  std::int64_t sum = 0;
  for (const AnswerCount& answer : read_answers(database, run, 100).kinds) {
    kinds.push_back(answer.outcome + "/" + answer.settled + "/" + answer.code + " " +
                    std::to_string(answer.attempts) + " " + answer.example_disk);
    sum += answer.attempts;
  }
  EXPECT_THAT(kinds, ElementsAre("throttled//SLOW 2 disk-1", "accepted// 1 disk-1",
                                 "open// 1 disk-5", "rejected//IN_USE 1 disk-2",
                                 "unknown// 1 disk-3", "unknown/executed/ 1 disk-4"));
  EXPECT_EQ(sum, database.query_integer("SELECT count(*) FROM attempt"));
  const AnswerCounts cut = read_answers(database, run, 2);
  EXPECT_EQ(cut.kinds.size(), 2u);
  EXPECT_EQ(cut.kinds_left_out, 4);
}

TEST_F(ReportQueriesTest, ADayBeginsAtMidnightUtc) {
  enrol_run(3);
  // 2026-11-18T11:06:40Z is the start.
  const std::int64_t to_midnight = 86'400'000 - k_start % 86'400'000;
  attempt(1, "accepted", to_midnight - 1);
  attempt(2, "accepted", to_midnight);
  attempt(3, "throttled", to_midnight + 1);
  read(to_midnight + 86'400'000);
  commit();
  Database database = reader();
  const std::vector<DayCount> days = read_days(database, UtcTime());
  ASSERT_EQ(days.size(), 3u);
  EXPECT_EQ(format_utc(days[0].day), "2026-11-18T00:00:00.000Z");
  EXPECT_EQ(days[0].requests.accepted, 1);
  EXPECT_EQ(days[1].requests.accepted, 1);
  EXPECT_EQ(days[1].requests.throttled, 1);
  EXPECT_EQ(days[2].requests.reads, 1);
  const UtcTime since = k_test_time + milliseconds(to_midnight);
  EXPECT_EQ(read_days(database, since).size(), 2u);
  EXPECT_EQ(read_days(database, since).at(0).requests.accepted, 1);
  EXPECT_EQ(read_days(database, since + milliseconds(1)).at(0).requests.accepted, 0);
  EXPECT_EQ(read_answers_since(database, since, 9).kinds.size(), 2u);
}

TEST_F(ReportQueriesTest, ARunCountsWhenAnythingOfItIsNotOlderThanTheTime) {
  const RunRecord ended = enrol_run(1);
  const RunRecord open = enrol_run(1);
  {
    Database database = open_audit_for_writing(file());
    end_invocation(database, InvocationId{1}, EndReason::finished, "", 0,
                   k_test_time + milliseconds(1'000));
  }
  Database database = reader();
  const auto since = [&](std::int64_t ms) {
    std::vector<std::int64_t> runs;
    for (const RunId run : read_runs_since(database, k_test_time + milliseconds(ms))) {
      runs.push_back(run.value);
    }
    return runs;
  };
  EXPECT_THAT(since(-1), ElementsAre(open.id.value, ended.id.value));
  EXPECT_THAT(since(1'000), ElementsAre(open.id.value, ended.id.value));
  EXPECT_THAT(since(1'001), ElementsAre(open.id.value)) << "an invocation without end works still";
}

TEST_F(ReportQueriesTest, DecisionsAboutTheRunAreTheLatestInTheirOrder) {
  const RunRecord run = enrol_run(1);
  decide(1, "skip", "released_before");
  for (int i = 1; i <= 3; ++i) {
    sql_ +=
        "INSERT INTO decision (run_id, invocation_id, kind, reason, decided_utc_ms) VALUES"
        " (1, 1, 'approve', 'r" +
        std::to_string(i) + "', 1);";
  }
  commit();
  Database database = reader();
  std::vector<std::string> reasons;
  for (const RunDecision& decision : read_run_decisions(database, run.id, 2)) {
    reasons.push_back(decision.reason);
  }
  EXPECT_THAT(reasons, ElementsAre("r2", "r3"));
}

}  // namespace
}  // namespace diskrelease
