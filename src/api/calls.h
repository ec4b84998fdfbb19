#pragma once

#include <span>
#include <string>

#include "api/credentials.h"
#include "model/attempt.h"
#include "model/time.h"
#include "net/http.h"

namespace diskrelease {

/// What all calls of an invocation have in common. Constant once made; may be shared by threads.
struct Caller {
  Credential credential;
  std::string host_header;  ///< as the transport sends it; it is signed
  std::string client_tag;   ///< X-ZC-Request-Client, "diskrelease-<version>"
};

/// ReleaseDisk for an attempt whose intent is durable, signed for this moment. POST /api/v2/zec,
/// version 2025-09-01, body {"diskId":"..."}; sign anew for every attempt, a signature is good for
/// five minutes.
[[nodiscard]] HttpRequest release_disk_request(const Caller& caller, const OpenAttempt& attempt,
                                               UtcTime now);

/// DescribeDisks by id: pageNum 1, pageSize = number of ids. Precondition: 1 to 100 ids; without
/// ids the call would mean all disks. Read-only.
[[nodiscard]] HttpRequest describe_disks_request(const Caller& caller,
                                                 std::span<const DiskId> disks, UtcTime now);

}  // namespace diskrelease
