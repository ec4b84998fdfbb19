// A peer: what SQLite itself needs to make an intent and an outcome durable for each item, in
// groups, without triggers, foreign keys or anything else around it.
//
//   bench_sqlite_writer DATABASE ITEMS GROUP
//
// One commit carries the outcomes of a group and the intents of the next one, as it is in a run
// with GROUP requests in flight.

#include <sqlite3.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

namespace {

sqlite3* database = nullptr;

[[noreturn]] void fail(const char* doing) {
  std::cerr << "bench_sqlite_writer: " << doing << ": " << sqlite3_errmsg(database) << '\n';
  std::exit(1);
}

void execute(const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(sql);
}

sqlite3_stmt* prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database, sql, -1, &statement, nullptr) != SQLITE_OK) fail(sql);
  return statement;
}

void run(sqlite3_stmt* statement) {
  if (sqlite3_step(statement) != SQLITE_DONE) fail("insert");
  sqlite3_reset(statement);
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 4) {
    std::cerr << "usage: bench_sqlite_writer DATABASE ITEMS GROUP\n";
    return 2;
  }
  const std::int64_t items = std::atoll(arguments[2]);
  const std::int64_t group = std::atoll(arguments[3]);
  if (items < 1 || group < 1) return 2;

  if (sqlite3_open(arguments[1], &database) != SQLITE_OK) fail("open");
  execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000");
  execute(
      "CREATE TABLE attempt (attempt_id INTEGER PRIMARY KEY, item_id INTEGER NOT NULL,"
      " invocation_id INTEGER NOT NULL, attempt_number INTEGER NOT NULL, stage INTEGER NOT NULL,"
      " intent_utc_ms INTEGER NOT NULL, UNIQUE (item_id, attempt_number)) STRICT;"
      "CREATE TABLE outcome (attempt_id INTEGER PRIMARY KEY, outcome TEXT NOT NULL,"
      " scope TEXT NOT NULL, http_status INTEGER, request_id TEXT, sent_utc_ms INTEGER,"
      " finished_utc_ms INTEGER NOT NULL, latency_us INTEGER) STRICT");
  sqlite3_stmt* begin = prepare("BEGIN IMMEDIATE");
  sqlite3_stmt* commit = prepare("COMMIT");
  sqlite3_stmt* intent = prepare("INSERT INTO attempt VALUES (?1, ?1, 1, 1, 1, 1795486150000)");
  sqlite3_stmt* outcome = prepare(
      "INSERT INTO outcome VALUES (?1, 'accepted', 'disk', 200,"
      " 'T05992D0C-7E8B-4047-B0C0-780F2CD549D3', 1795486150100, 1795486150102, 2437)");

  const auto insert_range = [](sqlite3_stmt* statement, std::int64_t from, std::int64_t to) {
    for (std::int64_t item = from; item < to; ++item) {
      sqlite3_bind_int64(statement, 1, item);
      run(statement);
    }
  };
  std::int64_t announced = 1;
  std::int64_t ended = 1;
  while (ended <= items) {
    const std::int64_t next = announced + group > items ? items + 1 : announced + group;
    run(begin);
    insert_range(outcome, ended, announced);
    insert_range(intent, announced, next);
    run(commit);
    ended = announced;
    announced = next;
  }
  for (sqlite3_stmt* statement : {begin, commit, intent, outcome}) sqlite3_finalize(statement);
  if (sqlite3_close(database) != SQLITE_OK) fail("close");
  return 0;
}
