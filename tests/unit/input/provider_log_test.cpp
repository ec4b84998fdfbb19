#include "input/provider_log.h"

#include <gtest/gtest.h>

#include <sstream>

#include "input/byte_source.h"
#include "support/temporary_directory.h"
#include "unit/input/reading.h"

namespace diskrelease {
namespace {

struct LogReading {
  ProviderLogSummary summary;
  Lines releases;  ///< "record disk time result[ code] id user ip source"
  Lines problems;  ///< "line: text"
};

LogReading read_stream_of_log(std::istream& in, const Lines& events) {
  LogReading reading;
  const auto or_dash = [](const std::string& text) { return text.empty() ? "-" : text; };
  reading.summary = read_provider_log(in, events, [&](ProviderRelease&& r) {
    reading.releases.push_back(std::to_string(r.record) + " " + r.disk.text() + " " +
                               format_utc(r.time) + " " + std::string(to_text(r.result)) +
                               (r.code.empty() ? "" : " " + r.code) + " " + or_dash(r.request_id) +
                               " " + or_dash(r.user) + " " + or_dash(r.client_ip) + " " +
                               or_dash(r.source));
  });
  for (const InputProblem& problem : reading.summary.problems.shown()) {
    reading.problems.push_back(std::to_string(problem.line) + ": " + problem.text);
  }
  return reading;
}

LogReading read_log_text(const std::string& text, const Lines& events = {}) {
  std::istringstream in(text);
  return read_stream_of_log(in, events);
}

const std::string k_record =
    R"({"resUid":"disk/11","resType":"disk","resEvent":"ReleaseDisk",)"
    R"("opsTime":"2026-11-24T03:00:00.250Z","eventSource":"API_CALL","apiVersion":"2025-09-01",)"
    R"("opsUser":"ops@example.com","clientIP":"192.0.2.7","request":"{\"diskId\":\"11\"}",)"
    R"("response":"{\"requestId\":\"T1\",\"response\":{\"requestId\":\"T1\"}}"})";

const std::string k_read =
    "1 11 2026-11-24T03:00:00.250Z succeeded T1 ops@example.com 192.0.2.7 API_CALL";

/// A record of a release with these members instead, or besides.
std::string with(const std::string& members) {
  return R"({"resEvent":"ReleaseDisk","opsTime":"2026-11-24T03:00:00Z")" +
         (members.empty() ? "" : "," + members) + "}";
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string nested(std::size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

TEST(ProviderLogTest, ReadsEveryAcceptedShape) {
  const std::string answer = R"({"requestId":"TX","response":{"requestId":"TX","dataSet":[)" +
                             k_record + R"(],"cursor":[1691028715371]}})";
  for (const std::string& text : {
           answer,
           "[" + answer + "]",
           "\n[\n" + answer + ",{\"dataSet\":[]},{\"dataSet\":null}]\n",
           answer + "\n{\"requestId\":\"TY\",\"response\":{\"dataSet\":[]}}",
           R"({"response":{"cursor":[1],"dataSet":[)" + k_record + R"(]},"requestId":"TX"})",
           R"({"requestId":"TX","cursor":null,"dataSet":[)" + k_record + "]}",
           "[" + k_record + "]",
           k_record,
           k_record + "\n",
           "\xEF\xBB\xBF" + k_record + "\r\n",
           "[{\"dataSet\":[]}," + k_record + "]",
       }) {
    const LogReading reading = read_log_text(text);
    EXPECT_EQ(reading.releases, Lines{k_read}) << text;
    EXPECT_EQ(reading.problems, Lines{}) << text;
    EXPECT_EQ(reading.summary.records, 1) << text;
    EXPECT_EQ(reading.summary.release_records, 1) << text;
    EXPECT_EQ(reading.summary.earliest, parse_utc("2026-11-24T03:00:00.250Z")) << text;
    EXPECT_EQ(reading.summary.latest, reading.summary.earliest) << text;
  }
}

TEST(ProviderLogTest, ReadsTheExampleOfTheDocumentation) {
  const LogReading reading = read_log_text(
      R"({"requestId":"T83B6A963-B111-4BF9-8466-1C3351E2DFD1","response":{
        "requestId":"T83B6A963-B111-4BF9-8466-1C3351E2DFD1","dataSet":[
        {"resUid":"user/*|team/123","resType":"user","resEvent":"switch  team",
         "opsTime":"2023-08-03T07:56:28.670Z","eventSource":"CONSOLE_CALL","apiVersion":"v1",
         "opsUser":"a@example.com","clientIP":"10.0.0.4","request":null,
         "response":"{\"msg\":\"success\",\"ret\":0,\"code\":\"SUCCESS\",\"success\":true}"},
        {"resUid":"bmi/123","resType":"bmi","resEvent":"rename bmi",
         "opsTime":"2023-08-03T06:52:23.008Z","eventSource":"CONSOLE_CALL","apiVersion":"v1",
         "opsUser":"a@example.com","clientIP":"10.0.0.5","request":"{\"label\":\"x\"}",
         "response":"{\"msg\":\"success\",\"ret\":0,\"code\":\"SUCCESS\",\"success\":true}"}],
        "cursor":[1691028715371]}})");
  EXPECT_EQ(reading.problems, Lines{});
  EXPECT_EQ(reading.releases, Lines{});
  EXPECT_EQ(reading.summary.records, 2);
  EXPECT_EQ(reading.summary.release_records, 0);
  EXPECT_EQ(reading.summary.earliest, parse_utc("2023-08-03T06:52:23.008Z"));
  EXPECT_EQ(reading.summary.latest, parse_utc("2023-08-03T07:56:28.670Z"));
  EXPECT_EQ(reading.summary.other_events, (Lines{"switch  team", "rename bmi"}));
}

TEST(ProviderLogTest, SeveralValuesFollowOneAnother) {
  const LogReading reading =
      read_log_text(with(R"("resUid":"11")") + "\n\n" + with(R"("resUid":"12")") + "[" +
                    with(R"("resUid":"13")") + "]");
  EXPECT_EQ(reading.problems, Lines{});
  EXPECT_EQ(reading.releases, (Lines{"1 11 2026-11-24T03:00:00.000Z unclear - - - -",
                                     "2 12 2026-11-24T03:00:00.000Z unclear - - - -",
                                     "3 13 2026-11-24T03:00:00.000Z unclear - - - -"}));
}

TEST(ProviderLogTest, AnEventIsItsWordsInAnySpelling) {
  for (const char* event : {"ReleaseDisk", "releaseDisk", "release disk", "RELEASE_DISK",
                            "Release  disk", "wipe-disk"}) {
    const LogReading reading = read_log_text(R"({"resUid":"11","resEvent":")" + std::string(event) +
                                                 R"(","opsTime":"2026-11-24T03:00:00Z"})",
                                             {"WipeDisk"});
    EXPECT_EQ(reading.summary.release_records, 1) << event;
  }
  for (const char* event : {"ReleaseDisks", "release", "disk release", "-"}) {
    const LogReading reading = read_log_text(R"({"resUid":"11","resEvent":")" + std::string(event) +
                                                 R"(","opsTime":"2026-11-24T03:00:00Z"})",
                                             {"--"});
    EXPECT_EQ(reading.summary.release_records, 0) << event;
    EXPECT_EQ(reading.problems, Lines{});
  }
}

