#include "evidence/anchor_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

#include "model/errors.h"
#include "model/shown_path.h"
#include "model/visible_text.h"
#include "platform/file_access.h"

namespace diskrelease {
namespace {

constexpr std::string_view k_intro = "diskrelease-anchor 1 ";
constexpr std::string_view k_signed_intro = "diskrelease-anchor 2 ";
constexpr std::string_view k_remark_on_cut_off_line =
    "# The writing of the line above was interrupted.";

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

/// Takes as much of the text as stands at its beginning of `form`: `h` is a hexadecimal digit, `9`
/// a decimal one, all else itself. True when that was all of the form.
bool take_form(std::string_view& text, std::string_view form) {
  std::size_t length = 0;
  for (; length < text.size() && length < form.size(); ++length) {
    const char c = text[length];
    const bool fits = form[length] == '%'   ? std::string_view("0123456789abcdef").find(c) < 16
                      : form[length] == '9' ? c >= '0' && c <= '9'
                                            : c == form[length];
    if (!fits) break;
  }
  text.remove_prefix(length);
  return length == form.size();
}

/// Whether something has to be added to the text to make an anchor of it, and can be. File systems
/// may fill up with zero bytes what a crash has kept them from writing.
bool is_cut_off(std::string_view text) {
  text = text.substr(0, text.find_last_not_of('\0') + 1);
  const bool is_signed = text.starts_with(k_signed_intro);
  const std::string hash(64, '%');
  if (k_signed_intro.starts_with(text)) return true;
  if (!take_form(text, is_signed ? k_signed_intro : k_intro)) return text.empty();
  if (!take_form(text, hash) || !take_form(text, " ")) return text.empty();
  text.remove_prefix(std::min(text.find_first_not_of("0123456789"), text.size()));
  if (!take_form(text, " " + hash + " ")) return text.empty();
  if (!take_form(text, "9999-99-99T99:99:99.999Z")) return text.empty();
  if (!is_signed || !take_form(text, " ")) return is_signed && text.empty();
  constexpr std::size_t k_signature = 88;
  return text.size() < k_signature &&
         text.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") ==
             std::string_view::npos;
}

bool is_signed_by(const VerifyingKey& key, std::string_view line) {
  const std::size_t end = line.rfind(' ');
  if (!line.starts_with(k_signed_intro)) return false;
  const std::optional<std::string> signature = from_base64(line.substr(end + 1));
  return signature && key.verify(line.substr(0, end), *signature);
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
  throw AuditUnusable(
      "anchor file " + shown(file) + ": " + doing + ": " + std::strerror(error) +
      (error == EACCES ? reason_for_no_access(file, FileUse::read_and_write) : std::string()));
}

}  // namespace

std::string anchor_line(const Anchor& anchor, const SigningKey* key) {
  const std::string line = std::string(key == nullptr ? k_intro : k_signed_intro) +
                           anchor.head.chain + ' ' + std::to_string(anchor.head.block) + ' ' +
                           anchor.head.hash + ' ' + format_utc(anchor.time);
  return key == nullptr ? line : line + ' ' + to_base64(key->sign(line));
}

std::optional<Anchor> parse_anchor(std::string_view line) {
  std::string_view rest = line;
  if (line.starts_with(k_signed_intro)) {
    // The signature is looked at by is_signed_by().
    rest = rest.substr(0, rest.rfind(' '));
  } else if (!line.starts_with(k_intro)) {
    return std::nullopt;
  }
  rest.remove_prefix(k_intro.size());
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

AnchorWriter::AnchorWriter(AnchorPlaces places)
    // Without waiting for the reader of a pipe.
    : places_(std::move(places)),
      descriptor_(::open(places_.file.c_str(),
                         O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600)) {
  if (descriptor_ < 0) fail(places_.file, "cannot be opened", errno);
}

AnchorWriter::~AnchorWriter() { ::close(descriptor_); }

void AnchorWriter::append(const Anchor& anchor) {
  const std::string message = anchor_line(anchor, places_.key.get());
  std::string line = message + '\n';
  if (ends_within_a_line(places_.file)) {
    line.insert(0, '\n' + std::string(k_remark_on_cut_off_line) + '\n');
  }
  // In one piece, so that several processes may share a file.
  const ssize_t written = ::write(descriptor_, line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) {
    fail(places_.file, "cannot be written", written < 0 ? errno : ENOSPC);
  }
  // A pipe or a character device has nothing to sync.
  if (::fsync(descriptor_) != 0 && errno != EINVAL) fail(places_.file, "cannot be written", errno);
  tell_log(message);
  if (places_.on_append) places_.on_append(anchor);
}

void AnchorWriter::append_to(const std::vector<std::filesystem::path>& files,
                             const Anchor& anchor) const {
  for (const std::filesystem::path& file : files) {
    if (file == places_.file) continue;
    AnchorWriter({.file = file, .log_socket = {}, .key = places_.key}).append(anchor);
  }
}

void AnchorWriter::tell_log(const std::string& line) const {
  if (!places_.log_socket) return;
  const auto fail_to_log = [&](int error) {
    throw AuditUnusable("system log " + shown(*places_.log_socket) +
                        ": an anchor cannot be sent: " + std::strerror(error) +
                        ". Is the log's daemon running? Name its socket with "
                        "--anchor-syslog=SOCKET, or leave the flag out");
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = places_.log_socket->string();
  if (path.size() >= sizeof address.sun_path) fail_to_log(ENAMETOOLONG);
  path.copy(address.sun_path, path.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) fail_to_log(errno);
  // Facility authpriv, severity notice, as the C library's syslog() writes it but for the time,
  // which the daemon adds.
  const std::string message = "<85>diskrelease[" + std::to_string(::getpid()) + "]: " + line;
  const ssize_t sent = ::sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::close(descriptor);
  if (sent != static_cast<ssize_t>(message.size())) fail_to_log(error);
}

namespace {

/// Calls `take` with the number of each line, the line, and whether it has its end.
template <class Take>
void read_lines(const std::filesystem::path& file, const Take& take) {
  errno = 0;
  std::ifstream in(file);
  if (!in) {
    const int error = errno == 0 ? EIO : errno;
    throw UsageError("anchor file " + shown(file) + ": cannot be read: " + std::strerror(error) +
                     (error == EACCES ? reason_for_no_access(file, FileUse::read) : std::string()));
  }
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) take(number, line, !in.eof());
  if (in.bad()) {
    throw UsageError("anchor file " + shown(file) + ": cannot be read" +
                     (std::filesystem::is_directory(file) ? ": it is a folder" : ""));
  }
}

bool is_for_people(std::string_view line) { return line.empty() || line.front() == '#'; }

}  // namespace

AnchorFile read_anchors(const std::filesystem::path& file, const VerifyingKey* key) {
  AnchorFile read;
  struct Line {
    std::string place;
    std::string text;
  };
  const auto judge = [&](const Line& line) {
    const std::optional<Anchor> anchor = parse_anchor(line.text);
    if (!anchor) {
      read.problems.push_back(line.place + ": is no anchor: " + visible(line.text, 100));
    } else if (key != nullptr && !is_signed_by(*key, line.text)) {
      read.problems.push_back(line.place +
                              ": is not signed by that key: " + visible(line.text, 100));
    } else {
      read.anchors.push_back(*anchor);
    }
  };
  // Of which it is not known yet whether a remark excuses it; an empty text = there is none.
  Line cut_off;
  const auto excuse = [&] {
    if (!cut_off.text.empty()) {
      read.notes.push_back(cut_off.place +
                           ": the writing of this anchor was interrupted; the line is ignored");
    }
    cut_off = {};
  };
  const auto judge_cut_off = [&] {
    if (!cut_off.text.empty()) judge(cut_off);
    cut_off = {};
  };
  read_lines(file, [&](int number, const std::string& text, bool has_end) {
    if (text == k_remark_on_cut_off_line) excuse();
    if (is_for_people(text)) return;
    judge_cut_off();
    Line line{file.string() + ':' + std::to_string(number), text};
    if (!is_cut_off(text)) return judge(line);
    cut_off = std::move(line);
    if (!has_end) excuse();
  });
  judge_cut_off();
  return read;
}

std::vector<std::string> anchor_lines_of(const std::filesystem::path& file,
                                         std::string_view chain) {
  std::vector<std::string> lines;
  read_lines(file, [&](int, const std::string& line, bool) {
    if (is_for_people(line)) return;
    const std::optional<Anchor> anchor = parse_anchor(line);
    if (anchor && anchor->head.chain == chain && !is_cut_off(line)) lines.push_back(line);
  });
  return lines;
}

}  // namespace diskrelease
