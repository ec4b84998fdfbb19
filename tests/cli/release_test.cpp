#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "queries/log_query.h"
#include "queries/run_queries.h"
#include "record/audit_file.h"
#include "sandbox/sandbox.h"
#include "support/child_process.h"
#include "support/places.h"
#include "support/record_check.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// The real binary in a child process against the simulator in this one, whose ledger is the
/// independent truth.
class ReleaseTest : public ::testing::Test {
 protected:
  void serve(const std::string& scenario) {
    sandbox::SandboxOptions options;
    sandbox::ScenarioFile file = sandbox::parse_scenario(scenario, "test");
    ASSERT_THAT(file.problems, ::testing::IsEmpty());
    options.scenario = std::move(file.scenario);
    options.ca_file = path("ca.pem");
    server_.emplace(options);
    environment_["ZENLAYER_ACCESS_KEY_ID"] = server_->credentials().key_id;
    environment_["ZENLAYER_ACCESS_KEY_SECRET"] = server_->credentials().key_secret;
  }

  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  std::string write_list(int count) {
    std::ofstream out(path("list.txt"));
    for (int i = 0; i < count; ++i)
      out << 9900000000000000000ull + static_cast<unsigned>(i) << '\n';
    return path("list.txt");
  }

  std::vector<std::string> command(std::vector<std::string> words) const {
    words.insert(words.begin(), built_program());
    return words;
  }

  std::vector<std::string> calling(std::vector<std::string> words) const {
    const auto has = [&](const std::string& flag) {
      return std::ranges::find(words, flag) != words.end();
    };
    if (!has("--settle-window") && !has("--mark")) {
      words.insert(words.end(), {"--settle-window", "400ms", "--settle-poll", "50ms"});
    }
    for (const std::string& word :
         {std::string("--db"), path("a.db"), std::string("--endpoint"), server_->endpoint(),
          std::string("--ca-file"), path("ca.pem")}) {
      words.push_back(word);
    }
    return command(std::move(words));
  }

  ChildResult run(std::vector<std::string> words) {
    ChildProcess child(std::move(words), environment_, directory_.path());
    return child.wait();
  }

  std::int64_t query(const std::string& sql) {
    Database database = open_audit_for_reading(path("a.db"));
    return database.query_integer(sql);
  }

  std::vector<std::string> disks_in(const std::string& state) {
    Database database = open_audit_for_reading(path("a.db"));
    Statement select =
        database.prepare("SELECT disk_id FROM item_state WHERE state = ?1 ORDER BY item_id");
    select.bind(1, state);
    std::vector<std::string> disks;
    while (select.step()) disks.emplace_back(select.text(0));
    return disks;
  }

  std::map<std::int64_t, std::string> outcomes() {
    std::map<std::int64_t, std::string> found;
    Database database = open_audit_for_reading(path("a.db"));
    Statement select = database.prepare("SELECT attempt_id, outcome FROM outcome");
    while (select.step()) found[select.integer(0)] = select.text(1);
    return found;
  }

  /// ReleaseDisk requests that the simulator has seen.
  std::size_t releases() const {
    const std::vector<sandbox::LedgerEntry> ledger = server_->ledger();
    return static_cast<std::size_t>(
        std::ranges::count(ledger, "ReleaseDisk", &sandbox::LedgerEntry::action));
  }

