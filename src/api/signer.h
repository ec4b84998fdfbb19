#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/credentials.h"

namespace diskrelease {

/// The parts that ZC2-HMAC-SHA256 signs
/// (docs.console.zenlayer.com/api-reference/api-introduction/instruction/sign). Path, action and
/// version are not among them; the canonical path is always "/".
struct SignedParts {
  std::string_view content_type;
  std::string_view host;  ///< exactly as in the Host header
  std::string_view body;
  std::int64_t unix_seconds = 0;
};

/// Lower-case hex of SHA-256.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

/// Lower-case hex of the request signature.
[[nodiscard]] std::string zc2_signature(std::string_view secret, const SignedParts& parts);

/// The value of the Authorization header: ZC2-HMAC-SHA256, or Bearer for a token.
[[nodiscard]] std::string authorization(const Credential& credential, const SignedParts& parts);

}  // namespace diskrelease
