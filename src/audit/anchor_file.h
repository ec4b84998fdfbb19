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

/// An anchor file that is appended to, by one thread at a time; other processes may append to it as
/// well. Throws AuditUnusable.
class AnchorWriter {
 public:
  /// Makes the file, mode 0600, where there is none. A pipe needs its reader by now.
  explicit AnchorWriter(const std::filesystem::path& file);
  ~AnchorWriter();
  AnchorWriter(const AnchorWriter&) = delete;
  AnchorWriter& operator=(const AnchorWriter&) = delete;

  /// A line, durable on return (of a file just made, as far as the file system keeps new names). It
  /// begins anew behind a line that was cut off.
  void append(const Anchor& anchor);

 private:
  std::filesystem::path file_;
  int descriptor_;
};

struct AnchorFile {
  std::vector<Anchor> anchors;        ///< in the order of the file
  std::vector<std::string> problems;  ///< lines that are no anchors, with file and line
};
/// Throws UsageError for a file that cannot be read.
[[nodiscard]] AnchorFile read_anchors(const std::filesystem::path& file);

}  // namespace diskrelease
