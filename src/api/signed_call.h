#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/calls.h"

// Private to the api room: building any call, the dangerous one included, from plain values.
// Everybody else goes through calls.h, where ReleaseDisk demands an OpenAttempt.

namespace diskrelease {

/// A signed POST /api/v2/zec, version 2025-09-01. The action is an API action name; the body is
/// compact JSON.
[[nodiscard]] HttpRequest signed_call(const Caller& caller, std::string_view action,
                                      std::string body, UtcTime now);

[[nodiscard]] std::string release_disk_body(const DiskId& disk);

/// Aborts unless 1 to k_max_described_disks ids are given.
[[nodiscard]] std::string describe_disks_body(std::span<const DiskId> disks);

}  // namespace diskrelease
