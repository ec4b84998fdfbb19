#include "record/database_register.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "evidence/chain.h"
#include "record/audit_file.h"
#include "support/audit_error.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DatabaseRegisterTest : public ::testing::Test {
 protected:
  DatabaseRegisterTest() {
    std::filesystem::create_directory(original_.parent_path());
    create_audit_database(original_);
    Database database = open_audit_for_writing(original_);
    enrol(database, {"one"});
    latest_ = {read_chain_head(database), k_test_time};
  }

  [[nodiscard]] DatabaseRegister register_of(const std::filesystem::path& path) const {
    return {path, {folder_}};
  }
  /// What is said of the database at `path` after the original was entered.
  [[nodiscard]] std::string said_of(const std::filesystem::path& path) const {
    const DatabaseRegister known = register_of(path);
    const std::vector<DatabaseRegister::Entry> entries = known.find(latest_.head.chain);
    if (entries.size() != 1) return "no entry";
    std::string said;
    const std::string error = error_of([&] {
      known.require_the_only_name();
      said = known.require_the_only_one(entries.front()).value_or("nothing");
    });
    return said.empty() ? error : said;
  }

  TemporaryDirectory directory_;
  std::filesystem::path folder_ = directory_ / "state/databases";
  std::filesystem::path original_ = directory_ / "data/a.db";
  std::filesystem::path other_ = directory_ / "b.db";
  Anchor latest_;
};

TEST_F(DatabaseRegisterTest, GivesBackWhatWasEnteredLast) {
  EXPECT_THAT(register_of(original_).find(latest_.head.chain), IsEmpty());
  std::filesystem::create_directories(folder_);
  EXPECT_THAT(register_of(original_).find(""), IsEmpty()) << "of a database without a block";
  std::filesystem::remove_all(folder_.parent_path());
  EXPECT_EQ(register_of(other_).enter(latest_), other_.string() + ": is not there");
  ASSERT_EQ(register_of(original_).enter(latest_), "");
  latest_.head.block = 99;
  ASSERT_EQ(register_of(original_).enter(latest_), "");
  const auto entries = register_of(other_).find(latest_.head.chain);
  ASSERT_THAT(entries, SizeIs(1));
  EXPECT_EQ(entries.front().path, original_);
  EXPECT_EQ(entries.front().latest.head.block, 99);
  EXPECT_EQ(entries.front().latest.head.hash, latest_.head.hash);
  EXPECT_EQ(entries.front().file, folder_ / latest_.head.chain);
  struct stat status {};
  ASSERT_EQ(::stat(original_.c_str(), &status), 0);
  EXPECT_EQ(entries.front().inode, status.st_ino);
  ASSERT_EQ(::stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1)
      << "nothing unfinished is left";
}

TEST_F(DatabaseRegisterTest, IsSharedWhereTheFolderAboveIsButNotWithEverybody) {
  std::filesystem::create_directory(folder_.parent_path());
  ASSERT_EQ(::chmod(folder_.parent_path().c_str(), 02777), 0);
  ASSERT_EQ(register_of(original_).enter(latest_), "");
  struct stat status {};
  ASSERT_EQ(::stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 02775U);
}

TEST_F(DatabaseRegisterTest, KnowsTheDatabaseInItsPlace) {
  ASSERT_EQ(register_of(original_).enter(latest_), "");
  EXPECT_EQ(said_of(original_), "nothing");
  // Put back from a backup: another file in the same place.
  std::filesystem::copy_file(original_, other_);
  std::filesystem::rename(other_, original_);
  EXPECT_EQ(said_of(original_), "nothing");
}

TEST_F(DatabaseRegisterTest, RefusesACopyOfWhatIsStillThere) {
  ASSERT_EQ(register_of(original_).enter(latest_), "");
  std::filesystem::copy_file(original_, other_);
  EXPECT_THAT(said_of(other_),
              AllOf(HasSubstr(other_.string() + ": is a copy of " + original_.string()),
                    HasSubstr("  fix:  use --db " + original_.string())));
  // What stands there now is another database.
  std::filesystem::remove(original_);
  create_audit_database(original_);
  {
    Database database = open_audit_for_writing(original_);
    enrol(database, {"two"});
  }
  EXPECT_THAT(said_of(other_), HasSubstr("was at " + original_.string() + " before"));
}

TEST_F(DatabaseRegisterTest, SaysThatADatabaseWasMoved) {
  ASSERT_EQ(register_of(original_).enter(latest_), "");
  std::filesystem::rename(original_, other_);
  EXPECT_EQ(said_of(other_), "note: the audit database was at " + original_.string() +
                                 " before and is at " + other_.string() + " now");
  ASSERT_EQ(register_of(other_).enter(latest_), "");
  EXPECT_EQ(said_of(other_), "nothing");
}

TEST_F(DatabaseRegisterTest, RefusesASecondNameButNotASecondPathToTheSameFolder) {
  ASSERT_EQ(register_of(original_).enter(latest_), "");
  std::filesystem::create_directory_symlink(original_.parent_path(), directory_ / "place");
  EXPECT_EQ(said_of(directory_ / "place/a.db"), "nothing");
  // As a bind mount of the file shows it.
  std::filesystem::create_hard_link(original_, other_);
  EXPECT_THAT(said_of(other_), AllOf(HasSubstr("is the same file as " + original_.string()),
                                     HasSubstr("the write-ahead log by the name")));
  std::filesystem::create_hard_link(original_, directory_ / "data/c.db");
  EXPECT_THAT(said_of(directory_ / "data/c.db"), HasSubstr("is the same file as "));
}

TEST_F(DatabaseRegisterTest, KeepsAPathOfAnyBytesAndBelievesNothingThatIsNotWhole) {
  const std::filesystem::path odd = directory_ / "a\nb \xff";
  std::filesystem::rename(original_, odd);
  ASSERT_EQ(register_of(odd).enter(latest_), "");
  ASSERT_THAT(register_of(odd).find(latest_.head.chain), SizeIs(1));
  EXPECT_EQ(register_of(odd).find(latest_.head.chain).front().path, odd);
  const std::filesystem::path file = folder_ / latest_.head.chain;
  std::ifstream in(file, std::ios::binary);
  const std::string whole(std::istreambuf_iterator<char>(in), {});
  for (std::size_t length = 0; length < whole.find(directory_.path().string()); ++length) {
    std::ofstream(file, std::ios::binary) << whole.substr(0, length);
    EXPECT_THAT(register_of(odd).find(latest_.head.chain), IsEmpty()) << length;
  }
  std::ofstream(folder_ / std::string(64, 'd'), std::ios::binary) << whole;
  EXPECT_THAT(register_of(odd).find(std::string(64, 'd')), IsEmpty()) << "it is of another chain";
}

TEST_F(DatabaseRegisterTest, SaysWhyNothingCanBeEntered) {
  std::ofstream(directory_ / "state").close();
  EXPECT_THAT(register_of(original_).enter(latest_), HasSubstr("Not a directory"));
  EXPECT_THAT(DatabaseRegister(original_, {}).enter(latest_), HasSubstr("no folder"));
}

}  // namespace
}  // namespace diskrelease
