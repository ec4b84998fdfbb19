#include "input/byte_source.h"

#include <istream>
#include <streambuf>
#include <system_error>

namespace diskrelease {

ByteSource::ByteSource(std::istream& in) : in_(in), buffer_(k_block_bytes) {
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
  try {
    const std::streamsize got =
        in_.rdbuf()->sgetn(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    block_ = std::string_view(buffer_.data(), static_cast<std::size_t>(got));
  } catch (const std::system_error& error) {
    failure_ = error.code().message();
  } catch (const std::exception& error) {
    failure_ = error.what();
  }
  return !block_.empty();
}

}  // namespace diskrelease
