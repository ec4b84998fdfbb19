#include "report/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <stdexcept>

#include "record/audit_file.h"
#include "record/run_records.h"
#include "report/progress_line.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string_view explain(std::string_view code) { return code == "CODE" ? "a reason" : ""; }

class SummaryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    create_audit_database(directory_ / "audit.db");
    Database database = open_audit_for_writing(directory_ / "audit.db");
    run_ = enrol(database, {"disk-1", "disk-2", "disk-3"});
    begin_test_invocation(database, run_.id);
    database.execute(
        "INSERT INTO attempt VALUES (1, 1, 1, 1, 1, 0, NULL), (2, 2, 1, 1, 1, 0, NULL);"
        "INSERT INTO outcome (attempt_id, outcome, scope, http_status, api_code, finished_utc_ms)"
        " VALUES (1, 'accepted', 'disk', 200, NULL, 1), (2, 'rejected', 'disk', 400, 'CODE', 1)");
    // Counts them.
    static_cast<void>(open_audit_for_writing(directory_ / "audit.db"));
  }
  Summary summary() {
    Database reader = open_audit_for_reading(directory_ / "audit.db");
    return summarise(reader, run_);
  }
  TemporaryDirectory directory_;
  RunRecord run_;
};

TEST_F(SummaryTest, AddsUpToTheItemsListed) {
  const Summary made = summary();
  EXPECT_EQ(made.counts[ItemState::released], 1);
  EXPECT_EQ(made.counts[ItemState::rejected], 1);
  EXPECT_EQ(made.counts[ItemState::pending], 1);
  EXPECT_EQ(made.counts.total(), 3);
}

TEST_F(SummaryTest, ThrowsWhenItemsAreMissing) {
  ++run_.item_count;
  EXPECT_THROW(static_cast<void>(summary()), std::logic_error);
}

TEST_F(SummaryTest, ThrowsWhenTheDerivedTablesDoNotCountWhatTheEvidenceSays) {
  Database database = open_audit_for_writing(directory_ / "audit.db");
  EXPECT_NO_THROW(static_cast<void>(summary()));
  database.execute("UPDATE run_tally SET items = items - 1 WHERE state = 'rejected'");
  EXPECT_THROW(static_cast<void>(summary()), std::logic_error);
}

TEST_F(SummaryTest, PrintsStatesCodesAndTheNextCommand) {
  Summary made = summary();
  made.end_reason = "interrupted";
  made.end_cause = "signal";
  made.end_detail = "SIG\x1b[2J";
  made.next_command = "diskrelease resume 1";
  std::ostringstream out;
  print_summary(out, made, explain, false);
  EXPECT_THAT(out.str(), HasSubstr("  released             1\n"));
  EXPECT_THAT(out.str(), HasSubstr("        1  CODE: a reason (e.g. disk disk-2)\n"));
  EXPECT_THAT(out.str(), HasSubstr("  listed               3\n"));
  EXPECT_THAT(out.str(), HasSubstr("interrupted: signal: SIG\\x1b[2J\n"));
  EXPECT_THAT(out.str(), HasSubstr("next: diskrelease resume 1\n"));
  EXPECT_THAT(out.str(), Not(HasSubstr("unknown")));
}

TEST_F(SummaryTest, CountsDestroyedDisksApartAndNamesThem) {
  {
    Database database = open_audit_for_writing(directory_ / "audit.db");
    for (const std::string_view reason : {k_destroyed_reason, k_destroyed_reason}) {
      record_decision(database, run_.id, InvocationId{1},
                      {DecisionKind::stop, ItemId{1}, std::string(reason), "was DELETING"}, {});
    }
    record_decision(database, run_.id, InvocationId{1},
                    {DecisionKind::stop, ItemId{3}, std::string(k_foreign_release_reason), ""}, {});
  }
  const Summary made = summary();
  EXPECT_EQ(made.counts.total(), 3) << "their states stay";
  EXPECT_EQ(made.counts[ItemState::released], 1);
  EXPECT_EQ(made.foreign.destroyed, 1);
  EXPECT_EQ(made.foreign.released, 1);
  std::ostringstream out;
  print_summary(out, made, explain, false);
  EXPECT_THAT(out.str(), HasSubstr("        1  DESTROYED: released here and by somebody else as "
                                   "well: disk disk-1\n"));
  EXPECT_THAT(summary_json(made, explain),
              HasSubstr(R"("destroyed_by_second_release":1,"released_by_others":1)"));
}

TEST_F(SummaryTest, SaysTheSameInJson) {
  Summary made = summary();
  made.exit_code = 3;
  const std::string json = summary_json(made, explain);
  EXPECT_THAT(json, HasSubstr(R"({"event":"summary","run_id":1,"name":"test","goal":"release")"));
  EXPECT_THAT(json, HasSubstr(R"("listed":3,"duplicates":0,"counts":{"released":1,)"
                              R"("already_gone":0,"rejected":1,"failed":0,"skipped":0,)"
                              R"("unknown":0,"pending":1})"));
  EXPECT_THAT(json, HasSubstr(R"({"state":"rejected","code":"CODE","meaning":"a reason",)"
                              R"("items":1,"example_disk_id":"disk-2"})"));
  EXPECT_THAT(json, HasSubstr(R"("end_reason":null)"));
  EXPECT_THAT(
      json,
      HasSubstr(R"("exit_code":3,"chain_block":null,"chain_hash":null,"next_command":null})"));
  EXPECT_THAT(json, Not(HasSubstr("\n")));
}

TEST(ProgressLineTest, TellsRateRemainingTimeCountsAndThePresentPause) {
  constexpr SteadyTime k_now{std::chrono::hours(1)};
  RunProgress progress;
  progress.counts[ItemState::released] = 30;
  progress.counts[ItemState::rejected] = 10;
  progress.counts[ItemState::pending] = 60;
  EXPECT_EQ(progress_line(progress, 20, std::chrono::seconds(10), k_now),
            "40/100  2.0/s  ETA 31s  released 30, rejected 10");
  progress.throttled = 4;
  progress.pause_until = k_now + std::chrono::milliseconds(2'001);
  EXPECT_EQ(progress_line(progress, 20, std::chrono::seconds(10), k_now),
            "40/100  2.0/s  ETA 31s  released 30, rejected 10  throttled 4  backing off 3s");
  progress.pause_until = k_now;
  EXPECT_THAT(progress_line(progress, 20, std::chrono::seconds(10), k_now),
              Not(HasSubstr("backing off")));
}

TEST(ProgressLineTest, PromisesNoTimeWhereNothingHasMoved) {
  RunProgress progress;
  progress.counts[ItemState::pending] = 5;
  EXPECT_EQ(progress_line(progress, 0, std::chrono::milliseconds(0), {}), "0/5  0.0/s");
  EXPECT_EQ(progress_line(progress, 0, std::chrono::seconds(9), {}), "0/5  0.0/s");
}

}  // namespace
}  // namespace diskrelease
