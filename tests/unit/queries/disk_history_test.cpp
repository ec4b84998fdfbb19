#include "queries/disk_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/run_record.h"
#include "record/audit_file.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Database new_database(const TemporaryDirectory& directory) {
  create_audit_database(directory / "audit.db");
  return open_audit_for_writing(directory / "audit.db");
}

TEST(DiskHistoryTest, TellsAllThatIsOnRecordAboutADiskAndNothingOfOthers) {
  const TemporaryDirectory directory;
  Database database = new_database(directory);
  const RunRecord first = enrol(database, {"other", "disk"});
  const InvocationId invocation = begin_test_invocation(database, first.id);
  // In rows as the program writes them, at times that can be told apart.
  database.execute(
      "INSERT INTO duplicate_line VALUES (1, 9, 'disk'), (1, 10, 'other');"
      "INSERT INTO disk_read (invocation_id, purpose, disk_count, result, request_id, sent_utc_ms,"
      " finished_utc_ms) VALUES (1, 'preflight', 2, 'complete', 'read-1', 1795000000001,"
      " 1795000000002);"
      "INSERT INTO observation (read_id, item_id, status, disk_name, size_gb) VALUES"
      " (1, 2, 'AVAILABLE', 'data', 30), (1, 1, 'IN_USE', NULL, NULL);"
      "INSERT INTO attempt (item_id, invocation_id, attempt_number, stage, intent_utc_ms,"
      " observation_id) VALUES (2, 1, 1, 1, 1795000000003, 1);"
      "INSERT INTO outcome (attempt_id, outcome, scope, http_status, message, finished_utc_ms)"
      " VALUES (1, 'unknown', 'disk', 502, 'bad gateway', 1795000000004);"
      "INSERT INTO disk_read (invocation_id, purpose, disk_count, result, request_id, sent_utc_ms,"
      " finished_utc_ms) VALUES (1, 'settle', 1, 'complete', 'read-2', 1795000000005,"
      " 1795000000006);"
      "INSERT INTO observation (read_id, item_id, status, instance_id) VALUES"
      " (2, 2, 'RECYCLED', 'vm-1');"
      "INSERT INTO verdict (attempt_id, invocation_id, settled, reason, observation_id, detail,"
      " decided_utc_ms) VALUES (1, 1, 'executed', 'left', 3, 'RECYCLED', 1795000000007);");
  const RunRecord second = enrol(database, {"disk"});
  database.execute(
      "INSERT INTO decision (run_id, invocation_id, item_id, kind, reason, detail, decided_utc_ms)"
      " VALUES (2, 1, 3, 'skip', 'released_before', 'run 1', 1795000000008)");

  const DiskHistory history = read_disk_history(database, "disk");
  std::vector<std::string> events;
  for (const DiskEvent& event : history.events) {
    events.push_back(std::to_string(event.run_id) + ' ' + event.kind + '|' + event.what + '|' +
                     event.code + '|' + event.request_id + '|' + event.detail + '|' +
                     std::to_string(event.attempt_number.value_or(0)));
  }
  EXPECT_THAT(events,
              ElementsAre("1 listed|list.txt|||line 2|0", "2 listed|list.txt|||line 1|0",
                          "1 listed_again|list.txt|||line 9|0",
                          "1 observed|AVAILABLE||read-1|preflight, data, 30 GB|0",
                          "1 attempted|release||||1", "1 answered|unknown|HTTP 502||bad gateway|1",
                          "1 observed|RECYCLED||read-2|settle, attached to vm-1|0",
                          "1 settled|executed|left||RECYCLED|1",
                          "2 decided|skip|released_before||run 1|0"));
  EXPECT_EQ(history.events.at(3).invocation_id, invocation.value);
  EXPECT_FALSE(history.events.at(3).user.empty());
  EXPECT_TRUE(history.events.at(0).user.empty());
  ASSERT_EQ(history.items.size(), 2U);
  EXPECT_EQ(history.items.at(0).state, "released");
  EXPECT_EQ(history.items.at(0).last_status, "RECYCLED");
  EXPECT_EQ(history.items.at(1).state, "skipped");
  EXPECT_EQ(history.items.at(1).run_id, second.id.value);
}

TEST(DiskHistoryTest, IsEmptyForADiskThatWasNeverListed) {
  const TemporaryDirectory directory;
  Database database = new_database(directory);
  enrol(database, {"disk"});
  const DiskHistory history = read_disk_history(database, "dis");
  EXPECT_THAT(history.events, IsEmpty());
  EXPECT_THAT(history.items, IsEmpty());
}

}  // namespace
}  // namespace diskrelease
