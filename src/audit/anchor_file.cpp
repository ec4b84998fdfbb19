#include "audit/anchor_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>

#include "model/errors.h"
#include "model/visible_text.h"

namespace diskrelease {
namespace {

constexpr std::string_view k_intro = "diskrelease-anchor 1 ";

bool is_hash(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Takes the text up to the next blank, or all of it.
std::string_view next_word(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

std::optional<Anchor> parse(std::string_view line) {
  if (!line.starts_with(k_intro)) return std::nullopt;
  std::string_view rest = line.substr(k_intro.size());
  Anchor anchor;
  anchor.head.chain = next_word(rest);
  const std::string_view block = next_word(rest);
  anchor.head.hash = next_word(rest);
  const std::optional<UtcTime> time = parse_utc(rest);
  const auto [end, error] =
      std::from_chars(block.data(), block.data() + block.size(), anchor.head.block);
  if (!is_hash(anchor.head.chain) || !is_hash(anchor.head.hash) || !time || error != std::errc() ||
      end != block.data() + block.size() || anchor.head.block < 1) {
    return std::nullopt;
  }
  anchor.time = *time;
  return anchor;
}

/// What cannot be read, as a pipe or what belongs to somebody else, does not.
bool ends_within_a_line(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return false;
  std::ifstream in(file, std::ios::binary);
  in.seekg(-1, std::ios::end);
  const int last = in.get();
  return in && last != '\n';
}

[[noreturn]] void fail(const std::filesystem::path& file, const char* doing, int error) {
  throw AuditUnusable("anchor file " + file.string() + ": " + doing + ": " + std::strerror(error));
}

}  // namespace

std::string anchor_line(const Anchor& anchor) {
  return std::string(k_intro) + anchor.head.chain + ' ' + std::to_string(anchor.head.block) + ' ' +
         anchor.head.hash + ' ' + format_utc(anchor.time);
}

AnchorWriter::AnchorWriter(const std::filesystem::path& file)
    // Without waiting for the reader of a pipe.
    : file_(file),
      descriptor_(
          ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600)) {
  if (descriptor_ < 0) fail(file_, "cannot be opened", errno);
}

AnchorWriter::~AnchorWriter() { ::close(descriptor_); }

void AnchorWriter::append(const Anchor& anchor) {
  std::string line = anchor_line(anchor) + '\n';
  if (ends_within_a_line(file_)) line.insert(0, 1, '\n');
  // In one piece, so that several processes may share a file.
  const ssize_t written = ::write(descriptor_, line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) {
    fail(file_, "cannot be written", written < 0 ? errno : ENOSPC);
  }
  // A pipe or a character device has nothing to sync.
  if (::fsync(descriptor_) != 0 && errno != EINVAL) fail(file_, "cannot be written", errno);
}

AnchorFile read_anchors(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream in(file);
  if (!in) {
    throw UsageError("anchor file " + file.string() +
                     ": cannot be read: " + std::strerror(errno == 0 ? EIO : errno));
  }
  AnchorFile read;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    if (const std::optional<Anchor> anchor = parse(line)) {
      read.anchors.push_back(*anchor);
    } else {
      read.problems.push_back(file.string() + ':' + std::to_string(number) +
                              ": is no anchor: " + visible(line, 100));
    }
  }
  if (in.bad()) throw UsageError("anchor file " + file.string() + ": cannot be read");
  return read;
}

}  // namespace diskrelease
