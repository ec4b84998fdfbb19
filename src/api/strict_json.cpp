#include "api/strict_json.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <utility>

#include "model/visible_text.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_max_depth = 32;
constexpr std::size_t k_max_values = 100'000;

bool has_duplicate_key(const JsonValue& object) {
  std::vector<std::string_view> keys;
  keys.reserve(object.members.size());
  for (const JsonMember& member : object.members) keys.push_back(member.key);
  std::ranges::sort(keys);
  return std::ranges::adjacent_find(keys) != keys.end();
}

// RapidJSON's callbacks, whose names are given. False stops the parser.
class TreeBuilder {
 public:
  [[nodiscard]] std::string_view refusal() const noexcept { return refusal_; }
  [[nodiscard]] JsonValue take() { return std::move(root_); }

  // NOLINTBEGIN(readability-identifier-naming)
  bool Null() { return put_leaf(JsonValue::Kind::null, {}); }
  bool Bool(bool value) { return put_leaf(JsonValue::Kind::boolean, value ? "true" : "false"); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    return put_leaf(JsonValue::Kind::number, std::string(text, size));
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    // The parser validates the bytes that it reads, but turns a lone \udc00 into bytes that are
    // not UTF-8.
    if (!is_utf8({text, size})) return refuse("a string is not UTF-8");
    return put_leaf(JsonValue::Kind::string, std::string(text, size));
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    open_.back().key.assign(text, size);
    return is_utf8(open_.back().key) || refuse("a key is not UTF-8");
  }
  bool StartObject() { return begin(JsonValue::Kind::object); }
  bool StartArray() { return begin(JsonValue::Kind::array); }
  bool EndObject(rapidjson::SizeType) {
    if (has_duplicate_key(open_.back().value)) return refuse("a key occurs twice in one object");
    return end();
  }
  bool EndArray(rapidjson::SizeType) { return end(); }

  // Numbers arrive as text; the parser is still compiled against these.
  bool Int(int) { return refuse(k_not_raw); }
  bool Uint(unsigned) { return refuse(k_not_raw); }
  bool Int64(std::int64_t) { return refuse(k_not_raw); }
  bool Uint64(std::uint64_t) { return refuse(k_not_raw); }
  bool Double(double) { return refuse(k_not_raw); }
  // NOLINTEND(readability-identifier-naming)

 private:
  static constexpr std::string_view k_not_raw = "a number was not read as text";

  struct Open {
    JsonValue value;
    std::string key;  // of the member that comes next
  };

  bool refuse(std::string_view reason) {
    refusal_ = reason;
    return false;
  }

  bool begin(JsonValue::Kind kind) {
    if (open_.size() == k_max_depth) return refuse("nesting is too deep");
    open_.emplace_back().value.kind = kind;
    return true;
  }

  bool end() {
    JsonValue value = std::move(open_.back().value);
    open_.pop_back();
    return put(std::move(value));
  }

  bool put_leaf(JsonValue::Kind kind, std::string text) {
    JsonValue value;
    value.kind = kind;
    value.text = std::move(text);
    return put(std::move(value));
  }

  bool put(JsonValue value) {
    if (++values_ > k_max_values) return refuse("more values than allowed");
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (Open& parent = open_.back(); parent.value.kind == JsonValue::Kind::object) {
      parent.value.members.push_back({.key = std::move(parent.key), .value = std::move(value)});
    } else {
      parent.value.elements.push_back(std::move(value));
    }
    return true;
  }

  JsonValue root_;
  std::vector<Open> open_;
  std::size_t values_ = 0;
  std::string_view refusal_;
};

}  // namespace

const JsonValue* JsonValue::find(std::string_view key) const noexcept {
  for (const JsonMember& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

// RapidJSON and not Poco: Poco's parser cuts a key at \u0000, so that "response\u0000x" would be
// taken for "response", and keeps the last of two equal keys.
std::variant<JsonValue, JsonProblem> parse_json(std::string_view document) {
  constexpr unsigned flags = rapidjson::kParseIterativeFlag |
                             rapidjson::kParseValidateEncodingFlag |
                             rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::MemoryStream stream(document.data(), document.size());
  rapidjson::Reader reader;
  TreeBuilder builder;
  const rapidjson::ParseResult result = reader.Parse<flags>(stream, builder);
  if (result.IsError()) {
    std::string_view reason = builder.refusal();
    if (reason.empty()) reason = rapidjson::GetParseError_En(result.Code());
    if (reason.ends_with('.')) reason.remove_suffix(1);
    return JsonProblem{.reason = reason, .offset = stream.Tell()};
  }
  // The parser takes a NUL byte for the end of the text.
  if (stream.Tell() != document.size()) {
    return JsonProblem{.reason = "there is text after the document", .offset = stream.Tell()};
  }
  return builder.take();
}

}  // namespace diskrelease
