#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "platform/host.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

/// $RUNTIME_DIRECTORY as a test has it.
class MemoryDirectoryTest : public ::testing::Test {
 protected:
  MemoryDirectoryTest() {
    if (const char* before = std::getenv("RUNTIME_DIRECTORY")) before_ = before;
    ::unsetenv("RUNTIME_DIRECTORY");
  }
  ~MemoryDirectoryTest() override {
    ::unsetenv("RUNTIME_DIRECTORY");
    if (before_) ::setenv("RUNTIME_DIRECTORY", before_->c_str(), 1);
  }
  MemoryDirectoryTest(const MemoryDirectoryTest&) = delete;
  MemoryDirectoryTest& operator=(const MemoryDirectoryTest&) = delete;

  static std::filesystem::path with(const std::string& value) {
    ::setenv("RUNTIME_DIRECTORY", value.c_str(), 1);
    return memory_directory();
  }

  const std::filesystem::path of_all_ = "/dev/shm";
  TemporaryDirectory folder_{of_all_};

 private:
  std::optional<std::string> before_;
};

TEST_F(MemoryDirectoryTest, IsThatOfAllUnlessTheServiceHasOne) {
  EXPECT_EQ(memory_directory(), of_all_);
  EXPECT_EQ(with(folder_.path().string()), folder_.path());
  EXPECT_EQ(with(folder_.path().string() + ":/dev"), folder_.path());
}

TEST_F(MemoryDirectoryTest, IsNotOneThatOutlivesTheBootOrIsNotThere) {
  EXPECT_TRUE(is_in_memory(folder_.path()));
  for (const char* folder : {"/proc", "/nowhere", ":", ""}) {
    EXPECT_FALSE(is_in_memory(folder)) << folder;
    EXPECT_EQ(with(folder), of_all_) << folder;
  }
  // A relative one is none, as with all variables of this kind.
  const std::filesystem::path relative =
      std::filesystem::relative(folder_.path(), std::filesystem::current_path());
  ASSERT_TRUE(is_in_memory(relative));
  EXPECT_EQ(with(relative.string()), of_all_);
}

}  // namespace
}  // namespace diskrelease
