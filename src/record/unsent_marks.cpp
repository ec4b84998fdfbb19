#include "record/unsent_marks.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "evidence/chain.h"
#include "platform/sha256.h"

namespace diskrelease {
namespace {

// They have to be the same for all processes.
static_assert(std::atomic_ref<std::int64_t>::is_always_lock_free);

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
  /// A new one. nullptr where it cannot be had.
  static std::unique_ptr<Memory> create(const std::filesystem::path& file, std::size_t size) {
    const Descriptor descriptor{
        ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (descriptor.number < 0) return nullptr;
    // A store into a hole of a file system that is full would end the process with SIGBUS.
    if (::posix_fallocate(descriptor.number, 0, static_cast<off_t>(size)) != 0) {
      ::unlink(file.c_str());
      return nullptr;
    }
    return map(descriptor, size);
  }

  /// One that is there. nullptr also for one that somebody else could have made or changed, or that
  /// is not whole.
  static std::unique_ptr<Memory> open(const std::filesystem::path& file) {
    const Descriptor descriptor{::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
    struct stat status {};
    if (descriptor.number < 0 || ::fstat(descriptor.number, &status) != 0) return nullptr;
    const bool is_ours =
        S_ISREG(status.st_mode) && status.st_uid == ::geteuid() && (status.st_mode & 0022U) == 0;
    constexpr off_t smallest = sizeof(Header) + sizeof(std::int64_t);
    if (!is_ours || status.st_size < smallest || status.st_size > k_largest_file) return nullptr;
    return map(descriptor, static_cast<std::size_t>(status.st_size));
  }

  Memory(void* data, std::size_t size) : data_(data), size_(size) {}
  ~Memory() { ::munmap(data_, size_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  [[nodiscard]] Header& header() const { return *static_cast<Header*>(data_); }
  [[nodiscard]] std::span<std::int64_t> places() const {
    auto* const behind_header = static_cast<char*>(data_) + sizeof(Header);
    return {reinterpret_cast<std::int64_t*>(behind_header),
            (size_ - sizeof(Header)) / sizeof(std::int64_t)};
  }

 private:
  struct Descriptor {
    int number;
    explicit Descriptor(int opened) : number(opened) {}
    ~Descriptor() {
      if (number >= 0) ::close(number);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
  };

  static std::unique_ptr<Memory> map(const Descriptor& descriptor, std::size_t size) {
    void* const data =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number, 0);
    if (data == MAP_FAILED) return nullptr;
    return std::make_unique<Memory>(data, size);
  }

  void* const data_;
  const std::size_t size_;
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
  // On a disk a mark that was taken would be back after a power cut, unless each were synced.
  if (file.empty() || !is_in_memory(folder)) return nullptr;
  // Not the same file with other content: a process that has it open keeps its own marks.
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) return nullptr;
  const ChainHead head = read_chain_head(database);
  if (head.hash.size() != std::tuple_size_v<decltype(Header::hash)>) return nullptr;
  auto memory = Memory::create(file, sizeof(Header) + places * sizeof(std::int64_t));
  if (!memory) return nullptr;
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
    : file_(std::move(file)), memory_(std::move(memory)), places_(memory_->places()) {}

UnsentMarks::~UnsentMarks() = default;

std::int64_t* UnsentMarks::find_place(AttemptId attempt, std::int64_t value) const noexcept {
  const std::size_t first = static_cast<std::size_t>(attempt.value) % places_.size();
  for (std::size_t i = 0; i < places_.size(); ++i) {
    std::int64_t& place = places_[(first + i) % places_.size()];
    if (std::atomic_ref(place).load() == value) return &place;
  }
  return nullptr;
}

void UnsentMarks::hold(AttemptId attempt) noexcept {
  if (std::int64_t* const place = find_place(attempt, 0)) {
    std::atomic_ref(*place).store(attempt.value);
  }
}

void UnsentMarks::clear(AttemptId attempt) noexcept {
  for (const std::int64_t value : {attempt.value, -attempt.value}) {
    if (std::int64_t* const place = find_place(attempt, value)) std::atomic_ref(*place).store(0);
  }
}

bool UnsentMarks::take(AttemptId attempt) noexcept {
  if (std::int64_t* const place = find_place(attempt, attempt.value)) {
    std::int64_t expected = attempt.value;
    return std::atomic_ref(*place).compare_exchange_strong(expected, 0);
  }
  return find_place(attempt, -attempt.value) == nullptr;
}

bool UnsentMarks::claim(InvocationId invocation, AttemptId attempt) noexcept {
  if (memory_->header().invocation != invocation.value) return false;
  if (std::int64_t* const place = find_place(attempt, attempt.value)) {
    std::int64_t expected = attempt.value;
    return std::atomic_ref(*place).compare_exchange_strong(expected, -attempt.value);
  }
  return find_place(attempt, -attempt.value) != nullptr;
}

void UnsentMarks::remove() noexcept { ::unlink(file_.c_str()); }

}  // namespace diskrelease
