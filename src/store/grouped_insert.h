#pragma once

#include <cstddef>
#include <string_view>

#include "store/database.h"

namespace diskrelease {

/// Inserts rows into one table, k_group with a statement: half of what a row costs by itself goes
/// into starting and ending its statement. What SQLite does for each row stays the same:
/// constraints and triggers see them one after the other, and the observer is told of each. As
/// thread-safe as its Database, which must outlive it.
class GroupedInsert {
 public:
  /// A commit of a busy run has twenty or thirty rows of a kind. Larger groups gain little, and
  /// need more than SQLite keeps in memory to undo a statement whose rows are far apart.
  static constexpr std::size_t k_group = 8;

  /// `head` = "INSERT INTO t (...) VALUES"; `row` = the values of one row in parentheses, with a
  /// "?" for each parameter.
  GroupedInsert(Database& database, std::string_view head, std::string_view row);

  /// `bind(statement, before, item)` binds the row of one item: its parameters are `before` + 1 and
  /// following. What is bound must stay alive until the end. Throws AuditUnusable; some rows may be
  /// stored then, and the transaction must be rolled back.
  template <class Items, class Bind>
  void insert(const Items& items, const Bind& bind) {
    const std::size_t in_groups = items.size() / k_group * k_group;
    std::size_t i = 0;
    for (const auto& item : items) {
      if (i >= in_groups) {
        bind(one_, 0, item);
        one_.run();
      } else {
        const std::size_t place = i % k_group;
        bind(several_, static_cast<int>(place) * parameters_, item);
        if (place + 1 == k_group) several_.run();
      }
      ++i;
    }
  }

 private:
  int parameters_;  ///< of a row
  Statement several_;
  Statement one_;
};

}  // namespace diskrelease
