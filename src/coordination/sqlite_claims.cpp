#include "coordination/sqlite_claims.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <random>
#include <system_error>
#include <utility>

#include "model/errors.h"
#include "model/shown_path.h"
#include "model/visible_text.h"
#include "platform/byte_locks.h"
#include "platform/sha256.h"
#include "store/database.h"

namespace diskrelease {
namespace {

constexpr std::int64_t k_application_id = 0x4452434C;
constexpr std::int64_t k_version = 1;

/// The byte that whoever makes the file has locked. Databases have higher ones.
constexpr std::uint64_t k_making = 0;
/// Making takes milliseconds. Who has stopped amid it (SIGSTOP) must not stop all others.
constexpr std::chrono::seconds k_longest_making{10};

/// Part of the program like the audit database's, but without migrations: what is in it has expired
/// before long, so another version begins anew.
///
/// A claim's session is the one that has changed it last, so no claim is younger than its session's
/// last_utc_ms.
constexpr std::string_view k_schema =
    "CREATE TABLE store (\n"
    "  store_id                TEXT    NOT NULL,\n"
    "  distrusted_until_utc_ms INTEGER NOT NULL\n"
    ") STRICT;\n"
    "CREATE TABLE account (\n"
    "  account_id INTEGER PRIMARY KEY,\n"
    "  name       TEXT    NOT NULL UNIQUE\n"
    ") STRICT;\n"
    "CREATE TABLE session (\n"
    "  session_id     INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  account_id     INTEGER NOT NULL REFERENCES account,\n"
    "  database_id    TEXT    NOT NULL,\n"
    "  database_path  TEXT    NOT NULL,\n"
    "  run_id         INTEGER NOT NULL,\n"
    "  user           TEXT    NOT NULL,\n"
    "  host           TEXT    NOT NULL,\n"
    "  pid            INTEGER NOT NULL,\n"
    "  started_utc_ms INTEGER NOT NULL,\n"
    "  last_utc_ms    INTEGER NOT NULL\n"
    ") STRICT;\n"
    "CREATE INDEX session_by_database ON session (database_id, session_id);\n"
    "CREATE TABLE claim (\n"
    "  account_id     INTEGER NOT NULL,\n"
    "  disk_id        TEXT    NOT NULL,\n"
    "  stage          INTEGER NOT NULL CHECK (stage IN (1, 2)),\n"
    "  session_id     INTEGER NOT NULL,\n"
    "  state          TEXT    NOT NULL CHECK (state IN ('held', 'accepted', 'gone', 'unknown')),\n"
    "  changed_utc_ms INTEGER NOT NULL,\n"
    "  PRIMARY KEY (account_id, disk_id, stage)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE INDEX claim_by_time ON claim (changed_utc_ms);\n"
    "CREATE INDEX claim_open ON claim (session_id, disk_id, stage)\n"
    "WHERE state IN ('held', 'unknown');\n";

constexpr std::string_view k_select_holder =
    "SELECT database_id, database_path, run_id, user, host, pid, started_utc_ms FROM session";

std::filesystem::path file_in(const ClaimsPlace& place) { return place.folder / "claims.db"; }
std::filesystem::path locks_in(const ClaimsPlace& place) { return place.folder / "claims.lock"; }

[[noreturn]] void refuse(const ClaimsPlace& place, const std::string& what) {
  throw ClaimsUnusable("claims store " + shown(file_in(place)) + ": " + what);
}

/// Database knows files as audit databases only.
[[noreturn]] void refuse(const ClaimsPlace& place, const AuditUnusable& error) {
  std::string_view text = error.what();
  const std::string prefix = "audit database " + shown(file_in(place)) + ": ";
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  refuse(place, std::string(text));
}

template <class Work>
auto translated(const ClaimsPlace& place, const Work& work) {
  try {
    return work();
  } catch (const AuditUnusable& error) {
    refuse(place, error);
  } catch (const std::system_error& error) {
    refuse(place, "its locks: " + std::string(error.what()));
  }
}

std::uint64_t byte_of(std::string_view database_id) {
  Sha256 digest;
  digest.update(database_id);
  const Sha256::Digest bytes = digest.finish();
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 7; ++i) number = number << 8U | static_cast<unsigned char>(bytes[i]);
  return number + 1 + k_making;
}

std::string schema_of(Database& database) {
  Statement select = database.prepare(
      "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY 2");
  std::string text;
  while (select.step()) {
    for (int column = 0; column < 3; ++column) text.append(select.text(column)).push_back('\n');
  }
  // The table of AUTOINCREMENT is SQLite's own.
  return text;
}

std::string expected_schema() {
  Database database(":memory:", Database::Access::in_memory);
  database.execute(std::string(k_schema));
  return schema_of(database);
}

/// nullopt = it is a claims store of this version.
std::optional<std::string> not_a_store(Database& database) {
  const std::int64_t application = database.query_integer("PRAGMA application_id");
  if (application != k_application_id) {
    return "is an SQLite file of another program (application_id " + std::to_string(application) +
           "); it was not touched. Move it away.";
  }
  const std::int64_t version = database.query_integer("PRAGMA user_version");
  if (version != k_version) {
    return "has version " + std::to_string(version) + ", this diskrelease understands version " +
           std::to_string(k_version) + "; it was not touched. Use one version of diskrelease.";
  }
  if (schema_of(database) != expected_schema()) {
    return "its tables are not those of a claims store; it was not touched. Move it away.";
  }
  return std::nullopt;
}

std::string random_id() {
  std::random_device device;
  std::string id;
  for (int i = 0; i < 4; ++i) {
    static constexpr char k_hex[] = "0123456789abcdef";
    for (std::uint32_t word = device(), digit = 0; digit < 8; ++digit, word >>= 4U) {
      id += k_hex[word & 15U];
    }
  }
  return id;
}

void make_store(Database& database) {
  Transaction transaction(database);
  database.execute(std::string(k_schema));
  const std::string id = random_id();
  Statement insert = database.prepare("INSERT INTO store VALUES (?1, 0)");
  insert.bind(1, id).run();
  database.execute("PRAGMA application_id = " + std::to_string(k_application_id) +
                   "; PRAGMA user_version = " + std::to_string(k_version));
  transaction.commit();
}

struct Access {
  mode_t mode;
  gid_t group;
};

Access access_to(const ClaimsPlace& place) {
  struct stat folder {};
  if (::stat(place.folder.c_str(), &folder) != 0) {
    const int error = errno;
    refuse(place, "its folder: " + std::generic_category().message(error));
  }
  return place.shared ? Access{0660, folder.st_gid} : Access{0600, ::getegid()};
}

void make_file(const ClaimsPlace& place, const Access& access) {
  const std::filesystem::path file = file_in(place);
  // Set before any content is written; SQLite gives the files beside it the same mode.
  const int descriptor =
      ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, access.mode);
  if (descriptor < 0) {
    const int error = errno;
    refuse(place, "cannot be created: " + std::generic_category().message(error));
  }
  const bool done = ::fchmod(descriptor, access.mode) == 0 &&
                    ::fchown(descriptor, static_cast<uid_t>(-1), access.group) == 0;
  const int error = errno;
  ::close(descriptor);
  if (!done) refuse(place, "its mode cannot be set: " + std::generic_category().message(error));
}

