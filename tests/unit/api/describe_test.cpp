#include "api/describe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <variant>

#include "api/calls.h"
#include "model/visible_text.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using enum DescribeReading::Kind;

DiskId disk(const std::string& text) { return std::get<DiskId>(DiskId::parse(text)); }

std::vector<DiskId> disks(std::size_t count) {
  std::vector<DiskId> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(disk("d-" + std::to_string(i)));
  return result;
}

std::string row(const std::string& id, const std::string& status = "AVAILABLE") {
  return R"({"diskId":")" + id + R"(","diskStatus":")" + status + R"("})";
}

std::string rows_of(std::size_t count) {
  std::string rows;
  for (std::size_t i = 0; i < count; ++i) {
    rows += (i == 0 ? "" : ",") + row("d-" + std::to_string(i));
  }
  return rows;
}

std::string list(const std::string& total, const std::string& rows) {
  return R"({"requestId":"T1","response":{"requestId":"T1","totalCount":)" + total +
         R"(,"dataSet":[)" + rows + "]}}";
}

std::string one_row(const std::string& row_text) { return list("1", row_text); }

HttpResponse response(int status, std::string body, HeaderFields headers = {}) {
  return {.status = status,
          .headers = std::move(headers),
          .body = std::move(body),
          .length_proven = true};
}

const std::vector<DiskId> k_two = {disk("a"), disk("b")};

void expect_consistent(const DescribeReading& reading, std::span<const DiskId> asked) {
  EXPECT_EQ(reading.stop.has_value(), reading.kind == stop);
  EXPECT_LE(reading.api_code.size(), 128U);
  EXPECT_LE(reading.request_id.size(), 128U);
  EXPECT_LE(reading.message.size(), 1024U);
  EXPECT_TRUE(is_utf8(reading.message));
  EXPECT_EQ(reading.message.empty(), reading.kind == complete);
  if (reading.kind != throttled) {
    EXPECT_FALSE(reading.retry_after);
  }
  if (reading.kind != complete) {
    EXPECT_THAT(reading.sightings, IsEmpty());
    return;
  }
  ASSERT_EQ(reading.sightings.size(), asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) EXPECT_EQ(reading.sightings[i].disk, asked[i]);
}

DescribeReading describe(const HttpResponse& reply, std::span<const DiskId> asked = k_two) {
  DescribeReading reading = classify_describe(Reply(reply), asked, Blanking());
  EXPECT_EQ(reading.http_status, reply.status);
  expect_consistent(reading, asked);
  return reading;
}

void expect_failed(const std::string& body, const std::string& why,
                   std::span<const DiskId> asked = k_two) {
  SCOPED_TRACE(body.substr(0, 300));
  const DescribeReading reading = describe(response(200, body), asked);
  EXPECT_EQ(reading.kind, failed);
  EXPECT_THAT(reading.message, HasSubstr(why));
}

// The one sighting of an answer to a question for "a".
Sighting sighting_of(const std::string& row_text) {
  const std::vector<DiskId> asked = {disk("a")};
  DescribeReading reading = describe(response(200, one_row(row_text)), asked);
  EXPECT_EQ(reading.kind, complete) << reading.message;
  if (reading.sightings.empty()) {
    return {.disk = disk("nothing"),
            .status = {},
            .status_text = {},
            .disk_type = {},
            .portable = {},
            .name = {},
            .zone = {},
            .category = {},
            .instance_id = {},
            .size_gb = {}};
  }
  return reading.sightings.front();
}

// --- complete answers

