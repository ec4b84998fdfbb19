#include "sandbox/request_reader.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace diskrelease::sandbox {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return lower;
}

bool read_request_line(std::string_view line, ReceivedRequest& request) {
  const auto method_end = line.find(' ');
  const auto path_end = line.rfind(' ');
  if (method_end == std::string_view::npos || path_end <= method_end + 1) return false;
  if (line.substr(path_end + 1) != "HTTP/1.1") return false;
  request.method = line.substr(0, method_end);
  request.path = line.substr(method_end + 1, path_end - method_end - 1);
  return true;
}

bool read_head(std::string_view head, ReceivedRequest& request) {
  request = {};
  bool first = true;
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    const auto line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    if (first) {
      if (!read_request_line(line, request)) return false;
      first = false;
      continue;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    request.headers.emplace_back(lower_case(line.substr(0, colon)),
                                 trimmed(line.substr(colon + 1)));
  }
  return !first;
}

std::optional<std::size_t> body_length(const ReceivedRequest& request) {
  if (!header(request, "transfer-encoding").empty()) return std::nullopt;
  const auto text = header(request, "content-length");
  if (text.empty()) return 0;
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return length;
}

}  // namespace

RequestReader::State RequestReader::next(ReceivedRequest& request) {
  const auto head_end = buffer_.find("\r\n\r\n");
  if (head_end == std::string::npos) {
    return buffer_.size() > k_max_head ? State::malformed : State::incomplete;
  }
  if (head_end > k_max_head || !read_head(std::string_view(buffer_).substr(0, head_end), request)) {
    return State::malformed;
  }
  const auto length = body_length(request);
  if (!length || *length > k_max_body) return State::malformed;
  const auto body_at = head_end + 4;
  if (buffer_.size() - body_at < *length) return State::incomplete;
  request.body = buffer_.substr(body_at, *length);
  buffer_.erase(0, body_at + *length);
  return State::complete;
}

}  // namespace diskrelease::sandbox
