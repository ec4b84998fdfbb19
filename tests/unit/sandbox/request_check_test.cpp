#include "sandbox/request_check.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "sandbox/request_reader.h"
#include "sandbox/server_rate_limit.h"

namespace diskrelease::sandbox {
namespace {

using namespace std::chrono_literals;

/// Vectors made with the code of zenlayer/zenlayercloud-sdk-python 2.0.69, but the one named
/// published, which docs.console.zenlayer.com prints in its description of the signature.
struct Vector {
  std::string name;
  std::string body = R"({"diskId":"862857204414550690"})";
  std::string signature;
  std::string host = "console.zenlayer.com";
  std::string content_type = "application/json";
  std::string secret = "SecretExamplePassword000000001";
  std::int64_t timestamp = 1'700'000'000;
};

ReceivedRequest signed_request(const Vector& vector) {
  return {"POST",
          "/api/v2/zec",
          {{"host", vector.host},
           {"content-type", vector.content_type},
           {"x-zc-action", "ReleaseDisk"},
           {"x-zc-version", "2025-09-01"},
           {"x-zc-timestamp", std::to_string(vector.timestamp)},
           {"x-zc-signature-method", "ZC2-HMAC-SHA256"},
           {"authorization",
            "ZC2-HMAC-SHA256 Credential=AKIDEXAMPLE0000000001, SignedHeaders=content-type;host, "
            "Signature=" +
                vector.signature}},
          vector.body};
}

SandboxCredentials credentials_of(const Vector& vector) {
  return {"AKIDEXAMPLE0000000001", vector.secret, "fake-token"};
}

UtcTime at(std::int64_t unix_seconds) { return UtcTime(std::chrono::seconds(unix_seconds)); }

std::string verdict(const ReceivedRequest& request, const Vector& vector,
                    std::chrono::milliseconds skew = 0ms) {
  const auto error =
      check_authorization(request, credentials_of(vector), at(vector.timestamp) + skew, 401);
  return error ? error->code : "let in";
}

void replace_header(ReceivedRequest& request, std::string_view name, std::string value) {
  for (auto& [field, content] : request.headers) {
    if (field == name) content = std::move(value);
  }
}

class SignatureVectorTest : public testing::TestWithParam<Vector> {};

TEST_P(SignatureVectorTest, IsAcceptedAsItIsAndRefusedWithOneBitOff) {
  const auto& vector = GetParam();
  const auto request = signed_request(vector);
  EXPECT_EQ(verdict(request, vector), "let in");

  auto other_body = request;
  if (other_body.body.empty()) {
    other_body.body = "\x01";
  } else {
    other_body.body.front() = static_cast<char>(other_body.body.front() ^ 1);
  }
  EXPECT_EQ(verdict(other_body, vector), "AUTHFAILURE_SIGNATURE_FAILURE");
  auto other_signature = vector;
  other_signature.signature.back() = other_signature.signature.back() == '0' ? '1' : '0';
  EXPECT_EQ(verdict(signed_request(other_signature), vector), "AUTHFAILURE_SIGNATURE_FAILURE");
  auto other_host = vector;
  other_host.host.back() = 'x';
  EXPECT_EQ(verdict(signed_request(other_host), vector), "AUTHFAILURE_SIGNATURE_FAILURE");
  auto other_type = vector;
  other_type.content_type += ' ';
  EXPECT_EQ(verdict(signed_request(other_type), vector), "AUTHFAILURE_SIGNATURE_FAILURE");
  auto other_time = vector;
  ++other_time.timestamp;
  EXPECT_EQ(verdict(signed_request(other_time), vector), "AUTHFAILURE_SIGNATURE_FAILURE");
  auto other_secret = vector;
  other_secret.secret += ' ';
  EXPECT_EQ(verdict(request, other_secret), "AUTHFAILURE_SIGNATURE_FAILURE");
}

INSTANTIATE_TEST_SUITE_P(
    Vectors, SignatureVectorTest,
    testing::Values(
        Vector{.name = "published",
               .body = R"({"pageSize":10,"pageNum":1,"zoneId":"HKG-A"})",
               .signature = "efb356c32e55c781e10dc676da59462c22596d82e91c57803666243379555b2f",
               .content_type = "application/json; charset=utf-8",
               .secret = "Gu5t9xGARNpq86cd98joQYCN3",
               .timestamp = 1'673'361'177},
        Vector{.name = "compact",
               .signature = "d0249e58b870346312e715d3fb992d576f890f3c92911022db04e444362c0329"},
        Vector{.name = "with_a_space",
               .body = R"({"diskId": "862857204414550690"})",
               .signature = "995338949cef943b8d33eaa7f628f7432747442785f6f6e0ec3ca00eed9e51dd"},
        Vector{.name = "utf8",
               .body = "{\"diskName\":\"\xe6\x95\xb0\xe6\x8d\xae\xe7\x9b\x98-\xc3\xa9-"
                       "\xf0\x9f\x98\x80\"}",
               .signature = "cc8f2b6b88bb43842abdcaaf7597fba353b664ef66318a1611e219d9f70459d9"},
        Vector{.name = "escaped",
               .body = "{\"diskName\":\"\\u6570\\u636e\\u76d8-\\u00e9-\\ud83d\\ude00\"}",
               .signature = "1bec92797feabdfa8913754eb6451d36596a3df33f5f6cf99d814bd754852563"},
        Vector{.name = "utf8_secret",
               .signature = "f4956c9896bab17815405fa395f331718272eefd6660d17f7464edd891f88a7b",
               .secret = "p\xc3\xa4ssw\xc3\xb6rd-\xe5\xaf\x86\xe7\xa0\x81"},
        Vector{.name = "line_ends",
               .body = "{\n  \"diskId\": \"862857204414550690\"\n}\n",
               .signature = "6d373f6e2a14cd123ee1cac2ee818592700a9e01bb048f528c22b60cf0e29f1b"},
        Vector{.name = "no_body",
               .body = "",
               .signature = "1207dd0e6bb2e4851e7ccc2b82fa2789ce2c83e6abb43fba4ea369a10c6731bc"},
        Vector{.name = "empty_object",
               .body = "{}",
               .signature = "c449cacf0e67538cf03df0ebe537fd4d09632a636b29dc31b352112bdb5f0f83"},
        Vector{.name = "describe",
               .body = R"({"diskIds":["862857204414550690","862857204414550691"],)"
                       R"("pageNum":1,"pageSize":1000})",
               .signature = "03a23f946299b78e970df811072e891df029b172808e3a0362c62e86951d28e8"},
        Vector{.name = "host_with_port",
               .signature = "6f61eda55b5adb56bcd6f05999f1273d2c204d45ee1749ed2ed0b1c1ff8412e4",
               .host = "127.0.0.1:18080"},
        Vector{.name = "charset",
               .signature = "0659f777b543345d35ae918cefef572cea1f5ca2f42a33c8b5b3c5e76936f33e",
               .content_type = "application/json; charset=utf-8"},
        Vector{.name = "long_secret",
               .signature = "8dfc058e2df9844439c5e8997fd6a332e9fb9a537801d3c56faf72eebaebd8e6",
               .secret = std::string(80, 'x')},
        Vector{.name = "on_the_wire",
               .body = R"({"diskId": "862857204414550690"})",
               .signature = "4792b14999f724e10ba461149adc894c75ddfa8c62a174d0031109234e87992d",
               .host = "127.0.0.1:33377",
               .timestamp = 1'795'454'987}),
    [](const auto& tested) { return tested.param.name; });

const Vector k_compact{
    .name = "compact",
    .signature = "d0249e58b870346312e715d3fb992d576f890f3c92911022db04e444362c0329"};

TEST(AuthorizationCheckTest, TheClockMayBeOffByThreeHundredSecondsInEitherDirection) {
  const auto request = signed_request(k_compact);
  EXPECT_EQ(verdict(request, k_compact, 299s), "let in");
  EXPECT_EQ(verdict(request, k_compact, 300s), "let in");
  EXPECT_EQ(verdict(request, k_compact, 301s), "AUTHFAILURE_SIGNATURE_EXPIRED");
  EXPECT_EQ(verdict(request, k_compact, -299s), "let in");
  EXPECT_EQ(verdict(request, k_compact, -300s), "let in");
  EXPECT_EQ(verdict(request, k_compact, -301s), "AUTHFAILURE_SIGNATURE_EXPIRED");
}

TEST(AuthorizationCheckTest, FormComesBeforeTheClockAndTheClockBeforeTheSignature) {
  auto everything_wrong = signed_request(k_compact);
  everything_wrong.body += ' ';
  EXPECT_EQ(verdict(everything_wrong, k_compact, 301s), "AUTHFAILURE_SIGNATURE_EXPIRED");
  replace_header(everything_wrong, "authorization", "ZC2-HMAC-SHA256 Credential=");
  EXPECT_EQ(verdict(everything_wrong, k_compact, 301s), "AUTHFAILURE_INVALID_AUTHORIZATION");
}

TEST(AuthorizationCheckTest, MalformedHeadersAreRefused) {
  for (const std::string_view name : {"authorization", "x-zc-timestamp", "x-zc-signature-method"}) {
    for (const std::string value : {"", "nonsense", "9999999999999999999999"}) {
      auto request = signed_request(k_compact);
      replace_header(request, name, value);
      EXPECT_EQ(verdict(request, k_compact), "AUTHFAILURE_INVALID_AUTHORIZATION") << name << value;
    }
  }
}

TEST(AuthorizationCheckTest, TimestampsAtTheEdgeOfTheNumbersAreExpired) {
  for (const std::string value : {"9223372036854775807", "-9223372036854775808", "0"}) {
    auto request = signed_request(k_compact);
    replace_header(request, "x-zc-timestamp", value);
    EXPECT_EQ(verdict(request, k_compact), "AUTHFAILURE_SIGNATURE_EXPIRED") << value;
  }
}

TEST(AuthorizationCheckTest, AnotherKeyIdIsRefusedAlthoughItIsNotSigned) {
  auto request = signed_request(k_compact);
  replace_header(request, "authorization",
                 "ZC2-HMAC-SHA256 Credential=SOMEBODYELSE, SignedHeaders=content-type;host, "
                 "Signature=" +
                     k_compact.signature);
  EXPECT_EQ(verdict(request, k_compact), "AUTHFAILURE_SIGNATURE_FAILURE");
}

ReceivedRequest with_token(std::string action, std::string body) {
  return {"POST",
          "/api/v2/zec",
          {{"authorization", "Bearer sandbox-token-not-a-real-one"},
           {"x-zc-action", std::move(action)},
           {"x-zc-request-client", "test"}},
          std::move(body)};
}

CheckedRequest check(const ReceivedRequest& request) {
  return check_request(request, CheckSettings{}, at(1'700'000'000));
}

std::string code(const std::optional<ApiError>& error) { return error ? error->code : ""; }

TEST(RequestCheckTest, ATokenLetsInWithoutVersionOrTimestamp) {
  const auto checked = check(with_token("ReleaseDisk", R"({"diskId":"d1"})"));
  EXPECT_FALSE(checked.refusal);
  EXPECT_FALSE(checked.bad_parameters);
  EXPECT_EQ(checked.action, Action::release_disk);
  EXPECT_EQ(checked.disk_ids, std::vector<std::string>{"d1"});
  EXPECT_EQ(checked.client_tag, "test");
}

TEST(RequestCheckTest, AWrongTokenIsRefused) {
  auto request = with_token("ReleaseDisk", "{}");
  replace_header(request, "authorization", "Bearer sandbox-token-not-a-real-onf");
  EXPECT_EQ(code(check(request).refusal), "AUTHFAILURE_SIGNATURE_FAILURE");
}

TEST(RequestCheckTest, OtherPathsAndMethodsAreNotTheApi) {
  auto request = with_token("ReleaseDisk", "{}");
  request.method = "GET";
  EXPECT_EQ(check(request).not_the_api, 405);
  request.path = "/api/v2/zec/";
  EXPECT_EQ(check(request).not_the_api, 404);
}

TEST(RequestCheckTest, UnknownActionsAndVersionsAreRefused) {
  EXPECT_EQ(code(check(with_token("releaseDisk", "{}")).refusal),
            "AUTHFAILURE_UNAUTHORIZED_OPERATION");
  auto request = with_token("ReleaseDisk", R"({"diskId":"d1"})");
  request.headers.emplace_back("x-zc-version", "2024-04-01");
  EXPECT_FALSE(check(request).refusal);
  replace_header(request, "x-zc-version", "2023-03-13");
  EXPECT_EQ(code(check(request).refusal), "AUTHFAILURE_UNAUTHORIZED_OPERATION");
}

struct BodyCase {
  const char* action;
  const char* body;
  const char* code;
};

class BodyTest : public testing::TestWithParam<BodyCase> {};

TEST_P(BodyTest, ParametersAreChecked) {
  const auto checked = check(with_token(GetParam().action, GetParam().body));
  EXPECT_EQ(code(checked.bad_parameters), GetParam().code) << GetParam().body;
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, BodyTest,
    testing::Values(BodyCase{"ReleaseDisk", R"({"diskId":"1"})", ""},
                    BodyCase{"ReleaseDisk", "{}", "MISSING_PARAMETER"},
                    BodyCase{"ReleaseDisk", R"({"diskId":null})", "MISSING_PARAMETER"},
                    BodyCase{"ReleaseDisk", R"({"diskId":""})", "MISSING_PARAMETER"},
                    BodyCase{"ReleaseDisk", R"({"diskId":1})", "INVALID_PARAMETER_TYPE"},
                    BodyCase{"RenewDisk", R"({"diskId":["1"]})", "INVALID_PARAMETER_TYPE"},
                    BodyCase{"ReleaseDisk", "", "INVALID_PARAMETER_TYPE"},
                    BodyCase{"ReleaseDisk", "[]", "INVALID_PARAMETER_TYPE"},
                    BodyCase{"ReleaseDisk", R"({"diskId":"1")", "INVALID_PARAMETER_TYPE"},
                    BodyCase{"DescribeDisks", "{}", ""},
                    BodyCase{"DescribeDisks", R"({"diskIds":[1]})", "INVALID_PARAMETER_TYPE"},
                    BodyCase{"DescribeDisks", R"({"diskIds":"1"})", "INVALID_PARAMETER_TYPE"},
                    BodyCase{"DescribeDisks", R"({"pageSize":"20"})", "INVALID_PARAMETER_TYPE"},
                    BodyCase{"DescribeDisks", R"({"pageNum":1.5})", "INVALID_PARAMETER_TYPE"}));

TEST(RequestReaderTest, PutsRequestsTogetherFromAnyPieces) {
  const std::string bytes =
      "POST /api/v2/zec HTTP/1.1\r\nHost: a\r\nX-ZC-Action:  R \r\nContent-Length: 2\r\n\r\n{}";
  RequestReader reader;
  ReceivedRequest request;
  for (int round = 0; round < 2; ++round) {
    for (std::size_t n = 0; n + 1 < bytes.size(); ++n) {
      reader.append({&bytes[n], 1});
      ASSERT_EQ(reader.next(request), RequestReader::State::incomplete) << n;
    }
    reader.append({&bytes.back(), 1});
    ASSERT_EQ(reader.next(request), RequestReader::State::complete);
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/api/v2/zec");
    EXPECT_EQ(header(request, "x-zc-action"), "R");
    EXPECT_EQ(request.body, "{}");
  }
}

TEST(RequestReaderTest, RefusesWhatIsNotARequestWithALength) {
  for (const std::string_view bytes :
       {"nonsense\r\n\r\n", "POST / HTTP/1.0\r\n\r\n", "POST / HTTP/1.1\r\nno colon\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    RequestReader reader;
    ReceivedRequest request;
    reader.append(bytes);
    EXPECT_EQ(reader.next(request), RequestReader::State::malformed) << bytes;
  }
}

TEST(ServerRateLimitTest, AdmitsTheBurstAndThenOneRequestForEachTokenDue) {
  const SteadyTime start{1s};
  ServerRateLimit limit({.per_second = 10, .burst = 2, .retry_after = {}, .body = BodyForm::json});
  EXPECT_TRUE(limit.admit(start));
  EXPECT_TRUE(limit.admit(start));
  EXPECT_FALSE(limit.admit(start));
  EXPECT_FALSE(limit.admit(start + 99ms));
  EXPECT_TRUE(limit.admit(start + 100ms));
  EXPECT_FALSE(limit.admit(start + 101ms));
  EXPECT_TRUE(limit.admit(start + 1h));
  EXPECT_TRUE(limit.admit(start + 1h));
  EXPECT_FALSE(limit.admit(start + 1h));
}

TEST(ServerRateLimitTest, AStormBeginsAfterTheFirstRequestAndPasses) {
  const SteadyTime first{1h};
  ServerRateLimit limit({.per_second = 0.001,
                         .burst = 1,
                         .retry_after = {},
                         .body = BodyForm::json,
                         .begins = 10s,
                         .lasts = 5s});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.admit(first));
  EXPECT_TRUE(limit.admit(first + 9'999ms));
  EXPECT_TRUE(limit.admit(first + 10s)) << "the bucket is full";
  EXPECT_FALSE(limit.admit(first + 10s));
  EXPECT_FALSE(limit.admit(first + 14'999ms));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.admit(first + 15s));
}

}  // namespace
}  // namespace diskrelease::sandbox
