#include "sandbox/disk_model.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace diskrelease::sandbox {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

const SteadyTime k_start{1'000'000s};

ModelSettings account(AccountMode mode) {
  ModelSettings settings;
  settings.mode = mode;
  settings.create_unknown = false;
  settings.delays = {.leave = 100ms,
                     .recycling = 200ms,
                     .deleting = 300ms,
                     .retention = 10'000ms,
                     .renew = 50ms,
                     .transition = 400ms};
  return settings;
}

DiskModel with_disk(const ModelSettings& settings, DiskKind kind = DiskKind::available) {
  DiskModel model(settings, k_start);
  model.add(disk_of_kind("d1", kind));
  return model;
}

DescribeQuery query_for(std::vector<std::string> ids) {
  DescribeQuery query;
  query.disk_ids = std::move(ids);
  return query;
}

std::string status(const DiskModel& model, milliseconds after) {
  const auto fate = model.fate("d1", k_start + after);
  return fate ? std::string(to_text(fate->status)) : "never known";
}

std::string code(const std::optional<ApiError>& error) { return error ? error->code : "accepted"; }

/// The status a DescribeDisks by id shows; "absent" without a row.
std::string seen(DiskModel& model, milliseconds after) {
  const auto answer = model.describe(query_for({"d1"}), k_start + after);
  const auto& rows = std::get<DescribeResult>(answer).rows;
  return rows.empty() ? "absent" : std::string(to_text(rows.front().status));
}

