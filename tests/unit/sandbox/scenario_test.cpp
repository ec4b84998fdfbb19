#include "sandbox/scenario.h"
#include "support/places.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace diskrelease::sandbox {
namespace {

using namespace std::chrono_literals;

Scenario good(std::string_view json) {
  auto file = parse_scenario(json, "test.json");
  for (const auto& problem : file.problems) ADD_FAILURE() << problem;
  return std::move(file.scenario);
}

std::string problems(std::string_view json) {
  std::string text;
  for (const auto& problem : parse_scenario(json, "test.json").problems) text += problem + '\n';
  return text;
}

TEST(ScenarioTest, AnEmptyObjectIsAnAccountWithRecycleBinInWhichEveryDiskExists) {
  const auto scenario = good("{}");
  EXPECT_EQ(scenario.model.mode, AccountMode::recycle_bin);
  EXPECT_TRUE(scenario.model.create_unknown);
  EXPECT_TRUE(scenario.faults.empty());
  EXPECT_FALSE(scenario.rate_limit);
}

TEST(ScenarioTest, EverySettingArrivesWhereItBelongs) {
  const auto scenario = good(R"({
    "description": "all of them",
    "seed": 7,
    "account_mode": "direct",
    "delays": {"leave_ms": 1, "recycling_ms": 2, "deleting_ms": 3, "retention_ms": 4,
               "renew_ms": 5, "transition_ms": null},
    "stale_read_ms": 6,
    "latency": {"lognormal": {"median_ms": 8, "sigma": 0.25, "cap_ms": 9}},
    "rate_limit": {"per_second": 2.5, "burst": 3, "retry_after_s": 4, "body": "html",
                   "begins_ms": 14, "lasts_ms": 15},
    "credentials": {"key_id": "K", "key_secret": "S", "token": "T"},
    "auth_status": 403,
    "clock_offset_s": -301,
    "idle_close": {"after_ms": 10, "ending": "fin"},
    "detached_instance": "missing",
    "disks": [{"id": "d1", "kind": "recycled", "name": "n", "zone": "z-1b", "size_gb": 11},
              {"id": "d2", "status": "ROLLING_BACK", "disk_type": "SYSTEM", "portable": false}],
    "generate": {"count": 2, "first_id": "100", "kind": "in_use"},
    "unknown_disks": "not_found",
    "faults": [{"match": {"action": "ReleaseDisk", "disk_id": "d1", "disk_ids": ["d2"], "nth": 1,
                          "every": 2, "first": 3, "probability": 0.5, "per_disk": true},
                "fault": {"kind": "http_error", "status": 502, "body": "html", "executed": true,
                          "effect_after_ms": 12, "retry_after_s": 13}},
               {"fault": {"kind": "cut_body", "keep_bytes": 4, "ending": "rst"}}]
  })");
  EXPECT_EQ(scenario.seed(), 7U);
  EXPECT_EQ(scenario.model.mode, AccountMode::direct);
  const auto& delays = scenario.model.delays;
  EXPECT_EQ(delays.leave, 1ms);
  EXPECT_EQ(delays.recycling, 2ms);
  EXPECT_EQ(delays.deleting, 3ms);
  EXPECT_EQ(delays.retention, 4ms);
  EXPECT_EQ(delays.renew, 5ms);
  EXPECT_FALSE(delays.transition);
  EXPECT_EQ(scenario.model.stale_read, 6ms);
  const auto& latency = std::get<LognormalLatency>(scenario.latency);
  EXPECT_EQ(latency.median, 8ms);
  EXPECT_EQ(latency.sigma, 0.25);
  EXPECT_EQ(latency.cap, 9ms);
  ASSERT_TRUE(scenario.rate_limit);
  EXPECT_EQ(scenario.rate_limit->per_second, 2.5);
  EXPECT_EQ(scenario.rate_limit->burst, 3);
  EXPECT_EQ(scenario.rate_limit->retry_after, 4s);
  EXPECT_EQ(scenario.rate_limit->body, BodyForm::html);
  EXPECT_EQ(scenario.rate_limit->begins, 14ms);
  EXPECT_EQ(scenario.rate_limit->lasts, 15ms);
  EXPECT_EQ(scenario.check.credentials.key_id, "K");
  EXPECT_EQ(scenario.check.credentials.key_secret, "S");
  EXPECT_EQ(scenario.check.credentials.token, "T");
  EXPECT_EQ(scenario.check.auth_status, 403);
  EXPECT_EQ(scenario.check.clock_offset, -301s);
  ASSERT_TRUE(scenario.idle_close);
  EXPECT_EQ(scenario.idle_close->after, 10ms);
  EXPECT_EQ(scenario.idle_close->ending, Ending::fin);
  EXPECT_EQ(scenario.detached_form, DetachedForm::missing);
  ASSERT_EQ(scenario.disks.size(), 4U);
  EXPECT_EQ(scenario.disks[0].status, DiskStatus::recycled);
  EXPECT_EQ(scenario.disks[0].name, "n");
  EXPECT_EQ(scenario.disks[0].zone, "z-1b");
  EXPECT_EQ(scenario.disks[0].size_gb, 11);
  EXPECT_EQ(scenario.disks[1].status, DiskStatus::rolling_back);
  EXPECT_TRUE(scenario.disks[1].system);
  EXPECT_FALSE(scenario.disks[1].portable);
  EXPECT_EQ(scenario.disks[3].id, "101");
  EXPECT_EQ(scenario.disks[3].status, DiskStatus::in_use);
  EXPECT_FALSE(scenario.model.create_unknown);
  ASSERT_EQ(scenario.faults.size(), 2U);
  const auto& match = scenario.faults[0].match;
  EXPECT_EQ(match.action, "ReleaseDisk");
  EXPECT_EQ(match.disk_ids, (std::unordered_set<std::string>{"d1", "d2"}));
  EXPECT_EQ(match.nth, 1U);
  EXPECT_EQ(match.every, 2U);
  EXPECT_EQ(match.first, 3U);
  EXPECT_EQ(match.probability, 0.5);
  EXPECT_TRUE(match.per_disk);
  const auto& fault = scenario.faults[0].fault;
  EXPECT_EQ(fault.kind, FaultKind::http_error);
  EXPECT_EQ(fault.status, 502);
  EXPECT_EQ(fault.body, BodyForm::html);
  EXPECT_TRUE(fault.executed);
  EXPECT_EQ(fault.effect_after, 12ms);
  EXPECT_EQ(fault.retry_after, 13s);
  EXPECT_EQ(scenario.faults[1].fault.keep_bytes, 4U);
  EXPECT_EQ(scenario.faults[1].fault.ending, Ending::rst);
}

