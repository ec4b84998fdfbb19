#include "net/answer_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

namespace diskrelease {
namespace {

constexpr std::string_view k_line_end = "\r\n";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

/// By the byte: every answer is looked through twice.
constexpr auto k_token_bytes = [] {
  std::array<bool, 256> allowed{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) {
    allowed[static_cast<unsigned char>(c)] = true;
  }
  return allowed;
}();

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return k_token_bytes[static_cast<unsigned char>(c)];
  });
}

bool is_field_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// All of the text, digits only.
std::optional<std::uint64_t> parse_number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (text.empty() || error != std::errc{} || stop != end || text.front() == '-') {
    return std::nullopt;
  }
  return value;
}

/// "HTTP/1.1 200 OK"; the reason may be missing.
bool parse_status_line(std::string_view line, AnswerHead& head) {
  constexpr std::size_t version_length = 8;
  constexpr std::size_t length = version_length + 4;
  if (line.size() < length || !is_field_text(line)) return false;
  const auto version = line.substr(0, version_length);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return false;
  if (line[version_length] != ' ' || (line.size() > length && line[length] != ' ')) return false;
  const auto digits = line.substr(version_length + 1, 3);
  if (!std::all_of(digits.begin(), digits.end(), is_digit) || digits.front() == '0') return false;
  head.status = static_cast<int>(*parse_number(digits, 10));
  head.keep_alive = version == "HTTP/1.1";
  return true;
}

bool parse_field(std::string_view line, HeaderFields& headers) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || headers.size() == k_head_field_cap) return false;
  const auto name = line.substr(0, colon);
  const auto value = trimmed(line.substr(colon + 1));
  if (!is_token(name) || !is_field_text(value)) return false;
  headers.emplace_back(lower_case(name), value);
  return true;
}

/// Derives the framing from the fields. False when they contradict each other.
bool decide_framing(AnswerHead& head) {
  std::optional<std::uint64_t> length;
  bool chunked = false;
  for (const auto& [name, value] : head.headers) {
    if (name == "content-length") {
      const auto parsed = parse_number(value, 10);
      if (!parsed || (length && *length != *parsed)) return false;
      length = parsed;
    } else if (name == "transfer-encoding") {
      if (chunked || lower_case(value) != "chunked") return false;
      chunked = true;
    } else if (name == "connection" && lower_case(value) != "keep-alive") {
      head.keep_alive = false;
    }
  }
  if (length && chunked) return false;
  head.content_length = length.value_or(0);
  if (head.status == 204 || head.status == 304) {
    head.framing = Framing::no_body;
  } else if (chunked) {
    head.framing = Framing::chunked;
  } else if (length) {
    head.framing = Framing::content_length;
  } else {
    head.framing = Framing::until_connection_closes;
  }
  return true;
}

}  // namespace

std::optional<AnswerHead> parse_answer_head(std::string_view head) {
  AnswerHead result;
  for (bool first = true; !head.empty(); first = false) {
    const auto end = head.find(k_line_end);
    if (end == std::string_view::npos) return std::nullopt;
    const auto line = head.substr(0, end);
    head.remove_prefix(end + k_line_end.size());
    if (first) {
      if (!parse_status_line(line, result)) return std::nullopt;
    } else if (line.empty()) {
      if (!head.empty() || !decide_framing(result)) return std::nullopt;
      return result;
    } else if (!parse_field(line, result.headers)) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_chunk_size(std::string_view line) {
  return parse_number(trimmed(line.substr(0, line.find(';'))), 16);
}

namespace {

/// The line at the beginning without its last character, which is a line feed, taken off; nullopt
/// = it is not whole yet.
std::optional<std::string_view> take_line(std::string_view& bytes) {
  const auto end = bytes.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = bytes.substr(0, end);
  bytes.remove_prefix(end + 1);
  return line;
}

bool chunks_need_no_more(std::string_view body, std::size_t cap) {
  std::size_t total = 0;
  for (;;) {
    auto line = take_line(body);
    if (!line) return body.size() >= k_head_cap;
    if (!line->ends_with('\r')) return true;
    line->remove_suffix(1);
    const auto size = parse_chunk_size(*line);
    if (!size || *size > cap - total) return true;
    if (*size == 0) break;
    total += static_cast<std::size_t>(*size);
    if (body.size() < *size + k_line_end.size()) return false;
    body.remove_prefix(static_cast<std::size_t>(*size) + k_line_end.size());
  }
  // The fields behind the last chunk, and the empty line that ends them.
  for (std::size_t fields = 0; const auto line = take_line(body); ++fields) {
    if (line->size() <= 1 || fields >= k_head_field_cap) return true;
  }
  return body.size() >= k_head_cap;
}

}  // namespace

bool needs_no_more(std::string_view received, std::size_t body_cap) {
  for (;;) {
    constexpr int switching_protocols = 101;
    if (received.find('\n') != std::string_view::npos && !received.starts_with("HTTP/1.")) {
      return true;
    }
    const auto end = received.find("\r\n\r\n");
    if (end == std::string_view::npos) return received.size() >= k_head_cap;
    const auto head = parse_answer_head(received.substr(0, end + 4));
    if (!head || head->status == switching_protocols) return true;
    received.remove_prefix(end + 4);
    if (head->status < 200) continue;
    switch (head->framing) {
      case Framing::no_body:
        return true;
      case Framing::content_length:
        return head->content_length > body_cap || received.size() >= head->content_length;
      case Framing::chunked:
        return chunks_need_no_more(received, body_cap);
      case Framing::until_connection_closes:
        return received.size() > body_cap;
    }
    return true;
  }
}

}  // namespace diskrelease
