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

/// The version that this program makes.
[[nodiscard]] int current_schema_version();

/// What a file says of itself. `schema` is that of an attached database.
[[nodiscard]] std::int64_t schema_version(Database& database, std::string_view schema = "main");

/// Compares with the schema of the version that the file says to have; one that this program does
/// not know counts as the current one. Compares definitions as text, and reads nothing else:
/// nothing that a file defines is run. To be asked before any query on a file that somebody else
/// may have made, for a view in it can take for ever and a trigger can do anything. `schema` is
/// that of an attached database.
[[nodiscard]] SchemaDifferences compare_schema(Database& database,
                                               std::string_view schema = "main");

/// Throws AuditUnusable for a file whose evidence is not defined as it has to be.
void require_our_schema(Database& database, std::string_view schema = "main");

/// For a file of an older version, which stays as it is: the tables that it does not have yet,
/// empty, and the views of the current version, as temporary ones of this connection. All queries
/// can be asked then. Precondition: require_our_schema() has passed.
void shadow_newer_schema(Database& database);

/// The columns of a view of the current version, in their order. Versions only add some at the end.
[[nodiscard]] std::vector<std::string> columns_of_view(std::string_view view);
/// Its SELECT.
[[nodiscard]] std::string definition_of_view(std::string_view view);

}  // namespace diskrelease