TEST(DiskModelTest, TheFirstReleaseOfAnAccountWithRecycleBinEndsInTheBinAndExpiresThere) {
  auto model = with_disk(account(AccountMode::recycle_bin));
  ASSERT_EQ(code(model.release("d1", k_start)), "accepted");
  EXPECT_EQ(status(model, 99ms), "AVAILABLE");
  EXPECT_EQ(status(model, 100ms), "RECYCLING");
  EXPECT_EQ(status(model, 299ms), "RECYCLING");
  EXPECT_EQ(status(model, 300ms), "RECYCLED");
  EXPECT_EQ(status(model, 10'299ms), "RECYCLED");
  EXPECT_EQ(status(model, 10'300ms), "DELETING");
  EXPECT_EQ(status(model, 10'599ms), "DELETING");
  EXPECT_EQ(status(model, 10'600ms), "ABSENT");
  EXPECT_EQ(model.fate("d1", k_start)->accepted_releases, 1);
}

TEST(DiskModelTest, OneReleaseOfADirectAccountDestroys) {
  auto model = with_disk(account(AccountMode::direct));
  ASSERT_EQ(code(model.release("d1", k_start)), "accepted");
  EXPECT_EQ(status(model, 99ms), "AVAILABLE");
  EXPECT_EQ(status(model, 100ms), "DELETING");
  EXPECT_EQ(status(model, 399ms), "DELETING");
  EXPECT_EQ(status(model, 400ms), "ABSENT");
}

TEST(DiskModelTest, TwoReleasesBeforeTheStatusLeavesAvailableDestroy) {
  auto model = with_disk(account(AccountMode::recycle_bin));
  ASSERT_EQ(code(model.release("d1", k_start)), "accepted");
  ASSERT_EQ(code(model.release("d1", k_start + 99ms)), "accepted");
  EXPECT_EQ(status(model, 299ms), "RECYCLING");
  EXPECT_EQ(status(model, 300ms), "DELETING") << "the bin keeps it no moment";
  EXPECT_EQ(status(model, 600ms), "ABSENT");
  EXPECT_EQ(model.fate("d1", k_start)->accepted_releases, 2);
}

TEST(DiskModelTest, ASecondReleaseIsRefusedAsSoonAsTheStatusHasLeftAvailable) {
  auto model = with_disk(account(AccountMode::recycle_bin));
  ASSERT_EQ(code(model.release("d1", k_start)), "accepted");
  EXPECT_EQ(code(model.release("d1", k_start + 100ms)), "UNSUPPORTED_OPERATION_DISK_STATUS");
  EXPECT_EQ(code(model.release("d1", k_start + 299ms)), "UNSUPPORTED_OPERATION_DISK_STATUS");
  EXPECT_EQ(model.fate("d1", k_start)->accepted_releases, 1);
}

TEST(DiskModelTest, AReleaseInTheBinDestroysForGood) {
  auto model = with_disk(account(AccountMode::recycle_bin));
  ASSERT_EQ(code(model.release("d1", k_start)), "accepted");
  ASSERT_EQ(code(model.release("d1", k_start + 300ms)), "accepted");
  EXPECT_EQ(status(model, 399ms), "RECYCLED");
  EXPECT_EQ(status(model, 400ms), "DELETING");
  EXPECT_EQ(status(model, 700ms), "ABSENT");
  EXPECT_EQ(code(model.release("d1", k_start + 700ms)), "INVALID_DISK_NOT_FOUND");
}

TEST(DiskModelTest, WithoutDelaysASecondReleaseAtTheSameInstantDestroys) {
  ModelSettings settings;
  auto model = with_disk(settings);
  ASSERT_EQ(code(model.release("d1", k_start)), "accepted");
  EXPECT_EQ(status(model, 0ms), "RECYCLED");
  ASSERT_EQ(code(model.release("d1", k_start)), "accepted");
  EXPECT_EQ(status(model, 0ms), "ABSENT");
}

TEST(DiskModelTest, AThirdReleaseDoesNotPutDestructionOff) {
  auto model = with_disk(account(AccountMode::recycle_bin));
  ASSERT_EQ(code(model.release("d1", k_start)), "accepted");
  ASSERT_EQ(code(model.release("d1", k_start + 300ms)), "accepted");
  ASSERT_EQ(code(model.release("d1", k_start + 399ms)), "accepted");
  EXPECT_EQ(status(model, 400ms), "DELETING");
}

TEST(DiskModelTest, ALateEffectBeginsAfterTheExtraDelay) {
  auto model = with_disk(account(AccountMode::recycle_bin));
  ASSERT_EQ(code(model.release("d1", k_start, 1'000ms)), "accepted");
  EXPECT_EQ(status(model, 1'099ms), "AVAILABLE");
  EXPECT_EQ(status(model, 1'100ms), "RECYCLING");
}

TEST(DiskModelTest, RenewTakesADiskOutOfTheBinAndItCanBeReleasedIntoItAgain) {
  auto model = with_disk(account(AccountMode::recycle_bin));
  ASSERT_EQ(code(model.release("d1", k_start)), "accepted");
  EXPECT_EQ(code(model.renew("d1", k_start + 299ms)), "UNSUPPORTED_OPERATION_DISK_STATUS");
  ASSERT_EQ(code(model.renew("d1", k_start + 300ms)), "accepted");
  EXPECT_EQ(status(model, 349ms), "RECYCLED");
  EXPECT_EQ(status(model, 350ms), "AVAILABLE");
  EXPECT_EQ(status(model, 100'000ms), "AVAILABLE") << "the retention of the bin is over";
  ASSERT_EQ(code(model.release("d1", k_start + 100'000ms)), "accepted");
  EXPECT_EQ(status(model, 100'300ms), "RECYCLED");
  EXPECT_EQ(model.fate("d1", k_start)->accepted_renewals, 1);
}

struct RefusalCase {
  DiskKind kind;
  const char* release;
  const char* renew;
};

class RefusalTest : public testing::TestWithParam<RefusalCase> {};

TEST_P(RefusalTest, AnswersForEachKindOfDiskInTheDocumentedOrder) {
  auto settings = account(AccountMode::recycle_bin);
  auto for_release = with_disk(settings, GetParam().kind);
  EXPECT_EQ(code(for_release.release("d1", k_start)), GetParam().release);
  auto for_renew = with_disk(settings, GetParam().kind);
  EXPECT_EQ(code(for_renew.renew("d1", k_start)), GetParam().renew);
}

constexpr const char* k_wrong_status = "UNSUPPORTED_OPERATION_DISK_STATUS";
INSTANTIATE_TEST_SUITE_P(
    Kinds, RefusalTest,
    testing::Values(RefusalCase{DiskKind::available, "accepted", k_wrong_status},
                    RefusalCase{DiskKind::in_use, k_wrong_status, k_wrong_status},
                    RefusalCase{DiskKind::system, "INVALID_DISK_NOT_PORTABLE",
                                "UNSUPPORTED_OPERATION_DISK_SYSTEM_TYPE"},
                    RefusalCase{DiskKind::not_portable, "INVALID_DISK_NOT_PORTABLE",
                                k_wrong_status},
                    RefusalCase{DiskKind::creating, k_wrong_status, k_wrong_status},
                    RefusalCase{DiskKind::attaching, k_wrong_status, k_wrong_status},
                    RefusalCase{DiskKind::detaching, k_wrong_status, k_wrong_status},
                    RefusalCase{DiskKind::changing, k_wrong_status, k_wrong_status},
                    RefusalCase{DiskKind::recycling, k_wrong_status, k_wrong_status},
                    RefusalCase{DiskKind::recycled, "accepted", "accepted"},
                    RefusalCase{DiskKind::deleting, k_wrong_status, k_wrong_status},
                    RefusalCase{DiskKind::failed, k_wrong_status, k_wrong_status}),
    [](const auto& tested) { return std::string(to_text(tested.param.kind)); });

TEST(DiskModelTest, AnUnknownDiskIsNotFoundByWritesAndLeftOutByReads) {
  DiskModel model(account(AccountMode::recycle_bin), k_start);
  const auto error = model.release("nobody", k_start);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->http_status, 404);
  EXPECT_EQ(error->code, "INVALID_DISK_NOT_FOUND");
  EXPECT_EQ(code(model.renew("nobody", k_start)), "INVALID_DISK_NOT_FOUND");
  const auto result = std::get<DescribeResult>(model.describe(query_for({"nobody"}), k_start));
  EXPECT_EQ(result.total_count, 0U);
  EXPECT_FALSE(model.fate("nobody", k_start));
}

TEST(DiskModelTest, AStaleReadShowsThePastAndWritesSeeThePresent) {
  auto settings = account(AccountMode::direct);
  settings.stale_read = 1'000ms;
  auto model = with_disk(settings);
  ASSERT_EQ(code(model.release("d1", k_start)), "accepted");
  EXPECT_EQ(seen(model, 1'099ms), "AVAILABLE");
  EXPECT_EQ(code(model.release("d1", k_start + 1'099ms)), "INVALID_DISK_NOT_FOUND");
  EXPECT_EQ(seen(model, 1'100ms), "DELETING");
  EXPECT_EQ(seen(model, 1'399ms), "DELETING");
  EXPECT_EQ(seen(model, 1'400ms), "absent");
}

TEST(DiskModelTest, ARecycledDiskIsListedUntilItIsDestroyed) {
  auto model = with_disk(account(AccountMode::recycle_bin));
  ASSERT_EQ(code(model.release("d1", k_start)), "accepted");
  EXPECT_EQ(seen(model, 300ms), "RECYCLED");
  EXPECT_EQ(seen(model, 10'600ms), "absent");
}

TEST(DiskModelTest, ATransitionalDiskSettlesAfterItsDelay) {
  auto model = with_disk(account(AccountMode::recycle_bin), DiskKind::detaching);
  EXPECT_EQ(status(model, 399ms), "DETACHING");
  EXPECT_EQ(status(model, 400ms), "AVAILABLE");
  EXPECT_EQ(code(model.release("d1", k_start + 400ms)), "accepted");

  auto never = account(AccountMode::recycle_bin);
  never.delays.transition = std::nullopt;
  EXPECT_EQ(status(with_disk(never, DiskKind::attaching), 1'000'000ms), "ATTACHING");
}

TEST(DiskModelTest, AttachingSucceedsOnlyWhileNoReleaseIsUnderWay) {
  auto attached = with_disk(account(AccountMode::recycle_bin));
  attached.attach("d1", k_start);
  EXPECT_EQ(status(attached, 0ms), "IN_USE");
  EXPECT_EQ(code(attached.release("d1", k_start)), k_wrong_status);

  auto released = with_disk(account(AccountMode::recycle_bin));
  ASSERT_EQ(code(released.release("d1", k_start)), "accepted");
  released.attach("d1", k_start + 50ms);
  EXPECT_EQ(status(released, 300ms), "RECYCLED");
}

TEST(DiskModelTest, TimeThatGoesBackCountsAsTheLatestTimeSeen) {
  auto model = with_disk(account(AccountMode::recycle_bin));
  ASSERT_EQ(code(model.release("d1", k_start)), "accepted");
  EXPECT_EQ(code(model.release("d1", k_start + 100ms)), k_wrong_status);
  EXPECT_EQ(code(model.release("d1", k_start)), k_wrong_status);
}

class PagingTest : public testing::Test {
 protected:
  PagingTest() : model_(account(AccountMode::recycle_bin), k_start) {
    for (int n = 0; n < 45; ++n) {
      ids_.push_back("disk" + std::to_string(n));
      model_.add(disk_of_kind(ids_.back(), n % 9 == 0 ? DiskKind::in_use : DiskKind::available));
    }
  }

  std::pair<std::size_t, std::size_t> rows_and_total(const DescribeQuery& query) {
    const auto result = std::get<DescribeResult>(model_.describe(query, k_start));
    return {result.rows.size(), result.total_count};
  }
  std::string refusal(const DescribeQuery& query) {
    const auto answer = model_.describe(query, k_start);
    const auto* const error = std::get_if<ApiError>(&answer);
    return error == nullptr ? "accepted" : error->code;
  }

  DiskModel model_;
  std::vector<std::string> ids_;
};

using Counts = std::pair<std::size_t, std::size_t>;

TEST_F(PagingTest, WithoutAPageSizeOnlyTwentyRowsComeBack) {
  EXPECT_EQ(rows_and_total(query_for(ids_)), Counts(20, 45));
}

TEST_F(PagingTest, TheLastPageIsShortAndLaterOnesAreEmpty) {
  auto query = query_for(ids_);
  query.page_num = 3;
  EXPECT_EQ(rows_and_total(query), Counts(5, 45));
  query.page_num = 4;
  EXPECT_EQ(rows_and_total(query), Counts(0, 45));
  query.page_num = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(rows_and_total(query), Counts(0, 45));
}

TEST_F(PagingTest, ThePageSizeHasLimits) {
  DescribeQuery query;
  query.page_size = 1000;
  EXPECT_EQ(rows_and_total(query), Counts(45, 45));
  query.page_size = 1001;
  EXPECT_EQ(refusal(query), "INVALID_PARAMETER_EXCEED_MAXIMUM");
  query.page_size = 0;
  EXPECT_EQ(refusal(query), "INVALID_PARAMETER_LESS_MINIMUM");
  query.page_size = 1;
  query.page_num = 0;
  EXPECT_EQ(refusal(query), "INVALID_PARAMETER_LESS_MINIMUM");
}

TEST_F(PagingTest, AnEmptyListOfIdsIsNoFilterAtAll) {
  EXPECT_EQ(rows_and_total(DescribeQuery{}), Counts(20, 45));
}

TEST_F(PagingTest, FiltersAreAllApplied) {
  auto query = query_for({"disk0", "disk1", "disk9", "disk9", "nobody"});
  EXPECT_EQ(rows_and_total(query), Counts(3, 3)) << "an id twice is one row";
  query.disk_status = "IN_USE";
  EXPECT_EQ(rows_and_total(query), Counts(2, 2));
  query.disk_name = "^disk-disk9$";
  EXPECT_EQ(rows_and_total(query), Counts(1, 1));
  query.zone_id = "elsewhere";
  EXPECT_EQ(rows_and_total(query), Counts(0, 0));
  DescribeQuery attached;
  attached.instance_id = std::string(k_instance_id);
  EXPECT_EQ(rows_and_total(attached), Counts(5, 5));
  DescribeQuery boot;
  boot.disk_type = "SYSTEM";
  EXPECT_EQ(rows_and_total(boot), Counts(0, 0));
  DescribeQuery region;
  region.region_id = "asia-east-1";
  EXPECT_EQ(rows_and_total(region), Counts(20, 45));
}

TEST(DiskModelTest, UnknownIdsComeIntoBeingByTheirShares) {
  ModelSettings settings;
  settings.unknown_mix = {{DiskKind::not_found, 0.1}, {DiskKind::in_use, 0.2}};
  DiskModel model(settings, k_start);
  DiskModel again(settings, k_start);
  int absent = 0;
  int in_use = 0;
  constexpr int k_disks = 10'000;
  for (int n = k_disks; n-- > 0;) {
    const auto id = "99000000000000" + std::to_string(n);
    const auto error = model.release(id, k_start);
    EXPECT_EQ(code(error), code(again.release(id, k_start)));
    if (code(error) == "INVALID_DISK_NOT_FOUND") ++absent;
    if (code(error) == k_wrong_status) ++in_use;
  }
  EXPECT_NEAR(absent, 0.1 * k_disks, 0.015 * k_disks);
  EXPECT_NEAR(in_use, 0.2 * k_disks, 0.02 * k_disks);
}

}  // namespace
}  // namespace diskrelease::sandbox
