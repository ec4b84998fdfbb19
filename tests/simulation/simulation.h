#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace diskrelease::simulation {

/// How often things happened, to see that a simulation tests what it claims to.
struct Tally {
  std::int64_t lives = 0;
  std::int64_t killed = 0;      ///< lives that ended between two steps or while storing
  std::int64_t power_cuts = 0;  ///< of these, with what was not synced lost
  std::int64_t storage_failures = 0;
  std::int64_t steps = 0;
  std::int64_t releases = 0;  ///< requests
  std::int64_t reads = 0;
  std::int64_t unknown = 0;        ///< attempts
  std::int64_t proved_unsent = 0;  ///< attempts, by their marks
  std::int64_t verdicts = 0;
  std::int64_t resends = 0;          ///< verdicts "not executed"
  std::int64_t second_stages = 0;    ///< accepted
  std::int64_t races_destroyed = 0;  ///< by a call of ours, after a third party had recycled it
  std::int64_t races_named = 0;      ///< of these, with an alarm on record
  std::int64_t foreign_releases =
      0;  ///< alarms for disks that a third party has released before us
  std::int64_t unseen_destroyed = 0;  ///< by a call of ours without preflight
  std::int64_t accepted_twice = 0;    ///< after a third party had taken the disk out of the bin
  std::int64_t left_unknown = 0;      ///< items
  std::int64_t left_half_way = 0;     ///< purge: taken out of the bin by a third party
  std::int64_t foreign_lives = 0;
  std::int64_t untrue_reads = 0;   ///< complete, and with disks left out
  std::int64_t doubted_reads = 0;  ///< complete, and not believed without a control
  std::int64_t controls = 0;       ///< reads of the account

  Tally& operator+=(const Tally& other);
  [[nodiscard]] std::string text() const;
};

struct Result {
  std::vector<std::string> violations;
  std::string trace;  ///< one event a line; empty unless asked for
  Tally tally;
};

/// Draws everything from the seed - disks, settings, faults, third parties, when processes die -
/// and lets processes work on one or two runs until nothing is left to do. Then holds what the
/// server has seen against what the database says. The same seed gives the same result.
///
/// One at a time: it makes SQLite's file system its own meanwhile.
[[nodiscard]] Result simulate(std::uint64_t seed, bool with_trace);

}  // namespace diskrelease::simulation
