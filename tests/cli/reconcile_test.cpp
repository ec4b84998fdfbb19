#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "sandbox/sandbox.h"
#include "support/child_process.h"
#include "support/places.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

const std::string k_disk = "990000000000000000";

/// A run of the real binary against the simulator, whose ledger file is then written anew in the
/// form of the provider's log.
class ReconcileTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  /// Ten disks with ids k_disk + "0" to "9".
  void run_against(const std::string& scenario, std::vector<std::string> flags = {}) {
    sandbox::SandboxOptions options;
    sandbox::ScenarioFile file = sandbox::parse_scenario(scenario, "test");
    ASSERT_THAT(file.problems, IsEmpty());
    options.scenario = std::move(file.scenario);
    options.ca_file = path("ca.pem");
    options.ledger_file = path("ledger");
    const sandbox::Sandbox server(options);
    environment_["ZENLAYER_ACCESS_KEY_ID"] = server.credentials().key_id;
    environment_["ZENLAYER_ACCESS_KEY_SECRET"] = server.credentials().key_secret;
    std::ofstream list(path("list.txt"));
    for (int i = 0; i < 10; ++i) list << k_disk << i << '\n';
    list.close();
    std::vector<std::string> words = {
        "run",          path("list.txt"), "--endpoint", server.endpoint(), "--ca-file",
        path("ca.pem"), "--rate",         "unlimited",  "--yes",           "--max-disks",
        "10",           "--settle-poll",  "20ms"};
    if (std::ranges::find(flags, "--settle-window") == flags.end()) {
      flags.insert(flags.end(), {"--settle-window", "2s"});
    }
    words.insert(words.end(), flags.begin(), flags.end());
    run_ = call(words);
  }

  ChildResult call(std::vector<std::string> words) {
    words.insert(words.begin(), built_program());
    words.insert(words.end(), {"--db", path("a.db")});
    ChildProcess child(std::move(words), environment_, directory_.path());
    return child.wait();
  }

  ChildResult reconcile(const std::string& log, std::vector<std::string> flags = {}) {
    std::ofstream(path("log.json")) << log;
    flags.insert(flags.begin(), {"audit", "reconcile", "--provider-log", path("log.json")});
    return call(std::move(flags));
  }

  std::vector<sandbox::LedgerEntry> ledger() const { return sandbox::read_ledger(path("ledger")); }

  static std::string record(const sandbox::LedgerEntry& entry, bool with_request_id = true) {
    const std::string& disk = entry.disk_ids.front();
    std::string response;
    if (!with_request_id) {
      response = entry.executed ? R"({\"code\":\"SUCCESS\",\"success\":true})"
                                : R"({\"code\":\"NO\",\"success\":false})";
    } else {
      response =
          R"({\"requestId\":\")" + entry.request_id + R"(\",)" +
          (entry.executed ? R"(\"response\":{}})" : R"(\"code\":\")" + entry.code + R"(\"})");
    }
    return R"({"resUid":"disk/)" + disk + R"(","resType":"disk","resEvent":")" + entry.action +
           R"(","opsTime":")" + format_utc(entry.arrived_utc) +
           R"(","eventSource":"API_CALL","opsUser":"us@example.com","clientIP":"192.0.2.1",)" +
           R"("request":"{\"diskId\":\")" + disk + R"(\"}","response":")" + response + "\"}";
  }

  static std::string answer(const std::vector<sandbox::LedgerEntry>& entries,
                            bool with_request_id = true) {
    std::string records;
    for (const sandbox::LedgerEntry& entry : entries) {
      records += (records.empty() ? "\n" : ",\n") + record(entry, with_request_id);
    }
    return R"({"requestId":"TX","response":{"dataSet":[)" + records + "\n]}}";
  }

  static auto release_of(const std::string& digit) {
    return [digit](const sandbox::LedgerEntry& entry) {
      return entry.action == "ReleaseDisk" && entry.disk_ids.front() == k_disk + digit;
    };
  }

  std::string database_bytes() const {
    std::ifstream in(path("a.db"), std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    return std::move(bytes).str();
  }

  TemporaryDirectory directory_;
  std::map<std::string, std::string> environment_{{"HOME", directory_.path().string()},
                                                  {"PATH", "/usr/bin:/bin"}};
  ChildResult run_;
};

