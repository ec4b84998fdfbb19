#include "coordination/sqlite_claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <thread>

#include "model/errors.h"
#include "store/database.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view k_account = "console.example";

ClaimKey key(int number, Stage stage = Stage::release) {
  return {disk_id("disk-" + std::to_string(number)), stage};
}

std::vector<ClaimKey> keys(int from, int to) {
  std::vector<ClaimKey> all;
  for (int number = from; number <= to; ++number) all.push_back(key(number));
  return all;
}

class SqliteClaimsTest : public ::testing::Test {
 protected:
  [[nodiscard]] ClaimsPlace place() const { return {directory_.path() / "state", false}; }
  [[nodiscard]] std::filesystem::path file() const { return place().folder / "claims.db"; }

  static ClaimHolder holder(const std::string& name) {
    return {"id of " + name, "/data/" + name + ".db", RunId{7}, "joe", "db1", 4711, k_test_time};
  }

  [[nodiscard]] std::unique_ptr<SqliteClaims> session(const std::string& name,
                                                      std::string_view account = k_account) const {
    return std::make_unique<SqliteClaims>(place(), std::string(account), holder(name));
  }

  static bool granted(Claims& claims, const ClaimKey& wanted, UtcTime now = k_test_time) {
    return !claims.claim_page(std::vector{wanted}, now).at(0);
  }

  static void change(Claims& claims, const ClaimKey& changed, std::optional<ClaimState> state,
                     UtcTime now = k_test_time) {
    claims.change(std::vector<ClaimChange>{{changed, state}}, now);
  }

  [[nodiscard]] std::int64_t rows(const std::string& table) const {
    return Database(file(), Database::Access::read_only)
        .query_integer("SELECT count(*) FROM " + table);
  }

  [[nodiscard]] std::string why_unusable() const {
    try {
      const auto opened = session("one");
    } catch (const ClaimsUnusable& error) {
      return error.what();
    }
    return "usable";
  }

  void change_file(const std::string& sql) const {
    Database(file(), Database::Access::read_write).execute(sql);
  }

  TemporaryDirectory directory_;
};

TEST_F(SqliteClaimsTest, GrantsADiskToOneDatabaseAndNamesItToTheOther) {
  const auto one = session("one");
  const auto two = session("two");
  EXPECT_THAT(one->claim_page(keys(1, 3), k_test_time), Each(Eq(std::nullopt)));
  const auto answers = two->claim_page(keys(3, 4), k_test_time + milliseconds(5));
  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_FALSE(answers[1]);
  ASSERT_TRUE(answers[0]);
  const RefusedClaim& refused = *answers[0];
  EXPECT_EQ(refused.state, ClaimState::held);
  EXPECT_EQ(refused.since, k_test_time);
  EXPECT_TRUE(refused.at_work);
  EXPECT_EQ(refused.holder.database_id, "id of one");
  EXPECT_EQ(refused.holder.database_path, "/data/one.db");
  EXPECT_EQ(refused.holder.run, RunId{7});
  EXPECT_EQ(refused.holder.user, "joe");
  EXPECT_EQ(refused.holder.host, "db1");
  EXPECT_EQ(refused.holder.pid, 4711);
  EXPECT_EQ(refused.holder.started, k_test_time);
  // Who has it may ask again.
  EXPECT_TRUE(granted(*one, key(3)));
}

TEST_F(SqliteClaimsTest, StagesAndAccountsAreClaimedApart) {
  const auto one = session("one");
  const auto two = session("two");
  const auto elsewhere = session("three", "other.example");
  EXPECT_TRUE(granted(*one, key(1)));
  EXPECT_TRUE(granted(*two, key(1, Stage::destroy)));
  EXPECT_TRUE(granted(*elsewhere, key(1)));
  EXPECT_FALSE(granted(*one, key(1, Stage::destroy)));
}

TEST_F(SqliteClaimsTest, WhatIsGivenBackIsFreeAndOnlyItsHolderGivesItBack) {
  const auto one = session("one");
  const auto two = session("two");
  ASSERT_TRUE(granted(*one, key(1)));
  change(*two, key(1), std::nullopt);
  change(*two, key(1), ClaimState::accepted);
  EXPECT_FALSE(granted(*two, key(1)));
  change(*one, key(1), std::nullopt);
  EXPECT_TRUE(granted(*two, key(1)));
  change(*one, key(2), ClaimState::accepted);  // there is none
  EXPECT_TRUE(granted(*two, key(2)));
}

