#include "input/descriptor_buffer.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace diskrelease {

DescriptorBuffer::DescriptorBuffer(int descriptor)
    : descriptor_(descriptor), buffer_(std::size_t{64} * 1024) {}

DescriptorBuffer::int_type DescriptorBuffer::underflow() {
  ssize_t got = 0;
  do {
    got = ::read(descriptor_, buffer_.data(), buffer_.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw std::system_error(errno, std::generic_category());
  if (got == 0) return traits_type::eof();
  setg(buffer_.data(), buffer_.data(), buffer_.data() + got);
  return traits_type::to_int_type(buffer_.front());
}

}  // namespace diskrelease
