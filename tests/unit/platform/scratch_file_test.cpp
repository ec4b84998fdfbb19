#include "platform/scratch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "model/errors.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

/// $SQLITE_TMPDIR for as long as it lives.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(const std::filesystem::path& path) {
    if (const char* before = std::getenv("SQLITE_TMPDIR")) before_ = before;
    ::setenv("SQLITE_TMPDIR", path.c_str(), 1);
  }
  ~ScratchDirectory() {
    if (before_) {
      ::setenv("SQLITE_TMPDIR", before_->c_str(), 1);
    } else {
      ::unsetenv("SQLITE_TMPDIR");
    }
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

 private:
  std::optional<std::string> before_;
};

std::string read(const ScratchFile& file, std::int64_t offset, std::size_t count) {
  std::string bytes(count, '?');
  bytes.resize(file.read(offset, bytes));
  return bytes;
}

TEST(ScratchFileTest, ReadsWhatWasAppendedWhereverItLies) {
  ScratchFile file;
  std::string all;
  for (int i = 0; i < 100'000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    file.append(piece);
    all += piece;
  }
  ASSERT_EQ(file.size(), static_cast<std::int64_t>(all.size()));
  EXPECT_TRUE(read(file, 0, all.size()) == all);
  EXPECT_TRUE(read(file, 0, all.size() + 10) == all) << "no more than there is";
  for (const std::size_t offset : {std::size_t{1}, std::size_t{262'000}, all.size() - 5}) {
    EXPECT_EQ(read(file, static_cast<std::int64_t>(offset), 500), all.substr(offset, 500));
  }
  EXPECT_EQ(read(file, file.size(), 1), "");
}

TEST(ScratchFileTest, LeavesNoNameBehind) {
  const TemporaryDirectory directory;
  const ScratchDirectory scratch(directory.path());
  ScratchFile file;
  file.append(std::string(300'000, 'x'));
  file.append("y");
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(ScratchFileTest, TakesAnotherPlaceWhereTheWantedOneIsNoFolder) {
  const ScratchDirectory scratch("/dev/full");
  ScratchFile file;
  file.append(std::string(300'000, 'x'));
  file.append("y");
  EXPECT_EQ(read(file, 299'999, 5), "xy");
}

TEST(ScratchFileTest, ThrowsWhereTheFileCannotGrow) {
  const TemporaryDirectory directory;
  const ScratchDirectory scratch(directory.path());
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 100'000, before.rlim_max };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  ScratchFile file;
  file.append(std::string(300'000, 'x'));
  std::string message;
  try {
    file.append("y");
  } catch (const AuditUnusable& error) {
    message = error.what();
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, ::testing::HasSubstr(directory.path().string()));
  EXPECT_THAT(message, ::testing::HasSubstr("File too large"));
}

}  // namespace
}  // namespace diskrelease
