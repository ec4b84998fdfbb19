#include "record/run_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "derived/derived_tables.h"
#include "model/errors.h"
#include "queries/find_run.h"
#include "queries/log_query.h"
#include "queries/run_queries.h"
#include "record/attempt_log.h"
#include "record/audit_file.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Database new_database(const TemporaryDirectory& directory) {
  create_audit_database(directory / "audit.db");
  return open_audit_for_writing(directory / "audit.db");
}

class RunRecordsTest : public ::testing::Test {
 protected:
  /// One attempt for the item at this place (from 0) of the run; nullopt leaves it open.
  void attempt(const RunRecord& run, std::int64_t place, std::optional<OutcomeRecord> outcome,
               int number = 1, UtcTime at = k_test_time, Stage stage = Stage::release) {
    const InvocationId invocation = begin_test_invocation(database_, run.id);
    AttemptLog log(open_audit_for_writing(directory_ / "audit.db"), run.id, invocation);
    OpenAttempt open =
        log.announce(ItemId{run.first_item.value + place}, disk_id("unused"), number, stage, at)
            .take();
    if (outcome) log.record_outcome(std::move(open), *outcome);
    log.flush();
  }
  static OutcomeRecord outcome(Outcome outcome, Scope scope = Scope::disk,
                               const std::string& code = "", std::optional<int> status = {},
                               const std::string& request_id = "") {
    OutcomeRecord record;
    record.outcome = outcome;
    record.scope = scope;
    record.api_code = code;
    record.http_status = status;
    record.request_id = request_id;
    record.finished = k_test_time;
    return record;
  }
  std::vector<std::string> pending_disks(const RunRecord& run, std::int64_t page_size) {
    PendingFeed feed(open_audit_for_reading(directory_ / "audit.db"), run);
    std::vector<std::string> disks;
    while (true) {
      const std::vector<PendingItem> page = feed.next_page(page_size);
      for (const PendingItem& item : page) {
        disks.push_back(item.disk.text() + "+" + std::to_string(item.attempts));
      }
      if (std::ssize(page) < page_size) return disks;
    }
  }
  template <class Field, class Value>
  static LogFilter only(Field LogFilter::*field, const Value& value) {
    LogFilter filter;
    filter.*field = value;
    return filter;
  }
  std::vector<std::string> logged(const LogFilter& filter) {
    std::vector<std::string> rows;
    read_log(database_, filter, [&](const LogRow& row) {
      rows.push_back(row.disk_id + " " + row.outcome);
      return true;
    });
    return rows;
  }

  /// The disk at this place was seen so, after all that has happened to it.
  void observe(const RunRecord& run, std::int64_t place, const std::string& status) {
    database_.execute(
        "INSERT INTO disk_read (invocation_id, purpose, disk_count, result, sent_utc_ms,"
        " finished_utc_ms) VALUES (1, 'verify', 1, 'complete', 1, 2);"
        "INSERT INTO observation (read_id, item_id, status) SELECT max(read_id), " +
        std::to_string(run.first_item.value + place) + ", '" + status + "' FROM disk_read");
  }

  TemporaryDirectory directory_;
  Database database_ = new_database(directory_);
};

