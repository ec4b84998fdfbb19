#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

#include "record/audit_file.h"
#include "sandbox/sandbox.h"
#include "support/child_process.h"
#include "support/places.h"
#include "support/record_check.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Processes of the real program, each with an audit database of its own, over one list and one
/// account, whose ledger is the independent truth.
class TwoDatabasesTest : public ::testing::Test {
 protected:
  void serve(const std::string& scenario) {
    sandbox::SandboxOptions options;
    sandbox::ScenarioFile file = sandbox::parse_scenario(scenario, "test");
    ASSERT_THAT(file.problems, IsEmpty());
    options.scenario = std::move(file.scenario);
    options.ca_file = path("ca.pem");
    server_.emplace(options);
    environment_["ZENLAYER_ACCESS_KEY_ID"] = server_->credentials().key_id;
    environment_["ZENLAYER_ACCESS_KEY_SECRET"] = server_->credentials().key_secret;
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    return (directory_.path() / name).string();
  }

  [[nodiscard]] std::string list_of(int count) const {
    std::ofstream out(path("list.txt"));
    for (int i = 0; i < count; ++i)
      out << 9900000000000000000ull + static_cast<unsigned>(i) << '\n';
    return path("list.txt");
  }

  [[nodiscard]] std::unique_ptr<ChildProcess> start(const std::string& database,
                                                    std::vector<std::string> words) const {
    words.insert(words.begin(), built_program());
    for (const std::string& word :
         {std::string("--db"), path(database), std::string("--endpoint"), server_->endpoint(),
          std::string("--ca-file"), path("ca.pem"), std::string("--settle-window"),
          std::string("2s"), std::string("--settle-poll"), std::string("50ms")}) {
      words.push_back(word);
    }
    return std::make_unique<ChildProcess>(std::move(words), environment_, directory_.path());
  }

  [[nodiscard]] std::unique_ptr<ChildProcess> start_run(const std::string& database,
                                                        const std::string& list,
                                                        std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"run", list, "--yes", "--max-disks", "1000"};
    words.insert(words.end(), more.begin(), more.end());
    return start(database, std::move(words));
  }

  [[nodiscard]] ChildResult run(const std::string& database, const std::string& list,
                                std::vector<std::string> more = {}) const {
    return start_run(database, list, std::move(more))->wait();
  }

  [[nodiscard]] std::int64_t query(const std::string& database, const std::string& sql) const {
    Database audit = open_audit_for_reading(path(database));
    return audit.query_integer(sql);
  }

  [[nodiscard]] std::int64_t items(const std::string& database, const std::string& state,
                                   const std::string& reason = {}) const {
    return query(database, "SELECT count(*) FROM item_state WHERE state = '" + state + "'" +
                               (reason.empty() ? "" : " AND decision_reason = '" + reason + "'"));
  }

  [[nodiscard]] std::size_t releases() const {
    const std::vector<sandbox::LedgerEntry> ledger = server_->ledger();
    return static_cast<std::size_t>(
        std::ranges::count(ledger, "ReleaseDisk", &sandbox::LedgerEntry::action));
  }

  void await_releases(std::size_t count) const {
    for (int i = 0; i < 10'000 && releases() < count; ++i) ::poll(nullptr, 0, 2);
    ASSERT_GE(releases(), count);
  }

  void expect_each_released_once(int disks) const {
    EXPECT_EQ(server_->stats().accepted_releases, static_cast<std::uint64_t>(disks));
    EXPECT_EQ(server_->stats().released_twice, 0U);
    EXPECT_EQ(server_->stats().disks_absent, 0U);
  }

  /// So many processes over one list, each so much later than the one before.
  void work_together(int processes, int disks, int stagger_ms, const std::string& scenario,
                     const std::string& rate) {
    SCOPED_TRACE(std::to_string(processes) + " processes, " + std::to_string(stagger_ms) +
                 " ms apart, at " + rate + ", " + scenario);
    serve(scenario);
    for (int i = 0; i < processes; ++i) std::filesystem::remove_all(path(std::to_string(i)));
    const std::string list = list_of(disks);
    std::vector<std::unique_ptr<ChildProcess>> children;
    for (int i = 0; i < processes; ++i) {
      const std::string folder = std::to_string(i);
      std::filesystem::create_directory(path(folder));
      // The limiter's pace would keep them apart, too.
      environment_["XDG_STATE_HOME"] = path(folder);
      children.push_back(start_run(folder + "/a.db", list, {"--rate", rate, "--in-flight", "16"}));
      if (i + 1 < processes) ::poll(nullptr, 0, stagger_ms);
    }
    for (const auto& child : children) {
      const ChildResult result = child->wait();
      EXPECT_EQ(result.exit_code, 0) << result.error << result.out;
    }
    expect_each_released_once(disks);
    std::int64_t released = 0;
    for (int i = 0; i < processes; ++i) {
      const std::string database = std::to_string(i) + "/a.db";
      released += items(database, "released");
      // A disk that is in the bin already is seen there before it is claimed.
      EXPECT_EQ(items(database, "released") + items(database, "skipped", "claimed_elsewhere"),
                disks);
      EXPECT_THAT(record_problems_in(path(database)), IsEmpty());
    }
    EXPECT_EQ(released, disks);
  }

  TemporaryDirectory directory_;
  std::map<std::string, std::string> environment_{
      {"HOME", directory_.path().string()},
      {"DISKRELEASE_CLAIMS_DIR", (directory_ / "claims").string()}};
  std::optional<sandbox::Sandbox> server_;
};

