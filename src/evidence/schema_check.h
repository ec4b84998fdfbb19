#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.h"

namespace diskrelease {

/// How the tables, views, indexes and triggers of a file differ from those that this program makes.
struct SchemaDifferences {
  std::vector<std::string> problems;  ///< for people; empty = evidence is defined as it has to be
  bool has_our_tables = true;         ///< of evidence
  /// Derived tables (and their indexes) that are missing or are not those of schema/derived.sql:
  /// "table NAME" and the definition, empty for a missing one. They are made again by who needs
  /// them.
  std::map<std::string, std::string> other_derived;
};

/// Compares definitions as text, and reads nothing else: nothing that a file defines is run. To be
/// asked before any query on a file that somebody else may have made, for a view in it can take for
/// ever and a trigger can do anything. `schema` is that of an attached database.
[[nodiscard]] SchemaDifferences compare_schema(Database& database,
                                               std::string_view schema = "main");

/// Throws AuditUnusable for a file whose evidence is not defined as it has to be.
void require_our_schema(Database& database, std::string_view schema = "main");

/// The same for a file of an older version, from 1, that is about to be migrated.
void require_schema_of_version(Database& database, std::int64_t version);

}  // namespace diskrelease