TEST_F(RunRecordsTest, SkipsDisksThatAnotherRunHasOrMayHaveReleased) {
  const RunRecord earlier =
      enrol(database_, {"released", "unknown", "open", "rejected", "gone", "not-sent", "untried"});
  attempt(earlier, 0, outcome(Outcome::accepted));
  attempt(earlier, 1, outcome(Outcome::unknown));
  attempt(earlier, 2, std::nullopt);
  attempt(earlier, 3, outcome(Outcome::rejected));
  attempt(earlier, 4, outcome(Outcome::already_gone));
  attempt(earlier, 5, outcome(Outcome::not_sent));
  const RunRecord run = enrol(
      database_, {"open", "new", "rejected", "gone", "not-sent", "untried", "unknown", "released"});
  const InvocationId invocation = begin_test_invocation(database_, run.id);

  EXPECT_EQ(skip_disks_of_other_runs(database_, run, invocation, false, k_test_time), 3);
  EXPECT_EQ(skip_disks_of_other_runs(database_, run, invocation, false, k_test_time), 0);

  std::vector<std::string> skipped;
  read_items(database_, run, ItemState::skipped, [&](const ItemRow& row) {
    skipped.push_back(row.disk_id + " " + row.decision_reason);
    return true;
  });
  EXPECT_THAT(skipped, ElementsAre("open unsettled_before", "unknown unsettled_before",
                                   "released released_before"));
  EXPECT_EQ(count_states(database_, run)[ItemState::pending], 5);
  EXPECT_EQ(database_.query_integer("SELECT count(*) FROM decision WHERE detail = 'run 1'"), 3);
  // The earlier run keeps its own states.
  EXPECT_EQ(count_states(database_, earlier)[ItemState::skipped], 0);
}

TEST_F(RunRecordsTest, SkipsADiskThatOneRunReleasedAndAnotherLeftUnknownAsReleased) {
  const RunRecord first = enrol(database_, {"disk"});
  const RunRecord second = enrol(database_, {"disk"});
  attempt(second, 0, outcome(Outcome::not_sent));
  attempt(first, 0, outcome(Outcome::accepted));
  const RunRecord run = enrol(database_, {"disk"});
  const InvocationId invocation = begin_test_invocation(database_, run.id);
  EXPECT_EQ(skip_disks_of_other_runs(database_, run, invocation, false, k_test_time), 1);
  EXPECT_EQ(database_.query_integer("SELECT count(*) FROM decision WHERE detail = 'run 1'"
                                    " AND reason = 'released_before'"),
            1);
}

TEST_F(RunRecordsTest, TellsADestroyedDiskFromAReleasedOne) {
  RunDescription description = test_description();
  description.goal = Goal::purge;
  const RunRecord destroyer = enrol(database_, {"disk"}, description);
  attempt(destroyer, 0, outcome(Outcome::accepted));
  observe(destroyer, 0, "RECYCLED");
  attempt(destroyer, 0, outcome(Outcome::accepted), 2, k_test_time, Stage::destroy);
  const RunRecord run = enrol(database_, {"disk"}, description);
  const InvocationId invocation = begin_test_invocation(database_, run.id);
  EXPECT_EQ(skip_disks_of_other_runs(database_, run, invocation, true, k_test_time), 1);
  EXPECT_EQ(database_.query_integer("SELECT count(*) FROM decision WHERE detail = 'run 1'"
                                    " AND reason = 'destroyed_before'"),
            1);
}

TEST_F(RunRecordsTest, SkipsTheSameWhetherItSearchesForDisksOrReadsThemInOrder) {
  for (const int others : {3, 200}) {  // with 200 more than 20 rows come to each pending item
    std::vector<std::string> disks = numbered_disks(others);
    for (std::string& disk : disks) disk += "-of-" + std::to_string(others);
    const RunRecord earlier = enrol(database_, disks);
    attempt(earlier, 0, outcome(Outcome::accepted));
    attempt(earlier, 1, outcome(Outcome::rejected));
    attempt(earlier, 2, std::nullopt);
    const RunRecord run = enrol(database_, {"new-" + std::to_string(others), disks[2], disks[1],
                                            disks[0], "newer-" + std::to_string(others)});
    const InvocationId invocation = begin_test_invocation(database_, run.id);
    // A row of a pending item, and an item that is done: neither hides what is to be skipped.
    attempt(run, 4, outcome(Outcome::throttled, Scope::disk, "SLOW", 429));
    attempt(run, 0, outcome(Outcome::rejected));
    EXPECT_EQ(skip_disks_of_other_runs(database_, run, invocation, false, k_test_time), 2);
    EXPECT_EQ(skip_disks_of_other_runs(database_, run, invocation, false, k_test_time), 0);
    EXPECT_EQ(count_states(database_, run)[ItemState::skipped], 2);
    EXPECT_EQ(count_states(database_, run).by_state, recount_states(database_, run).by_state);
    EXPECT_THAT(derived_differences(database_), IsEmpty());
  }
}

