#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/errors.h"
#include "queries/run_queries.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Database new_database(const TemporaryDirectory& directory) {
  create_audit_database(directory / "audit.db");
  return open_audit_for_writing(directory / "audit.db");
}

std::vector<std::string> texts(Database& database, const std::string& sql) {
  Statement select = database.prepare(sql);
  std::vector<std::string> rows;
  while (select.step()) rows.emplace_back(select.text(0));
  return rows;
}

std::string error_of(Database& database, const std::string& sql) {
  try {
    database.execute(sql);
  } catch (const AuditUnusable& error) {
    return error.what();
  }
  return "no error";
}

/// Rows by plain SQL: the schema has to hold whatever the program believes.
class SchemaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    first_ = enrol(database_, {"disk-1", "disk-2"});
    invocation_ = begin_test_invocation(database_, first_.id);
  }

  void insert_attempt(std::int64_t item, int number, int stage = 1) {
    database_.execute(
        "INSERT INTO attempt (item_id, invocation_id, attempt_number, stage,"
        " intent_utc_ms) VALUES (" +
        std::to_string(item) + "," + std::to_string(invocation_.value) + "," +
        std::to_string(number) + "," + std::to_string(stage) + ",1000)");
  }
  void insert_outcome(const std::string& outcome, const std::string& scope = "disk") {
    database_.execute(
        "INSERT INTO outcome (attempt_id, outcome, scope, finished_utc_ms)"
        " SELECT max(attempt_id), '" +
        outcome + "', '" + scope + "', 2000 FROM attempt");
  }
  void insert_decision(std::int64_t item, DecisionKind kind, const std::string& reason) {
    record_decision(database_, first_.id, invocation_, {kind, ItemId{item}, reason, ""},
                    k_test_time);
  }
  void insert_observation(std::int64_t item, const std::string& status) {
    database_.execute(
        "INSERT INTO disk_read (invocation_id, purpose, disk_count, result, sent_utc_ms,"
        " finished_utc_ms) VALUES (" +
        std::to_string(invocation_.value) +
        ", 'settle', 1, 'complete', 1, 2);"
        "INSERT INTO observation (read_id, item_id, status) SELECT max(read_id), " +
        std::to_string(item) + ", '" + status + "' FROM disk_read");
  }
  /// Settles the latest attempt, by the latest observation of item 1.
  void insert_verdict(const std::string& settled) {
    database_.execute(
        "INSERT INTO verdict (attempt_id, invocation_id, settled, reason, observation_id,"
        " decided_utc_ms) SELECT max(attempt_id), " +
        std::to_string(invocation_.value) + ", '" + settled +
        "', 'test', (SELECT max(observation_id) FROM observation WHERE item_id = 1), 3"
        " FROM attempt");
  }
  /// As insert_attempt(), with what was seen before.
  void insert_attempt_after_sight(std::int64_t item, int number, int stage) {
    database_.execute(
        "INSERT INTO attempt (item_id, invocation_id, attempt_number, stage, intent_utc_ms,"
        " observation_id) VALUES (" +
        std::to_string(item) + "," + std::to_string(invocation_.value) + "," +
        std::to_string(number) + "," + std::to_string(stage) +
        ",1000, (SELECT max(observation_id) FROM observation WHERE item_id = " +
        std::to_string(item) + "))");
  }
  std::string state_of(std::int64_t item) {
    return texts(database_, "SELECT state FROM item_state WHERE item_id = " + std::to_string(item))
        .at(0);
  }

  TemporaryDirectory directory_;
  Database database_ = new_database(directory_);
  RunRecord first_;
  InvocationId invocation_;
};