TEST(ClassifyDescribeTest, ReadsTheDocumentedAnswer) {
  const std::string body =
      R"({"requestId":"T05992D0C-7E8B-4047-B0C0-780F2CD549D3",
 "response":{"requestId":"T05992D0C-7E8B-4047-B0C0-780F2CD549D3","totalCount":1,
  "dataSet":[{"diskId":"1440908808376556310","diskName":"Test-Disk","regionId":"asia-east-1",
   "zoneId":"asia-east-1a","diskType":"DATA","portable":true,"diskCategory":"Standard NVMe SSD",
   "diskSize":30,"diskStatus":"IN_USE","instanceId":"1455441132925494374","instanceName":null,
   "createTime":"2026-01-02T03:04:05Z","expiredTime":null,"period":null,
   "serial":"d100om84ggf2oqdh05eg","snapshotAbility":true,"autoSnapshotPolicyId":null,
   "tags":{"tags":[]},"burstingEnabled":false}]}})";
  const std::vector<DiskId> asked = {disk("1440908808376556310")};
  const DescribeReading reading = describe(response(200, body), asked);
  ASSERT_EQ(reading.kind, complete);
  EXPECT_EQ(reading.request_id, "T05992D0C-7E8B-4047-B0C0-780F2CD549D3");
  EXPECT_EQ(reading.api_code, "");
  const Sighting& seen = reading.sightings.front();
  EXPECT_EQ(seen.status, DiskStatus::in_use);
  EXPECT_EQ(seen.status_text, "IN_USE");
  EXPECT_EQ(seen.disk_type, "DATA");
  EXPECT_FALSE(seen.is_system_disk());
  EXPECT_EQ(seen.portable, true);
  EXPECT_EQ(seen.name, "Test-Disk");
  EXPECT_EQ(seen.zone, "asia-east-1a");
  EXPECT_EQ(seen.category, "Standard NVMe SSD");
  EXPECT_EQ(seen.instance_id, "1455441132925494374");
  EXPECT_EQ(seen.size_gb, 30);
}

TEST(ClassifyDescribeTest, ADiskWithoutARowIsAbsentAndTheOrderIsThatOfTheRequest) {
  const std::vector<DiskId> asked = {disk("a"), disk("b"), disk("c")};
  const DescribeReading reading =
      describe(response(200, list("2", row("c", "RECYCLED") + "," + row("a", "DELETING"))), asked);
  ASSERT_EQ(reading.kind, complete);
  EXPECT_EQ(reading.sightings[0].status, DiskStatus::deleting);
  EXPECT_EQ(reading.sightings[1].status, DiskStatus::absent);
  EXPECT_EQ(reading.sightings[1].status_text, "ABSENT");
  EXPECT_EQ(reading.sightings[1].disk_type, "");
  EXPECT_EQ(reading.sightings[1].portable, std::nullopt);
  EXPECT_EQ(reading.sightings[1].size_gb, std::nullopt);
  EXPECT_EQ(reading.sightings[2].status, DiskStatus::recycled);
}

TEST(ClassifyDescribeTest, AnEmptyListMakesEveryDiskAbsent) {
  const DescribeReading reading = describe(response(200, list("0", "")));
  ASSERT_EQ(reading.kind, complete);
  EXPECT_EQ(reading.sightings[0].status, DiskStatus::absent);
  EXPECT_EQ(reading.sightings[1].status, DiskStatus::absent);
}

TEST(ClassifyDescribeTest, KnowsEveryDocumentedStatus) {
  for (const char* text :
       {"CREATING", "AVAILABLE", "IN_USE", "ATTACHING", "DETACHING", "CHANGING",
        "SNAPSHOT_CREATING", "ROLLING_BACK", "RECYCLING", "RECYCLED", "DELETING", "FAILED"}) {
    const Sighting seen = sighting_of(row("a", text));
    EXPECT_EQ(to_text(seen.status), text);
    EXPECT_EQ(seen.status_text, text);
  }
}

TEST(ClassifyDescribeTest, AStatusNotKnownIsOtherAndKeepsItsText) {
  for (const std::string text : {"FREEZING", "available", "AVAILABLE ", "In_Use"}) {
    const Sighting seen = sighting_of(row("a", text));
    EXPECT_EQ(seen.status, DiskStatus::other) << text;
    EXPECT_EQ(seen.status_text, text);
  }
}

TEST(ClassifyDescribeTest, NoWordOfTheApiMakesADiskAbsent) {
  const Sighting absent_by_word = sighting_of(row("a", "ABSENT"));
  EXPECT_EQ(absent_by_word.status, DiskStatus::other);
  EXPECT_EQ(absent_by_word.status_text, "ABSENT");
  EXPECT_EQ(sighting_of(row("a", "OTHER")).status, DiskStatus::other);
}

