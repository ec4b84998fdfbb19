#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "record/audit_file.h"
#include "sandbox/sandbox.h"
#include "store/database.h"
#include "support/child_process.h"
#include "support/places.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// The real binary on the record of a run that it has made against the simulator in this process.
class ReportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    sandbox::SandboxOptions options;
    sandbox::ScenarioFile file = sandbox::parse_scenario(
        R"({"unknown_disks": {"in_use": 0.2}, "faults": [
            {"match": {"action": "ReleaseDisk", "nth": 3}, "fault": {"kind": "throttle"}},
            {"match": {"action": "ReleaseDisk", "nth": 5},
             "fault": {"kind": "html_200", "executed": false}}]})",
        "test");
    ASSERT_THAT(file.problems, IsEmpty());
    options.scenario = std::move(file.scenario);
    options.ca_file = path("ca.pem");
    sandbox::Sandbox server(options);
    environment_["ZENLAYER_ACCESS_KEY_ID"] = server.credentials().key_id;
    environment_["ZENLAYER_ACCESS_KEY_SECRET"] = server.credentials().key_secret;
    std::ofstream list(path("list.txt"));
    for (int i = 0; i < 200; ++i) list << 9900000000000000000ull + static_cast<unsigned>(i) << '\n';
    list.close();
    const ChildResult made =
        run({"run", path("list.txt"), "--name", "</title><script>alert(1)</script>", "--endpoint",
             server.endpoint(), "--ca-file", path("ca.pem"), "--yes", "--max-disks", "200",
             "--rate", "400", "--settle-window", "200ms", "--settle-poll", "50ms", "-q"});
    ASSERT_EQ(made.exit_code, 4) << made.error;
    environment_.erase("ZENLAYER_ACCESS_KEY_ID");
    environment_.erase("ZENLAYER_ACCESS_KEY_SECRET");
  }

  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  ChildResult run(std::vector<std::string> words) {
    words.insert(words.begin(), built_program());
    words.insert(words.end(), {"--db", path("a.db")});
    ChildProcess child(std::move(words), environment_, directory_.path());
    return child.wait();
  }

  static std::string content(const std::string& file) {
    std::ostringstream bytes;
    bytes << std::ifstream(file, std::ios::binary).rdbuf();
    return bytes.str();
  }

  void expect_refused(std::vector<std::string> words, const std::string& message) {
    SCOPED_TRACE(message);
    const ChildResult result = run(std::move(words));
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.error, HasSubstr(message));
    EXPECT_EQ(result.out, "");
  }

  /// Files whose name begins with that of the report.
  std::vector<std::string> files(const std::string& prefix) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(prefix)) names.push_back(name);
    }
    return names;
  }

  TemporaryDirectory directory_;
  std::map<std::string, std::string> environment_{{"HOME", directory_.path().string()},
                                                  {"PATH", "/usr/bin:/bin"}};
};

