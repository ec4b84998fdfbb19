#include "platform/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "model/errors.h"
#include "model/shown_path.h"
#include "platform/host.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_most_waiting = 256 * 1024;

bool may_write_into(const std::filesystem::path& folder) {
  std::error_code error;
  return std::filesystem::is_directory(folder, error) && ::access(folder.c_str(), W_OK | X_OK) == 0;
}

[[noreturn]] void fail(const char* doing) {
  const std::string reason = std::strerror(errno);
  throw AuditUnusable("a temporary file in " + shown(scratch_directory()) + " cannot be " + doing +
                      ": " + reason + ". TMPDIR names another folder.");
}

int open_without_name() {
  std::string name = (scratch_directory() / "diskrelease-XXXXXX").string();
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) fail("made");
  ::unlink(name.c_str());
  return descriptor;
}

}  // namespace

std::filesystem::path scratch_directory() {
  for (const char* variable : {"SQLITE_TMPDIR", "TMPDIR"}) {
    const std::optional<std::string> value = environment_variable(variable);
    if (value && may_write_into(*value)) return *value;
  }
  return may_write_into("/var/tmp") ? "/var/tmp" : "/tmp";
}

ScratchFile::~ScratchFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ScratchFile::append(std::string_view bytes) {
  if (waiting_.size() + bytes.size() > k_most_waiting) write_waiting();
  waiting_.append(bytes);
}

void ScratchFile::write_waiting() {
  if (descriptor_ < 0) descriptor_ = open_without_name();
  std::size_t done = 0;
  while (done < waiting_.size()) {
    const ssize_t count =
        ::pwrite(descriptor_, waiting_.data() + done, waiting_.size() - done, written_);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("written");
    done += static_cast<std::size_t>(count);
    written_ += count;
  }
  waiting_.clear();
}

std::size_t ScratchFile::read(std::int64_t offset, std::span<char> bytes) const {
  std::size_t done = 0;
  while (done < bytes.size() && offset < written_) {
    const auto most = std::min(bytes.size() - done, static_cast<std::size_t>(written_ - offset));
    const ssize_t count = ::pread(descriptor_, bytes.data() + done, most, offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("read");
    done += static_cast<std::size_t>(count);
    offset += count;
  }
  if (done == bytes.size() || offset >= size()) return done;
  const auto from = static_cast<std::size_t>(offset - written_);
  return done + waiting_.copy(bytes.data() + done, bytes.size() - done, from);
}

}  // namespace diskrelease
