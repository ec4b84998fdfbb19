#pragma once

#include <optional>
#include <string>

#include "queries/run_queries.h"
#include "run/disk_reader.h"
#include "run/drive.h"
#include "run/release_watch.h"
#include "run/run_parts.h"
#include "store/database.h"

namespace diskrelease {

/// Reads back what became of the disks of a run: settles unknown outcomes, and sees accepted
/// releases come true. Goes round all open matters of the run, a hundred disks a read, until none
/// is left or the settle window has passed; then reads each once more. At the end it looks once
/// more at what this invocation has released (ReleaseWatch).
///
/// What was seen and decided lies in the audit database, not here, so an interruption loses nothing
/// and memory does not grow with the run.
class Reconciler {
 public:
  /// `database`: a connection of its own for reading.
  Reconciler(const RunParts& parts, Database database, const RunRecord& run, std::uint64_t seed);

  [[nodiscard]] Due step();

  /// Why disks could not be read, where reading has ended for that; else empty.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  Due next_page();
  Due end_round();
  /// Rounds are over: the disks that this invocation has released are looked at once more.
  Due last_look();
  void use(const DiskReader::Result& result);
  void use(const OpenMatter& matter, const Sighting& sighting, const DiskReader::Result& read);
  void use_half_way(const OpenMatter& matter, const Sighting& sighting, UtcTime seen);

  RunParts parts_;
  Database database_;
  RunRecord run_;
  DiskReader reader_;

  std::optional<SteadyTime> window_ends_;
  SteadyTime round_began_;
  bool in_round_ = false;
  bool last_round_ = false;
  bool found_any_ = false;
  bool last_page_ = false;  ///< page_ is the last one of the round
  ItemId cursor_;
  std::vector<OpenMatter> page_;
  std::vector<AcceptedRelease> looked_at_;  ///< by the last look
  bool rounds_over_ = false;
  std::string problem_;
};

}  // namespace diskrelease
