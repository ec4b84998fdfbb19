#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "store/database.h"

namespace diskrelease {

/// The derived table request_index: which attempts have a request id. Request ids are random, so an
/// ordinary index would be written all over the place, a page for each outcome. This one is made in
/// segments of attempts that all have their outcomes, each sorted by itself and written at once;
/// who looks something up looks into each segment. A row holds many entries, for a row of its own
/// for each would take most of the time, and the run waits meanwhile. All throw AuditUnusable.

/// Attempts in a segment. Segment N has the attempts with the ids N * this + 1 and following.
inline constexpr std::int64_t k_attempts_a_segment = 32'768;

/// An entry: the key and the attempt's place in its segment, from 0, both with the highest byte
/// first. A row holds as many as fit into a page of an index without overflow.
inline constexpr std::size_t k_request_entry_size = 8 + 2;
inline constexpr std::size_t k_request_entries_a_row = 96;
static_assert(k_attempts_a_segment < 65'536);

/// What stands for a request id in the index: FNV-1a of 64 bits (RFC draft-eastlake-fnv). Different
/// ids may share one.
[[nodiscard]] std::uint64_t request_key(std::string_view request_id) noexcept;

/// Adds every segment that is complete and not yet there. `settled`: every attempt with an id up to
/// it has its outcome. Part of a transaction, if one is open.
void extend_request_index(Database& database, std::int64_t settled);

/// Attempts that may have this request id, in the order of their ids: all that have it and perhaps
/// a few more, unless somebody has changed the table. nullopt = the database has no such table of
/// this form, everything has to be looked at.
[[nodiscard]] std::optional<std::vector<std::int64_t>> attempts_by_request(
    Database& database, std::string_view request_id);

/// Attempts with a request id, but without an entry in the segment that is there, or in one that is
/// out of order; `most` at most.
[[nodiscard]] std::vector<std::int64_t> attempts_missing_in_request_index(Database& database,
                                                                          std::size_t most);

}  // namespace diskrelease
