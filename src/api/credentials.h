#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/secret.h"

namespace diskrelease {

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

/// Finds one complete credential, taken whole from the first place that has any part of one:
///  1. the credentials file named by the options: {"access_key_id": "..", "access_key_secret":
///     ".."} or {"token": ".."}, or an object with one of these under each profile name
///  2. $CREDENTIALS_DIRECTORY (systemd): the files token, or access_key_id and access_key_secret,
///  or
///     credentials.json (as in 1); names with the prefix "diskrelease." are looked for first and do
///     not mix with those without
///  3. environment: ZENLAYER_TOKEN, or ZENLAYER_ACCESS_KEY_ID and ZENLAYER_ACCESS_KEY_SECRET; then
///     ZENLAYERCLOUD_ACCESS_KEY_ID and ZENLAYERCLOUD_ACCESS_KEY_PASSWORD (the Terraform provider's
///     names)
///  4. the official CLI's profile in $HOME/.zenlayer/credentials.json
///
/// Profile: option, ZENLAYER_PROFILE, current_profile of $HOME/.zenlayer/config.json (place 4
/// only), "default". It matters where profiles are read: one named by the option or
/// ZENLAYER_PROFILE that is not there is an error. A credential without profiles in the named file
/// excludes the option; otherwise a warning says that the name was not used.
///
/// Two traps of the official CLI (zenlayer/zenlayercloud-cli) are avoided: a token of the profile
/// does not win over keys of the environment, and an id is never paired with a secret from
/// elsewhere. Within one place a token wins over a key pair, with a warning. Half a pair is an
/// error.
///
/// A file has to be a regular one of at most 64 KiB. One that others can read or write, or that
/// belongs to somebody else than this user or root, is an error when named by the options and a
/// warning elsewhere. Values are trimmed; at most 4 KiB each. A key id or token that cannot stand
/// in a header is refused.
///
/// Throws CallsImpossible with a message that names every place looked at and what to do; never a
/// secret or anything else from a file. `warnings` may be null.
[[nodiscard]] Credential find_credential(const CredentialOptions& options,
                                         std::vector<std::string>* warnings);

}  // namespace diskrelease
