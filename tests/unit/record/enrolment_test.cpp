#include "record/enrolment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/sha256.h"
#include "queries/find_run.h"
#include "queries/run_queries.h"
#include "record/audit_file.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class EnrolmentTest : public ::testing::Test {
 protected:
  void SetUp() override { create_audit_database(directory_ / "audit.db"); }

  std::vector<std::string> disks_of(const RunRecord& run) {
    Database reader = open_audit_for_reading(directory_ / "audit.db");
    std::vector<std::string> disks;
    read_items(reader, run, std::nullopt, [&](const ItemRow& row) {
      disks.push_back(row.disk_id + "@" + std::to_string(row.source_line));
      return true;
    });
    return disks;
  }

  TemporaryDirectory directory_;
};

std::string digest_of(const std::string& text) {
  Sha256 digest;
  digest.update(text);
  return digest.finish_hex();
}

TEST_F(EnrolmentTest, KeepsTheListsOrderAndCountsRepeatedLines) {
  Database database = open_audit_for_writing(directory_ / "audit.db");
  Enrolment enrolment(database);
  const std::vector<std::string> list{"zebra", "apple", "zebra", "mango", "apple", "zebra"};
  std::int64_t line = 1;
  for (const std::string& disk : list) enrolment.add({disk_id(disk), ++line});

  const Enrolment::Staged staged = enrolment.finish();
  EXPECT_EQ(staged.items, 3);
  EXPECT_EQ(staged.duplicates, 3);
  EXPECT_EQ(staged.sha256, digest_of("zebra\napple\nmango\n"));
  ASSERT_THAT(staged.first_duplicates, SizeIs(3));
  for (const Enrolment::Duplicate& duplicate : staged.first_duplicates) {
    EXPECT_EQ(duplicate.first_line, duplicate.disk_id == "zebra" ? 2 : 3);
    EXPECT_EQ(list.at(static_cast<std::size_t>(duplicate.line - 2)), duplicate.disk_id);
    EXPECT_GT(duplicate.line, duplicate.first_line);
  }

  const RunRecord run = enrolment.commit(test_description(), k_test_time);
  EXPECT_EQ(run.item_count, 3);
  EXPECT_EQ(run.duplicate_count, 3);
  EXPECT_THAT(disks_of(run), ElementsAre("zebra@2", "apple@3", "mango@5"));
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM duplicate_line"), 3);
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM disk_item"), 3);
}

TEST_F(EnrolmentTest, TheDigestDependsOnOrderAndNotOnDuplicates) {
  Database database = open_audit_for_writing(directory_ / "audit.db");
  const RunRecord one = enrol(database, {"a", "b"});
  EXPECT_EQ(enrol(database, {"a", "b", "a"}).list_sha256, one.list_sha256);
  EXPECT_NE(enrol(database, {"b", "a"}).list_sha256, one.list_sha256);
  EXPECT_NE(enrol(database, {"ab"}).list_sha256, one.list_sha256);
}

TEST_F(EnrolmentTest, GivesEveryRunItsOwnRangeOfItems) {
  Database database = open_audit_for_writing(directory_ / "audit.db");
  const RunRecord first = enrol(database, {"a", "b", "c"});
  const RunRecord second = enrol(database, {"c", "d"});
  EXPECT_EQ(first.first_item.value, 1);
  EXPECT_EQ(second.first_item.value, 4);
  EXPECT_NE(first.id, second.id);
  EXPECT_THAT(disks_of(first), ElementsAre("a@1", "b@2", "c@3"));
  EXPECT_THAT(disks_of(second), ElementsAre("c@1", "d@2"));
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM disk_item WHERE disk_id = 'c'"), 2);
  EXPECT_EQ(count_states(database, first)[ItemState::pending], 3);
  EXPECT_EQ(count_states(database, second)[ItemState::pending], 2);
}

