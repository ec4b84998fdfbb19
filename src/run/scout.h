#pragma once

#include "run/disk_reader.h"
#include "run/drive.h"
#include "run/run_parts.h"

namespace diskrelease {

/// The preflight: looks at items in batches ahead of the senders and hands on those that may be
/// sent. One read for about a hundred disks; side by side with sending, so that a long run starts
/// at once, and where many requests are in flight, side by side with other scouts.
class Scout {
 public:
  Scout(const RunParts& parts, std::size_t lane, std::uint64_t seed);
  [[nodiscard]] Due step();

 private:
  void use(const DiskReader::Result& result);
  void use(WorkItem item, const Sighting& sighting, SteadyTime seen);

  RunParts parts_;
  DiskReader reader_;
  std::vector<WorkItem> batch_;
};

}  // namespace diskrelease