TEST_F(TwoDatabasesTest, OneListInTwoDatabasesIsReleasedOnceWhateverTheStagger) {
  for (const int stagger_ms : {0, 150, 700}) {
    work_together(2, 150, stagger_ms, R"({"delays": {"recycling_ms": 100}})", "100");
  }
}

TEST_F(TwoDatabasesTest, FourProcessesAtAnyRateAndLatencyReleaseEachDiskOnce) {
  work_together(4, 400, 50, "{}", "unlimited");
  work_together(4, 120, 100, R"({"latency": {"uniform": {"from_ms": 0, "to_ms": 500}}})", "200");
  work_together(3, 20, 300, R"({"latency": {"fixed_ms": 200}, "delays": {"leave_ms": 500}})", "10");
}

TEST_F(TwoDatabasesTest, TellsWhoElseIsAtWork) {
  serve(R"({"latency": {"fixed_ms": 100}})");
  const std::string list = list_of(60);
  const auto one = start_run("one.db", list, {"--rate", "20"});
  await_releases(2);
  const ChildResult two = run("two.db", list, {"--rate", "20"});
  EXPECT_EQ(two.exit_code, 0) << two.error;
  EXPECT_EQ(items("two.db", "skipped", "claimed_elsewhere"), 60);
  EXPECT_THAT(two.error, AllOf(HasSubstr("note: at work on this account, its disks are skipped: "
                                         "database " +
                                         path("one.db") + ", run 1, "),
                               HasSubstr("note: 60 disks were skipped for database " +
                                         path("one.db") + ", run 1, "),
                               HasSubstr("pid " + std::to_string(one->pid()))));
  EXPECT_THAT(two.out, HasSubstr("another audit database has released the disk"));
  const ChildResult status = ChildProcess({built_program(), "status", "--db", path("two.db")},
                                          environment_, directory_.path())
                                 .wait();
  EXPECT_THAT(status.out,
              HasSubstr("other databases at work on this account:\n  database " + path("one.db")));
  EXPECT_EQ(one->wait().exit_code, 0);
  const ChildResult afterwards = ChildProcess({built_program(), "status", "--db", path("two.db")},
                                              environment_, directory_.path())
                                     .wait();
  EXPECT_THAT(afterwards.out, Not(HasSubstr("other databases")));
  expect_each_released_once(60);
}

TEST_F(TwoDatabasesTest, WhatAKilledRunLeftIsItsOwnUntilItIsResumed) {
  serve(R"({"latency": {"fixed_ms": 20}})");
  const std::string list = list_of(60);
  const auto one = start_run("one.db", list, {"--rate", "20"});
  await_releases(10);
  one->send_signal(SIGKILL);
  static_cast<void>(one->wait());
  const std::size_t before = releases();
  const ChildResult two = run("two.db", list, {"--rate", "200"});
  EXPECT_EQ(two.exit_code, 4) << two.error;
  EXPECT_EQ(releases(), before);
  const std::int64_t left = items("two.db", "skipped", "unsettled_elsewhere");
  EXPECT_GE(left, 40);
  EXPECT_EQ(left + items("two.db", "skipped", "claimed_elsewhere"), 60);
  EXPECT_EQ(query("two.db",
                  "SELECT count(*) FROM decision WHERE reason = 'unsettled_elsewhere' AND detail "
                  "LIKE '%; diskrelease resume 1 --db " +
                      path("one.db") + "'"),
            left);
  const ChildResult resumed = start("one.db", {"resume", "--rate", "200"})->wait();
  EXPECT_EQ(resumed.exit_code, 0) << resumed.error;
  const ChildResult again = run("two.db", list, {"--rate", "200"});
  EXPECT_EQ(again.exit_code, 0) << again.error;
  expect_each_released_once(60);
}

TEST_F(TwoDatabasesTest, AStoppedRunGivesBackWhatItHasNotSent) {
  serve(R"({"latency": {"fixed_ms": 20}})");
  const std::string list = list_of(60);
  const auto one = start_run("one.db", list, {"--rate", "20"});
  await_releases(5);
  one->send_signal(SIGTERM);
  EXPECT_EQ(one->wait().exit_code, 6);
  const ChildResult two = run("two.db", list, {"--rate", "200"});
  EXPECT_EQ(two.exit_code, 0) << two.error;
  EXPECT_EQ(items("one.db", "released") + items("two.db", "released"), 60);
  EXPECT_EQ(items("two.db", "skipped", "claimed_elsewhere"), items("one.db", "released"));
  // What the other has done meanwhile is not done again.
  const ChildResult resumed = start("one.db", {"resume", "--rate", "200"})->wait();
  EXPECT_EQ(resumed.exit_code, 0) << resumed.error;
  expect_each_released_once(60);
}