TEST_F(SqliteClaimsTest, AClaimStaysForTheRetentionAfterItsLastChange) {
  const auto one = session("one");
  const auto two = session("two");
  const UtcTime ended = k_test_time + hours(1);
  const std::map<int, ClaimState> states = {
      {1, ClaimState::accepted}, {2, ClaimState::gone}, {3, ClaimState::unknown}};
  for (const auto& [number, state] : states) {
    ASSERT_TRUE(granted(*one, key(number)));
    change(*one, key(number), state, ended);
    EXPECT_FALSE(granted(*two, key(number), ended + k_claims_kept - milliseconds(1)));
    EXPECT_TRUE(granted(*two, key(number), ended + k_claims_kept));
  }
}

TEST_F(SqliteClaimsTest, WhatADeadProcessHeldIsItsDatabasesForTheRetention) {
  auto one = session("one");
  const auto two = session("two");
  ASSERT_TRUE(granted(*one, key(1)));
  ASSERT_TRUE(granted(*one, key(2)));
  one.reset();
  const auto refused = two->claim_page(keys(1, 1), k_test_time + k_claims_kept - milliseconds(1));
  ASSERT_TRUE(refused.at(0));
  EXPECT_FALSE(refused[0]->at_work);
  one = session("one");
  EXPECT_TRUE(granted(*one, key(1), k_test_time + hours(1)));
  EXPECT_FALSE(granted(*two, key(1), k_test_time + k_claims_kept));
  one.reset();
  EXPECT_TRUE(granted(*two, key(2), k_test_time + k_claims_kept));
}

TEST_F(SqliteClaimsTest, WhatADatabaseAtWorkHoldsDoesNotExpire) {
  const auto one = session("one");
  const auto two = session("two");
  ASSERT_TRUE(granted(*one, key(1)));
  EXPECT_FALSE(granted(*two, key(1), k_test_time + 10 * k_claims_kept));
  // Nor is it removed.
  EXPECT_TRUE(granted(*two, key(2), k_test_time + 10 * k_claims_kept));
  EXPECT_FALSE(granted(*two, key(1), k_test_time + 10 * k_claims_kept));
}

TEST_F(SqliteClaimsTest, ADatabaseIsRefusedWhatItHasHadAcceptedButNotWhatIsUnknownOrGone) {
  auto one = session("one");
  for (const ClaimKey& claimed : keys(1, 3)) ASSERT_TRUE(granted(*one, claimed));
  change(*one, key(1), ClaimState::accepted);
  change(*one, key(2), ClaimState::unknown);
  change(*one, key(3), ClaimState::gone);
  one.reset();
  one = session("one");
  const auto answers = one->claim_page(keys(1, 3), k_test_time);
  ASSERT_TRUE(answers[0]);
  EXPECT_EQ(answers[0]->holder.database_id, "id of one");
  EXPECT_EQ(answers[0]->state, ClaimState::accepted);
  EXPECT_TRUE(answers[0]->own);
  EXPECT_FALSE(answers[1]);
  EXPECT_FALSE(answers[2]);
}

TEST_F(SqliteClaimsTest, OneProcessAtATimeWorksForADatabaseIdAndADeadOneIsTakenOver) {
  auto one = session("one");
  EXPECT_THROW(static_cast<void>(session("one")), LockHeld);
  one.reset();
  EXPECT_NO_THROW(one = session("one"));
}

TEST_F(SqliteClaimsTest, TellsWhichOtherDatabasesAreAtWorkOnTheAccount) {
  auto one = session("one");
  const auto two = session("two");
  const auto elsewhere = session("three", "other.example");
  const auto names = [](const std::vector<ClaimHolder>& holders) {
    std::vector<std::string> paths;
    for (const ClaimHolder& at_work : holders) paths.push_back(at_work.database_path);
    return paths;
  };
  EXPECT_THAT(names(two->others_at_work()), ElementsAre("/data/one.db"));
  EXPECT_THAT(names(databases_at_work(place(), k_account, "id of two")),
              ElementsAre("/data/one.db"));
  EXPECT_THAT(names(databases_at_work(place(), k_account, "none")),
              ElementsAre("/data/one.db", "/data/two.db"));
  one.reset();
  EXPECT_THAT(two->others_at_work(), IsEmpty());
  EXPECT_THAT(databases_at_work(place(), k_account, "id of two"), IsEmpty());
}