TEST_F(RunRecordsTest, ARunDoesNotSkipItsOwnDisks) {
  const RunRecord run = enrol(database_, {"disk-1", "disk-2"});
  attempt(run, 0, outcome(Outcome::accepted));
  enrol(database_, {"other"});
  const InvocationId invocation = begin_test_invocation(database_, run.id);
  EXPECT_EQ(skip_disks_of_other_runs(database_, run, invocation, false, k_test_time), 0);
}

TEST_F(RunRecordsTest, FindsTheNewestUnfinishedRunOfTheSameListGoalAndEndpoint) {
  RunDescription description = test_description();
  description.endpoint = "here";
  const auto find = [&](const RunRecord& like, Goal goal = Goal::release,
                        const std::string& endpoint = "here") -> std::int64_t {
    const auto found = find_unfinished_run(database_, like.list_sha256, goal, endpoint);
    return found ? found->id.value : 0;
  };
  const RunRecord first = enrol(database_, {"a", "b"}, description);
  const RunRecord second = enrol(database_, {"a", "b"}, description);
  const RunRecord other = enrol(database_, {"c"}, description);
  EXPECT_EQ(find(first), second.id.value);
  EXPECT_EQ(find(other), other.id.value);
  EXPECT_EQ(find(first, Goal::purge), 0);
  EXPECT_EQ(find(first, Goal::release, "there"), 0);

  attempt(second, 0, outcome(Outcome::rejected));
  EXPECT_EQ(find(first), second.id.value);
  attempt(second, 1, outcome(Outcome::rejected));
  EXPECT_EQ(find(first), first.id.value);
  attempt(first, 0, outcome(Outcome::accepted));
  attempt(first, 1, outcome(Outcome::unknown));
  EXPECT_EQ(find(first), first.id.value) << "an unknown item is unfinished business";
  EXPECT_TRUE(is_unfinished(database_, first));
  EXPECT_FALSE(is_unfinished(database_, second));
}

TEST_F(RunRecordsTest, RecoveryClosesOpenAttemptsOfAllRunsAndOnlyThose) {
  const RunRecord first = enrol(database_, {"a", "b"});
  const RunRecord second = enrol(database_, {"c"});
  attempt(first, 0, outcome(Outcome::accepted));
  attempt(first, 1, std::nullopt);
  attempt(second, 0, std::nullopt);
  EXPECT_EQ(count_open_attempts(database_, first), 1);
  const Recovery recovery = recover(database_, k_test_time + milliseconds(9));
  EXPECT_EQ(recovery.unknown_attempts, 2);
  EXPECT_EQ(recovery.dead_invocations, 3);
  EXPECT_EQ(count_open_attempts(database_, first), 0);
  EXPECT_EQ(database_.query_integer(
                "SELECT count(*) FROM outcome WHERE outcome = 'unknown' AND scope = 'disk'"
                " AND sent_utc_ms IS NULL AND finished_utc_ms = 1795000000009"),
            2);
  EXPECT_EQ(recover(database_, k_test_time).unknown_attempts, 0);
  EXPECT_EQ(recover(database_, k_test_time).dead_invocations, 0);
}

TEST_F(RunRecordsTest, RecoveryClosesAnOpenAttemptOfAnInvocationThatWroteItsEnd) {
  const RunRecord run = enrol(database_, {"a"});
  attempt(run, 0, std::nullopt);
  end_invocation(database_, InvocationId{1}, EndReason::failed, "disk full", 10, k_test_time);
  const Recovery recovery = recover(database_, k_test_time);
  EXPECT_EQ(recovery.unknown_attempts, 1);
  EXPECT_EQ(recovery.dead_invocations, 0);
}

