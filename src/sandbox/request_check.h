#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/time.h"
#include "net/http.h"
#include "sandbox/disk_model.h"

namespace diskrelease::sandbox {

/// A request as it came off the wire.
struct ReceivedRequest {
  std::string method;
  std::string path;
  HeaderFields headers;  ///< names in lower case, values without white space around them
  std::string body;
};

/// First value of a request header; empty when absent.
[[nodiscard]] std::string_view header(const ReceivedRequest& request,
                                      std::string_view lower_case_name) noexcept;

/// What the simulator lets in. Obviously fake by default.
struct SandboxCredentials {
  std::string key_id = "SANDBOXKEY0000000001";
  std::string key_secret = "sandbox-key-secret-not-a-real-one";
  std::string token = "sandbox-token-not-a-real-one";
};

/// Timestamps may differ from the server's clock by this much (the limit itself is allowed).
/// Five minutes: zenlayer/zenlayer-cloud-csi-driver, pkg/cloud/error.go.
inline constexpr std::chrono::seconds k_max_skew{300};

/// The signature ZC2-HMAC-SHA256 demands for these received bytes, as lower-case hex. Written apart
/// from the client's signer on purpose: the two check each other.
[[nodiscard]] std::string expected_signature(std::string_view secret, std::string_view timestamp,
                                             const ReceivedRequest& request);

/// nullopt = let in. Order: Authorization and its companions well-formed, timestamp within
/// k_max_skew, key id and signature (or token) right. `refused_status` is the HTTP status of all
/// three refusals; the provider does not document it. Path, action and version are not signed.
[[nodiscard]] std::optional<ApiError> check_authorization(const ReceivedRequest& request,
                                                          const SandboxCredentials& credentials,
                                                          UtcTime server_time, int refused_status);

enum class Action { unknown, release_disk, renew_disk, describe_disks };

/// All that can be told of a request without the state of the account.
struct CheckedRequest {
  Action action = Action::unknown;
  std::string action_name;  ///< as sent
  std::string client_tag;   ///< X-ZC-Request-Client
  /// Not the API at all: 404 for another path, 405 for another method; answered without JSON.
  std::optional<int> not_the_api;
  std::optional<ApiError> refusal;         ///< authorization, action, version
  std::optional<ApiError> bad_parameters;  ///< of the body; counts only without a refusal
  std::vector<std::string> disk_ids;       ///< the disks asked for, as far as the body tells
  DescribeQuery query;                     ///< for describe_disks
};

struct CheckSettings {
  SandboxCredentials credentials;
  int auth_status = 401;
  std::chrono::seconds clock_offset{0};  ///< the server's clock is ahead by this much
};

/// Pure; never throws for what a request holds. `now` is the true time, without clock_offset.
[[nodiscard]] CheckedRequest check_request(const ReceivedRequest& request,
                                           const CheckSettings& settings, UtcTime now);

}  // namespace diskrelease::sandbox
