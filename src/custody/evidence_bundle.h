#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "custody/extract.h"
#include "model/run_record.h"
#include "model/time.h"
#include "platform/ed25519.h"
#include "store/database.h"

namespace diskrelease {

/// What else than the run's rows goes into a bundle.
struct BundleDetails {
  std::vector<std::string> anchors;       ///< lines of an anchor file that are of this chain
  std::shared_ptr<const SigningKey> key;  ///< signs the manifest; null = unsigned
  UtcTime made;
  std::string tool_version;
};

/// Writes the evidence of one run into a new folder (mode 0700), so that it can be checked with
/// sha256sum, openssl and sqlite3 alone: src/custody/bundle/README.txt says what is in it. Only
/// reads the database. Throws UsageError for a folder that cannot be made or written, and
/// AuditUnusable; what it has written by then stays.
ExtractedChain write_bundle(Database& database, const RunRecord& run, const BundleDetails& details,
                            const std::filesystem::path& folder);

/// Puts the files of a folder (not those of folders in it) into a new tar file (POSIX ustar, mode
/// 0600), each below `name_in_tar`, in the order of their names. Throws UsageError.
void write_tar(const std::filesystem::path& folder, const std::string& name_in_tar,
               const std::filesystem::path& tar);

}  // namespace diskrelease
