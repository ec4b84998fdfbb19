#pragma once

#include <cstdint>
#include <iosfwd>
#include <string_view>

#include "model/time.h"

namespace diskrelease {

/// Markup of this program. Nothing becomes one but what the compiler knows, so text from outside
/// cannot get into a page unescaped.
class Markup {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a literal is to be markup without more words
  consteval Markup(const char* literal) : text_(literal) {}
  [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }

 private:
  std::string_view text_;
};

/// Text with & < > " ' as references: it stands for itself between tags and in quoted attributes.
[[nodiscard]] std::string escape_html(std::string_view text);

/// Writes a page piece by piece; keeps nothing of it. What cannot be written shows in the stream.
class Html {
 public:
  explicit Html(std::ostream& out) : out_(out) {}

  Html& raw(Markup markup);
  /// Text from anywhere, of any length: made visible (model/visible_text.h), then escaped. Between
  /// tags and in quoted attributes only.
  Html& text(std::string_view text);
  /// "12,345".
  Html& count(std::int64_t number);
  /// Without grouping, at most two decimals.
  Html& number(double number);
  /// An element that shows "2026-11-24 03:04:05" and holds the time in full.
  Html& time(UtcTime time);

 private:
  std::ostream& out_;
};

/// "12,345"
[[nodiscard]] std::string grouped(std::int64_t number);
/// At most so many decimals, none of them a trailing zero.
[[nodiscard]] std::string decimal(double number, int decimals);

}  // namespace diskrelease
