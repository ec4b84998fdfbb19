#pragma once

#include <string>
#include <vector>

#include "audit/database.h"

namespace diskrelease {

/// The derived tables as a whole: schema/derived.sql, kept by RunTally. All throw AuditUnusable.

/// Whether they are there, in the layout of this program, and account for the latest evidence.
/// Looks at a few rows, however large the database is; what it cannot see is evidence that was
/// added under an attempt which was there before, and single rows that somebody has changed.
[[nodiscard]] bool derived_tables_are_current(Database& database);

/// Drops them and makes them again from the evidence. Precondition: a transaction is open. Takes
/// some ten microseconds for each item that has any evidence.
void make_derived_tables(Database& database);

/// The same for a connection that cannot write: made as temporary tables, which stand before those
/// of the file until the connection is closed.
void shadow_derived_tables(Database& database);

/// Each way in which they differ from the evidence, as text, at most some of each kind. Looks at
/// every item: for tests, and for those who do not trust them.
[[nodiscard]] std::vector<std::string> derived_differences(Database& database);

}  // namespace diskrelease