TEST(ScenarioTest, SharesOfUnknownDisksAreRead) {
  const auto scenario = good(R"({"unknown_disks": {"not_found": 0.25, "in_use": 0.75}})");
  EXPECT_TRUE(scenario.model.create_unknown);
  EXPECT_EQ(scenario.model.unknown_mix.size(), 2U);
}

struct BadCase {
  const char* json;
  const char* problem;
};

class BadScenarioTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadScenarioTest, NamesThePlaceAndTheReason) {
  EXPECT_NE(problems(GetParam().json).find(GetParam().problem), std::string::npos)
      << GetParam().json << " gave: " << problems(GetParam().json);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, BadScenarioTest,
    testing::Values(
        BadCase{"", "test.json: $: not valid JSON"},
        BadCase{"[]", "test.json: $: must be an object"},
        BadCase{R"({"sed": 1})", "$.sed: unknown key; known here: description, seed"},
        BadCase{R"({"delays": {"leave": 1}})", "$.delays.leave: unknown key"},
        BadCase{R"({"delays": 1})", "$.delays: must be an object"},
        BadCase{R"({"delays": {"leave_ms": -1}})", "$.delays.leave_ms: must be a whole number"},
        BadCase{R"({"delays": {"leave_ms": 1.5}})", "$.delays.leave_ms: must be a whole number"},
        BadCase{R"({"seed": "1"})", "$.seed: must be a whole number"},
        BadCase{R"({"seed": true})", "$.seed: must be a whole number"},
        BadCase{R"({"account_mode": "bin"})", "must be one of recycle_bin, direct"},
        BadCase{R"({"latency": {}})", "exactly one of"},
        BadCase{R"({"latency": {"fixed_ms": 1, "uniform": {}}})", "exactly one of"},
        BadCase{R"({"latency": {"uniform": {"from_ms": 2, "to_ms": 1}}})", "not be less than"},
        BadCase{R"({"rate_limit": {"per_second": 0}})", "must be a number from"},
        BadCase{R"({"idle_close": {}})", "$.idle_close.after_ms: is missing"},
        BadCase{R"({"disks": {}})", "$.disks: must be an array"},
        BadCase{R"({"disks": [{}]})", "$.disks[0].id: is missing"},
        BadCase{R"({"disks": [{"id": "8.6E+17"}]})", "$.disks[0].id: the disk id"},
        BadCase{R"({"disks": [{"id": "a"}, {"id": "a"}]})", "$.disks[1]: the disk id stands here"},
        BadCase{R"({"disks": [{"id": "a", "kind": "odd"}]})", "is not a kind of disk"},
        BadCase{R"({"disks": [{"id": "a", "status": "odd"}]})", "is not a disk status"},
        BadCase{R"({"generate": {"count": 1, "first_id": "a1"}})", "must be a decimal number"},
        BadCase{R"({"unknown_disks": "maybe"})", "must be create_available, not_found"},
        BadCase{R"({"unknown_disks": {"in_use": 0.6, "failed": 0.5}})", "more than 1"},
        BadCase{R"({"faults": [{}]})", "$.faults[0].fault: is missing"},
        BadCase{R"({"faults": [{"fault": {"kind": "odd"}}]})", "must be one of close_before"},
        BadCase{R"({"faults": [{"fault": {"kind": "stall", "ms": 1}}]})", "ms: unknown key"},
        BadCase{R"({"faults": [{"fault": {"kind": "gzip", "executed": false}}]})",
                "executed: unknown key"},
        BadCase{R"({"faults": [{"match": {"nth": 0}, "fault": {"kind": "gzip"}}]})",
                "$.faults[0].match.nth: must be a whole number from 1"},
        BadCase{R"({"faults": [{"match": {"action": "Release"}, "fault": {"kind": "gzip"}}]})",
                "$.faults[0].match.action: must be one of"},
        BadCase{R"({"faults": [{"fault": {"kind": "redirect_302", "location": "a\r\nb: c"}}]})",
                "must not hold a line end"}));