TEST_F(RunRecordsTest, ReadsInvocationsWithAndWithoutAnEnd) {
  const RunRecord run = enrol(database_, {"a"});
  const InvocationId ended = begin_test_invocation(database_, run.id);
  static_cast<void>(begin_test_invocation(database_, run.id));
  end_invocation(database_, ended, EndReason::interrupted, "SIGTERM", 6, k_test_time);
  const std::vector<InvocationRow> rows = read_invocations(database_, run.id);
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[0].description.credential_id, "AKTEST0001");
  EXPECT_EQ(rows[0].end_reason, "interrupted");
  EXPECT_EQ(rows[0].end_detail, "SIGTERM");
  EXPECT_EQ(rows[0].exit_code, 6);
  EXPECT_EQ(rows[0].ended, k_test_time);
  EXPECT_EQ(rows[1].end_reason, "");
  EXPECT_FALSE(rows[1].exit_code);
  EXPECT_FALSE(rows[1].ended);
}

TEST_F(RunRecordsTest, AnEmptyDatabaseIsNeitherOfTheSandboxNorReal) {
  EXPECT_FALSE(is_sandbox_database(database_));
  enrol(database_, {"a"});
  EXPECT_EQ(is_sandbox_database(database_), false);
}

TEST_F(RunRecordsTest, ListsRunsNewestFirst) {
  for (int i = 0; i < 3; ++i) enrol(database_, {"a"});
  std::vector<std::int64_t> ids;
  for (const RunRecord& run : list_runs(database_, 2)) ids.push_back(run.id.value);
  EXPECT_THAT(ids, ElementsAre(3, 2));
}

TEST_F(RunRecordsTest, FeedsPendingItemsInListOrderWhateverThePageSize) {
  enrol(database_, {"before"});
  const RunRecord run = enrol(database_, {"z", "y", "x", "w", "v"});
  enrol(database_, {"after"});
  attempt(run, 1, outcome(Outcome::accepted));
  attempt(run, 2, outcome(Outcome::not_sent));
  for (const std::int64_t page : {1, 2, 3, 4, 5, 100}) {
    EXPECT_THAT(pending_disks(run, page), ElementsAre("z+0", "x+1", "w+0", "v+0")) << page;
  }
}

TEST_F(RunRecordsTest, TheFeedDoesNotGoBackBehindItsCursor) {
  const RunRecord run = enrol(database_, {"a", "b", "c"});
  PendingFeed feed(open_audit_for_reading(directory_ / "audit.db"), run);
  EXPECT_THAT(feed.next_page(2), SizeIs(2));
  attempt(run, 2, outcome(Outcome::accepted));
  EXPECT_THAT(feed.next_page(2), IsEmpty());
  EXPECT_THAT(feed.next_page(2), IsEmpty());
}