/// False = there is none.
bool check_file(const ClaimsPlace& place) {
  struct stat status {};
  if (::lstat(file_in(place).c_str(), &status) != 0) {
    if (errno == ENOENT) return false;
    const int error = errno;
    refuse(place, "cannot be examined: " + std::generic_category().message(error));
  }
  if (!S_ISREG(status.st_mode)) refuse(place, "is not a regular file");
  const mode_t others = place.shared ? 0002 : 0022;
  if ((status.st_mode & others) != 0) {
    refuse(place, "other users may write to it; see who has, then chmod o-w,g-w");
  }
  if (!place.shared && status.st_uid != ::geteuid()) {
    refuse(place, "belongs to another user (uid " + std::to_string(status.st_uid) + ")");
  }
  return true;
}

Database open_store(const ClaimsPlace& place, const Access& access) {
  if (!check_file(place)) make_file(place, access);
  Database database(file_in(place), Database::Access::read_write);
  const bool empty = database.query_integer("PRAGMA application_id") == 0 &&
                     database.query_integer("SELECT count(*) FROM sqlite_schema") == 0;
  if (!empty) {
    if (const auto problem = not_a_store(database)) refuse(place, *problem);
  }
  Statement journal = database.prepare("PRAGMA journal_mode = WAL");
  if (!journal.step() || journal.text(0) != "wal") {
    refuse(place,
           "the file system does not support write-ahead logging (a network file system?); use a "
           "local disk");
  }
  journal.reset();
  database.execute("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304");
  // A creation that was cut off leaves an empty file.
  if (empty) make_store(database);
  return database;
}