TEST(ScenarioTest, AllProblemsAreReportedTogether) {
  const auto text = problems(R"({"seed": -1, "odd": 1, "delays": {"renew_ms": "x"}})");
  EXPECT_EQ(std::ranges::count(text, '\n'), 3) << text;
}

TEST(ScenarioTest, AFileThatIsNotThereIsAProblem) {
  EXPECT_EQ(read_scenario_file("/nonexistent/scenario.json").problems.size(), 1U);
}

const std::filesystem::path k_source = source_folder();

TEST(ScenarioTest, TheDemoScenarioIsValidAndMixesItsDisks) {
  const auto file = read_scenario_file(k_source / "jobs" / "demo.scenario.json");
  EXPECT_EQ(file.problems, std::vector<std::string>{});
  EXPECT_FALSE(file.scenario.model.unknown_mix.empty());
}

TEST(ScenarioTest, TheExampleOfTheManualIsValid) {
  std::ifstream in(k_source / "docs" / "sandbox.md");
  std::stringstream page;
  page << in.rdbuf();
  const auto text = page.str();
  const auto from = text.find("```json\n{") + 8;
  const auto to = text.find("\n```", from);
  ASSERT_NE(to, std::string::npos);
  EXPECT_EQ(problems(text.substr(from, to - from)), "");
}

TEST(ScenarioTest, TheManualNamesEveryFault) {
  std::ifstream in(k_source / "docs" / "sandbox.md");
  std::stringstream page;
  page << in.rdbuf();
  for (const auto name : fault_kind_names()) {
    EXPECT_NE(page.str().find("`" + std::string(name) + "`"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace diskrelease::sandbox