TEST_F(RunRecordsTest, FiltersTheLogByEachField) {
  const RunRecord first = enrol(database_, {"a", "b", "c"});
  const RunRecord second = enrol(database_, {"c"});
  attempt(first, 0, outcome(Outcome::accepted, Scope::disk, "", 200, "request-a"));
  attempt(first, 1, outcome(Outcome::rejected, Scope::disk, "CODE_B", 400), 1,
          k_test_time + milliseconds(1));
  attempt(first, 2, outcome(Outcome::rejected, Scope::disk, "CODE_C", 400), 1,
          k_test_time + milliseconds(2));
  attempt(second, 0, std::nullopt, 1, k_test_time + milliseconds(3));

  EXPECT_THAT(logged({}), ElementsAre("a accepted", "b rejected", "c rejected", "c open"));
  EXPECT_THAT(logged(only(&LogFilter::run, second.id.value)), ElementsAre("c open"));
  EXPECT_THAT(logged(only(&LogFilter::disk, "c")), ElementsAre("c rejected", "c open"));
  EXPECT_THAT(logged(only(&LogFilter::disk, "nowhere")), IsEmpty());
  EXPECT_THAT(logged(only(&LogFilter::outcome, "rejected")),
              ElementsAre("b rejected", "c rejected"));
  EXPECT_THAT(logged(only(&LogFilter::outcome, "open")), ElementsAre("c open"));
  EXPECT_THAT(logged(only(&LogFilter::code, "CODE_B")), ElementsAre("b rejected"));
  EXPECT_THAT(logged(only(&LogFilter::code, "CODE")), IsEmpty());
  EXPECT_THAT(logged(only(&LogFilter::request_id, "request-a")), ElementsAre("a accepted"));
  EXPECT_THAT(logged(only(&LogFilter::since, k_test_time + milliseconds(2))),
              ElementsAre("c rejected", "c open"));
  EXPECT_THAT(logged(only(&LogFilter::until, k_test_time + milliseconds(2))),
              ElementsAre("a accepted", "b rejected"));
  EXPECT_THAT(logged(only(&LogFilter::limit, 0)), IsEmpty());
  EXPECT_THAT(logged(only(&LogFilter::limit, 1)), ElementsAre("a accepted"));
  LogFilter both = only(&LogFilter::run, first.id.value);
  both.outcome = "rejected";
  both.disk = "c";
  EXPECT_THAT(logged(both), ElementsAre("c rejected"));
  EXPECT_THAT(logged(only(&LogFilter::disk, "' OR 1 --")), IsEmpty());
  EXPECT_THAT(logged(only(&LogFilter::http_status, 400)), ElementsAre("b rejected", "c rejected"));
  EXPECT_THAT(logged(only(&LogFilter::run_name, test_description().name)), SizeIs(4));
  EXPECT_THAT(logged(only(&LogFilter::run_name, "another")), IsEmpty());
}

TEST_F(RunRecordsTest, FiltersTheLogByWhoWasAtWork) {
  const RunRecord run = enrol(database_, {"a"});
  attempt(run, 0, outcome(Outcome::accepted));
  Statement by = database_.prepare("SELECT user, host, credential_id, endpoint FROM invocation");
  ASSERT_TRUE(by.step());
  const std::array<std::pair<std::optional<std::string> LogFilter::*, std::string>, 4> fields{{
      {&LogFilter::user, std::string(by.text(0))},
      {&LogFilter::host, std::string(by.text(1))},
      {&LogFilter::credential, std::string(by.text(2))},
      {&LogFilter::endpoint, std::string(by.text(3))},
  }};
  for (const auto& [field, value] : fields) {
    EXPECT_FALSE(value.empty());
    EXPECT_THAT(logged(only(field, value)), ElementsAre("a accepted")) << value;
    EXPECT_THAT(logged(only(field, value + "x")), IsEmpty()) << value;
  }
}

TEST_F(RunRecordsTest, FindsTextInMessagesWhateverItHolds) {
  const RunRecord run = enrol(database_, {"a", "b", "c"});
  const auto with_message = [&](std::int64_t place, const std::string& message) {
    OutcomeRecord record = outcome(Outcome::unknown);
    record.message = message;
    attempt(run, place, record);
  };
  with_message(0, "100% of Quota_used");
  with_message(1, "100 of QuotaXused");
  with_message(2, "a\\b");
  EXPECT_THAT(logged(only(&LogFilter::text, "QUOTA")), ElementsAre("a unknown", "b unknown"));
  EXPECT_THAT(logged(only(&LogFilter::text, "0%")), ElementsAre("a unknown"));
  EXPECT_THAT(logged(only(&LogFilter::text, "a_u")), ElementsAre("a unknown"));
  EXPECT_THAT(logged(only(&LogFilter::text, "\\")), ElementsAre("c unknown"));
  EXPECT_THAT(logged(only(&LogFilter::text, "nothing")), IsEmpty());
}

