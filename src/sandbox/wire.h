#pragma once

#include <chrono>
#include <string>

#include "net/http.h"
#include "sandbox/fault.h"

namespace diskrelease::sandbox {

/// An answer before it is put into bytes; without Content-Length.
struct Answer {
  int status = 200;
  HeaderFields headers;
  std::string body;
};

/// What the server does on the connection, step by step: wait `delay`, write `bytes` (one at a time
/// with `drip` between them where drip is not 0), then, with `stall`, wait until the client leaves,
/// and then either go on with the connection or end it.
struct WireScript {
  std::chrono::microseconds delay{0};
  std::string bytes;
  std::chrono::milliseconds drip{0};
  bool stall = false;
  bool keep_open = true;
  Ending ending = Ending::close_notify;  ///< where keep_open is false
  bool complete = true;  ///< bytes hold an answer from which a client can tell its end
};

/// The script of a whole answer.
[[nodiscard]] WireScript plain_script(const Answer& answer);

/// The script of an answer as `fault` makes it. Kinds that replace the answer have done so before.
[[nodiscard]] WireScript faulty_script(const Answer& answer, const Fault& fault);

}  // namespace diskrelease::sandbox
