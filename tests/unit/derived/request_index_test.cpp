#include "derived/request_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "derived/derived_tables.h"
#include "queries/log_query.h"
#include "record/audit_file.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t k_segment = k_attempts_a_segment;

/// Attempts on one item, throttled each, with the request ids "T1", "T2", ..., but for each third,
/// which has none, and two that share one.
class RequestIndexTest : public ::testing::Test {
 protected:
  void attempts_up_to(std::int64_t last) {
    Transaction transaction(database_);
    Statement attempts = database_.prepare(
        "WITH RECURSIVE n(i) AS (SELECT coalesce(max(attempt_id), 0) + 1 FROM attempt"
        "   UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
        " INSERT INTO attempt (item_id, invocation_id, attempt_number, stage, intent_utc_ms)"
        " SELECT i, 1, 1, 1, i FROM n");
    attempts.bind(1, last).run();
    Statement outcomes = database_.prepare(
        "INSERT INTO outcome (attempt_id, outcome, scope, request_id, finished_utc_ms)"
        " SELECT attempt_id, 'throttled', 'run', CASE WHEN attempt_id = 50 THEN 'T40'"
        "   WHEN attempt_id % 3 <> 0 THEN 'T' || attempt_id END, 9 FROM attempt"
        " WHERE attempt_id > (SELECT coalesce(max(attempt_id), 0) FROM outcome)");
    outcomes.run();
    transaction.commit();
  }
  void extend(std::int64_t settled) {
    Transaction transaction(database_);
    extend_request_index(database_, settled);
    transaction.commit();
  }
  std::vector<std::int64_t> found(const std::string& request_id) {
    return attempts_by_request(database_, request_id).value();
  }
  std::vector<std::int64_t> logged(const std::string& request_id) {
    LogFilter filter;
    filter.request_id = request_id;
    std::vector<std::int64_t> ids;
    read_log(database_, filter, [&](const LogRow& row) {
      ids.push_back(row.attempt_id);
      return true;
    });
    return ids;
  }

  static std::string key_of(const std::string& request_id) {
    std::string bytes;
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes += static_cast<char>(request_key(request_id) >> shift);
    }
    return bytes;
  }
  /// A row of one entry, for the first segment.
  void insert_entry(const std::string& request_id, char attempt) {
    Statement insert = database_.prepare("INSERT INTO request_index VALUES (0, ?1)");
    insert.bind_blob(1, key_of(request_id) + '\0' + static_cast<char>(attempt - 1)).run();
  }
  /// From the row of the first segment that has it; every other entry stays.
  void remove_entry(const std::string& request_id) {
    Statement rows = database_.prepare("SELECT entries FROM request_index WHERE segment = 0");
    std::string with;
    while (rows.step()) {
      if (rows.text(0).find(key_of(request_id)) != std::string_view::npos) with = rows.text(0);
    }
    const std::size_t place = with.find(key_of(request_id));
    ASSERT_EQ(place % k_request_entry_size, 0U);
    std::string without = with;
    without.erase(place, k_request_entry_size);
    Statement update =
        database_.prepare("UPDATE request_index SET entries = ?1 WHERE entries = ?2");
    update.bind_blob(1, without).bind_blob(2, with).run();
    ASSERT_EQ(database_.changes(), 1);
  }

  TemporaryDirectory directory_;
  Database database_ = [this] {
    create_audit_database(directory_ / "audit.db");
    Database database = open_audit_for_writing(directory_ / "audit.db");
    const RunRecord run = enrol(database, numbered_disks(2 * k_segment + 200));
    static_cast<void>(begin_test_invocation(database, run.id));
    return database;
  }();
};

