#pragma once

#include <compare>
#include <cstdint>

namespace diskrelease {

/// A row id of the audit database. Ids of different tables are different types; 0 is never a stored
/// id.
template <class Tag>
struct RowId {
  std::int64_t value = 0;
  friend auto operator<=>(const RowId&, const RowId&) = default;
};

using RunId = RowId<struct RunIdTag>;
using InvocationId = RowId<struct InvocationIdTag>;
using ItemId = RowId<struct ItemIdTag>;
using AttemptId = RowId<struct AttemptIdTag>;

}  // namespace diskrelease
