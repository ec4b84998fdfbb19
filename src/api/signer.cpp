#include "api/signer.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
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

std::string hex(const unsigned char* bytes, std::size_t size) {
  return to_hex({reinterpret_cast<const char*>(bytes), size});
}

/// HMAC-SHA256 that is set up once: fetching both at every call costs twice as much as signing a
/// request. What it keeps of the latest key is wiped with it.
class Hmac {
 public:
  Hmac()
      : algorithm_(EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr)),
        context_(algorithm_ ? EVP_MAC_CTX_new(algorithm_.get()) : nullptr) {
    std::string digest = OSSL_DIGEST_NAME_SHA2_256;
    const std::array parameters{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end()};
    if (!context_ || EVP_MAC_CTX_set_params(context_.get(), parameters.data()) != 1) fail();
  }

  std::string hex_of(std::string_view key, std::string_view message) {
    // A null pointer would mean the key of the call before.
    const char* const bytes = key.empty() ? "" : key.data();
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    std::size_t size = 0;
    if (EVP_MAC_init(context_.get(), reinterpret_cast<const unsigned char*>(bytes), key.size(),
                     nullptr) != 1 ||
        EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(message.data()),
                       message.size()) != 1 ||
        EVP_MAC_final(context_.get(), mac.data(), &size, mac.size()) != 1) {
      fail();
    }
    return hex(mac.data(), size);
  }

 private:
  std::unique_ptr<EVP_MAC, decltype([](EVP_MAC* mac) { EVP_MAC_free(mac); })> algorithm_;
  std::unique_ptr<EVP_MAC_CTX, decltype([](EVP_MAC_CTX* mac) { EVP_MAC_CTX_free(mac); })> context_;
};

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
  thread_local Hmac hmac;
  return hmac.hex_of(secret, string_to_sign(parts));
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