TEST_F(RequestIndexTest, FindsEveryIdBeforeAndAfterItsSegmentIsMade) {
  const std::vector<std::int64_t> samples{1,
                                          40,
                                          k_segment - 1,
                                          k_segment,
                                          k_segment + 1,
                                          2 * k_segment - 1,
                                          2 * k_segment,
                                          2 * k_segment + 100};
  attempts_up_to(2 * k_segment + 100);
  for (const std::int64_t settled :
       {std::int64_t{0}, k_segment - 1, k_segment, 2 * k_segment - 1, 2 * k_segment + 100}) {
    extend(settled);
    EXPECT_EQ(database_.query_integer("SELECT count(DISTINCT segment) FROM request_index"),
              settled / k_segment);
    for (const std::int64_t attempt : samples) {
      if (attempt % 3 == 0) continue;
      if (attempt == 40) {
        EXPECT_THAT(found("T40"), ElementsAre(40, 50)) << settled;
      } else {
        EXPECT_THAT(found("T" + std::to_string(attempt)), ElementsAre(attempt)) << settled;
      }
    }
    EXPECT_THAT(found("T0"), IsEmpty());
    EXPECT_THAT(derived_differences(database_),
                ::testing::Each(::testing::Not(::testing::HasSubstr("request_index"))));
  }
}

TEST_F(RequestIndexTest, TheLogIsFoundThroughIt) {
  attempts_up_to(k_segment + 10);
  extend(k_segment + 10);
  EXPECT_THAT(logged("T40"), ElementsAre(40, 50));
  EXPECT_THAT(logged("T" + std::to_string(k_segment + 9)), ElementsAre(k_segment + 9));
  EXPECT_THAT(logged("T0"), IsEmpty());
  // Another id with the same key is no finding.
  insert_entry("T" + std::to_string(k_segment + 9), 7);
  EXPECT_THAT(found("T" + std::to_string(k_segment + 9)), ElementsAre(7, k_segment + 9));
  EXPECT_THAT(logged("T" + std::to_string(k_segment + 9)), ElementsAre(k_segment + 9));
}

