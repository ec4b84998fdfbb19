#include "sandbox/provider.h"

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace diskrelease::sandbox {
namespace {

using namespace std::chrono_literals;

const ArrivalTime k_arrival{UtcTime{1'700'000'000s}, SteadyTime{1'000s}};

CheckedRequest request(Action action, std::string name, std::vector<std::string> ids) {
  CheckedRequest checked;
  checked.action = action;
  checked.action_name = std::move(name);
  checked.client_tag = "test-client";
  checked.query.disk_ids = ids;
  checked.disk_ids = std::move(ids);
  return checked;
}

CheckedRequest release(const std::string& id) {
  return request(Action::release_disk, "ReleaseDisk", {id});
}
CheckedRequest describe(std::vector<std::string> ids) {
  return request(Action::describe_disks, "DescribeDisks", std::move(ids));
}

Scenario with_fault(const Fault& fault) {
  Scenario scenario;
  scenario.faults.push_back({{}, fault});
  return scenario;
}

std::string body_of(const Reaction& reaction) {
  return reaction.script.bytes.substr(reaction.script.bytes.find("\r\n\r\n") + 4);
}

Poco::JSON::Object::Ptr json_of(const Reaction& reaction) {
  Poco::JSON::Parser parser;
  return parser.parse(body_of(reaction)).extract<Poco::JSON::Object::Ptr>();
}

/// Upper-case hexadecimal digits as X.
std::string shape_of(std::string text) {
  for (char& c : text) {
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F')) c = 'X';
  }
  return text;
}

TEST(ProviderTest, AnAcceptedReleaseCarriesTheSameRequestIdInsideAndOutside) {
  Provider provider(Scenario{}, k_arrival.steady);
  const auto reaction = provider.handle(release("d1"), k_arrival);
  const auto json = json_of(reaction);
  const auto outer = json->getValue<std::string>("requestId");
  EXPECT_EQ(shape_of(outer), "TXXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX") << outer;
  EXPECT_EQ(json->getObject("response")->getValue<std::string>("requestId"), outer);
  EXPECT_TRUE(reaction.script.keep_open);
  EXPECT_TRUE(reaction.script.complete);

  const auto& entry = provider.ledger().at(0);
  EXPECT_EQ(entry.sequence, 1U);
  EXPECT_EQ(entry.arrived_utc, k_arrival.utc);
  EXPECT_EQ(entry.arrived, k_arrival.steady);
  EXPECT_EQ(entry.action, "ReleaseDisk");
  EXPECT_EQ(entry.disk_ids, std::vector<std::string>{"d1"});
  EXPECT_EQ(entry.request_id, outer);
  EXPECT_EQ(entry.client_tag, "test-client");
  EXPECT_TRUE(entry.executed);
  EXPECT_EQ(entry.status, 200);
  EXPECT_EQ(entry.delivery, Delivery::pending);
  provider.note_delivery(1, Delivery::delivered);
  EXPECT_EQ(provider.ledger().at(0).delivery, Delivery::delivered);
}

TEST(ProviderTest, RequestIdsAreFreshAndReplayWithTheSeed) {
  Provider one(Scenario{}, k_arrival.steady);
  Provider other(Scenario{}, k_arrival.steady);
  const auto first = one.handle(release("d1"), k_arrival).entry.request_id;
  EXPECT_EQ(first, other.handle(release("d9"), k_arrival).entry.request_id);
  EXPECT_NE(first, one.handle(release("d2"), k_arrival).entry.request_id);
}

TEST(ProviderTest, RowsHoldTheNullsOfTheRealThing) {
  Provider provider(Scenario{}, k_arrival.steady);
  const auto json = json_of(provider.handle(describe({"99000000000000000001"}), k_arrival));
  const auto response = json->getObject("response");
  EXPECT_EQ(response->getValue<int>("totalCount"), 1);
  const auto row = response->getArray("dataSet")->getObject(0);
  EXPECT_EQ(row->getValue<std::string>("diskId"), "99000000000000000001");
  EXPECT_EQ(row->getValue<std::string>("diskStatus"), "AVAILABLE");
  for (const char* const key :
       {"instanceId", "instanceName", "expiredTime", "period", "serial", "autoSnapshotPolicyId"}) {
    EXPECT_TRUE(row->has(key) && row->isNull(key)) << key;
  }
}

TEST(ProviderTest, ADetachedDiskCanNameItsInstanceInThreeWays) {
  Scenario scenario;
  scenario.detached_form = DetachedForm::empty;
  Provider empty(scenario, k_arrival.steady);
  EXPECT_NE(body_of(empty.handle(describe({"d1"}), k_arrival)).find(R"("instanceId":"")"),
            std::string::npos);
  scenario.detached_form = DetachedForm::missing;
  Provider missing(scenario, k_arrival.steady);
  EXPECT_EQ(body_of(missing.handle(describe({"d1"}), k_arrival)).find("instanceId"),
            std::string::npos);
}

TEST(ProviderTest, ChecksComeInTheOrderAuthorizationRateParametersDisk) {
  Scenario scenario;
  scenario.model.create_unknown = false;
  scenario.rate_limit =
      RateLimitSettings{.per_second = 1, .burst = 1, .retry_after = 7s, .body = BodyForm::json};
  Provider provider(scenario, k_arrival.steady);
  auto everything_wrong = release("nobody");
  everything_wrong.refusal = ApiError{401, "AUTHFAILURE_SIGNATURE_FAILURE", ""};
  everything_wrong.bad_parameters = ApiError{400, "MISSING_PARAMETER", ""};
  EXPECT_EQ(provider.handle(everything_wrong, k_arrival).entry.code,
            "AUTHFAILURE_SIGNATURE_FAILURE");
  everything_wrong.refusal.reset();
  EXPECT_EQ(provider.handle(everything_wrong, k_arrival).entry.code, "MISSING_PARAMETER")
      << "the refused call took no token";
  const auto throttled = provider.handle(everything_wrong, k_arrival);
  EXPECT_EQ(throttled.entry.code, "REQUEST_LIMIT_EXCEEDED");
  EXPECT_EQ(throttled.entry.status, 429);
  EXPECT_NE(throttled.script.bytes.find("\r\nRetry-After: 7\r\n"), std::string::npos);
  everything_wrong.bad_parameters.reset();
  EXPECT_EQ(provider.handle(everything_wrong, {k_arrival.utc, k_arrival.steady + 1s}).entry.code,
            "INVALID_DISK_NOT_FOUND");
}

TEST(ProviderTest, AThrottledReleaseIsNotExecuted) {
  Scenario scenario;
  scenario.rate_limit =
      RateLimitSettings{.per_second = 1, .burst = 1, .retry_after = {}, .body = BodyForm::html};
  Provider provider(scenario, k_arrival.steady);
  (void)provider.handle(release("d1"), k_arrival);
  const auto throttled = provider.handle(release("d2"), k_arrival);
  EXPECT_FALSE(throttled.entry.executed);
  EXPECT_EQ(throttled.script.bytes.find("Retry-After"), std::string::npos);
  EXPECT_NE(throttled.script.bytes.find("<html>"), std::string::npos);
  EXPECT_FALSE(provider.disks().fate("d2", k_arrival.steady));
}

class EveryFaultTest : public testing::TestWithParam<FaultKind> {};

TEST_P(EveryFaultTest, ExecutesExactlyWhatItSaysAndTheLedgerKnows) {
  for (const bool executed : {false, true}) {
    auto fault = default_fault(GetParam());
    if (!may_choose_executed(fault.kind) && fault.executed != executed) continue;
    fault.executed = executed;
    Provider provider(with_fault(fault), k_arrival.steady);
    const auto reaction = provider.handle(release("d1"), k_arrival);
    const auto fate = provider.disks().fate("d1", k_arrival.steady);
    const int accepted = fate ? fate->accepted_releases : 0;
    const bool attached = fault.kind == FaultKind::attach_before_executing;
    EXPECT_EQ(accepted, executed && !attached ? 1 : 0);
    EXPECT_EQ(reaction.entry.executed, accepted == 1);
    EXPECT_EQ(reaction.entry.fault, to_text(fault.kind));
    EXPECT_EQ(reaction.entry.status == 0, reaction.script.bytes.empty());
    if (attached) {
      EXPECT_EQ(reaction.entry.code, "UNSUPPORTED_OPERATION_DISK_STATUS");
    }
  }
}

std::vector<FaultKind> every_kind() {
  std::vector<FaultKind> kinds;
  for (const auto name : fault_kind_names()) kinds.push_back(*fault_kind_from_text(name));
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryFaultTest, testing::ValuesIn(every_kind()),
                         [](const auto& tested) { return std::string(to_text(tested.param)); });

TEST(ProviderTest, AnExecutionCanOutliveItsRequest) {
  auto fault = default_fault(FaultKind::close_after_executing);
  fault.effect_after = 5s;
  Provider provider(with_fault(fault), k_arrival.steady);
  (void)provider.handle(release("d1"), k_arrival);
  EXPECT_EQ(provider.disks().fate("d1", k_arrival.steady + 4999ms)->status, DiskStatus::available);
  EXPECT_EQ(provider.disks().fate("d1", k_arrival.steady + 5s)->status, DiskStatus::recycled);
}

TEST(ProviderTest, TheDateHeaderShowsTheServersClock) {
  Scenario scenario;
  scenario.check.clock_offset = 3600s;
  Provider provider(scenario, k_arrival.steady);
  EXPECT_NE(provider.handle(release("d1"), k_arrival)
                .script.bytes.find("\r\nDate: Tue, 14 Nov 2023 23:13:20 GMT\r\n"),
            std::string::npos);
}

TEST(LatencyTest, IsDrawnFromSeedAndSequenceWithinItsBounds) {
  EXPECT_EQ(draw_latency(FixedLatency{20ms}, 1, 1), 20ms);
  const UniformLatency uniform{10ms, 20ms};
  const LognormalLatency lognormal{.median = 40ms, .sigma = 0.5, .cap = 100ms};
  int below_median = 0;
  constexpr std::uint64_t k_draws = 2000;
  for (std::uint64_t n = 1; n <= k_draws; ++n) {
    const auto drawn = draw_latency(uniform, 1, n);
    EXPECT_GE(drawn, 10ms);
    EXPECT_LE(drawn, 20ms);
    EXPECT_EQ(drawn, draw_latency(uniform, 1, n));
    const auto long_tail = draw_latency(lognormal, 1, n);
    EXPECT_GT(long_tail, 0ms);
    EXPECT_LE(long_tail, 100ms);
    if (long_tail < 40ms) ++below_median;
  }
  EXPECT_NEAR(below_median, k_draws / 2, 100);
}

}  // namespace
}  // namespace diskrelease::sandbox