ClaimState state_from(std::string_view text) {
  for (const ClaimState state : {ClaimState::accepted, ClaimState::gone, ClaimState::unknown}) {
    if (text == to_text(state)) return state;
  }
  return ClaimState::held;
}

ClaimHolder read_holder(const Statement& row) {
  return {std::string(row.text(0)),
          std::string(row.text(1)),
          RunId{row.integer(2)},
          std::string(row.text(3)),
          std::string(row.text(4)),
          row.integer(5),
          row.utc(6)};
}

/// Of each audit database but that one the latest session, where it is on this account and at work.
std::vector<ClaimHolder> read_at_work(Database& database, const ByteLocks& locks,
                                      std::string_view account, std::string_view own_database_id) {
  Statement select = database.prepare(
      std::string(k_select_holder) +
      " WHERE session_id IN (SELECT max(session_id) FROM session GROUP BY database_id)"
      "   AND account_id = (SELECT account_id FROM account WHERE name = ?1)"
      "   AND database_id <> ?2 ORDER BY session_id");
  select.bind(1, account).bind(2, own_database_id);
  std::vector<ClaimHolder> holders;
  while (select.step()) {
    ClaimHolder holder = read_holder(select);
    if (locks.is_held_elsewhere(byte_of(holder.database_id))) holders.push_back(std::move(holder));
  }
  return holders;
}

}  // namespace

std::string_view to_text(ClaimState state) noexcept {
  switch (state) {
    case ClaimState::held:
      return "held";
    case ClaimState::accepted:
      return "accepted";
    case ClaimState::gone:
      return "gone";
    case ClaimState::unknown:
      return "unknown";
  }
  return "";
}

