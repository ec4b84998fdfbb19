#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace diskrelease {

/// What makes an SQLite file an audit database of ours: "DRLS".
inline constexpr std::int64_t k_audit_application_id = 0x44524C53;

/// What makes an SQLite file a sealed archive: "DRLA". Nothing more is ever added to it.
inline constexpr std::int64_t k_archive_application_id = 0x44524C41;

/// One file of schema/, embedded at build. Migration N takes a database from user_version N-1 to N.
struct Migration {
  int version;
  std::string_view name;
  std::string_view sql;
};

/// All migrations, ascending from 1 without a gap. A migration adds tables, and replaces views,
/// triggers and indexes; what a table of evidence is never changes (kinds.h).
[[nodiscard]] const std::vector<Migration>& embedded_migrations();

/// schema/derived.sql: drops the derived tables and makes them anew, empty, all in `main`.
[[nodiscard]] std::string_view embedded_derived_tables();

}  // namespace diskrelease
