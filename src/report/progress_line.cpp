#include "report/progress_line.h"

#include <array>
#include <cstdio>
#include <string_view>

namespace diskrelease {
namespace {

std::string one_decimal(double value) {
  std::array<char, 32> buffer{};
  const int length = std::snprintf(buffer.data(), buffer.size(), "%.1f", value);
  return {buffer.data(), static_cast<std::size_t>(length)};
}

std::string rough(std::int64_t seconds) {
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (seconds < 7'200) return std::to_string(seconds / 60) + "m";
  return std::to_string(seconds / 3'600) + "h" + std::to_string(seconds % 3'600 / 60) + "m";
}

}  // namespace

std::int64_t done_items(const RunProgress& progress) {
  return progress.counts.total() - progress.counts[ItemState::pending];
}

std::string progress_line(const RunProgress& progress, std::int64_t done_at_start,
                          std::chrono::milliseconds elapsed, SteadyTime now) {
  const std::int64_t done = done_items(progress);
  std::string line = std::to_string(done) + "/" + std::to_string(progress.counts.total());
  const double seconds = std::chrono::duration<double>(elapsed).count();
  const double rate = seconds > 0 ? static_cast<double>(done - done_at_start) / seconds : 0;
  const std::int64_t pending = progress.counts[ItemState::pending];
  // Once nothing is pending, disks are read back, which finishes none.
  if (pending > 0) line += "  " + one_decimal(rate) + "/s";
  if (rate > 0 && pending > 0) {
    line += "  ETA " + rough(static_cast<std::int64_t>(static_cast<double>(pending) / rate) + 1);
  }
  std::string_view separator = "  ";
  for (const ItemState state : {ItemState::released, ItemState::already_gone, ItemState::rejected,
                                ItemState::failed, ItemState::skipped, ItemState::unknown}) {
    if (progress.counts[state] == 0) continue;
    line += separator;
    line += to_text(state);
    line += ' ';
    line += std::to_string(progress.counts[state]);
    separator = ", ";
  }
  if (progress.throttled > 0) line += "  throttled " + std::to_string(progress.throttled);
  if (progress.pause_until && *progress.pause_until > now) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(*progress.pause_until - now).count();
    line += "  backing off " + rough(left);
  }
  return line;
}

}  // namespace diskrelease