TEST_F(SchemaTest, RefusesToChangeOrRemoveARowOfAnyTableOfEvidence) {
  enrol(database_, {"disk-1"});
  insert_attempt(1, 1);
  insert_outcome("accepted");
  insert_decision(2, DecisionKind::skip, "test");
  end_invocation(database_, invocation_, EndReason::finished, "", 0, k_test_time);
  database_.execute("INSERT INTO duplicate_line VALUES (1, 3, 'disk-1')");
  insert_observation(1, "ABSENT");
  insert_attempt(2, 1);
  insert_outcome("unknown");
  insert_verdict("executed");
  database_.execute(
      "INSERT INTO archive VALUES (1, 'old.db', 1, 1, 1, 1, 0, '', 'operator', 'host', '0', 1);"
      "INSERT INTO archived_rows VALUES (1, 'run', 100, 100);"
      "INSERT INTO archived_release VALUES ('disk-100', 1, 1, 100)");
  const std::vector<std::string> tables =
      texts(database_,
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            " AND name NOT IN ('item_now', 'run_tally', 'run_progress', 'derived_until',"
            " 'request_index')");
  EXPECT_GE(tables.size(), 16U);
  for (const std::string& table : tables) {
    ASSERT_GT(database_.query_integer("SELECT count(*) FROM " + table), 0)
        << table << ": this test has to put a row into every table";
    const std::string column =
        texts(database_, "SELECT name FROM pragma_table_info('" + table + "')").at(0);
    EXPECT_THAT(error_of(database_, "UPDATE " + table + " SET " + column + " = " + column),
                HasSubstr("append-only"))
        << table;
    EXPECT_THAT(error_of(database_, "DELETE FROM " + table), HasSubstr("append-only")) << table;
  }
}

TEST_F(SchemaTest, AllTablesAreStrict) {
  EXPECT_THAT(texts(database_,
                    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
                    " AND NOT strict AND name NOT LIKE 'sqlite_%'"),
              ElementsAre());
}

struct SecondAttempt {
  const char* outcome;  ///< of the first attempt; nullptr = open
  const char* scope;
  bool same_item_allowed;
  bool other_run_allowed;
};

class NeverTwiceTest : public SchemaTest, public ::testing::WithParamInterface<SecondAttempt> {};

TEST_P(NeverTwiceTest, DecidesOnASecondAttemptForTheDisk) {
  const SecondAttempt& row = GetParam();
  const RunRecord second = enrol(database_, {"disk-2", "disk-1"});
  insert_attempt(1, 1);
  if (row.outcome != nullptr) insert_outcome(row.outcome, row.scope);

  const auto is_allowed = [&](std::int64_t item, int number) {
    try {
      insert_attempt(item, number);
      return true;
    } catch (const AuditUnusable& error) {
      EXPECT_THAT(error.what(), HasSubstr("never twice"));
      return false;
    }
  };
  // Each is tried on its own; a Transaction that is not committed leaves nothing.
  {
    const Transaction undone(database_);
    EXPECT_EQ(is_allowed(1, 2), row.same_item_allowed) << "same item";
  }
  {
    const Transaction undone(database_);
    EXPECT_EQ(is_allowed(second.first_item.value + 1, 1), row.other_run_allowed) << "other run";
  }
  {
    const Transaction undone(database_);
    EXPECT_TRUE(is_allowed(2, 1)) << "another disk";
  }
}

INSTANTIATE_TEST_SUITE_P(AllOutcomes, NeverTwiceTest,
                         ::testing::Values(SecondAttempt{nullptr, "", false, false},
                                           SecondAttempt{"accepted", "disk", false, false},
                                           SecondAttempt{"unknown", "disk", false, false},
                                           SecondAttempt{"already_gone", "disk", false, true},
                                           SecondAttempt{"rejected", "disk", false, true},
                                           SecondAttempt{"rejected", "run", true, true},
                                           SecondAttempt{"rejected", "moment", true, true},
                                           SecondAttempt{"throttled", "disk", true, true},
                                           SecondAttempt{"not_sent", "disk", true, true},
                                           SecondAttempt{"not_sent", "run", true, true}),
                         [](const auto& instance) {
                           const SecondAttempt& row = instance.param;
                           return row.outcome == nullptr
                                      ? std::string("open")
                                      : std::string(row.outcome) + "_scope_" + row.scope;
                         });