std::optional<ClaimsPlace> claims_place(const std::optional<std::string>& chosen,
                                        const std::optional<std::filesystem::path>& state_directory,
                                        const std::filesystem::path& system_folder) {
  struct stat status {};
  if (chosen) {
    const bool others_write = ::stat(chosen->c_str(), &status) == 0 &&
                              ((status.st_mode & S_IWGRP) != 0 || status.st_uid != ::geteuid());
    return ClaimsPlace{*chosen, others_write};
  }
  // What everybody may write to, anybody can fill with claims.
  if (::stat(system_folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
      (status.st_mode & S_IWOTH) == 0 &&
      ::faccessat(AT_FDCWD, system_folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0) {
    return ClaimsPlace{system_folder, true};
  }
  if (!state_directory) return std::nullopt;
  return ClaimsPlace{*state_directory, false};
}

struct SqliteClaims::Private {
  Private(const ClaimsPlace& claims_at, std::string account_name, ClaimHolder holder)
      : place(claims_at),
        account(std::move(account_name)),
        me(std::move(holder)),
        access(prepare_folder(place)),
        locks(locks_in(place), access.mode, access.group) {
    if (!locks.try_lock(byte_of(me.database_id))) {
      throw LockHeld("another process works on an audit database with the same id as " +
                     visible(me.database_path) +
                     ": the same file under another path, or a copy of it. Nothing was sent; wait "
                     "until that process has ended.");
    }
    locks.lock(k_making, k_longest_making);
    database.emplace(open_store(place, access));
    locks.unlock(k_making);
    begin_session();
    database->note_files();
    Statement store = database->prepare("SELECT store_id FROM store");
    if (!store.step()) refuse(place, "has lost its id. Move it away.");
    store_id = store.text(0);
    find.emplace(database->prepare(
        "SELECT claim.state, claim.changed_utc_ms, claim.session_id, database_id, database_path,"
        " run_id, user, host, pid, started_utc_ms"
        " FROM claim LEFT JOIN session USING (session_id)"
        " WHERE claim.account_id = ?1 AND disk_id = ?2 AND stage = ?3"));
    find->bind(1, account_id);
    hold.emplace(database->prepare(
        "INSERT INTO claim VALUES (?1, ?2, ?3, ?4, 'held', ?5) ON CONFLICT DO UPDATE"
        " SET session_id = ?4, state = 'held', changed_utc_ms = ?5"));
    hold->bind(1, account_id).bind(4, session);
    give_back.emplace(
        database->prepare("DELETE FROM claim WHERE account_id = ?1 AND disk_id = ?2 AND stage = ?3"
                          " AND session_id IN (SELECT session_id FROM session WHERE database_id = "
                          "?4)"));
    give_back->bind(1, account_id).bind(4, me.database_id);
    set_state.emplace(database->prepare(
        "UPDATE claim SET state = ?5, changed_utc_ms = ?6, session_id = ?7"
        " WHERE account_id = ?1 AND disk_id = ?2 AND stage = ?3"
        " AND session_id IN (SELECT session_id FROM session WHERE database_id = ?4)"));
    set_state->bind(1, account_id).bind(4, me.database_id).bind(7, session);
    touch.emplace(database->prepare(
        "UPDATE session SET last_utc_ms = max(last_utc_ms, ?2) WHERE session_id = ?1"));
    touch->bind(1, session);
  }

  static Access prepare_folder(const ClaimsPlace& place) {
    if (!place.shared) {
      std::error_code error;
      std::filesystem::create_directories(place.folder.parent_path(), error);
      ::mkdir(place.folder.c_str(), 0700);
    }
    return access_to(place);
  }

  void begin_session() {
    Transaction transaction(*database);
    Statement insert =
        database->prepare("INSERT INTO account (name) VALUES (?1) ON CONFLICT DO NOTHING");
    insert.bind(1, account).run();
    Statement find_account = database->prepare("SELECT account_id FROM account WHERE name = ?1");
    find_account.bind(1, account);
    static_cast<void>(find_account.step());
    account_id = find_account.integer(0);
    find_account.reset();
    Statement begin = database->prepare(
        "INSERT INTO session (account_id, database_id, database_path, run_id, user, host, pid,"
        " started_utc_ms, last_utc_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)");
    begin.bind(1, account_id)
        .bind(2, me.database_id)
        .bind(3, me.database_path)
        .bind(4, me.run.value)
        .bind(5, me.user)
        .bind(6, me.host)
        .bind(7, me.pid)
        .bind(8, me.started);
    begin.run();
    session = database->last_insert_rowid();
    transaction.commit();
  }

  void require_in_place() const {
    if (database->displacement()) {
      throw ClaimsLost("claims store " + shown(file_in(place)) +
                       ": it was deleted, renamed or replaced while this process worked with it. "
                       "Put the original back, or start again without it.");
    }
  }

  [[nodiscard]] bool at_work(const std::string& database_id) const {
    return locks.is_held_elsewhere(byte_of(database_id));
  }

  /// Whether the claim that `find` has found stands in the way.
  std::optional<RefusedClaim> found_refusal(UtcTime now) {
    RefusedClaim refusal;
    refusal.state = state_from(find->text(0));
    refusal.since = find->utc(1);
    refusal.holder = {std::string(find->text(3)),
                      std::string(find->text(4)),
                      RunId{find->integer(5)},
                      std::string(find->text(6)),
                      std::string(find->text(7)),
                      find->integer(8),
                      find->utc(9)};
    const bool own = refusal.holder.database_id == me.database_id;
    if (own && refusal.state != ClaimState::accepted) return std::nullopt;
    refusal.own = own;
    refusal.at_work = !own && at_work(refusal.holder.database_id);
    const bool expired = refusal.since + k_claims_kept <= now &&
                         !(refusal.state == ClaimState::held && refusal.at_work);
    if (expired) return std::nullopt;
    return refusal;
  }

  /// Sessions of databases at work, as a list for SQL. The open claims of such a database are those
  /// of its latest session: it has settled all others at its start.
  [[nodiscard]] std::string live_sessions() {
    std::string live = std::to_string(session);
    Statement latest =
        database->prepare("SELECT database_id, max(session_id) FROM session GROUP BY database_id");
    while (latest.step()) {
      if (at_work(std::string(latest.text(0)))) live += ", " + std::to_string(latest.integer(1));
    }
    return live;
  }

  /// Within a transaction.
  void prune(std::int64_t written, UtcTime now) {
    touch->bind(2, now).run();
    const UtcTime expired = now - k_claims_kept;
    {
      Statement oldest = database->prepare(
          "SELECT min((SELECT coalesce(min(changed_utc_ms), ?1 + 1) FROM claim),"
          "           (SELECT min(last_utc_ms) FROM session))");
      oldest.bind(1, expired);
      if (oldest.step() && oldest.utc(0) > expired) return;
    }
    const std::string live = live_sessions();
    Statement claims = database->prepare(
        "DELETE FROM claim WHERE (account_id, disk_id, stage) IN"
        " (SELECT account_id, disk_id, stage FROM claim INDEXED BY claim_by_time"
        "  WHERE changed_utc_ms <= ?1 AND NOT (state = 'held' AND session_id IN (" +
        live + ")) ORDER BY changed_utc_ms LIMIT ?2)");
    claims.bind(1, expired).bind(2, written + k_pruned_a_commit).run();
    // Those of which no claim is left.
    Statement sessions = database->prepare(
        "DELETE FROM session WHERE last_utc_ms <= ?1 AND session_id NOT IN (" + live +
        ") AND last_utc_ms < (SELECT coalesce(min(changed_utc_ms), ?1 + 1) FROM claim)");
    sessions.bind(1, expired).run();
  }

  const ClaimsPlace place;
  const std::string account;
  const ClaimHolder me;
  const Access access;
  ByteLocks locks;
  std::optional<Database> database;
  std::string store_id;
  std::int64_t account_id = 0;
  std::int64_t session = 0;
  std::optional<Statement> find;       // 2 disk, 3 stage
  std::optional<Statement> hold;       // 2 disk, 3 stage, 5 now
  std::optional<Statement> give_back;  // 2 disk, 3 stage
  std::optional<Statement> set_state;  // 2 disk, 3 stage, 5 state, 6 now
  std::optional<Statement> touch;      // 2 now
};

SqliteClaims::SqliteClaims(const ClaimsPlace& place, std::string account, ClaimHolder me) {
  private_ = translated(
      place, [&] { return std::make_unique<Private>(place, std::move(account), std::move(me)); });
}

SqliteClaims::~SqliteClaims() = default;

std::vector<std::optional<RefusedClaim>> SqliteClaims::claim_page(std::span<const ClaimKey> keys,
                                                                  UtcTime now) {
  Private& my = *private_;
  return translated(my.place, [&] {
    my.require_in_place();
    my.database->execute("PRAGMA synchronous = FULL");
    std::vector<std::optional<RefusedClaim>> answers;
    answers.reserve(keys.size());
    std::int64_t written = 0;
    Transaction transaction(*my.database);
    for (const ClaimKey& key : keys) {
      const std::int64_t stage{static_cast<int>(key.stage)};
      my.find->bind(2, key.disk.text()).bind(3, stage);
      const bool found = my.find->step();
      std::optional<RefusedClaim> refusal = found ? my.found_refusal(now) : std::nullopt;
      const bool mine_already = found && !refusal && my.find->integer(2) == my.session &&
                                state_from(my.find->text(0)) == ClaimState::held;
      my.find->reset();
      if (!refusal && !mine_already) {
        my.hold->bind(2, key.disk.text()).bind(3, stage).bind(5, now).run();
        ++written;
      }
      answers.push_back(std::move(refusal));
    }
    if (written > 0) my.prune(written, now);
    transaction.commit();
    return answers;
  });
}

void SqliteClaims::change(std::span<const ClaimChange> changes, UtcTime now) {
  if (changes.empty()) return;
  Private& my = *private_;
  translated(my.place, [&] {
    my.require_in_place();
    // To lose one keeps others out for longer, which is safe.
    my.database->execute("PRAGMA synchronous = NORMAL");
    Transaction transaction(*my.database);
    for (const ClaimChange& change : changes) {
      const std::int64_t stage{static_cast<int>(change.key.stage)};
      if (!change.state) {
        my.give_back->bind(2, change.key.disk.text()).bind(3, stage).run();
        continue;
      }
      my.set_state->bind(2, change.key.disk.text())
          .bind(3, stage)
          .bind(5, to_text(*change.state))
          .bind(6, now);
      my.set_state->run();
    }
    my.prune(std::ssize(changes), now);
    transaction.commit();
  });
}

std::vector<OpenClaim> SqliteClaims::open_claims(const std::optional<OpenClaim>& after,
                                                 std::int64_t limit) {
  Private& my = *private_;
  return translated(my.place, [&] {
    Statement select = my.database->prepare(
        "SELECT session_id, disk_id, stage, state FROM claim INDEXED BY claim_open"
        " WHERE state IN ('held', 'unknown')"
        "   AND session_id IN (SELECT session_id FROM session"
        "                      WHERE database_id = ?1 AND account_id = ?2)"
        "   AND (session_id, disk_id, stage) > (?3, ?4, ?5)"
        " ORDER BY session_id, disk_id, stage LIMIT ?6");
    const std::string disk = after ? after->key.disk.text() : std::string();
    select.bind(1, my.me.database_id)
        .bind(2, my.account_id)
        .bind(3, after ? after->session : std::int64_t{0})
        .bind(4, disk)
        .bind(5, std::int64_t{after ? static_cast<int>(after->key.stage) : 0})
        .bind(6, limit);
    std::vector<OpenClaim> claims;
    while (select.step()) {
      auto parsed = DiskId::parse(select.text(1));
      auto* const id = std::get_if<DiskId>(&parsed);
      if (id == nullptr) refuse(my.place, "holds a text that is no disk id. Move it away.");
      claims.push_back({select.integer(0),
                        {std::move(*id), select.integer(2) == 2 ? Stage::destroy : Stage::release},
                        state_from(select.text(3))});
    }
    return claims;
  });
}

std::vector<ClaimHolder> SqliteClaims::others_at_work() {
  Private& my = *private_;
  return translated(my.place, [&] {
    return read_at_work(*my.database, my.locks, my.account, my.me.database_id);
  });
}

const std::string& SqliteClaims::store_id() const noexcept { return private_->store_id; }

std::optional<ClaimsDistrust> SqliteClaims::distrust(const std::optional<ClaimsWitness>& witness,
                                                     UtcTime now) {
  Private& my = *private_;
  return translated(my.place, [&]() -> std::optional<ClaimsDistrust> {
    std::string why;
    if (witness && witness->store_id != my.store_id) {
      why = "the store that was used on " + format_utc(witness->at) + " is not there any more";
    } else if (witness && witness->accepted) {
      my.find->bind(2, witness->accepted->disk.text())
          .bind(3, std::int64_t{static_cast<int>(witness->accepted->stage)});
      const bool known = my.find->step() && my.find->text(3) == my.me.database_id;
      my.find->reset();
      if (!known) {
        why = "it is an older copy: the claim of disk " + witness->accepted->disk.text() +
              ", whose release was accepted, is missing";
      }
    }
    Transaction transaction(*my.database);
    if (!why.empty()) {
      Statement keep = my.database->prepare(
          "UPDATE store SET distrusted_until_utc_ms = max(distrusted_until_utc_ms, ?1)");
      keep.bind(1, now + k_claims_kept).run();
    }
    Statement select = my.database->prepare("SELECT distrusted_until_utc_ms FROM store");
    const UtcTime until = select.step() ? select.utc(0) : UtcTime{};
    select.reset();
    transaction.commit();
    if (until <= now) return std::nullopt;
    if (why.empty()) why = "claims were lost before " + format_utc(until - k_claims_kept);
    return ClaimsDistrust{why, until};
  });
}

std::vector<ClaimHolder> databases_at_work(const ClaimsPlace& place, std::string_view account,
                                           std::string_view own_database_id) {
  std::error_code error;
  // Whoever is at work has made both.
  if (!std::filesystem::exists(file_in(place), error) ||
      !std::filesystem::exists(locks_in(place), error)) {
    return {};
  }
  try {
    static_cast<void>(check_file(place));
    const Access access = access_to(place);
    const ByteLocks locks(locks_in(place), access.mode, access.group);
    Database database(file_in(place), Database::Access::read_only);
    if (not_a_store(database)) return {};
    return read_at_work(database, locks, account, own_database_id);
  } catch (const AuditUnusable&) {
    return {};
  } catch (const ClaimsUnusable&) {
    return {};
  } catch (const std::system_error&) {
    return {};
  }
}

}  // namespace diskrelease
