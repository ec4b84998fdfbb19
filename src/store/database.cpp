#include "store/database.h"

#include <Poco/Data/SQLite/Connector.h>
#include <Poco/Data/SQLite/Utility.h>
#include <Poco/Data/Session.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "model/errors.h"
#include "model/shown_path.h"
#include "model/visible_text.h"
#include "platform/lock_holder.h"

namespace diskrelease {
namespace {

/// A person at the prompt of sqlite3 may need that long to end a transaction; nothing is sent
/// meanwhile.
constexpr int k_longest_lock_wait_ms = 30'000;
/// From then on it is no transaction of a program that knows what it does.
constexpr int k_silent_lock_wait_ms = 1'000;

/// Poco repeats an opening that fails for so long, by default for a minute. Nothing gets better
/// meanwhile.
constexpr std::size_t k_opening_s = 1;

/// errno behind the latest error; 0 = it is not known. A commit that fails leaves it with the file
/// alone, which is the database or its write-ahead log.
int system_error_of(sqlite3* handle) {
  if (const int error = sqlite3_system_errno(handle); error != 0) return error;
  for (const int pointer_to : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
    sqlite3_file* file = nullptr;
    int error = 0;
    if (sqlite3_file_control(handle, "main", pointer_to, static_cast<void*>(&file)) == SQLITE_OK &&
        file != nullptr && file->pMethods != nullptr &&
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error) == SQLITE_OK &&
        error != 0) {
      return error;
    }
  }
  return 0;
}

/// "sqlite3 (pid 4711, user alice)".
std::string holder_of_lock(sqlite3* handle) {
  const char* const file = sqlite3_db_filename(handle, "main");
  if (file == nullptr || *file == '\0') return "another process";
  // The lock of a writer is one on the shared memory, for a log that is switched on.
  const std::array<std::filesystem::path, 2> files{file, std::string(file) + "-shm"};
  const std::string holders = lock_holders(files);
  return holders.empty() ? "another process" : holders;
}

[[noreturn]] void fail(const std::string& path, sqlite3* handle, const char* doing) {
  const int code = sqlite3_extended_errcode(handle);
  if ((code & 0xFF) == SQLITE_BUSY) {
    throw AuditUnusable("audit database " + shown(path) + ": is locked by " +
                        holder_of_lock(handle) + ", which has not ended its transaction in " +
                        std::to_string(k_longest_lock_wait_ms / 1'000) +
                        " s. Nothing more is sent. End that transaction or its process, then run "
                        "the command again (SQLite error " +
                        std::to_string(code) + ")");
  }
  std::string reason = sqlite3_errmsg(handle);
  // Only for these two does SQLite keep the system's error, without which they say nothing.
  const int primary = code & 0xFF;
  if (primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR) {
    if (const int error = system_error_of(handle); error != 0) {
      reason += std::string(": ") + std::strerror(error);
      if (error == EFBIG) {
        reason +=
            ": the limit of this process for the size of a file is reached; raise it (ulimit -f, "
            "LimitFSIZE= of systemd)";
      }
    }
  }
  if (code == SQLITE_READONLY_DIRECTORY) {
    reason += ": its folder must be writable, for the files with -wal and -shm at the end";
  }
  throw AuditUnusable("audit database " + shown(path) + ": " + doing + ": " + reason +
                      " (SQLite error " + std::to_string(code) + ")");
}

/// The system's error behind a failed opening, which Poco does not hand on; as far as it can be
/// found out without opening the file: closing it again would drop the locks of this process on it.
std::string reason_for_failed_opening(const std::string& path) {
  const int probe = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (probe < 0) return std::string(": ") + std::strerror(errno);
  ::close(probe);
  if (::access(path.c_str(), R_OK) != 0) return std::string(": ") + std::strerror(errno);
  return {};
}

/// SQLite reads a path that begins with "file:" as a URI; the mode there is what keeps a mistyped
/// path from creating a database, since Poco always opens with the create flag.
std::string uri_of(const std::filesystem::path& path, Database::Access access) {
  if (access == Database::Access::in_memory) return ":memory:";
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
      return uri + (is_on_read_only_medium(path) && !has_write_ahead_log(path)
                        ? "?mode=ro&immutable=1"
                        : "?mode=ro");
    case Database::Access::read_write:
      return uri + "?mode=rw";
    case Database::Access::create:
      return uri + "?mode=rwc";
    case Database::Access::in_memory:
      break;
  }
  return uri;
}

/// A file as such, whatever its name is.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// What is found at a path.
struct FoundFile {
  FileIdentity identity;
  std::uint64_t links = 0;
};

/// nullopt = there is no file at the path.
std::optional<FoundFile> find_at(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return FoundFile{{status.st_dev, status.st_ino}, status.st_nlink};
}

}  // namespace