TEST(ClassifyDescribeTest, NullsOfOtherMembersCountAsMissing) {
  const Sighting seen = sighting_of(
      R"({"diskId":"a","diskStatus":"AVAILABLE","instanceId":null,"instanceName":null,"tags":null,)"
      R"("portable":null,"diskName":null,"zoneId":null,"diskCategory":null,"diskSize":null,)"
      R"("diskType":null})");
  EXPECT_EQ(seen.status, DiskStatus::available);
  EXPECT_EQ(seen.instance_id, "");
  EXPECT_EQ(seen.portable, std::nullopt);
  EXPECT_EQ(seen.name, "");
  EXPECT_EQ(seen.zone, "");
  EXPECT_EQ(seen.category, "");
  EXPECT_EQ(seen.disk_type, "");
  EXPECT_EQ(seen.size_gb, std::nullopt);
  EXPECT_FALSE(seen.is_system_disk());
}

TEST(ClassifyDescribeTest, OtherMembersOfAnUnexpectedTypeCountAsMissing) {
  const Sighting seen = sighting_of(
      R"({"diskId":"a","diskStatus":"AVAILABLE","instanceId":7,"tags":"x","portable":"true",)"
      R"("diskName":["n"],"zoneId":{},"diskCategory":true,"diskSize":"30","diskType":1})");
  EXPECT_EQ(seen.instance_id, "");
  EXPECT_EQ(seen.portable, std::nullopt);
  EXPECT_EQ(seen.name, "");
  EXPECT_EQ(seen.zone, "");
  EXPECT_EQ(seen.category, "");
  EXPECT_EQ(seen.disk_type, "");
  EXPECT_EQ(seen.size_gb, std::nullopt);
}

TEST(ClassifyDescribeTest, ReadsPortableTypeAndSize) {
  const auto with = [](const std::string& members) {
    return sighting_of(R"({"diskId":"a","diskStatus":"AVAILABLE",)" + members + "}");
  };
  EXPECT_EQ(with(R"("portable":true)").portable, true);
  EXPECT_EQ(with(R"("portable":false)").portable, false);
  EXPECT_TRUE(with(R"("diskType":"SYSTEM")").is_system_disk());
  EXPECT_FALSE(with(R"("diskType":"DATA")").is_system_disk());
  EXPECT_EQ(with(R"("diskSize":0)").size_gb, 0);
  EXPECT_EQ(with(R"("diskSize":9223372036854775807)").size_gb, 9223372036854775807);
  for (const char* odd : {"9223372036854775808", "1e300", "30.0", "-1", "-0", "3e1"}) {
    EXPECT_EQ(with(std::string(R"("diskSize":)") + odd).size_gb, std::nullopt) << odd;
  }
}

TEST(ClassifyDescribeTest, IgnoresMembersItDoesNotKnow) {
  const std::string body =
      R"({"x":[1],"code":null,"message":null,"requestId":"T1","response":{"y":{"code":"X"},)"
      R"("requestId":"T1","totalCount":1,"pageNum":1,)"
      R"("dataSet":[{"diskId":"a","diskStatus":"FAILED","z":{"diskStatus":"AVAILABLE"}}]}})";
  const DescribeReading reading = describe(response(200, body));
  ASSERT_EQ(reading.kind, complete);
  EXPECT_EQ(reading.sightings[0].status, DiskStatus::failed);
  EXPECT_EQ(reading.sightings[1].status, DiskStatus::absent);
}

TEST(ClassifyDescribeTest, ACompleteDocumentNeedsNoProofOfItsLength) {
  HttpResponse chunked = response(200, one_row(row("a")), {{"transfer-encoding", "chunked"}});
  chunked.length_proven = false;
  EXPECT_EQ(describe(chunked).kind, complete);
}

TEST(ClassifyDescribeTest, TextsFromOutsideAreVisibleAndBounded) {
  const auto name = [](const std::string& text) {
    return sighting_of(R"({"diskId":"a","diskStatus":"AVAILABLE","diskName":")" + text + R"("})")
        .name;
  };
  EXPECT_EQ(name(R"(\u001b[31m)"), R"(\x1b[31m)");
  EXPECT_EQ(name(std::string(125, 'n')), std::string(125, 'n'));
  EXPECT_EQ(name(std::string(126, 'n')), std::string(125, 'n') + "...");
  std::string wide;
  for (int i = 0; i < 100; ++i) wide += "\xe6\x95\xb0";
  std::string controls;
  for (int i = 0; i < 100; ++i) controls += "\\u0001";
  for (const std::string& text : {wide, "a" + wide, "ab" + wide, controls, "a" + controls}) {
    EXPECT_LE(name(text).size(), 128U);
    EXPECT_GT(name(text).size(), 120U);
    EXPECT_TRUE(is_utf8(name(text)));
  }
  const Sighting odd = sighting_of(row("a", std::string(300, 'S')));
  EXPECT_EQ(odd.status, DiskStatus::other);
  EXPECT_EQ(odd.status_text, std::string(125, 'S') + "...");
}

