#include "report/rows.h"

#include "platform/sha256.h"

namespace diskrelease {

Cell cell_of(const Statement& row, int column) {
  switch (row.type(column)) {
    case Statement::Type::integer:
      return row.integer(column);
    case Statement::Type::real:
      return row.real(column);
    case Statement::Type::text:
      return std::string(row.text(column));
    case Statement::Type::blob:
      return "x'" + to_hex(row.text(column)) + "'";
    case Statement::Type::null:
      break;
  }
  return {};
}

}  // namespace diskrelease
