#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "platform/host.h"
#include "record/audit_file.h"
#include "sandbox/sandbox.h"
#include "support/child_process.h"
#include "support/connect_proxy.h"
#include "support/places.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr int k_disks = 30;

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// The real binary, started by a shell in surroundings that it did not choose.
class SurroundingsTest : public ::testing::Test {
 protected:
  SurroundingsTest() {
    std::ofstream list(path("list.txt"));
    for (int i = 0; i < k_disks; ++i) {
      list << 9900000000000000000ull + static_cast<unsigned>(i) << '\n';
    }
    start_anew();
  }

  /// Disks that nobody has released, and no database.
  void start_anew() {
    sandbox::SandboxOptions options;
    options.ca_file = path("ca.pem");
    server_.emplace(options);
    environment_["ZENLAYER_ACCESS_KEY_ID"] = server_->credentials().key_id;
    environment_["ZENLAYER_ACCESS_KEY_SECRET"] = server_->credentials().key_secret;
    for (const char* end : {"", "-wal", "-shm", ".lock", ".anchors"}) {
      std::filesystem::remove(path("a.db") + end);
    }
  }

  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  /// `words` of the program, after what a shell does first; `rest` follows the command in the
  /// shell, for redirections.
  std::vector<std::string> after(const std::string& shell, std::vector<std::string> words,
                                 const std::string& rest = "") const {
    std::vector<std::string> command{"/bin/sh", "-c", shell + "\nexec \"$@\" " + rest, "sh",
                                     built_program()};
    command.insert(command.end(), words.begin(), words.end());
    return command;
  }

  std::vector<std::string> run_words(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"run",
                                   path("list.txt"),
                                   "--db",
                                   path("a.db"),
                                   "--endpoint",
                                   server_->endpoint(),
                                   "--ca-file",
                                   path("ca.pem"),
                                   "--yes",
                                   "--max-disks",
                                   std::to_string(k_disks),
                                   "--settle-window",
                                   "5s",
                                   "--settle-poll",
                                   "50ms"};
    if (std::ranges::find(more, "--rate") == more.end()) {
      more.insert(more.end(), {"--rate", "unlimited"});
    }
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  ChildResult result_of(std::vector<std::string> command) {
    ChildProcess child(std::move(command), environment_, directory_.path());
    return child.wait();
  }

  std::size_t releases() const {
    const std::vector<sandbox::LedgerEntry> ledger = server_->ledger();
    return static_cast<std::size_t>(
        std::ranges::count(ledger, "ReleaseDisk", &sandbox::LedgerEntry::action));
  }

