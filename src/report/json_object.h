#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace diskrelease {

/// Writes one JSON object on one line, keys in the order given. Text that is not UTF-8 is made
/// visible first (model/visible_text.h), so what comes out is always JSON.
class JsonObject {
 public:
  JsonObject();
  ~JsonObject();
  JsonObject(JsonObject&&) noexcept;
  JsonObject& operator=(JsonObject&&) noexcept;

  JsonObject& add(std::string_view key, std::string_view value);
  JsonObject& add(std::string_view key, const char* value);
  JsonObject& add(std::string_view key, std::int64_t value);
  /// A number that is not finite becomes null: JSON has none.
  JsonObject& add(std::string_view key, double value);
  JsonObject& add(std::string_view key, bool value);
  JsonObject& add_null(std::string_view key);
  JsonObject& add(std::string_view key, const std::optional<std::int64_t>& value);
  /// Empty text becomes null.
  JsonObject& add_optional(std::string_view key, std::string_view value);
  JsonObject& add(std::string_view key, const std::vector<std::string>& values);
  /// `json` is a complete JSON value.
  JsonObject& add_json(std::string_view key, std::string_view json);

  [[nodiscard]] std::string text() &&;

 private:
  struct Private;
  std::unique_ptr<Private> private_;
};

}  // namespace diskrelease
