#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "custody/archive.h"
#include "evidence/chain.h"
#include "model/time.h"
#include "store/database.h"

namespace diskrelease {

struct TableStats {
  std::string_view name;
  std::int64_t rows = 0;
};
/// How large a database is, and what it spans.
struct AuditStats {
  std::int64_t schema_version = 0;
  std::int64_t free_bytes = 0;  ///< within the file
  ChainHead head;
  std::vector<TableStats> tables;  ///< of evidence
  std::vector<ArchiveRecord> archives;
  std::optional<UtcTime> first_run;  ///< enrolled
  std::optional<UtcTime> last_end;   ///< of an invocation
};
/// Most tables are counted by the ends of their keys, unless there are archives: a row that was
/// removed by force counts all the same. Outcomes are counted one by one, which takes some tenths
/// of a second for ten millions.
[[nodiscard]] AuditStats read_stats(Database& database);

}  // namespace diskrelease