std::uint64_t hard_links_of(const std::filesystem::path& file) noexcept {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 ? std::uint64_t{status.st_nlink} : 0;
}

std::string describe_hard_links(const std::filesystem::path& file, std::uint64_t links) {
  const std::string name = visible(file.string());
  return "audit database " + name + ": the file has " + std::to_string(links) +
         " names (hard links). SQLite finds the write-ahead log by the name: through another name "
         "the latest records are missing, and the file can be ruined. `find DIRECTORY -samefile " +
         name +
         "` lists the names; remove all but one, and copy databases with "
         "`diskrelease audit backup`";
}

bool is_on_read_only_medium(const std::filesystem::path& file) noexcept {
  struct statvfs status {};
  return ::statvfs(file.c_str(), &status) == 0 && (status.f_flag & ST_RDONLY) != 0;
}

bool has_write_ahead_log(const std::filesystem::path& database) noexcept {
  struct stat status {};
  return ::stat((std::filesystem::path(database) += "-wal").c_str(), &status) == 0 &&
         status.st_size > 0;
}

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)), path_(other.path_) {}

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

Statement& Statement::bind(int parameter, UtcTime value) {
  return bind(parameter, std::int64_t{value.time_since_epoch().count()});
}

Statement& Statement::bind(int parameter, const std::optional<UtcTime>& value) {
  return value ? bind(parameter, *value) : bind_null(parameter);
}

Statement& Statement::bind_optional(int parameter, std::string_view value) {
  return value.empty() ? bind_null(parameter) : bind(parameter, value);
}

Statement& Statement::bind_blob(int parameter, std::string_view bytes) {
  // As above: no bytes are not NULL.
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  if (sqlite3_bind_blob64(statement_, parameter, data, bytes.size(), SQLITE_STATIC) != SQLITE_OK) {
    fail(*path_, sqlite3_db_handle(statement_), "bind");
  }
  return *this;
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

std::optional<std::int64_t> Statement::optional_integer(int column) const noexcept {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

double Statement::real(int column) const noexcept {
  return sqlite3_column_double(statement_, column);
}

UtcTime Statement::utc(int column) const noexcept {
  return UtcTime(std::chrono::milliseconds(integer(column)));
}

std::optional<UtcTime> Statement::optional_utc(int column) const noexcept {
  if (is_null(column)) return std::nullopt;
  return utc(column);
}

std::string_view Statement::text(int column) const noexcept {
  const void* data = sqlite3_column_blob(statement_, column);
  const int length = sqlite3_column_bytes(statement_, column);
  if (data == nullptr || length <= 0) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(length)};
}

int Statement::columns() const noexcept { return sqlite3_column_count(statement_); }

std::string_view Statement::name(int column) const noexcept {
  const char* const text = sqlite3_column_name(statement_, column);
  return text == nullptr ? std::string_view() : std::string_view(text);
}

Statement::Type Statement::type(int column) const noexcept {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_INTEGER:
      return Type::integer;
    case SQLITE_TEXT:
      return Type::text;
    case SQLITE_BLOB:
      return Type::blob;
    case SQLITE_FLOAT:
      return Type::real;
    default:
      return Type::null;
  }
}

struct Database::Private {
  Private(const std::filesystem::path& file, Access access)
      : path(file.string()),
        absolute_path(access == Access::in_memory ? std::string()
                                                  : std::filesystem::absolute(file).string()),
        session("SQLite", uri_of(file, access), k_opening_s) {
    handle = Poco::Data::SQLite::Utility::dbHandle(session);
  }

  struct NotedFile {
    const char* what;
    std::string path;
    FileIdentity identity;
  };

  /// `is_there` = the path leads to another file now.
  [[nodiscard]] std::string displaced(const char* what, const std::string& file,
                                      bool is_there) const {
    return "audit database " + shown(path) + ": " + what + " (" + shown(file) + ") was " +
           (is_there ? "replaced" : "deleted or renamed") +
           " while this process worked on it. Nothing more is sent. Before the next run or resume, "
           "put the original files back: another copy may lack the last records, and with it disks "
           "would be released again.";
  }

