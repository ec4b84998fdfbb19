#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "api/credentials.h"
#include "net/http.h"

namespace diskrelease {

/// Takes our own secrets out of what others say: the access key secret or the bearer token, and the
/// signature of one request. A server, a proxy or a debug page may repeat what it was sent, and
/// what they say is recorded for good. Wiped on destruction.
class Blanking {
 public:
  /// Knows no secret: for what is said where there is no credential.
  Blanking() = default;
  /// The secret alone: for failures before a request was signed.
  explicit Blanking(const Credential& credential);
  /// Also what stands in the request's Authorization header.
  Blanking(const Credential& credential, const HttpRequest& request);

  /// The text with "[secret]" in place of every secret, however its letters are cased and its
  /// characters escaped (%2F, \/, \u002f), and of one whose beginning is cut off by the end of the
  /// text. Only the first 64 KiB are kept. To be called before a text is cut or made visible.
  [[nodiscard]] std::string operator()(std::string_view text) const;

  /// Shorter ones would be found everywhere, and keep nothing secret.
  static constexpr std::size_t k_shortest_secret = 4;
  /// So much of a secret at the end of a text is taken for a secret that was cut.
  static constexpr std::size_t k_shortest_part = 8;

 private:
  void add(std::string_view secret);

  std::vector<Secret> secrets_;
};

}  // namespace diskrelease
