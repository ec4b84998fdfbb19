#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>

namespace diskrelease::sandbox {

struct FreePrivateKey {
  void operator()(EVP_PKEY* key) const noexcept;
};
struct FreeCertificate {
  void operator()(X509* certificate) const noexcept;
};

/// A certificate for localhost, 127.0.0.1 and ::1, and the CA that signed it. EC P-256, made anew
/// by each call, never written anywhere; the CA's key is forgotten.
struct ServerIdentity {
  std::unique_ptr<EVP_PKEY, FreePrivateKey> key;
  std::unique_ptr<X509, FreeCertificate> certificate;
  std::string ca_pem;
};

/// Throws std::runtime_error when OpenSSL refuses.
[[nodiscard]] ServerIdentity make_server_identity();

}  // namespace diskrelease::sandbox
