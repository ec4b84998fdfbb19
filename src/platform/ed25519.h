#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace diskrelease {

/// Ed25519 signatures (RFC 8032) by OpenSSL. Keys are PEM files, as `openssl genpkey -algorithm
/// ed25519` makes them. Both classes may be used by several threads.

/// A private key. Its bytes stay with OpenSSL, which wipes them.
class SigningKey {
 public:
  /// Throws UsageError for a file that cannot be read, that others can read or change, that belongs
  /// to somebody else than this user or root, that is encrypted, or that is no Ed25519 key.
  [[nodiscard]] static SigningKey read(const std::filesystem::path& file);
  ~SigningKey();
  SigningKey(SigningKey&&) noexcept;

  /// 64 bytes.
  [[nodiscard]] std::string sign(std::string_view text) const;
  /// The public key as PEM, to be given to those who verify.
  [[nodiscard]] std::string public_key() const;

 private:
  struct Private;
  explicit SigningKey(std::unique_ptr<Private> key);
  std::unique_ptr<Private> private_;
};

/// A public key.
class VerifyingKey {
 public:
  /// Throws UsageError for a file that cannot be read or holds no public Ed25519 key.
  [[nodiscard]] static VerifyingKey read(const std::filesystem::path& file);
  ~VerifyingKey();
  VerifyingKey(VerifyingKey&&) noexcept;

  [[nodiscard]] bool verify(std::string_view text, std::string_view signature) const;

 private:
  struct Private;
  explicit VerifyingKey(std::unique_ptr<Private> key);
  std::unique_ptr<Private> private_;
};

/// Base64 (RFC 4648) without line breaks.
[[nodiscard]] std::string to_base64(std::string_view bytes);
/// nullopt for anything that to_base64() does not write.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace diskrelease