  /// Waits, at most 20 s, until the simulator has seen so many requests, or ReleaseDisk requests.
  void await_requests(std::size_t count) const {
    for (int i = 0; i < 10'000 && server_->ledger().size() < count; ++i) ::poll(nullptr, 0, 2);
    ASSERT_GE(server_->ledger().size(), count);
  }
  void await_releases(std::size_t count) const {
    for (int i = 0; i < 10'000 && releases() < count; ++i) ::poll(nullptr, 0, 2);
    ASSERT_GE(releases(), count);
  }

  /// No disk accepted twice; each accepted request id is in the database as accepted for the same
  /// disk, or its disk is unknown there; no accepted row that the simulator does not know.
  void expect_books_agree() {
    std::map<std::string, std::string> executed;
    std::map<std::string, int> accepted_per_disk;
    for (const sandbox::LedgerEntry& entry : server_->ledger()) {
      if (entry.action != "ReleaseDisk" || !entry.executed) continue;
      executed[entry.request_id] = entry.disk_ids.at(0);
      ++accepted_per_disk[entry.disk_ids.at(0)];
    }
    for (const auto& [disk, times] : accepted_per_disk) EXPECT_EQ(times, 1) << disk;
    Database database = open_audit_for_reading(path("a.db"));
    std::set<std::string> known;
    Statement select = database.prepare(
        "SELECT disk_id, outcome, request_id FROM attempt_log WHERE outcome IN ('accepted',"
        " 'unknown')");
    while (select.step()) {
      known.insert(std::string(select.text(0)));
      if (select.text(1) == "accepted") {
        EXPECT_EQ(executed[std::string(select.text(2))], select.text(0));
      }
    }
    for (const auto& [request, disk] : executed) EXPECT_TRUE(known.contains(disk)) << request;
    EXPECT_EQ(query("SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
  }

  TemporaryDirectory directory_;
  std::map<std::string, std::string> environment_{{"HOME", directory_.path().string()},
                                                  {"PATH", "/usr/bin:/bin"}};
  std::optional<sandbox::Sandbox> server_;
};

TEST_F(ReleaseTest, MixedDisksEndAsTheyDeserveAndTheBooksAgree) {
  serve(R"({"unknown_disks": {"in_use": 0.1, "not_found": 0.1, "not_portable": 0.1}})");
  const ChildResult result =
      run(calling({"run", write_list(300), "--rate", "unlimited", "--in-flight", "8", "--yes",
                   "--max-disks", "300", "--json"}));
  EXPECT_EQ(result.exit_code, 3) << result.error;
  EXPECT_THAT(result.out, HasSubstr(R"("listed":300)"));
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state IN ('released', 'rejected')"), 300);
  EXPECT_EQ(query("SELECT count(*) FROM attempt_log WHERE outcome = 'accepted'"),
            static_cast<std::int64_t>(server_->stats().accepted_releases));
  // Refusals too carry the request ids of the ledger.
  std::map<std::string, std::string> ledger;
  for (const sandbox::LedgerEntry& entry : server_->ledger()) {
    if (entry.action == "ReleaseDisk") ledger[entry.request_id] = entry.disk_ids.at(0);
  }
  Database database = open_audit_for_reading(path("a.db"));
  read_log(database, {}, [&](const LogRow& row) {
    EXPECT_EQ(ledger[row.request_id], row.disk_id);
    return true;
  });
  expect_books_agree();
}

/// Runs that are killed again and again, each in a database of its own.
class KillTest : public ReleaseTest, public ::testing::WithParamInterface<int> {
 public:
  static constexpr int k_shards = 2;

 protected:
  /// One run: started, killed `kills` times at random moments, then resumed to its end.
  void live_through(int kills, bool faults, std::mt19937& random) {
    for (const char* file : {"a.db", "a.db-wal", "a.db-shm", "a.db.anchors"})
      std::filesystem::remove(path(file));
    serve(faults ? k_faults : k_no_faults);
    const int disks = 40 * kills;
    const std::vector<std::string> flags{"--rate",
                                         "unlimited",
                                         "--in-flight",
                                         "8",
                                         "--settle-window",
                                         "1s",
                                         "--timeout",
                                         "3s",
                                         "-q",
                                         "--settle-poll",
                                         "50ms",
                                         "--yes",
                                         "--max-disks",
                                         std::to_string(disks)};
    std::vector<std::string> words = with(flags, {"run", write_list(disks)});
    if (faults) words.emplace_back("--resend-unsettled");
    std::map<std::int64_t, std::string> recorded;
    for (int i = 0; i < kills; ++i) {
      ChildProcess child(calling(words), environment_, directory_.path());
      const std::size_t seen = server_->ledger().size();
      if (i == 0) await_requests(1);
      // A random number of requests later, or a random time later where nothing comes any more.
      const std::size_t target = seen + random() % 60;
      const auto patience = static_cast<int>(random() % 200);
      for (int wait = 0; wait < patience && server_->ledger().size() < target; ++wait) {
        ::poll(nullptr, 0, 1);
      }
      child.send_signal(SIGKILL);
      static_cast<void>(child.wait());
      EXPECT_THAT(record_problems_in(path("a.db")), ::testing::IsEmpty());
      const std::map<std::int64_t, std::string> now = outcomes();
      for (const auto& [attempt, outcome] : recorded) EXPECT_EQ(now.at(attempt), outcome);
      recorded = now;
      words = with(flags, {"resume"});
    }
    // A kill may have ended the run's last look, or nothing at all.
    ChildResult last;
    for (int i = 0; i < 10; ++i) {
      last = run(calling(words));
      if (last.exit_code == 0 || last.exit_code == 3) break;
    }
    EXPECT_THAT(last.exit_code, ::testing::AnyOf(0, 3, 4)) << last.error;
    expect_end(faults);
  }

  static std::vector<std::string> with(const std::vector<std::string>& flags,
                                       std::vector<std::string> words) {
    words.insert(words.end(), flags.begin(), flags.end());
    return words;
  }

  void expect_end(bool faults) {
    EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state = 'pending'"), 0);
    EXPECT_EQ(query("SELECT count(*) FROM attempt WHERE attempt_id NOT IN"
                    " (SELECT attempt_id FROM outcome)"),
              0);
    EXPECT_EQ(server_->stats().released_twice, 0u);
    EXPECT_EQ(server_->stats().disks_absent, 0u);
    expect_books_agree();
    std::map<std::string, int> requests;
    std::set<std::string> released_there;
    for (const sandbox::LedgerEntry& entry : server_->ledger()) {
      if (entry.action != "ReleaseDisk") continue;
      ++requests[entry.disk_ids.at(0)];
      if (entry.executed) released_there.insert(entry.disk_ids.at(0));
    }
    Database database = open_audit_for_reading(path("a.db"));
    Statement select = database.prepare("SELECT disk_id, state FROM item_state");
    while (select.step()) {
      const std::string disk(select.text(0));
      if (select.text(1) == "unknown") continue;
      EXPECT_EQ(select.text(1) == "released", released_there.contains(disk)) << disk;
    }
    // What is recorded as not sent has never come there.
    Statement sent = database.prepare(
        "SELECT disk_id, count(*) FROM attempt_log WHERE outcome <> 'not_sent' GROUP BY disk_id");
    std::map<std::string, int> may_have_left;
    while (sent.step()) {
      may_have_left[std::string(sent.text(0))] = static_cast<int>(sent.integer(1));
    }
    for (const auto& [disk, times] : requests) EXPECT_LE(times, may_have_left[disk]) << disk;
    if (faults) return;
    // Nothing is ever sent again here, since nothing is throttled and every connection works.
    for (const auto& [disk, times] : requests) EXPECT_EQ(times, 1) << disk;
  }

  static constexpr const char* k_no_faults = R"({
    "latency": {"uniform": {"from_ms": 1, "to_ms": 10}},
    "unknown_disks": {"in_use": 0.05}})";
  static constexpr const char* k_faults = R"({
    "delays": {"leave_ms": 20, "recycling_ms": 40}, "stale_read_ms": 40,
    "latency": {"uniform": {"from_ms": 1, "to_ms": 10}},
    "idle_close": {"after_ms": 30, "ending": "fin"},
    "unknown_disks": {"in_use": 0.05, "recycled": 0.03, "not_found": 0.02},
    "faults": [
      {"match": {"action": "ReleaseDisk", "probability": 0.03},
       "fault": {"kind": "close_after_executing", "ending": "rst"}},
      {"match": {"action": "ReleaseDisk", "probability": 0.03},
       "fault": {"kind": "drop_before_executing"}},
      {"match": {"action": "ReleaseDisk", "probability": 0.03},
       "fault": {"kind": "http_error", "status": 500, "executed": true}},
      {"match": {"action": "ReleaseDisk", "probability": 0.03},
       "fault": {"kind": "cut_body", "ending": "fin"}},
      {"match": {"action": "ReleaseDisk", "probability": 0.03},
       "fault": {"kind": "throttle", "retry_after_s": 0}},
      {"match": {"action": "DescribeDisks", "probability": 0.1},
       "fault": {"kind": "http_error", "status": 502, "body": "html"}}
    ]})";
};

