#include "run/plausibility.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/account_transport.h"
#include "support/enrolled_run.h"

namespace diskrelease {
namespace {

using std::chrono::milliseconds;

constexpr UtcTime k_then{milliseconds(1'795'000'000'000)};
constexpr milliseconds k_poll{3'000};

/// A letter a disk. Seen before with this credential: 'A' absent now, 'P' present. A call that
/// destroys was accepted: 'd' absent, 'D' present. Never seen: 'n' absent, 'N' present.
bool doubtful(const std::string& answer) {
  std::vector<ReadSubject> subjects;
  std::vector<Sighting> sightings;
  for (const char disk : answer) {
    const std::string id = "disk-" + std::to_string(subjects.size() + 1);
    const bool absent = disk == 'A' || disk == 'd' || disk == 'n';
    const bool destroyed = disk == 'd' || disk == 'D';
    subjects.push_back({.item = ItemId{std::ssize(subjects) + 1},
                        .disk = disk_id(id),
                        .seen = disk != 'n' && disk != 'N',
                        .called = false,
                        .destroyed = destroyed,
                        .absent_since = std::nullopt});
    sightings.push_back(sighting_of(id, absent ? DiskStatus::absent : DiskStatus::recycled));
  }
  return needs_control(subjects, sightings);
}

TEST(PlausibilityTest, AnAnswerThatLeavesOutTooMuchNeedsAControl) {
  const std::vector<std::pair<std::string, bool>> table = {
      {"P", false},        {"PPPPP", false},     {"A", true},    // everything
      {"AA", true},        {"AAAAAAAAAA", true}, {"AP", false},  // half
      {"AAP", false},                                            // more than half, but fewer than 3
      {"AAAP", true},      {"AAAPPP", false},    {"AAAAPPP", true}, {"n", false},
      {"nnnnnnnn", false},  // never seen: mistyped as likely as anything
      {"nnnnP", false},    {"nnnnA", true},      {"NA", true},  // all that were expected
      {"d", false},        {"ddddd", false},                    // as expected
      {"ddddA", true},     {"ddddAP", false},    {"DA", true},      {"dAAAPP", true},
  };
  for (const auto& [answer, expected] : table) EXPECT_EQ(doubtful(answer), expected) << answer;
}

ReadSubject subject(bool seen, bool called, std::optional<UtcTime> absent_since = std::nullopt) {
  return {.item = ItemId{1},
          .disk = disk_id("disk-1"),
          .seen = seen,
          .called = called,
          .destroyed = false,
          .absent_since = absent_since};
}

bool counts_at(const ReadSubject& of, DiskStatus status, milliseconds after) {
  return counts(of, sighting_of("disk-1", status), k_then + after, k_poll);
}

TEST(PlausibilityTest, AbsenceCountsOnlyWhereThisCredentialHasSeenTheDisk) {
  EXPECT_TRUE(counts_at(subject(true, true), DiskStatus::absent, k_poll));
  EXPECT_FALSE(counts_at(subject(false, true), DiskStatus::absent, k_poll));
  // Not a success, but "no such disk".
  EXPECT_TRUE(counts_at(subject(false, false), DiskStatus::absent, k_poll));
  EXPECT_TRUE(counts_at(subject(false, true), DiskStatus::recycled, k_poll));
}

TEST(PlausibilityTest, AbsencesCountFromOnePollApart) {
  const ReadSubject again = subject(true, true, k_then);
  EXPECT_FALSE(counts_at(again, DiskStatus::absent, k_poll - milliseconds(1)));
  EXPECT_TRUE(counts_at(again, DiskStatus::absent, k_poll));
  EXPECT_TRUE(counts_at(again, DiskStatus::recycled, milliseconds(0)));
}

}  // namespace
}  // namespace diskrelease
