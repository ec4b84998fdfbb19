#include "report/reconciliation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace diskrelease {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

UtcTime at(std::int64_t ms) { return UtcTime(milliseconds(1'800'000'000'000 + ms)); }

OurAttempt ours(const std::string& disk, std::int64_t ms, const std::string& outcome,
                const std::string& request_id = {}, const std::string& settled = {}) {
  OurAttempt attempt;
  attempt.run_id = 1;
  attempt.attempt_number = 1;
  attempt.disk_id = disk;
  attempt.outcome = outcome;
  attempt.settled = settled;
  attempt.request_id = request_id;
  attempt.time = at(ms);
  return attempt;
}

ProviderRelease theirs(const std::string& disk, std::int64_t ms, ProviderResult result,
                       const std::string& request_id = {}) {
  return {.disk = std::get<DiskId>(DiskId::parse(disk)),
          .time = at(ms),
          .result = result,
          .code = "",
          .request_id = request_id,
          .user = "ops@example.com",
          .client_ip = "192.0.2.7",
          .source = "API_CALL",
          .record = 1};
}

constexpr ProviderResult k_good = ProviderResult::succeeded;
constexpr ProviderResult k_bad = ProviderResult::failed;
constexpr ProviderResult k_unclear = ProviderResult::unclear;

/// The span is [0, 100 s), the window 5 s.
ReconciliationScope scope() {
  return {.begin = at(0), .end = at(100'000), .window = milliseconds(5'000), .run = std::nullopt};
}

/// Findings as "kind attempt release", with "-" for none.
std::vector<std::string> texts(const Reconciliation& found) {
  std::vector<std::string> result;
  const auto place = [](std::optional<std::size_t> i) { return i ? std::to_string(*i) : "-"; };
  for (const Finding& finding : found.findings) {
    result.push_back(std::string(to_text(finding.kind)) + " " + place(finding.attempt) + " " +
                     place(finding.release));
  }
  return result;
}

/// Each attempt and each release has been counted in one place.
void expect_complete(const Reconciliation& found, std::size_t attempts, std::size_t releases) {
  std::int64_t with_attempt = 0;
  std::int64_t with_release = 0;
  for (const Finding& finding : found.findings) {
    if (!is_mismatch(finding.kind)) continue;  // is in `matched` already
    with_attempt += finding.attempt ? 1 : 0;
    with_release += finding.release ? 1 : 0;
  }
  const std::int64_t pairs = found.matched + found.both_refused;
  EXPECT_EQ(pairs + found.unlisted + found.outside + with_attempt + found.other_runs,
            static_cast<std::int64_t>(attempts));
  if (found.other_runs == 0) {
    EXPECT_EQ(pairs + found.outside_releases + found.repeated + with_release,
              static_cast<std::int64_t>(releases));
  }
}

struct Case {
  std::string what;
  std::vector<OurAttempt> attempts;
  std::vector<ProviderRelease> releases;
  std::vector<std::string> findings;
  std::int64_t matched = 0;
  std::int64_t both_refused = 0;
  std::int64_t unlisted = 0;
  std::int64_t outside = 0;
  std::int64_t outside_releases = 0;
  std::int64_t repeated = 0;
};

void expect_each(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const Reconciliation found = reconcile(c.attempts, c.releases, scope());
    EXPECT_EQ(texts(found), c.findings);
    EXPECT_EQ(found.matched, c.matched);
    EXPECT_EQ(found.both_refused, c.both_refused);
    EXPECT_EQ(found.unlisted, c.unlisted);
    EXPECT_EQ(found.outside, c.outside);
    EXPECT_EQ(found.outside_releases, c.outside_releases);
    EXPECT_EQ(found.repeated, c.repeated);
    expect_complete(found, c.attempts.size(), c.releases.size());
  }
}