// --- answers that prove nothing

TEST(ClassifyDescribeTest, TotalCountIsTheNumberOfRows) {
  const std::vector<DiskId> hundred = disks(100);
  for (const std::size_t total : {99U, 100U, 101U}) {
    for (const std::size_t rows : {99U, 100U}) {
      const std::string body = list(std::to_string(total), rows_of(rows));
      if (total == rows) {
        EXPECT_EQ(describe(response(200, body), hundred).kind, complete) << total;
      } else {
        expect_failed(body,
                      "totalCount is " + std::to_string(total) + ", but there are " +
                          std::to_string(rows) + " rows",
                      hundred);
      }
    }
  }
}

TEST(ClassifyDescribeTest, ThereAreNoMoreRowsThanDisksAskedFor) {
  const std::string body = list("100", rows_of(100));
  EXPECT_EQ(describe(response(200, body), disks(100)).kind, complete);
  EXPECT_EQ(describe(response(200, body), disks(101)).kind, complete);
  expect_failed(body, "there are 100 rows for 99 disks asked for", disks(99));
}

TEST(ClassifyDescribeTest, TotalCountIsAWholeNumber) {
  for (const char* total : {R"("1")", "1.0", "1e0", "-1", "-0", "null", "true", "[1]", "{}",
                            "18446744073709551617", "4294967297", "1e300"}) {
    expect_failed(list(total, row("a")), "totalCount");
  }
  expect_failed(R"({"requestId":"T1","response":{"requestId":"T1","dataSet":[]}})", "totalCount");
  expect_failed(list("-0", ""), "totalCount");
}

TEST(ClassifyDescribeTest, DataSetIsAnArray) {
  for (const char* rows : {"null", "{}", R"("[]")", "0"}) {
    expect_failed(
        R"({"requestId":"T1","response":{"totalCount":0,"dataSet":)" + std::string(rows) + "}}",
        "dataSet");
  }
  expect_failed(R"({"requestId":"T1","response":{"totalCount":0}})", "dataSet");
}

TEST(ClassifyDescribeTest, EveryRowIsOfADiskThatWasAskedForAndNoneIsThereTwice) {
  expect_failed(one_row(row("c")), "row 1 has the diskId c, which was not asked for");
  expect_failed(one_row(row("A")), "which was not asked for");
  expect_failed(one_row(row("a ")), "which was not asked for");
  expect_failed(one_row(row("a\\u0000")), "which was not asked for");
  expect_failed(one_row(row("")), "which was not asked for");
  expect_failed(list("2", row("b") + "," + row("b")), "row 2 repeats the diskId b");
  expect_failed(list("2", row("a", "AVAILABLE") + "," + row("a", "RECYCLED")), "row 2 repeats");
}

TEST(ClassifyDescribeTest, EveryRowIsAnObjectWithADiskIdThatIsAText) {
  for (const char* odd : {"null", "1", R"("a")", "[]", R"([{"diskId":"a"}])"}) {
    expect_failed(one_row(odd), "row 1 is not an object");
  }
  for (const char* id : {"null", "1440908808376556310", "true", R"(["a"])", R"({"diskId":"a"})"}) {
    expect_failed(one_row(R"({"diskId":)" + std::string(id) + R"(,"diskStatus":"AVAILABLE"})"),
                  "row 1 has no diskId that is a text");
  }
  expect_failed(one_row(R"({"diskStatus":"AVAILABLE"})"), "row 1 has no diskId");
  expect_failed(one_row(R"({"DiskId":"a","diskStatus":"AVAILABLE"})"), "row 1 has no diskId");
  // The number asked for, as a number: many programs have changed it on the way.
  const std::vector<DiskId> number = {disk("12")};
  expect_failed(one_row(R"({"diskId":12,"diskStatus":"AVAILABLE"})"), "no diskId that is a text",
                number);
}

