#include "api/signer.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <limits>
#include <memory>
#include <stdexcept>

#include "platform/sha256.h"

namespace diskrelease {
namespace {

constexpr std::string_view k_algorithm = "ZC2-HMAC-SHA256";
constexpr std::string_view k_signed_headers = "content-type;host";

[[noreturn]] void fail() {
  throw std::runtime_error(
      "OpenSSL cannot compute SHA-256, so no request can be signed; check the OpenSSL installation "
      "and its configuration (FIPS providers)");
}

// Fetched once: an implicit fetch at every call costs more than hashing a request.
const EVP_MD* sha256() {
  static const std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> digest(
      EVP_MD_fetch(nullptr, "SHA256", nullptr), &EVP_MD_free);
  if (!digest) fail();
  return digest.get();
}

std::string hex(const unsigned char* bytes, unsigned int size) {
  return to_hex({reinterpret_cast<const char*>(bytes), size});
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, sha256(), nullptr) != 1) fail();
  return hex(digest.data(), size);
}

std::string canonical_request(const SignedParts& parts) {
  std::string text = "POST\n/\n\ncontent-type:";
  text.append(parts.content_type).append("\nhost:").append(parts.host).append("\n\n");
  text.append(k_signed_headers).append("\n").append(sha256_hex(parts.body));
  return text;
}

std::string string_to_sign(const SignedParts& parts) {
  std::string text(k_algorithm);
  text.append("\n").append(std::to_string(parts.unix_seconds)).append("\n");
  text.append(sha256_hex(canonical_request(parts)));
  return text;
}

std::string zc2_signature(std::string_view secret, const SignedParts& parts) {
  if (secret.size() > std::size_t{std::numeric_limits<int>::max()}) fail();
  const std::string message = string_to_sign(parts);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned int size = 0;
  const auto* result = HMAC(sha256(), secret.data(), static_cast<int>(secret.size()),
                            reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                            mac.data(), &size);
  if (result == nullptr) fail();
  return hex(mac.data(), size);
}

std::string authorization(const Credential& credential, const SignedParts& parts) {
  switch (credential.kind) {
    case Credential::Kind::bearer:
      return std::string("Bearer ").append(credential.secret.reveal());
    case Credential::Kind::key_pair:
      break;
  }
  std::string value(k_algorithm);
  value.append(" Credential=").append(credential.id);
  value.append(", SignedHeaders=").append(k_signed_headers);
  value.append(", Signature=").append(zc2_signature(credential.secret.reveal(), parts));
  return value;
}

}  // namespace diskrelease
