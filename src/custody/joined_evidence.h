#pragma once

#include <filesystem>
#include <span>

#include "store/database.h"

namespace diskrelease {

/// Opens an audit database together with archives that were taken from it, or archives alone, for
/// reading evidence: the tables and views of evidence have the rows of all, as they are when it is
/// opened. Each row is in one of them only. The chain and the archives on record are those of the
/// one that is not sealed, else of the last archive. With one path it is
/// open_evidence_for_reading().
///
/// Throws UsageError for databases of different chains, for one that is given twice, and for an
/// archive that is not on record in the one whose chain is read;
/// AuditUnusable for what open_evidence_for_reading() refuses.
[[nodiscard]] Database open_joined_evidence(const std::filesystem::path& path,
                                            std::span<const std::filesystem::path> more);

}  // namespace diskrelease