TEST(ClassifyDescribeTest, EveryRowHasAStatus) {
  expect_failed(one_row(R"({"diskId":"a"})"), "row 1 has no diskStatus");
  for (const char* status : {"null", R"("")", "1", "true", R"(["AVAILABLE"])"}) {
    expect_failed(one_row(R"({"diskId":"a","diskStatus":)" + std::string(status) + "}"),
                  "row 1 has no diskStatus");
  }
  expect_failed(list("2", row("a") + R"(,{"diskId":"b","diskStatus":null})"),
                "row 2 has no diskStatus");
}

TEST(ClassifyDescribeTest, TheRequestIdIsThereAndTheSameInside) {
  const auto with = [](const std::string& outer, const std::string& inner) {
    return "{" + outer + R"("response":{)" + inner + R"("totalCount":0,"dataSet":[]}})";
  };
  const std::string outer = R"("requestId":"T1",)";
  EXPECT_EQ(describe(response(200, with(outer, outer))).kind, complete);
  EXPECT_EQ(describe(response(200, with(outer, ""))).kind, complete);
  EXPECT_EQ(describe(response(200, with(outer, R"("requestId":null,)"))).kind, complete);
  for (const char* inner : {R"("requestId":"T2",)", R"("requestId":"t1",)", R"("requestId":"",)",
                            R"("requestId":1,)", R"("requestId":["T1"],)"}) {
    expect_failed(with(outer, inner), "the requestId inside the response is another one");
  }
  for (const char* none : {"", R"("requestId":null,)", R"("requestId":"",)", R"("requestId":1,)",
                           R"("requestId":"T 1",)"}) {
    expect_failed(with(none, ""), "there is no requestId");
  }
}

TEST(ClassifyDescribeTest, ADocumentThatIsNotTheDocumentedOneFails) {
  const std::string good = one_row(row("a"));
  const std::string inside = good.substr(good.find("\"response\""));
  expect_failed(R"({"code":"X","message":"why","requestId":"T1",)" + inside, "why");
  expect_failed(R"({"code":"","requestId":"T1",)" + inside, "HTTP 200");
  expect_failed(R"({"code":7,"requestId":"T1",)" + inside, "HTTP 200");
  expect_failed(R"({"requestId":"T1","code":"INVALID_DISK_NOT_FOUND"})", "HTTP 200");
  expect_failed(R"({"requestId":"T1","response":null})", "HTTP 200");
  expect_failed(R"({"requestId":"T1"})", "HTTP 200");
  expect_failed(R"({"requestId":"T1","response":[]})", "response is not an object");
  expect_failed(R"({"requestId":"T1","response":"ok"})", "response is not an object");
  expect_failed("[" + good + "]", "HTTP 200 with JSON");
  expect_failed("[]", "HTTP 200 with JSON");
  expect_failed("true", "HTTP 200 with JSON");
  expect_failed("", "HTTP 200 without a body");
  expect_failed("<html>", "HTTP 200 without JSON");
  expect_failed(good + good, "HTTP 200");
  expect_failed(good + std::string(1, '\0'), "HTTP 200");
  expect_failed("\xEF\xBB\xBF" + good, "HTTP 200 with broken JSON");
  expect_failed(one_row(R"({"diskId":"a","diskStatus":"AVAILABLE","diskStatus":"RECYCLED"})"),
                "HTTP 200 with broken JSON");
  expect_failed(one_row(R"({"diskId":"a","diskId":"b","diskStatus":"AVAILABLE"})"),
                "HTTP 200 with broken JSON");
  expect_failed(one_row(row("a", "\xff")), "HTTP 200 with broken JSON");
  expect_failed(one_row(R"({"diskId":"a","diskStatus":"AVAILABLE","diskSize":1e400})"),
                "HTTP 200 with broken JSON");
}

TEST(ClassifyDescribeTest, AnEncodedListFails) {
  const std::string good = one_row(row("a"));
  for (const char* encoding : {"gzip", "br", "zstd"}) {
    EXPECT_EQ(describe(response(200, good, {{"content-encoding", encoding}})).kind, failed);
  }
  EXPECT_EQ(describe(response(200, "\x1f\x8b\x08", {{"content-encoding", "gzip"}})).message,
            "HTTP 200 with an encoded body: \\x1f\\x8b\\x08");
  EXPECT_EQ(describe(response(200, good, {{"content-encoding", "identity"}})).kind, complete);
}

