#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/credentials.h"

namespace diskrelease {

/// The parts that ZC2-HMAC-SHA256 signs
/// (docs.console.zenlayer.com/api-reference/api-introduction/instruction/sign; the official Go and
/// Python SDKs agree). Path, action and version are not among them; the canonical path is always
/// "/" and the query always empty. There is no key derivation: the secret is the HMAC key.
struct SignedParts {
  std::string_view content_type;  ///< exactly as in the header; lower case, since the documented
                                  ///< rule lower-cases values and the SDKs do not
  std::string_view host;          ///< exactly as in the Host header, port included; lower case
  std::string_view body;          ///< the bytes that will be sent
  std::int64_t unix_seconds = 0;  ///< also the X-ZC-Timestamp header; good for five minutes
};

// All functions are pure and thread-safe. They throw std::runtime_error when OpenSSL cannot compute
// SHA-256, and nothing else but std::bad_alloc.

/// Lower-case hex of SHA-256.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

/// What the signature covers but for the time: method, path, query, the two signed headers and the
/// hash of the body, one a line; no line end after the hash.
[[nodiscard]] std::string canonical_request(const SignedParts& parts);

/// The message of the HMAC: method name, timestamp, hash of the canonical request.
[[nodiscard]] std::string string_to_sign(const SignedParts& parts);

/// Lower-case hex of the request signature. The secret may hold any bytes.
[[nodiscard]] std::string zc2_signature(std::string_view secret, const SignedParts& parts);

/// The value of the Authorization header: ZC2-HMAC-SHA256, or Bearer for a token, which signs
/// nothing. A secret either way for as long as the signature is good: never recorded.
[[nodiscard]] std::string authorization(const Credential& credential, const SignedParts& parts);

}  // namespace diskrelease
