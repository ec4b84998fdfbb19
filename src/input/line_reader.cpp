#include "input/line_reader.h"

#include "model/visible_text.h"

namespace diskrelease {

std::string_view describe(LineFlaw flaw) noexcept {
  switch (flaw) {
    case LineFlaw::none:
      return "";
    case LineFlaw::too_long:
      return "the line is longer than 1 MiB, so this is not a list of disk ids; check which file "
             "was given";
    case LineFlaw::nul_byte:
      return "the line holds a NUL byte: the file is damaged, or UTF-16 without a byte order mark; "
             "save it as UTF-8";
    case LineFlaw::not_utf8:
      return "the line is not valid UTF-8; save the file as UTF-8";
  }
  return "";
}

std::optional<Line> LineReader::next() {
  begun_.clear();
  bool began = false;
  bool too_long = false;
  for (;;) {
    if (rest_.empty()) {
      if (source_.next()) {
        rest_ = source_.block();
      } else if (!began || !source_.failure().empty()) {
        return std::nullopt;
      } else {
        break;
      }
    }
    const std::size_t line_end = rest_.find('\n');
    const bool complete = line_end != std::string_view::npos;
    const std::string_view part = rest_.substr(0, line_end);
    rest_.remove_prefix(complete ? line_end + 1 : rest_.size());
    if (complete && !began) return finish(part);  // within one block: nothing is copied
    began = true;
    // One byte more than the limit, since a CR before the LF does not count.
    too_long = too_long || begun_.size() + part.size() > k_max_line_bytes + 1;
    if (!too_long) begun_ += part;
    if (complete) break;
  }
  if (too_long) return Line{++lines_, {}, LineFlaw::too_long};
  return finish(begun_);
}

Line LineReader::finish(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  Line line{++lines_, text, LineFlaw::none};
  if (text.size() > k_max_line_bytes) {
    line.text = {};
    line.flaw = LineFlaw::too_long;
  } else if (text.find('\0') != std::string_view::npos) {
    line.flaw = LineFlaw::nul_byte;
  } else if (!is_utf8(text)) {
    line.flaw = LineFlaw::not_utf8;
  }
  return line;
}

}  // namespace diskrelease