  /// As sqlite3_busy_handler has it; `count` = how often it was called for this lock. 0 = give up.
  static int wait_for_lock(void* self, int count) {
    auto& my = *static_cast<Private*>(self);
    if (count == 0) {
      my.lock_waited_ms = 0;
      my.lock_wait_told = false;
    }
    if (my.lock_waited_ms >= k_longest_lock_wait_ms) return 0;
    if (my.lock_waited_ms >= k_silent_lock_wait_ms && !std::exchange(my.lock_wait_told, true)) {
      my.tell_lock_wait();
    }
    constexpr std::array<int, 8> first_pauses{1, 2, 5, 10, 15, 25, 25, 50};
    constexpr int pause = 100;
    const auto place = static_cast<std::size_t>(count);
    const int ms = place < first_pauses.size() ? first_pauses[place] : pause;
    sqlite3_sleep(ms);
    my.lock_waited_ms += ms;
    return 1;
  }

  void tell_lock_wait() const noexcept {
    if (!on_lock_wait) return;
    // SQLite is C: nothing may be thrown through it.
    try {
      on_lock_wait("audit database " + shown(path) + ": locked by " + holder_of_lock(handle) +
                   "; waiting up to " + std::to_string(k_longest_lock_wait_ms / 1'000) +
                   " s, nothing new is sent meanwhile");
    } catch (...) {  // NOLINT(bugprone-empty-catch): the error will say it
    }
  }

  /// As sqlite3_wal_hook has it; `pages` are in the log after a commit.
  static int after_commit(void* database, sqlite3*, const char* schema, int pages) {
    Private& my = *static_cast<Private*>(database);
    // The log began anew, which it does once all of it has reached the database.
    if (pages < my.log_pages) my.anchored_page = my.checkpointed_pages = 0;
    my.log_pages = pages;
    if (pages < my.checkpoint_pages) return SQLITE_OK;
    // Somebody who reads may keep it from moving everything, or anything: that is no error.
    static_cast<void>(sqlite3_wal_checkpoint_v2(my.handle, schema, SQLITE_CHECKPOINT_PASSIVE,
                                                nullptr, &my.checkpointed_pages));
    return SQLITE_OK;
  }

  std::string path;
  LockWaitListener on_lock_wait;
  int lock_waited_ms = 0;
  bool lock_wait_told = false;
  std::string absolute_path;  ///< the name that the user gave; a link is followed at each look
  Poco::Data::Session session;
  sqlite3* handle = nullptr;
  std::vector<NotedFile> noted;
  // Pages of the write-ahead log.
  int checkpoint_pages = 0;
  int log_pages = 0;
  int checkpointed_pages = 0;  ///< from its beginning, that are in the database as well
  int anchored_page = 0;       ///< the last one of the commit that the latest anchor names
  // Prepared by the first transaction.
  std::optional<Statement> begin;
  std::optional<Statement> commit;
  std::unique_ptr<InsertObserver> observer;  ///< may hold statements: goes before the session
};

namespace {

/// As sqlite3_update_hook has it.
void tell_of_insert(void* observer, int operation, const char* schema, const char* table,
                    sqlite3_int64 rowid) {
  if (operation != SQLITE_INSERT || std::string_view(schema) != "main") return;
  // SQLite is C: nothing may be thrown through it.
  static_cast<InsertObserver*>(observer)->inserted(table, rowid);
}

}  // namespace

void leave_memory_uncounted() noexcept {
  // Refused once SQLite is in use.
  static_cast<void>(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0));
}

