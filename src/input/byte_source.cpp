#include "input/byte_source.h"

#include <algorithm>
#include <istream>
#include <streambuf>
#include <system_error>

#include "model/size.h"

namespace diskrelease {

ByteSource::ByteSource(std::istream& in, std::int64_t max_bytes)
    : in_(in), max_bytes_(max_bytes), buffer_(k_block_bytes) {
  constexpr std::string_view k_byte_order_mark = "\xEF\xBB\xBF";
  if (next() && block_.starts_with(k_byte_order_mark)) {
    block_.remove_prefix(k_byte_order_mark.size());
    if (block_.empty()) next();
  }
}

bool ByteSource::next() {
  block_ = {};
  if (!failure_.empty()) return false;
  if (in_.bad() || in_.rdbuf() == nullptr) {
    failure_ = "the stream is not readable";
    return false;
  }
  std::size_t filled = 0;
  try {
    // Piece by piece: one call for all would lose what came before a failure.
    std::streambuf& stream = *in_.rdbuf();
    using Traits = std::streambuf::traits_type;
    while (filled < buffer_.size() && !Traits::eq_int_type(stream.sgetc(), Traits::eof())) {
      const auto at_hand = std::max<std::streamsize>(stream.in_avail(), 1);
      const auto room = static_cast<std::streamsize>(buffer_.size() - filled);
      filled +=
          static_cast<std::size_t>(stream.sgetn(buffer_.data() + filled, std::min(at_hand, room)));
    }
  } catch (const std::system_error& error) {
    failure_ = error.code().message();
  } catch (const std::exception& error) {
    failure_ = error.what();
  }
  bytes_ += static_cast<std::int64_t>(filled);
  if (failure_.empty() && bytes_ > max_bytes_) {
    failure_ = "it is larger than " + format_size(max_bytes_) +
               ", the limit that --max-list-size sets; check which file was given, or raise it";
  }
  block_ = std::string_view(buffer_.data(), filled);
  return !block_.empty();
}

}  // namespace diskrelease