/// DISKRELEASE_KILLS: how many, over all shards. DISKRELEASE_SEED: for the same moments again.
TEST_P(KillTest, RunsThatAreKilledAtRandomMomentsSendNothingTwiceAndEnd) {
  constexpr int k_kills_a_run = 20;
  const char* count_text = std::getenv("DISKRELEASE_KILLS");
  const int all = count_text == nullptr ? 10 : std::atoi(count_text);
  int kills = all * (GetParam() + 1) / k_shards - all * GetParam() / k_shards;
  const char* seed_text = std::getenv("DISKRELEASE_SEED");
  const unsigned seed =
      seed_text == nullptr ? std::random_device{}() : static_cast<unsigned>(std::atoi(seed_text));
  std::cout << "DISKRELEASE_SEED=" << seed << '\n';
  std::mt19937 random(seed);
  // One shard begins with faults and the other one without.
  for (bool faults = GetParam() % 2 == 0; kills > 0; kills -= k_kills_a_run, faults = !faults) {
    SCOPED_TRACE(std::to_string(kills) + (faults ? " kills left, faults" : " kills left"));
    live_through(std::min(kills, k_kills_a_run), faults, random);
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, KillTest, ::testing::Range(0, KillTest::k_shards));

TEST_F(ReleaseTest, WhatHadNotLeftWhenTheProcessWasKilledIsSentByTheNext) {
  serve(
      R"({"faults": [{"match": {"action": "ReleaseDisk", "nth": 1}, "fault": {"kind": "stall"}}]})");
  ChildProcess first(calling({"run", write_list(3), "--rate", "unlimited", "--in-flight", "1",
                              "--yes", "--max-disks", "3"}),
                     environment_, directory_.path());
  await_releases(1);
  // The next intent becomes durable while the only lane waits for an answer that does not come.
  for (int i = 0; i < 10'000 && query("SELECT count(*) FROM attempt") < 2; ++i) {
    ::poll(nullptr, 0, 2);
  }
  first.send_signal(SIGKILL);
  static_cast<void>(first.wait());
  ASSERT_EQ(query("SELECT count(*) FROM attempt"), 2);
  ASSERT_EQ(releases(), 1u);

  const ChildResult second = run(calling({"resume", "--rate", "unlimited"}));
  EXPECT_EQ(second.exit_code, 0) << second.error;
  EXPECT_THAT(second.error, HasSubstr("1 request(s) had certainly not left by then: recorded as "
                                      "not sent"));
  EXPECT_EQ(releases(), 3u);
  EXPECT_EQ(disks_in("released").size(), 3u);
  EXPECT_EQ(query("SELECT count(*) FROM outcome WHERE outcome = 'unknown' AND attempt_id = 1"), 1);
  EXPECT_EQ(query("SELECT count(*) FROM outcome WHERE outcome = 'not_sent' AND attempt_id = 2"), 1);
  expect_books_agree();
}

TEST_F(ReleaseTest, TheSecondProcessOnADatabaseIsTurnedAwayAndADeadHolderIsTakenOver) {
  serve(R"({"latency": {"fixed_ms": 30000}})");
  ChildProcess first(calling({"run", write_list(3), "--yes", "--max-disks", "3"}), environment_,
                     directory_.path());
  await_requests(1);
  const ChildResult second = run(calling({"resume"}));
  EXPECT_EQ(second.exit_code, 8);
  EXPECT_THAT(second.error, HasSubstr("pid " + std::to_string(first.pid())));
  first.send_signal(SIGKILL);
  static_cast<void>(first.wait());
  ChildProcess third(calling({"resume"}), environment_, directory_.path());
  await_requests(2);
  EXPECT_EQ(query("SELECT count(*) FROM invocation_end WHERE reason = 'died'"), 1);
}

TEST_F(ReleaseTest, OneSignalAwaitsAnswersAndTheSecondCutsThemOff) {
  serve(R"({"latency": {"fixed_ms": 200}})");
  ChildProcess gentle(
      calling({"run", write_list(50), "--rate", "20", "--yes", "--max-disks", "50"}), environment_,
      directory_.path());
  await_releases(3);
  gentle.send_signal(SIGTERM);
  const ChildResult interrupted = gentle.wait();
  EXPECT_EQ(interrupted.exit_code, 6) << interrupted.error;
  EXPECT_THAT(interrupted.out, HasSubstr("next: diskrelease resume 1"));
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state = 'unknown'"), 0);
  expect_books_agree();

  server_.reset();
  serve(R"({"faults": [{"match": {"action": "ReleaseDisk"}, "fault": {"kind": "stall"}}]})");
  ChildProcess harsh(calling({"resume", "--rate", "20", "--in-flight", "1"}), environment_,
                     directory_.path());
  await_releases(1);
  harsh.send_signal(SIGINT);
  ::poll(nullptr, 0, 50);
  harsh.send_signal(SIGINT);
  const ChildResult cut = harsh.wait();
  EXPECT_EQ(cut.exit_code, 6) << cut.error;
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state = 'unknown'"), 1);
}

TEST_F(ReleaseTest, NothingIsSentWithoutConfirmationOrLimit) {
  serve("{}");
  const std::string list = write_list(5);
  const ChildResult nobody = run(calling({"run", list}));
  EXPECT_EQ(nobody.exit_code, 5);
  EXPECT_THAT(nobody.error, HasSubstr("--yes --max-disks 5"));
  EXPECT_EQ(run(calling({"run", list, "--yes"})).exit_code, 5);
  EXPECT_EQ(run(calling({"run", list, "--yes", "--max-disks", "4"})).exit_code, 5);
  EXPECT_TRUE(server_->ledger().empty());
  EXPECT_EQ(query("SELECT count(*) FROM run"), 0);
  EXPECT_EQ(run(calling({"run", list, "--yes", "--max-disks", "5", "--rate", "1000"})).exit_code,
            0);
}

TEST_F(ReleaseTest, ACredentialThatIsNewToARunIsRefusedUnlessAccepted) {
  serve("{}");
  ASSERT_EQ(run(calling({"run", write_list(3), "--yes", "--max-disks", "3", "--rate", "1000",
                         "--no-verify"}))
                .exit_code,
            0);
  const std::size_t requests = server_->ledger().size();
  const std::string id = environment_["ZENLAYER_ACCESS_KEY_ID"];
  environment_["ZENLAYER_ACCESS_KEY_ID"] = "not-the-id-of-the-run";
  for (const char* const name : {"settle", "resume"}) {
    const ChildResult refused = run(calling({name, "1"}));
    EXPECT_EQ(refused.exit_code, 5) << name;
    EXPECT_THAT(refused.error, HasSubstr("--accept-credential")) << name;
  }
  EXPECT_EQ(server_->ledger().size(), requests);
  EXPECT_EQ(query("SELECT count(*) FROM invocation"), 1) << "nothing was begun";
  static_cast<void>(run(calling({"settle", "1", "--accept-credential"})));
  EXPECT_EQ(query("SELECT count(*) FROM decision WHERE kind = 'approve'"
                  " AND reason = 'accept_credential_flag'"
                  " AND detail LIKE '%not-the-id-of-the-run%'"),
            1);
  EXPECT_EQ(query("SELECT count(*) FROM observation WHERE status = 'ABSENT'"), 0);
  // Whoever was accepted once is known, and so is the first one.
  EXPECT_NE(run(calling({"settle", "1"})).exit_code, 5);
  environment_["ZENLAYER_ACCESS_KEY_ID"] = id;
  EXPECT_EQ(run(calling({"settle", "1"})).exit_code, 0);
}

TEST_F(ReleaseTest, AnInvalidListSendsNothingAndMakesNoRun) {
  serve("{}");
  std::ofstream(path("bad.txt")) << "9900000000000000001\n8.62857E+17\nwhat is this\n";
  const ChildResult result = run(calling({"run", path("bad.txt"), "--yes", "--max-disks", "9"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.error, HasSubstr("bad.txt:2: "));
  EXPECT_THAT(result.error, HasSubstr("bad.txt:3: "));
  EXPECT_TRUE(server_->ledger().empty());
  EXPECT_EQ(query("SELECT count(*) FROM run"), 0);
}

TEST_F(ReleaseTest, WordsPunctuationAndRoundedIdsSendNothing) {
  serve("{}");
  for (const char* list : {"9900000000000000033\nnull\n", "9900000000000000033\n.\n",
                           "VolumeId\n9900000000000000033\n", "9900000000000000033.0\n",
                           "862857204414550000\n862857204414551000\n"}) {
    std::ofstream(path("bad.txt")) << list;
    const ChildResult result = run(calling({"run", path("bad.txt"), "--yes", "--max-disks", "9"}));
    EXPECT_EQ(result.exit_code, 2) << list;
    EXPECT_THAT(result.error, HasSubstr("bad.txt:")) << list;
  }
  EXPECT_TRUE(server_->ledger().empty());
  EXPECT_EQ(query("SELECT count(*) FROM run"), 0);
}

TEST_F(ReleaseTest, WhatIsLeftOutOfAListIsNoted) {
  serve("{}");
  std::ofstream(path("two.csv")) << "diskId\n9900000000000000033\ndiskId\n9900000000000000034\n";
  const ChildResult result =
      run(calling({"run", path("two.csv"), "--yes", "--max-disks", "9", "--rate", "100"}));
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_THAT(result.error,
              HasSubstr("note: " + path("two.csv") + ":3: the header again, left out"));
  EXPECT_EQ(server_->stats().accepted_releases, 2U);
}

TEST_F(ReleaseTest, AListLargerThanItsLimitSendsNothing) {
  serve("{}");
  const std::string list = write_list(100);
  const ChildResult result =
      run(calling({"run", list, "--yes", "--max-disks", "100", "--max-list-size", "1KiB"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.error, HasSubstr("larger than 1KiB, the limit that --max-list-size sets"));
  EXPECT_TRUE(server_->ledger().empty());
}

TEST_F(ReleaseTest, AWrongSecretStopsTheRunAndTheRightOneFinishesIt) {
  serve("{}");
  const std::string right = environment_["ZENLAYER_ACCESS_KEY_SECRET"];
  environment_["ZENLAYER_ACCESS_KEY_SECRET"] = "obviously-fake-and-wrong";
  const ChildResult refused =
      run(calling({"run", write_list(20), "--rate", "unlimited", "--yes", "--max-disks", "20"}));
  EXPECT_EQ(refused.exit_code, 7);
  EXPECT_THAT(refused.out, HasSubstr("authentication"));
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state = 'pending'"), 20);
  environment_["ZENLAYER_ACCESS_KEY_SECRET"] = right;
  const ChildResult resumed = run(calling({"resume", "--rate", "unlimited"}));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.error;
  for (const ChildResult& result : {refused, resumed}) {
    EXPECT_THAT(result.out + result.error, Not(HasSubstr(right)));
    EXPECT_THAT(result.out + result.error, Not(HasSubstr("obviously-fake-and-wrong")));
  }
  std::ifstream database(path("a.db"), std::ios::binary);
  std::ostringstream bytes;
  bytes << database.rdbuf();
  EXPECT_THAT(bytes.str(), Not(HasSubstr(right)));
  expect_books_agree();
}

TEST_F(ReleaseTest, LostRepliesAreSettledByReadingBack) {
  serve(R"({"delays": {"leave_ms": 40, "recycling_ms": 40},
            "faults": [{"match": {"action": "ReleaseDisk", "every": 5},
                        "fault": {"kind": "close_after_executing"}}]})");
  const ChildResult result =
      run(calling({"run", write_list(20), "--rate", "unlimited", "--in-flight", "1", "--yes",
                   "--max-disks", "20", "--settle-window", "20s", "--settle-poll", "50ms"}));
  EXPECT_EQ(result.exit_code, 0) << result.out << result.error;
  EXPECT_EQ(query("SELECT count(*) FROM attempt_log WHERE settled = 'executed'"), 4);
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE verified = 'recycled'"), 20);
  EXPECT_EQ(releases(), 20u);
  expect_books_agree();
}

TEST_F(ReleaseTest, WhatStaysUnknownIsNotSentAgainUntilAPersonHasDecided) {
  serve(R"({"faults": [{"match": {"action": "ReleaseDisk", "every": 5},
                        "fault": {"kind": "drop_before_executing"}}]})");
  const std::string list = write_list(20);
  const ChildResult first = run(calling(
      {"run", list, "--rate", "unlimited", "--in-flight", "1", "--yes", "--max-disks", "20"}));
  EXPECT_EQ(first.exit_code, 4) << first.error;
  EXPECT_THAT(first.out, HasSubstr("next: diskrelease settle 1"));
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state = 'unknown'"), 4);
  EXPECT_EQ(run(calling({"resume"})).exit_code, 4);
  EXPECT_EQ(run(calling({"settle", "1"})).exit_code, 4);
  const ChildResult again = run(calling({"run", list, "--yes", "--max-disks", "20"}));
  EXPECT_EQ(again.exit_code, 4);
  EXPECT_THAT(again.error, HasSubstr("it is continued"));
  EXPECT_EQ(releases(), 20u);

  // Every fifth request: which disks that were is a matter of the order of departures.
  const std::vector<std::string> unknown = disks_in("unknown");
  const std::vector<std::string> released = disks_in("released");
  ASSERT_EQ(unknown.size(), 4U);
  ASSERT_EQ(released.size(), 16U);
  // Marking needs neither credential nor network.
  const auto mark = [&](const std::string& disk, const std::string& as) {
    return run(command({"settle", "1", "--db", path("a.db"), "--mark", disk + "=" + as, "--reason",
                        "looked it up in the console"}));
  };
  const ChildResult wrong = mark(released[0], "released");
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.error, HasSubstr("only what is unknown can be marked"));
  EXPECT_EQ(mark(unknown[0], "released").exit_code, 4);
  EXPECT_EQ(mark(unknown[1], "not-released").exit_code, 6);
  const ChildResult log =
      run(command({"audit", "log", "--db", path("a.db"), "--disk", unknown[0], "--json"}));
  EXPECT_THAT(log.out, HasSubstr(R"("outcome":"unknown","settled":"executed",)"));
  EXPECT_EQ(query("SELECT count(*) FROM verdict WHERE reason = 'marked' AND observation_id IS NULL"
                  " AND detail = 'looked it up in the console'"),
            2);
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state = 'unknown'"), 2);
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state = 'pending'"), 1);

  const ChildResult resumed = run(calling({"resume", "1", "--resend-unsettled"}));
  // The first mark was wrong: none of these was executed. Reading back finds that out.
  EXPECT_EQ(resumed.exit_code, 4) << resumed.out << resumed.error;
  EXPECT_THAT(resumed.out, HasSubstr("ACCEPTED BUT STILL THERE"));
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state = 'released'"), 20);
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE verified = 'recycled'"), 19);
  EXPECT_EQ(releases(), 23u);
  expect_books_agree();
}

