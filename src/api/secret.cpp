#include "api/secret.h"

#include <openssl/crypto.h>

namespace diskrelease {

void wipe(std::string& text) noexcept {
  text.resize(text.capacity());  // within the capacity: does not allocate
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

// Swapping and wiping the other side, instead of moving: a moved-from short string keeps its bytes.
Secret::Secret(std::string value) {
  value_.swap(value);
  wipe(value);
}

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) *this = Secret(other);
  return *this;
}

Secret::Secret(Secret&& other) noexcept {
  value_.swap(other.value_);
  wipe(other.value_);
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe(value_);
    value_.swap(other.value_);
    wipe(other.value_);
  }
  return *this;
}

}  // namespace diskrelease
