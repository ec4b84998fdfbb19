#pragma once

#include <string>
#include <vector>

#include "audit/database.h"

namespace diskrelease {

/// The derived tables as a whole: schema/derived.sql, kept by RunTally. All throw AuditUnusable.

/// Whether they are there and have the layout of this program. Looks at a few rows, however large
/// the database is; single rows that somebody has changed it does not see.
[[nodiscard]] bool derived_tables_are_there(Database& database);

/// Looks again at the items of all evidence that is later than what is known to be accounted for:
/// a few hundred after a process of this program, and whatever others have added. One transaction,
/// if there is any. What it does not find is a verdict that somebody else has added under an older
/// attempt.
void catch_up_derived_tables(Database& database);

/// Drops them and makes them again from the evidence. Precondition: a transaction is open. Takes
/// some ten microseconds for each item that has any evidence.
void make_derived_tables(Database& database);

/// The same for a connection that cannot write: made as temporary tables, which stand before those
/// of the file until the connection is closed.
void shadow_derived_tables(Database& database);

/// Each way in which they differ from the evidence, as text, at most five of each kind. Looks at
/// every item: for tests, and for those who do not trust them.
[[nodiscard]] std::vector<std::string> derived_differences(Database& database);

}  // namespace diskrelease