TEST_F(EnrolmentTest, LeavesNothingBehindWithoutACommit) {
  Database database = open_audit_for_writing(directory_ / "audit.db");
  {
    Enrolment enrolment(database);
    enrolment.add({disk_id("a"), 1});
  }
  {
    Enrolment enrolment(database);
    enrolment.add({disk_id("a"), 1});
    EXPECT_EQ(enrolment.finish().items, 1);
  }
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM run"), 0);
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM item"), 0);
  EXPECT_EQ(enrol(database, {"b"}).first_item.value, 1);
}

TEST_F(EnrolmentTest, CountsAnEmptyListAsEmpty) {
  Database database = open_audit_for_writing(directory_ / "audit.db");
  Enrolment enrolment(database);
  const Enrolment::Staged staged = enrolment.finish();
  EXPECT_EQ(staged.items, 0);
  EXPECT_EQ(staged.duplicates, 0);
  EXPECT_EQ(staged.sha256, digest_of(""));
  EXPECT_THAT(staged.first_duplicates, IsEmpty());
}

TEST_F(EnrolmentTest, ShowsNoMoreThanTwentyDuplicates) {
  Database database = open_audit_for_writing(directory_ / "audit.db");
  Enrolment enrolment(database);
  for (int line = 1; line <= 22; ++line) enrolment.add({disk_id("same"), line});
  const Enrolment::Staged staged = enrolment.finish();
  EXPECT_EQ(staged.duplicates, 21);
  EXPECT_THAT(staged.first_duplicates, SizeIs(20));
}

TEST_F(EnrolmentTest, ShowsTheFirstDuplicatesOfTheListWhateverTheirNames) {
  Database database = open_audit_for_writing(directory_ / "audit.db");
  Enrolment enrolment(database);
  // The later in the list, the earlier in the order of names: "99" .. "75", then again.
  for (int line = 1; line <= 50; ++line) {
    enrolment.add({disk_id(std::to_string(99 - (line - 1) % 25)), line});
  }
  const Enrolment::Staged staged = enrolment.finish();
  EXPECT_EQ(staged.duplicates, 25);
  ASSERT_THAT(staged.first_duplicates, SizeIs(20));
  for (int i = 0; i < 20; ++i) {
    const Enrolment::Duplicate& duplicate = staged.first_duplicates.at(static_cast<std::size_t>(i));
    EXPECT_EQ(duplicate.line, 26 + i);
    EXPECT_EQ(duplicate.first_line, 1 + i);
    EXPECT_EQ(duplicate.disk_id, std::to_string(99 - i));
  }
}

TEST_F(EnrolmentTest, ARunIsReadBackAsItWasWritten) {
  Database database = open_audit_for_writing(directory_ / "audit.db");
  const RunDescription description{.name = "nightly",
                                   .goal = Goal::purge,
                                   .endpoint = "host:1",
                                   .sandbox = true,
                                   .list_source = "-",
                                   .list_format = "csv",
                                   .settings_json = R"({"a":1})",
                                   .random_seed = -5};
  const RunRecord made = enrol(database, {"a", "b"}, description);
  const std::optional<RunRecord> read = find_run(database, made.id);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, made.id);
  EXPECT_EQ(read->description.name, "nightly");
  EXPECT_EQ(read->description.goal, Goal::purge);
  EXPECT_EQ(read->description.endpoint, "host:1");
  EXPECT_TRUE(read->description.sandbox);
  EXPECT_EQ(read->description.list_source, "-");
  EXPECT_EQ(read->description.list_format, "csv");
  EXPECT_EQ(read->description.settings_json, R"({"a":1})");
  EXPECT_EQ(read->description.random_seed, -5);
  EXPECT_EQ(read->list_sha256, made.list_sha256);
  EXPECT_EQ(read->first_item, made.first_item);
  EXPECT_EQ(read->item_count, 2);
  EXPECT_EQ(read->duplicate_count, 0);
  EXPECT_EQ(read->created, k_test_time);
  EXPECT_FALSE(find_run(database, RunId{made.id.value + 1}));
  EXPECT_EQ(is_sandbox_database(database), true);
}

}  // namespace
}  // namespace diskrelease
