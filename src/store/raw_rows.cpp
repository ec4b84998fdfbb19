#include "store/raw_rows.h"

#include <algorithm>

namespace diskrelease {
namespace {

std::string insertion(std::string_view table, std::string_view columns) {
  std::string sql = "INSERT INTO ";
  sql.append(table).append(" (").append(columns).append(") VALUES (?");
  for (const char c : columns) sql += c == ',' ? ", ?" : "";
  return sql + ")";
}

}  // namespace

std::vector<std::string> take_triggers(Database& database) {
  std::vector<std::string> definitions;
  std::string drops;
  {
    Statement select = database.prepare(
        "SELECT '\"' || replace(name, '\"', '\"\"') || '\"', sql FROM sqlite_schema WHERE type = "
        "'trigger'");
    while (select.step()) {
      drops += "DROP TRIGGER ";
      drops += select.text(0);
      drops += ';';
      definitions.emplace_back(select.text(1));
    }
  }
  database.execute(drops);
  return definitions;
}

void put_triggers(Database& database, const std::vector<std::string>& definitions) {
  for (const std::string& definition : definitions) database.execute(definition);
}

RowCopy::RowCopy(Database& target, std::string_view table, std::string_view columns)
    : insert_(target.prepare(insertion(table, columns))),
      columns_(static_cast<int>(std::ranges::count(columns, ',')) + 1) {}

void RowCopy::copy(const Statement& row) {
  for (int i = 0; i < columns_; ++i) {
    switch (row.type(i)) {
      case Statement::Type::integer:
        insert_.bind(i + 1, row.integer(i));
        break;
      case Statement::Type::blob:
        insert_.bind_blob(i + 1, row.text(i));
        break;
      case Statement::Type::null:
        insert_.bind_null(i + 1);
        break;
      case Statement::Type::text:
      case Statement::Type::real:
        // No column of an audit database is a real number.
        insert_.bind(i + 1, row.text(i));
        break;
    }
  }
  insert_.run();
}

void RowCopy::copy_all(Statement& rows) {
  while (rows.step()) copy(rows);
}

}  // namespace diskrelease
