#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace diskrelease {

/// SHA-256 fed piece by piece (OpenSSL EVP). Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::string_view bytes);
  /// Lower-case hex of the digest; the object starts over.
  [[nodiscard]] std::string finish_hex();

  using Digest = std::array<char, 32>;
  /// The digest itself; the object starts over.
  [[nodiscard]] Digest finish();

 private:
  struct Private;
  std::unique_ptr<Private> private_;
};

/// Lower-case hex.
[[nodiscard]] std::string to_hex(std::string_view bytes);

}  // namespace diskrelease