TEST(ReconciliationTest, EveryClaimMeetsEveryResult) {
  struct Row {
    const char* outcome;
    const char* settled;
    const char* with_success;  // finding's kind; "" = matched, "refused" = both refused
    const char* with_failure;
    const char* with_unclear;
    const char* alone;  // "" = unlisted
  };
  const Row rows[] = {
      {"accepted", "", "", "they_failed", "", "ours_only"},
      {"unknown", "executed", "", "they_failed", "", "ours_only"},
      {"unknown", "", "unknown_succeeded", "unknown_failed", "", "ours_only"},
      {"unknown", "gone", "unknown_succeeded", "unknown_failed", "", "ours_only"},
      {"open", "", "unknown_succeeded", "unknown_failed", "", "ours_only"},
      {"unknown", "refused", "they_succeeded", "refused", "refused", ""},
      {"unknown", "not_executed", "they_succeeded", "refused", "refused", ""},
      {"rejected", "", "they_succeeded", "refused", "refused", ""},
      {"throttled", "", "they_succeeded", "refused", "refused", ""},
      {"not_sent", "", "they_succeeded", "refused", "refused", ""},
      {"already_gone", "", "they_succeeded", "refused", "refused", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.outcome) + " " + row.settled);
    const std::vector<OurAttempt> attempts = {ours("11", 10, row.outcome, "", row.settled)};
    for (const auto& [result, expected] : {std::pair{k_good, std::string(row.with_success)},
                                           {k_bad, std::string(row.with_failure)},
                                           {k_unclear, std::string(row.with_unclear)}}) {
      const Reconciliation found = reconcile(attempts, {theirs("11", 12, result)}, scope());
      const bool is_finding = !expected.empty() && expected != "refused";
      EXPECT_EQ(texts(found),
                is_finding ? std::vector{expected + " 0 0"} : std::vector<std::string>{});
      EXPECT_EQ(found.both_refused, expected == "refused" ? 1 : 0);
      expect_complete(found, 1, 1);
    }
    const Reconciliation alone = reconcile(attempts, {}, scope());
    const std::string expected = row.alone;
    EXPECT_EQ(texts(alone),
              expected.empty() ? std::vector<std::string>{} : std::vector{expected + " 0 -"});
    EXPECT_EQ(alone.unlisted, expected.empty() ? 1 : 0);
    EXPECT_EQ(alone.mismatches(), expected.empty() ? 0 : 1);
  }
}

TEST(ReconciliationTest, WhatOnlyAnswersAQuestionIsNoMismatch) {
  const Reconciliation found =
      reconcile({ours("11", 0, "unknown")}, {theirs("11", 0, k_good)}, scope());
  EXPECT_THAT(texts(found), ElementsAre("unknown_succeeded 0 0"));
  EXPECT_EQ(found.mismatches(), 0);
  EXPECT_EQ(found.matched, 1);
  EXPECT_EQ(found.count(FindingKind::unknown_succeeded), 1);
}

TEST(ReconciliationTest, AReleaseWithoutAnAttemptIsTheirs) {
  for (const ProviderResult result : {k_good, k_bad, k_unclear}) {
    const Reconciliation found = reconcile(
        {ours("11", 0, "accepted")}, {theirs("11", 0, k_good), theirs("12", 0, result)}, scope());
    EXPECT_THAT(texts(found), ElementsAre("theirs_only - 1"));
    EXPECT_EQ(found.mismatches(), 1);
  }
}