TEST_F(TwoDatabasesTest, WhatIsUnknownInOneIsNotSentByTheOther) {
  serve(
      R"({"faults": [{"match": {"action": "ReleaseDisk", "first": 3},
                      "fault": {"kind": "drop_before_executing"}}]})");
  const std::string list = list_of(3);
  EXPECT_EQ(run("one.db", list).exit_code, 4);
  ASSERT_EQ(items("one.db", "unknown"), 3);
  EXPECT_EQ(run("two.db", list).exit_code, 4);
  EXPECT_EQ(items("two.db", "skipped", "unsettled_elsewhere"), 3);
  // A person's word frees them.
  std::vector<std::string> mark{built_program(), "settle", "1", "--db", path("one.db")};
  for (int i = 0; i < 3; ++i) {
    mark.insert(mark.end(), {"--mark", "990000000000000000" + std::to_string(i) + "=not-released"});
  }
  mark.insert(mark.end(), {"--reason", "looked in the console"});
  ChildProcess marking(mark, environment_, directory_.path());
  EXPECT_EQ(marking.wait().exit_code, 6);
  EXPECT_EQ(run("two.db", list).exit_code, 0);
  EXPECT_EQ(items("two.db", "released"), 3);
  expect_each_released_once(3);
}

TEST_F(TwoDatabasesTest, ACopyOfADatabaseAtWorkIsTurnedAway) {
  serve(R"({"latency": {"fixed_ms": 50}})");
  const std::string list = list_of(40);
  const auto one = start_run("one.db", list, {"--rate", "20"});
  await_releases(2);
  {
    Database database = open_audit_for_reading(path("one.db"));
    std::ofstream(path("copy.db"));
    copy_database(database, path("copy.db"));
  }
  const ChildResult told = start("copy.db", {"resume", "--rate", "200"})->wait();
  EXPECT_EQ(told.exit_code, 10) << told.error;
  EXPECT_THAT(told.error, HasSubstr("is a copy of " + path("one.db")));
  // Where the register of databases does not know it, as another user's, its claims do.
  environment_["XDG_STATE_HOME"] = path("state of another user");
  const ChildResult copy = start("copy.db", {"resume", "--rate", "200"})->wait();
  EXPECT_EQ(copy.exit_code, 8) << copy.error;
  EXPECT_THAT(copy.error, HasSubstr("a copy of it"));
  EXPECT_EQ(one->wait().exit_code, 0);
  // Now it is an older copy, and nobody is at work.
  const ChildResult later = start("copy.db", {"resume", "--rate", "200"})->wait();
  EXPECT_EQ(later.exit_code, 4) << later.error << later.out;
  EXPECT_GT(items("copy.db", "skipped", "unsettled_elsewhere"), 0);
  expect_each_released_once(40);
}

TEST_F(TwoDatabasesTest, AClaimsStoreThatIsLostMakesAWarningAndShortLooks) {
  serve("{}");
  const std::string list = list_of(2);
  const ChildResult first = run("one.db", list, {"--rate", "200"});
  EXPECT_EQ(first.exit_code, 0);
  EXPECT_THAT(first.error, Not(HasSubstr("warning"))) << "the first use is no loss";
  std::filesystem::remove_all(directory_ / "claims");
  std::ofstream(path("more.txt")) << "9900000000000000100\n";
  const ChildResult second = run("one.db", path("more.txt"), {"--rate", "200"});
  EXPECT_EQ(second.exit_code, 0);
  EXPECT_THAT(second.error, AllOf(HasSubstr("warning: claims may be missing: "),
                                  HasSubstr("disks are looked at 2 s before each call until")));
  EXPECT_EQ(query("one.db", "SELECT count(*) FROM decision WHERE reason = 'claims_not_trusted'"),
            1);
}

TEST_F(TwoDatabasesTest, AClaimsStoreThatCannotBeUsedMakesAWarning) {
  serve("{}");
  std::filesystem::create_directory(directory_ / "claims");
  std::ofstream(directory_ / "claims" / "claims.db") << std::string(4'096, 'x');
  const ChildResult result = run("one.db", list_of(2), {"--rate", "200"});
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_THAT(result.error, AllOf(HasSubstr("warning: claims store " + path("claims/claims.db")),
                                  HasSubstr("2 s before each call in this run")));
  EXPECT_EQ(items("one.db", "released"), 2);
}

TEST_F(TwoDatabasesTest, TheSimulatorInsideTheProcessClaimsNothing) {
  const ChildResult result =
      ChildProcess({built_program(), "run", list_of(2), "--sandbox", "--yes", "--max-disks", "2",
                    "--settle-window", "1s", "--settle-poll", "50ms", "--db", path("sandbox.db")},
                   environment_, directory_.path())
          .wait();
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_FALSE(std::filesystem::exists(directory_ / "claims"));
}

}  // namespace
}  // namespace diskrelease