TEST_F(SqliteClaimsTest, LookingForOthersCreatesNothing) {
  EXPECT_THAT(databases_at_work(place(), k_account, ""), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(place().folder));
}

TEST_F(SqliteClaimsTest, OpenClaimsAreThoseHeldOrUnknownOfAllSessionsPageByPage) {
  auto one = session("one");
  const auto two = session("two");
  for (const ClaimKey& claimed : keys(1, 4)) ASSERT_TRUE(granted(*one, claimed));
  ASSERT_TRUE(granted(*two, key(9)));
  change(*one, key(1), ClaimState::accepted);
  change(*one, key(2), ClaimState::unknown);
  change(*one, key(3), ClaimState::gone);
  one.reset();
  one = session("one");
  ASSERT_TRUE(granted(*one, key(5)));
  std::vector<std::string> found;
  std::optional<OpenClaim> after;
  while (true) {
    const auto page = one->open_claims(after, 1);
    if (page.empty()) break;
    found.push_back(page[0].key.disk.text() + " " + std::string(to_text(page[0].state)));
    after = page[0];
  }
  EXPECT_THAT(found, ElementsAre("disk-2 unknown", "disk-4 held", "disk-5 held"));
}

TEST_F(SqliteClaimsTest, RemovesWhatHasExpiredSomeWithEachCommit) {
  const int many = 2 * static_cast<int>(SqliteClaims::k_pruned_a_commit);
  const auto two = session("two");
  {
    const auto one = session("one");
    static_cast<void>(one->claim_page(keys(1, many), k_test_time));
    change(*one, key(1), ClaimState::accepted, k_test_time + hours(1));
  }
  EXPECT_EQ(rows("session"), 2);
  const UtcTime later = k_test_time + k_claims_kept;
  ASSERT_TRUE(granted(*two, key(many + 1), later - milliseconds(1)));
  EXPECT_EQ(rows("claim"), many + 1);
  ASSERT_TRUE(granted(*two, key(many + 2), later));
  EXPECT_EQ(rows("claim"), many + 2 - SqliteClaims::k_pruned_a_commit - 1);
  ASSERT_TRUE(granted(*two, key(many + 3), later));
  EXPECT_EQ(rows("claim"), 4);
  change(*two, key(many + 3), ClaimState::accepted, later + hours(1));
  EXPECT_EQ(rows("claim"), 3);
  ASSERT_TRUE(granted(*two, key(many + 4), later + hours(1)));
  EXPECT_EQ(rows("session"), 1);
}

