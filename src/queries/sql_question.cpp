#include "queries/sql_question.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>
#include <utility>

#include "model/errors.h"
#include "model/shown_path.h"
#include "model/visible_text.h"

namespace diskrelease {
namespace {

/// A value of more bytes is refused. It bounds memory, and the time of a single function as well,
/// during which nobody looks at the clock. The longest value of the record is a block of the chain.
constexpr int k_largest_value = 1024 * 1024;

/// All that SQLite may take in this process.
constexpr std::int64_t k_most_memory = 256 * 1024 * 1024;

/// Instructions of SQLite's machine between two looks at the time: some milliseconds.
constexpr int k_instructions_a_look = 50'000;

/// They describe the schema. The others set something, or may.
constexpr std::array k_pragmas{"table_info",       "table_xinfo",    "table_list",
                               "index_list",       "index_info",     "index_xinfo",
                               "foreign_key_list", "application_id", "user_version"};

/// Of the functions that SQLite brings along, the ones that reach beyond the statement.
constexpr std::array k_refused_functions{"load_extension", "fts3_tokenizer", "readfile",
                                         "writefile",      "edit",           "sqlite_log"};

template <class Names>
bool is_among(const Names& names, const char* name) {
  return name != nullptr && std::ranges::any_of(names, [name](const char* known) {
           return sqlite3_stricmp(known, name) == 0;
         });
}

/// Whether there is more than blanks, semicolons and comments.
bool has_statement(sqlite3* handle, std::string_view sql) {
  while (!sql.empty()) {
    sqlite3_stmt* statement = nullptr;
    const char* rest = nullptr;
    const int code =
        sqlite3_prepare_v3(handle, sql.data(), static_cast<int>(sql.size()), 0, &statement, &rest);
    const bool found = code != SQLITE_OK || statement != nullptr;
    sqlite3_finalize(statement);
    if (found) return true;
    const auto taken = static_cast<std::size_t>(rest - sql.data());
    if (taken == 0) return false;
    sql.remove_prefix(taken);
  }
  return false;
}

}  // namespace

/// What SQLite calls back.
struct SqlQuestion::Guard {
  Guard(sqlite3* connection, std::function<bool()> is_over)
      : handle(connection), expired(std::move(is_over)) {
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, k_largest_value);
    // Without the count (leave_memory_uncounted) the limit would mean nothing.
    if (sqlite3_memory_used() == 0) throw std::logic_error("SQLite does not count its memory");
    sqlite3_hard_heap_limit64(k_most_memory);
    sqlite3_set_authorizer(handle, &on_action, this);
    sqlite3_progress_handler(handle, k_instructions_a_look, &on_progress, this);
  }
  ~Guard() {
    sqlite3_hard_heap_limit64(0);
    sqlite3_set_authorizer(handle, nullptr, nullptr);
    sqlite3_progress_handler(handle, 0, nullptr, nullptr);
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  sqlite3* handle;
  std::function<bool()> expired;
  bool was_expired = false;
  std::string refused;  ///< what the authorizer has refused, for people

  static int on_progress(void* self) {
    Guard& guard = *static_cast<Guard*>(self);
    guard.was_expired = guard.expired();
    return guard.was_expired ? 1 : 0;
  }

  static int on_action(void* self, int action, const char* first, const char* second,
                       const char* /*schema*/, const char* /*from*/) {
    Guard& guard = *static_cast<Guard*>(self);
    switch (action) {
      case SQLITE_SELECT:
      case SQLITE_READ:
      case SQLITE_RECURSIVE:
        return SQLITE_OK;
      case SQLITE_FUNCTION:
        if (!is_among(k_refused_functions, second)) return SQLITE_OK;
        guard.refused = std::string("the function ") + second;
        return SQLITE_DENY;
      case SQLITE_PRAGMA:
        // With an argument these two set something.
        if (is_among(k_pragmas, first) &&
            (second == nullptr || !is_among(std::array{"application_id", "user_version"}, first))) {
          return SQLITE_OK;
        }
        guard.refused = std::string("PRAGMA ") + (first == nullptr ? "" : first);
        return SQLITE_DENY;
      default:
        guard.refused = "anything but reading tables and views";
        return SQLITE_DENY;
    }
  }
};

SqlQuestion::SqlQuestion(Database& database, std::string_view sql, std::function<bool()> expired)
    : database_(database), guard_(std::make_unique<Guard>(database.handle(), std::move(expired))) {
  sqlite3* const handle = database.handle();
  sqlite3_stmt* raw = nullptr;
  const char* rest = nullptr;
  const int code =
      sqlite3_prepare_v3(handle, sql.data(), static_cast<int>(sql.size()), 0, &raw, &rest);
  statement_.emplace(Statement(raw, &database.path()));
  if (code != SQLITE_OK && !guard_->refused.empty()) {
    throw UsageError("the query was refused: " + visible(guard_->refused) +
                     " is not allowed (docs/audit-database.md)");
  }
  if (code != SQLITE_OK) {
    std::string where;
    if (const int offset = sqlite3_error_offset(handle); offset >= 0) {
      where = ", at \"" + visible(sql.substr(static_cast<std::size_t>(offset)), 40) + '"';
    }
    throw UsageError("the query cannot be understood: " + visible(sqlite3_errmsg(handle)) + where);
  }
  if (raw == nullptr) throw UsageError("the query is empty");
  const std::string_view behind = sql.substr(static_cast<std::size_t>(rest - sql.data()));
  if (has_statement(handle, behind)) {
    throw UsageError("the query has something behind its first statement: \"" +
                     visible(behind, 40) + "\". One statement is answered at a time.");
  }
  if (sqlite3_stmt_readonly(raw) == 0) {
    throw UsageError("the query was refused: it would write. It may read tables and views only.");
  }
  if (sqlite3_bind_parameter_count(raw) > 0) {
    throw UsageError("the query has parameters (?, :name), for which nothing can be given here");
  }
}

SqlQuestion::~SqlQuestion() = default;

std::vector<std::string> SqlQuestion::columns() const {
  std::vector<std::string> names;
  std::set<std::string> used;
  for (int i = 0; i < statement_->columns(); ++i) {
    const std::string name(statement_->name(i));
    std::string unique = name;
    for (int number = 2; !used.insert(unique).second; ++number) {
      unique = name + '_' + std::to_string(number);
    }
    names.push_back(std::move(unique));
  }
  return names;
}

bool SqlQuestion::step() {
  const int code = sqlite3_step(statement_->statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const std::string reason = sqlite3_errmsg(database_.handle());
  if (guard_->was_expired) {
    throw UsageError(
        "the query was ended: it took longer than --timeout allows. Ask for less (a "
        "run_id, a disk_id, a day), or allow more.");
  }
  switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_BUSY:
    case SQLITE_FULL:
      throw AuditUnusable("audit database " + shown(database_.path()) + ": query failed: " +
                          reason + " (SQLite error " + std::to_string(code) + ")");
    case SQLITE_NOMEM:
      throw UsageError("the query needs more memory than it may have (256 MiB); ask for less");
    default:
      throw UsageError("the query failed: " + visible(reason));
  }
}

}  // namespace diskrelease