TEST(ClassifyDescribeTest, NoPrefixOfAListIsComplete) {
  const std::string good = list("2", row("a") + "," + row("b"));
  for (const bool proven : {true, false}) {
    for (std::size_t size = 0; size < good.size(); ++size) {
      HttpResponse reply = response(200, good.substr(0, size));
      reply.length_proven = proven;
      ASSERT_EQ(describe(reply).kind, failed) << size;
    }
  }
  EXPECT_EQ(describe(response(200, good)).kind, complete);
}

TEST(ClassifyDescribeTest, NoChangedByteMakesADiskAbsent) {
  const std::vector<DiskId> asked = {disk("a")};
  const std::string good = one_row(row("a"));
  int still_complete = 0;
  for (std::size_t place = 0; place < good.size(); ++place) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string body = good;
      body[place] = static_cast<char>(byte);
      const DescribeReading reading = describe(response(200, body), asked);
      if (reading.kind != complete) continue;
      ++still_complete;
      ASSERT_NE(reading.sightings.front().status, DiskStatus::absent) << body;
    }
  }
  EXPECT_GT(still_complete, 0);
}

TEST(ClassifyDescribeTest, OnlyStatus200HoldsAList) {
  const std::string good = one_row(row("a"));
  for (const int status : {100, 101, 199, 201, 202, 203, 204, 206, 299, 300, 302,
                           400, 404, 408, 425, 500, 502, 503, 599, 600, 999}) {
    EXPECT_EQ(describe(response(status, good)).kind, failed) << status;
  }
}

// --- refusals

std::string api_error(std::string_view code) {
  return R"({"requestId":"T1","code":")" + std::string(code) + R"(","message":"m"})";
}

struct Shape {
  std::string name;
  HttpResponse reply;
  DescribeReading::Kind kind;
  std::optional<StopCause> cause = std::nullopt;
};

TEST(ClassifyDescribeTest, TellsRefusalsForRateFromThoseForGoodAndFromTheRest) {
  const std::string html = "<html>no</html>";
  HttpResponse unproven_empty_404 = response(404, "");
  unproven_empty_404.length_proven = false;
  const Shape shapes[] = {
      // For rate
      {"429 with its code", response(429, api_error("REQUEST_LIMIT_EXCEEDED")), throttled},
      {"429 HTML", response(429, html), throttled},
      {"429 empty", response(429, ""), throttled},
      {"429 with another code", response(429, api_error("X")), throttled},
      {"429 with a fault code", response(429, api_error("INTERNAL_SERVER_ERROR")), throttled},
      {"429 with a list", response(429, one_row(row("a"))), throttled},
      {"rate code with 400", response(400, api_error("REQUEST_LIMIT_EXCEEDED")), throttled},
      {"rate code with 503", response(503, api_error("request.limit.exceeded")), throttled},
      {"rate code with 200", response(200, api_error("REQUEST_LIMIT_EXCEEDED")), throttled},
      {"rate code with 302", response(302, api_error("REQUEST_LIMIT_EXCEEDED")), throttled},
      // For good
      {"auth code", response(400, api_error("AUTHFAILURE_SIGNATURE_FAILURE")), stop,
       StopCause::authentication},
      {"auth code with 500", response(500, api_error("AUTHFAILURE_X")), stop,
       StopCause::authentication},
      {"auth code with 429", response(429, api_error("AUTHFAILURE_X")), stop,
       StopCause::authentication},
      {"401", response(401, html), stop, StopCause::authentication},
      {"302", response(302, "", {{"location", "https://portal.example/"}}), stop,
       StopCause::redirect},
      {"304", response(304, ""), stop, StopCause::redirect},
      {"403 challenge", response(403, html, {{"cf-mitigated", "challenge"}}), stop,
       StopCause::edge_block},
      {"403 without a code", response(403, html), stop, StopCause::edge_block},
      {"451", response(451, html), stop, StopCause::edge_block},
      {"404 HTML", response(404, html), stop, StopCause::wrong_endpoint},
      {"404 JSON of somebody else", response(404, R"({"error":"no route"})"), stop,
       StopCause::wrong_endpoint},
      {"405", response(405, ""), stop, StopCause::wrong_endpoint},
      // The rest
      {"auth code with 200", response(200, api_error("AUTHFAILURE_X")), failed},
      {"403 with a code", response(403, api_error("SOMETHING_DENIED")), failed},
      {"401 with a disk code", response(401, api_error("INVALID_DISK_NOT_FOUND")), failed},
      {"404 with a disk code", response(404, api_error("INVALID_DISK_NOT_FOUND")), failed},
      {"400 with a code", response(400, api_error("INVALID_PARAMETER_EXCEED_MAXIMUM")), failed},
      {"400 with a code of the recycle bin",
       response(400, api_error("OPERATION_FAILED_FOR_RECYCLE_RESOURCE")), failed},
      {"404 cut JSON", response(404, "{\"requestId\""), failed},
      {"404 empty, cut perhaps", unproven_empty_404, failed},
      {"404 without a usable code", response(404, R"({"requestId":"T1","code":7})"), failed},
      {"408", response(408, html), failed},
      {"425", response(425, ""), failed},
      {"500", response(500, api_error("INTERNAL_SERVER_ERROR")), failed},
      {"502 HTML", response(502, html), failed},
      {"503 challenge", response(503, html, {{"cf-mitigated", "challenge"}}), failed},
      {"504 empty", response(504, ""), failed},
      {"fault code with 400", response(400, api_error("REQUEST_TIMED_OUT")), failed},
  };
  for (const Shape& shape : shapes) {
    SCOPED_TRACE(shape.name);
    const DescribeReading reading = describe(shape.reply);
    EXPECT_EQ(reading.kind, shape.kind);
    EXPECT_EQ(reading.stop, shape.cause);
  }
}