TEST_F(SchemaTest, LooksBehindLaterHarmlessAttemptsForAnAcceptedOne) {
  const RunRecord second = enrol(database_, {"disk-1"});
  const RunRecord third = enrol(database_, {"disk-1"});
  insert_attempt(second.first_item.value, 1);
  insert_outcome("not_sent");
  insert_attempt(1, 1);
  insert_outcome("accepted");
  EXPECT_THROW(insert_attempt(second.first_item.value, 2), AuditUnusable);
  EXPECT_THROW(insert_attempt(third.first_item.value, 1), AuditUnusable);
}

TEST_F(SchemaTest, RefusesASecondOutcomeForAnAttempt) {
  insert_attempt(1, 1);
  insert_outcome("unknown");
  EXPECT_THROW(insert_outcome("not_sent"), AuditUnusable);
}

TEST_F(SchemaTest, RefusesOutcomesAndScopesItDoesNotKnow) {
  insert_attempt(1, 1);
  EXPECT_THROW(insert_outcome("fine"), AuditUnusable);
  EXPECT_THROW(insert_outcome("accepted", "world"), AuditUnusable);
  EXPECT_NO_THROW(insert_outcome("accepted"));
}

TEST_F(SchemaTest, RefusesRowsThatPointNowhere) {
  EXPECT_THROW(insert_attempt(99, 1), AuditUnusable);
  EXPECT_THROW(database_.execute("INSERT INTO outcome (attempt_id, outcome, scope,"
                                 " finished_utc_ms) VALUES (99, 'accepted', 'disk', 1)"),
               AuditUnusable);
}

TEST_F(SchemaTest, AttemptLogKeepsItsPublicColumns) {
  EXPECT_THAT(texts(database_, "SELECT name FROM pragma_table_info('attempt_log')"),
              ElementsAre("run_id", "item_id", "disk_id", "attempt_number", "outcome",
                          "http_status", "api_code", "request_id", "message", "intent_utc_ms",
                          "sent_utc_ms", "finished_utc_ms", "latency_us", "retry_after_ms", "scope",
                          "stage", "source_line", "attempt_id", "invocation_id", "settled",
                          "settled_reason", "settled_utc_ms", "run_name", "goal", "command", "user",
                          "host", "credential_id", "endpoint"));
}

TEST_F(SchemaTest, RunSummaryKeepsItsPublicColumns) {
  EXPECT_THAT(texts(database_, "SELECT name FROM pragma_table_info('run_summary')"),
              ElementsAre("run_id", "name", "goal", "endpoint", "sandbox", "list_source",
                          "list_sha256", "created_utc_ms", "listed", "duplicates", "released",
                          "already_gone", "rejected", "failed", "skipped", "unknown", "pending",
                          "attempts", "last_finished_utc_ms", "invocations", "last_exit_code"));
}

TEST_F(SchemaTest, DailyTotalsKeepsItsPublicColumns) {
  EXPECT_THAT(texts(database_, "SELECT name FROM pragma_table_info('daily_totals')"),
              ElementsAre("day", "attempts", "accepted", "already_gone", "rejected", "throttled",
                          "not_sent", "unknown"));
}

TEST_F(SchemaTest, ErrorTotalsKeepsItsPublicColumns) {
  EXPECT_THAT(
      texts(database_, "SELECT name FROM pragma_table_info('error_totals')"),
      ElementsAre("day", "outcome", "api_code", "http_status", "attempts", "last_finished_utc_ms"));
}

TEST_F(SchemaTest, DiskHistoryKeepsItsPublicColumns) {
  EXPECT_THAT(texts(database_, "SELECT name FROM pragma_table_info('disk_history')"),
              ElementsAre("disk_id", "run_id", "item_id", "utc_ms", "entry", "kind", "what", "code",
                          "request_id", "detail", "attempt_number", "invocation_id"));
}

