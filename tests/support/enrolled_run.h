#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/disk_id.h"
#include "model/run_record.h"
#include "store/database.h"

namespace diskrelease {

/// Throws std::bad_variant_access where the text is no disk id.
[[nodiscard]] DiskId disk_id(const std::string& text);

/// 2026-11-18, in round numbers.
inline constexpr UtcTime k_test_time{std::chrono::milliseconds(1'795'000'000'000)};

/// Goal release at 127.0.0.1:1, from "list.txt".
[[nodiscard]] RunDescription test_description();

/// A run over these disks, on lines 1, 2, ...
RunRecord enrol(Database& database, const std::vector<std::string>& disks,
                const RunDescription& description = test_description(), UtcTime at = k_test_time);

InvocationId begin_test_invocation(Database& database, RunId run, UtcTime at = k_test_time,
                                   const std::string& credential = "AKTEST0001");

/// "disk-1" .. "disk-<count>".
[[nodiscard]] std::vector<std::string> numbered_disks(int count);

}  // namespace diskrelease
