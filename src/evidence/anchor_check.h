#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "evidence/anchor_file.h"
#include "evidence/chain.h"
#include "store/database.h"

namespace diskrelease {

/// What an anchor file says of the database that it belongs to.
struct LatestAnchor {
  std::filesystem::path file;
  Anchor anchor;
};

/// The latest anchors of several files, and what is odd about these.
struct LatestAnchors {
  std::vector<LatestAnchor> anchors;
  std::vector<std::string> warnings;
};

/// Reads the last anchor of each. A file that is not there says nothing, nor does what cannot be
/// read again, as a pipe. Throws AuditUnusable for a file that cannot be read.
[[nodiscard]] LatestAnchors read_latest_anchors(const std::vector<std::filesystem::path>& files);

/// A database that is not the one that an anchor names: an older copy, another one, or one that has
/// lost its write-ahead log.
struct Contradiction {
  LatestAnchor latest;
  ChainHead found;                    ///< of the database; empty without one
  std::optional<UtcTime> found_time;  ///< when the latest invocation in it began
  std::string found_hash;             ///< of the anchored block; empty = it is not there
};

/// The end of a chain; empty for a database whose making was cut off, and without one (nullptr).
[[nodiscard]] ChainHead head_of_chain(Database* database);

/// Those of the anchors whose block the database does not have with the same hash. A database that
/// is ahead of its anchors contradicts none. Looks up single blocks. nullptr = there is no
/// database.
[[nodiscard]] std::vector<Contradiction> contradictions(Database* database,
                                                        const std::vector<LatestAnchor>& anchors);

/// What was found and what it means: two lines without an end.
[[nodiscard]] std::string describe(const Contradiction& contradiction,
                                   const std::filesystem::path& database);

/// Both positions in the chain, for the record.
[[nodiscard]] std::string positions(const Contradiction& contradiction);

}  // namespace diskrelease