  static void await(const std::function<bool()>& is_so) {
    for (int i = 0; i < 20'000 && !is_so(); ++i) ::poll(nullptr, 0, 2);
    ASSERT_TRUE(is_so());
  }

  std::int64_t query(const std::string& sql) const {
    return open_audit_for_reading(path("a.db")).query_integer(sql);
  }
  std::int64_t released() const {
    return query("SELECT count(*) FROM item_state WHERE state = 'released'");
  }

  /// A descriptor 4 that writes into a pipe which nobody reads.
  std::string pipe_without_reader() const {
    const std::string name = path("pipe");
    ::unlink(name.c_str());
    EXPECT_EQ(::mkfifo(name.c_str(), 0600), 0);
    return "exec 3<>" + name + " 4>" + name + " 3>&-";
  }

  TemporaryDirectory directory_;
  std::map<std::string, std::string> environment_{{"HOME", directory_.path().string()},
                                                  {"PATH", "/usr/bin:/bin"}};
  std::optional<sandbox::Sandbox> server_;
};

// --- Signals

TEST_F(SurroundingsTest, ASignalThatIsIgnoredAtTheStartStaysIgnored) {
  for (const auto& [name, number] :
       {std::pair("HUP", SIGHUP), {"INT", SIGINT}, {"TERM", SIGTERM}}) {
    SCOPED_TRACE(name);
    start_anew();
    ChildProcess child(after("trap '' " + std::string(name), run_words({"--rate", "60"})),
                       environment_, directory_.path());
    await([&] { return releases() >= 3; });
    child.send_signal(number);
    const ChildResult result = child.wait();
    EXPECT_EQ(result.exit_code, 0) << result.error;
    EXPECT_EQ(released(), k_disks);
  }
}

TEST_F(SurroundingsTest, OtherSignalsStopARunAlthoughOneIsIgnored) {
  ChildProcess child(after("trap '' HUP", run_words({"--rate", "20"})), environment_,
                     directory_.path());
  await([&] { return releases() >= 3; });
  child.send_signal(SIGHUP);
  child.send_signal(SIGTERM);
  const ChildResult result = child.wait();
  EXPECT_EQ(result.exit_code, 6) << result.error;
  EXPECT_LT(releases(), std::size_t{k_disks});
}

TEST_F(SurroundingsTest, ABackgroundJobOfAScriptOutlivesAnInterruptOfItsTerminal) {
  std::vector<std::string> words = run_words({"--rate", "60"});
  std::vector<std::string> command{
      "/bin/sh", "-c", "\"$@\" & echo $! > " + path("pid") + "\nwait $!", "sh", built_program()};
  command.insert(command.end(), words.begin(), words.end());
  ChildProcess child(command, environment_, directory_.path());
  await([&] { return releases() >= 3; });
  const pid_t job = std::stoi(content_of(path("pid")));
  ASSERT_EQ(::kill(job, SIGINT), 0);
  ASSERT_EQ(::kill(job, SIGQUIT), 0);
  const ChildResult result = child.wait();
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_EQ(released(), k_disks);
}

TEST_F(SurroundingsTest, ARunNeedsNoTerminalAndNoSessionOfItsOwn) {
  std::vector<std::string> words = run_words();
  words.insert(words.begin(), built_program());
  words.insert(words.begin(), {"/usr/bin/setsid", "--wait"});
  const ChildResult result = result_of(words);
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_EQ(released(), k_disks);
}

// --- Descriptors

TEST_F(SurroundingsTest, NothingIsPrintedIntoAFileThatGotTheNumberOfAClosedDescriptor) {
  for (const char* closed : {"<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"}) {
    SCOPED_TRACE(closed);
    start_anew();
    const ChildResult result = result_of(after("", run_words({"-v"}), closed));
    EXPECT_EQ(result.exit_code, 0) << result.error;
    EXPECT_EQ(released(), k_disks);
    EXPECT_THAT(lines_of(path("a.db.anchors")), Each(StartsWith("diskrelease-anchor ")));
    EXPECT_THAT(lines_of(path("a.db.lock")), AllOf(SizeIs(1), Each(StartsWith("pid "))));
    EXPECT_EQ(result_of(after("", {"audit", "verify", "--db", path("a.db")})).exit_code, 0);
  }
}

TEST_F(SurroundingsTest, AListFromAClosedStandardInputIsRefused) {
  std::vector<std::string> words = run_words();
  words[1] = "-";
  const ChildResult result = result_of(after("", words, "<&-"));
  EXPECT_EQ(result.exit_code, 2) << result.error;
  EXPECT_THAT(result.error, HasSubstr("nothing was sent"));
  EXPECT_EQ(releases(), 0u);
}

// --- Outputs

TEST_F(SurroundingsTest, WhatOnlyPrintsEndsWithItsReader) {
  ASSERT_EQ(result_of(after("", run_words({"-q"}))).exit_code, 0);
  for (const std::string command : {"log", "verify", "stats"}) {
    SCOPED_TRACE(command);
    const ChildResult result =
        result_of(after(pipe_without_reader(), {"audit", command, "--db", path("a.db")}, ">&4"));
    EXPECT_EQ(result.exit_code, -SIGPIPE);
    EXPECT_THAT(result.error, IsEmpty());
  }
  EXPECT_EQ(result_of(after(pipe_without_reader(), {"--help"}, ">&4")).exit_code, -SIGPIPE);
}

TEST_F(SurroundingsTest, WhereSigpipeIsIgnoredALostOutputIsAnError) {
  ASSERT_EQ(result_of(after("", run_words({"-q"}))).exit_code, 0);
  const ChildResult result = result_of(after("trap '' PIPE\n" + pipe_without_reader(),
                                             {"audit", "log", "--db", path("a.db")}, ">&4"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.error,
              HasSubstr("standard output could not be written completely: Broken pipe"));
}

TEST_F(SurroundingsTest, ARunGoesOnWithoutAReader) {
  // Which is told before anything else is.
  std::ofstream(path("list.txt"), std::ios::app) << "9900000000000000000\n";
  for (const char* output : {">&4", ">&4 2>&4", "2>&4"}) {
    SCOPED_TRACE(output);
    start_anew();
    const ChildResult result =
        result_of(after(pipe_without_reader(), run_words({"-v", "--json"}), output));
    EXPECT_EQ(result.exit_code, 0) << result.error;
    EXPECT_THAT(result.error, Not(HasSubstr("could not be written")));
    EXPECT_EQ(released(), k_disks);
    EXPECT_EQ(query("SELECT exit_code FROM invocation_end"), 0);
  }
}

TEST_F(SurroundingsTest, AnOutputThatCannotBeWrittenIsAnErrorInTheEnd) {
  const ChildResult run = result_of(after("", run_words({"--json"}), ">/dev/full"));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.error, HasSubstr("standard output could not be written completely: No space"));
  EXPECT_EQ(released(), k_disks);
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--help"},
                                                {"status", "--db", path("a.db")},
                                                {"audit", "verify", "--db", path("a.db")}}) {
    const ChildResult result = result_of(after("", words, ">/dev/full"));
    EXPECT_EQ(result.exit_code, 1) << words.front();
    EXPECT_THAT(result.error, HasSubstr("No space left on device")) << words.front();
  }
  // What is worse than a lost output stays told.
  const ChildResult missing =
      result_of(after("", {"status", "--db", path("none.db")}, ">/dev/full"));
  EXPECT_EQ(missing.exit_code, 10);
}