/// One disk is attached by somebody in between, one answer is lost, one call is throttled.
constexpr const char* k_scenario = R"({"faults": [
  {"match": {"action": "ReleaseDisk", "disk_id": "9900000000000000001"},
   "fault": {"kind": "attach_before_executing"}},
  {"match": {"action": "ReleaseDisk", "disk_id": "9900000000000000002"},
   "fault": {"kind": "close_after_executing"}},
  {"match": {"action": "ReleaseDisk", "disk_id": "9900000000000000003", "nth": 1},
   "fault": {"kind": "throttle"}}]})";

TEST_F(ReconcileTest, WhatTheSimulatorHasDoneIsWhatIsOnRecord) {
  run_against(k_scenario);
  ASSERT_EQ(run_.exit_code, 3) << run_.error;
  const std::string before = database_bytes();
  const ChildResult with_ids = reconcile(answer(ledger()), {"--json"});
  EXPECT_EQ(with_ids.exit_code, 0) << with_ids.out << with_ids.error;
  EXPECT_THAT(with_ids.out,
              AllOf(StartsWith(R"({"event":"reconciliation","database":)"),
                    HasSubstr(R"("reconciled":true,)"), HasSubstr(R"("release_records":11,)"),
                    HasSubstr(R"("mismatches":0,"counts":{"matched":9,"both_refused":2,)"
                              R"("unlisted":0,"ours_only":0,"theirs_only":0,"they_succeeded":0,)"
                              R"("they_failed":0,"other_disk":0,"unknown_succeeded":0,)"
                              R"("unknown_failed":0,"outside":0,)"),
                    HasSubstr(R"("by_request_id":10)"), EndsWith("\"exit_code\":0}\n")));
  const ChildResult without_ids = reconcile(answer(ledger(), false));
  EXPECT_EQ(without_ids.exit_code, 0) << without_ids.out << without_ids.error;
  EXPECT_THAT(without_ids.out,
              AllOf(StartsWith("reconciled: "), HasSubstr("matched             9\n"),
                    HasSubstr("both refused        2   "), HasSubstr("\n  0 found by request id"),
                    Not(HasSubstr("finding"))));
  EXPECT_THAT(reconcile(answer(ledger()), {"--quiet"}).out, IsEmpty());
  EXPECT_EQ(reconcile(answer(ledger()), {"--csv"}).out,
            "finding,disk_id,run_id,attempt_number,outcome,settled,our_request_id,our_time,"
            "their_result,their_code,their_disk_id,their_time,their_user,client_ip,"
            "their_request_id,event_source,record\n");
  EXPECT_EQ(database_bytes(), before);
}

TEST_F(ReconcileTest, WhatIsRemovedAddedOrFlippedIsFound) {
  run_against(k_scenario);
  for (const bool with_ids : {true, false}) {
    std::vector<sandbox::LedgerEntry> entries = ledger();
    std::erase_if(entries, release_of("7"));
    sandbox::LedgerEntry foreign = *std::ranges::find_if(entries, release_of("5"));
    foreign.request_id = "TFOREIGN";
    foreign.disk_ids = {"4700000000000000000"};
    const auto flip = [&](const std::string& digit) {
      auto entry = std::ranges::find_if(entries, release_of(digit));
      entry->executed = !entry->executed;
      entry->code = "FLIPPED";
    };
    flip("8");
    flip("1");
    std::string log = answer(entries, with_ids);
    std::string added = record(foreign, with_ids);
    added.replace(added.find("us@example.com"), 14, "them\\u001b@x.org");
    log += "\n" + added;

    const ChildResult result = reconcile(log);
    EXPECT_EQ(result.exit_code, 3) << result.out << result.error;
    EXPECT_THAT(result.out,
                AllOf(StartsWith("NOT RECONCILED: "), HasSubstr("(4 mismatches)"),
                      HasSubstr("ours only           1\n"), HasSubstr("theirs only         1\n"),
                      HasSubstr("contradictions      2\n"),
                      HasSubstr("ours_only       9900000000000000007  1 "),
                      HasSubstr("theirs_only     4700000000000000000  - "),
                      HasSubstr("  them\\x1b@x.org  192.0.2.1  "),
                      HasSubstr("they_failed     9900000000000000008  1 "),
                      HasSubstr("they_succeeded  9900000000000000001  1 ")));
    const ChildResult json = reconcile(log, {"--json"});
    EXPECT_EQ(json.exit_code, 3);
    EXPECT_THAT(json.out,
                AllOf(HasSubstr(R"({"event":"finding","finding":"theirs_only",)"
                                R"("disk_id":"4700000000000000000","run_id":null,)"
                                R"("attempt_number":null,"outcome":null,)"),
                      HasSubstr(R"("their_user":"them\u001B@x.org","client_ip":"192.0.2.1",)"),
                      HasSubstr(R"("reconciled":false,)"),
                      HasSubstr(R"("ours_only":1,"theirs_only":1,"they_succeeded":1,)"
                                R"("they_failed":1,"other_disk":0,)"),
                      EndsWith("\"exit_code\":3}\n")));
    const ChildResult csv = reconcile(log, {"--csv"});
    EXPECT_EQ(csv.exit_code, 3);
    EXPECT_EQ(std::ranges::count(csv.out, '\n'), 5);
    EXPECT_THAT(csv.out, HasSubstr("\nours_only,9900000000000000007,1,1,accepted,,T"));
    EXPECT_THAT(reconcile(log, {"--quiet"}).out, HasSubstr("NOT RECONCILED"));
  }
}

