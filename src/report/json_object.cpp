#include "report/json_object.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cmath>

#include "model/visible_text.h"

namespace diskrelease {

struct JsonObject::Private {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};

  void key(std::string_view text) {
    writer.Key(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  }
  void string(std::string_view text) {
    writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  }
  void utf8_string(std::string_view text) {
    if (is_utf8(text)) {
      string(text);
    } else {
      string(visible(text, text.size()));
    }
  }
};

JsonObject::JsonObject() : private_(std::make_unique<Private>()) { private_->writer.StartObject(); }
JsonObject::~JsonObject() = default;
JsonObject::JsonObject(JsonObject&&) noexcept = default;
JsonObject& JsonObject::operator=(JsonObject&&) noexcept = default;

JsonObject& JsonObject::add(std::string_view key, std::string_view value) {
  private_->key(key);
  private_->utf8_string(value);
  return *this;
}

JsonObject& JsonObject::add(std::string_view key, const std::vector<std::string>& values) {
  private_->key(key);
  private_->writer.StartArray();
  for (const std::string& value : values) private_->utf8_string(value);
  private_->writer.EndArray();
  return *this;
}

JsonObject& JsonObject::add(std::string_view key, const char* value) {
  return add(key, std::string_view(value));
}

JsonObject& JsonObject::add(std::string_view key, std::int64_t value) {
  private_->key(key);
  private_->writer.Int64(value);
  return *this;
}

JsonObject& JsonObject::add(std::string_view key, double value) {
  if (!std::isfinite(value)) return add_null(key);
  private_->key(key);
  private_->writer.Double(value);
  return *this;
}

JsonObject& JsonObject::add(std::string_view key, bool value) {
  private_->key(key);
  private_->writer.Bool(value);
  return *this;
}

JsonObject& JsonObject::add_null(std::string_view key) {
  private_->key(key);
  private_->writer.Null();
  return *this;
}

JsonObject& JsonObject::add(std::string_view key, const std::optional<std::int64_t>& value) {
  return value ? add(key, *value) : add_null(key);
}

JsonObject& JsonObject::add_optional(std::string_view key, std::string_view value) {
  return value.empty() ? add_null(key) : add(key, value);
}

JsonObject& JsonObject::add_json(std::string_view key, std::string_view json) {
  private_->key(key);
  private_->writer.RawValue(json.data(), json.size(), rapidjson::kObjectType);
  return *this;
}

std::string JsonObject::text() && {
  private_->writer.EndObject();
  return {private_->buffer.GetString(), private_->buffer.GetSize()};
}

}  // namespace diskrelease
