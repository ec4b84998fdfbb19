#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/classify.h"
#include "model/observation.h"
#include "net/http.h"

namespace diskrelease {

/// What one reply to DescribeDisks proves.
struct DescribeReading {
  enum class Kind {
    complete,   ///< every disk asked for is accounted for
    throttled,  ///< refused for rate
    failed,     ///< anything else that may be better next time: nothing is known of any disk
    stop,       ///< every further call would end so; `stop` says why
  };
  Kind kind = Kind::failed;
  /// With `complete`: one for each disk asked for, in that order, absent ones included. Else empty:
  /// a failed, partial or odd answer never makes a disk absent.
  std::vector<Sighting> sightings;
  std::optional<StopCause> stop;
  std::optional<int> http_status;
  std::string api_code;    ///< as in Classification
  std::string request_id;  ///< as in Classification
  std::string message;     ///< why the answer is not complete; made visible, at most 1 KiB
  std::optional<std::chrono::milliseconds> retry_after;  ///< only with throttled; capped at 60 s
};

/// Pure and thread-safe. `asked` are the ids of the request, each once, 1 to k_max_described_disks.
///
/// Complete is only a 200 with the documented document: no code, a request id (the same inside and
/// outside), totalCount a number equal to the rows of dataSet and not above the ids asked for,
/// every row an object with a diskId that was asked for, none twice, each with a diskStatus. Nulls
/// count as missing and unknown members are ignored, since the provider sends both. A missing id is
/// not an error of the API: its row is left out (zenlayer/zenlayer-cloud-csi-driver, FindVolume).
/// `blank` takes the secrets of the request out of every text; it decides nothing.
[[nodiscard]] DescribeReading classify_describe(const Reply& reply, std::span<const DiskId> asked,
                                                const Blanking& blank);

/// What a reply to describe_account_request() proves: `complete` only where the documented document
/// shows at least one disk, whose sighting it has then. An account without any looks like an answer
/// that has lost all. Pure and thread-safe.
[[nodiscard]] DescribeReading classify_account(const Reply& reply, const Blanking& blank);

}  // namespace diskrelease