TEST_F(ReconcileTest, ARequestIdWithAnotherDiskIsFound) {
  run_against("{}");
  std::vector<sandbox::LedgerEntry> entries = ledger();
  std::ranges::find_if(entries, release_of("4"))->disk_ids = {"4700000000000000000"};
  const ChildResult result = reconcile(answer(entries), {"--json"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr(R"("finding":"other_disk","disk_id":"9900000000000000004")"),
                    HasSubstr(R"("their_disk_id":"4700000000000000000")"),
                    HasSubstr(R"("mismatches":1,)")));
}

TEST_F(ReconcileTest, WhatIsNotKnownHereIsAnsweredByTheLog) {
  // The disk is seen unchanged for the whole window, so that the outcome stays unknown.
  run_against(R"({"delays": {"leave_ms": 60000}, "faults": [
    {"match": {"action": "ReleaseDisk", "disk_id": "9900000000000000002"},
     "fault": {"kind": "close_after_executing"}}]})",
              {"--no-verify", "--settle-window", "100ms"});
  ASSERT_EQ(run_.exit_code, 4) << run_.error;
  const ChildResult result = reconcile(answer(ledger()));
  EXPECT_EQ(result.exit_code, 0) << result.out << result.error;
  EXPECT_THAT(result.out, AllOf(StartsWith("reconciled: "),
                                HasSubstr("unknown_succeeded  9900000000000000002  1 ")));
}

TEST_F(ReconcileTest, BothStagesOfAPurgeHaveTheirRecords) {
  run_against(R"({"account_mode": "recycle_bin",
                  "delays": {"leave_ms": 0, "recycling_ms": 0, "deleting_ms": 0}})",
              {"--goal", "purge"});
  ASSERT_EQ(run_.exit_code, 0) << run_.error << run_.out;
  EXPECT_THAT(reconcile(answer(ledger(), false)).out, HasSubstr("matched            20\n"));
  std::vector<sandbox::LedgerEntry> entries = ledger();
  std::ranges::reverse(entries);
  entries.erase(std::ranges::find_if(entries, release_of("6")));
  const ChildResult result = reconcile(answer(entries), {"--json"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr(R"("finding":"ours_only","disk_id":"9900000000000000006",)"
                              R"("run_id":1,"attempt_number":2,)"),
                    HasSubstr(R"("mismatches":1,)")));
}

