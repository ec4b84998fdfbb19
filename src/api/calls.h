#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "api/credentials.h"
#include "model/attempt.h"
#include "model/time.h"
#include "net/http.h"

namespace diskrelease {

/// What all calls of an invocation have in common. Constant once made; may be shared by threads.
struct Caller {
  Credential credential;
  std::string host_header;  ///< as the transport sends it, lower case; it is signed
  std::string client_tag;   ///< X-ZC-Request-Client, "diskrelease-<version>"; the Go SDK allows
                            ///< [0-9a-zA-Z-_ ,;.] and 128 bytes
};

/// The provider documents no limit of ids for DescribeDisks; instances have one of 100.
inline constexpr std::size_t k_max_described_disks = 100;

/// A signed ReleaseDisk call, which nobody gets at before its attempt departs.
class ReleaseRequest {
 public:
  ReleaseRequest(AttemptId attempt, HttpRequest request)
      : attempt_(attempt), request_(std::move(request)) {}

  /// Valid as long as this object. Aborts for the departure of another attempt.
  [[nodiscard]] const HttpRequest& of(const Departure& departure) const;

 private:
  AttemptId attempt_;
  HttpRequest request_;
};

/// ReleaseDisk for an attempt whose intent is durable, signed for this moment. POST /api/v2/zec,
/// version 2025-09-01, body {"diskId":"..."}; sign anew for every attempt, a signature is good for
/// five minutes.
[[nodiscard]] ReleaseRequest release_disk_request(const Caller& caller, const OpenAttempt& attempt,
                                                  UtcTime now);

/// DescribeDisks by id: pageNum 1, pageSize = number of ids. 1 to k_max_described_disks ids, else
/// it aborts: without ids the call would mean all disks of the account. Read-only.
[[nodiscard]] HttpRequest describe_disks_request(const Caller& caller,
                                                 std::span<const DiskId> disks, UtcTime now);

/// DescribeDisks without ids for the first disk of the account, whichever it is: whether the
/// account is shown at all. Read-only.
[[nodiscard]] HttpRequest describe_account_request(const Caller& caller, UtcTime now);

}  // namespace diskrelease
