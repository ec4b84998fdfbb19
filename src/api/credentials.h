#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace diskrelease {

/// A secret text. Has no stream or string conversion; reveal() is the one way out, and its callers
/// are the signer and the Authorization header. Wiped on destruction.
class Secret {
 public:
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(Secret&&) noexcept = default;
  ~Secret();

  [[nodiscard]] std::string_view reveal() const noexcept { return value_; }

 private:
  std::string value_;
};

/// Who calls: an access key pair, or a bearer token.
struct Credential {
  enum class Kind { key_pair, bearer };
  Kind kind = Kind::key_pair;
  /// Key pair: the access key id (not a secret). Bearer: "token:" and the first 12 hex digits of
  /// its SHA-256.
  std::string id;
  Secret secret;       ///< access key secret, or the token
  std::string source;  ///< where it was found, for people: "environment ZENLAYER_ACCESS_KEY_ID",
                       ///< "/path/file"

  /// "...0001 (key pair from environment ...)": the last four characters of the id and the source.
  [[nodiscard]] std::string hint() const;
};

struct CredentialOptions {
  std::optional<std::string> credentials_file;  ///< --credentials-file or the job's
  std::optional<std::string> profile;           ///< --profile or the job's
  /// Reads an environment variable; nullopt when unset. Empty values count as unset.
  std::function<std::optional<std::string>(const char*)> environment;
};

/// Finds one complete credential, taken whole from the first level that has any part of one:
///  1. the credentials file named by the options
///  2. $CREDENTIALS_DIRECTORY (systemd): token, or access_key_id + access_key_secret, or
///  credentials.json, each optionally
///     prefixed "diskrelease." (see docs/operations.md)
///  3. environment: ZENLAYER_TOKEN, or ZENLAYER_ACCESS_KEY_ID + ZENLAYER_ACCESS_KEY_SECRET; then
///     ZENLAYERCLOUD_ACCESS_KEY_ID + ZENLAYERCLOUD_ACCESS_KEY_PASSWORD (the Terraform provider's
///     names)
///  4. the official CLI's profile in $HOME/.zenlayer/credentials.json
/// An explicitly named profile (option or ZENLAYER_PROFILE) that does not exist is an error. Half a
/// pair is an error. A file that others can read is an error for --credentials-file and a warning
/// elsewhere. Both values are trimmed. Throws CallsImpossible with a message that names every place
/// looked at; never a secret.
[[nodiscard]] Credential find_credential(const CredentialOptions& options,
                                         std::vector<std::string>* warnings);

}  // namespace diskrelease