TEST_F(RunRecordsTest, OrdersTheLogByEachKeyInBothDirections) {
  const RunRecord run = enrol(database_, {"b", "c", "a"});
  const auto ended = [&](std::int64_t place, Outcome how, const char* code, int finished,
                         int latency) {
    OutcomeRecord record = outcome(how, Scope::disk, code);
    record.finished = k_test_time + milliseconds(finished);
    record.latency = std::chrono::microseconds(latency);
    attempt(run, place, record);
  };
  ended(0, Outcome::unknown, "X", 30, 1);
  ended(1, Outcome::accepted, "Z", 10, 3);
  ended(2, Outcome::rejected, "Y", 20, 2);
  const auto order = [&](LogOrder key, bool descending) {
    LogFilter filter;
    filter.order = key;
    filter.descending = descending;
    std::string disks;
    for (const std::string& row : logged(filter)) disks += row.front();
    return disks;
  };
  EXPECT_EQ(order(LogOrder::recording, false), "bca");
  EXPECT_EQ(order(LogOrder::recording, true), "acb");
  EXPECT_EQ(order(LogOrder::disk, false), "abc");
  EXPECT_EQ(order(LogOrder::disk, true), "cba");
  EXPECT_EQ(order(LogOrder::run, false), "bca");
  EXPECT_EQ(order(LogOrder::outcome, false), "cab");
  EXPECT_EQ(order(LogOrder::code, false), "bac");
  EXPECT_EQ(order(LogOrder::finished, false), "cab");
  EXPECT_EQ(order(LogOrder::latency, true), "cab");
}

TEST_F(RunRecordsTest, TheReaderOfTheLogMayEndIt) {
  const RunRecord run = enrol(database_, {"a", "b"});
  attempt(run, 0, outcome(Outcome::accepted));
  attempt(run, 1, outcome(Outcome::accepted));
  int rows = 0;
  read_log(database_, {}, [&](const LogRow&) {
    ++rows;
    return false;
  });
  EXPECT_EQ(rows, 1);
}

TEST_F(RunRecordsTest, CountsEndingsByCodeStatusOrReason) {
  const RunRecord run = enrol(database_, {"a", "b", "c", "d", "e", "f"});
  attempt(run, 0, outcome(Outcome::rejected, Scope::disk, "CODE", 400));
  attempt(run, 1, outcome(Outcome::rejected, Scope::disk, "CODE", 400));
  attempt(run, 2, outcome(Outcome::unknown, Scope::disk, "", 502));
  attempt(run, 3, outcome(Outcome::accepted, Scope::disk, "", 200));
  record_decision(database_, run.id, InvocationId{1},
                  {DecisionKind::skip, ItemId{run.first_item.value + 4}, "released_before", ""},
                  k_test_time);
  std::vector<std::string> endings;
  for (const EndingCount& ending : count_endings(database_, run)) {
    endings.push_back(std::string(to_text(ending.state)) + "|" + ending.code + "|" +
                      std::to_string(ending.items) + "|" + ending.example_disk);
  }
  EXPECT_THAT(endings, ElementsAre("rejected|CODE|2|a", "pending||1|f", "released||1|d",
                                   "skipped|released_before|1|e", "unknown|HTTP 502|1|c"));
}