Database::Database(const std::filesystem::path& path, Access access,
                   LockWaitListener on_lock_wait) {
  Poco::Data::SQLite::Connector::registerConnector();
  try {
    private_ = std::make_unique<Private>(path, access);
  } catch (const Poco::Exception& error) {
    throw AuditUnusable("audit database " + shown(path) + ": cannot be opened: " +
                        error.displayText() + reason_for_failed_opening(path.string()));
  }
  // Where a file cannot be written, SQLite opens it for reading and complains much later.
  if (access != Access::read_only && sqlite3_db_readonly(private_->handle, "main") != 0) {
    throw AuditUnusable("audit database " + shown(path) +
                        ": cannot be written by this user (its permissions, or a read-only file "
                        "system)");
  }
  sqlite3_extended_result_codes(private_->handle, 1);
  private_->on_lock_wait = std::move(on_lock_wait);
  sqlite3_busy_handler(private_->handle, &Private::wait_for_lock, private_.get());
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

void Database::attach(const std::filesystem::path& path, const std::string& schema) {
  Statement statement = prepare("ATTACH ?1 AS " + schema);
  const std::string uri = uri_of(path, Access::read_only);
  statement.bind(1, uri).run();
}

void Database::note_files() {
  const std::string log = sqlite3_filename_wal(sqlite3_db_filename(private_->handle, "main"));
  private_->noted.clear();
  for (const auto& [what, file] :
       {std::pair("the file", private_->absolute_path), std::pair("its write-ahead log", log)}) {
    const std::optional<FoundFile> found = find_at(file);
    if (!found) throw AuditUnusable(private_->displaced(what, file, false));
    private_->noted.push_back({what, file, found->identity});
  }
  // SQLite itself knows whether the path still leads to the file that it has opened, which closes
  // the gap between the opening and this look. It does not know so for the log.
  int has_moved = 0;
  sqlite3_file_control(private_->handle, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
  if (has_moved != 0) {
    const Private::NotedFile& file = private_->noted.front();
    throw AuditUnusable(private_->displaced(file.what, file.path, true));
  }
}

std::optional<std::string> Database::displacement() const {
  for (const Private::NotedFile& file : private_->noted) {
    const std::optional<FoundFile> found = find_at(file.path);
    if (!found || found->identity != file.identity) {
      return private_->displaced(file.what, file.path, found.has_value());
    }
    if (&file == &private_->noted.front() && found->links > 1) {
      return describe_hard_links(private_->path, found->links) + ". Nothing more is sent.";
    }
  }
  return std::nullopt;
}

void Database::checkpoint_after(int pages) {
  private_->checkpoint_pages = pages;
  sqlite3_wal_hook(private_->handle, &Private::after_commit, private_.get());
}

bool Database::log_is_unanchored() const noexcept {
  const Private& my = *private_;
  return my.log_pages > my.checkpointed_pages && my.anchored_page <= my.checkpointed_pages;
}

void Database::note_anchor() noexcept { private_->anchored_page = private_->log_pages; }

std::int64_t Database::last_insert_rowid() const noexcept {
  return sqlite3_last_insert_rowid(private_->handle);
}

std::int64_t Database::changes() const noexcept { return sqlite3_changes64(private_->handle); }

const std::string& Database::path() const noexcept { return private_->path; }

sqlite3* Database::handle() const noexcept { return private_->handle; }

void Database::observe(std::unique_ptr<InsertObserver> observer) {
  sqlite3_update_hook(private_->handle, observer ? &tell_of_insert : nullptr, observer.get());
  private_->observer = std::move(observer);
}

Transaction::Transaction(Database& database) : database_(database) {
  Database::Private& my = *database_.private_;
  if (!my.begin) {
    Statement begin = database_.prepare("BEGIN IMMEDIATE");
    my.commit.emplace(database_.prepare("COMMIT"));
    my.begin.emplace(std::move(begin));
  }
  my.begin->run();
}

Transaction::~Transaction() {
  if (!open_) return;
  if (InsertObserver* observer = database_.private_->observer.get()) observer->rolled_back();
  try {
    database_.execute("ROLLBACK");
  } catch (const AuditUnusable&) {  // NOLINT(bugprone-empty-catch)
    // SQLite has rolled back by itself (disk full, I/O error); the first error is the one that is
    // told.
  }
}

void Transaction::complete() {
  if (InsertObserver* observer = database_.private_->observer.get()) {
    observer->before_commit(database_);
  }
}

void Transaction::commit() {
  complete();
  database_.private_->commit->run();
  open_ = false;
}

Snapshot::Snapshot(Database& database) : database_(database) {
  database_.execute("SAVEPOINT snapshot");
}

Snapshot::~Snapshot() {
  try {
    database_.execute("RELEASE snapshot");
  } catch (const AuditUnusable&) {  // NOLINT(bugprone-empty-catch)
    // Reading leaves nothing that could be lost.
  }
}

}  // namespace diskrelease