TEST_F(ReleaseTest, PurgeTakesTwoCallsAndItsOwnConfirmation) {
  serve(R"({"delays": {"leave_ms": 20, "recycling_ms": 20, "deleting_ms": 20}})");
  const std::string list = write_list(5);
  std::ofstream(path("purge.json"))
      << R"({"list": "list.txt", "goal": "purge", "limits": {"max_disks": 5}})";
  const ChildResult quiet = run(calling({"run", path("purge.json"), "--yes"}));
  EXPECT_EQ(quiet.exit_code, 5);
  EXPECT_THAT(quiet.error, HasSubstr("--goal purge"));
  EXPECT_TRUE(server_->ledger().empty());
  const ChildResult result =
      run(calling({"run", path("purge.json"), "--goal", "purge", "--yes", "--rate", "100",
                   "--settle-window", "10s", "--settle-poll", "50ms"}));
  EXPECT_EQ(result.exit_code, 0) << result.out << result.error;
  EXPECT_EQ(releases(), 10u);
  EXPECT_EQ(server_->stats().disks_absent, 5u);
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE verified = 'destroyed'"), 5);
}

TEST_F(ReleaseTest, ReleaseDestroysNothingThatIsInTheRecycleBin) {
  serve(R"({"unknown_disks": {"recycled": 1.0}})");
  const ChildResult result = run(calling({"run", write_list(5), "--yes", "--max-disks", "5"}));
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_THAT(result.out, HasSubstr("already gone"));
  EXPECT_EQ(releases(), 0u);
  EXPECT_EQ(server_->stats().disks_absent, 0u);
}

