#include <gtest/gtest.h>

#include <cstdlib>

#include "platform/host.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

/// $RUNTIME_DIRECTORY as a test has it.
class MemoryDirectoryTest : public ::testing::Test {
 protected:
  MemoryDirectoryTest() { ::unsetenv("RUNTIME_DIRECTORY"); }
  ~MemoryDirectoryTest() override { ::unsetenv("RUNTIME_DIRECTORY"); }
  MemoryDirectoryTest(const MemoryDirectoryTest&) = delete;
  MemoryDirectoryTest& operator=(const MemoryDirectoryTest&) = delete;

  static std::filesystem::path with(const std::string& value) {
    ::setenv("RUNTIME_DIRECTORY", value.c_str(), 1);
    return memory_directory();
  }

  const std::filesystem::path k_of_all = "/dev/shm";
  TemporaryDirectory folder_{k_of_all};
};

TEST_F(MemoryDirectoryTest, IsThatOfAllUnlessTheServiceHasOne) {
  EXPECT_EQ(memory_directory(), k_of_all);
  EXPECT_EQ(with(folder_.path().string()), folder_.path());
  EXPECT_EQ(with(folder_.path().string() + ":/dev"), folder_.path());
}

TEST_F(MemoryDirectoryTest, IsNotOneThatOutlivesTheBootOrIsNotThere) {
  EXPECT_TRUE(is_in_memory(folder_.path()));
  for (const char* folder : {"/proc", "/nowhere", "relative", ":", ""}) {
    EXPECT_FALSE(is_in_memory(folder)) << folder;
    EXPECT_EQ(with(folder), k_of_all) << folder;
  }
}

}  // namespace
}  // namespace diskrelease