TEST_F(RunRecordsTest, CountsReleasedDisksByWhatWasSeenOfThem) {
  const RunRecord run = enrol(database_, numbered_disks(11));
  const std::vector<std::string> seen{"RECYCLED", "ABSENT",    "ABSENT",    "RECYCLING", "DELETING",
                                      "DELETING", "AVAILABLE", "AVAILABLE", "IN_USE",    "IN_USE"};
  for (std::size_t i = 0; i <= seen.size(); ++i) {
    attempt(run, std::ssize(seen) - static_cast<std::int64_t>(i), outcome(Outcome::accepted));
  }
  for (std::size_t i = 0; i < seen.size(); ++i) observe(run, static_cast<std::int64_t>(i), seen[i]);
  // One absence says little.
  observe(run, 1, "ABSENT");
  observe(run, 2, "RECYCLED");
  observe(run, 2, "ABSENT");
  observe(run, 2, "ABSENT");
  // Opening it again counts what was put on record by hand.
  Database reopened = open_audit_for_writing(directory_ / "audit.db");
  const VerifiedCounts counts = count_verified(reopened, run);
  EXPECT_EQ(counts.recycled, 1);
  EXPECT_EQ(counts.destroyed, 1);
  EXPECT_EQ(counts.gone, 1);
  EXPECT_EQ(counts.leaving, 3);
  EXPECT_EQ(counts.still_there, 4);
  EXPECT_EQ(counts.not_read, 1);
}

TEST_F(RunRecordsTest, TheReaderOfItemsMayEndIt) {
  const RunRecord run = enrol(database_, {"a", "b", "c"});
  std::vector<std::string> disks;
  read_items(database_, run, std::nullopt, [&](const ItemRow& row) {
    disks.push_back(row.disk_id);
    return disks.size() < 2;
  });
  EXPECT_THAT(disks, ElementsAre("a", "b"));
}

TEST_F(RunRecordsTest, MarksNothingWhereADiskIsNotInTheRunOrNotUnknown) {
  const RunRecord run = enrol(database_, {"lost", "sent"});
  attempt(run, 0, outcome(Outcome::unknown));
  attempt(run, 1, outcome(Outcome::accepted));
  const Marking lost{disk_id("lost"), Settled::not_executed};
  EXPECT_NO_THROW(check_markings(database_, run, std::vector{lost}));
  try {
    check_markings(database_, run,
                   std::vector{Marking{disk_id("elsewhere")}, lost, Marking{disk_id("sent")}});
    ADD_FAILURE() << "no error";
  } catch (const UsageError& error) {
    EXPECT_EQ(std::string_view(error.what()),
              "run 1: nothing was marked\ndisk elsewhere is not in the run\n"
              "disk sent is released; only what is unknown can be marked");
  }
}

TEST_F(RunRecordsTest, RecoveryEndsADeadInvocationWithTheReasonOfItsName) {
  const RunRecord run = enrol(database_, {"a"});
  static_cast<void>(begin_test_invocation(database_, run.id));
  EXPECT_EQ(recover(database_, k_test_time).dead_invocations, 1);
  EXPECT_EQ(read_invocations(database_, run.id).at(0).end_reason, to_text(EndReason::died));
}

/// Nothing can be told of a database that somebody else has changed, and nothing is guessed.
TEST_F(RunRecordsTest, RefusesAnItemStateThatItDoesNotKnow) {
  const RunRecord run = enrol(database_, {"a"});
  database_.execute(
      "DROP VIEW item_state; CREATE VIEW item_state AS SELECT item_id, 'odd' AS state FROM item");
  try {
    static_cast<void>(recount_states(database_, run));
    ADD_FAILURE() << "no error";
  } catch (const AuditUnusable& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("unknown item state 'odd'"),
                                    HasSubstr("changed by another program")));
  }
}

TEST_F(RunRecordsTest, HandsOutNothingThatIsNoDiskId) {
  const RunRecord run = enrol(database_, {"a"});
  database_.execute("DROP TRIGGER item_no_update; UPDATE item SET disk_id = 'a\"b'");
  PendingFeed feed(Database(directory_ / "audit.db", Database::Access::read_only), run);
  try {
    static_cast<void>(feed.next_page(1));
    ADD_FAILURE() << "no error";
  } catch (const AuditUnusable& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("item 1 holds something that is not a disk id"),
                                    HasSubstr("changed by another program")));
  }
}

}  // namespace
}  // namespace diskrelease