TEST_F(ReleaseTest, TwoProcessesKeepOneRate) {
  serve("{}");
  const std::string list = write_list(40);
  std::ofstream second_list(path("second.txt"));
  for (int i = 0; i < 40; ++i)
    second_list << 8800000000000000000ull + static_cast<unsigned>(i) << '\n';
  second_list.close();
  const auto start = [&](const std::string& of, const std::string& database) {
    return command({"run", of, "--db", path(database), "--endpoint", server_->endpoint(),
                    "--ca-file", path("ca.pem"), "--rate", "40", "--yes", "--max-disks", "40",
                    "-q"});
  };
  std::filesystem::create_directories(path("one"));
  std::filesystem::create_directories(path("two"));
  ChildProcess one(start(list, "one.db"), environment_, path("one"));
  ChildProcess two(start(path("second.txt"), "two.db"), environment_, path("two"));
  EXPECT_EQ(one.wait().exit_code, 0);
  EXPECT_EQ(two.wait().exit_code, 0);
  std::vector<SteadyTime> arrivals;
  for (const sandbox::LedgerEntry& entry : server_->ledger()) arrivals.push_back(entry.arrived);
  std::ranges::sort(arrivals);
  ASSERT_GE(arrivals.size(), 84u);
  // The simulator's clock is read after its thread has been scheduled, which two loaded cores can
  // delay; two rates would be twice the limit.
  for (std::size_t i = 0; i + 44 < arrivals.size(); ++i) {
    EXPECT_GE(arrivals[i + 44] - arrivals[i], std::chrono::milliseconds(900)) << i;
  }
}

