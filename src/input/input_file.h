#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace diskrelease {

/// Opens a file, or standard input for "-", and has it read. A read that fails throws
/// std::system_error from the stream's buffer (ByteSource keeps its reason). Says why nothing was
/// read: a missing or unreadable file, a directory; empty = `read` was called. `what` names the
/// kind of file in that text.
[[nodiscard]] std::string with_input_file(const std::string& path, std::string_view what,
                                          const std::function<void(std::istream&)>& read);

}  // namespace diskrelease
