#include "model/size.h"

#include <gtest/gtest.h>

#include <limits>

namespace diskrelease {
namespace {

TEST(SizeTest, ReadsNumbersWithBinaryUnits) {
  const std::pair<const char*, std::int64_t> sizes[] = {
      {"0", 0},
      {"4096", 4096},
      {"7B", 7},
      {"1KiB", 1 << 10},
      {"3mib", 3 << 20},
      {"1GiB", 1 << 30},
      {"2TiB", std::int64_t{2} << 40},
      {"8388607TiB", std::int64_t{8388607} << 40},
  };
  for (const auto& [text, bytes] : sizes) EXPECT_EQ(parse_size(text), bytes) << text;
}

TEST(SizeTest, RefusesWhatIsNotClear) {
  for (const char* text : {"", "GiB", "-1", "-1KiB", "1.5GiB", "1 GiB", "1GB", "1K", "1GiBs", "+1",
                           "9223372036854775808", "8388608TiB", "0x10"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(SizeTest, WritesWhatItReads) {
  EXPECT_EQ(format_size(0), "0");
  EXPECT_EQ(format_size(1023), "1023");
  EXPECT_EQ(format_size(1024), "1KiB");
  EXPECT_EQ(format_size(std::int64_t{1} << 30), "1GiB");
  EXPECT_EQ(format_size((std::int64_t{1} << 30) + 1), "1073741825");
  for (const std::int64_t bytes : {std::int64_t{1}, std::int64_t{1536}, std::int64_t{5} << 40,
                                   std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(parse_size(format_size(bytes)), bytes);
  }
}

}  // namespace
}  // namespace diskrelease
