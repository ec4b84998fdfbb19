#pragma once

#include <string>

#include "fuzz/fuzz_target.h"
#include "net/http.h"

namespace diskrelease {

/// An answer from raw bytes. Bytes that begin with "HTTP/" are an answer as it comes from the
/// connection, which ends behind them: head, empty line, body. Anything else is the body of a 200
/// whose length was proved. What parse_answer_head() and parse_chunk_size() promise is checked on
/// the way.
[[nodiscard]] Reply reply_from(FuzzInput input);

/// Whether a text is an object of the API's documents, read without the parser that classifies it:
/// one JSON document without repeated keys at its top. `outer_id` is its requestId, where that is a
/// text, and `inner_id` that inside the response.
struct IndependentView {
  bool is_object = false;
  bool has_code = false;      ///< a member "code", null included
  bool has_response = false;  ///< one that is an object
  std::string outer_id;
  std::string inner_id;  ///< the outer one where there is none inside, or null
};
[[nodiscard]] IndependentView view_independently(const std::string& body);

}  // namespace diskrelease
