#include "api/classify.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "model/visible_text.h"

namespace diskrelease {
namespace {

using enum Outcome;

constexpr std::string_view k_id = "T52617F2F-33A3-42EF-B353-CC44271C89E4";
const std::string k_success =
    R"({"requestId":"T52617F2F-33A3-42EF-B353-CC44271C89E4",)"
    R"("response":{"requestId":"T52617F2F-33A3-42EF-B353-CC44271C89E4"}})";

std::string api_error(std::string_view code) {
  return R"({"requestId":"T1","code":")" + std::string(code) + R"(","message":"m"})";
}

HttpResponse response(int status, std::string body, HeaderFields headers = {}) {
  return {.status = status,
          .headers = std::move(headers),
          .body = std::move(body),
          .length_proven = true};
}

Classification classify(const HttpResponse& reply, PriorKnowledge prior = {}) {
  return classify_release(Reply(reply), prior, Blanking());
}

void expect_consistent(const Classification& result) {
  if (result.outcome != unknown) {
    EXPECT_EQ(result.stop.has_value(), result.scope == Scope::run);
  }
  if (result.scope == Scope::run) {
    EXPECT_NE(result.outcome, unknown);
  }
  EXPECT_LE(result.api_code.size(), 128U);
  EXPECT_LE(result.request_id.size(), 128U);
  EXPECT_LE(result.message.size(), 1024U);
  EXPECT_TRUE(is_utf8(result.message));
  if (result.outcome != throttled) {
    EXPECT_FALSE(result.retry_after);
  }
}

// --- every shape of answer

struct Shape {
  std::string name;
  HttpResponse reply;
  Outcome outcome;
  std::optional<StopCause> stop = std::nullopt;
};

const HeaderFields k_html = {{"content-type", "text/html; charset=UTF-8"}};
const HeaderFields k_json = {{"content-type", "application/json;charset=UTF-8"}};

std::vector<Shape> shapes() {
  const std::string html = "<html><body>Bad gateway</body></html>";
  const auto challenge = HeaderFields{{"cf-mitigated", "challenge"}};
  HttpResponse unproven_success = response(200, k_success);
  unproven_success.length_proven = false;
  HttpResponse unproven_empty_404 = response(404, "");
  unproven_empty_404.length_proven = false;
  HttpResponse unproven_empty_401 = response(401, "");
  unproven_empty_401.length_proven = false;
  HttpResponse unproven_html_404 = response(404, html, k_html);
  unproven_html_404.length_proven = false;

  return {
      // 200
      {"the documented success", response(200, k_success), accepted},
      {"success in a body whose length proves nothing", unproven_success, accepted},
      {"success with blanks around it", response(200, " \r\n" + k_success + "\n"), accepted},
      {"success without inner request id", response(200, R"({"requestId":"T1","response":{}})"),
       accepted},
      {"success with members not known here",
       response(200, R"({"requestId":"T1","x":[1],"response":{"requestId":"T1","y":null}})"),
       accepted},
      {"identity is no encoding", response(200, k_success, {{"content-encoding", "identity"}}),
       accepted},
      {"encoded success", response(200, k_success, {{"content-encoding", "gzip"}}), unknown},
      {"gzip bytes", response(200, "\x1f\x8b\x08", {{"content-encoding", "gzip"}}), unknown},
      {"code beside response", response(200, R"({"requestId":"T1","code":"X","response":{}})"),
       unknown},
      {"null code beside response",
       response(200, R"({"requestId":"T1","code":null,"response":{}})"), unknown},
      {"code without response", response(200, api_error("INVALID_DISK_NOT_FOUND")), unknown},
      {"rate code with 200", response(200, api_error("REQUEST_LIMIT_EXCEEDED")), unknown},
      {"auth code with 200", response(200, api_error("AUTHFAILURE_SIGNATURE_FAILURE")), unknown},
      {"request ids that differ",
       response(200, R"({"requestId":"T1","response":{"requestId":"T2"}})"), unknown},
      {"request ids that differ in case",
       response(200, R"({"requestId":"Ta","response":{"requestId":"TA"}})"), unknown},
      {"inner request id of a wrong type",
       response(200, R"({"requestId":"1","response":{"requestId":1}})"), unknown},
      {"inner request id null",
       response(200, R"({"requestId":"T1","response":{"requestId":null}})"), unknown},
      {"no outer request id", response(200, R"({"response":{"requestId":"T1"}})"), unknown},
      {"empty request id", response(200, R"({"requestId":"","response":{}})"), unknown},
      {"numeric request id", response(200, R"({"requestId":7,"response":{}})"), unknown},
      {"unprintable request id", response(200, R"({"requestId":"T\u0007","response":{}})"),
       unknown},
      {"null response", response(200, R"({"requestId":"T1","response":null})"), unknown},
      {"array response", response(200, R"({"requestId":"T1","response":[]})"), unknown},
      {"text response", response(200, R"({"requestId":"T1","response":"ok"})"), unknown},
      {"no response", response(200, R"({"requestId":"T1"})"), unknown},
      {"key cut by NUL", response(200, R"({"requestId":"T1","response\u0000x":{}})"), unknown},
      {"wrong case of a key", response(200, R"({"requestId":"T1","Response":{}})"), unknown},
      {"two responses", response(200, R"({"requestId":"T1","response":{},"response":{}})"),
       unknown},
      {"two request ids", response(200, R"({"requestId":"T1","requestId":"T1","response":{}})"),
       unknown},
      {"two documents", response(200, k_success + k_success), unknown},
      {"success then rubbish", response(200, k_success + "x"), unknown},
      {"success then NUL", response(200, k_success + std::string(1, '\0')), unknown},
      {"success in an array", response(200, "[" + k_success + "]"), unknown},
      {"byte order mark", response(200, "\xEF\xBB\xBF" + k_success), unknown},
      {"not UTF-8", response(200, "{\"requestId\":\"T1\",\"response\":{\"x\":\"\xff\"}}"), unknown},
      {"cut success", response(200, k_success.substr(0, k_success.size() - 1)), unknown},
      {"HTML with 200", response(200, html, k_html), unknown},
      {"nothing with 200", response(200, ""), unknown},
      {"scalar with 200", response(200, "true"), unknown},
      // Other 2xx
      {"201", response(201, k_success), unknown},
      {"202", response(202, k_success), unknown},
      {"204", response(204, ""), unknown},
      {"206", response(206, k_success), unknown},
      {"299", response(299, k_success), unknown},
      // Interim and undefined
      {"100", response(100, ""), unknown},
      {"101", response(101, k_success), unknown},
      {"199", response(199, api_error("AUTHFAILURE_X")), unknown},
      {"600", response(600, api_error("INVALID_DISK_NOT_FOUND")), unknown},
      {"999", response(999, ""), unknown},
      // 3xx
      {"300", response(300, ""), unknown, StopCause::redirect},
      {"302", response(302, "", {{"location", "https://portal.example/"}}), unknown,
       StopCause::redirect},
      {"302 with HTML", response(302, html, k_html), unknown, StopCause::redirect},
      {"303", response(303, "", {{"location", "/done"}}), unknown, StopCause::redirect},
      {"307", response(307, ""), unknown, StopCause::redirect},
      {"302 with a code alone", response(302, R"({"code":"AUTHFAILURE_X"})"), unknown,
       StopCause::redirect},
      {"302 with a request id alone", response(302, R"({"requestId":"T1"})"), unknown,
       StopCause::redirect},
      {"307 with a disk code", response(307, api_error("INVALID_DISK_NOT_FOUND")), rejected,
       StopCause::redirect},
      {"304", response(304, ""), unknown, StopCause::redirect},
      {"399", response(399, ""), unknown, StopCause::redirect},
      {"302 with auth code", response(302, api_error("AUTHFAILURE_X")), rejected,
       StopCause::authentication},
      {"302 with a fault code", response(302, api_error("INTERNAL_SERVER_ERROR")), unknown},
      // The edge
      {"403 challenge", response(403, html, challenge), rejected, StopCause::edge_block},
      {"403 cf-mitigated of another value", response(403, html, {{"cf-mitigated", "block"}}),
       rejected, StopCause::edge_block},
      {"403 challenge with JSON", response(403, R"({"x":1})", challenge), rejected,
       StopCause::edge_block},
      {"403 HTML", response(403, html, k_html), rejected, StopCause::edge_block},
      {"403 empty", response(403, ""), rejected, StopCause::edge_block},
      {"403 JSON without code", response(403, R"({"error":"no"})"), rejected,
       StopCause::edge_block},
      {"403 with a code", response(403, api_error("SOMETHING_DENIED")), rejected},
      {"403 cut JSON", response(403, R"({"requestId":"T1","co)"), unknown},
      {"451", response(451, html, k_html), rejected, StopCause::edge_block},
      {"451 with a disk code", response(451, api_error("INVALID_DISK_NOT_FOUND")), rejected,
       StopCause::edge_block},
      {"451 with a fault code", response(451, api_error("INTERNAL_SERVER_ERROR")), unknown},
      {"503 challenge", response(503, html, challenge), unknown},
      // Authentication
      {"401 without code", response(401, "no"), unknown, StopCause::authentication},
      {"401 empty", response(401, "", {{"www-authenticate", "Basic"}}), unknown,
       StopCause::authentication},
      {"401 empty, cut perhaps", unproven_empty_401, unknown, StopCause::authentication},
      {"401 with cut JSON", response(401, "{\"requestId\""), unknown, StopCause::authentication},
      {"401 with an auth code alone", response(401, R"({"code":"AUTHFAILURE_X"})"), unknown,
       StopCause::authentication},
      {"401 with auth code", response(401, api_error("AUTHFAILURE_X")), rejected,
       StopCause::authentication},
      {"401 with a disk code", response(401, api_error("INVALID_DISK_NOT_PORTABLE")), rejected},
      {"401 with a fault code", response(401, api_error("REQUEST_TIMED_OUT")), unknown},
      // Not the API
      {"404 text", response(404, "404 page not found"), rejected, StopCause::wrong_endpoint},
      {"404 HTML of unproven length", unproven_html_404, rejected, StopCause::wrong_endpoint},
      {"404 empty", response(404, ""), rejected, StopCause::wrong_endpoint},
      {"404 empty, cut perhaps", unproven_empty_404, unknown},
      {"404 JSON of somebody else", response(404, R"({"error":"no route"})", k_json), rejected,
       StopCause::wrong_endpoint},
      {"404 JSON array", response(404, "[]"), rejected, StopCause::wrong_endpoint},
      {"400 HTML", response(400, html, k_html), rejected, StopCause::wrong_endpoint},
      {"405 HTML", response(405, html, k_html), rejected, StopCause::wrong_endpoint},
      {"413 HTML", response(413, html, k_html), rejected, StopCause::wrong_endpoint},
      {"414 HTML", response(414, html, k_html), rejected, StopCause::wrong_endpoint},
      {"415 empty", response(415, ""), rejected, StopCause::wrong_endpoint},
      {"431 text", response(431, "header too large"), rejected, StopCause::wrong_endpoint},
      {"499 text", response(499, "x"), rejected, StopCause::wrong_endpoint},
      // 4xx that proves nothing
      {"400 cut JSON", response(400, R"({"requestId":"T1","code":"INVALID_DISK)"), unknown},
      {"404 cut JSON", response(404, " {"), unknown},
      {"404 cut JSON after a byte order mark", response(404, "\xEF\xBB\xBF{"), unknown},
      {"404 cut array", response(404, "["), unknown},
      {"404 text that calls itself JSON", response(404, "oops", k_json), unknown},
      {"404 empty that calls itself JSON", response(404, "", k_json), unknown},
      {"404 encoded", response(404, "\x1f\x8b", {{"content-encoding", "br"}}), unknown},
      {"404 two codes", response(404, R"({"code":"INVALID_DISK_NOT_FOUND","code":"X"})"), unknown},
      {"404 JSON with request id but no code", response(404, R"({"requestId":"T1"})"), unknown},
      {"404 numeric code", response(404, R"({"code":404,"message":"no"})"), unknown},
      {"404 null code", response(404, R"({"code":null})"), unknown},
      {"404 empty code", response(404, R"({"code":""})"), unknown},
      {"404 code with a blank", response(404, R"({"code":"NOT FOUND"})"), unknown},
      {"404 code that is not ASCII", response(404, "{\"code\":\"\xc3\x84\"}"), unknown},
      {"400 with a response", response(400, k_success), unknown},
      {"404 with code and response",
       response(404, R"({"requestId":"T1","code":"INVALID_DISK_NOT_PORTABLE","response":{}})"),
       unknown},
      {"400 with code and null response",
       response(400, R"({"requestId":"T1","code":"INVALID_DISK_NOT_PORTABLE","response":null})"),
       rejected},
      {"408", response(408, html, k_html), unknown},
      {"408 with a disk code", response(408, api_error("INVALID_DISK_NOT_PORTABLE")), unknown},
      {"408 with auth code", response(408, api_error("AUTHFAILURE_X")), unknown},
      {"425 with rate code", response(425, api_error("REQUEST_LIMIT_EXCEEDED")), unknown},
      {"425", response(425, ""), unknown},
      // Rate
      {"429", response(429, api_error("REQUEST_LIMIT_EXCEEDED")), throttled},
      {"429 HTML", response(429, html, k_html), throttled},
      {"429 empty", response(429, ""), throttled},
      {"429 cut JSON", response(429, "{"), throttled},
      {"429 with another code", response(429, api_error("TOO_FAST")), throttled},
      {"429 with auth code", response(429, api_error("AUTHFAILURE_X")), rejected,
       StopCause::authentication},
      {"429 with a fault code", response(429, api_error("INTERNAL_SERVER_ERROR")), unknown},
      {"429 with a response", response(429, k_success), unknown},
      {"rate code with 400", response(400, api_error("REQUEST_LIMIT_EXCEEDED")), throttled},
      {"rate code with 503", response(503, api_error("REQUEST_LIMIT_EXCEEDED")), throttled},
      {"rate code with 302", response(302, api_error("REQUEST_LIMIT_EXCEEDED")), throttled},
      // 5xx
      {"500 JSON", response(500, api_error("INTERNAL_SERVER_ERROR")), unknown},
      {"500 with a disk code", response(500, api_error("INVALID_DISK_NOT_FOUND")), unknown},
      {"500 with a recycle code",
       response(500, api_error("UNSUPPORTED_OPERATION_DISK_BEING_RECYCLE")), unknown},
      {"500 with auth code", response(500, api_error("AUTHFAILURE_SIGNATURE_FAILURE")), rejected,
       StopCause::authentication},
      {"500 success", response(500, k_success), unknown},
      {"501", response(501, ""), unknown},
      {"502 HTML", response(502, html, k_html), unknown},
      {"503 HTML", response(503, html, k_html), unknown},
      {"504 HTML", response(504, html, k_html), unknown},
      {"520 HTML", response(520, html, k_html), unknown},
      {"522 HTML", response(522, html, k_html), unknown},
      {"524 HTML", response(524, html, k_html), unknown},
      {"527 HTML", response(527, html, k_html), unknown},
      {"599", response(599, ""), unknown},
  };
}

TEST(ClassifyReleaseTest, DecidesEveryShapeOfAnswer) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape.name);
    const Classification result = classify(shape.reply);
    EXPECT_EQ(to_text(result.outcome), to_text(shape.outcome));
    EXPECT_EQ(result.stop, shape.stop);
    EXPECT_EQ(result.http_status, shape.reply.status);
    expect_consistent(result);
    // What is known of the disk must not turn any of these shapes into "gone".
    EXPECT_EQ(classify(shape.reply, {.seen_in_account = true}).outcome, shape.outcome);
  }
}

// --- every code

struct CodeRow {
  std::string_view code;
  int status;
  Outcome outcome;  // with nothing known of the disk
  std::optional<StopCause> stop = std::nullopt;
};

constexpr auto k_auth = StopCause::authentication;

const CodeRow k_codes[] = {
    {"INVALID_DISK_NOT_FOUND", 404, rejected},
    {"INVALID_DISK_NOT_PORTABLE", 400, rejected},
    {"UNSUPPORTED_OPERATION_DISK_STATUS", 400, rejected},
    {"UNSUPPORTED_OPERATION_DISK_BEING_RECYCLE", 400, already_gone},
    {"INVALID_ORDER_NOT_FOUND", 404, rejected},
    {"ORDER_UNPROCESSED_ORDERS_FOR_THIS_RESOURCE", 400, rejected},
    {"UNSUPPORTED_OPERATION_DISK_SYSTEM_TYPE", 400, rejected},
    {"UNSUPPORTED_OPERATION_DISK_NOT_BEING_RECYCLE", 400, rejected},
    {"UNSUPPORTED_OPERATION_RECYCLE_STATUS", 400, rejected},
    {"UNSUPPORTED_OPERATION_INSTANCE_CHARGE_TYPE", 400, rejected},
    {"OPERATION_DENIED_DISK_SYSTEM_TYPE", 400, rejected},
    {"INTERNAL_SERVER_ERROR", 500, unknown},
    {"INTERNAL_SERVER_ERROR", 400, unknown},
    {"SERVICE_TEMPORARY_UNAVAILABLE", 503, unknown},
    {"SERVICE_TEMPORARY_UNAVAILABLE", 400, unknown},
    {"REQUEST_TIMED_OUT", 504, unknown},
    {"REQUEST_TIMED_OUT", 400, unknown},
    {"INVALID_OPERATION_TIMEOUT", 400, unknown},
    {"REQUEST_LIMIT_EXCEEDED", 429, throttled},
    {"REQUEST_LIMIT_EXCEEDED", 400, throttled},
    {"REQUEST_LIMIT_EXCEEDED", 503, throttled},
    {"AUTHFAILURE_INVALID_AUTHORIZATION", 401, rejected, k_auth},
    {"AUTHFAILURE_INVALID_AUTHORIZATION", 400, rejected, k_auth},
    {"AUTHFAILURE_SIGNATURE_FAILURE", 401, rejected, k_auth},
    {"AUTHFAILURE_SIGNATURE_EXPIRED", 403, rejected, k_auth},
    {"AUTHFAILURE_UNAUTHORIZED_OPERATION", 403, rejected, k_auth},
    {"AUTHFAILURE_UNAUTHORIZED_OPERATION", 500, rejected, k_auth},
    {"MISSING_PARAMETER", 400, rejected},
    {"INVALID_PARAMETER_TYPE", 400, rejected},
    {"INVALID_PARAMETER_EXCEED_MAXIMUM", 400, rejected},
    {"INVALID_PARAMETER_LESS_MINIMUM", 400, rejected},
    {"INVALID_PARAMETER_EXCEED_LENGTH", 400, rejected},
    {"INVALID_PARAMETER_LESS_LENGTH", 400, rejected},
    {"INVALID_PARAMETER_PATTERN_ERROR", 400, rejected},
    {"INVALID_PARAMETER_DATE_FORMAT_ERROR", 400, rejected},
    {"INVALID_PARAMETER_VALUE", 400, rejected},
    {"OPERATION_FAILED_FOR_RECYCLE_RESOURCE", 400, already_gone},
    {"FAILED_OPERATION_FOR_RECYCLE_RESOURCE", 400, already_gone},
    {"OPERATION_FAILED_RESOURCE_NOT_FOUND", 404, rejected},
    {"OPERATION_FAILED_RESOURCE_GROUP_NOT_FOUND", 404, rejected},
};

TEST(ClassifyReleaseTest, DecidesEveryDocumentedCode) {
  for (const CodeRow& row : k_codes) {
    SCOPED_TRACE(std::string(row.code) + " with " + std::to_string(row.status));
    const Classification result = classify(response(row.status, api_error(row.code)));
    EXPECT_EQ(to_text(result.outcome), to_text(row.outcome));
    EXPECT_EQ(result.stop, row.stop);
    EXPECT_EQ(result.api_code, row.code);
    EXPECT_EQ(result.request_id, "T1");
    EXPECT_EQ(result.message, "m");
    EXPECT_FALSE(explain_code(row.code).empty());
    expect_consistent(result);
  }
}

TEST(ClassifyReleaseTest, DecidesCodesThatAreNotPublishedByTheirFamily) {
  const CodeRow rows[] = {
      {"AUTHFAILURE_SOMETHING_NEW", 400, rejected, k_auth},
      {"AUTHFAILURE", 401, rejected, k_auth},
      {"AuthFailure.SignatureExpired", 400, rejected, k_auth},
      {"AUTHFAILURES", 400, rejected},
      {"UNSUPPORTED_OPERATION_FOR_RECYCLE_RESOURCE", 400, already_gone},
      {"_FOR_RECYCLE_RESOURCE", 400, rejected},
      {"SOMETHING_NEW", 400, rejected},
      {"SOMETHING_NEW", 500, unknown},
      {"internal_server_error", 400, unknown},
      {"Internal.Server.Error", 400, unknown},
      {"INTERNAL_SERVER_ERROR.Storage", 400, unknown},
      {"Request.Limit.Exceeded", 400, throttled},
      {"request_limit_exceeded.zec", 400, throttled},
      {"INTERNAL_SERVER_ERRORS", 400, rejected},
  };
  for (const CodeRow& row : rows) {
    SCOPED_TRACE(row.code);
    const Classification result = classify(response(row.status, api_error(row.code)));
    EXPECT_EQ(to_text(result.outcome), to_text(row.outcome));
    EXPECT_EQ(result.stop, row.stop);
    EXPECT_EQ(result.api_code, row.code);
  }
}

TEST(ClassifyReleaseTest, NotFoundOfADiskThatWasSeenProvesNothing) {
  for (const char* code : {"INVALID_DISK_NOT_FOUND", "OPERATION_FAILED_RESOURCE_NOT_FOUND",
                           "Operation.Failed.Resource.Not.Found", "invalid_disk_not_found",
                           "INVALID_DISK_NOT_FOUND.x"}) {
    SCOPED_TRACE(code);
    for (const int status : {400, 404}) {
      const HttpResponse reply = response(status, api_error(code));
      EXPECT_EQ(classify(reply, {.seen_in_account = false}).outcome, rejected);
      const Classification seen = classify(reply, {.seen_in_account = true});
      EXPECT_EQ(seen.outcome, unknown);
      EXPECT_EQ(seen.stop, std::nullopt);
    }
    EXPECT_TRUE(says_not_found(code));
    EXPECT_EQ(classify(response(500, api_error(code)), {.seen_in_account = true}).outcome, unknown);
  }
  EXPECT_EQ(classify(response(404, api_error("INVALID_ORDER_NOT_FOUND")), {.seen_in_account = true})
                .outcome,
            rejected);
  EXPECT_EQ(classify(response(404, "not found"), {.seen_in_account = true}).stop,
            StopCause::wrong_endpoint);
  EXPECT_FALSE(says_not_found("INVALID_ORDER_NOT_FOUND"));
  EXPECT_FALSE(says_not_found(""));
}

TEST(ClassifyReleaseTest, ADiskInTheRecycleBinIsGoneForReleaseButNotForPurge) {
  for (const char* code :
       {"UNSUPPORTED_OPERATION_DISK_BEING_RECYCLE", "OPERATION_FAILED_FOR_RECYCLE_RESOURCE",
        "FAILED_OPERATION_FOR_RECYCLE_RESOURCE"}) {
    SCOPED_TRACE(code);
    const HttpResponse reply = response(400, api_error(code));
    EXPECT_EQ(classify(reply, {.goal = Goal::release}).outcome, already_gone);
    EXPECT_EQ(classify(reply, {.seen_in_account = true, .goal = Goal::purge}).outcome, rejected);
  }
}

TEST(ClassifyReleaseTest, ARefusalForTheStatusIsOfTheMomentForACallerWhoReadsTheStatusAgain) {
  const auto scope = [](int status, std::string_view code, bool read_again) {
    const Classification result =
        classify(response(status, api_error(code)),
                 {.seen_in_account = true, .status_is_read_again = read_again});
    EXPECT_EQ(result.outcome, status < 500 ? rejected : unknown);
    expect_consistent(result);
    return result.scope;
  };
  for (const char* code : {"UNSUPPORTED_OPERATION_DISK_STATUS", "Unsupported.Operation.Disk.Status",
                           "UNSUPPORTED_OPERATION_DISK_STATUS.x"}) {
    EXPECT_EQ(scope(400, code, true), Scope::moment) << code;
    EXPECT_EQ(scope(400, code, false), Scope::disk) << code;
    EXPECT_EQ(scope(500, code, true), Scope::disk) << code;
  }
  for (const CodeRow& row : k_codes) {
    if (row.code == "UNSUPPORTED_OPERATION_DISK_STATUS") continue;
    const HttpResponse reply = response(row.status, api_error(row.code));
    const Classification without = classify(reply);
    const Classification with = classify(reply, {.status_is_read_again = true});
    EXPECT_EQ(with.outcome, without.outcome) << row.code;
    EXPECT_EQ(with.scope, without.scope) << row.code;
    EXPECT_NE(with.scope, Scope::moment) << row.code;
  }
}

// --- transport

TEST(ClassifyReleaseTest, ATransportFailureIsNotSentOnlyIfNothingCanHaveLeft) {
  using enum TransportProblem;
  for (const TransportProblem problem :
       {name_resolution, connect, proxy, tls_handshake, certificate, send, no_answer, timeout,
        incomplete_answer, invalid_answer, answer_too_large, aborted, out_of_resources}) {
    SCOPED_TRACE(to_text(problem));
    const Classification left = classify_release(
        TransportFailure{
            .problem = problem, .request_may_have_left = true, .detail = "why", .status = {}},
        {.seen_in_account = true}, Blanking());
    EXPECT_EQ(left.outcome, unknown);
    EXPECT_EQ(left.stop, std::nullopt);
    EXPECT_EQ(left.message, std::string(to_text(problem)) + ": why");
    expect_consistent(left);

    const Classification kept = classify_release(
        TransportFailure{
            .problem = problem, .request_may_have_left = false, .detail = "", .status = {}},
        {}, Blanking());
    EXPECT_EQ(kept.outcome, not_sent);
    std::optional<StopCause> cause;
    if (problem == certificate) cause = StopCause::certificate;
    if (problem == out_of_resources) cause = StopCause::out_of_resources;
    EXPECT_EQ(kept.stop, cause);
    EXPECT_EQ(kept.message, to_text(problem));
    EXPECT_EQ(kept.http_status, std::nullopt);
    expect_consistent(kept);
  }
}

TEST(ClassifyReleaseTest, AFailureAfterTheHeadKeepsTheStatusAndProvesNothing) {
  const Classification result =
      classify_release(TransportFailure{.problem = TransportProblem::incomplete_answer,
                                        .request_may_have_left = true,
                                        .detail = "cut\x1b[2J",
                                        .status = 200},
                       {}, Blanking());
  EXPECT_EQ(result.outcome, unknown);
  EXPECT_EQ(result.http_status, 200);
  EXPECT_EQ(result.message, "incomplete_answer: cut\\x1b[2J");
}

// --- what is kept of an answer

TEST(ClassifyReleaseTest, KeepsTheRequestIdOfSuccessAndFailure) {
  EXPECT_EQ(classify(response(200, k_success)).request_id, k_id);
  EXPECT_EQ(classify(response(200, k_success)).message, "");
  EXPECT_EQ(classify(response(200, R"({"requestId":"T9"})")).request_id, "T9");
  EXPECT_EQ(classify(response(404, api_error("X"))).request_id, "T1");
  EXPECT_EQ(classify(response(502, "<html>")).request_id, "");
}

TEST(ClassifyReleaseTest, CutsLongIdentifiersAndDropsUnprintableOnes) {
  for (const std::size_t size : {127U, 128U, 129U}) {
    const std::string text(size, 'A');
    const Classification result =
        classify(response(400, R"({"requestId":")" + text + R"(","code":")" + text + R"("})"));
    EXPECT_EQ(result.request_id, text.substr(0, 128));
    EXPECT_EQ(result.api_code, text.substr(0, 128));
  }
  const Classification result =
      classify(response(400, R"({"requestId":"T\n1","code":"INVALID\u001b[2J"})"));
  EXPECT_EQ(result.request_id, "");
  EXPECT_EQ(result.api_code, "");
}

TEST(ClassifyReleaseTest, SaysWhatArrivedWhereThereIsNoMessage) {
  EXPECT_EQ(classify(response(502, "<html>bad\ngateway")).message,
            "HTTP 502 without JSON: <html>bad\\x0agateway");
  EXPECT_EQ(classify(response(200, "{\"x\"")).message, "HTTP 200 with broken JSON: {\"x\"");
  EXPECT_EQ(classify(response(200, "[]")).message, "HTTP 200 with JSON that has no message: []");
  EXPECT_EQ(classify(response(200, "\x1f\x8b", {{"content-encoding", "gzip"}})).message,
            "HTTP 200 with an encoded body: \\x1f\\x8b");
  EXPECT_EQ(classify(response(204, "")).message, "HTTP 204 without a body");
  EXPECT_EQ(classify(response(302, "x", {{"location", "https://portal.example/\n"}})).message,
            "HTTP 302 to https://portal.example/\\x0a");
  EXPECT_EQ(classify(response(400, R"({"code":"X","message":7})")).message,
            R"(HTTP 400 with JSON that has no message: {"code":"X","message":7})");
  const std::string long_page(201, 'a');
  EXPECT_EQ(classify(response(502, long_page.substr(0, 200))).message,
            "HTTP 502 without JSON: " + long_page.substr(0, 200));
  EXPECT_EQ(classify(response(502, long_page)).message,
            "HTTP 502 without JSON: " + long_page.substr(0, 200) + "...");
}

TEST(ClassifyReleaseTest, MessagesAreVisibleTextOfOneKibibyteAtMost) {
  const auto message = [](std::string_view text) {
    return classify(response(400, R"({"code":"X","message":")" + std::string(text) + R"("})"))
        .message;
  };
  EXPECT_EQ(message("disk `d-1` \xe6\x95\xb0"), "disk `d-1` \xe6\x95\xb0");
  EXPECT_EQ(message(R"(\u001b[31mred\r\n)"), R"(\x1b[31mred\x0d\x0a)");
  EXPECT_EQ(message(std::string(1021, 'm')), std::string(1021, 'm'));
  EXPECT_EQ(message(std::string(1022, 'm')), std::string(1021, 'm') + "...");

  std::string wide;  // characters of three bytes at every offset to the limit
  for (int i = 0; i < 600; ++i) wide += "\xe6\x95\xb0";
  std::string controls;  // four bytes for one
  for (int i = 0; i < 400; ++i) controls += "\\u0001";
  for (const std::string shift : {"", "a", "ab"}) {
    for (const std::string& text : {shift + wide, shift + controls, shift + wide + controls}) {
      const std::string result = message(text);
      EXPECT_LE(result.size(), 1024U);
      EXPECT_GT(result.size(), 1000U);
      EXPECT_TRUE(is_utf8(result));
    }
  }
}

// --- Retry-After

TEST(ClassifyReleaseTest, ReadsRetryAfterUpToAMinute) {
  using std::chrono::milliseconds;
  const auto wait = [](std::string value) {
    return classify(response(429, "", {{"retry-after", std::move(value)}})).retry_after;
  };
  EXPECT_EQ(wait("0"), milliseconds(0));
  EXPECT_EQ(wait("1"), milliseconds(1'000));
  EXPECT_EQ(wait(" 7 "), milliseconds(7'000));
  EXPECT_EQ(wait("59"), milliseconds(59'000));
  EXPECT_EQ(wait("60"), milliseconds(60'000));
  EXPECT_EQ(wait("61"), milliseconds(60'000));
  EXPECT_EQ(wait("2147483648"), milliseconds(60'000));
  EXPECT_EQ(wait("99999999999999999999999"), milliseconds(60'000));
  for (const char* bad : {"", " ", "-1", "+1", "1.5", "1s", "soon", "0x10"}) {
    EXPECT_EQ(wait(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(classify(response(429, "")).retry_after, std::nullopt);
  EXPECT_EQ(classify(response(503, "", {{"retry-after", "5"}})).retry_after, std::nullopt);
  EXPECT_EQ(classify(response(503, api_error("REQUEST_LIMIT_EXCEEDED"), {{"retry-after", "5"}}))
                .retry_after,
            milliseconds(5'000));
}

TEST(ClassifyReleaseTest, CountsADateInRetryAfterFromTheAnswersOwnDate) {
  using std::chrono::milliseconds;
  const std::string date = "Tue, 31 Dec 2024 23:59:50 GMT";
  const auto wait = [&](std::string until, std::string now) {
    return classify(
               response(429, "", {{"date", std::move(now)}, {"retry-after", std::move(until)}}))
        .retry_after;
  };
  EXPECT_EQ(wait("Wed, 01 Jan 2025 00:00:05 GMT", date), milliseconds(15'000));
  EXPECT_EQ(wait("Wed, 01 Jan 2025 00:00:49 GMT", date), milliseconds(59'000));
  EXPECT_EQ(wait("Wed, 01 Jan 2025 00:00:50 GMT", date), milliseconds(60'000));
  EXPECT_EQ(wait("Wed, 01 Jan 2025 00:00:51 GMT", date), milliseconds(60'000));
  EXPECT_EQ(wait("Tue, 31 Dec 2024 23:59:50 GMT", date), milliseconds(0));
  EXPECT_EQ(wait("Tue, 31 Dec 2024 23:59:49 GMT", date), milliseconds(0));
  EXPECT_EQ(wait("Wed, 01 Jan 2025 00:00:05 GMT", ""), std::nullopt);
  for (const char* bad : {"Sun, 30 Feb 2025 00:00:00 GMT", "Wed, 01 Foo 2025 00:00:05 GMT",
                          "Wed, 01 anF 2025 00:00:05 GMT", "Wed, 01 Jan 2025 24:00:05 GMT",
                          "Wed, 01 Jan 2025 00:60:05 GMT", "Wed, 01 Jan 2025 00:00:61 GMT",
                          "Wed, 01 Jan 2025 00:00:05 UTC", "Wed, +1 Jan 2025 00:00:05 GMT",
                          "Wed, 01 Jan -025 00:00:05 GMT", "Wednesday, 01-Jan-25 00:00:05 GMT",
                          "Wed, 01-Jan 2025 00:00:05 GMT", "Wed, 01 Jan-2025 00:00:05 GMT",
                          "Wed, 01 Jan 2025-00:00:05 GMT", "Wed, 01 Jan 2025 00.00:05 GMT",
                          "Wed, 01 Jan 2025 00:00.05 GMT", "Wed; 01 Jan 2025 00:00:05 GMT",
                          "Wed, 01 Jan 2025 0x:00:05 GMT", "Wed, 01 Jan 2025 00:0x:05 GMT",
                          "Wed, 01 Jan 2025 00:00:0x GMT", "Wed Jan  1 00:00:05 2025"}) {
    EXPECT_EQ(wait(bad, date), std::nullopt) << bad;
  }
}

// --- damaged answers

TEST(ClassifyReleaseTest, NoPrefixOfASuccessIsAccepted) {
  for (const bool proven : {true, false}) {
    for (std::size_t size = 0; size < k_success.size(); ++size) {
      HttpResponse reply = response(200, k_success.substr(0, size));
      reply.length_proven = proven;
      ASSERT_EQ(classify(reply).outcome, unknown) << size;
    }
  }
  EXPECT_EQ(classify(response(200, k_success)).outcome, accepted);
}

TEST(ClassifyReleaseTest, NoChangedByteMakesAnotherSuccess) {
  int still_accepted = 0;
  for (std::size_t place = 0; place < k_success.size(); ++place) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string body = k_success;
      if (body[place] == static_cast<char>(byte)) continue;
      body[place] = static_cast<char>(byte);
      const Classification result = classify(response(200, body));
      expect_consistent(result);
      if (result.outcome != accepted) {
        ASSERT_EQ(result.outcome, unknown) << body;
        continue;
      }
      // All that may be changed is the name of the inner request id, which is optional.
      ++still_accepted;
      ASSERT_EQ(result.request_id, k_id) << body;
      ASSERT_TRUE(body.starts_with(k_success.substr(0, k_success.find("{\"", 1) + 2))) << body;
      ASSERT_TRUE(body.ends_with("\":\"" + std::string(k_id) + "\"}}")) << body;
    }
  }
  EXPECT_GT(still_accepted, 0);
}

TEST(ClassifyReleaseTest, GarbageOfAnyBytesIsNeverAcceptedNorGone) {
  std::mt19937 random(20250901);
  std::uniform_int_distribution<int> byte(0, 255);
  std::uniform_int_distribution<int> size(0, 300);
  for (int round = 0; round < 3'000; ++round) {
    std::string body(static_cast<std::size_t>(size(random)), '\0');
    for (char& c : body) c = static_cast<char>(byte(random));
    for (const int status : {200, 400, 404, 500}) {
      const Classification result = classify(response(status, body), {.seen_in_account = true});
      ASSERT_NE(result.outcome, accepted);
      ASSERT_NE(result.outcome, already_gone);
      expect_consistent(result);
    }
  }
  for (int value = 0; value < 256; ++value) {
    const std::string body(64, static_cast<char>(value));
    EXPECT_EQ(classify(response(200, body)).outcome, unknown) << value;
  }
}

TEST(ClassifyReleaseTest, AHostileDocumentIsUnknownAndHarmless) {
  std::string keys = "{";
  for (int i = 0; i < 90'000; ++i) keys += "\"k" + std::to_string(i) + "\":0,";
  keys += R"("requestId":"T1","response":{}})";
  EXPECT_EQ(classify(response(200, keys)).outcome, accepted);  // large, but what it should be
  EXPECT_EQ(classify(response(200, std::string(1 << 20, '{'))).outcome, unknown);
  EXPECT_EQ(classify(response(200, std::string(1 << 20, '['))).outcome, unknown);
}

// --- texts

TEST(ConcernsDiskTest, TellsRefusalsOfADiskFromThoseOfTheAccount) {
  for (const char* code :
       {"INVALID_DISK_NOT_FOUND", "invalid.disk.not.portable", "UNSUPPORTED_OPERATION_DISK_STATUS",
        "UNSUPPORTED_OPERATION_DISK_BEING_RECYCLE", "OPERATION_DENIED_DISK_SYSTEM_TYPE",
        "SOMETHING_NEW_FOR_RECYCLE_RESOURCE", "INVALID_PARAMETER_PATTERN_ERROR",
        "ORDER_UNPROCESSED_ORDERS_FOR_THIS_RESOURCE"}) {
    EXPECT_TRUE(concerns_disk(code)) << code;
  }
  for (const char* code : {"", "ACCOUNT_SUSPENDED", "QUOTA_EXCEEDED", "OPERATION_DENIED",
                           "MISSING_PARAMETER", "OPERATION_FAILED_RESOURCE_GROUP_NOT_FOUND",
                           "AUTHFAILURE_UNAUTHORIZED_OPERATION", "REQUEST_LIMIT_EXCEEDED"}) {
    EXPECT_FALSE(concerns_disk(code)) << code;
  }
}

TEST(ExplainCodeTest, IgnoresCaseAndDotsAndDetailsAfterADot) {
  const std::string_view text = explain_code("INVALID_DISK_NOT_FOUND");
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(explain_code("invalid_disk_not_found"), text);
  EXPECT_EQ(explain_code("Invalid.Disk.Not.Found"), text);
  EXPECT_EQ(explain_code("INVALID_DISK_NOT_FOUND.Detail"), text);
}

TEST(ExplainCodeTest, SaysNothingOfCodesItDoesNotKnow) {
  for (const char* code : {"", ".", "_", "SOMETHING_NEW", "AUTHFAILURE_SOMETHING_NEW",
                           "INVALID_DISK_NOT_FOUND2", "NETWORK_ERROR"}) {
    EXPECT_EQ(explain_code(code), "") << code;
  }
}

TEST(StopCauseTest, HasATextOfItsOwnForEveryCause) {
  EXPECT_EQ(to_text(StopCause::authentication), "authentication");
  EXPECT_EQ(to_text(StopCause::redirect), "redirect");
  EXPECT_EQ(to_text(StopCause::edge_block), "edge_block");
  EXPECT_EQ(to_text(StopCause::wrong_endpoint), "wrong_endpoint");
  EXPECT_EQ(to_text(StopCause::certificate), "certificate");
  EXPECT_EQ(to_text(StopCause::out_of_resources), "out_of_resources");
}

}  // namespace
}  // namespace diskrelease
