#include "audit/unsent_marks.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "audit/chain.h"
#include "model/errors.h"
#include "platform/sha256.h"
#include "platform/shared_region.h"

namespace diskrelease {
namespace {

/// At the beginning of the memory, before the places.
struct Header {
  std::int64_t layout;  ///< k_layout; stored last
  std::int64_t invocation;
};
constexpr std::int64_t k_layout = 0x31306B72616D7275;  // "urmark01"

/// More than the most senders need by far.
constexpr std::size_t k_largest_file = std::size_t{1} << 20U;

/// On a disk a mark could come back, after a power cut or an error of that disk, as it was before
/// it was taken.
bool is_memory(const std::filesystem::path& folder) {
  struct statfs status {};
  return ::statfs(folder.c_str(), &status) == 0 && status.f_type == TMPFS_MAGIC;
}

Header& header_of(const SharedRegion& region) { return *static_cast<Header*>(region.data()); }

}  // namespace

std::filesystem::path UnsentMarks::file_of(Database& database,
                                           const std::filesystem::path& folder) {
  struct stat status {};
  const ChainHead head = read_chain_head(database);
  if (head.chain.empty() || ::stat(database.path().c_str(), &status) != 0) return {};
  constexpr std::size_t digits = 32;
  Sha256 digest;
  digest.update(head.chain);
  digest.update(' ' + std::to_string(status.st_dev) + ' ' + std::to_string(status.st_ino));
  return folder / ("diskrelease-unsent-" + digest.finish_hex().substr(0, digits));
}

std::unique_ptr<UnsentMarks> UnsentMarks::begin(Database& database, InvocationId invocation,
                                                std::size_t most_open,
                                                const std::filesystem::path& folder) {
  const std::filesystem::path file = file_of(database, folder);
  if (file.empty() || !is_memory(folder)) return nullptr;
  // Not the same file with other content: a process that has it open keeps its own marks.
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) return nullptr;
  const std::size_t size = sizeof(Header) + most_open * sizeof(std::int64_t);
  try {
    auto region = SharedRegion::open(file, size);
    Header& header = header_of(*region);
    header.invocation = invocation.value;
    std::atomic_ref(header.layout).store(k_layout);
    return std::unique_ptr<UnsentMarks>(new UnsentMarks(file, std::move(region)));
  } catch (const CallsImpossible&) {
    return nullptr;
  }
}

std::unique_ptr<UnsentMarks> UnsentMarks::find(Database& database,
                                               const std::filesystem::path& folder) {
  const std::filesystem::path file = file_of(database, folder);
  if (file.empty() || !is_memory(folder)) return nullptr;
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  if (error || size < sizeof(Header) || size > k_largest_file) return nullptr;
  try {
    auto region = SharedRegion::open(file, static_cast<std::size_t>(size));
    if (std::atomic_ref(header_of(*region).layout).load() != k_layout) return nullptr;
    return std::unique_ptr<UnsentMarks>(new UnsentMarks(file, std::move(region)));
  } catch (const CallsImpossible&) {
    return nullptr;
  }
}

UnsentMarks::UnsentMarks(std::filesystem::path file, std::unique_ptr<SharedRegion> region)
    : file_(std::move(file)), region_(std::move(region)) {
  auto* const first =
      reinterpret_cast<std::int64_t*>(static_cast<char*>(region_->data()) + sizeof(Header));
  places_ = {first, (region_->size() - sizeof(Header)) / sizeof(std::int64_t)};
  free_.reserve(places_.size());
  for (std::size_t place = places_.size(); place > 0; --place) {
    free_.push_back(static_cast<Place>(place - 1));
  }
}

UnsentMarks::~UnsentMarks() = default;

UnsentMarks::Place UnsentMarks::hold(AttemptId attempt) noexcept {
  if (free_.empty()) return k_nowhere;
  const Place place = free_.back();
  free_.pop_back();
  std::atomic_ref(places_[place]).store(attempt.value);
  return place;
}

void UnsentMarks::clear(Place place) noexcept {
  if (place == k_nowhere) return;
  std::atomic_ref(places_[place]).store(0);
  free_.push_back(place);  // within what was reserved
}

bool UnsentMarks::take(Place place, AttemptId attempt) noexcept {
  if (place == k_nowhere) return true;
  std::int64_t expected = attempt.value;
  return std::atomic_ref(places_[place]).compare_exchange_strong(expected, 0);
}

bool UnsentMarks::take(InvocationId invocation, AttemptId attempt) noexcept {
  if (header_of(*region_).invocation != invocation.value) return false;
  for (std::int64_t& place : places_) {
    std::int64_t expected = attempt.value;
    if (std::atomic_ref(place).compare_exchange_strong(expected, 0)) return true;
  }
  return false;
}

void UnsentMarks::remove() noexcept { ::unlink(file_.c_str()); }

}  // namespace diskrelease
