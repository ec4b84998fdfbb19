#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "model/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace diskrelease {

/// A prepared statement. Not thread-safe; must not outlive its Database.
///
/// It sits on SQLite's own interface and not on Poco::Data, whose statements stay unusable after
/// any exception, read NULL as 0, cut text at a NUL byte and narrow integers silently: a record
/// that is evidence can have none of that.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  /// Parameters count from 1. Text is copied by SQLite only as long as `step` needs it: it must
  /// stay alive until the next reset(), bind or destruction.
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view value);
  Statement& bind_null(int parameter);
  Statement& bind(int parameter, const std::optional<std::int64_t>& value);
  /// For a column that ends in _utc_ms.
  Statement& bind(int parameter, UtcTime value);
  Statement& bind(int parameter, const std::optional<UtcTime>& value);
  /// Empty text is stored as NULL.
  Statement& bind_optional(int parameter, std::string_view value);
  Statement& bind_blob(int parameter, std::string_view bytes);

  /// True = a row is there to be read. Throws AuditUnusable on any error, and leaves the statement
  /// reset.
  bool step();
  /// step() to the end and reset: for statements without result.
  void run();
  void reset() noexcept;

  /// Columns count from 0.
  [[nodiscard]] bool is_null(int column) const noexcept;
  [[nodiscard]] std::int64_t integer(int column) const noexcept;
  [[nodiscard]] std::optional<std::int64_t> optional_integer(int column) const noexcept;
  [[nodiscard]] double real(int column) const noexcept;
  /// Of a column that ends in _utc_ms.
  [[nodiscard]] UtcTime utc(int column) const noexcept;
  [[nodiscard]] std::optional<UtcTime> optional_utc(int column) const noexcept;
  /// Valid until the next step(), reset() or destruction. NULL reads as empty. Reads blobs as well.
  [[nodiscard]] std::string_view text(int column) const noexcept;

  enum class Type { null, integer, text, blob, real };
  [[nodiscard]] int columns() const noexcept;
  /// Valid as long as the statement.
  [[nodiscard]] std::string_view name(int column) const noexcept;
  [[nodiscard]] Type type(int column) const noexcept;

 private:
  friend class Database;
  friend class SqlQuestion;
  Statement(sqlite3_stmt* statement, const std::string* path) noexcept
      : statement_(statement), path_(path) {}

  sqlite3_stmt* statement_;
  const std::string* path_;
};

class Database;

/// Is told what transactions insert, and adds to them what belongs to it.
class InsertObserver {
 public:
  virtual ~InsertObserver() = default;
  /// A row of a table with rowids was inserted. Must not use the connection. What cannot be
  /// remembered makes before_commit() throw.
  virtual void inserted(std::string_view table, std::int64_t rowid) noexcept = 0;
  /// Within the transaction, as its last part.
  virtual void before_commit(Database& database) = 0;
  /// What was told since the last commit has not happened.
  virtual void rolled_back() noexcept = 0;
};

/// SQLite counts the memory of the whole process, and every allocation of every thread goes through
/// one lock for it: a tenth of what it costs to record an attempt. A process that has no use for
/// the count does without. To be called once, before the first Database and any thread that opens
/// one; later it has no effect. Not in a process that asks a SqlQuestion, for whose limit it is.
void leave_memory_uncounted() noexcept;

/// Is told once, in one line for people, when a lock is not free within a second: who holds it, as
/// far as that can be found out, and how long it is waited for. On the thread that waits; must not
/// use the connection. May be empty.
using LockWaitListener = std::function<void(const std::string&)>;
/// How many names (hard links) a file has; 0 where there is none. SQLite finds the write-ahead log
/// by the name of the database: under a second name it does not see what is in the log of the first
/// one, and two processes ruin the file.
[[nodiscard]] std::uint64_t hard_links_of(const std::filesystem::path& file) noexcept;
/// What is told of a database with several hard links, without an end.
[[nodiscard]] std::string describe_hard_links(const std::filesystem::path& file,
                                              std::uint64_t links);