/// Everything at once. The disks' fate, as the simulator has it, is the judge.
TEST_F(ReleaseTest, TheHardScenarioEndsWithEveryDiskAsItDeserves) {
  const char* count_text = std::getenv("DISKRELEASE_HARD_DISKS");
  const int disks = count_text == nullptr ? 200 : std::atoi(count_text);
  serve(R"({"seed": 7, "delays": {"leave_ms": 50, "recycling_ms": 350},
    "stale_read_ms": 300,
    "latency": {"lognormal": {"median_ms": 30, "sigma": 0.6, "cap_ms": 1000}},
    "idle_close": {"after_ms": 200, "ending": "fin"},
    "unknown_disks": {"in_use": 0.05, "not_found": 0.02, "not_portable": 0.02, "recycled": 0.03},
    "faults": [
     {"match": {"action": "ReleaseDisk", "probability": 0.03}, "fault": {"kind": "close_after_executing", "ending": "rst"}},
     {"match": {"action": "ReleaseDisk", "probability": 0.03}, "fault": {"kind": "drop_before_executing"}},
     {"match": {"action": "ReleaseDisk", "probability": 0.03}, "fault": {"kind": "http_error", "status": 500, "executed": true}},
     {"match": {"action": "ReleaseDisk", "probability": 0.02}, "fault": {"kind": "cut_body", "ending": "fin"}},
     {"match": {"action": "ReleaseDisk", "probability": 0.02}, "fault": {"kind": "close_after_answer", "ending": "fin"}},
     {"match": {"action": "ReleaseDisk", "probability": 0.03}, "fault": {"kind": "http_error", "status": 503, "code": "SERVICE_TEMPORARY_UNAVAILABLE"}},
     {"match": {"action": "ReleaseDisk", "probability": 0.005}, "fault": {"kind": "stall", "executed": false}},
     {"match": {"action": "ReleaseDisk", "probability": 0.01}, "fault": {"kind": "garbage_json_200"}},
     {"match": {"action": "DescribeDisks", "probability": 0.05}, "fault": {"kind": "http_error", "status": 502, "body": "html"}}
    ]})");
  // A large one with the usual poll; a small one would take as long.
  const bool large = disks > 500;
  const ChildResult result = run(calling(
      {"run", write_list(disks), "--rate", "200", "--in-flight", "16", "--yes", "--max-disks",
       std::to_string(disks), "--timeout", "3s", "--settle-window", large ? "8s" : "3s",
       "--settle-poll", large ? "3s" : "200ms", "--resend-unsettled", "-q"}));
  EXPECT_EQ(result.exit_code, 3) << result.out << result.error;
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state IN ('pending', 'unknown')"), 0);

  const sandbox::SandboxStats stats = server_->stats();
  EXPECT_EQ(stats.released_twice, 0u);
  EXPECT_EQ(stats.disks_absent, 0u);
  std::set<std::string> released_there;
  for (const sandbox::LedgerEntry& entry : server_->ledger()) {
    if (entry.action == "ReleaseDisk" && entry.executed)
      released_there.insert(entry.disk_ids.at(0));
  }
  Database database = open_audit_for_reading(path("a.db"));
  Statement select = database.prepare("SELECT disk_id FROM item_state WHERE state = 'released'");
  std::set<std::string> released_here;
  while (select.step()) released_here.insert(std::string(select.text(0)));
  EXPECT_EQ(released_here, released_there);
  expect_books_agree();
}