TEST_F(SchemaTest, RunSummaryCountsTheItemsOfEachRunByTheirStates) {
  const RunRecord second = enrol(database_, {"disk-3", "disk-4", "disk-5"});
  insert_attempt(1, 1);
  insert_outcome("not_sent");
  insert_attempt(1, 2);
  insert_outcome("accepted");
  insert_attempt(2, 1);
  insert_outcome("unknown");
  insert_attempt(3, 1);
  insert_outcome("rejected");
  insert_decision(4, DecisionKind::skip, "test");
  end_invocation(database_, invocation_, EndReason::finished, "", 4, k_test_time);
  const std::string columns =
      "SELECT concat.text FROM (SELECT run_id, listed || ' ' || released || ' ' || already_gone ||"
      " ' ' || rejected || ' ' || failed || ' ' || skipped || ' ' || unknown || ' ' || pending ||"
      " ', ' || attempts || ' attempts until ' || coalesce(last_finished_utc_ms, '-') || ', ' ||"
      " invocations || ' exit ' || coalesce(last_exit_code, '-') AS text FROM run_summary)"
      " AS concat WHERE run_id = ";
  EXPECT_THAT(texts(database_, columns + std::to_string(first_.id.value)),
              ElementsAre("2 1 0 0 0 0 1 0, 3 attempts until 2000, 1 exit 4"));
  EXPECT_THAT(texts(database_, columns + std::to_string(second.id.value)),
              ElementsAre("3 0 0 1 0 1 0 1, 1 attempts until 2000, 0 exit -"));
}

TEST_F(SchemaTest, TotalsAreOfTheDayInUtcAndByOutcomeAndCode) {
  const auto ended = [&](const char* outcome, const char* code, const char* when) {
    // Attempts on one item: only the last may be final.
    insert_attempt(1,
                   static_cast<int>(database_.query_integer("SELECT count(*) + 1 FROM attempt")));
    database_.execute(std::string("INSERT INTO outcome (attempt_id, outcome, scope, http_status,"
                                  " api_code, finished_utc_ms) SELECT max(attempt_id), '") +
                      outcome + "', 'moment', 429, " + code + ", 1000 * strftime('%s', '" + when +
                      "') FROM attempt");
  };
  ended("throttled", "'LIMIT'", "2026-11-23 23:59:59");
  ended("throttled", "'LIMIT'", "2026-11-24 00:00:00");
  ended("throttled", "'LIMIT'", "2026-11-24 23:59:59");
  ended("not_sent", "NULL", "2026-11-24 12:00:00");
  ended("accepted", "NULL", "2026-11-24 13:00:00");
  EXPECT_THAT(texts(database_,
                    "SELECT day || ' ' || attempts || ' ' || accepted || ' ' || throttled || ' ' ||"
                    " not_sent FROM daily_totals ORDER BY day"),
              ElementsAre("2026-11-23 1 0 1 0", "2026-11-24 4 1 2 1"));
  EXPECT_THAT(texts(database_,
                    "SELECT day || ' ' || outcome || ' ' || coalesce(api_code, '-') || ' ' ||"
                    " http_status || ' ' || attempts FROM error_totals ORDER BY day, outcome"),
              ElementsAre("2026-11-23 throttled LIMIT 429 1", "2026-11-24 not_sent - 429 1",
                          "2026-11-24 throttled LIMIT 429 2"));
}

TEST_F(SchemaTest, ItemStateKeepsItsPublicColumns) {
  EXPECT_THAT(texts(database_, "SELECT name FROM pragma_table_info('item_state')"),
              ElementsAre("run_id", "item_id", "disk_id", "source_line", "state", "attempts",
                          "last_outcome", "last_http_status", "last_api_code", "last_request_id",
                          "last_message", "last_finished_utc_ms", "decision_reason", "verified",
                          "settled", "last_status", "last_stage", "next_stage"));
}

TEST_F(SchemaTest, ItemStateFollowsTheLatestAttempt) {
  struct Case {
    const char* outcome;
    const char* scope;
    const char* state;
  };
  for (const Case& row : {Case{"accepted", "disk", "released"},
                          {"already_gone", "disk", "already_gone"},
                          {"unknown", "disk", "unknown"},
                          {"rejected", "disk", "rejected"},
                          {"rejected", "run", "pending"},
                          {"rejected", "moment", "pending"},
                          {"throttled", "disk", "pending"},
                          {"not_sent", "disk", "pending"},
                          {"not_sent", "run", "pending"}}) {
    const Transaction undone(database_);
    insert_attempt(1, 1);
    EXPECT_EQ(state_of(1), "unknown") << "an open attempt";
    insert_outcome(row.outcome, row.scope);
    EXPECT_EQ(state_of(1), row.state) << row.outcome << " " << row.scope;
    EXPECT_EQ(state_of(2), "pending");
  }
}

