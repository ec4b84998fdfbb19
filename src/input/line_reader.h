#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "input/byte_source.h"

namespace diskrelease {

/// A longer line is no line of a list of disk ids; the bound keeps memory flat for any file.
inline constexpr std::size_t k_max_line_bytes = std::size_t{1024} * 1024;

enum class LineFlaw { none, too_long, nul_byte, not_utf8 };

/// What is wrong with the line, why it matters and what to do; empty for none.
[[nodiscard]] std::string_view describe(LineFlaw flaw) noexcept;

struct Line {
  std::int64_t number = 0;  ///< 1-based
  std::string_view text;    ///< without its LF or CRLF; empty if too long; ends with the next call
  LineFlaw flaw = LineFlaw::none;
};

/// Cuts a source into lines. Holds one block and at most k_max_line_bytes of a line that began in
/// an earlier block.
class LineReader {
 public:
  /// `source` must outlive the reader.
  explicit LineReader(ByteSource& source) : source_(source), rest_(source.block()) {}

  /// The next line; nothing at the end, and after a failed read (see ByteSource::failure()), whose
  /// half a line is not handed out.
  [[nodiscard]] std::optional<Line> next();

  /// Lines handed out so far.
  [[nodiscard]] std::int64_t lines() const noexcept { return lines_; }

  [[nodiscard]] bool failed() const noexcept { return !source_.failure().empty(); }

 private:
  [[nodiscard]] Line finish(std::string_view text);

  ByteSource& source_;
  std::string_view rest_;  ///< unread part of the source's block
  std::string begun_;      ///< what earlier blocks held of the present line
  std::int64_t lines_ = 0;
};

}  // namespace diskrelease
