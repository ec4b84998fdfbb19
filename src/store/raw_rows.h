#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/database.h"

namespace diskrelease {

// Rows that are moved as they are. All throw AuditUnusable.

/// Drops all triggers, which guard a record that is being written, and returns their definitions.
[[nodiscard]] std::vector<std::string> take_triggers(Database& database);
void put_triggers(Database& database, const std::vector<std::string>& definitions);

/// Copies rows of a query that selects `columns`, which commas separate, value by value, into the
/// table of that name in another database.
class RowCopy {
 public:
  RowCopy(Database& target, std::string_view table, std::string_view columns);

  void copy(const Statement& row);
  /// What is left of the rows.
  void copy_all(Statement& rows);

 private:
  Statement insert_;
  int columns_;
};

}  // namespace diskrelease
