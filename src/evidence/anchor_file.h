#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/chain.h"
#include "model/time.h"
#include "platform/ed25519.h"

namespace diskrelease {

/// What was written down about the end of the chain at some time, to be kept where those who can
/// write the database cannot write: it shows that a database was cut off, rolled back or replaced.
///
/// A line of an anchor file: `diskrelease-anchor 1 CHAIN BLOCK HASH TIME`, both hashes in
/// lower-case hex; signed, `diskrelease-anchor 2 CHAIN BLOCK HASH TIME SIGNATURE`: the Ed25519
/// signature, in Base64, of what stands before the blank in front of it. Lines that begin with `#`
/// and empty lines are for people.
struct Anchor {
  ChainHead head;
  UtcTime time;
};

/// Signed where there is a key.
[[nodiscard]] std::string anchor_line(const Anchor& anchor, const SigningKey* key = nullptr);
/// nullopt = the line is no anchor. A signature is not looked at.
[[nodiscard]] std::optional<Anchor> parse_anchor(std::string_view line);

/// Where anchors go.
struct AnchorPlaces {
  std::filesystem::path file;
  /// The socket of the system log, such as /dev/log. Nothing tells whether the log keeps what it is
  /// sent; that it cannot be sent is an error.
  std::optional<std::filesystem::path> log_socket;
  std::shared_ptr<const SigningKey> key;  ///< null = unsigned
  /// Called with each anchor after it is durable; may be empty.
  std::function<void(const Anchor&)> on_append = {};
};

/// Anchors that are appended, by one thread at a time; other processes may append to the same file
/// as well. Throws AuditUnusable.
class AnchorWriter {
 public:
  /// Makes the file, mode 0600, where there is none. A pipe needs its reader by now.
  explicit AnchorWriter(AnchorPlaces places);
  ~AnchorWriter();
  AnchorWriter(const AnchorWriter&) = delete;
  AnchorWriter& operator=(const AnchorWriter&) = delete;

  /// A line, durable on return (of a file just made, as far as the file system keeps new names),
  /// then sent to the log. Behind a line that was cut off it begins anew, with a remark that says
  /// so to read_anchors().
  void append(const Anchor& anchor);
  /// The same in each of these files, but for its own one.
  void append_to(const std::vector<std::filesystem::path>& files, const Anchor& anchor) const;

 private:
  void tell_log(const std::string& line) const;

  AnchorPlaces places_;
  int descriptor_;
};

struct AnchorFile {
  std::vector<Anchor> anchors;        ///< in the order of the file
  std::vector<std::string> problems;  ///< lines that are no anchors, with file and line
  /// Beginnings of anchors whose writing was interrupted: at the end of the file, or in front of
  /// the remark that AnchorWriter leaves. Anywhere else they are problems.
  std::vector<std::string> notes;
};
/// With a key, a line that it has not signed is a problem and no anchor; without one signatures are
/// not looked at. Throws UsageError for a file that cannot be read.
[[nodiscard]] AnchorFile read_anchors(const std::filesystem::path& file,
                                      const VerifyingKey* key = nullptr);

/// The lines of an anchor file that are of one chain, as they stand there. Throws UsageError for a
/// file that cannot be read.
[[nodiscard]] std::vector<std::string> anchor_lines_of(const std::filesystem::path& file,
                                                       std::string_view chain);

}  // namespace diskrelease
