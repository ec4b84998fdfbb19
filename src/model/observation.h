#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/disk_id.h"

namespace diskrelease {

/// A disk's diskStatus in an answer of DescribeDisks (zenlayer/zenlayercloud-cli,
/// apis/en-US/zec/describe-disks.yaml), and absent. Persisted as text; a text is never renamed or
/// reused.
enum class DiskStatus {
  creating,
  available,
  in_use,
  attaching,
  detaching,
  changing,
  snapshot_creating,
  rolling_back,
  recycling,
  recycled,  ///< in the recycle bin: another ReleaseDisk destroys it for good
  deleting,
  failed,
  absent,  ///< not in a complete answer that was asked for it
  other,   ///< a status that this version does not know: not to be touched
};

/// "AVAILABLE"; "ABSENT" and "OTHER", which the API itself never says.
[[nodiscard]] std::string_view to_text(DiskStatus status) noexcept;
/// nullopt for a text that is none of the above.
[[nodiscard]] std::optional<DiskStatus> disk_status_from_text(std::string_view text) noexcept;

/// Whether the status ends by itself, in one that allows a decision.
[[nodiscard]] bool is_transitional(DiskStatus status) noexcept;

/// What one complete answer of DescribeDisks shows of one disk. Texts are from outside: cut to 128
/// bytes and made visible, never to be parsed.
struct Sighting {
  DiskId disk;
  DiskStatus status = DiskStatus::absent;
  std::string status_text;  ///< as received where status is `other`, else to_text(status)
  std::string disk_type;    ///< "SYSTEM", "DATA"; empty where the answer has none
  std::optional<bool> portable;
  std::string name;
  std::string zone;
  std::string category;
  std::string instance_id;  ///< empty where the disk is not attached
  std::optional<std::int64_t> size_gb;

  [[nodiscard]] bool is_system_disk() const noexcept { return disk_type == "SYSTEM"; }
};

/// Why disks are read. Persisted as text.
enum class ReadPurpose {
  preflight,  ///< before anything is sent for a disk
  settle,     ///< to find out how an unknown attempt ended
  verify,     ///< to see an accepted release come true
};
[[nodiscard]] std::string_view to_text(ReadPurpose purpose) noexcept;

}  // namespace diskrelease
