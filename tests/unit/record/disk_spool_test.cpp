#include "record/disk_spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace diskrelease {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Record = std::pair<std::string, std::int64_t>;

std::vector<Record> read_all(const DiskSpool& spool, std::int64_t begin, std::int64_t end,
                             std::size_t buffer = DiskSpool::Reader::k_usual_buffer) {
  std::vector<Record> records;
  DiskSpool::Reader reader(spool, begin, end, buffer);
  while (reader.next()) records.emplace_back(reader.disk(), reader.number());
  return records;
}

std::vector<Record> sorted(DiskSorter& sorter) {
  std::vector<Record> records;
  sorter.sort(
      [&](std::string_view disk, std::int64_t number) { records.emplace_back(disk, number); });
  return records;
}

/// Ids of 1 to 128 bytes; many are the same, or begin with the same bytes.
std::vector<Record> random_records(int count, const std::string& prefix) {
  std::mt19937_64 engine(7);
  std::vector<Record> records;
  for (int i = 0; i < count; ++i) {
    std::string disk = prefix;
    const auto length = 1 + engine() % (128 - prefix.size());
    while (disk.size() < prefix.size() + (length % 5 == 0 ? length : length % 4)) {
      disk += "019Aaz._-"[engine() % 9];
    }
    if (disk.empty()) disk = "0";
    records.emplace_back(std::move(disk), static_cast<std::int64_t>(engine() % 1'000'000'000'000));
  }
  return records;
}

TEST(DiskSpoolTest, GivesBackWhatWasAddedInOrder) {
  DiskSpool spool;
  EXPECT_THAT(read_all(spool, 0, spool.end()), IsEmpty());
  spool.add("b", 1);
  const std::int64_t middle = spool.end();
  spool.add("a", -2);
  spool.add(std::string(128, 'x'), 9'000'000'000'000'000'000);
  EXPECT_THAT(read_all(spool, 0, spool.end()),
              ElementsAre(Record("b", 1), Record("a", -2),
                          Record(std::string(128, 'x'), 9'000'000'000'000'000'000)));
  EXPECT_THAT(read_all(spool, 0, middle), ElementsAre(Record("b", 1)));
  EXPECT_EQ(read_all(spool, middle, spool.end()).size(), 2U);
}

TEST(DiskSpoolTest, ReadsThroughAnyBufferAcrossFileAndMemory) {
  const std::vector<Record> records = random_records(40'000, "");
  DiskSpool spool;
  for (const auto& [disk, number] : records) spool.add(disk, number);
  ASSERT_GT(spool.end(), 2 * 256 * 1024) << "a part of it has to be in the file";
  for (const std::size_t buffer : {std::size_t{1'024}, std::size_t{1'031}, std::size_t{65'536}}) {
    EXPECT_EQ(read_all(spool, 0, spool.end(), buffer), records) << buffer;
  }
}

TEST(DiskSorterTest, SortsByTheBytesOfTheDiskAndThenByNumber) {
  DiskSorter sorter;
  for (const auto& [disk, number] : std::vector<Record>{
           {"b", 2}, {"ab", 1}, {"a", 3}, {"a", 1}, {"a-", 7}, {"A", 9}, {"a0123456789", 5}}) {
    sorter.add(disk, number);
  }
  EXPECT_THAT(sorted(sorter),
              ElementsAre(Record("A", 9), Record("a", 1), Record("a", 3), Record("a-", 7),
                          Record("a0123456789", 5), Record("ab", 1), Record("b", 2)));
}

TEST(DiskSorterTest, AnEmptySorterHasNothing) {
  DiskSorter sorter;
  EXPECT_THAT(sorted(sorter), IsEmpty());
}

TEST(DiskSorterTest, MergesWhatDoesNotFitIntoMemory) {
  // Some pieces of 512 KiB, and a rest.
  for (const char* prefix : {"", "99000000000000"}) {
    std::vector<Record> records = random_records(450'000, prefix);
    DiskSorter sorter;
    std::size_t bytes = 0;
    for (const auto& [disk, number] : records) {
      sorter.add(disk, number);
      bytes += disk.size() + 8;
    }
    ASSERT_GT(bytes, std::size_t{8'500'000});
    std::ranges::sort(records);
    EXPECT_TRUE(sorted(sorter) == records) << '"' << prefix << '"';
  }
}

}  // namespace
}  // namespace diskrelease