TEST_F(RequestIndexTest, FindsAllAttemptsOfAnIdThatFillsManyRows) {
  attempts_up_to(2 * k_segment);
  database_.execute(
      "DROP TRIGGER outcome_no_update;"
      "UPDATE outcome SET request_id = 'same' WHERE attempt_id BETWEEN 1000 AND 33000");
  extend(2 * k_segment);
  std::vector<std::int64_t> expected(32'001);
  std::iota(expected.begin(), expected.end(), 1000);
  EXPECT_EQ(found("same"), expected);
  EXPECT_THAT(found("T998"), ElementsAre(998));
  EXPECT_THAT(found("T33001"), ElementsAre(33001));
  EXPECT_THAT(found("T1001"), IsEmpty());
}

TEST_F(RequestIndexTest, FindsIdsOfAWholeSegment) {
  attempts_up_to(k_segment);
  extend(k_segment);
  for (std::int64_t attempt = 1; attempt <= k_segment; attempt += 7) {
    if (attempt % 3 == 0 || attempt == 40 || attempt == 50) continue;
    ASSERT_THAT(found("T" + std::to_string(attempt)), ElementsAre(attempt));
  }
  // No row has overflow pages: a row would cost several.
  EXPECT_EQ(database_.query_integer("SELECT count(*) FROM dbstat WHERE name = 'request_index'"
                                    " AND pagetype = 'overflow'"),
            0);
  EXPECT_GT(database_.query_integer("SELECT count(*) FROM dbstat WHERE name = 'request_index'"), 1);
}

TEST_F(RequestIndexTest, ASegmentInWhichNobodyHasAnsweredIsLookedAtOnce) {
  attempts_up_to(k_segment);
  database_.execute("DROP TRIGGER outcome_no_update; UPDATE outcome SET request_id = NULL");
  extend(k_segment);
  EXPECT_EQ(database_.query_integer("SELECT count(DISTINCT segment) FROM request_index"), 1);
  EXPECT_THAT(found("T1"), IsEmpty());
}

TEST_F(RequestIndexTest, AnIdThatSomebodyHasPutFarAwayIsReachedWithoutCountingUpToIt) {
  attempts_up_to(2 * k_segment);
  constexpr std::int64_t k_greatest = std::numeric_limits<std::int64_t>::max() - 1;
  for (const std::int64_t attempt : {k_greatest / 2, k_greatest}) {
    database_.execute(
        "INSERT INTO attempt (attempt_id, item_id, invocation_id, attempt_number, stage,"
        " intent_utc_ms) VALUES (" +
        std::to_string(attempt) + ", 2, 1, " + (attempt == k_greatest ? "3" : "2") +
        ", 1, 1);"
        "INSERT INTO outcome (attempt_id, outcome, scope, request_id, finished_utc_ms) VALUES (" +
        std::to_string(attempt) + ", 'throttled', 'run', 'F" + std::to_string(attempt) + "', 9)");
  }
  extend(k_greatest);
  // One with outcomes far away, and the last.
  EXPECT_EQ(database_.query_integer("SELECT count(DISTINCT segment) FROM request_index"), 4);
  for (const std::int64_t attempt : {k_greatest / 2, k_greatest}) {
    EXPECT_THAT(found("F" + std::to_string(attempt)), ElementsAre(attempt));
  }
  EXPECT_THAT(found("T1"), ElementsAre(1));
  EXPECT_THAT(found("T" + std::to_string(2 * k_segment)), ElementsAre(2 * k_segment));
  EXPECT_THAT(derived_differences(database_),
              ::testing::Each(::testing::Not(::testing::HasSubstr("request_index"))));
  // Nothing is left to do.
  extend(k_greatest);
  EXPECT_EQ(database_.query_integer("SELECT count(DISTINCT segment) FROM request_index"), 4);
}

TEST_F(RequestIndexTest, ATableThatLiesDoesNotHideWhatIsOnRecord) {
  attempts_up_to(k_segment + 10);
  extend(k_segment + 10);
  remove_entry("T7");
  EXPECT_THAT(found("T7"), IsEmpty());
  EXPECT_THAT(logged("T7"), ElementsAre(7));
  // It says that there were more segments than there can be.
  database_.execute("INSERT INTO request_index VALUES (9223372036854775806, x'0102')");
  EXPECT_THAT(logged("T" + std::to_string(k_segment + 9)), ElementsAre(k_segment + 9));
  EXPECT_THAT(derived_differences(database_),
              ::testing::Contains("attempt 7 is not found through request_index"));
  attempts_up_to(2 * k_segment);
  extend(2 * k_segment);
  database_.execute("DELETE FROM request_index WHERE segment = 0");
  EXPECT_THAT(derived_differences(database_),
              ::testing::Contains("attempt 1 is not found through request_index"));
  database_.execute("DROP TABLE request_index");
  EXPECT_EQ(attempts_by_request(database_, "T7"), std::nullopt);
  EXPECT_THAT(logged("T7"), ElementsAre(7));
  // As an earlier version has made it, and an archive keeps it.
  database_.execute(
      "CREATE TABLE request_index (segment INTEGER NOT NULL, key INTEGER NOT NULL,"
      " attempt_id INTEGER NOT NULL, PRIMARY KEY (segment, key, attempt_id)) WITHOUT ROWID");
  EXPECT_EQ(attempts_by_request(database_, "T7"), std::nullopt);
  EXPECT_THAT(logged("T7"), ElementsAre(7));
}

TEST_F(RequestIndexTest, ARowInBetweenThatEndsASearchIsADifference) {
  attempts_up_to(k_segment);
  extend(k_segment);
  EXPECT_THAT(found("T7"), ElementsAre(7));
  // A row that begins just before the key, and has the key with another attempt.
  std::string row = key_of("T7") + std::string("\0\0", 2);
  --row[7];
  row += key_of("T7") + std::string("\0\1", 2);
  Statement insert = database_.prepare("INSERT INTO request_index VALUES (0, ?1)");
  insert.bind_blob(1, row).run();
  EXPECT_THAT(logged("T7"), IsEmpty()) << "the search no longer ends there: another test is needed";
  EXPECT_THAT(derived_differences(database_),
              ::testing::Contains(::testing::HasSubstr("is not found through request_index")));
}

TEST(RequestKeyTest, IsFnv1a) {
  // Vectors of draft-eastlake-fnv: "", "a", "foobar".
  EXPECT_EQ(request_key(""), 0xcbf29ce484222325);
  EXPECT_EQ(request_key("a"), 0xaf63dc4c8601ec8c);
  EXPECT_EQ(request_key("foobar"), 0x85944171f73967e8);
}

}  // namespace
}  // namespace diskrelease