TEST(ClassifyDescribeTest, KeepsCodeRequestIdAndMessageOfARefusal) {
  const DescribeReading reading = describe(response(400, api_error("INVALID_PARAMETER")));
  EXPECT_EQ(reading.api_code, "INVALID_PARAMETER");
  EXPECT_EQ(reading.request_id, "T1");
  EXPECT_EQ(reading.message, "m");
  EXPECT_EQ(describe(response(502, "<html>")).message, "HTTP 502 without JSON: <html>");
  EXPECT_EQ(describe(response(200, list("1", ""))).request_id, "T1");
}

TEST(ClassifyDescribeTest, AFlawThatQuotesTheAnswerIsVisibleAndBounded) {
  const DescribeReading reading =
      describe(response(200, one_row(row(R"(\u001b[2J)" + std::string(5000, 'x')))));
  EXPECT_THAT(reading.message, AllOf(HasSubstr("\\x1b[2Jxxx"), SizeIs(1024)));
}

TEST(ClassifyDescribeTest, ReadsRetryAfterOfARefusalForRateOnly) {
  using std::chrono::milliseconds;
  const HeaderFields seven = {{"retry-after", "7"}};
  EXPECT_EQ(describe(response(429, "", seven)).retry_after, milliseconds(7'000));
  EXPECT_EQ(describe(response(400, api_error("REQUEST_LIMIT_EXCEEDED"), seven)).retry_after,
            milliseconds(7'000));
  EXPECT_EQ(describe(response(429, "", {{"retry-after", "61"}})).retry_after, milliseconds(60'000));
  EXPECT_EQ(describe(response(429, "")).retry_after, std::nullopt);
  EXPECT_EQ(describe(response(503, "", seven)).retry_after, std::nullopt);
}

// --- transport

TEST(ClassifyDescribeTest, ATransportFailureFailsUnlessItIsThisMachinesOrTheCertificates) {
  using enum TransportProblem;
  for (const TransportProblem problem :
       {name_resolution, connect, proxy, tls_handshake, certificate, send, no_answer, timeout,
        incomplete_answer, invalid_answer, answer_too_large, aborted, out_of_resources}) {
    for (const bool left : {false, true}) {
      SCOPED_TRACE(std::string(to_text(problem)) + (left ? ", left" : ""));
      const DescribeReading reading = classify_describe(
          TransportFailure{
              .problem = problem, .request_may_have_left = left, .detail = "why\n", .status = 200},
          k_two, Blanking());
      expect_consistent(reading, k_two);
      std::optional<StopCause> cause;
      if (!left && problem == certificate) cause = StopCause::certificate;
      if (!left && problem == out_of_resources) cause = StopCause::out_of_resources;
      EXPECT_EQ(reading.kind, cause ? stop : failed);
      EXPECT_EQ(reading.stop, cause);
      EXPECT_EQ(reading.http_status, 200);
      EXPECT_EQ(reading.message, std::string(to_text(problem)) + ": why\\x0a");
    }
  }
}

}  // namespace
}  // namespace diskrelease
