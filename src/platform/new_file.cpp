#include "platform/new_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>

#include "model/errors.h"
#include "model/shown_path.h"

namespace diskrelease {
namespace {

std::string quoted(const std::filesystem::path& path) { return "\"" + shown(path) + "\""; }

std::string reason(int error) { return std::generic_category().message(error); }

[[noreturn]] void refuse_existing(const std::filesystem::path& path) {
  throw UsageError(quoted(path) +
                   " exists; nothing was written. Choose another name, or replace it with --force");
}

/// Some file systems cannot be asked to keep a name, which is no error here.
void make_name_durable(const std::filesystem::path& path) {
  const std::filesystem::path folder =
      path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool is_durable = descriptor >= 0 && (::fsync(descriptor) == 0 || errno == EINVAL);
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!is_durable) {
    throw UsageError(quoted(path) + " is written, but may not outlast a power cut: its folder " +
                     "cannot be synchronised: " + reason(error));
  }
}

}  // namespace

NewFile::NewFile(std::filesystem::path path, bool replace, std::string_view advice)
    : path_(std::move(path)), replace_(replace) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::symlink_status(path_, error);
  if (std::filesystem::exists(status)) {
    if (!std::filesystem::is_regular_file(status)) {
      throw UsageError(quoted(path_) + " is not a regular file and is not replaced" +
                       std::string(advice));
    }
    if (!replace_) refuse_existing(path_);
  }
  written_ = path_.string() + ".XXXXXX";
  // Made with mode 0600.
  const int descriptor = ::mkstemp(written_.data());
  if (descriptor < 0) {
    throw UsageError(quoted(path_) + " cannot be written: " + reason(errno) +
                     "; choose a folder that exists and that you may write to");
  }
  ::close(descriptor);
  out_.open(written_, std::ios::binary | std::ios::trunc);
}

NewFile::~NewFile() {
  out_.close();
  if (!written_.empty()) ::unlink(written_.c_str());
}

std::int64_t NewFile::finish() {
  out_.close();
  const int descriptor = ::open(written_.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_durable = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!out_ || !is_durable) {
    throw UsageError(quoted(path_) + " could not be written completely" +
                     (is_durable ? "" : ": " + reason(error)) +
                     "; nothing was kept of it. Is the disk full?");
  }
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(written_));
  int failed = ::renameat2(AT_FDCWD, written_.c_str(), AT_FDCWD, path_.c_str(),
                           replace_ ? 0 : RENAME_NOREPLACE);
  // Some file systems know no flags; what stood there at the beginning was looked at.
  if (failed != 0 && errno == EINVAL && !std::filesystem::exists(path_)) {
    failed = ::rename(written_.c_str(), path_.c_str());
  }
  if (failed != 0) {
    if (errno == EEXIST) refuse_existing(path_);
    throw UsageError(quoted(path_) + " cannot be written: " + reason(errno));
  }
  written_.clear();
  make_name_durable(path_);
  return size;
}

}  // namespace diskrelease
