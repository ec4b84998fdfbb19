#include "input/line_reader.h"

#include <algorithm>

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
    case LineFlaw::mixed_ends:
      return "the line ends of the list are mixed: some are a carriage return (CR) alone, others "
             "are not, so where an id ends is not clear; convert the file, for example with "
             "tr '\\r' '\\n'";
  }
  return "";
}

std::size_t first_line_end(std::string_view text) noexcept {
  return std::min(text.find_first_of("\r\n"), text.size());
}

bool LineReader::refill() {
  if (rest_.empty() && source_.next()) rest_ = source_.block();
  return !rest_.empty();
}

std::optional<Line> LineReader::first() {
  begun_.clear();
  bool too_long = false;
  bool began = false;
  const auto take_until = [&](std::string_view ends) {
    while (refill()) {
      const std::size_t end = std::min(rest_.find_first_of(ends), rest_.size());
      too_long = too_long || begun_.size() + end > k_max_line_bytes + 1;
      if (!too_long) begun_ += rest_.substr(0, end);
      rest_.remove_prefix(end);
      began = true;
      if (!rest_.empty()) return;
    }
  };
  take_until("\r\n");
  if (!began || (rest_.empty() && failed())) return std::nullopt;
  if (!rest_.empty() && rest_.front() == '\r') {
    // Several CRs and an LF are one line end, CRs alone are one each.
    std::size_t returns = 0;
    while (refill() && rest_.front() == '\r') {
      ++returns;
      rest_.remove_prefix(1);
    }
    if (rest_.empty() && failed()) return std::nullopt;
    if (!rest_.empty() && rest_.front() != '\n') {
      line_end_ = '\r';
      blank_lines_ = returns - 1;
    }
  }
  if (line_end_ == '\n' && !rest_.empty()) rest_.remove_prefix(1);
  ++lines_;
  if (too_long) return Line{lines_, {}, LineFlaw::too_long};
  return finish(begun_);
}

std::optional<Line> LineReader::next() {
  if (lines_ == 0) return first();
  if (blank_lines_ > 0) {
    --blank_lines_;
    return Line{++lines_, {}, LineFlaw::none};
  }
  begun_.clear();
  bool began = false;
  bool too_long = false;
  for (;;) {
    if (!refill()) {
      if (!began || failed()) return std::nullopt;
      break;
    }
    const std::size_t line_end = rest_.find(line_end_);
    const bool complete = line_end != std::string_view::npos;
    const std::string_view part = rest_.substr(0, line_end);
    rest_.remove_prefix(complete ? line_end + 1 : rest_.size());
    if (complete && !began) {  // within one block: nothing is copied
      ++lines_;
      return finish(part);
    }
    began = true;
    // One byte more than the limit, since a CR before the LF does not count.
    too_long = too_long || begun_.size() + part.size() > k_max_line_bytes + 1;
    if (!too_long) begun_ += part;
    if (complete) break;
  }
  ++lines_;
  if (too_long) return Line{lines_, {}, LineFlaw::too_long};
  return finish(begun_);
}

Line LineReader::finish(std::string_view text) {
  if (line_end_ == '\n') {
    while (text.ends_with('\r')) text.remove_suffix(1);
  }
  Line line{lines_, text, LineFlaw::none};
  if (text.size() > k_max_line_bytes) {
    line.text = {};
    line.flaw = LineFlaw::too_long;
  } else if (text.find('\0') != std::string_view::npos) {
    line.flaw = LineFlaw::nul_byte;
  } else if (!is_utf8(text)) {
    line.flaw = LineFlaw::not_utf8;
  } else if (text.find(line_end_ == '\n' ? '\r' : '\n') != std::string_view::npos) {
    line.flaw = LineFlaw::mixed_ends;
  }
  return line;
}

}  // namespace diskrelease