TEST_F(SqliteClaimsTest, ManyAtOnceNeverGrantADiskTwice) {
  constexpr int databases = 4;
  constexpr int disks = 300;
  constexpr int page = 7;
  { const auto first = session("first"); }
  std::array<std::vector<int>, databases> had;
  std::vector<std::thread> threads;
  for (int mine = 0; mine < databases; ++mine) {
    threads.emplace_back([&, mine] {
      const auto claims = session(std::to_string(mine));
      for (int from = 1; from <= disks; from += page) {
        const auto answers = claims->claim_page(keys(from, from + page - 1), k_test_time);
        for (int i = 0; i < page; ++i) {
          if (!answers[static_cast<std::size_t>(i)])
            had[static_cast<std::size_t>(mine)].push_back(from + i);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::map<int, int> times;
  for (const std::vector<int>& numbers : had) {
    for (const int number : numbers) ++times[number];
  }
  EXPECT_GE(times.size(), static_cast<std::size_t>(disks));
  for (const auto& [number, count] : times) EXPECT_EQ(count, 1) << number;
}

TEST_F(SqliteClaimsTest, SeveralProcessesMayMakeTheStoreAtOnce) {
  std::vector<std::thread> threads;
  std::array<std::string, 4> ids;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    threads.emplace_back([&, i] { ids.at(i) = session(std::to_string(i))->store_id(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(ids, Each(Eq(ids[0])));
  EXPECT_THAT(ids[0], SizeIs(32));
}

TEST_F(SqliteClaimsTest, WhatWasGrantedToAProcessThatIsKilledStaysClaimed) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::alarm(60);
    try {
      const auto one = session("one");
      static_cast<void>(one->claim_page(keys(1, 500), k_test_time));
      if (::write(pipe[1], "x", 1) == 1) ::pause();
    } catch (const std::exception&) {
      ::_exit(2);
    }
    ::_exit(3);
  }
  char byte = 0;
  ASSERT_EQ(::read(pipe[0], &byte, 1), 1);
  const auto two = session("two");
  const auto while_alive = two->claim_page(keys(500, 500), k_test_time);
  ASSERT_TRUE(while_alive[0]);
  EXPECT_TRUE(while_alive[0]->at_work);
  EXPECT_THROW(static_cast<void>(session("one")), LockHeld);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  for (const int descriptor : pipe) ::close(descriptor);
  const auto afterwards = two->claim_page(keys(1, 500), k_test_time);
  for (const auto& answer : afterwards) {
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->at_work);
  }
  EXPECT_THAT(session("one")->claim_page(keys(1, 500), k_test_time), Each(Eq(std::nullopt)));
}

TEST_F(SqliteClaimsTest, ItsFilesAreTheUsersAloneOrTheFoldersGroups) {
  const mode_t before = ::umask(0);
  { const auto one = session("one"); }
  struct stat status {};
  for (const char* name : {"claims.db", "claims.lock"}) {
    ASSERT_EQ(::stat((place().folder / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << name;
  }
  const ClaimsPlace shared{directory_.path() / "shared", true};
  std::filesystem::create_directory(shared.folder);
  ::umask(0077);
  const SqliteClaims claims(shared, std::string(k_account), holder("one"));
  ::umask(before);
  for (const char* name : {"claims.db", "claims.lock", "claims.db-wal"}) {
    ASSERT_EQ(::stat((shared.folder / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0660U) << name;
  }
}

TEST_F(SqliteClaimsTest, RefusesWhatIsNoStoreOfThisVersionAndLeavesItAlone) {
  const auto content = [&] {
    std::ifstream in(file(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  { const auto one = session("one"); }
  const std::string store = content();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"PRAGMA application_id = 1", "another program"},
      {"PRAGMA user_version = 2", "version 2"},
      {"CREATE TRIGGER t AFTER INSERT ON claim BEGIN DELETE FROM claim; END", "its tables"},
      {"DROP INDEX claim_by_time", "its tables"}};
  for (const auto& [sql, why] : cases) {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << store;
    change_file(sql);
    const std::string changed = content();
    EXPECT_THAT(why_unusable(), AllOf(HasSubstr(file().string()), HasSubstr(why))) << sql;
    EXPECT_EQ(content(), changed) << sql;
  }
  for (const std::string& bytes : {std::string("no database at all, but long enough to be one"),
                                   store.substr(0, 5'000), std::string(8'192, '\xff')}) {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << bytes;
    EXPECT_THAT(why_unusable(), HasSubstr("claims store " + file().string()));
    EXPECT_EQ(content(), bytes);
  }
}

TEST_F(SqliteClaimsTest, RefusesAFileThatOthersMayWriteTo) {
  { const auto one = session("one"); }
  ASSERT_EQ(::chmod(file().c_str(), 0622), 0);
  EXPECT_THAT(why_unusable(), HasSubstr("other users may write to it"));
  std::filesystem::remove(file());
  std::filesystem::create_symlink("/dev/null", file());
  EXPECT_THAT(why_unusable(), HasSubstr("not a regular file"));
}

TEST_F(SqliteClaimsTest, AFolderThatCannotBeWrittenMakesItUnusable) {
  std::ofstream(directory_ / "state") << "a file where the folder should be";
  EXPECT_THAT(why_unusable(), AllOf(HasSubstr("claims store"), HasSubstr(file().string())));
}

TEST_F(SqliteClaimsTest, FindsOutThatItsFileIsNotThereAnyMore) {
  const auto one = session("one");
  ASSERT_TRUE(granted(*one, key(1)));
  std::filesystem::rename(file(), directory_ / "away");
  EXPECT_THROW(static_cast<void>(granted(*one, key(2))), ClaimsUnusable);
  const auto two = session("two");
  EXPECT_THROW(change(*one, key(1), std::nullopt), ClaimsUnusable);
}

// ---- lost, older

TEST_F(SqliteClaimsTest, TheFirstUseIsTrusted) {
  EXPECT_FALSE(session("one")->distrust(std::nullopt, k_test_time));
}

TEST_F(SqliteClaimsTest, AStoreThatIsTheSameAndKnowsTheLastAcceptedClaimIsTrusted) {
  const auto one = session("one");
  ASSERT_TRUE(granted(*one, key(1)));
  change(*one, key(1), ClaimState::accepted);
  EXPECT_FALSE(one->distrust(ClaimsWitness{one->store_id(), k_test_time, key(1)}, k_test_time));
  EXPECT_FALSE(
      one->distrust(ClaimsWitness{one->store_id(), k_test_time, std::nullopt}, k_test_time));
}

TEST_F(SqliteClaimsTest, ADeletedStoreIsNotTrustedByAnybodyUntilTheRetentionHasPassed) {
  const std::string lost = session("one")->store_id();
  std::filesystem::remove(file());
  auto one = session("one");
  const auto found =
      one->distrust(ClaimsWitness{lost, k_test_time, std::nullopt}, k_test_time + hours(2));
  ASSERT_TRUE(found);
  EXPECT_THAT(found->why, HasSubstr("not there any more"));
  const UtcTime until = k_test_time + hours(2) + k_claims_kept;
  EXPECT_EQ(found->until, until);
  const auto two = session("two");
  const auto told = two->distrust(std::nullopt, until - milliseconds(1));
  ASSERT_TRUE(told);
  EXPECT_EQ(told->until, until);
  EXPECT_FALSE(two->distrust(std::nullopt, until));
}

TEST_F(SqliteClaimsTest, AnOlderCopyIsFoundByTheAcceptedClaimThatItLacks) {
  {
    const auto one = session("one");
    ASSERT_TRUE(granted(*one, key(1)));
    change(*one, key(1), ClaimState::accepted);
  }
  std::filesystem::copy_file(file(), directory_ / "older");
  std::string id;
  {
    const auto one = session("one");
    id = one->store_id();
    ASSERT_TRUE(granted(*one, key(2)));
    change(*one, key(2), ClaimState::accepted);
  }
  std::filesystem::rename(directory_ / "older", file());
  const auto two = session("two");
  // Nor is it enough that another database has claimed it since.
  ASSERT_TRUE(granted(*two, key(2)));
  const auto one = session("one");
  EXPECT_EQ(one->store_id(), id);
  const auto found = one->distrust(ClaimsWitness{id, k_test_time, key(2)}, k_test_time);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->why, AllOf(HasSubstr("older copy"), HasSubstr("disk-2")));
  EXPECT_TRUE(two->distrust(std::nullopt, k_test_time));
}

// ---- where it lies

TEST_F(SqliteClaimsTest, LiesWhereItWasChosenElseInTheSystemsFolderElseInTheUsers) {
  const std::filesystem::path system = directory_ / "system";
  const std::filesystem::path state = directory_ / "mine";
  const auto folder = [&](const std::optional<std::string>& chosen) {
    const auto found = claims_place(chosen, state, system);
    return found ? found->folder.filename().string() + (found->shared ? " shared" : "") : "none";
  };
  EXPECT_EQ(folder(std::nullopt), "mine");
  std::filesystem::create_directory(system);
  EXPECT_EQ(folder(std::nullopt), "system shared");
  ASSERT_EQ(::chmod(system.c_str(), 0777), 0);
  EXPECT_EQ(folder(std::nullopt), "mine");
  EXPECT_EQ(folder("/somewhere/chosen"), "chosen");
  EXPECT_FALSE(claims_place(std::nullopt, std::nullopt, directory_ / "none"));
}

}  // namespace
}  // namespace diskrelease