// --- Somebody else's transaction

TEST_F(SurroundingsTest, NothingIsSentWhileSomebodyElseWritesToTheDatabase) {
  create_audit_database(path("a.db"));
  std::optional<Database> mine(open_audit_for_writing(path("a.db")));
  std::optional<Transaction> transaction(*mine);
  ChildProcess child(after("", run_words()), environment_, directory_.path());
  await([&] { return child.error_so_far().find("locked by") != std::string::npos; });
  EXPECT_THAT(child.error_so_far(),
              AllOf(HasSubstr("(pid " + std::to_string(::getpid()) + ", user "),
                    HasSubstr("nothing new is sent meanwhile")));
  EXPECT_THAT(server_->ledger(), IsEmpty());
  transaction.reset();
  mine.reset();
  const ChildResult result = child.wait();
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_EQ(released(), k_disks);
}

// --- Folders

TEST_F(SurroundingsTest, TemporaryFilesFindAPlaceWhereTmpdirIsNone) {
  for (const std::string& folder : {path("missing"), path("list.txt")}) {
    SCOPED_TRACE(folder);
    environment_["TMPDIR"] = folder;
    std::filesystem::remove(path("s.db"));
    const ChildResult result =
        result_of(after("", {"run", path("list.txt"), "--sandbox", "--db", path("s.db"), "--yes",
                             "--max-disks", "100", "--rate", "unlimited", "--settle-window", "5s",
                             "--settle-poll", "50ms", "-q"}));
    EXPECT_EQ(result.exit_code, 0) << result.error;
    for (const char* end : {"", "-wal", "-shm", ".lock", ".anchors"}) {
      std::filesystem::remove(path("s.db") + end);
    }
  }
}

TEST_F(SurroundingsTest, AFolderOfTheUserThatCannotBeMadeIsNamed) {
  // Nobody can make a folder there, root included.
  environment_["HOME"] = "/proc/no-home";
  const ChildResult limiter = result_of(after("", run_words({"--rate", "50"})));
  EXPECT_EQ(limiter.exit_code, 7) << limiter.error;
  EXPECT_THAT(limiter.error, AllOf(HasSubstr("/proc/no-home/.local/state/diskrelease/limiter-"),
                                   Not(HasSubstr("internal error"))));
  const ChildResult database =
      result_of(after("", {"run", path("list.txt"), "--sandbox", "--yes", "--max-disks", "100"}));
  EXPECT_EQ(database.exit_code, 10) << database.error;
  EXPECT_THAT(database.error, HasSubstr("/proc/no-home/.local/state/diskrelease/sandbox.db"));
  EXPECT_EQ(releases(), 0u);
}

