#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.h"

namespace diskrelease {

/// A statement that a person has written, which can do nothing but read.
///
/// Several things keep it so: the connection is a read-only one (the caller's part); SQLite says of
/// the statement that it does not write; an authorizer refuses every action but selecting, reading
/// columns, functions without side effects and the PRAGMAs that describe the schema, so no ATTACH,
/// no temporary table, no transaction, no extension, no table-valued function; and no further
/// database can be attached, which VACUUM INTO would need. A value has at most 1 MiB, and SQLite at
/// most 256 MiB of memory in the whole process meanwhile; what it sorts may go to temporary files.
/// (https://www.sqlite.org/c3ref/set_authorizer.html, https://www.sqlite.org/security.html)
///
/// While a question lives its connection serves nothing else; of one that it has served, attaching
/// and large values stay refused. Not thread-safe; must not outlive the Database.
class SqlQuestion {
 public:
  /// `expired` is asked now and then while the statement works, not within a single function; true
  /// ends it. Throws UsageError for
  /// text that SQLite does not understand, for more than one statement, and for one that would do
  /// something else than reading.
  SqlQuestion(Database& database, std::string_view sql, std::function<bool()> expired);
  ~SqlQuestion();
  SqlQuestion(const SqlQuestion&) = delete;
  SqlQuestion& operator=(const SqlQuestion&) = delete;

  /// Their names, each different: a name that comes again gets _2, _3, ... behind it.
  [[nodiscard]] std::vector<std::string> columns() const;

  /// True = row() is there to be read. Throws UsageError when time is over or the statement fails,
  /// AuditUnusable when the file cannot be read.
  bool step();
  [[nodiscard]] const Statement& row() const noexcept { return *statement_; }

 private:
  struct Guard;

  Database& database_;
  std::unique_ptr<Guard> guard_;
  std::optional<Statement> statement_;
};

}  // namespace diskrelease
