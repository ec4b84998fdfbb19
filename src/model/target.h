#pragma once

#include <cstdint>

#include "model/disk_id.h"

namespace diskrelease {

/// One validated entry of a list.
struct Target {
  DiskId disk;
  std::int64_t source_line = 0;  ///< 1-based line on which the entry begins
};

}  // namespace diskrelease
