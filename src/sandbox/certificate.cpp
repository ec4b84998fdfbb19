#include "sandbox/certificate.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <stdexcept>

namespace diskrelease::sandbox {
namespace {

using Key = std::unique_ptr<EVP_PKEY, FreePrivateKey>;
using Certificate = std::unique_ptr<X509, FreeCertificate>;

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("OpenSSL cannot make the sandbox's ") + what);
}

Key new_key() {
  Key key(EVP_EC_gen("P-256"));
  require(key != nullptr, "key");
  return key;
}

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  require(extension != nullptr, "certificate extension");
  const int added = X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  require(added == 1, "certificate extension");
}

/// Valid from a day ago, for clients whose clock is behind, for a year.
Certificate new_certificate(EVP_PKEY* key, const char* common_name) {
  constexpr long k_day = 24L * 3600;
  Certificate certificate(X509_new());
  require(certificate != nullptr, "certificate");
  std::uint32_t serial = 0;
  require(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "serial");
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  require(X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
              ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -k_day) != nullptr &&
              X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 365 * k_day) != nullptr &&
              X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                         reinterpret_cast<const unsigned char*>(common_name), -1,
                                         -1, 0) == 1 &&
              X509_set_pubkey(certificate.get(), key) == 1,
          "certificate");
  return certificate;
}

std::string as_pem(X509* certificate) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
  require(memory != nullptr && PEM_write_bio_X509(memory.get(), certificate) == 1, "PEM text");
  char* text = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<std::size_t>(length)};
}

}  // namespace

void FreePrivateKey::operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
void FreeCertificate::operator()(X509* certificate) const noexcept { X509_free(certificate); }

ServerIdentity make_server_identity() {
  const Key ca_key = new_key();
  const Certificate ca = new_certificate(ca_key.get(), "diskrelease sandbox CA");
  require(X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get())) == 1, "CA");
  add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
  require(X509_sign(ca.get(), ca_key.get(), EVP_sha256()) > 0, "CA signature");

  ServerIdentity identity;
  identity.key = new_key();
  identity.certificate = new_certificate(identity.key.get(), "localhost");
  X509* const server = identity.certificate.get();
  require(X509_set_issuer_name(server, X509_get_subject_name(ca.get())) == 1, "certificate");
  add_extension(server, ca.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(server, ca.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(server, ca.get(), NID_ext_key_usage, "serverAuth");
  add_extension(server, ca.get(), NID_subject_key_identifier, "hash");
  add_extension(server, ca.get(), NID_authority_key_identifier, "keyid");
  add_extension(server, ca.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
  require(X509_sign(server, ca_key.get(), EVP_sha256()) > 0, "certificate signature");
  identity.ca_pem = as_pem(ca.get());
  return identity;
}

}  // namespace diskrelease::sandbox
