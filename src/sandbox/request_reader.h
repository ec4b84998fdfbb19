#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sandbox/request_check.h"

namespace diskrelease::sandbox {

/// Puts requests together from the bytes of one connection. Pure.
class RequestReader {
 public:
  static constexpr std::size_t k_max_head = 32UL * 1024;
  static constexpr std::size_t k_max_body = 1024UL * 1024;

  enum class State {
    incomplete,  ///< more bytes are needed
    complete,    ///< `request` was filled, and its bytes were taken
    malformed,   ///< not HTTP/1.1 with a Content-Length, or too large: answer 400, end it
  };

  void append(std::string_view bytes) { buffer_.append(bytes); }

  /// Takes the next request out of what was appended.
  [[nodiscard]] State next(ReceivedRequest& request);

 private:
  std::string buffer_;
};

}  // namespace diskrelease::sandbox
