#pragma once

#include "run/disk_reader.h"
#include "run/drive.h"
#include "run/run_parts.h"

namespace diskrelease {

/// The preflight: looks at items in batches just ahead of the senders and hands on those that may
/// be sent; side by side with sending, and where many requests are in flight, side by side with
/// other scouts. What else a read may name are accepted disks: so what goes wrong is seen within
/// seconds, at no further call.
class Scout {
 public:
  Scout(const RunParts& parts, std::size_t lane, std::uint64_t seed);
  [[nodiscard]] Due step();

 private:
  void use(const DiskReader::Result& result);
  void use(WorkItem item, const Sighting& sighting, WorkItem::Look look);

  RunParts parts_;
  DiskReader reader_;
  LookBatch batch_;
};

}  // namespace diskrelease
