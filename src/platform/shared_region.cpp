#include "platform/shared_region.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>

#include "model/errors.h"
#include "model/shown_path.h"
#include "platform/file_access.h"
#include "platform/host.h"

namespace diskrelease {
namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& what,
                         const std::string& more = {}) {
  throw CallsImpossible("limiter file " + shown(name) + ": " + what +
                        ". All processes keep one rate through it, so nothing is sent without it. "
                        "Put that right, or set XDG_STATE_HOME to a folder of your own on a local "
                        "disk." +
                        more);
}

[[noreturn]] void refuse(const std::string& name, const std::string& what, int error) {
  refuse(name, what + ": " + std::generic_category().message(error));
}

/// As the XDG base directory specification wants folders of this kind to be created.
void create_folder(const std::filesystem::path& folder, const std::string& name) {
  if (folder.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(folder.parent_path(), error);
  if (error) refuse(name, "its folder cannot be created: " + error.message());
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    refuse(name, "its folder cannot be created", errno);
  }
}

int open_file(const std::filesystem::path& path) {
  // O_NONBLOCK: a FIFO in its place must not make the process wait for a peer.
  const int descriptor =
      ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (descriptor >= 0) return descriptor;
  if (errno == ELOOP) refuse(path.string(), "it is a symbolic link");
  const int error = errno;
  refuse(path.string(), "it cannot be opened: " + std::generic_category().message(error),
         error == EACCES ? "\n" + files_of_others({&path, 1}, FileUse::read_and_write) : "");
}

void check_file(int descriptor, const std::string& name) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) refuse(name, "it cannot be examined", errno);
  if (!S_ISREG(status.st_mode)) refuse(name, "it is not a regular file");
  if (status.st_uid != ::geteuid()) {
    refuse(name, "it belongs to another user: " + user_name(status.st_uid));
  }
  if ((status.st_mode & 0022U) != 0) refuse(name, "other users may write to it");
}

/// All of it at once: which part is touched depends on the limits of all processes, and it is
/// little. With the lock held, since the C library may do it by reading and writing.
void allocate(int descriptor, std::size_t size, const std::string& name) {
  int error = EINTR;
  while (error == EINTR) error = ::posix_fallocate(descriptor, 0, static_cast<off_t>(size));
  if (error != 0) refuse(name, "it cannot be given " + std::to_string(size / 1024) + " KiB", error);
}

}  // namespace

std::unique_ptr<SharedRegion> SharedRegion::open(const std::filesystem::path& path,
                                                 std::size_t size) {
  std::unique_ptr<SharedRegion> region(new SharedRegion);
  region->name_ = path.string();
  region->size_ = size;
  create_folder(path.parent_path(), region->name_);
  region->descriptor_ = open_file(path);
  check_file(region->descriptor_, region->name_);
  {
    const std::lock_guard lock(*region);
    allocate(region->descriptor_, size, region->name_);
  }
  void* const data =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, region->descriptor_, 0);
  if (data == MAP_FAILED) refuse(region->name_, "it cannot be mapped", errno);
  region->data_ = data;
  return region;
}

std::unique_ptr<SharedRegion> SharedRegion::of_this_process(std::size_t size) {
  std::unique_ptr<SharedRegion> region(new SharedRegion);
  region->size_ = size;
  void* const data =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) throw std::bad_alloc();
  region->data_ = data;
  return region;
}

SharedRegion::~SharedRegion() {
  if (data_ != nullptr) ::munmap(data_, size_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void SharedRegion::lock() {
  mutex_.lock();
  if (!shared()) return;
  while (::flock(descriptor_, LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    const int error = errno;
    mutex_.unlock();
    refuse(name_, "it cannot be locked", error);
  }
}

void SharedRegion::unlock() noexcept {
  if (shared()) ::flock(descriptor_, LOCK_UN);
  mutex_.unlock();
}

}  // namespace diskrelease