TEST_F(ReleaseTest, ADiskThatAnEarlierRunHasReleasedIsSkipped) {
  serve("{}");
  const std::vector<std::string> flags{"--rate", "unlimited", "--yes", "--max-disks", "20"};
  const auto with_flags = [&](std::vector<std::string> words) {
    words.insert(words.end(), flags.begin(), flags.end());
    return calling(std::move(words));
  };
  EXPECT_EQ(run(with_flags({"run", write_list(5)})).exit_code, 0);
  const ChildResult second = run(with_flags({"run", write_list(8)}));
  EXPECT_EQ(second.exit_code, 0) << second.error;
  EXPECT_THAT(second.out, HasSubstr("released_before"));
  EXPECT_EQ(releases(), 8u);
  expect_books_agree();
}

TEST_F(ReleaseTest, TheRecordIsVerifiedAndAChangedOneIsNot) {
  serve("{}");
  const auto verify = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"audit", "verify", "--db", path("a.db")});
    return run(command(std::move(flags)));
  };
  const ChildResult made =
      run(calling({"run", write_list(5), "--rate", "unlimited", "--yes", "--max-disks", "5"}));
  ASSERT_EQ(made.exit_code, 0) << made.error;
  const ChildResult whole = verify({});
  EXPECT_EQ(whole.exit_code, 0) << whole.out << whole.error;
  EXPECT_THAT(whole.out, HasSubstr("verified: "));
  EXPECT_THAT(whole.out, HasSubstr(" 5 attempt, 5 outcome,"));
  EXPECT_THAT(whole.out, HasSubstr("2 anchors of " + path("a.db") + ".anchors fit"));
  EXPECT_EQ(verify({"-q"}).out, "");
  const auto head = whole.out.substr(whole.out.find("head ") + 5, 64);
  EXPECT_THAT(made.out, HasSubstr(head)) << "the summary of the run ends with the same head";
  EXPECT_THAT(verify({"--json"}).out, HasSubstr(R"("verified":true)"));

  const std::string outcome = std::to_string(query("SELECT max(attempt_id) FROM outcome"));
  {
    Database database(path("a.db"), Database::Access::read_write);
    database.execute(
        "DROP TRIGGER outcome_no_update;"
        "UPDATE outcome SET request_id = 'T<script>\"' WHERE attempt_id = " +
        outcome);
  }
  const ChildResult changed = verify({});
  EXPECT_EQ(changed.exit_code, 9);
  EXPECT_THAT(changed.out, HasSubstr("schema: trigger outcome_no_update is missing\n"));
  EXPECT_THAT(changed.out, HasSubstr("outcome " + outcome + ": was changed: "));
  EXPECT_THAT(changed.out, HasSubstr("NOT VERIFIED: "));
  const ChildResult json = verify({"--json"});
  EXPECT_EQ(json.exit_code, 9);
  EXPECT_THAT(json.out, HasSubstr(R"("verified":false)"));
  EXPECT_THAT(json.out, HasSubstr(R"("problem_count":2,"problems":["schema: trigger )"));
  EXPECT_THAT(json.out, HasSubstr(R"('T<script>\"')"));
}

TEST_F(ReleaseTest, AnOlderCopyInThePlaceOfTheDatabaseIsFoundByTheAnchors) {
  serve("{}");
  const std::vector<std::string> flags{"--rate", "unlimited",     "--yes",        "--max-disks",
                                       "20",     "--anchor-file", path("anchors")};
  const auto release = [&](int disks) {
    std::vector<std::string> words{"run", write_list(disks)};
    words.insert(words.end(), flags.begin(), flags.end());
    return run(calling(std::move(words))).exit_code;
  };
  const auto verify = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"audit", "verify", "--db", path("a.db")});
    return run(command(std::move(more)));
  };
  EXPECT_EQ(release(3), 0);
  Database(path("a.db"), Database::Access::read_write)
      .execute("VACUUM INTO '" + path("copy.db") + "'");
  EXPECT_EQ(release(5), 0);
  EXPECT_EQ(verify({"--anchor-file", path("anchors")}).exit_code, 0);
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path("a.db") + end);
  std::filesystem::copy_file(path("copy.db"), path("a.db"));
  EXPECT_EQ(verify({}).exit_code, 0) << "it is whole in itself";
  EXPECT_THAT(verify({}).out, HasSubstr("without anchors: "));
  const ChildResult older = verify({"--anchor-file", path("anchors")});
  EXPECT_EQ(older.exit_code, 9);
  EXPECT_THAT(older.out, HasSubstr("the end was cut off, or this is an older copy"));
  EXPECT_EQ(verify({"--anchor-file", path("none")}).exit_code, 2);
  std::ofstream(path("empty")) << "# nothing yet\n";
  EXPECT_EQ(verify({"--anchor-file", path("empty")}).exit_code, 2);
}

TEST_F(ReleaseTest, NothingIsSentWhereNoAnchorCanBeWritten) {
  serve("{}");
  const ChildResult refused =
      run(calling({"run", write_list(3), "--rate", "unlimited", "--yes", "--max-disks", "3",
                   "--anchor-file", path("missing/anchors")}));
  EXPECT_EQ(refused.exit_code, 10);
  EXPECT_THAT(refused.error, HasSubstr("missing/anchors: cannot be opened: No such file"));
  EXPECT_TRUE(server_->ledger().empty());
  EXPECT_FALSE(std::filesystem::exists(path("a.db"))) << "not even a database is made";
  EXPECT_EQ(run(calling({"run", write_list(3), "--rate", "unlimited", "--yes", "--max-disks", "3"}))
                .exit_code,
            0);
  EXPECT_EQ(releases(), 3u);
}

