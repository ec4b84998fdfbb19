#include "store/grouped_insert.h"

#include <algorithm>
#include <string>

namespace diskrelease {
namespace {

std::string sql_of(std::string_view head, std::string_view row, std::size_t rows) {
  std::string sql(head);
  for (std::size_t i = 0; i < rows; ++i) sql.append(i == 0 ? " " : ", ").append(row);
  return sql;
}

}  // namespace

GroupedInsert::GroupedInsert(Database& database, std::string_view head, std::string_view row)
    : parameters_(static_cast<int>(std::ranges::count(row, '?'))),
      several_(database.prepare(sql_of(head, row, k_group))),
      one_(database.prepare(sql_of(head, row, 1))) {}

}  // namespace diskrelease
