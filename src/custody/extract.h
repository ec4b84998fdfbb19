#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "model/run_record.h"
#include "store/database.h"

namespace diskrelease {

/// What makes an SQLite file an extract of an audit database: "DRLX". No command but sqlite3 opens
/// it.
inline constexpr std::int64_t k_extract_application_id = 0x44524C58;

/// What an extract holds of the chain.
struct ExtractedChain {
  std::int64_t first_block = 0;
  std::int64_t last_block = 0;
  std::string chain;      ///< hex of the hash of block 1: names the database
  std::string last_hash;  ///< hex of the hash of the last block in it
};

/// Makes a new SQLite file with the evidence of one run as it is recorded: its rows in the tables
/// and views of the audit database, the blocks of the chain from the first to the last that has a
/// row of the run, and a table `before` with the hash of the block in front of them (none for block
/// 1). Triggers and derived tables are left out. The source is read only, at one moment. Throws
/// AuditUnusable. Costs the run's rows and, for the blocks, one pass over the chain.
[[nodiscard]] ExtractedChain make_extract(Database& source, const RunRecord& run,
                                          const std::filesystem::path& target);

}  // namespace diskrelease
