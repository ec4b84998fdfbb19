#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "audit/chain.h"
#include "model/time.h"

namespace diskrelease {

/// What was written down about the end of the chain at some time, to be kept where those who can
/// write the database cannot write: it shows that a database was cut off, rolled back or replaced.
///
/// A line of an anchor file: `diskrelease-anchor 1 CHAIN BLOCK HASH TIME`, both hashes in
/// lower-case hex. Lines that begin with `#` and empty lines are for people.
struct Anchor {
  ChainHead head;
  UtcTime time;
};

[[nodiscard]] std::string anchor_line(const Anchor& anchor);

/// Appends a line, durable on return. Makes the file, mode 0600, where there is none. Throws
/// AuditUnusable.
void append_anchor(const std::filesystem::path& file, const Anchor& anchor);

/// All anchors of a file, in its order. Throws UsageError for a file that cannot be read and for a
/// line that is none, with its number.
[[nodiscard]] std::vector<Anchor> read_anchors(const std::filesystem::path& file);

}  // namespace diskrelease