TEST_F(ReconcileTest, TheSpanIsThatOfTheRecordsOrAsAskedFor) {
  run_against("{}");
  const std::string nothing = R"({"response":{"dataSet":[]}})";
  const ChildResult unknown = reconcile(nothing);
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.error, HasSubstr("say what was asked for with --since and --until"));
  const ChildResult empty =
      reconcile(nothing, {"--since", "2000-01-01", "--until", "9000-01-01", "--json"});
  EXPECT_EQ(empty.exit_code, 3);
  EXPECT_THAT(empty.out, HasSubstr(R"("since":"2000-01-01T00:00:00.000Z","until":"9000-01-01T)"));
  EXPECT_THAT(empty.out, HasSubstr(R"("ours_only":10,)"));
  const ChildResult past =
      reconcile(nothing, {"--since", "2000-01-01", "--until", "2000-01-02", "--json"});
  EXPECT_EQ(past.exit_code, 0) << past.out;
  EXPECT_THAT(past.out, HasSubstr(R"("outside":10,)"));
  EXPECT_THAT(reconcile(nothing, {"--since", "2000-01-01", "--until", "2000-01-02"}).out,
              AllOf(StartsWith("nothing to compare: "), Not(HasSubstr("as far as its records"))));
  EXPECT_THAT(
      reconcile(answer(ledger()), {"--until", "2000-01-02", "--since", "2000-01-01"}).out,
      AllOf(StartsWith("nothing to compare: "), HasSubstr(" 10   releases of theirs out of")));
  EXPECT_THAT(reconcile(answer(ledger())).out, HasSubstr(", as far as its records go: say what"));
  // The latest record is within the span, even where it is the only one.
  const std::string foreign =
      R"({"resUid":"disk/47","resEvent":"ReleaseDisk","opsTime":"2026-11-24T03:00:00Z"})";
  EXPECT_THAT(reconcile(foreign, {"--json"}).out,
              HasSubstr(R"("until":"2026-11-24T03:00:00.001Z","records":1,"release_records":1,)"
                        R"("mismatches":1,)"));
  // Times of the records that are an hour off match by request id alone.
  std::vector<sandbox::LedgerEntry> entries = ledger();
  for (sandbox::LedgerEntry& entry : entries) entry.arrived_utc += std::chrono::hours(1);
  EXPECT_EQ(reconcile(answer(entries)).exit_code, 0);
  EXPECT_EQ(reconcile(answer(entries, false)).exit_code, 3);
  EXPECT_EQ(reconcile(answer(entries, false), {"--window", "2h"}).exit_code, 0);
}

TEST_F(ReconcileTest, ALogThatCannotBeUsedIsRefusedWithAllItsProblems) {
  run_against("{}");
  const ChildResult bad = reconcile("{\"dataSet\":[{},\n7]}\n{\"code\":\"NO\x1b\"}\n");
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.out, IsEmpty());
  EXPECT_THAT(bad.error, AllOf(HasSubstr("log.json:1: record 1: \"resEvent\" is missing\n"),
                               HasSubstr("log.json:1: record 1: \"opsTime\" is missing\n"),
                               HasSubstr("log.json:2: record 2: is a number"),
                               HasSubstr("log.json:3: a string holds an unknown escape")));
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"audit", "reconcile"}, "audit reconcile needs --provider-log FILE"},
      {{"audit", "reconcile", "x"}, "audit reconcile takes flags only, not \"x\""},
      {{"audit", "reconcile", "--provider-log", path("none")}, "cannot open the provider's log"},
      {{"audit", "reconcile", "--provider-log", path("list.txt"), "--run", "7"},
       "there is no run 7"},
      {{"audit", "reconcile", "--provider-log", "-", "--since", "2026-01-02", "--until",
        "2026-01-02"},
       "--since must be before --until"},
  };
  for (const auto& [words, message] : cases) {
    const ChildResult result = call(words);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_THAT(result.error, HasSubstr(message));
  }
}

TEST_F(ReconcileTest, OtherEventsAreNamedWhereNoneIsARelease) {
  run_against("{}");
  std::vector<sandbox::LedgerEntry> entries = ledger();
  for (sandbox::LedgerEntry& entry : entries) {
    if (entry.action == "ReleaseDisk") entry.action = "wipe disk";
  }
  const ChildResult unnamed = reconcile(answer(entries));
  EXPECT_EQ(unnamed.exit_code, 3);
  EXPECT_THAT(unnamed.out, HasSubstr("\"wipe disk\": --event NAME names another"));
  EXPECT_EQ(reconcile(answer(entries), {"--event", "WipeDisk"}).exit_code, 0);
}

}  // namespace
}  // namespace diskrelease
