#include "cli/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "input/job_file.h"
#include "model/errors.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

using Words = std::vector<std::string>;

const Words k_commands = {"run",          "resume",       "settle",          "status",
                          "audit show",   "audit log",    "audit verify",    "audit explain",
                          "audit sql",    "audit export", "audit reconcile", "audit stats",
                          "audit backup", "report",       "sandbox"};

/// `command` may have two words, as it is written in the overview.
Options parse(const std::string& command, const Words& rest = {}) {
  Words words = {"diskrelease"};
  const std::size_t space = command.find(' ');
  words.push_back(command.substr(0, space));
  if (space != std::string::npos) words.push_back(command.substr(space + 1));
  words.insert(words.end(), rest.begin(), rest.end());
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  pointers.push_back(nullptr);
  return parse_options(static_cast<int>(words.size()), pointers.data());
}

/// The message of the UsageError; a test fails where there is none.
std::string refusal(const std::string& command, const Words& rest = {}) {
  try {
    static_cast<void>(parse(command, rest));
  } catch (const UsageError& error) {
    return error.what();
  }
  ADD_FAILURE() << command << " was understood: " << ::testing::PrintToString(rest);
  return {};
}

DiskId disk(const std::string& text) { return std::get<DiskId>(DiskId::parse(text)); }

/// A flag, what it makes of the settings in the form of a job file, and who knows it.
struct SettingRow {
  Words flag;
  std::string settings;
  Words commands;
};

const Words k_callers = {"run", "resume", "settle"};
const Words k_releasers = {"run", "resume"};