TEST_F(ReportTest, WritesAPageForItsOwnerOnlyAndLeavesTheRecordAsItIs) {
  const std::string before = content(path("a.db"));
  const ChildResult result = run({"report", "1", "-o", path("run.html")});
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.error, StartsWith("report: "));
  struct stat status {};
  ASSERT_EQ(::stat(path("run.html").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  EXPECT_EQ(content(path("a.db")), before);
  EXPECT_THAT(files("run.html"), ::testing::ElementsAre("run.html"));

  const std::string page = content(path("run.html"));
  EXPECT_THAT(page, StartsWith("<!DOCTYPE html>"));
  EXPECT_TRUE(page.ends_with("</html>\n"));
  EXPECT_THAT(page, HasSubstr("Run 1: &lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, HasSubstr("allowed were <strong>400 a second</strong>"));
  EXPECT_THAT(page, HasSubstr("too many requests"));
  Database database = open_audit_for_reading(path("a.db"));
  for (const std::string state : {"released", "rejected", "unknown", "pending"}) {
    EXPECT_THAT(page,
                HasSubstr("id=\"state-" + state + "\">" +
                          std::to_string(database.query_integer(
                              "SELECT count(*) FROM item_state WHERE state = '" + state + "'")) +
                          "<"));
  }
}

TEST_F(ReportTest, ThePageOnStandardOutputIsTheSameButForItsTime) {
  ASSERT_EQ(run({"report", "1", "-o", path("run.html")}).exit_code, 0);
  const ChildResult result = run({"report", "1", "-o", "-"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.error, "");
  const std::regex time("[0-9]{4}-[0-9-]{5}[T ][0-9:]{8}([.][0-9]{3}Z)?");
  EXPECT_EQ(std::regex_replace(result.out, time, "TIME"),
            std::regex_replace(content(path("run.html")), time, "TIME"));
}

TEST_F(ReportTest, AFileThatIsThereIsReplacedOnlyWhenAskedFor) {
  std::ofstream(path("run.html")) << "mine";
  expect_refused({"report", "1", "-o", path("run.html")}, "exists; nothing was written");
  EXPECT_EQ(content(path("run.html")), "mine");
  EXPECT_EQ(run({"report", "1", "-o", path("run.html"), "--force", "-q"}).exit_code, 0);
  EXPECT_THAT(content(path("run.html")), StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(files("run.html"), ::testing::ElementsAre("run.html"));
}

TEST_F(ReportTest, WhatIsNoFileIsNeverReplaced) {
  std::filesystem::create_directory(path("folder"));
  std::filesystem::create_symlink("a.db", path("link"));
  // Stands for /dev/null, which a program that fails this test, run by root, would replace.
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  for (const std::string name : {"folder", "link", "pipe"}) {
    expect_refused({"report", "1", "-o", path(name), "--force"},
                   "is not a regular file and is not replaced; `-o -` writes to standard output");
  }
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_TRUE(std::filesystem::is_fifo(path("pipe")));
}

TEST_F(ReportTest, SaysWhatIsWrongWithTheCommandLine) {
  const std::string out = path("x.html");
  expect_refused({"report", "1"}, "report needs -o FILE");
  expect_refused({"report", "-o", out}, "report needs a RUN, or --since TIME");
  expect_refused({"report", "1", "--since", "30d", "-o", out}, "not both");
  expect_refused({"report", "7", "-o", out}, "there is no run \"7\"");
  expect_refused({"report", "1", "-o", path("no/such/x.html")}, "No such file or directory");
  expect_refused({"report", "1", "-o", "-", "--json"}, "exclude each other");
  expect_refused({"report", "--since", "30", "-o", out}, "is not a time");
  expect_refused({"report", "--since", "d", "-o", out}, "is not a time");
  expect_refused({"report", "--since", "-1d", "-o", out}, "is not a time");
  expect_refused({"report", "--since", "99999999d", "-o", out}, "is not a time");
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(ReportTest, APeriodTakesTimesAndDurations) {
  for (const std::string since : {"30d", "1h", "30m", "2020-01-01", "2020-01-01T00:00:00Z"}) {
    const ChildResult result = run({"report", "--since", since, "-o", "-"});
    EXPECT_EQ(result.exit_code, 0) << result.error;
    EXPECT_THAT(result.out, HasSubstr("id=\"listed\">200<")) << since;
  }
  const ChildResult result = run({"report", "--since", "2999-01-01", "-o", "-"});
  EXPECT_THAT(result.out, HasSubstr("id=\"listed\">0<"));
}

TEST_F(ReportTest, TheAnchorOnThePageFitsTheRecordAndNoOther) {
  const ChildResult result = run({"report", "1", "-o", "-"});
  const std::regex anchor("<pre id=\"anchor\">([^<]*)</pre>");
  std::smatch found;
  ASSERT_TRUE(std::regex_search(result.out, found, anchor));
  std::string line = found[1];
  std::ofstream(path("page.anchor")) << line << '\n';
  const ChildResult fits = run({"audit", "verify", "--anchor-file", path("page.anchor")});
  EXPECT_EQ(fits.exit_code, 0) << fits.out;
  const std::size_t digit = line.find(' ', line.find(' ', line.find("1 ") + 2) + 1) + 1;
  line[digit] = line[digit] == '0' ? '1' : '0';
  std::ofstream(path("page.anchor")) << line << '\n';
  EXPECT_EQ(run({"audit", "verify", "--anchor-file", path("page.anchor")}).exit_code, 9);
}

TEST_F(ReportTest, JsonTellsWhatWasWritten) {
  const ChildResult result = run({"report", "1", "-o", path("run.html"), "--json"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, R"({"event":"report","file":")" + path("run.html") + R"(","bytes":)" +
                            std::to_string(std::filesystem::file_size(path("run.html"))) + "}\n");
}

TEST_F(ReportTest, ADiskThatIsFullLeavesNothing) {
  // No file may be larger than 32 KiB, which SQLite's shared memory needs, and a page is.
  std::vector<std::string> words{"/bin/sh",
                                 "-c",
                                 "ulimit -f 64; trap '' XFSZ; exec \"$0\" report 1 -o \"$1\" --db "
                                 "\"$2\"",
                                 built_program(),
                                 path("run.html"),
                                 path("a.db")};
  ChildProcess child(std::move(words), environment_, directory_.path());
  const ChildResult result = child.wait();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.error, HasSubstr("could not be written completely"));
  EXPECT_THAT(files("run.html"), IsEmpty());
}

}  // namespace
}  // namespace diskrelease