TEST_F(SchemaTest, ItemStateTakesDecisionsOnlyWhereNoAttemptHasEndedTheItem) {
  insert_decision(1, DecisionKind::skip, "released_before");
  EXPECT_EQ(state_of(1), "skipped");
  EXPECT_THAT(texts(database_, "SELECT decision_reason FROM item_state WHERE item_id = 1"),
              ElementsAre("released_before"));

  insert_attempt(2, 1);
  insert_outcome("not_sent");
  insert_decision(2, DecisionKind::give_up, "max_attempts");
  EXPECT_EQ(state_of(2), "failed");

  insert_attempt(2, 2);
  EXPECT_EQ(state_of(2), "unknown");
  insert_outcome("accepted");
  EXPECT_EQ(state_of(2), "released");
}

TEST_F(SchemaTest, AVerdictDecidesOnAFurtherAttemptForTheDisk) {
  struct Case {
    const char* settled;
    bool same_item_allowed;
    bool other_run_allowed;
    const char* state;
  };
  const RunRecord second = enrol(database_, {"disk-1"});
  for (const Case& row : {Case{"executed", false, false, "released"},
                          {"gone", false, false, "already_gone"},
                          {"refused", false, true, "rejected"},
                          {"not_executed", true, true, "pending"}}) {
    const auto is_allowed = [&](std::int64_t item, int number) {
      return error_of(database_,
                      "INSERT INTO attempt (item_id, invocation_id, attempt_number,"
                      " stage, intent_utc_ms) VALUES (" +
                          std::to_string(item) + ", 1, " + std::to_string(number) + ", 1, 1000)") ==
             "no error";
    };
    for (const bool same_item : {true, false}) {
      const Transaction undone(database_);
      insert_attempt(1, 1);
      insert_outcome("unknown");
      insert_observation(1, "AVAILABLE");
      insert_verdict(row.settled);
      EXPECT_EQ(state_of(1), row.state);
      if (same_item) {
        EXPECT_EQ(is_allowed(1, 2), row.same_item_allowed) << row.settled;
      } else {
        EXPECT_EQ(is_allowed(second.first_item.value, 1), row.other_run_allowed) << row.settled;
      }
    }
  }
}

TEST_F(SchemaTest, AVerdictNeedsAnUnknownOutcomeAndAnObservation) {
  insert_observation(1, "ABSENT");
  insert_attempt(1, 1);
  EXPECT_THAT(
      error_of(database_, "INSERT INTO verdict VALUES (1, 1, 'executed', 'test', 1, NULL, 1)"),
      HasSubstr("a verdict needs an unknown outcome"))
      << "open";
  insert_outcome("accepted");
  EXPECT_THAT(
      error_of(database_, "INSERT INTO verdict VALUES (1, 1, 'executed', 'test', 1, NULL, 1)"),
      HasSubstr("a verdict needs an unknown outcome"));
  insert_attempt(2, 1);
  insert_outcome("unknown");
  EXPECT_THAT(
      error_of(database_, "INSERT INTO verdict VALUES (2, 1, 'executed', 'test', NULL, NULL, 1)"),
      HasSubstr("CHECK"));
  EXPECT_THAT(
      error_of(database_, "INSERT INTO verdict VALUES (2, 1, 'executed', 'marked', 1, NULL, 1)"),
      HasSubstr("CHECK"));
  EXPECT_EQ(error_of(database_,
                     "INSERT INTO verdict VALUES (2, 1, 'executed', 'marked', NULL, 'seen', 1)"),
            "no error");
  EXPECT_NE(error_of(database_,
                     "INSERT INTO verdict VALUES (2, 1, 'not_executed', 'marked', NULL, 'x', 1)"),
            "no error")
      << "at most one verdict";
}

