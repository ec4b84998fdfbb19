#pragma once

#include <algorithm>
#include <cerrno>
#include <istream>
#include <sstream>
#include <streambuf>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "input/list_reader.h"

namespace diskrelease {

using Lines = std::vector<std::string>;

/// What a list gave: each target as "line id", each problem as "line: text".
struct Reading {
  ListFormat format = ListFormat::automatic;
  Lines targets;
  Lines problems;

  friend bool operator==(const Reading&, const Reading&) = default;
};

inline Reading read_stream(std::istream& in, const std::string& name,
                           const ListOptions& options = {}) {
  Reading reading;
  const ListSummary summary = read_list(in, name, options, [&](Target&& target) {
    reading.targets.push_back(std::to_string(target.source_line) + " " + target.disk.text());
  });
  reading.format = summary.format;
  for (const InputProblem& problem : summary.problems.shown()) {
    reading.problems.push_back(std::to_string(problem.line) + ": " + problem.text);
  }
  // The counts and the kept entries tell the same story.
  if (summary.targets != static_cast<std::int64_t>(reading.targets.size())) {
    reading.problems.push_back("the summary counts other targets");
  }
  return reading;
}

/// Delivers `piece` bytes at a time, and at the end fails if asked to.
class PieceBuffer : public std::streambuf {
 public:
  PieceBuffer(std::string text, std::size_t piece, bool fails_at_end = false)
      : text_(std::move(text)), piece_(piece), fails_at_end_(fails_at_end) {}

 protected:
  int_type underflow() override {
    if (at_ == text_.size()) {
      if (fails_at_end_) throw std::system_error(EIO, std::generic_category());
      return traits_type::eof();
    }
    const std::size_t size = std::min(piece_, text_.size() - at_);
    setg(text_.data() + at_, text_.data() + at_, text_.data() + at_ + size);
    at_ += size;
    return traits_type::to_int_type(*gptr());
  }

 private:
  std::string text_;
  std::size_t piece_;
  bool fails_at_end_;
  std::size_t at_ = 0;
};

inline Reading read_text(const std::string& text, const std::string& name,
                         const ListOptions& options = {}) {
  std::istringstream in(text);
  return read_stream(in, name, options);
}

inline Reading read_in_pieces(const std::string& text, std::size_t piece, const std::string& name,
                              const ListOptions& options = {}) {
  PieceBuffer buffer(text, piece);
  std::istream in(&buffer);
  return read_stream(in, name, options);
}

}  // namespace diskrelease