TEST(ReconciliationTest, TimesMayBeOneWindowApart) {
  expect_each({
      {.what = "later, just within",
       .attempts = {ours("11", 20'000, "accepted")},
       .releases = {theirs("11", 25'000, k_good)},
       .findings = {},
       .matched = 1},
      {.what = "later, just beyond",
       .attempts = {ours("11", 20'000, "accepted")},
       .releases = {theirs("11", 25'001, k_good)},
       .findings = {"ours_only 0 -", "theirs_only - 0"}},
      {.what = "earlier, just within",
       .attempts = {ours("11", 20'000, "accepted")},
       .releases = {theirs("11", 15'000, k_good)},
       .findings = {},
       .matched = 1},
      {.what = "earlier, just beyond",
       .attempts = {ours("11", 20'000, "accepted")},
       .releases = {theirs("11", 14'999, k_good)},
       .findings = {"theirs_only - 0", "ours_only 0 -"}},
      {.what = "another disk",
       .attempts = {ours("11", 20'000, "accepted")},
       .releases = {theirs("110", 20'000, k_good)},
       .findings = {"ours_only 0 -", "theirs_only - 0"}},
  });
}

TEST(ReconciliationTest, ARequestIdWinsOverDiskAndTime) {
  expect_each({
      {.what = "far apart",
       .attempts = {ours("11", 20'000, "accepted", "T1")},
       .releases = {theirs("11", 90'000, k_good, "T1")},
       .findings = {},
       .matched = 1},
      {.what = "crossed",
       .attempts = {ours("11", 20'000, "accepted", "T1"), ours("11", 21'000, "accepted", "T2")},
       .releases = {theirs("11", 20'000, k_good, "T2"), theirs("11", 21'000, k_bad, "T1")},
       .findings = {"they_failed 0 1"},
       .matched = 1},
      {.what = "another disk is a contradiction",
       .attempts = {ours("11", 20'000, "accepted", "T1")},
       .releases = {theirs("12", 20'000, k_good, "T1")},
       .findings = {"other_disk 0 0"}},
      {.what = "and the disk's own record is then nobody's",
       .attempts = {ours("11", 20'000, "accepted", "T1")},
       .releases = {theirs("12", 20'000, k_good, "T1"), theirs("11", 20'000, k_good, "T2")},
       .findings = {"other_disk 0 0", "theirs_only - 1"}},
      {.what = "two ids that differ are two calls",
       .attempts = {ours("11", 20'000, "accepted", "T1")},
       .releases = {theirs("11", 20'000, k_good, "T2")},
       .findings = {"ours_only 0 -", "theirs_only - 0"}},
      {.what = "only they have an id",
       .attempts = {ours("11", 20'000, "unknown")},
       .releases = {theirs("11", 20'000, k_good, "T2")},
       .findings = {"unknown_succeeded 0 0"},
       .matched = 1},
      {.what = "only we have one",
       .attempts = {ours("11", 20'000, "accepted", "T1")},
       .releases = {theirs("11", 20'000, k_good)},
       .findings = {},
       .matched = 1},
      {.what = "one id twice goes with one attempt",
       .attempts = {ours("11", 20'000, "accepted", "T1")},
       .releases = {theirs("11", 20'000, k_good, "T1"), theirs("11", 20'001, k_good, "T1")},
       .findings = {"theirs_only - 1"},
       .matched = 1},
  });
  EXPECT_EQ(reconcile({ours("11", 0, "accepted", "T1"), ours("12", 0, "accepted", "T2"),
                       ours("13", 0, "rejected", "T3"), ours("14", 0, "unknown")},
                      {theirs("11", 0, k_good, "T1"), theirs("12", 0, k_good),
                       theirs("13", 0, k_bad, "T3"), theirs("14", 0, k_good, "T4")},
                      scope())
                .by_request_id,
            2);
}

TEST(ReconciliationTest, SeveralAttemptsForOneDisk) {
  expect_each({
      {.what = "throttled ones that the log leaves out do not take the record",
       .attempts = {ours("11", 20'000, "throttled"), ours("11", 21'000, "not_sent"),
                    ours("11", 22'000, "accepted")},
       .releases = {theirs("11", 20'000, k_good)},
       .findings = {},
       .matched = 1,
       .unlisted = 2},
      {.what = "throttled ones that it lists",
       .attempts = {ours("11", 20'000, "throttled"), ours("11", 22'000, "accepted")},
       .releases = {theirs("11", 22'000, k_good), theirs("11", 20'000, k_bad)},
       .findings = {},
       .matched = 1,
       .both_refused = 1},
      {.what = "an accepted one goes before an unknown one",
       .attempts = {ours("11", 20'000, "unknown"), ours("11", 22'000, "accepted")},
       .releases = {theirs("11", 20'000, k_good)},
       .findings = {"ours_only 0 -"},
       .matched = 1},
      {.what = "unknown, then accepted, and the log has both",
       .attempts = {ours("11", 20'000, "unknown"), ours("11", 22'000, "accepted")},
       .releases = {theirs("11", 20'000, k_bad), theirs("11", 22'000, k_good)},
       .findings = {"unknown_failed 0 0"},
       .matched = 1 + 1},
      {.what = "what agrees goes before what is unclear",
       .attempts = {ours("11", 20'000, "accepted"), ours("11", 22'000, "rejected")},
       .releases = {theirs("11", 20'000, k_unclear), theirs("11", 22'000, k_bad)},
       .findings = {},
       .matched = 1,
       .both_refused = 1},
      {.what = "purge: two stages, two records",
       .attempts = {ours("11", 20'000, "accepted"), ours("11", 23'000, "accepted")},
       .releases = {theirs("11", 23'100, k_good), theirs("11", 20'100, k_good)},
       .findings = {},
       .matched = 2},
      {.what = "purge: the record of the second stage is missing",
       .attempts = {ours("11", 20'000, "accepted", "T1"), ours("11", 23'000, "accepted", "T2")},
       .releases = {theirs("11", 20'100, k_good, "T1")},
       .findings = {"ours_only 1 -"},
       .matched = 1},
      {.what = "released twice, and we know of once",
       .attempts = {ours("11", 20'000, "accepted")},
       .releases = {theirs("11", 20'100, k_good), theirs("11", 23'000, k_good)},
       .findings = {"theirs_only - 1"},
       .matched = 1},
  });
}

TEST(ReconciliationTest, OnlyTheSpanIsJudged) {
  expect_each({
      {.what = "attempts at its edges",
       .attempts = {ours("11", -1, "accepted"), ours("12", 0, "accepted"),
                    ours("13", 99'999, "accepted"), ours("14", 100'000, "accepted"),
                    ours("15", -1, "rejected")},
       .releases = {},
       .findings = {"ours_only 1 -", "ours_only 2 -"},
       .outside = 3},
      {.what = "releases at its edges",
       .attempts = {},
       .releases = {theirs("11", -1, k_good), theirs("12", 0, k_good), theirs("13", 99'999, k_good),
                    theirs("14", 100'000, k_good)},
       .findings = {"theirs_only - 1", "theirs_only - 2"},
       .outside_releases = 2},
      {.what = "across the edge two records still are one call",
       .attempts = {ours("11", -1, "accepted"), ours("12", 99'999, "accepted")},
       .releases = {theirs("11", 0, k_good), theirs("12", 100'000, k_good)},
       .findings = {},
       .matched = 2},
      {.what = "a contradiction out of the span is one",
       .attempts = {ours("11", -100, "accepted")},
       .releases = {theirs("11", -99, k_bad)},
       .findings = {"they_failed 0 0"}},
  });
}

TEST(ReconciliationTest, AttemptsNearTheSpanAreLookedAt) {
  const std::pair<std::int64_t, bool> cases[] = {
      {-5'001, false}, {-5'000, true}, {0, true}, {105'000, true}, {105'001, false}};
  for (const auto& [ms, near] : cases) EXPECT_EQ(is_near(scope(), at(ms)), near) << ms;
}

TEST(ReconciliationTest, ARecordThatIsRepeatedCountsOnce) {
  std::vector<ProviderRelease> releases(3, theirs("11", 10, k_good));
  releases[1].record = 2;
  releases[2].user = "other@example.com";
  const Reconciliation found = reconcile({ours("11", 10, "accepted")}, releases, scope());
  EXPECT_EQ(found.repeated, 1);
  EXPECT_EQ(found.matched, 1);
  EXPECT_EQ(found.count(FindingKind::theirs_only), 1);
  expect_complete(found, 1, 3);
}

TEST(ReconciliationTest, OneRunIsJudgedAndTheOthersStillExplainTheirRecords) {
  std::vector<OurAttempt> attempts = {ours("11", 10, "accepted"), ours("12", 10, "accepted"),
                                      ours("13", 10, "accepted"), ours("14", 10, "rejected")};
  for (std::size_t i = 1; i < attempts.size(); ++i) attempts[i].run_id = 2;
  ReconciliationScope one = scope();
  one.run = 1;
  const Reconciliation found = reconcile(
      attempts, {theirs("12", 10, k_good), theirs("14", 10, k_good), theirs("15", 10, k_good)},
      one);
  EXPECT_THAT(texts(found), ElementsAre("ours_only 0 -", "theirs_only - 2"));
  EXPECT_EQ(found.other_runs, 3);
  EXPECT_EQ(found.matched, 0);
}

TEST(ReconciliationTest, FindingsComeInTheOrderOfTime) {
  const Reconciliation found =
      reconcile({ours("13", 30, "accepted"), ours("11", 10, "accepted")},
                {theirs("14", 20, k_good), theirs("15", 5, k_good)}, scope());
  EXPECT_THAT(texts(found),
              ElementsAre("theirs_only - 1", "ours_only 1 -", "theirs_only - 0", "ours_only 0 -"));
}

TEST(ReconciliationTest, NothingAgainstNothingIsReconciled) {
  const Reconciliation found = reconcile({}, {}, scope());
  EXPECT_THAT(found.findings, IsEmpty());
  EXPECT_EQ(found.mismatches(), 0);
}

}  // namespace
}  // namespace diskrelease
