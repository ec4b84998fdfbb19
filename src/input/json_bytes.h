// Private to input.
#pragma once

#include <rapidjson/error/error.h>
#include <rapidjson/reader.h>

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "input/byte_source.h"
#include "input/line_reader.h"

namespace diskrelease {

/// A source as a RapidJSON input stream. Ends (Peek() is NUL) at the end of the source, at a NUL
/// byte, and within a token that is too long.
class JsonBytes {
 public:
  using Ch = char;

  explicit JsonBytes(ByteSource& source) : source_(source) { enter_block(); }

  [[nodiscard]] Ch Peek() const { return *at_; }

  Ch Take() {
    const Ch taken = *at_++;
    if (taken == '\n') ++line_;
    if (at_ == end_) next_block(taken);
    return taken;
  }

  [[nodiscard]] std::size_t Tell() const {
    if (ended_ || too_long_) return consumed_;
    return consumed_ + static_cast<std::size_t>(at_ - source_.block().data());
  }

  /// RapidJSON asks for these to parse in place, which is never done here.
  Ch* PutBegin() { return refuse_output(); }
  void Put(Ch) { refuse_output(); }
  void Flush() { refuse_output(); }
  std::size_t PutEnd(Ch*) {
    refuse_output();
    return 0;
  }

  void begin_token() { token_from_ = Tell(); }

  [[nodiscard]] const std::int64_t& line() const noexcept { return line_; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] bool failed() const noexcept { return !source_.failure().empty(); }
  [[nodiscard]] bool at_nul_byte() const noexcept { return !ended_ && !too_long_ && *at_ == '\0'; }
  [[nodiscard]] bool token_too_long() const noexcept { return too_long_; }
  /// The line of the last byte: a line end belongs to the line that it ends.
  [[nodiscard]] std::int64_t last_line() const noexcept {
    return last_ == '\n' && line_ > 1 ? line_ - 1 : line_;
  }

 private:
  static Ch* refuse_output() {
    assert(false);
    return nullptr;
  }

  void enter_block() {
    const std::string_view block = source_.block();
    if (block.empty()) {
      ended_ = true;
      stop();
    } else {
      at_ = block.data();
      end_ = at_ + block.size();
    }
  }

  void next_block(Ch last) {
    if (ended_ || too_long_) {  // Take() of the NUL that stands for the end
      stop();
      return;
    }
    last_ = last;
    consumed_ += source_.block().size();
    // Checked a block at a time: what a token may hold is bounded, not exact to the byte.
    if (consumed_ - token_from_ > k_max_line_bytes) {
      too_long_ = true;
      stop();
      return;
    }
    source_.next();
    enter_block();
  }

  void stop() {
    static constexpr std::array<char, 2> k_end = {'\0', '\0'};
    at_ = k_end.data();
    end_ = k_end.data() + k_end.size();
  }

  ByteSource& source_;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::size_t consumed_ = 0;  ///< bytes of the blocks before this one
  std::size_t token_from_ = 0;
  std::int64_t line_ = 1;
  Ch last_ = '\0';
  bool ended_ = false;
  bool too_long_ = false;
};

enum class JsonKind { null, boolean, number, string, object, array };

/// "a number": for an operator.
[[nodiscard]] std::string_view name(JsonKind kind) noexcept;

/// What a parser says, in words for an operator.
[[nodiscard]] std::string_view describe_json_error(rapidjson::ParseErrorCode code) noexcept;

/// Numbers stay text, since an id does not survive a double; texts are UTF-8; the parser does not
/// recurse.
inline constexpr unsigned k_json_flags = rapidjson::kParseNumbersAsStringsFlag |
                                         rapidjson::kParseValidateEncodingFlag |
                                         rapidjson::kParseIterativeFlag;

}  // namespace diskrelease

namespace rapidjson {

/// RapidJSON skips white space between any two tokens: the place to learn where a token begins.
template <>
inline void SkipWhitespace(diskrelease::JsonBytes& bytes) {
  for (char c = bytes.Peek(); c == ' ' || c == '\n' || c == '\r' || c == '\t'; c = bytes.Peek()) {
    bytes.Take();
    bytes.begin_token();
  }
  bytes.begin_token();
}

}  // namespace rapidjson
