#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace diskrelease {

/// The bytes of a list, block by block; a UTF-8 byte order mark at the beginning is left out.
/// Reads past the stream's formatted layer, so that a failed read keeps its reason and is never
/// taken for the end of the list.
class ByteSource {
 public:
  static constexpr std::size_t k_block_bytes = std::size_t{64} * 1024;

  /// Reads the first block. `in` must outlive the source. Reading more than `max_bytes` is a
  /// failure: a stream may never end.
  explicit ByteSource(std::istream& in,
                      std::int64_t max_bytes = std::numeric_limits<std::int64_t>::max());

  /// The present block; empty only if the source is empty or has ended. The first block is full
  /// unless the list is shorter, however the stream delivers its bytes.
  [[nodiscard]] std::string_view block() const noexcept { return block_; }

  /// Goes to the next block; views of the last one end here. False at the end and when reading
  /// fails.
  bool next();

  /// Why reading failed; empty = it did not. The present block still holds what came before.
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

 private:
  std::istream& in_;
  const std::int64_t max_bytes_;
  std::int64_t bytes_ = 0;  ///< read so far
  std::vector<char> buffer_;
  std::string_view block_;
  std::string failure_;
};

}  // namespace diskrelease