const std::vector<SettingRow> k_settings = {
    {{"--name", "nightly"}, R"({"name":"nightly"})", {"run"}},
    {{"--goal", "release"}, R"({"goal":"release"})", {"run"}},
    {{"--goal=purge"}, R"({"goal":"purge"})", {"run"}},
    {{"--include-recycled"}, R"({"include_recycled":true})", {"run"}},
    {{"--max-disks", "500"}, R"({"limits":{"max_disks":500}})", k_releasers},
    {{"--max-list-size", "512kib"}, R"({"limits":{"max_list_size":"512KiB"}})", {"run"}},
    {{"--no-preflight"}, R"({"preflight":false})", k_releasers},
    {{"--resend-unsettled"}, R"({"settle":{"resend_unsettled":true}})", k_releasers},
    {{"--no-verify"}, R"({"verify":false})", k_callers},
    {{"--settle-window", "90s"}, R"({"settle":{"window":"90s"}})", k_callers},
    {{"--settle-poll", "250ms"}, R"({"settle":{"poll":"0.25s"}})", k_callers},
    {{"--endpoint", "127.0.0.1:8443"},
     R"({"endpoint":"127.0.0.1:8443"})",
     {"run", "resume", "settle", "audit log"}},
    {{"--ca-file", "own.pem"}, R"({"ca_file":"own.pem"})", k_callers},
    {{"--profile", "ops"}, R"({"profile":"ops"})", k_callers},
    {{"--credentials-file", "c.json"}, R"({"credentials_file":"c.json"})", k_callers},
    {{"--proxy", "http://proxy:3128"}, R"({"proxy":"http://proxy:3128"})", k_callers},
    {{"--rate", "0.5"}, R"({"rate":{"per_second":0.5}})", k_callers},
    {{"--rate", "unlimited"}, R"({"rate":{"per_second":"unlimited"}})", k_callers},
    {{"--burst", "3"}, R"({"rate":{"burst":3}})", k_callers},
    {{"--in-flight", "9"}, R"({"in_flight":9})", k_callers},
    {{"--look-batch", "8"}, R"({"look_batch":8})", k_releasers},
    {{"--timeout", "11s"},
     R"({"timeouts":{"request":"11s"}})",
     {"run", "resume", "settle", "audit sql"}},
    {{"--connect-timeout", "1300ms"}, R"({"timeouts":{"connect":"1.3s"}})", k_callers},
    {{"--max-attempts", "17"}, R"({"retry":{"max_attempts":17}})", k_callers},
};

/// A flag that is no setting, whether it has had its effect, and who knows it.
struct OptionRow {
  Words flag;
  std::function<bool(const Options&)> is_set;
  Words commands;
};

const Words k_with_database = {"run",          "resume",       "settle",          "status",
                               "audit show",   "audit log",    "audit explain",   "audit sql",
                               "audit verify", "audit export", "audit reconcile", "audit stats",
                               "audit backup", "report"};
const Words k_tables = {"audit show", "audit log", "audit explain", "audit sql"};
const Words k_csv = {"audit show", "audit log", "audit explain", "audit sql", "audit reconcile"};
const Words k_log = {"audit log"};
const Words k_callers_and_log = {"run", "resume", "settle", "audit log"};
const Words k_reconcile = {"audit reconcile"};
const Words k_log_and_reconcile = {"audit log", "audit reconcile"};
const Words k_sandbox = {"sandbox"};

const std::vector<OptionRow> k_options = {
    {{"--db", "a.db"}, [](const Options& o) { return o.database == "a.db"; }, k_with_database},
    {{"--json"}, [](const Options& o) { return o.json; }, k_commands},
    {{"--quiet"}, [](const Options& o) { return o.quiet; }, k_commands},
    {{"-q"}, [](const Options& o) { return o.quiet; }, k_commands},
    {{"--verbose"}, [](const Options& o) { return o.verbose; }, k_commands},
    {{"-v"}, [](const Options& o) { return o.verbose; }, k_commands},
    {{"--no-color"}, [](const Options& o) { return o.no_color; }, k_commands},
    {{"--yes"}, [](const Options& o) { return o.yes; }, k_releasers},
    {{"--column", "2"}, [](const Options& o) { return o.settings.column == "2"; }, {"run"}},
    {{"--format", "ndjson"},
     [](const Options& o) { return o.settings.format == ListFormat::ndjson; },
     {"run"}},
    {{"--sandbox"}, [](const Options& o) { return o.sandbox && !o.sandbox_scenario; }, k_callers},
    {{"--sandbox-scenario", "s.json"},
     [](const Options& o) { return o.sandbox && o.sandbox_scenario == "s.json"; },
     k_callers},
    {{"--mark", "1=released", "--reason", "console"},
     [](const Options& o) { return o.marks.size() == 1 && o.reason == "console"; },
     {"settle"}},
    {{"--accept-rollback", "--reason", "lost"},
     [](const Options& o) { return o.accept_rollback && o.reason == "lost"; },
     k_callers},
    {{"--all"}, [](const Options& o) { return o.all; }, {"status"}},
    {{"--state", "unknown"}, [](const Options& o) { return o.state == "unknown"; }, {"audit show"}},
    {{"--csv"}, [](const Options& o) { return o.csv; }, k_csv},
    {{"--ndjson"}, [](const Options& o) { return o.ndjson; }, k_tables},
    {{"--anchor-file", "a"},
     [](const Options& o) { return o.anchor_file == "a"; },
     {"run", "resume", "settle", "audit verify", "audit export", "audit backup"}},
    {{"--output", "d"},
     [](const Options& o) { return o.output == "d"; },
     {"audit export", "audit backup", "report"}},
    {{"-o", "d"},
     [](const Options& o) { return o.output == "d"; },
     {"audit export", "audit backup", "report"}},
    {{"--key", "k"}, [](const Options& o) { return o.key == "k"; }, {"audit export"}},
    {{"--anchor-key", "k"}, [](const Options& o) { return o.anchor_key == "k"; }, k_callers},
    {{"--anchor-syslog"},
     [](const Options& o) { return o.anchor_syslog == "/dev/log"; },
     k_callers},
    {{"--anchor-syslog=s"}, [](const Options& o) { return o.anchor_syslog == "s"; }, k_callers},
    {{"--anchor-public-key", "k"},
     [](const Options& o) { return o.anchor_public_key == "k"; },
     {"audit verify"}},
    {{"--run", "7"}, [](const Options& o) { return o.filter.run == 7; }, k_log_and_reconcile},
    {{"--disk", "1"}, [](const Options& o) { return o.filter.disk == "1"; }, k_log},
    {{"--outcome", "open"}, [](const Options& o) { return o.filter.outcome == "open"; }, k_log},
    {{"--code", "X"}, [](const Options& o) { return o.filter.code == "X"; }, k_log},
    {{"--request-id", "T1"}, [](const Options& o) { return o.filter.request_id == "T1"; }, k_log},
    {{"--job", "nightly"}, [](const Options& o) { return o.filter.run_name == "nightly"; }, k_log},
    {{"--http-status", "502"}, [](const Options& o) { return o.filter.http_status == 502; }, k_log},
    {{"--text", "a"}, [](const Options& o) { return o.filter.text == "a"; }, k_log},
    {{"--user", "ops"}, [](const Options& o) { return o.filter.user == "ops"; }, k_log},
    {{"--host", "vm"}, [](const Options& o) { return o.filter.host == "vm"; }, k_log},
    {{"--credential", "K1"}, [](const Options& o) { return o.filter.credential == "K1"; }, k_log},
    {{"--endpoint", "h:1"},
     [](const Options& o) { return o.filter.endpoint == "h:1"; },
     k_callers_and_log},
    {{"--sort", "latency"},
     [](const Options& o) { return o.filter.order == LogOrder::latency; },
     k_log},
    {{"--descending"}, [](const Options& o) { return o.filter.descending; }, k_log},
    {{"--columns", "a,b"},
     [](const Options& o) {
       return o.columns == Words{"a", "b"};
     },
     k_log},
    {{"--time-zone", "local"},
     [](const Options& o) { return o.time_zone == "local"; },
     {"audit log", "audit explain", "audit reconcile"}},
    {{"--since", "7d"},
     [](const Options& o) { return o.since == "7d"; },
     {"audit log", "audit reconcile", "report"}},
    {{"--force"}, [](const Options& o) { return o.force; }, {"report", "audit backup"}},
    {{"--until", "1h"}, [](const Options& o) { return o.until == "1h"; }, k_log_and_reconcile},
    {{"--limit", "5"}, [](const Options& o) { return o.limit == 5; }, {"audit log", "audit sql"}},
    {{"--provider-log", "l.json"},
     [](const Options& o) { return o.provider_log == "l.json"; },
     k_reconcile},
    {{"--window", "90s"},
     [](const Options& o) { return o.window == std::chrono::seconds(90); },
     k_reconcile},
    {{"--event", "wipe disk", "--event", "a,b"},
     [](const Options& o) {
       return o.release_events == Words{"wipe disk", "a,b"};
     },
     k_reconcile},
    {{"--port", "8443"}, [](const Options& o) { return o.port == 8443; }, k_sandbox},
    {{"--scenario", "s.json"},
     [](const Options& o) { return o.sandbox_scenario == "s.json"; },
     k_sandbox},
    {{"--ca-out", "ca.pem"}, [](const Options& o) { return o.ca_out == "ca.pem"; }, k_sandbox},
    {{"--ledger", "l.ndjson"}, [](const Options& o) { return o.ledger == "l.ndjson"; }, k_sandbox},
};

TEST(OptionsTest, EveryFlagOfACallReachesItsSettingAndNoOther) {
  for (const SettingRow& row : k_settings) {
    for (const std::string& command : row.commands) {
      EXPECT_EQ(write_settings(parse(command, row.flag).settings), row.settings)
          << command << ' ' << row.flag.front();
    }
  }
}

TEST(OptionsTest, EveryOtherFlagHasItsEffect) {
  for (const OptionRow& row : k_options) {
    for (const std::string& command : row.commands) {
      EXPECT_FALSE(row.is_set(parse(command))) << command << ' ' << row.flag.front();
      EXPECT_TRUE(row.is_set(parse(command, row.flag))) << command << ' ' << row.flag.front();
    }
  }
}

TEST(OptionsTest, ACommandRefusesTheFlagsOfTheOthers) {
  const auto expect_refused = [](const Words& flag, const Words& commands) {
    for (const std::string& command : k_commands) {
      if (std::find(commands.begin(), commands.end(), command) != commands.end()) continue;
      EXPECT_THAT(refusal(command, flag), HasSubstr("does not exist")) << command;
    }
  };
  for (const SettingRow& row : k_settings) expect_refused(row.flag, row.commands);
  for (const OptionRow& row : k_options) expect_refused(row.flag, row.commands);
}

TEST(OptionsTest, SaysNothingWithoutFlags) {
  for (const std::string& command : k_commands) {
    const Options options = parse(command);
    EXPECT_EQ(write_settings(options.settings), "{}") << command;
    EXPECT_EQ(options.help, std::nullopt) << command;
    EXPECT_THAT(options.marks, IsEmpty()) << command;
    EXPECT_EQ(options.reason, std::nullopt) << command;
    EXPECT_THAT(options.words, ElementsAre(command));
  }
}

TEST(OptionsTest, AddsSeveralFlagsUp) {
  const Options options = parse("run", {"disks.csv", "--goal", "purge", "--include-recycled",
                                        "--no-verify", "--settle-window", "1h", "--settle-poll",
                                        "1m", "--resend-unsettled", "--yes", "--max-disks", "5"});
  EXPECT_EQ(write_settings(options.settings),
            R"({"goal":"purge","limits":{"max_disks":5},"verify":false,)"
            R"("settle":{"window":"1h","poll":"1m","resend_unsettled":true},)"
            R"("include_recycled":true})");
  EXPECT_TRUE(options.yes);
  EXPECT_THAT(options.words, ElementsAre("run", "disks.csv"));
}

TEST(OptionsTest, KeepsTheArgumentsAfterTheCommand) {
  EXPECT_THAT(parse("settle", {"7"}).words, ElementsAre("settle", "7"));
  EXPECT_THAT(parse("resume", {"--yes", "7"}).words, ElementsAre("resume", "7"));
  EXPECT_THAT(parse("audit show", {"7", "--csv"}).words, ElementsAre("audit show", "7"));
  EXPECT_THAT(parse("run", {"-"}).words, ElementsAre("run", "-"));
  EXPECT_THAT(parse("run", {"a.csv", "b.csv"}).words, ElementsAre("run", "a.csv", "b.csv"));
}

TEST(OptionsTest, AListWithACommaInItsNameIsOneList) {
  EXPECT_THAT(parse("run", {"berlin,paris.csv"}).words, ElementsAre("run", "berlin,paris.csv"));
}

TEST(OptionsTest, ThereIsNoPositiveFormOfASwitchThatTurnsSomethingOff) {
  for (const char* flag : {"--preflight", "--preflight=true", "--preflight=false", "--verify",
                           "--verify=false", "--color", "--no-resend-unsettled"}) {
    EXPECT_THAT(refusal("run", {flag}), HasSubstr("does not exist")) << flag;
  }
}

TEST(OptionsTest, ASwitchThatIsSetToFalseIsNotTakenForGiven) {
  for (const char* flag : {"--yes", "--json", "--no-preflight", "--no-verify", "--sandbox",
                           "--resend-unsettled", "--include-recycled"}) {
    EXPECT_EQ(refusal("run", {std::string(flag) + "=false"}),
              std::string(flag) + " takes no value; leave it out");
  }
}

struct ErrorRow {
  std::string command;
  Words words;
  std::string message;
};

TEST(OptionsTest, SaysWhatIsWrongWithAValue) {
  const std::vector<ErrorRow> rows = {
      {"run", {"--settle-window", "3"}, "--settle-window: \"3\" is not a duration"},
      {"resume", {"--settle-poll", "3d"}, "--settle-poll: \"3d\" is not a duration"},
      {"settle", {"--settle-poll="}, "--settle-poll must not be empty"},
      {"run", {"--timeout", "-1s"}, "--timeout: \"-1s\" is not a duration"},
      {"run", {"--connect-timeout", "soon"}, "--connect-timeout: \"soon\" is not a duration"},
      {"run", {"--rate", "2x"}, "--rate: \"2x\" is not a number of requests per second"},
      {"run", {"--rate", "inf"}, "--rate: \"inf\" is not a number of requests per second"},
      {"run", {"--rate", "nan"}, "--rate: \"nan\" is not a number of requests per second"},
      {"run", {"--goal", "destroy"}, "--goal: \"destroy\" is none of release, purge"},
      {"run", {"--format", "xlsx"}, "--format: \"xlsx\" is none of csv, json, ndjson, text"},
      {"run", {"--name="}, "--name must not be empty"},
      {"run", {"--burst", "many"}, "failed to parse"},
      {"run", {"--in-flight", "4294967297"}, "failed to parse"},
      {"run", {"--max-disks", "1.5"}, "failed to parse"},
      {"run", {"--max-list-size", "1.5GB"}, "is not a size"},
      {"run", {"--rate", "1", "--rate", "2"}, "--rate is given more than once"},
      {"run", {"--settle-poll", "1s", "--settle-poll", "2s"}, "--settle-poll is given more than"},
      {"settle",
       {"--mark", "1=released", "--reason", "a", "--reason", "b"},
       "--reason is given more than once"},
      {"run", {"--endpoint"}, "missing an argument"},
      {"settle", {"--mark"}, "missing an argument"},
      {"audit log", {"--sort", "size"}, "--sort: \"size\" is none of intent"},
      {"audit sql", {"--limit", "0"}, "--limit must be at least 1"},
      {"audit log", {"--limit", "0"}, "--limit must be at least 1"},
      {"audit log", {"--outcome", "lost"}, "--outcome: \"lost\" is none of accepted"},
      {"audit log", {"--json", "--csv"}, "--json, --ndjson and --csv exclude each other"},
      {"audit sql", {"--csv", "--ndjson"}, "--json, --ndjson and --csv exclude each other"},
      {"audit reconcile", {"--window", "5"}, "--window: \"5\" is not a duration"},
      {"audit reconcile", {"--event", ""}, "--event must not be empty"},
      {"audit reconcile", {"--json", "--csv"}, "--json, --ndjson and --csv exclude each other"},
      {"audit show", {"--state", "lost"}, "--state: \"lost\" is none of pending"},
  };
  for (const ErrorRow& row : rows) {
    EXPECT_THAT(refusal(row.command, row.words), HasSubstr(row.message))
        << row.command << ' ' << ::testing::PrintToString(row.words);
  }
}

TEST(OptionsTest, NamesTheLikelyCommandForAMisspeltOne) {
  EXPECT_THAT(refusal("settel"), StartsWith("there is no command \"settel\"; did you mean "
                                            "\"settle\"?"));
  EXPECT_THAT(refusal("audit lgo"), HasSubstr("did you mean \"audit log\"?"));
  EXPECT_THAT(refusal("audit"), HasSubstr("there is no command \"audit (nothing)\""));
  EXPECT_THAT(refusal("--json"), HasSubstr("there is no command"));
  EXPECT_THAT(refusal(""), StartsWith("no command is given"));
}

TEST(OptionsTest, HelpListsEveryFlagOfTheCommand) {
  for (const std::string& command : k_commands) {
    const std::string help = parse(command, {"--help"}).help.value_or("");
    for (const SettingRow& row : k_settings) {
      const std::string flag = row.flag.front().substr(0, row.flag.front().find('='));
      const bool known =
          std::find(row.commands.begin(), row.commands.end(), command) != row.commands.end();
      EXPECT_EQ(help.find("      " + flag + ' ') != std::string::npos, known)
          << command << ' ' << flag << '\n'
          << help;
    }
  }
  EXPECT_THAT(*parse("settle", {"-h"}).help,
              AllOf(HasSubstr("diskrelease settle RUN"), HasSubstr("--mark DISK=FATE"),
                    HasSubstr("--reason TEXT")));
}

TEST(OptionsTest, TheOverviewNamesEveryCommand) {
  const std::string help = parse("--help").help.value_or("");
  for (const std::string& command : k_commands) {
    EXPECT_THAT(help, HasSubstr("\n  " + command + ' '));
  }
  EXPECT_THAT(help, HasSubstr("settle RUN            read back what became of disks whose "
                              "outcome is unknown\n"));
}

TEST(MarkOptionsTest, AreReadInTheOrderGiven) {
  const Options options =
      parse("settle", {"7", "--mark", "9900000000000000002=not-released",
                       "--mark=9900000000000000001=released", "--reason", "seen in the console"});
  EXPECT_EQ(options.marks, (std::vector<Mark>{{disk("9900000000000000002"), MarkedAs::not_released},
                                              {disk("9900000000000000001"), MarkedAs::released}}));
  EXPECT_EQ(options.reason, "seen in the console");
  EXPECT_THAT(options.words, ElementsAre("settle", "7"));
}

TEST(MarkOptionsTest, KeepAReasonAsItIs) {
  const std::string reason = "ticket 17: \"gone\", says M\xC3\xBCller, 1=2";
  EXPECT_EQ(parse("settle", {"--mark", "1=released", "--reason", reason}).reason, reason);
}

TEST(MarkOptionsTest, GoTogetherWithAReason) {
  EXPECT_EQ(refusal("settle", {"--mark", "1=released"}),
            "--mark needs --reason TEXT: how you know what became of the disk");
  EXPECT_EQ(refusal("settle", {"--reason", "console"}),
            "--reason is the reason of a --mark or of --accept-rollback, and there is none");
}

TEST(RollbackOptionsTest, AcceptARollbackWithAReasonOnly) {
  for (const char* command : {"run", "resume", "settle"}) {
    const Options options =
        parse(command, {"1", "--accept-rollback", "--reason", "the disk broke"});
    EXPECT_TRUE(options.accept_rollback) << command;
    EXPECT_EQ(options.reason, "the disk broke") << command;
    EXPECT_EQ(refusal(command, {"1", "--accept-rollback"}),
              "--accept-rollback needs --reason TEXT: why the newest copy cannot be put back");
    EXPECT_EQ(refusal(command, {"1", "--reason", "x"}),
              "--reason is the reason of a --mark or of --accept-rollback, and there is none");
    EXPECT_EQ(refusal(command, {"1", "--accept-rollback", "--reason", " "}),
              "--reason must not be empty");
  }
}

TEST(MarkOptionsTest, RefuseWhatIsNotADiskWithItsFate) {
  const std::pair<std::string, std::string> cases[] = {
      {"1", "--mark \"1\": write DISK=released or DISK=not-released"},
      {"", "--mark \"\": write DISK=released or DISK=not-released"},
      {"=released", "--mark \"=released\": the disk id is empty"},
      {"a b=released",
       "--mark \"a b=released\": the disk id has a character outside A-Z a-z 0-9 . "
       "_ -"},
      {"a=b=released",
       "--mark \"a=b=released\": the disk id has a character outside A-Z a-z 0-9 . "
       "_ -"},
      {"1=", "--mark \"1=\": \"\" is none of released, not-released"},
      {"1=gone", "--mark \"1=gone\": \"gone\" is none of released, not-released"},
      {"1=Released",
       "--mark \"1=Released\": \"Released\" is none of released, not-released; did "
       "you mean \"released\"?"},
      {"1=not_released",
       "--mark \"1=not_released\": \"not_released\" is none of released, "
       "not-released; did you mean \"not-released\"?"},
      {"1=released,2=released",
       "--mark \"1=released,2=released\": the disk id has a character "
       "outside A-Z a-z 0-9 . _ -"},
  };
  for (const auto& [mark, message] : cases) {
    EXPECT_EQ(refusal("settle", {"--mark", mark, "--reason", "console"}), message);
  }
  EXPECT_THAT(refusal("settle", {"--mark", "8.6E+17=released", "--reason", "x"}),
              HasSubstr("the disk id is a number in scientific notation"));
  EXPECT_THAT(refusal("settle", {"--mark", std::string(129, '1') + "=released", "--reason", "x"}),
              EndsWith("the disk id is longer than 128 bytes"));
  EXPECT_THAT(refusal("settle", {"--mark", "1\x1b[2J=released", "--reason", "x"}),
              Not(HasSubstr("\x1b")));
}

TEST(MarkOptionsTest, RefuseADiskThatIsMarkedTwiceEvenAlike) {
  for (const char* second : {"1=released", "1=not-released"}) {
    EXPECT_EQ(refusal("settle", {"--mark", "1=released", "--mark", "2=released", "--mark", second,
                                 "--mark", second, "--reason", "console"}),
              "--mark: disk 1 is marked more than once");
  }
}

TEST(MarkOptionsTest, RefuseAReasonThatSaysNothingOrIsNoLineOfText) {
  const auto refuse = [](const std::string& reason) {
    return refusal("settle", {"--mark", "1=released", "--reason", reason});
  };
  EXPECT_EQ(refuse(""), "--reason must not be empty");
  EXPECT_EQ(refuse(" \t"), "--reason must not be empty");
  EXPECT_EQ(refuse("two\nlines"), "--reason must be one line of UTF-8 text");
  EXPECT_EQ(refuse("a\x7f"), "--reason must be one line of UTF-8 text");
  EXPECT_EQ(refuse("M\xFCller"), "--reason must be one line of UTF-8 text");
  EXPECT_EQ(refuse(std::string(1'001, 'x')), "--reason must not be longer than 1000 bytes");
  const std::string longest(1'000, 'x');
  EXPECT_EQ(parse("settle", {"--mark", "1=released", "--reason", longest}).reason, longest);
}

TEST(MarkOptionsTest, TellEveryProblemAtOnce) {
  EXPECT_EQ(refusal("settle", {"--mark", "1", "--mark", "a b=lost", "--mark", "2=released",
                               "--mark", "2=released"}),
            "--mark \"1\": write DISK=released or DISK=not-released\n"
            "--mark \"a b=lost\": the disk id has a character outside A-Z a-z 0-9 . _ -\n"
            "--mark \"a b=lost\": \"lost\" is none of released, not-released\n"
            "--mark: disk 2 is marked more than once\n"
            "--mark needs --reason TEXT: how you know what became of the disk");
  EXPECT_EQ(refusal("settle", {"--mark", "1", "--reason", ""}),
            "--mark \"1\": write DISK=released or DISK=not-released\n"
            "--reason must not be empty");
}

}  // namespace
}  // namespace diskrelease
