#include "platform/sha256.h"

#include <openssl/evp.h>

#include <new>

namespace diskrelease {

struct Sha256::Private {
  EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();

  Private() {
    if (algorithm == nullptr || context == nullptr) throw std::bad_alloc();
    start();
  }
  ~Private() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(algorithm);
  }
  Private(const Private&) = delete;
  Private& operator=(const Private&) = delete;

  void start() {
    if (EVP_DigestInit_ex2(context, algorithm, nullptr) != 1) throw std::bad_alloc();
  }
};

Sha256::Sha256() : private_(std::make_unique<Private>()) {}
Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  if (EVP_DigestUpdate(private_->context, bytes.data(), bytes.size()) != 1) throw std::bad_alloc();
}

Sha256::Digest Sha256::finish() {
  Digest digest{};
  if (EVP_DigestFinal_ex(private_->context, reinterpret_cast<unsigned char*>(digest.data()),
                         nullptr) != 1) {
    throw std::bad_alloc();
  }
  private_->start();
  return digest;
}

std::string Sha256::finish_hex() {
  const Digest digest = finish();
  return to_hex({digest.data(), digest.size()});
}

std::string to_hex(std::string_view bytes) {
  static constexpr char k_hex[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += k_hex[byte >> 4];
    text += k_hex[byte & 15];
  }
  return text;
}

}  // namespace diskrelease
