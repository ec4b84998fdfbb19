#include "report/html.h"

#include <array>
#include <cstdio>
#include <ostream>
#include <string>

#include "model/visible_text.h"

namespace diskrelease {

std::string escape_html(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string decimal(double number, int decimals) {
  std::array<char, 400> text{};  // the largest double has 309 digits before its point
  const int length = std::snprintf(text.data(), text.size(), "%.*f", decimals, number);
  std::string digits(text.data(), static_cast<std::size_t>(length));
  if (digits.find('.') == std::string::npos) return digits;
  while (digits.ends_with('0')) digits.pop_back();
  if (digits.ends_with('.')) digits.pop_back();
  return digits;
}

Html& Html::raw(Markup markup) {
  out_ << markup.text();
  return *this;
}

Html& Html::text(std::string_view text) {
  out_ << escape_html(visible(text, text.size()));
  return *this;
}

Html& Html::count(std::int64_t number) {
  out_ << grouped(number);
  return *this;
}

Html& Html::number(double number) {
  out_ << decimal(number, 2);
  return *this;
}

Html& Html::time(UtcTime time) {
  const std::string full = format_utc(time);
  raw("<time datetime=\"").text(full).raw("\">");
  // Of "2026-11-24T03:04:05.678Z"; a time that has no such form is shown as it is.
  if (full.size() == 24) {
    text(full.substr(0, 10)).raw(" ").text(full.substr(11, 8));
  } else {
    text(full);
  }
  return raw("</time>");
}

}  // namespace diskrelease
