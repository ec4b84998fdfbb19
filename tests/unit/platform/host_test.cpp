#include "platform/host.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace diskrelease {
namespace {

TEST(RecordedUserTest, NamesWhoStandsBehindTheUser) {
  EXPECT_EQ(recorded_user("alice", "", ""), "alice");
  EXPECT_EQ(recorded_user("alice", "alice", "alice"), "alice");
  EXPECT_EQ(recorded_user("root", "alice", ""), "root (sudo: alice)");
  EXPECT_EQ(recorded_user("root", "alice", "alice"), "root (sudo: alice)");
  EXPECT_EQ(recorded_user("root", "", "alice"), "root (login: alice)");
  EXPECT_EQ(recorded_user("root", "root", "alice"), "root (login: alice)");
  EXPECT_EQ(recorded_user("root", "alice", "root"), "root (sudo: alice)");
}

TEST(RecordedUserTest, DoesNotLetTheEnvironmentHideWhatTheKernelSays) {
  EXPECT_EQ(recorded_user("root", "alice", "mallory"), "root (sudo: alice, login: mallory)");
  EXPECT_EQ(recorded_user("root", "alice, login: bob)", "mallory"),
            "root (sudo: alice??login??bob?, login: mallory)");
  EXPECT_EQ(recorded_user("root", "a\x1b[2J\n", ""), "root (sudo: a\\x1b[2J\\x0a)");
}

TEST(UserNameTest, IsANumberWhereThereIsNoName) {
  EXPECT_EQ(user_name(0), "root");
  EXPECT_EQ(user_name(3'999'999'999), "3999999999");
}

}  // namespace
}  // namespace diskrelease