TEST_F(SchemaTest, TheSecondStageNeedsGoalPurgeAndTheRecycleBinSeenLast) {
  RunDescription purge = test_description();
  purge.goal = Goal::purge;
  const std::int64_t item = enrol(database_, {"disk-9"}, purge).first_item.value;
  const auto refused = [&](std::int64_t of, int number) {
    const Transaction undone(database_);
    try {
      insert_attempt_after_sight(of, number, 2);
    } catch (const AuditUnusable& error) {
      EXPECT_THAT(error.what(), HasSubstr("never by accident"));
      return true;
    }
    return false;
  };
  EXPECT_TRUE(refused(item, 1)) << "never seen";
  insert_observation(item, "AVAILABLE");
  EXPECT_TRUE(refused(item, 1));
  insert_observation(item, "RECYCLED");
  EXPECT_FALSE(refused(item, 1)) << "in the bin from the start";
  insert_observation(item, "AVAILABLE");
  insert_attempt_after_sight(item, 1, 1);
  insert_outcome("accepted");
  EXPECT_TRUE(refused(item, 2)) << "seen in the bin before the first stage only";
  EXPECT_EQ(state_of(item), "pending");
  insert_observation(item, "RECYCLED");
  EXPECT_FALSE(refused(item, 2));
  insert_observation(item, "RECYCLING");
  EXPECT_TRUE(refused(item, 2)) << "not seen there last";
  insert_observation(item, "RECYCLED");
  insert_attempt_after_sight(item, 2, 2);
  insert_outcome("accepted");
  EXPECT_EQ(state_of(item), "released");
  EXPECT_THAT(error_of(database_, "INSERT INTO attempt VALUES (NULL, " + std::to_string(item) +
                                      ", 1, 3, 2, 1, NULL)"),
              HasSubstr("never"));
  // Goal release has no second stage.
  insert_observation(1, "RECYCLED");
  EXPECT_TRUE(refused(1, 1));
}

TEST_F(SchemaTest, ItemStateVerifiesByWhatWasSeenAfterTheAttempt) {
  insert_observation(1, "ABSENT");  // before the attempt: says nothing about it
  insert_attempt_after_sight(1, 1, 1);
  insert_outcome("accepted");
  const auto verified = [&] {
    return texts(database_, "SELECT verified FROM item_state WHERE item_id = 1").at(0);
  };
  EXPECT_EQ(verified(), "not_read");
  for (const auto& [status, expected] :
       std::vector<std::pair<std::string, std::string>>{{"AVAILABLE", "still_there"},
                                                        {"IN_USE", "still_there"},
                                                        {"RECYCLING", "leaving"},
                                                        {"DELETING", "leaving"},
                                                        {"RECYCLED", "recycled"},
                                                        {"ABSENT", "leaving"},
                                                        {"ABSENT", "destroyed"},
                                                        {"DELETING", "leaving"},
                                                        {"ABSENT", "destroyed"}}) {
    insert_observation(1, status);
    EXPECT_EQ(verified(), expected) << status;
    EXPECT_EQ(state_of(1), "released");
  }
  EXPECT_THAT(texts(database_, "SELECT verified FROM item_state WHERE item_id = 2"),
              ElementsAre(""));
}

TEST_F(SchemaTest, ItemStateCallsADiskGoneThatNobodyHasSeenOnItsWay) {
  insert_observation(1, "AVAILABLE");
  insert_attempt_after_sight(1, 1, 1);
  insert_outcome("accepted");
  const auto verified = [&] {
    return texts(database_, "SELECT verified FROM item_state WHERE item_id = 1").at(0);
  };
  insert_observation(1, "ABSENT");
  EXPECT_EQ(verified(), "leaving");
  insert_observation(1, "ABSENT");
  EXPECT_EQ(verified(), "gone");
}

TEST_F(SchemaTest, PreflightDecisionsAreStatesOfItemsWithoutAttempts) {
  insert_decision(1, DecisionKind::reject, "in_use");
  EXPECT_EQ(state_of(1), "rejected");
  insert_decision(2, DecisionKind::already_gone, "recycled");
  EXPECT_EQ(state_of(2), "already_gone");
}

}  // namespace
}  // namespace diskrelease
