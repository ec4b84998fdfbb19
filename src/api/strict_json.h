#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// Private to the api room: reading JSON from outside where a guess would be dangerous.

namespace diskrelease {

struct JsonMember;

/// One value of a document, with everything below it.
struct JsonValue {
  enum class Kind { null, boolean, number, string, array, object };

  Kind kind = Kind::null;
  /// String: its characters, UTF-8, possibly with NUL. Number: as it is written, since a 64-bit id
  /// does not survive a double. Boolean: "true" or "false". Else empty.
  std::string text;
  std::vector<JsonValue> elements;  ///< of an array
  std::vector<JsonMember> members;  ///< of an object, in the order written; keys are unique

  /// The member of an object with this key; nullptr when there is none or this is not an object.
  [[nodiscard]] const JsonValue* find(std::string_view key) const noexcept;
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

/// Why a text is not taken. Holds nothing of the text.
struct JsonProblem {
  std::string_view reason;  ///< static text
  std::size_t offset = 0;   ///< bytes read before the problem was seen
};

/// Reads one complete document (RFC 8259), nothing after it but white space. Refused as well: a key
/// that occurs twice in one object, text that is not UTF-8, nesting deeper than 32, more than
/// 100,000 values, a number too large for a double. The depth bounds recursion, the number bounds
/// memory: the text may be hostile.
[[nodiscard]] std::variant<JsonValue, JsonProblem> parse_json(std::string_view document);

}  // namespace diskrelease
