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

enum class LineFlaw {
  none,
  too_long,
  nul_byte,
  not_utf8,
  mixed_ends,  ///< holds a CR or LF that ends no line of this list; the text is there
};

/// The end of the first line of a text, for looks at the beginning of a list.
[[nodiscard]] std::size_t first_line_end(std::string_view text) noexcept;

/// What is wrong with the line, why it matters and what to do; empty for none.
[[nodiscard]] std::string_view describe(LineFlaw flaw) noexcept;

struct Line {
  std::int64_t number = 0;  ///< 1-based
  std::string_view text;    ///< without its line end; empty if too long; ends with the next call
  LineFlaw flaw = LineFlaw::none;
};

/// Cuts a source into lines. They end with LF, CRLF or CR CR LF, or all of them with a CR alone:
/// the first line end decides. Holds one block and at most k_max_line_bytes of a line that began in
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
  /// Reads on to the end of the first line, which decides what ends the others.
  [[nodiscard]] std::optional<Line> first();
  [[nodiscard]] bool refill();
  [[nodiscard]] Line finish(std::string_view text);

  ByteSource& source_;
  char line_end_ = '\n';         ///< or CR
  std::size_t blank_lines_ = 0;  ///< to be handed out next
  std::string_view rest_;        ///< unread part of the source's block
  std::string begun_;            ///< what earlier blocks held of the present line
  std::int64_t lines_ = 0;
};

}  // namespace diskrelease
