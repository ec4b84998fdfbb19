#include "platform/sha256.h"

#include <openssl/evp.h>

#include <array>
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

std::string Sha256::finish_hex() {
  std::array<unsigned char, 32> digest{};
  if (EVP_DigestFinal_ex(private_->context, digest.data(), nullptr) != 1) throw std::bad_alloc();
  private_->start();
  static constexpr char k_hex[] = "0123456789abcdef";
  std::string text;
  text.reserve(digest.size() * 2);
  for (const unsigned char byte : digest) {
    text += k_hex[byte >> 4];
    text += k_hex[byte & 15];
  }
  return text;
}

}  // namespace diskrelease
