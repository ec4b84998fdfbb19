#include "api/calls.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <type_traits>

#include "api/signed_call.h"

namespace diskrelease {
namespace {

// An OpenAttempt comes from the audit room only: nothing else may ask for a release.
static_assert(std::is_invocable_v<decltype(&release_disk_request), const Caller&,
                                  const OpenAttempt&, UtcTime>);
static_assert(
    !std::is_invocable_v<decltype(&release_disk_request), const Caller&, const DiskId&, UtcTime>);
static_assert(!std::is_default_constructible_v<OpenAttempt>);
// A Departure too, and without one nobody gets at the request.
static_assert(std::is_same_v<std::invoke_result_t<decltype(&release_disk_request), const Caller&,
                                                  const OpenAttempt&, UtcTime>,
                             ReleaseRequest>);
static_assert(!std::is_convertible_v<ReleaseRequest, HttpRequest>);
static_assert(!std::is_default_constructible_v<Departure>);
static_assert(!std::is_copy_constructible_v<Departure>);
static_assert(!std::is_constructible_v<Departure, AttemptId>);
static_assert(!std::is_copy_constructible_v<OpenAttempt>);
static_assert(!std::is_constructible_v<OpenAttempt, AttemptId, ItemId, const DiskId&, int, Stage>);

DiskId disk(std::string_view text) { return std::get<DiskId>(DiskId::parse(text)); }

Caller caller(Credential::Kind kind) {
  return {.credential = {.kind = kind,
                         .id = "AKIDEXAMPLE0000000001",
                         .secret = Secret("SecretExamplePassword000000001"),
                         .source = "test"},
          .host_header = "console.zenlayer.com",
          .client_tag = "diskrelease-test"};
}

constexpr UtcTime at(std::int64_t milliseconds) {
  return UtcTime(std::chrono::milliseconds(milliseconds));
}

HttpRequest release_call(Credential::Kind kind, UtcTime now) {
  return signed_call(caller(kind), "ReleaseDisk", release_disk_body(disk("862857204414550690")),
                     now);
}

std::string version_header(const HttpRequest& request) {
  const auto found =
      std::ranges::find(request.headers, "User-Agent", &HeaderFields::value_type::first);
  return found == request.headers.end() ? std::string() : found->second;
}

TEST(CallsTest, AKeyPairCallHasExactlyTheDocumentedHeaders) {
  const HttpRequest request = release_call(Credential::Kind::key_pair, at(1'700'000'000'000));
  EXPECT_EQ(request.path, "/api/v2/zec");
  EXPECT_EQ(request.body, R"({"diskId":"862857204414550690"})");
  const HeaderFields expected = {
      {"Content-Type", "application/json"},
      {"X-ZC-Action", "ReleaseDisk"},
      {"X-ZC-Version", "2025-09-01"},
      {"X-ZC-Service", "zec"},
      {"X-ZC-Timestamp", "1700000000"},
      {"X-ZC-Signature-Method", "ZC2-HMAC-SHA256"},
      {"Authorization",
       "ZC2-HMAC-SHA256 Credential=AKIDEXAMPLE0000000001, SignedHeaders=content-type;host, "
       "Signature=d0249e58b870346312e715d3fb992d576f890f3c92911022db04e444362c0329"},
      {"Accept", "application/json"},
      {"User-Agent", version_header(request)},
      {"X-ZC-Request-Client", "diskrelease-test"}};
  EXPECT_EQ(request.headers, expected);
}

TEST(CallsTest, ATokenCallIsNotSignedAndHasNoTimestamp) {
  const HttpRequest request = release_call(Credential::Kind::bearer, at(1'700'000'000'000));
  const HeaderFields expected = {{"Content-Type", "application/json"},
                                 {"X-ZC-Action", "ReleaseDisk"},
                                 {"X-ZC-Version", "2025-09-01"},
                                 {"X-ZC-Service", "zec"},
                                 {"Authorization", "Bearer SecretExamplePassword000000001"},
                                 {"Accept", "application/json"},
                                 {"User-Agent", version_header(request)},
                                 {"X-ZC-Request-Client", "diskrelease-test"}};
  EXPECT_EQ(request.headers, expected);
}

TEST(CallsTest, NamesToolAndVersionToTheServer) {
  const std::string agent =
      version_header(release_call(Credential::Kind::key_pair, at(1'700'000'000'000)));
  EXPECT_TRUE(agent.starts_with("diskrelease-")) << agent;
  EXPECT_GT(agent.size(), std::string_view("diskrelease-").size());
}

TEST(CallsTest, TheTimestampIsTheSecondThatHasBegun) {
  const auto timestamp = [](UtcTime now) {
    return release_call(Credential::Kind::key_pair, now).headers.at(4).second;
  };
  EXPECT_EQ(timestamp(at(1'699'999'999'999)), "1699999999");
  EXPECT_EQ(timestamp(at(1'700'000'000'000)), "1700000000");
  EXPECT_EQ(timestamp(at(1'700'000'000'999)), "1700000000");
}

TEST(CallsTest, DescribeDisksAsksForOnePageThatHoldsAllIds) {
  const std::vector<DiskId> disks = {disk("862857204414550690"), disk("862857204414550691")};
  const HttpRequest request =
      describe_disks_request(caller(Credential::Kind::key_pair), disks, at(1'700'000'000'000));
  EXPECT_EQ(request.path, "/api/v2/zec");
  EXPECT_EQ(request.headers.at(1).second, "DescribeDisks");
  EXPECT_EQ(request.body,
            R"({"diskIds":["862857204414550690","862857204414550691"],"pageNum":1,"pageSize":2})");
}

TEST(CallsTest, DescribeDisksTakesOneToOneHundredIds) {
  std::vector<DiskId> disks(1, disk("1"));
  EXPECT_EQ(describe_disks_body(disks), R"({"diskIds":["1"],"pageNum":1,"pageSize":1})");
  disks.resize(100, disk("1"));
  EXPECT_TRUE(describe_disks_body(disks).ends_with(R"("1"],"pageNum":1,"pageSize":100})"));
}

TEST(CallsDeathTest, DescribeDisksWithoutIdsOrWithTooManyAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH((void)describe_disks_body({}), "0 ids given, allowed are 1 to 100");
  const std::vector<DiskId> disks(101, disk("1"));
  EXPECT_DEATH((void)describe_disks_body(disks), "101 ids given, allowed are 1 to 100");
}

}  // namespace
}  // namespace diskrelease
