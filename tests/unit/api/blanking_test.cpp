#include "api/blanking.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "api/calls.h"
#include "api/classify.h"
#include "api/describe.h"

namespace diskrelease {
namespace {

const std::string k_secret = "not-a-secret/Ab+Cd";  // with characters that are escaped in places

Credential key_pair(const std::string& secret = k_secret) {
  return {.kind = Credential::Kind::key_pair,
          .id = "test-key-0001",
          .secret = Secret(secret),
          .source = "test"};
}

TEST(BlankingTest, TakesTheSecretOutOfATextWhereverItStands) {
  const Blanking blank(key_pair());
  EXPECT_EQ(blank(k_secret), "[secret]");
  EXPECT_EQ(blank("a" + k_secret + k_secret + "z"), "a[secret][secret]z");
  EXPECT_EQ(blank("nothing of it: not-a-secret"), "nothing of it: [secret]")
      << "a secret that the end of the text has cut";
  EXPECT_EQ(blank("not-a-secret is a part of it"), "not-a-secret is a part of it");
  EXPECT_EQ(blank("not-a"), "not-a");
  EXPECT_EQ(blank(""), "");
}

TEST(BlankingTest, TakesItOutInOtherSpellings) {
  const Blanking blank(key_pair());
  for (const char* const text :
       {"NOT-A-SECRET/AB+CD", "not-a-secret%2FAb%2bCd", "not-a-secret\\/Ab+Cd",
        "not-a-secret\\u002fAb\\u002BCd", "%6eot-a-secret/Ab+Cd"}) {
    EXPECT_EQ(blank(std::string("<") + text + ">"), "<[secret]>") << text;
  }
}

TEST(BlankingTest, LeavesTextsAloneThatHoldNone) {
  const std::string text = "HTTP 404: no such disk \xc3\xa4 %2 \\u00 %";
  EXPECT_EQ(Blanking(key_pair())(text), text);
  EXPECT_EQ(Blanking()(k_secret), k_secret);
  EXPECT_EQ(Blanking(key_pair("abc"))("abc"), "abc") << "too short to be one";
}

/// What a server may do with a request of ours: repeat parts of it wherever it can.
class EchoTest : public testing::Test {
 protected:
  const Caller caller_{key_pair(), "console.example", "diskrelease-test"};
  const Caller bearer_{{.kind = Credential::Kind::bearer,
                        .id = "token:0123456789ab",
                        .secret = Secret("not-a-token-0123456789"),
                        .source = "test"},
                       "console.example",
                       "diskrelease-test"};

  static std::string signature_of(const HttpRequest& request) {
    for (const auto& [name, value] : request.headers) {
      const auto at = value.find("Signature=");
      if (name == "Authorization" && at != std::string::npos) return value.substr(at + 10);
    }
    return {};
  }

  static void expect_blank(const std::string& text, const std::string& echo) {
    EXPECT_EQ(text.find(echo), std::string::npos) << text;
    EXPECT_EQ(text.find(echo.substr(0, 12)), std::string::npos) << text;
  }

  /// Every reply that carries `echo`, in every place that is recorded or printed.
  static void check_echo(const std::string& echo, const Blanking& blank) {
    const std::array<DiskId, 1> asked = {std::get<DiskId>(DiskId::parse("disk-1"))};
    const std::string row = R"({"diskId":"disk-1","diskStatus":")" + echo + R"(","diskName":")" +
                            echo + R"(","zoneId":")" + echo + R"(","diskType":")" + echo +
                            R"(","diskCategory":")" + echo + R"(","instanceId":")" + echo + R"("})";
    const std::array<HttpResponse, 8> replies = {
        HttpResponse{400,
                     {},
                     R"({"requestId":")" + echo + R"(","code":")" + echo +
                         R"(","message":"it was )" + echo + R"("})",
                     true},
        HttpResponse{302, {{"location", "https://portal.example/?a=" + echo}}, "", true},
        HttpResponse{502, {}, "<html>" + echo + "</html>", true},
        HttpResponse{500, {}, R"({"requestId":"T1","message":")" + echo, false},
        HttpResponse{500, {}, std::string(190, 'x') + echo, true},
        HttpResponse{
            400,
            {},
            R"({"requestId":"T1","code":"X","message":")" + std::string(1015, 'x') + echo + R"("})",
            true},
        HttpResponse{200,
                     {},
                     R"({"requestId":"T1","response":{"requestId":"T1","totalCount":1,)"
                     R"("dataSet":[)" +
                         row + "]}}",
                     true},
        HttpResponse{200,
                     {},
                     R"({"requestId":"T1","response":{"totalCount":1,"dataSet":[)"
                     R"({"diskId":")" +
                         echo + R"("}]}})",
                     true}};
    for (const HttpResponse& reply : replies) {
      const Classification release = classify_release(Reply(reply), {}, blank);
      for (const std::string& text : {release.api_code, release.request_id, release.message}) {
        expect_blank(text, echo);
      }
      DescribeReading reading = classify_describe(Reply(reply), asked, blank);
      for (const std::string& text : {reading.api_code, reading.request_id, reading.message}) {
        expect_blank(text, echo);
      }
      for (const Sighting& seen : reading.sightings) {
        for (const std::string& text : {seen.status_text, seen.name, seen.zone, seen.disk_type,
                                        seen.category, seen.instance_id}) {
          EXPECT_EQ(text, "[secret]");
        }
      }
      const DescribeReading account = classify_account(Reply(reply), blank);
      for (const std::string& text : {account.api_code, account.request_id, account.message}) {
        expect_blank(text, echo);
      }
    }
    const TransportFailure failure{TransportProblem::proxy, false, "the proxy says " + echo, 407};
    expect_blank(classify_release(failure, {}, blank).message, echo);
    expect_blank(classify_describe(failure, asked, blank).message, echo);
  }
};

TEST_F(EchoTest, NoEchoOfTheSecretOrTheSignatureIsKept) {
  const HttpRequest request = describe_account_request(caller_, UtcTime{});
  const Blanking blank(caller_.credential, request);
  check_echo(k_secret, blank);
  ASSERT_EQ(signature_of(request).size(), 64U);
  check_echo(signature_of(request), blank);
}

TEST_F(EchoTest, NoEchoOfABearerTokenIsKept) {
  check_echo("not-a-token-0123456789",
             Blanking(bearer_.credential, describe_account_request(bearer_, UtcTime{})));
}

TEST_F(EchoTest, WhatACodeMeansDoesNotDependOnTheSecret) {
  const HttpResponse reply{400, {}, R"({"requestId":"T1","code":"REQUEST_LIMIT_EXCEEDED"})", true};
  const Blanking blank(key_pair("REQUEST_LIMIT_EXCEEDED"));
  const Classification result = classify_release(Reply(reply), {}, blank);
  EXPECT_EQ(result.outcome, Outcome::throttled);
  EXPECT_EQ(result.api_code, "[secret]");
}

}  // namespace
}  // namespace diskrelease
