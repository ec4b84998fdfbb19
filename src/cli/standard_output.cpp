#include "cli/standard_output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>

namespace diskrelease {
namespace {

constexpr std::size_t k_most_buffered = std::size_t{16} * 1024;

}  // namespace

StandardOutput::StandardOutput()
    : line_by_line_(::isatty(STDOUT_FILENO) == 1), before_(std::cout.rdbuf(this)) {}

StandardOutput::~StandardOutput() {
  static_cast<void>(finish());
  std::cout.rdbuf(before_);
}

int StandardOutput::finish() {
  const std::lock_guard lock(mutex_);
  write_buffered();
  return error_;
}

StandardOutput::int_type StandardOutput::overflow(int_type character) {
  if (traits_type::eq_int_type(character, traits_type::eof())) return traits_type::not_eof(0);
  const char c = traits_type::to_char_type(character);
  const std::lock_guard lock(mutex_);
  append({&c, 1});
  return character;
}

std::streamsize StandardOutput::xsputn(const char* text, std::streamsize size) {
  const std::lock_guard lock(mutex_);
  append({text, static_cast<std::size_t>(size)});
  return size;
}

int StandardOutput::sync() {
  const std::lock_guard lock(mutex_);
  write_buffered();
  return 0;
}

void StandardOutput::append(std::string_view text) {
  buffered_.append(text);
  const bool is_due = buffered_.size() >= k_most_buffered ||
                      (line_by_line_ && text.find('\n') != std::string_view::npos);
  if (is_due) write_buffered();
}

void StandardOutput::write_buffered() {
  std::string_view rest = buffered_;
  while (!rest.empty() && error_ == 0) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      // Somebody who shares the pipe has made it non-blocking.
      pollfd room{STDOUT_FILENO, POLLOUT, 0};
      static_cast<void>(::poll(&room, 1, -1));
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  buffered_.clear();
}

}  // namespace diskrelease
