#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/database.h"

namespace diskrelease {

// What the derived tables answer, as parts of SQL that others complete.

/// Attempts of the whole database that have no outcome. Few can be open, and none up to the mark;
/// conditions that follow must not lead SQLite to look there.
inline constexpr std::string_view k_from_open_attempts =
    " FROM attempt NOT INDEXED"
    " WHERE attempt_id > (SELECT settled_attempts FROM derived_until)"
    "   AND NOT EXISTS (SELECT 1 FROM outcome WHERE outcome.attempt_id = attempt.attempt_id)";

/// The condition of the index item_now_open, as schema/derived.sql has it: SQLite uses a partial
/// index only where it stands in the query.
inline constexpr std::string_view k_in_open_index = "open IN (1, 3, 4)";

/// Items of a run without a row in item_now: they are pending, unless an attempt is open. ?1, ?2:
/// from which item to which; ?3: the run.
inline constexpr std::string_view k_from_items_without_row =
    " FROM item WHERE item_id BETWEEN"
    "   max(?1, (SELECT first_gap_item_id FROM run_progress WHERE run_id = ?3)) AND ?2"
    "   AND NOT EXISTS (SELECT 1 FROM item_now WHERE item_now.item_id = item.item_id)";

/// The derived tables as a whole: schema/derived.sql, kept by RunTally. All throw AuditUnusable.

/// Whether the layout that they are marked with is that of this program. Precondition:
/// derived_until is there as schema/derived.sql has it.
[[nodiscard]] bool derived_layout_is_ours(Database& database);

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

/// Each way in which they differ from the evidence, as text, at most five of each kind; it may
/// quote what is in them. Looks at every item. Precondition: they have the form of
/// schema/derived.sql.
[[nodiscard]] std::vector<std::string> derived_differences(Database& database);

}  // namespace diskrelease
