#include "api/secret.h"

#include <gtest/gtest.h>

#include <new>
#include <ostream>
#include <type_traits>
#include <utility>

namespace diskrelease {
namespace {

constexpr std::string_view k_short = "short-fake";
constexpr std::string_view k_long = "a-fake-secret-that-is-too-long-for-the-small-buffer";

template <class T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};

static_assert(!Printable<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_convertible_v<std::string, Secret>);
static_assert(std::is_nothrow_move_constructible_v<Secret>);

TEST(SecretTest, WipingClearsEveryByteOfTheBuffer) {
  for (const std::string_view value : {k_short, k_long}) {
    std::string text(value);
    const char* const bytes = text.data();
    wipe(text);
    EXPECT_TRUE(text.empty());
    EXPECT_EQ(text.data(), bytes);
    for (std::size_t i = 1; i < value.size(); ++i) EXPECT_EQ(bytes[i], '\0') << i;
  }
}

TEST(SecretTest, ConstructionLeavesNothingInAShortArgument) {
  std::string argument(k_short);
  const Secret secret(std::move(argument));
  EXPECT_EQ(secret.reveal(), k_short);
}

// The bytes of a short text stay in the object itself, those of a long one change hands.
void expect_nothing_left(const Secret& moved_from, const char* bytes, std::string_view value) {
  EXPECT_EQ(moved_from.reveal(), "");
  if (value != k_short) return;
  ASSERT_EQ(moved_from.reveal().data(), bytes);
  for (std::size_t i = 1; i < value.size(); ++i) EXPECT_EQ(bytes[i], '\0') << i;
}

TEST(SecretTest, MovesLeaveNothingBehind) {
  for (const std::string_view value : {k_short, k_long}) {
    Secret first{std::string(value)};
    const char* const first_bytes = first.reveal().data();
    Secret second(std::move(first));
    EXPECT_EQ(second.reveal(), value);
    expect_nothing_left(first, first_bytes, value);  // NOLINT(bugprone-use-after-move)

    const char* const second_bytes = second.reveal().data();
    Secret third{std::string("old-fake")};
    third = std::move(second);
    EXPECT_EQ(third.reveal(), value);
    expect_nothing_left(second, second_bytes, value);  // NOLINT(bugprone-use-after-move)
  }
}

TEST(SecretTest, CopiesAreIndependent) {
  Secret copy{std::string("old-fake")};
  {
    const Secret original{std::string(k_long)};
    copy = original;
  }
  EXPECT_EQ(copy.reveal(), k_long);
  const Secret& same = copy;
  copy = same;
  EXPECT_EQ(copy.reveal(), k_long);
}

TEST(SecretTest, DestructionWipesTheObject) {
  alignas(Secret) unsigned char place[sizeof(Secret)];
  auto* secret = new (place) Secret(std::string(k_short));
  const auto* bytes = reinterpret_cast<const unsigned char*>(secret->reveal().data());
  const auto offset = static_cast<std::size_t>(bytes - place);
  ASSERT_LT(offset, sizeof(place));  // a short text lives inside the object
  secret->~Secret();
  const std::string_view left(reinterpret_cast<const char*>(place), sizeof(place));
  EXPECT_EQ(left.find(k_short.substr(1)), std::string_view::npos);
}

TEST(SecretTest, AnAssignmentToItselfKeepsTheValue) {
  for (const std::string_view value : {k_short, k_long}) {
    Secret secret{std::string(value)};
    Secret& same = secret;
    secret = same;
    EXPECT_EQ(secret.reveal(), value);
    secret = std::move(same);
    EXPECT_EQ(secret.reveal(), value);
  }
}

}  // namespace
}  // namespace diskrelease