/// Whether the file is on a file system that is mounted read-only.
[[nodiscard]] bool is_on_read_only_medium(const std::filesystem::path& file) noexcept;
/// Whether a database has a write-ahead log with something in it.
[[nodiscard]] bool has_write_ahead_log(const std::filesystem::path& database) noexcept;

/// One connection to an existing SQLite file, opened through a Poco::Data session. Not thread-safe:
/// one connection a thread. Throws AuditUnusable for everything that goes wrong, with the path,
/// SQLite's message and its extended code.
class Database {
 public:
  enum class Access { read_only, read_write, create, in_memory };

  /// `create` is for create_audit_database() alone. `in_memory` is a new, empty database without a
  /// file; the path is for messages. Waits for a lock of somebody else, at most half a minute; who
  /// it is stands in the error then. What is opened `read_only` on a read-only file system and has
  /// no write-ahead log is taken as a file that nobody changes, for SQLite cannot make there what
  /// it otherwise needs.
  Database(const std::filesystem::path& path, Access access, LockWaitListener on_lock_wait = {});
  ~Database();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;

  [[nodiscard]] Statement prepare(std::string_view sql);
  /// One or more statements without result.
  void execute(const std::string& sql);
  /// The first column of the first row of a query.
  [[nodiscard]] std::int64_t query_integer(std::string_view sql);

  /// A further database, for reading only, under the name `schema`, which is a plain word.
  void attach(const std::filesystem::path& path, const std::string& schema);

  /// Notes which files this connection works on: the database and its write-ahead log, both open by
  /// now. Throws AuditUnusable if they are not at their paths any more.
  void note_files();
  /// What has happened since note_files(), as a message that says what to do: one of the files was
  /// deleted, renamed away or replaced, and SQLite would go on writing into a file that nobody
  /// finds; or the database has got a second name. nullopt = all is as it was. Costs two stat
  /// calls.
  [[nodiscard]] std::optional<std::string> displacement() const;

  /// Moves what is in the write-ahead log into the database after each commit that leaves so many
  /// pages in it, as SQLite does by itself, and keeps account of it for log_is_unanchored().
  void checkpoint_after(int pages);
  /// Whether the write-ahead log has commits that would be lost with it while no anchor named one
  /// that is lost as well: since note_anchor() everything of then has reached the database. False
  /// before checkpoint_after(), and after a checkpoint that has left nothing in the log.
  [[nodiscard]] bool log_is_unanchored() const noexcept;
  /// An anchor of the latest commit was written.
  void note_anchor() noexcept;

  [[nodiscard]] std::int64_t last_insert_rowid() const noexcept;
  /// Rows that the latest INSERT, UPDATE or DELETE has changed.
  [[nodiscard]] std::int64_t changes() const noexcept;
  /// As it was given; for messages it is to be made visible (model/shown_path.h).
  [[nodiscard]] const std::string& path() const noexcept;

  /// From now on; one observer at a time.
  void observe(std::unique_ptr<InsertObserver> observer);

 private:
  [[nodiscard]] sqlite3* handle() const noexcept;

  friend class Transaction;
  friend class SqlQuestion;
  struct Private;
  std::unique_ptr<Private> private_;
};

/// BEGIN IMMEDIATE on construction, ROLLBACK on destruction unless commit() has returned. After
/// commit() the rows are durable on disk (WAL, synchronous=FULL).
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  /// Adds now what the observer would add at the commit, so that what was inserted can be read
  /// together with it.
  void complete();
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

/// Everything that is read while it lives is of one moment, whatever others commit meanwhile. May
/// stand inside a transaction, and inside another Snapshot.
class Snapshot {
 public:
  explicit Snapshot(Database& database);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  Database& database_;
};

}  // namespace diskrelease