TEST_F(ReleaseTest, SimulatedAndRealRunsDoNotShareADatabase) {
  serve("{}");
  const std::string list = write_list(1);
  const auto simulated = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--sandbox", "--db", path("a.db"), "--settle-poll", "50ms"});
    return run(command(std::move(words)));
  };
  const std::vector<std::string> release{"run", list, "--yes", "--max-disks", "1"};
  ASSERT_EQ(simulated(release).exit_code, 0);
  const ChildResult real = run(calling(release));
  EXPECT_EQ(real.exit_code, 5) << real.error;
  EXPECT_THAT(real.error, HasSubstr("add --sandbox"));
  EXPECT_TRUE(server_->ledger().empty());
  EXPECT_EQ(query("SELECT count(*) FROM run"), 1);

  for (const char* end : {"", ".anchors"}) std::filesystem::remove(path("a.db") + end);
  ASSERT_EQ(run(calling(release)).exit_code, 0);
  for (const std::vector<std::string>& words : {release, {"resume"}, {"settle", "1"}}) {
    const ChildResult refused = simulated(words);
    EXPECT_EQ(refused.exit_code, 5) << words.front() << ": " << refused.error;
    EXPECT_THAT(refused.error, HasSubstr("leave out --sandbox"));
  }
  EXPECT_EQ(query("SELECT count(*) FROM invocation"), 1);
}

TEST_F(ReleaseTest, AFileWithoutACertificateIsRefusedInPlainWords) {
  serve("{}");
  const std::string list = write_list(1);
  const ChildResult result =
      run(command({"run", list, "--db", path("a.db"), "--endpoint", server_->endpoint(),
                   "--ca-file", list, "--yes", "--max-disks", "1"}));
  EXPECT_EQ(result.exit_code, 2) << result.error;
  EXPECT_THAT(result.error, HasSubstr("no CA certificate could be read from " + list + " (no "));
  EXPECT_THAT(result.error, HasSubstr("give a PEM file"));
  EXPECT_THAT(result.error, Not(HasSubstr("error:"))) << "OpenSSL's codes help nobody";
}

TEST_F(ReleaseTest, AnUnknownCaStopsTheRunBeforeAnyRequest) {
  serve("{}");
  const ChildResult result = run(command({"run", write_list(3), "--db", path("a.db"), "--endpoint",
                                          server_->endpoint(), "--yes", "--max-disks", "3"}));
  EXPECT_EQ(result.exit_code, 7) << result.error;
  EXPECT_THAT(result.out, HasSubstr("certificate"));
  EXPECT_TRUE(server_->ledger().empty());
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state = 'pending'"), 3);
}

TEST_F(ReleaseTest, WhereTooFewFilesMayBeOpenForAllConnectionsNothingIsSent) {
  serve("{}");
  const auto limited = [&](const std::string& limit, const std::string& in_flight, int disks) {
    std::vector<std::string> words =
        calling({"run", write_list(disks), "--rate", "1000", "--in-flight", in_flight, "--yes",
                 "--max-disks", "1000"});
    words.insert(words.begin(), {"/bin/sh", "-c", limit + "; exec \"$@\"", "sh"});
    return run(words);
  };
  const ChildResult refused = limited("ulimit -n 400", "1000", 1'000);
  EXPECT_EQ(refused.exit_code, 10) << refused.error;
  EXPECT_THAT(refused.out, HasSubstr("out_of_resources: too many open files: 1001 connections"));
  EXPECT_TRUE(server_->ledger().empty());
  EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state = 'pending'"), 1'000);

  // No more than there is work for.
  EXPECT_EQ(limited("ulimit -n 400", "1000", 3).exit_code, 0);
  EXPECT_EQ(releases(), 3u);
}

TEST_F(ReleaseTest, ASoftLimitOfOpenFilesIsRaisedForTheConnections) {
  serve("{}");
  std::vector<std::string> words = calling({"run", write_list(200), "--rate", "1000", "--in-flight",
                                            "200", "--yes", "--max-disks", "200"});
  words.insert(words.begin(), {"/bin/sh", "-c", "ulimit -S -n 100; exec \"$@\"", "sh"});
  const ChildResult result = run(words);
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_EQ(releases(), 200u);
}

TEST_F(ReleaseTest, ThrottlingDelaysButLosesNothing) {
  // So low that the slowest build goes beyond it.
  serve(R"({"rate_limit": {"per_second": 20, "burst": 2, "retry_after_s": 0}})");
  const ChildResult result = run(calling(
      {"run", write_list(20), "--rate", "1000", "--in-flight", "8", "--yes", "--max-disks", "60"}));
  EXPECT_EQ(result.exit_code, 0) << result.out << result.error;
  EXPECT_GT(query("SELECT count(*) FROM attempt_log WHERE outcome = 'throttled'"), 0);
  expect_books_agree();
}

TEST_F(ReleaseTest, WrongUseIsToldAndSendsNothing) {
  serve("{}");
  EXPECT_EQ(run(command({})).exit_code, 2);
  const ChildResult misspelt = run(command({"stauts"}));
  EXPECT_EQ(misspelt.exit_code, 2);
  EXPECT_THAT(misspelt.error, HasSubstr("did you mean \"status\"?"));
  EXPECT_EQ(run(command({"run", "x.txt", "--frobnicate"})).exit_code, 2);
  EXPECT_EQ(run(calling({"run", path("nothing.txt"), "--yes", "--max-disks", "1"})).exit_code, 2);
  EXPECT_EQ(run(command({"status", "--db", path("nothing.db")})).exit_code, 10);
  EXPECT_EQ(run(command({"--version"})).exit_code, 0);
  EXPECT_EQ(run(command({"run", "--help"})).exit_code, 0);
  EXPECT_TRUE(server_->ledger().empty());
}

}  // namespace
}  // namespace diskrelease