TEST_F(SurroundingsTest, AWorkingDirectoryThatWasRemovedIsNoBug) {
  const std::string remove =
      "mkdir -p " + path("gone") + "\ncd " + path("gone") + "\nrmdir " + path("gone");
  for (const auto& [relative, code] :
       {std::pair(std::vector<std::string>{"--db", "b.db"}, 10),
        {std::vector<std::string>{"--db", path("b.db"), "--ca-file", "ca.pem"}, 1}}) {
    std::vector<std::string> words{"run",   path("list.txt"), "--sandbox",
                                   "--yes", "--max-disks",    "9"};
    words.insert(words.end(), relative.begin(), relative.end());
    const ChildResult refused = result_of(after(remove, words));
    EXPECT_EQ(refused.exit_code, code);
    EXPECT_THAT(refused.error,
                AllOf(HasSubstr("No such file or directory"), Not(HasSubstr("bug"))));
  }
  // Whole paths need none.
  const ChildResult result = result_of(after(remove, run_words()));
  EXPECT_EQ(result.exit_code, 0) << result.error;
}

TEST_F(SurroundingsTest, AHomeThatDoesNotExistYetIsMade) {
  environment_["HOME"] = path("new/home");
  const ChildResult result = result_of(after("", run_words({"--rate", "100"})));
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_TRUE(std::filesystem::is_directory(path("new/home/.local/state/diskrelease")));
}

TEST_F(SurroundingsTest, WhatIsMadeIsForTheUserAloneWhateverTheUmask) {
  environment_["XDG_STATE_HOME"] = path("state/deep");
  std::filesystem::create_directory(path("out"));
  const std::string db = path("made/deep/a.db");
  std::vector<std::string> words = run_words({"--rate", "100"});
  words[3] = db;
  const ChildResult result = result_of(after("umask 000", words));
  ASSERT_EQ(result.exit_code, 0) << result.error;
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"audit", "export", "1", "-o", path("out/bundle")},
        {"audit", "export", "1", "-o", path("out/bundle.tar")},
        {"audit", "backup", "-o", path("out/copy.db")},
        {"report", "1", "-o", path("out/report.html")}}) {
    std::vector<std::string> command = more;
    command.insert(command.end(), {"--db", db});
    const ChildResult made = result_of(after("umask 000", command));
    ASSERT_EQ(made.exit_code, 0) << more[1] << made.error;
  }
  int seen = 0;
  for (const char* folder : {"state", "made", "out"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path(folder))) {
      ++seen;
      struct stat status {};
      ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
      EXPECT_EQ(status.st_mode & 0077U, 0u) << entry.path();
    }
  }
  EXPECT_GT(seen, 20);
}

TEST_F(SurroundingsTest, APathWithControlBytesIsShownAndNotObeyed) {
  const std::string name = path("a\x1b[31m\r\n.db");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"status"}, {"resume"}, {"audit", "verify"}, {"audit", "log"}}) {
    std::vector<std::string> command = words;
    command.insert(command.end(), {"--db", name});
    const ChildResult result = result_of(after("", command));
    EXPECT_EQ(result.exit_code, 10) << words.front();
    EXPECT_THAT(result.error, AllOf(HasSubstr("a\\x1b[31m\\x0d\\x0a.db"), Not(HasSubstr("\x1b")),
                                    Not(HasSubstr("\r"))))
        << words.front();
  }
  // A command that is suggested names the same file.
  std::vector<std::string> words = run_words();
  words[3] = name;
  ASSERT_EQ(result_of(after("", words)).exit_code, 0);
  const ChildResult result = result_of(after("", {"audit", "show", "9", "--db", name}));
  EXPECT_THAT(result.error, AllOf(HasSubstr("a\\033[31m\\015\\012.db'`"), Not(HasSubstr("\x1b"))));
}

// --- The network's surroundings

