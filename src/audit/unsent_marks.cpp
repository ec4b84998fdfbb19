#include "audit/unsent_marks.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <utility>

#include "audit/chain.h"
#include "platform/sha256.h"

namespace diskrelease {
namespace {

constexpr std::int64_t k_layout = 0x31306B72616D7275;  // "urmark01"

/// More than the most senders need by far.
constexpr off_t k_largest_file = off_t{1} << 20U;

/// What the memory begins with, before the places.
struct Header {
  std::int64_t layout;  ///< k_layout; stored last
  std::int64_t invocation;
  /// The end of the chain when the marks began, with the invocation in it.
  std::int64_t block;
  std::array<char, 64> hash;  ///< hex
};

/// Whether the chain of the database has the block that the marks began with.
bool goes_on_from(Database& database, const Header& header) {
  Statement select = database.prepare("SELECT hash FROM chain WHERE block_id = ?1");
  select.bind(1, header.block);
  return select.step() &&
         to_hex(select.text(0)) == std::string_view(header.hash.data(), header.hash.size());
}

}  // namespace

/// A file that is mapped.
struct UnsentMarks::Memory {
  /// A new one of this size, or one that is there. nullptr where it cannot be had; for one that is
  /// there also when somebody else could have made it.
  static std::unique_ptr<Memory> create(const std::filesystem::path& file, std::size_t size) {
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    // A store into a hole of a file system that is full would end the process with SIGBUS.
    const bool has_room =
        descriptor >= 0 && ::posix_fallocate(descriptor, 0, static_cast<off_t>(size)) == 0;
    return has_room ? map(descriptor, size) : close(descriptor);
  }
  static std::unique_ptr<Memory> open(const std::filesystem::path& file) {
    // O_NONBLOCK: a FIFO in its place must not make the process wait.
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status {};
    const bool is_ours = descriptor >= 0 && ::fstat(descriptor, &status) == 0 &&
                         S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
                         (status.st_mode & 0022U) == 0;
    const bool is_whole =
        status.st_size >= off_t{sizeof(Header)} && status.st_size <= k_largest_file;
    return is_ours && is_whole ? map(descriptor, static_cast<std::size_t>(status.st_size))
                               : close(descriptor);
  }

  Memory(void* at, std::size_t length) : data(at), size(length) {}
  ~Memory() { ::munmap(data, size); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  [[nodiscard]] Header& header() const { return *static_cast<Header*>(data); }
  [[nodiscard]] std::span<std::int64_t> places() const {
    auto* const behind_header = static_cast<char*>(data) + sizeof(Header);
    return {reinterpret_cast<std::int64_t*>(behind_header),
            (size - sizeof(Header)) / sizeof(std::int64_t)};
  }

 private:
  static std::unique_ptr<Memory> map(int descriptor, std::size_t size) {
    void* const data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    return data == MAP_FAILED ? nullptr : std::make_unique<Memory>(data, size);
  }
  static std::unique_ptr<Memory> close(int descriptor) {
    if (descriptor >= 0) ::close(descriptor);
    return nullptr;
  }

  void* const data;
  const std::size_t size;
};

std::filesystem::path UnsentMarks::file_of(Database& database,
                                           const std::filesystem::path& folder) {
  struct stat status {};
  const ChainHead head = read_chain_head(database);
  if (head.chain.empty() || ::stat(database.path().c_str(), &status) != 0) return {};
  constexpr std::size_t digits = 32;
  Sha256 digest;
  digest.update(head.chain);
  for (const std::uint64_t number :
       {std::uint64_t{status.st_dev}, std::uint64_t{status.st_ino}, std::uint64_t{::geteuid()}}) {
    digest.update(' ' + std::to_string(number));
  }
  return folder / ("diskrelease-unsent-" + digest.finish_hex().substr(0, digits));
}

std::unique_ptr<UnsentMarks> UnsentMarks::begin(Database& database, InvocationId invocation,
                                                std::size_t places,
                                                const std::filesystem::path& folder) {
  const std::filesystem::path file = file_of(database, folder);
  // On a disk a mark could come back, after an error of that disk, as it was before it was taken.
  if (file.empty() || !is_in_memory(folder)) return nullptr;
  // Not the same file with other content: a process that has it open keeps its own marks.
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) return nullptr;
  auto memory = Memory::create(file, sizeof(Header) + places * sizeof(std::int64_t));
  if (!memory) return nullptr;
  const ChainHead head = read_chain_head(database);
  Header& header = memory->header();
  header.invocation = invocation.value;
  header.block = head.block;
  std::ranges::copy(head.hash, header.hash.begin());
  std::atomic_ref(header.layout).store(k_layout);
  return std::unique_ptr<UnsentMarks>(new UnsentMarks(file, std::move(memory)));
}

std::unique_ptr<UnsentMarks> UnsentMarks::find(Database& database,
                                               const std::filesystem::path& folder) {
  const std::filesystem::path file = file_of(database, folder);
  if (file.empty() || !is_in_memory(folder)) return nullptr;
  auto memory = Memory::open(file);
  if (!memory || std::atomic_ref(memory->header().layout).load() != k_layout ||
      !goes_on_from(database, memory->header())) {
    return nullptr;
  }
  return std::unique_ptr<UnsentMarks>(new UnsentMarks(file, std::move(memory)));
}

UnsentMarks::UnsentMarks(std::filesystem::path file, std::unique_ptr<Memory> memory)
    : file_(std::move(file)), memory_(std::move(memory)), places_(memory_->places()) {
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

bool UnsentMarks::claim(InvocationId invocation, AttemptId attempt) noexcept {
  if (memory_->header().invocation != invocation.value) return false;
  return std::ranges::any_of(places_, [attempt](std::int64_t& place) {
    std::int64_t found = attempt.value;
    return std::atomic_ref(place).compare_exchange_strong(found, -attempt.value) ||
           found == -attempt.value;
  });
}

void UnsentMarks::remove() noexcept { ::unlink(file_.c_str()); }

}  // namespace diskrelease
