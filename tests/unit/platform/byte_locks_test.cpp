#include "platform/byte_locks.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>
#include <memory>
#include <system_error>

#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

TEST(ByteLocksTest, EachByteIsHadByOneAndGoesBackWithIt) {
  const TemporaryDirectory directory;
  auto one = std::make_unique<ByteLocks>(directory / "locks", 0600, ::getegid());
  ByteLocks two(directory / "locks", 0600, ::getegid());
  constexpr std::uint64_t far = 0x00FF'FFFF'FFFF'FFFFU;
  EXPECT_TRUE(one->try_lock(far));
  EXPECT_TRUE(one->try_lock(7));
  EXPECT_FALSE(two.try_lock(far));
  EXPECT_TRUE(two.try_lock(far - 1));
  EXPECT_TRUE(two.is_held_elsewhere(7));
  EXPECT_FALSE(one->is_held_elsewhere(7)) << "it is one's own";
  EXPECT_TRUE(one->is_held_elsewhere(far - 1));
  one->unlock(7);
  EXPECT_FALSE(two.is_held_elsewhere(7));
  EXPECT_TRUE(two.is_held_elsewhere(far));
  one.reset();
  EXPECT_TRUE(two.try_lock(far));
  EXPECT_EQ(std::filesystem::file_size(directory / "locks"), 0U);
}

/// As of a process that was stopped.
TEST(ByteLocksTest, WaitsForALockNoLongerThanItWasTold) {
  const TemporaryDirectory directory;
  ByteLocks one(directory / "locks", 0600, ::getegid());
  ByteLocks two(directory / "locks", 0600, ::getegid());
  ASSERT_TRUE(one.try_lock(7));
  try {
    two.lock(7, std::chrono::milliseconds(10));
    ADD_FAILURE() << "both have it";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::timed_out);
  }
  one.unlock(7);
  two.lock(7, std::chrono::milliseconds(0));
  EXPECT_FALSE(one.try_lock(7));
}

TEST(ByteLocksTest, RefusesALink) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "file") << "kept";
  std::filesystem::create_symlink(directory / "file", directory / "locks");
  EXPECT_THROW(ByteLocks(directory / "locks", 0600, ::getegid()), std::system_error);
}

}  // namespace
}  // namespace diskrelease