TEST_F(SurroundingsTest, AProxyThatRefusesStopsTheRunAtOnceWithItsWords) {
  const std::string encoded = "YW5uOm5vdC1hLXJlYWwtcGFzc3dvcmQ=";
  for (const std::string words : {"407 Proxy Authentication Required", "403 Forbidden by policy"}) {
    for (const bool reads : {true, false}) {
      SCOPED_TRACE(words + (reads ? ", reading" : ", sending"));
      start_anew();
      const ConnectProxy proxy("HTTP/1.1 " + words + " not-a-real-password " + encoded +
                               "\r\n\r\n");
      environment_["HTTPS_PROXY"] =
          "http://ann:not-a-real-password@127.0.0.1:" + std::to_string(proxy.port());
      const ChildResult result =
          result_of(after("", run_words(reads ? std::vector<std::string>{"-v"}
                                              : std::vector<std::string>{"-v", "--no-preflight"})));
      EXPECT_EQ(result.exit_code, 7) << result.error;
      EXPECT_THAT(result.out + result.error, HasSubstr("answered CONNECT with: " + words));
      // One a lane: those that were connecting already.
      EXPECT_LE(proxy.requests().size(), 8u);
      EXPECT_EQ(query("SELECT count(*) FROM item_state WHERE state = 'pending'"), k_disks);
      for (const std::string& text :
           {result.out, result.error, content_of(path("a.db")), content_of(path("a.db-wal"))}) {
        EXPECT_THAT(text, AllOf(Not(HasSubstr("not-a-real-password")), Not(HasSubstr(encoded))));
      }
    }
  }
}

TEST_F(SurroundingsTest, NoProxyIsReadInBothCasesAndWithBlocks) {
  const ConnectProxy proxy("HTTP/1.1 403 no\r\n\r\n");
  const std::string url = "http://127.0.0.1:" + std::to_string(proxy.port());
  for (const auto& [proxy_name, no_proxy_name] :
       {std::pair("HTTPS_PROXY", "NO_PROXY"), {"https_proxy", "no_proxy"}}) {
    start_anew();
    environment_[proxy_name] = url;
    environment_[no_proxy_name] = "10.0.0.0/8,127.0.0.0/8";
    const ChildResult result = result_of(after("", run_words({"-q"})));
    EXPECT_EQ(result.exit_code, 0) << result.error;
    environment_.erase(proxy_name);
    environment_.erase(no_proxy_name);
  }
  EXPECT_THAT(proxy.requests(), IsEmpty());
}

TEST_F(SurroundingsTest, ARunIsResumedFromAnotherFolderWithTheFilesItWasGiven) {
  std::ofstream(path("credentials.json"))
      << R"({"access_key_id": ")" << environment_["ZENLAYER_ACCESS_KEY_ID"]
      << R"(", "access_key_secret": ")" << environment_["ZENLAYER_ACCESS_KEY_SECRET"] << "\"}";
  ASSERT_EQ(::chmod(path("credentials.json").c_str(), 0600), 0);
  environment_.erase("ZENLAYER_ACCESS_KEY_ID");
  environment_.erase("ZENLAYER_ACCESS_KEY_SECRET");
  std::vector<std::string> words = run_words({"--credentials-file", "credentials.json"});
  words[1] = "list.txt";
  *std::ranges::find(words, path("ca.pem")) = "./ca.pem";
  {
    const ConnectProxy proxy("HTTP/1.1 403 no\r\n\r\n");
    environment_["HTTPS_PROXY"] = "http://127.0.0.1:" + std::to_string(proxy.port());
    const ChildResult stopped = result_of(after("cd '" + directory_.path().string() + "'", words));
    ASSERT_EQ(stopped.exit_code, 7) << stopped.error;
    ASSERT_EQ(query("SELECT count(*) FROM run"), 1);
    environment_.erase("HTTPS_PROXY");
  }
  const ChildResult resumed = result_of(after("cd /", {"resume", "--db", path("a.db")}));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.error;
  EXPECT_EQ(released(), k_disks);
}

// --- Who it was

TEST_F(SurroundingsTest, WhoUsedSudoIsRecordedAndFound) {
  environment_["SUDO_USER"] = "alice";
  ASSERT_EQ(result_of(after("", run_words({"-q"}))).exit_code, 0);
  Database database = open_audit_for_reading(path("a.db"));
  Statement select = database.prepare("SELECT user FROM invocation");
  ASSERT_TRUE(select.step());
  EXPECT_THAT(std::string(select.text(0)), StartsWith(user_name(::getuid()) + " (sudo: alice"));
  const auto rows_of = [&](const std::string& user) {
    const ChildResult result =
        result_of(after("", {"audit", "log", "--db", path("a.db"), "--user", user, "--ndjson"}));
    return std::ranges::count(result.out, '\n');
  };
  EXPECT_EQ(rows_of("alice"), k_disks);
  EXPECT_EQ(rows_of(user_name(::getuid())), k_disks);
  EXPECT_EQ(rows_of("ali"), 0);
  EXPECT_EQ(rows_of("sudo"), 0);
}

}  // namespace
}  // namespace diskrelease
