#include "sandbox/request_check.h"

#include <Poco/Dynamic/Var.h>
#include <Poco/Exception.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <array>
#include <charconv>
#include <span>

namespace diskrelease::sandbox {
namespace {

using Poco::Dynamic::Var;

constexpr std::string_view k_method = "ZC2-HMAC-SHA256";

std::string hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4U];
    text += digits[byte & 0x0fU];
  }
  return text;
}

std::string digest(std::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> out{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out.data());
  return hex(out);
}

bool same(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<std::int64_t> decimal(std::string_view text) noexcept {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Takes `prefix` off the front of `text`.
bool consume(std::string_view& text, std::string_view prefix) noexcept {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

struct KeyPairClaim {
  std::string_view key_id;
  std::string_view signature;
};

std::optional<KeyPairClaim> parse_claim(std::string_view text) noexcept {
  if (!consume(text, k_method) || !consume(text, " Credential=")) return std::nullopt;
  const auto id_end = text.find(',');
  if (id_end == std::string_view::npos || id_end == 0) return std::nullopt;
  KeyPairClaim claim{text.substr(0, id_end), {}};
  text.remove_prefix(id_end);
  if (!consume(text, ", SignedHeaders=content-type;host, Signature=")) return std::nullopt;
  if (text.size() != std::size_t{2} * SHA256_DIGEST_LENGTH) return std::nullopt;
  claim.signature = text;
  return claim;
}

ApiError wrong_type(std::string_view name) {
  return {400, "INVALID_PARAMETER_TYPE",
          "The parameter `" + std::string(name) + "` has a wrong type."};
}

/// Reads the parameters of a body; the first error wins.
class Parameters {
 public:
  explicit Parameters(const std::string& body) {
    try {
      Poco::JSON::Parser parser;
      const Var document = parser.parse(body);
      if (document.type() == typeid(Poco::JSON::Object::Ptr)) {
        object_ = document.extract<Poco::JSON::Object::Ptr>();
        return;
      }
    } catch (const Poco::Exception&) {
      object_ = nullptr;
    }
    error_ = ApiError{400, "INVALID_PARAMETER_TYPE", "The body is not a JSON object."};
  }

  [[nodiscard]] const std::optional<ApiError>& error() const noexcept { return error_; }

  std::optional<std::string> text(const char* name) {
    const Var value = find(name);
    if (value.isEmpty()) return std::nullopt;
    if (!value.isString()) {
      fail(wrong_type(name));
      return std::nullopt;
    }
    return value.extract<std::string>();
  }

  std::optional<std::string> required_text(const char* name) {
    auto value = text(name);
    if (value && !value->empty()) return value;
    fail({400, "MISSING_PARAMETER", "The parameter `" + std::string(name) + "` is missing."});
    return std::nullopt;
  }

  std::int64_t integer(const char* name, std::int64_t otherwise) {
    const Var value = find(name);
    if (value.isEmpty()) return otherwise;
    if (!value.isInteger() || value.isBoolean()) {
      fail(wrong_type(name));
      return otherwise;
    }
    return value.convert<std::int64_t>();
  }

  std::vector<std::string> texts(const char* name) {
    std::vector<std::string> values;
    const Var value = find(name);
    if (value.isEmpty()) return values;
    if (value.type() != typeid(Poco::JSON::Array::Ptr)) {
      fail(wrong_type(name));
      return values;
    }
    for (const Var& element : *value.extract<Poco::JSON::Array::Ptr>()) {
      if (!element.isString()) {
        fail(wrong_type(name));
        return values;
      }
      values.push_back(element.extract<std::string>());
    }
    return values;
  }

 private:
  Var find(const char* name) const { return object_.isNull() ? Var{} : object_->get(name); }
  void fail(ApiError error) {
    if (!error_) error_ = std::move(error);
  }

  Poco::JSON::Object::Ptr object_;
  std::optional<ApiError> error_;
};

DescribeQuery read_query(Parameters& parameters) {
  DescribeQuery query;
  query.disk_ids = parameters.texts("diskIds");
  query.disk_name = parameters.text("diskName");
  query.disk_status = parameters.text("diskStatus");
  query.disk_type = parameters.text("diskType");
  query.zone_id = parameters.text("zoneId");
  query.region_id = parameters.text("regionId");
  query.instance_id = parameters.text("instanceId");
  query.page_num = parameters.integer("pageNum", query.page_num);
  query.page_size = parameters.integer("pageSize", query.page_size);
  return query;
}

Action action_from_text(std::string_view name) noexcept {
  if (name == "ReleaseDisk") return Action::release_disk;
  if (name == "RenewDisk") return Action::renew_disk;
  if (name == "DescribeDisks") return Action::describe_disks;
  return Action::unknown;
}

bool known_version(std::string_view version, bool with_token) noexcept {
  if (version.empty()) return with_token;
  return version == "2025-09-01" || version == "2024-04-01";
}

}  // namespace

std::string_view header(const ReceivedRequest& request, std::string_view lower_case_name) noexcept {
  for (const auto& [name, value] : request.headers) {
    if (name == lower_case_name) return value;
  }
  return {};
}

std::string expected_signature(std::string_view secret, std::string_view timestamp,
                               const ReceivedRequest& request) {
  std::string canonical = "POST\n/\n\ncontent-type:";
  canonical += header(request, "content-type");
  canonical += "\nhost:";
  canonical += header(request, "host");
  canonical += "\n\ncontent-type;host\n";
  canonical += digest(request.body);

  std::string to_sign(k_method);
  to_sign += '\n';
  to_sign += timestamp;
  to_sign += '\n';
  to_sign += digest(canonical);

  std::array<unsigned char, SHA256_DIGEST_LENGTH> mac{};
  unsigned int length = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(to_sign.data()), to_sign.size(), mac.data(), &length);
  return hex(mac);
}

std::optional<ApiError> check_authorization(const ReceivedRequest& request,
                                            const SandboxCredentials& credentials,
                                            UtcTime server_time, int refused_status) {
  const ApiError invalid{refused_status, "AUTHFAILURE_INVALID_AUTHORIZATION",
                         "The Authorization header or a header that belongs to it is malformed."};
  const ApiError failure{refused_status, "AUTHFAILURE_SIGNATURE_FAILURE",
                         "The signature or the token is not right."};
  std::string_view authorization = header(request, "authorization");
  if (consume(authorization, "Bearer ")) {
    if (same(authorization, credentials.token)) return std::nullopt;
    return failure;
  }
  const auto claim = parse_claim(authorization);
  const auto timestamp_text = header(request, "x-zc-timestamp");
  const auto timestamp = decimal(timestamp_text);
  if (!claim || !timestamp || header(request, "x-zc-signature-method") != k_method) return invalid;

  // Compared without subtracting the client's number, which can be anything.
  const auto now = std::chrono::floor<std::chrono::seconds>(server_time).time_since_epoch();
  if (*timestamp < (now - k_max_skew).count() || *timestamp > (now + k_max_skew).count()) {
    return ApiError{refused_status, "AUTHFAILURE_SIGNATURE_EXPIRED",
                    "The timestamp is more than five minutes away from the server's clock."};
  }
  const auto expected = expected_signature(credentials.key_secret, timestamp_text, request);
  const bool known_key = same(claim->key_id, credentials.key_id);
  if (!same(claim->signature, expected) || !known_key) return failure;
  return std::nullopt;
}

CheckedRequest check_request(const ReceivedRequest& request, const CheckSettings& settings,
                             UtcTime now) {
  CheckedRequest checked;
  checked.action_name = header(request, "x-zc-action");
  checked.client_tag = header(request, "x-zc-request-client");
  if (request.path != "/api/v2/zec") {
    checked.not_the_api = 404;
    return checked;
  }
  if (request.method != "POST") {
    checked.not_the_api = 405;
    return checked;
  }
  checked.action = action_from_text(checked.action_name);
  const bool with_token = header(request, "authorization").starts_with("Bearer ");
  checked.refusal = check_authorization(request, settings.credentials, now + settings.clock_offset,
                                        settings.auth_status);
  if (!checked.refusal && (checked.action == Action::unknown ||
                           !known_version(header(request, "x-zc-version"), with_token))) {
    checked.refusal = ApiError{403, "AUTHFAILURE_UNAUTHORIZED_OPERATION",
                               "Confirm that the API exists or that permission is granted."};
  }

  Parameters parameters(request.body);
  switch (checked.action) {
    case Action::release_disk:
    case Action::renew_disk:
      if (auto id = parameters.required_text("diskId")) checked.disk_ids = {*std::move(id)};
      break;
    case Action::describe_disks:
      checked.query = read_query(parameters);
      checked.disk_ids = checked.query.disk_ids;
      break;
    case Action::unknown:
      break;
  }
  checked.bad_parameters = parameters.error();
  return checked;
}

}  // namespace diskrelease::sandbox
