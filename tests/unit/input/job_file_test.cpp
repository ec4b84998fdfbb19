#include "input/job_file.h"
#include "support/places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace diskrelease {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

class JobFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "job_file_test.XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }

  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, std::string_view text) const {
    const auto path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  JobFile read(std::string_view text, JobFileKind kind = JobFileKind::job) const {
    return read_job_file(write("nightly.json", text), kind);
  }

  /// The problems without the path of the file, which each begins with.
  std::vector<std::string> problems(std::string_view text,
                                    JobFileKind kind = JobFileKind::job) const {
    auto problems = read(text, kind).problems;
    const std::string source = (folder_ / "nightly.json").string();
    for (auto& problem : problems) {
      EXPECT_THAT(problem, StartsWith(source));
      problem.erase(0, source.size());
    }
    return problems;
  }

  bool is_job(std::string_view text) const { return is_job_file(write("file", text)); }

  fs::path folder_;
};

TEST_F(JobFileTest, TakesEverySettingOver) {
  const auto read = read_job_file(
      source_folder() / "tests/unit/input/job_files/good/everything.json", JobFileKind::job);
  ASSERT_THAT(read.problems, IsEmpty());
  const fs::path folder = source_folder() / "tests/unit/input/job_files/good";
  const JobSettings& settings = read.settings;
  EXPECT_EQ(settings.name, "nightly-cleanup");
  EXPECT_EQ(settings.list, (folder / "disks.csv").string());
  EXPECT_EQ(settings.format, ListFormat::csv);
  EXPECT_EQ(settings.column, "Disk ID");
  EXPECT_EQ(settings.goal, Goal::purge);
  EXPECT_EQ(settings.endpoint, "console.zenlayer.com:443");
  EXPECT_EQ(settings.profile, "ops");
  EXPECT_EQ(settings.credentials_file, (folder / "credentials.json").string());
  EXPECT_EQ(settings.ca_file, "/etc/ssl/own.pem");
  EXPECT_EQ(settings.proxy, "http://proxy.example.com:3128");
  EXPECT_EQ(settings.rate_unlimited, std::nullopt);
  EXPECT_EQ(settings.rate_per_second, 7.5);
  EXPECT_EQ(settings.burst, 3);
  EXPECT_EQ(settings.in_flight, 9);
  EXPECT_EQ(settings.look_batch, 8);
  EXPECT_EQ(settings.timeout, milliseconds{11'000});
  EXPECT_EQ(settings.connect_timeout, milliseconds{1'300});
  EXPECT_EQ(settings.max_attempts, 17);
  EXPECT_EQ(settings.first_backoff, milliseconds{190});
  EXPECT_EQ(settings.max_backoff, milliseconds{23'000});
  EXPECT_EQ(settings.budget_percent, 29);
  EXPECT_EQ(settings.max_disks, 31);
  EXPECT_EQ(settings.max_list_size, 3 << 20);
  EXPECT_EQ(settings.preflight, true);
  EXPECT_EQ(settings.verify, false);
  EXPECT_EQ(settings.settle_window, milliseconds{37'000});
  EXPECT_EQ(settings.settle_poll, milliseconds{410});
  EXPECT_EQ(settings.resend_unsettled, true);
  EXPECT_EQ(settings.include_recycled, true);
}

TEST_F(JobFileTest, ReadsBackWhatItHasWritten) {
  JobSettings settings;
  settings.name = "nightly";
  settings.list = "/srv/disks.csv";
  settings.format = ListFormat::csv;
  settings.column = "Disk ID";
  settings.goal = Goal::purge;
  settings.endpoint = "127.0.0.1:8443";
  settings.profile = "ops";
  settings.credentials_file = "/etc/diskrelease/credentials.json";
  settings.ca_file = "/etc/ssl/own.pem";
  settings.proxy = "http://proxy:3128";
  settings.rate_per_second = 7.5;
  settings.burst = 3;
  settings.in_flight = 9;
  settings.look_batch = 8;
  settings.timeout = milliseconds{11'000};
  settings.connect_timeout = milliseconds{1'300};
  settings.max_attempts = 17;
  settings.first_backoff = milliseconds{190};
  settings.max_backoff = milliseconds{23'000};
  settings.budget_percent = 29;
  settings.max_disks = 31;
  settings.max_list_size = 3 << 20;
  settings.settle_window = milliseconds{37'000};
  settings.settle_poll = milliseconds{410};
  for (const bool value : {false, true}) {
    settings.preflight = value;
    settings.verify = !value;
    settings.resend_unsettled = value;
    settings.include_recycled = !value;
    const auto text = write_settings(settings);
    const auto read = read_settings(text, "settings of run 1");
    ASSERT_THAT(read.problems, IsEmpty());
    EXPECT_EQ(write_settings(read.settings), text);
    EXPECT_EQ(read.settings.name, settings.name);
    EXPECT_EQ(read.settings.list, settings.list);
    EXPECT_EQ(read.settings.format, settings.format);
    EXPECT_EQ(read.settings.column, settings.column);
    EXPECT_EQ(read.settings.goal, settings.goal);
    EXPECT_EQ(read.settings.endpoint, settings.endpoint);
    EXPECT_EQ(read.settings.profile, settings.profile);
    EXPECT_EQ(read.settings.credentials_file, settings.credentials_file);
    EXPECT_EQ(read.settings.ca_file, settings.ca_file);
    EXPECT_EQ(read.settings.proxy, settings.proxy);
    EXPECT_EQ(read.settings.rate_per_second, settings.rate_per_second);
    EXPECT_EQ(read.settings.burst, settings.burst);
    EXPECT_EQ(read.settings.in_flight, settings.in_flight);
    EXPECT_EQ(read.settings.look_batch, settings.look_batch);
    EXPECT_EQ(read.settings.timeout, settings.timeout);
    EXPECT_EQ(read.settings.connect_timeout, settings.connect_timeout);
    EXPECT_EQ(read.settings.max_attempts, settings.max_attempts);
    EXPECT_EQ(read.settings.first_backoff, settings.first_backoff);
    EXPECT_EQ(read.settings.max_backoff, settings.max_backoff);
    EXPECT_EQ(read.settings.budget_percent, settings.budget_percent);
    EXPECT_EQ(read.settings.max_disks, settings.max_disks);
    EXPECT_EQ(read.settings.max_list_size, settings.max_list_size);
    EXPECT_EQ(read.settings.preflight, settings.preflight);
    EXPECT_EQ(read.settings.verify, settings.verify);
    EXPECT_EQ(read.settings.settle_window, settings.settle_window);
    EXPECT_EQ(read.settings.settle_poll, settings.settle_poll);
    EXPECT_EQ(read.settings.resend_unsettled, settings.resend_unsettled);
    EXPECT_EQ(read.settings.include_recycled, settings.include_recycled);
  }
}

TEST_F(JobFileTest, WritesNothingAboutWhatIsNotSaid) {
  EXPECT_EQ(write_settings(JobSettings{}), "{}");
  JobSettings settings;
  settings.settle_poll = milliseconds{500};
  EXPECT_EQ(write_settings(settings), R"({"settle":{"poll":"0.5s"}})");
  settings = {};
  settings.preflight = false;
  settings.resend_unsettled = false;
  EXPECT_EQ(write_settings(settings), R"({"preflight":false,"settle":{"resend_unsettled":false}})");
}

TEST_F(JobFileTest, StaysSilentAboutWhatTheFileDoesNotSay) {
  const auto read = this->read(R"({"list": "-"})");
  EXPECT_THAT(read.problems, IsEmpty());
  EXPECT_EQ(read.settings.list, "-");
  const JobSettings& settings = read.settings;
  EXPECT_FALSE(settings.name || settings.format || settings.column || settings.goal ||
               settings.endpoint || settings.profile || settings.credentials_file ||
               settings.ca_file || settings.proxy);
  EXPECT_FALSE(settings.rate_unlimited || settings.rate_per_second || settings.burst ||
               settings.in_flight || settings.look_batch || settings.timeout ||
               settings.connect_timeout || settings.max_attempts || settings.first_backoff ||
               settings.max_backoff || settings.budget_percent || settings.max_disks);
  EXPECT_FALSE(settings.preflight || settings.verify || settings.settle_window ||
               settings.settle_poll || settings.resend_unsettled || settings.include_recycled);
}

TEST_F(JobFileTest, ReadsEveryFormOfARate) {
  const auto settings = [this](const std::string& rate) {
    const auto file = read(R"({"list": "-", "rate": )" + rate + "}");
    EXPECT_THAT(file.problems, IsEmpty()) << rate;
    return file.settings;
  };
  EXPECT_EQ(settings("20").rate_per_second, 20.0);
  EXPECT_EQ(settings("0.5").rate_per_second, 0.5);
  EXPECT_EQ(settings("\"unlimited\"").rate_unlimited, true);
  EXPECT_EQ(settings("\"unlimited\"").rate_per_second, std::nullopt);
  EXPECT_EQ(settings(R"({"per_second": 3})").rate_per_second, 3.0);
  EXPECT_EQ(settings(R"({"per_second": "unlimited", "burst": 7})").rate_unlimited, true);
  EXPECT_EQ(settings(R"({"per_second": "unlimited", "burst": 7})").burst, 7);
}

TEST_F(JobFileTest, TakesRelativePathsRelativeToTheFile) {
  const auto path = write("jobs/nightly.json", R"({"list": {"path": "../lists/./disks.csv"},
      "credentials_file": "/etc/credentials.json", "ca_file": "own.pem"})");
  const auto read = read_job_file(path, JobFileKind::job);
  EXPECT_THAT(read.problems, IsEmpty());
  EXPECT_EQ(read.settings.list, (folder_ / "lists/disks.csv").string());
  EXPECT_EQ(read.settings.credentials_file, "/etc/credentials.json");
  EXPECT_EQ(read.settings.ca_file, (folder_ / "jobs/own.pem").string());
}

TEST_F(JobFileTest, MakesPathsAbsoluteWhereTheFileWasNamedRelatively) {
  const auto path = write("nightly.json", R"({"list": "disks.csv"})");
  const auto read = read_job_file(fs::relative(path), JobFileKind::job);
  EXPECT_THAT(read.problems, IsEmpty());
  ASSERT_TRUE(read.settings.list);
  EXPECT_EQ(fs::path(*read.settings.list), folder_ / "disks.csv");
}

TEST_F(JobFileTest, KeepsADashForStandardInputOnlyAsAList) {
  EXPECT_EQ(read(R"({"list": {"path": "-"}})").settings.list, "-");
  EXPECT_EQ(read(R"({"list": "./-"})").settings.list, (folder_ / "-").string());
  EXPECT_EQ(read(R"({"list": "-", "ca_file": "-"})").settings.ca_file, (folder_ / "-").string());
}

TEST_F(JobFileTest, ExpandsTheHomeFolder) {
  ASSERT_EQ(setenv("HOME", "/home/operator", 1), 0);
  const auto read = this->read(
      R"({"list": "~/lists/disks.csv", "credentials_file": "~other/x", "ca_file": "a/~/b"})");
  EXPECT_THAT(read.problems, IsEmpty());
  EXPECT_EQ(read.settings.list, "/home/operator/lists/disks.csv");
  EXPECT_EQ(read.settings.credentials_file, (folder_ / "~other/x").string());
  EXPECT_EQ(read.settings.ca_file, (folder_ / "a/~/b").string());

  for (const char* home : {"", "relative"}) {
    ASSERT_EQ(setenv("HOME", home, 1), 0);
    EXPECT_THAT(problems(R"({"list": "~/disks.csv"})"),
                ElementsAre(": $.list: \"~/\" means $HOME, which is not set to an absolute path"));
  }
  ASSERT_EQ(unsetenv("HOME"), 0);
  EXPECT_THAT(problems(R"({"list": "~/disks.csv"})"), SizeIs(1));
}

TEST_F(JobFileTest, NamesTheLikelyKeyForAMisspeltOne) {
  EXPECT_THAT(problems(R"({"list": "-", "limits": {"max_disk": 5}})"),
              ElementsAre(": $.limits.max_disk: unknown key; did you mean \"max_disks\"?"));
  const std::pair<const char*, const char*> cases[] = {
      {"inFlight", "in_flight"},         {"in-flight", "in_flight"},
      {"timeout", "timeouts"},           {"CredentialsFile", "credentials_file"},
      {"endpiont", "endpoint"},          {"max_disks", "limits.max_disks"},
      {"per_second", "rate.per_second"}, {"maxAttempts", "retry.max_attempts"},
      {"column", "list.column"},         {"first_back_off", "retry.first_backoff"},
      {"pre_flight", "preflight"},       {"resend_unsettled", "settle.resend_unsettled"},
      {"window", "settle.window"},       {"include_recycle", "include_recycled"}};
  for (const auto& [wrong, right] : cases) {
    EXPECT_THAT(
        problems(std::string(R"({"list": "-", ")") + wrong + R"(": 1})"),
        ElementsAre(EndsWith(": unknown key; did you mean \"" + std::string(right) + "\"?")));
  }
  EXPECT_THAT(problems(R"({"list": "-", "retry": {"in_flight": 4}})"),
              ElementsAre(": $.retry.in_flight: unknown key; did you mean \"in_flight\"?"));
}

TEST_F(JobFileTest, MakesNoSuggestionWhereNothingIsNear) {
  EXPECT_THAT(problems(R"({"list": "-", "dry_run": true})"),
              ElementsAre(": $.dry_run: unknown key"));
  EXPECT_THAT(problems(R"({"list": "-", "": true})"), ElementsAre(": $[\"\"]: unknown key"));
}

TEST_F(JobFileTest, MakesStrangeKeysVisibleAndShortensThem) {
  EXPECT_THAT(problems("{\"list\": \"-\", \"a\\u001b[2Jb\": 1}"),
              ElementsAre(AllOf(StartsWith(": $[\"a"), EndsWith("b\"]: unknown key"),
                                Not(HasSubstr("\x1b")))));
  const auto found = problems("{\"list\": \"-\", \"" + std::string(5000, 'k') + "\": 1}");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_LT(found.front().size(), 120u);
}

TEST_F(JobFileTest, SaysWhatWasExpectedAndWhatWasFound) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("in_flight": "4")", ": $.in_flight: expected a whole number, found a string"},
      {R"("in_flight": 4.5)",
       ": $.in_flight: expected a whole number, found a number with a fraction or an exponent, or "
       "far too large"},
      {R"("limits": 5)", ": $.limits: expected an object, found a number"},
      {R"("endpoint": null)", ": $.endpoint: expected a string, found null"},
      {R"("profile": false)", ": $.profile: expected a string, found false"},
      {R"("name": {})", ": $.name: expected a string, found an object"},
      {R"("rate": [])", ": $.rate: expected a number, \"unlimited\" or an object, found an array"},
      {R"("rate": {"per_second": "2"})",
       ": $.rate.per_second: expected a number or \"unlimited\", found \"2\""},
      {R"("goal": "relaese")",
       ": $.goal: expected \"release\" or \"purge\", found \"relaese\"; did you mean \"release\"?"},
      {R"("goal": "delete")", ": $.goal: expected \"release\" or \"purge\", found \"delete\""},
      {R"("timeouts": {"request": 30})",
       ": $.timeouts.request: expected a duration such as \"500ms\", \"30s\", \"5m\" or \"1h\", "
       "found a number"},
      {R"("preflight": "true")", ": $.preflight: expected true or false, found a string"},
      {R"("verify": 1)", ": $.verify: expected true or false, found a number"},
      {R"("include_recycled": null)", ": $.include_recycled: expected true or false, found null"},
      {R"("settle": {"resend_unsettled": 0})",
       ": $.settle.resend_unsettled: expected true or false, found a number"},
      {R"("settle": {"poll": 3})",
       ": $.settle.poll: expected a duration such as \"500ms\", \"30s\", \"5m\" or \"1h\", "
       "found a number"},
      {R"("timeouts": {"request": "30"})",
       ": $.timeouts.request: expected a duration such as \"500ms\", \"30s\", \"5m\" or \"1h\", "
       "found \"30\""}};
  for (const auto& [setting, problem] : cases) {
    EXPECT_THAT(problems(std::string(R"({"list": "-", )") + setting + "}"), ElementsAre(problem));
  }
}

TEST_F(JobFileTest, SaysWhichFormatsAListMayHave) {
  EXPECT_THAT(
      problems(R"({"list": {"path": "-", "format": "CSV"}})"),
      ElementsAre(": $.list.format: expected \"automatic\", \"csv\", \"json\", \"ndjson\" or "
                  "\"text\", found \"CSV\"; did you mean \"csv\"?"));
}

TEST_F(JobFileTest, SaysTheAllowedRange) {
  EXPECT_THAT(problems(R"({"list": "-", "rate": 0, "in_flight": 1001})"),
              ElementsAre(": $.rate.per_second: must be a number from 0.001 to 100000, or "
                          "\"unlimited\".",
                          ": $.in_flight: must be a whole number from 1 to 1000."));
}

TEST_F(JobFileTest, DoesNotLetANumberWrapIntoItsRange) {
  for (const char* number : {"4294967297", "18446744073709551615", "18446744073709551617",
                             "-4294967295", "-18446744073709551615"}) {
    EXPECT_THAT(problems(std::string(R"({"list": "-", "in_flight": )") + number + "}"), SizeIs(1))
        << number;
    EXPECT_THAT(problems(std::string(R"({"list": "-", "limits": {"max_disks": )") + number + "}}"),
                SizeIs(1))
        << number;
  }
}

TEST_F(JobFileTest, RefusesADuplicateKeyWhereverItStands) {
  EXPECT_THAT(problems(R"({"list": "a.csv", "goal": "release", "goal": "purge"})"),
              ElementsAre(": $.goal: the key occurs twice"));
  EXPECT_THAT(problems(R"({"list": "a.csv", "limits": {"max_disks": 5, "max_d\u0069sks": 50}})"),
              ElementsAre(": $.limits.max_disks: the key occurs twice"));
}

TEST_F(JobFileTest, ReportsAllProblemsAtOnce) {
  EXPECT_THAT(
      problems(R"({"goal": "x", "in_flight": 0, "limits": {"max_disk": 5, "max_disks": 0},
                           "rate": {"burst": "1"}})"),
      ElementsAre(StartsWith(": $.goal: expected"), StartsWith(": $.limits.max_disk: "),
                  StartsWith(": $.rate.burst: expected"),
                  StartsWith(": $: the key \"list\" is missing"), StartsWith(": $.in_flight: must"),
                  StartsWith(": $.limits.max_disks: must")));
}

TEST_F(JobFileTest, CountsProblemsBeyondTheFirstFifty) {
  const auto keys = [](int count) {
    std::string text = R"({"list": "-")";
    for (int i = 0; i < count; ++i) text += ", \"zzzz" + std::to_string(i) + "\": 1";
    return text + '}';
  };
  EXPECT_THAT(problems(keys(50)), AllOf(SizeIs(50), Each(EndsWith("unknown key"))));
  const auto found = problems(keys(53));
  ASSERT_THAT(found, SizeIs(51));
  EXPECT_EQ(found.back(), ": ... and 3 more problems");
}

TEST_F(JobFileTest, RefusesSecretsAndDoesNotRepeatThem) {
  for (const char* key : {"access_key", "access_key_id", "accessKeySecret", "secret", "token",
                          "API-Token", "password", "proxy_password", "passwd", "api_key"}) {
    for (const std::string& text :
         {std::string(R"({"list": "-", ")") + key + R"(": "fake-value"})",
          std::string(R"({"list": "-", "limits": {")") + key + R"(": "fake-value"}})"}) {
      const auto found = problems(text);
      EXPECT_THAT(found, ElementsAre(AllOf(HasSubstr(key), HasSubstr(": secrets do not belong"),
                                           Not(HasSubstr("fake-value")))))
          << text;
    }
  }
}

TEST_F(JobFileTest, RefusesAUserNameOrPasswordInTheProxyAndDoesNotRepeatIt) {
  for (const char* proxy : {"http://fake-user:fake-pass@proxy:3128", "http://fake-user@proxy:3128",
                            "socks5://fake-user:fake-pass@proxy"}) {
    EXPECT_THAT(problems(std::string(R"({"list": "-", "proxy": ")") + proxy + "\"}"),
                ElementsAre(AllOf(StartsWith(": $.proxy: "), HasSubstr("HTTPS_PROXY"),
                                  Not(HasSubstr("fake")))));
  }
  EXPECT_THAT(problems(R"({"list": "-", "proxy": "ftp://fake-host"})"),
              ElementsAre(": $.proxy: must have the form http://host:port."));
}

TEST_F(JobFileTest, SaysLineAndColumnOfASyntaxError) {
  EXPECT_THAT(problems("{\n  \"list\": \"x\"\n  \"goal\": \"release\"\n}\n"),
              ElementsAre(AllOf(StartsWith(":3:3: not valid JSON: "), HasSubstr("comma"))));
  EXPECT_THAT(problems("{\"list\": nul}"), ElementsAre(StartsWith(":1:")));
  EXPECT_THAT(problems("\xEF\xBB\xBF[}"), ElementsAre(StartsWith(":1:2: ")));
  EXPECT_THAT(problems("{\"n\xC3\xA4me\" 1}"), ElementsAre(StartsWith(":1:9: ")))
      << "a column is a character";
  EXPECT_THAT(problems(""), ElementsAre(StartsWith(":1:1: not valid JSON: ")));
}

TEST_F(JobFileTest, RefusesWhatIsNoUtf8Text) {
  EXPECT_THAT(problems(std::string_view("{\"list\": \"x\"}\n\0{", 15)),
              ElementsAre(":2:1: holds a NUL byte; a job file is UTF-8 text"));
  EXPECT_THAT(problems("{\"list\": \"a\xC0\x80\"}"), ElementsAre(HasSubstr("not valid JSON")));
  EXPECT_THAT(problems(R"({"list": "a\udc00b"})"), ElementsAre(HasSubstr("surrogate")));
  EXPECT_THAT(problems(R"({"list": "a\ud800b"})"), SizeIs(1));
  for (const char* part : {"\xEF", "\xBB", "\xBF", "\xEF\xBB"}) {
    EXPECT_THAT(problems(std::string(part) + R"({"list": "-"})"),
                ElementsAre(StartsWith(":1:1: not valid JSON: ")))
        << "a part of a byte order mark";
  }
}

TEST_F(JobFileTest, SurvivesDeepNesting) {
  const std::string brackets(500'000, '[');
  EXPECT_THAT(problems(brackets), ElementsAre(HasSubstr("not valid JSON")));
  EXPECT_THAT(problems("{\"list\": " + brackets + std::string(500'000, ']') + "}"),
              ElementsAre(": $.list: expected a path or an object, found an array"));
}

TEST_F(JobFileTest, EndsAtOneMebibyte) {
  const auto padded = [](std::size_t size) {
    std::string text = R"({"list": "-"})";
    return text + std::string(size - text.size(), ' ');
  };
  EXPECT_THAT(problems(padded((1u << 20) - 1)), IsEmpty());
  EXPECT_THAT(problems(padded(1u << 20)), IsEmpty());
  EXPECT_THAT(problems(padded((1u << 20) + 1)),
              ElementsAre(": has more than 1048576 bytes; a job file is never that large"));
}

TEST_F(JobFileTest, GivesOneProblemForAFileThatCannotBeRead) {
  const auto problems = [](const fs::path& path) {
    return read_job_file(path, JobFileKind::job).problems;
  };
  EXPECT_THAT(problems(folder_ / "missing.json"),
              ElementsAre((folder_ / "missing.json").string() +
                          ": cannot be read: No such file or directory"));
  EXPECT_THAT(problems(folder_), ElementsAre(EndsWith(": cannot be read: Is a directory")));
  EXPECT_THAT(problems(write("file", "{}") / "job.json"),
              ElementsAre(EndsWith(": cannot be read: Not a directory")));
  EXPECT_THAT(problems(""), ElementsAre(HasSubstr("cannot be read")));
  // Opens, and fails to read for anybody, root included.
  EXPECT_THAT(problems("/proc/self/mem"), ElementsAre(HasSubstr("cannot be read")));
}

TEST_F(JobFileTest, AUserConfigurationHasNeitherNameNorList) {
  const auto file = read(R"({"rate": 5, "profile": "ops"})", JobFileKind::user_config);
  EXPECT_THAT(file.problems, IsEmpty());
  EXPECT_EQ(file.settings.rate_per_second, 5.0);
  EXPECT_EQ(file.settings.profile, "ops");
  EXPECT_THAT(problems("{}", JobFileKind::user_config), IsEmpty());
  EXPECT_THAT(problems(R"({"name": "x", "list": {"colum": 1}})", JobFileKind::user_config),
              ElementsAre(": $.name: belongs into a job file, not into the user's configuration",
                          ": $.list: belongs into a job file, not into the user's configuration"));
}

TEST_F(JobFileTest, IsRecognisedByAListKeyInItsFirstObject) {
  for (const char* text : {R"({"list": "x"})", R"({"name": {"list": []}, "list": 5})",
                           "\xEF\xBB\xBF \r\n\t{\"goal\": [{}], \"l\\u0069st\": {}}",
                           R"({"list": "x", broken)", R"({"list": "x"} trailing)"}) {
    EXPECT_TRUE(is_job(text)) << text;
  }
}

TEST_F(JobFileTest, AListIsNotAJobFile) {
  for (const char* text :
       {"", " ", "list", "\"list\"", "[\"list\"]", R"([{"list": "x"}])", R"({"lists": "x"})",
        R"({"disks": {"list": 1}})", R"({"diskId": "1"}{"list": "x"})",
        "{\"diskId\": \"1\"}\n{\"list\": \"x\"}\n", R"({broken, "list": "x"})",
        "diskId,list\n1,2\n", R"({"a": ["list", {"list": 1}]})", R"({"a": "list"})", "{",
        "862857204414550690\n"}) {
    EXPECT_FALSE(is_job(text)) << text;
  }
}

TEST_F(JobFileTest, IsRecognisedOnlyByTheFirstMebibyte) {
  const auto job = [](std::size_t spaces) {
    return '{' + std::string(spaces, ' ') + R"("list": "x"})";
  };
  const std::size_t fits = k_max_job_file_bytes - std::string_view(R"({"list")").size();
  EXPECT_TRUE(is_job(job(fits)));
  EXPECT_FALSE(is_job(job(fits + 1)));
}

TEST_F(JobFileTest, IsNeverAFolderADashOrAPipe) {
  EXPECT_FALSE(is_job_file(folder_));
  EXPECT_FALSE(is_job_file(folder_ / "missing"));
  EXPECT_FALSE(is_job_file(""));
  EXPECT_FALSE(is_job_file("-"));
  const auto pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FALSE(is_job_file(pipe)) << "opening it would wait for a writer";
  const auto link = folder_ / "link";
  fs::create_symlink(write("job.json", R"({"list": "x"})"), link);
  EXPECT_TRUE(is_job_file(link));
}

TEST_F(JobFileTest, RecordedPathsAreReadBackAsTheyWere) {
  for (const std::string path :
       {"disks.csv", "./-", "./~/disks.csv", "~/disks.csv", "a/../b//c", "/srv/./disks.csv", "-"}) {
    JobSettings settings;
    settings.list = path;
    settings.credentials_file = path;
    settings.ca_file = path;
    const JobFile recorded = read_settings(write_settings(settings), "settings of the run");
    EXPECT_THAT(recorded.problems, IsEmpty());
    EXPECT_EQ(recorded.settings.list, path);
    EXPECT_EQ(recorded.settings.credentials_file, path);
    EXPECT_EQ(recorded.settings.ca_file, path);
  }
}

}  // namespace
}  // namespace diskrelease
