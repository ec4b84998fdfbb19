#include "platform/file_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "platform/host.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Root may do everything, so as root the test is somebody else meanwhile.
class SomebodyElse {
 public:
  SomebodyElse() {
    if (was_root_ && ::seteuid(65534) != 0) throw std::runtime_error("seteuid");
  }
  ~SomebodyElse() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
  }
  SomebodyElse(const SomebodyElse&) = delete;
  SomebodyElse& operator=(const SomebodyElse&) = delete;

 private:
  const bool was_root_ = ::geteuid() == 0;
};

class FileAccessTest : public ::testing::Test {
 protected:
  std::filesystem::path make(const std::string& name, mode_t mode) const {
    std::ofstream(directory_ / name) << "x";
    EXPECT_EQ(::chmod((directory_ / name).c_str(), mode), 0);
    EXPECT_EQ(::chmod(directory_.path().c_str(), 0777), 0);
    return directory_ / name;
  }

  TemporaryDirectory directory_;
};

TEST_F(FileAccessTest, NamesEachFileThatMayNotBeUsedItsOwnerAndTheCommand) {
  // Where the tests are not root's, the files are their own.
  const bool root = ::geteuid() == 0;
  const std::array files{make("a.db", 0444), make("a.db-wal", 0000), directory_ / "a.db-shm",
                         make("fine", 0666)};
  const SomebodyElse me;
  const std::string owner = root ? "root" : user_name(::geteuid());
  const std::string fix = root ? "sudo chown " + user_name(65534) + " " : "chmod u+rw ";
  EXPECT_THAT(
      files_of_others(files, FileUse::read_and_write),
      AllOf(HasSubstr(files[0].string() + " cannot be written by user " + user_name(::geteuid()) +
                      ": it belongs to " + owner + " and has mode 0444"),
            HasSubstr(files[1].string() + " cannot be written"),
            HasSubstr("fix:  " + fix + files[0].string() + " " + files[1].string()),
            Not(HasSubstr("fine")), Not(HasSubstr("-shm"))));
  EXPECT_THAT(files_of_others(files, FileUse::read),
              AllOf(HasSubstr(files[1].string() + " cannot be read"),
                    Not(HasSubstr(files[0].string() + " cannot"))));
}

TEST_F(FileAccessTest, NamesAFolderThatLetsNobodyThroughAndNoCommandForIt) {
  const std::filesystem::path folder = directory_ / "closed";
  std::filesystem::create_directory(folder);
  const std::array files{make("closed/a.db", 0666), folder / "a.db-wal", folder / "deep" / "x"};
  ASSERT_EQ(::chmod(folder.c_str(), 0600), 0);
  {
    const SomebodyElse me;
    EXPECT_THAT(files_of_others(files, FileUse::read),
                AllOf(HasSubstr(folder.string() + ": user " + user_name(::geteuid()) +
                                " may not work in this folder: it belongs to "),
                      HasSubstr("and has mode 0600\n  fix:  choose another folder, or give this"),
                      Not(HasSubstr("chown"))));
  }
  ASSERT_EQ(::chmod(folder.c_str(), 0555), 0);
  const SomebodyElse me;
  EXPECT_THAT(files_of_others(files, FileUse::read_and_write), HasSubstr("has mode 0555"));
  EXPECT_EQ(files_of_others(files, FileUse::read), "");
}

TEST_F(FileAccessTest, HasNothingToSayOfFilesThatMayBeUsed) {
  const std::array files{make("a.db", 0600), directory_ / "missing"};
  EXPECT_EQ(files_of_others(files, FileUse::read_and_write), "");
}

}  // namespace
}  // namespace diskrelease