TEST(ProviderLogTest, TheRequestNamesTheDiskOrElseTheResource) {
  const std::pair<std::string, Lines> cases[] = {
      {R"("resUid":"11")", {"11"}},
      {R"("resUid":"disk/11")", {"11"}},
      {R"("resUid":"zec/a/11")", {"11"}},
      {R"("resUid":"team/5|disk/11|instance/6")", {"11"}},
      {R"("resUid":"cloudDisk/11|Disk/12")", {"11", "12"}},
      {R"("resUid":"zec/11|zec/12")", {"11", "12"}},
      {R"("resUid":"disk-11|12")", {"disk-11", "12"}},
      {R"("resUid":"disk/12","request":"{\"diskId\":\"11\"}")", {"11"}},
      {R"("resUid":null,"request":"{\"diskId\":\"11\"}")", {"11"}},
      {R"("request":"{\"diskIds\":[\"11\",\"12\"],\"x\":[[\"13\"],{\"diskId\":\"14\"}]}")",
       {"11", "12"}},
      // What is no JSON object, or names a member twice, says nothing.
      {R"("resUid":"11","request":"diskId=12")", {"11"}},
      {R"("resUid":"11","request":"{\"diskId\":\"12\"")", {"11"}},
      {R"("resUid":"11","request":"{\"diskId\":\"12\"} x")", {"11"}},
      {R"("resUid":"11","request":"{\"diskId\":\"12\"}\u0000")", {"11"}},
      {R"("resUid":"11","request":"[\"12\"]")", {"11"}},
      {R"("resUid":"11","request":"{\"diskId\":\"12\",\"diskId\":\"13\"}")", {"11"}},
      {R"("resUid":"11","request":"")", {"11"}},
  };
  for (const auto& [members, disks] : cases) {
    Lines expected;
    for (const std::string& disk : disks) {
      expected.push_back("1 " + disk + " 2026-11-24T03:00:00.000Z unclear - - - -");
    }
    const LogReading reading = read_log_text(with(members));
    EXPECT_EQ(reading.problems, Lines{}) << members;
    EXPECT_EQ(reading.releases, expected) << members;
  }
}

TEST(ProviderLogTest, TheResponseSaysWhatBecameOfTheCall) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"msg":"success","ret":0,"code":"SUCCESS","success":true})", "succeeded -"},
      {R"({"requestId":"T1","response":{"requestId":"T1"}})", "succeeded T1"},
      {R"({"success":true})", "succeeded -"},
      {R"({"code":"SUCCESS"})", "succeeded -"},
      {R"({"requestId":"T1","code":"INVALID_DISK_NOT_FOUND","message":"no"})",
       "failed INVALID_DISK_NOT_FOUND T1"},
      {R"({"success":false})", "failed -"},
      {R"({"success":false,"code":"X"})", "failed X -"},
      // Nothing, nothing that is understood, or both.
      {R"({})", "unclear -"},
      {R"({"requestId":"T1"})", "unclear T1"},
      {R"({"success":"true","code":null,"response":null})", "unclear -"},
      {R"({"success":true,"code":"X"})", "unclear X -"},
      {R"({"code":"X","response":{}})", "unclear X -"},
      {R"({"success":false,"code":"SUCCESS"})", "unclear SUCCESS -"},
      {R"({"success":true,"success":false})", "unclear -"},
      {R"({"success":true)", "unclear -"},
      {"OK", "unclear -"},
      {R"({"success":true,"deep":)" + nested(63) + "}", "succeeded -"},
      {R"({"success":true,"deep":)" + nested(64) + "}", "unclear -"},
  };
  for (const auto& [response, expected] : cases) {
    const LogReading reading =
        read_log_text(with(R"("resUid":"11","response":)" + quoted(response)));
    EXPECT_EQ(reading.problems, Lines{}) << response;
    EXPECT_EQ(reading.releases, Lines{"1 11 2026-11-24T03:00:00.000Z " + expected + " - - -"})
        << response;
  }
}

TEST(ProviderLogTest, RefusesWhatItCannotRelyOnAndSaysWhy) {
  const std::string cut =
      ": the JSON ends here before it is complete: the file is cut off; export the log again";
  const std::string neither =
      ": this object is neither an answer to DescribeLogs, which has a \"dataSet\", nor a record "
      "of "
      "the log, which has a \"resEvent\"";
  const std::string expected =
      " where an answer to DescribeLogs or a record of the log is expected";
  const std::string ok = R"("resUid":"11")";
  const std::string kib(1024, 'x');
  std::string mib;
  for (int i = 0; i < 1024; ++i) mib += kib;
  mib += std::string(2 * ByteSource::k_block_bytes, 'x');
  const std::pair<std::string, Lines> cases[] = {
      {"", {"0: the file is empty; export the log again"}},
      {" \r\n\t", {"0: the file is empty; export the log again"}},
      {"[", {"1" + cut}},
      {"{\"dataSet\":[\n", {"1" + cut}},
      {k_record.substr(0, k_record.size() - 1), {"1" + cut}},
      {with(ok) + "\n{\"resEv", {"2" + cut}},
      {with(ok) + "\nx",
       {"2: this is not a JSON value; texts need double quotes; the rest was not read"}},
      {"[" + with(ok) + "\n" + with(ok) + "]",
       {"2: a comma or ] after the element of an array is missing; the rest was not read"}},
      {with(ok) + std::string("\0", 1) + with(ok),
       {"1: there is a NUL byte: the file is damaged, or UTF-16"}},
      {"{\"a\":\"\xFF\"}",
       {"1: a string is not valid UTF-8; save the file as UTF-8; the rest was not read"}},
      {"12", {"1: the JSON holds a number" + expected}},
      {"[1,\n\"x\",[" + with(ok) + "]]",
       {"1: the JSON holds a number" + expected, "2: the JSON holds a string" + expected,
        "2: the JSON holds an array" + expected}},
      {"{}", {"1" + neither}},
      {R"({"response":{"requestId":"T"}})", {"1" + neither}},
      {R"({"requestId":"T","code":"AUTHFAILURE","message":"no"})",
       {"1: this answer is a refusal, \"AUTHFAILURE\"; export the log again"}},
      {R"({"dataSet":{}})", {"1: \"dataSet\" is an object; expected an array of records"}},
      {R"({"dataSet":[],"dataSet":[]})",
       {"1: an answer has \"dataSet\" twice; export the log again"}},
      {R"({"response":{"dataSet":[]},"response":{"dataSet":[]}})",
       {"1: an answer has \"dataSet\" twice; export the log again"}},
      {R"({"resEvent":"ReleaseDisk","dataSet":[]})",
       {"1: an object is an answer and a record at once; export the log again"}},
      {R"({"dataSet":[],"resEvent":"ReleaseDisk"})",
       {"1: an object is an answer and a record at once; export the log again"}},
      {R"({"dataSet":[null,[]]})",
       {"1: record 1: is null; expected an object",
        "1: record 2: is an array; expected an object"}},
      {R"({"dataSet":[{}]})",
       {"1: record 1: \"resEvent\" is missing", "1: record 1: \"opsTime\" is missing"}},
      // Also of an event that is not looked at: the times give the span.
      {R"({"resEvent":"x"})", {"1: record 1: \"opsTime\" is missing"}},
      {R"({"opsTime":"2026-11-24T03:00:00Z"})", {"1: record 1: \"resEvent\" is missing"}},
      {R"({"resEvent":"","opsTime":"2026-11-24T03:00:00Z"})",
       {"1: record 1: \"resEvent\" is missing"}},
      {R"({"resEvent":"x","opsTime":1691028715371})",
       {"1: record 1: \"opsTime\" is a number; expected a string"}},
      {R"({"resEvent":"x","opsTime":"2026-02-30"})",
       {"1: record 1: \"opsTime\" \"2026-02-30\" is not a time such as 2026-11-24T03:00:00Z"}},
      {R"({"resEvent":7,"opsTime":"2026-11-24"})",
       {"1: record 1: \"resEvent\" is a number; expected a string"}},
      {with(ok + "," + ok), {"1: record 1: \"resUid\" occurs twice"}},
      {with(ok + R"(,"resEvent":"x")"), {"1: record 1: \"resEvent\" occurs twice"}},
      {with(""), {"1: record 1: a release that names no disk, neither in request nor in resUid"}},
      {with(R"("resUid":"disk/*")"),
       {"1: record 1: the disk id \"*\" has a character outside A-Z a-z 0-9 . _ -"}},
      {with(R"("resUid":"disk/")"), {"1: record 1: the disk id is empty"}},
      {with(R"("resUid":"11|")"), {}},
      {with(R"("request":"{\"diskId\":11}")"),
       {"1: record 1: \"request\" names a disk that is no string"}},
      {with(R"("request":"{\"diskIds\":[\"11\",{}]}")"),
       {"1: record 1: \"request\" names a disk that is no string"}},
      {with(ok + R"(,"request":{"diskId":"11"})"),
       {"1: record 1: \"request\" is an object; expected a string"}},
      {with(ok + R"(,"response":{"success":true})"),
       {"1: record 1: \"response\" is an object; expected a string"}},
      {with(ok + R"(,"opsUser":[1])"), {"1: record 1: \"opsUser\" is an array; expected a string"}},
      {with(ok + R"(,"clientIP":")" + std::string(257, '1') + "\""),
       {"1: record 1: \"clientIP\" is longer than 256 bytes"}},
      {with(ok + R"(,"opsUser":"\udc00")"), {"1: record 1: \"opsUser\" is not UTF-8"}},
      {with(ok + R"(,"response":"{\"requestId\":\")" + std::string(257, 'T') + R"(\"}")"),
       {"1: record 1: \"response\" has a code or request id that is too long or not UTF-8"}},
      {with(ok + ",\"response\":\"" + mib + "\""), {"1: a string or number is longer than 1 MiB"}},
      {"[" + with(ok + R"(,"deep":)" + nested(62)) + "]", {}},
      {"[" + with(ok + R"(,"deep":)" + nested(63)) + "]",
       {"1: the JSON is nested deeper than 64 levels, so this is not an export of the log"}},
  };
  for (const auto& [text, problems] : cases) {
    EXPECT_EQ(read_log_text(text).problems, problems) << text.substr(0, 400);
  }
}

TEST(ProviderLogTest, AllProblemsAreToldTogether) {
  const LogReading reading =
      read_log_text("{\"dataSet\":[\n{},\n" + k_record + ",\n" + with(R"("resUid":"a b")") +
                    "\n]}\n{\"code\":\"NO\"}\n" + k_record);
  EXPECT_EQ(reading.problems,
            (Lines{"2: record 1: \"resEvent\" is missing", "2: record 1: \"opsTime\" is missing",
                   "4: record 3: the disk id \"a b\" has a character outside A-Z a-z 0-9 . _ -",
                   "6: this answer is a refusal, \"NO\"; export the log again"}));
  EXPECT_EQ(reading.summary.records, 4);
  EXPECT_EQ(reading.releases.size(), 2U);
}

TEST(ProviderLogTest, MembersOfAnAnswerAreNotTakenForThoseOfARecord) {
  // And the other way round: what is deeper in a record means nothing.
  const LogReading reading = read_log_text(
      R"({"request":7,"dataSet":[)" +
      with(R"("resUid":"11","more":{"resEvent":"x","dataSet":[{}],"response":{"dataSet":[1]}})") +
      R"(],"opsUser":[1],"more":{"dataSet":[{}]}})");
  EXPECT_EQ(reading.problems, Lines{});
  EXPECT_EQ(reading.releases, Lines{"1 11 2026-11-24T03:00:00.000Z unclear - - - -"});
}

TEST(ProviderLogTest, PiecesOfAnySizeGiveTheSame) {
  const std::string text = "{\"dataSet\":[" + k_record + "]}\n" + k_record;
  for (const std::size_t piece : {1U, 2U, 7U, 1000U}) {
    PieceBuffer buffer(text, piece);
    std::istream in(&buffer);
    EXPECT_EQ(read_stream_of_log(in, {}).releases, (Lines{k_read, "2" + k_read.substr(1)}));
  }
}

TEST(ProviderLogTest, AFailedReadIsNoEnd) {
  PieceBuffer buffer(k_record + "\n", 100, true);
  std::istream in(&buffer);
  const LogReading reading = read_stream_of_log(in, {});
  EXPECT_EQ(reading.problems, Lines{"0: reading failed: Input/output error; the rest of the log is "
                                    "unknown, so none of it is used"});
}

TEST(ProviderLogTest, FilesThatCannotBeReadAreProblems) {
  const TemporaryDirectory directory;
  const auto problem = [](const std::string& path) {
    return read_provider_log_file(path, {}, [](ProviderRelease&&) {}).problems.describe("log");
  };
  EXPECT_EQ(problem((directory / "none").string()),
            "log: cannot open the provider's log: No such file or directory");
  EXPECT_EQ(problem(directory.path().string()),
            "log: this is a directory; name the provider's log file in it");
}

TEST(ProviderLogTest, MoreReleasesThanTheBoundAreRefused) {
  // Many disks in one record come to the bound soonest.
  std::string ids;
  for (int i = 0; i < 40'000; ++i) ids += (i == 0 ? R"(\"1\")" : R"(,\"1\")");
  const std::string record = with(R"("request":"{\"diskIds\":[)" + ids + R"(]}")");
  std::string text;
  for (int i = 0; i < 25; ++i) text += record + "\n";
  std::int64_t releases = 0;
  const auto count = [&](ProviderRelease&&) { ++releases; };
  std::istringstream full(text);
  EXPECT_TRUE(read_provider_log(full, {}, count).problems.empty());
  EXPECT_EQ(releases, k_max_provider_releases);
  std::istringstream over(text + with(R"("resUid":"11")") + "\n{");
  EXPECT_EQ(read_provider_log(over, {}, count).problems.describe("log"),
            "log:26: the export has more than 1000000 releases; export and compare shorter times");
}

}  // namespace
}  // namespace diskrelease
