#include "audit/database.h"

#include <Poco/Data/SQLite/Connector.h>
#include <Poco/Data/SQLite/Utility.h>
#include <Poco/Data/Session.h>
#include <sqlite3.h>

#include <utility>

#include "model/errors.h"

namespace diskrelease {
namespace {

constexpr int k_lock_wait_ms = 5'000;

[[noreturn]] void fail(const std::string& path, sqlite3* handle, const char* doing) {
  const int code = sqlite3_extended_errcode(handle);
  throw AuditUnusable("audit database " + path + ": " + doing + ": " + sqlite3_errmsg(handle) +
                      " (SQLite error " + std::to_string(code) + ")");
}

/// SQLite reads a path that begins with "file:" as a URI; the mode there is what keeps a mistyped
/// path from creating a database, since Poco always opens with the create flag.
std::string uri_of(const std::filesystem::path& path, Database::Access access) {
  static constexpr char k_hex[] = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string()) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '%' || c == '?' || c == '#' || byte < 0x20) {
      uri += '%';
      uri += k_hex[byte >> 4];
      uri += k_hex[byte & 15];
    } else {
      uri += c;
    }
  }
  switch (access) {
    case Database::Access::read_only:
      return uri + "?mode=ro";
    case Database::Access::read_write:
      return uri + "?mode=rw";
    case Database::Access::create:
      return uri + "?mode=rwc";
  }
  return uri;
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)), path_(other.path_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  std::swap(path_, other.path_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(int parameter, std::int64_t value) {
  if (sqlite3_bind_int64(statement_, parameter, value) != SQLITE_OK) {
    fail(*path_, sqlite3_db_handle(statement_), "bind");
  }
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view value) {
  // A null pointer would bind NULL, not the empty text.
  const char* data = value.data() == nullptr ? "" : value.data();
  if (sqlite3_bind_text64(statement_, parameter, data, value.size(), SQLITE_STATIC, SQLITE_UTF8) !=
      SQLITE_OK) {
    fail(*path_, sqlite3_db_handle(statement_), "bind");
  }
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  if (sqlite3_bind_null(statement_, parameter) != SQLITE_OK) {
    fail(*path_, sqlite3_db_handle(statement_), "bind");
  }
  return *this;
}

Statement& Statement::bind(int parameter, const std::optional<std::int64_t>& value) {
  return value ? bind(parameter, *value) : bind_null(parameter);
}

Statement& Statement::bind_optional(int parameter, std::string_view value) {
  return value.empty() ? bind_null(parameter) : bind(parameter, value);
}

bool Statement::step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  try {
    fail(*path_, sqlite3_db_handle(statement_), "statement failed");
  } catch (...) {
    sqlite3_reset(statement_);
    throw;
  }
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() noexcept { sqlite3_reset(statement_); }

bool Statement::is_null(int column) const noexcept {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const noexcept {
  return sqlite3_column_int64(statement_, column);
}

double Statement::real(int column) const noexcept {
  return sqlite3_column_double(statement_, column);
}

std::optional<std::int64_t> Statement::optional_integer(int column) const noexcept {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

std::string_view Statement::text(int column) const noexcept {
  const void* data = sqlite3_column_blob(statement_, column);
  const int length = sqlite3_column_bytes(statement_, column);
  if (data == nullptr || length <= 0) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(length)};
}

struct Database::Private {
  Private(const std::filesystem::path& file, Access access)
      : path(file.string()), session("SQLite", uri_of(file, access)) {
    handle = Poco::Data::SQLite::Utility::dbHandle(session);
  }
  std::string path;
  Poco::Data::Session session;
  sqlite3* handle = nullptr;
};

Database::Database(const std::filesystem::path& path, Access access) {
  Poco::Data::SQLite::Connector::registerConnector();
  try {
    private_ = std::make_unique<Private>(path, access);
  } catch (const Poco::Exception& error) {
    throw AuditUnusable("audit database " + path.string() +
                        ": cannot be opened: " + error.displayText());
  }
  sqlite3_extended_result_codes(private_->handle, 1);
  sqlite3_busy_timeout(private_->handle, k_lock_wait_ms);
  execute("PRAGMA foreign_keys = ON; PRAGMA temp_store = FILE; PRAGMA trusted_schema = OFF");
}

Database::~Database() = default;
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;

Statement Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(private_->handle, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    fail(private_->path, private_->handle, "statement cannot be prepared");
  }
  return {statement, &private_->path};
}

void Database::execute(const std::string& sql) {
  if (sqlite3_exec(private_->handle, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    fail(private_->path, private_->handle, "statement failed");
  }
}

std::int64_t Database::query_integer(std::string_view sql) {
  Statement statement = prepare(sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::int64_t Database::last_insert_rowid() const noexcept {
  return sqlite3_last_insert_rowid(private_->handle);
}

const std::string& Database::path() const noexcept { return private_->path; }

Transaction::Transaction(Database& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const AuditUnusable&) {  // NOLINT(bugprone-empty-catch)
    // SQLite has rolled back by itself (disk full, I/O error); the first error is the one that is
    // told.
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace diskrelease
