#include "custody/verification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "record/attempt_log.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "support/enrolled_run.h"
#include "support/forger.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// A database with every kind of row, written by those who write them, and what is done to it.
class VerificationTest : public ::testing::Test {
 protected:
  VerificationTest() {
    create_audit_database(file_);
    Database database = open_audit_for_writing(file_);
    RunDescription description = test_description();
    description.settings_json = R"({"name":"it's"})";
    for (int number = 1; number <= runs(); ++number) {
      const std::string prefix = number == 1 ? "disk-" : "disk-" + std::to_string(number) + "-";
      std::vector<std::string> disks;
      for (const char* disk : {"1", "2", "3", "2", "4", "5"}) disks.push_back(prefix + disk);
      const RunRecord run = enrol(database, disks, description);
      const InvocationId first = begin_test_invocation(database, run.id);
      database = live(std::move(database), run, first);
      end_invocation(database, first, EndReason::interrupted, "signal", 6, k_test_time);
      const InvocationId second = begin_test_invocation(database, run.id);
      const std::vector<Marking> markings{{disk_id(prefix + "3"), Settled::executed}};
      mark_items(database, run, second, markings, "seen in the console", k_test_time);
      end_invocation(database, second, EndReason::finished, "", 0, k_test_time);
    }
    head_ = read_chain_head(database);
  }

  /// One run has some 30 rows. For the tests of every byte and every row; others name rows by
  /// number.
  static int runs() {
    const char* const count = std::getenv("DISKRELEASE_TAMPER_RUNS");
    return count == nullptr ? 1 : std::atoi(count);
  }

  static Database live(Database database, const RunRecord& run, InvocationId invocation) {
    AttemptLog log(std::move(database), run.id, invocation);
    const auto item = [&](int number) { return ItemId{run.first_item.value + number - 1}; };
    ReadRecord read;
    read.disk_count = 2;
    read.result = "complete";
    read.http_status = 200;
    read.request_id = "T1";
    read.sent = read.finished = k_test_time;
    Sighting sighting{disk_id("disk-1"), DiskStatus::available, "", "", {}, "", "", "", "", {}};
    sighting.status = DiskStatus::available;
    sighting.name = "a 'disk'";
    sighting.size_gb = 40;
    log.record_read(read, {{item(1), sighting}, {item(2), sighting}});
    AttemptId unknown;
    const auto attempt = [&](int number, Outcome outcome) {
      OutcomeRecord record;
      record.outcome = outcome;
      record.http_status = 200;
      record.request_id = "T" + std::to_string(number);
      record.message = "line \\x0a of it's";
      record.finished = k_test_time;
      OpenAttempt open = log.announce(item(number), disk_id("disk-" + std::to_string(number)), 1,
                                      Stage::release, k_test_time)
                             .take();
      if (number == 2) unknown = open.id();
      log.record_outcome(std::move(open), record);
    };
    attempt(1, Outcome::accepted);
    attempt(2, Outcome::unknown);
    attempt(3, Outcome::unknown);
    attempt(4, Outcome::rejected);
    sighting.status = DiskStatus::recycled;
    log.record_read(read, {{item(2), sighting}});
    log.record_verdict({unknown, item(2), Settled::executed, "left", ""}, k_test_time);
    log.record_decision({DecisionKind::skip, item(5), "released_before", "run 7", false},
                        k_test_time);
    return log.close();
  }

  /// What is found after `change`, which is undone again. The triggers that refuse it are away for
  /// the while of the change only.
  Verification after(Database& database, const std::function<void()>& change,
                     const std::vector<Anchor>& anchors = {}) {
    const Snapshot undone_by(database);
    database.execute("SAVEPOINT change");
    std::vector<std::string> triggers;
    {
      std::vector<std::string> names;
      Statement select =
          database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'");
      while (select.step()) {
        names.emplace_back(select.text(0));
        triggers.emplace_back(select.text(1));
      }
      select.reset();
      for (const std::string& name : names) database.execute("DROP TRIGGER " + name);
    }
    try {
      change();
    } catch (...) {
      database.execute("ROLLBACK TO change");
      throw;
    }
    for (const std::string& trigger : triggers) database.execute(trigger);
    Verification found = verify_audit(database, anchors);
    database.execute("ROLLBACK TO change");
    return found;
  }
  Verification after_sql(Database& database, const std::string& sql,
                         const std::vector<Anchor>& anchors = {}) {
    return after(
        database, [&] { database.execute(sql); }, anchors);
  }

  /// Without the rules of the schema: who changes a file is not bound by them.
  Database lawless() const {
    Database database(file_, Database::Access::read_write);
    database.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON");
    return database;
  }

  [[nodiscard]] Anchor anchor() const { return {head_, k_test_time}; }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  ChainHead head_;
};

std::string row_name(std::string_view table, std::int64_t id) {
  return std::string(table) + " " + std::to_string(id) + ": ";
}

TEST_F(VerificationTest, WhatThisProgramHasWrittenIsVerified) {
  Database database = open_audit_for_reading(file_);
  const Verification found = verify_audit(database, {anchor()});
  EXPECT_THAT(found.problems, IsEmpty());
  EXPECT_TRUE(found.passed());
  EXPECT_EQ(found.anchors, 1);
  EXPECT_EQ(found.head.hash, head_.hash);
  for (const VerifiedTable& table : found.tables) {
    EXPECT_GT(table.rows, 0) << table.name << ": this test has no row of it";
    EXPECT_EQ(table.rows, database.query_integer("SELECT count(*) FROM " + std::string(table.name)))
        << table.name;
  }
}

// Vectors of docs/audit-database.md; computed with sha256sum.
TEST_F(VerificationTest, TheFormIsTheDocumentedOne) {
  Database database(":memory:", Database::Access::in_memory);
  Statement row = database.prepare("SELECT 17, 'it''s', NULL, -5, ''");
  ASSERT_TRUE(row.step());
  std::string text;
  append_canonical(text, "outcome", row);
  EXPECT_EQ(text, "outcome|17|'it''s'|NULL|-5|''");
  Sha256 digest;
  digest.update(text);
  std::string entries;
  append_entry(entries, {EvidenceKind::outcome, 17, digest.finish()});
  EXPECT_EQ(to_hex(entries),
            "050000000000000011"
            "2adc91058b8feb23e2be989c4ae7546dbcdf7c426a9dd374b82d6d9f211372ee");
  const Sha256::Digest first = block_hash("", entries);
  const std::string_view first_bytes(first.data(), first.size());
  EXPECT_EQ(to_hex(first_bytes),
            "59f2e8f97e141d38aea7d39cbda1c6f3ce0597f735584db29a0867a84f6b4024");
  const Sha256::Digest second = block_hash(first_bytes, entries);
  EXPECT_EQ(to_hex({second.data(), second.size()}),
            "59d9711f839b9ff986a8cdab1d9f7cb4c0a655e60436f44931ff445c3ff57cd4");
}

/// One value that a row has stored, and others that differ from it in one byte.
struct Field {
  std::string table;
  std::string key;
  std::int64_t id = 0;
  std::string column;
  std::vector<std::string> changed;  ///< SQL literals
};

std::string literal_of(const std::string& text) {
  std::string literal = "'";
  for (const char c : text) literal += c == '\'' ? std::string("''") : std::string(1, c);
  return literal + "'";
}

std::vector<std::string> one_byte_changed(const Statement& row, int column) {
  std::vector<std::string> changed;
  if (row.is_null(column)) return {"''", "0"};
  if (row.type(column) == Statement::Type::integer) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      const auto value = static_cast<std::uint64_t>(row.integer(column)) ^ (1ULL << shift);
      changed.push_back(std::to_string(static_cast<std::int64_t>(value)));
    }
    return changed;
  }
  const std::string text(row.text(column));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = other[i] == 'x' ? 'y' : 'x';
    changed.push_back(literal_of(other));
  }
  changed.push_back(literal_of(text + "x"));
  return changed;
}

std::vector<Field> fields_of(Database& database, const std::string& table, const std::string& key) {
  std::vector<std::string> columns;
  Statement info = database.prepare("SELECT name FROM pragma_table_info('" + table + "')");
  while (info.step()) columns.emplace_back(info.text(0));
  std::vector<Field> fields;
  Statement rows = database.prepare("SELECT * FROM " + table);
  while (rows.step()) {
    for (int column = 0; column < rows.columns(); ++column) {
      fields.push_back({table, key, rows.integer(0), columns[static_cast<std::size_t>(column)],
                        one_byte_changed(rows, column)});
    }
  }
  return fields;
}

/// Every change, or in a quick run every seventh.
std::size_t stride() { return std::getenv("DISKRELEASE_TAMPER") == nullptr ? 7 : 1; }

TEST_F(VerificationTest, EveryChangedByteOfEveryRowIsFoundAndNamed) {
  Database database = lawless();
  std::vector<std::pair<std::string, std::string>> tables;
  for (const Kind& kind : k_kinds) {
    if (kind.entered == Entered::by_row || kind.kind == EvidenceKind::items) {
      tables.emplace_back(kind.table, key_of(kind));
    }
  }
  std::size_t count = 0;
  std::size_t made = 0;
  for (const auto& [table, key] : tables) {
    for (const Field& field : fields_of(database, table, key)) {
      for (const std::string& literal : field.changed) {
        if (count++ % stride() != 0) continue;
        const std::string change = "UPDATE " + field.table + " SET " + field.column + " = " +
                                   literal + " WHERE " + field.key + " = " +
                                   std::to_string(field.id);
        Verification found;
        try {
          found = after_sql(database, change);
        } catch (const std::exception&) {
          continue;  // the table cannot hold it: another type, or a key that is taken
        }
        ++made;
        const std::string name = table == "item"
                                     ? "item " + std::to_string((field.id - 1) / 5 * 5 + 1) + " to "
                                     : row_name(table, field.id);
        EXPECT_THAT(found.problems, Contains(HasSubstr(name))) << change;
      }
    }
  }
  std::int64_t rows = 0;
  for (const auto& [table, key] : tables) {
    rows += database.query_integer("SELECT count(*) FROM " + table);
  }
  std::cout << made << " changes made in " << rows << " rows\n";
  EXPECT_GT(made, count / stride() / 2);
}

TEST_F(VerificationTest, EveryRemovedRowIsFoundAndNamed) {
  Database database = lawless();
  for (const Kind& kind : k_kinds) {
    if (kind.entered != Entered::by_row) continue;
    const std::string key(key_of(kind));
    const std::string table(kind.table);
    const std::int64_t last = database.query_integer("SELECT max(" + key + ") FROM " + table);
    EXPECT_GE(last, 1) << "no row of " << table;
    for (std::int64_t id = 1; id <= last; ++id) {
      const std::string where = " FROM " + table + " WHERE " + key + " = " + std::to_string(id);
      if (database.query_integer("SELECT count(*)" + where) == 0) continue;
      EXPECT_THAT(after_sql(database, "DELETE" + where).problems,
                  Contains(HasSubstr(row_name(table, id) + "is missing")));
    }
  }
  for (int item = 1; item <= 5; ++item) {
    EXPECT_THAT(
        after_sql(database, "DELETE FROM item WHERE item_id = " + std::to_string(item)).problems,
        Contains(HasSubstr("item 1 to 5 of run 1: 1 of them are missing")));
  }
}

struct Tampering {
  const char* sql;
  const char* finding;
};

TEST_F(VerificationTest, WhatWasAddedExchangedOrMovedIsFound) {
  Database database = lawless();
  for (const Tampering& t : {
           Tampering{
               "INSERT INTO outcome VALUES (9,'accepted','disk',200,NULL,'T9',NULL,NULL,1,2,3)",
               "outcome 9: is not in the chain"},
           Tampering{"INSERT INTO attempt VALUES (9,5,1,1,1,1,NULL)",
                     "attempt 9: is not in the chain"},
           Tampering{"INSERT INTO decision VALUES (-4,1,1,5,'skip','x',NULL,NULL,1)",
                     "decision -4: is not in the chain"},
           Tampering{"INSERT INTO decision VALUES (-65535,1,1,2,'skip','x',NULL,NULL,1)",
                     "decision -65535: is not in the chain"},
           Tampering{"INSERT INTO duplicate_line VALUES (-65535,9,'disk-1')",
                     "duplicate lines of run -65535: are not in the chain"},
           Tampering{"INSERT INTO item VALUES (6,1,'disk-6',9)", "item 6: is not in the chain"},
           Tampering{"INSERT INTO item VALUES (-6,1,'disk-6',9)", "item -6: is not in the chain"},
           Tampering{"INSERT INTO duplicate_line VALUES (1,9,'disk-1')",
                     "duplicate lines of run 1: were changed"},
           Tampering{"DELETE FROM duplicate_line", "duplicate lines of run 1: were changed"},
           Tampering{"INSERT INTO duplicate_line VALUES (2,9,'disk-1')",
                     "duplicate lines of run 2: are not in the chain"},
           Tampering{"UPDATE outcome SET attempt_id = CASE attempt_id WHEN 1 THEN -2 ELSE -1 END"
                     " WHERE attempt_id < 3; UPDATE outcome SET attempt_id = -attempt_id"
                     " WHERE attempt_id < 0",
                     "outcome 1: was changed"},
           Tampering{"UPDATE item SET disk_id = CASE disk_id WHEN 'disk-1' THEN 'disk-2' ELSE"
                     " 'disk-1' END WHERE item_id < 3",
                     "run 1: the list has the SHA-256"},
           Tampering{"DELETE FROM disk_item WHERE item_id = 3", "disk_item does not fit item"},
           Tampering{"UPDATE disk_item SET disk_id = 'disk-9' WHERE item_id = 3",
                     "disk_item does not fit item"},
           Tampering{"INSERT INTO disk_item VALUES ('disk-9', 3)", "disk_item does not fit item"},
       }) {
    EXPECT_THAT(after_sql(database, t.sql).problems, Contains(HasSubstr(t.finding))) << t.sql;
  }
}

TEST_F(VerificationTest, AChainThatWasChangedIsFound) {
  Database database = lawless();
  const std::int64_t blocks = database.query_integer("SELECT max(block_id) FROM chain");
  ASSERT_GE(blocks, 5);
  for (std::int64_t block = 1; block <= blocks; ++block) {
    const std::string where = " WHERE block_id = " + std::to_string(block);
    const std::string name = "block " + std::to_string(block);
    if (block < blocks) {
      EXPECT_THAT(after_sql(database, "DELETE FROM chain" + where).problems,
                  Contains(HasSubstr(name + " is missing")));
    }
    for (const char* column : {"entries", "hash"}) {
      Statement select = database.prepare("SELECT " + std::string(column) + " FROM chain" + where);
      ASSERT_TRUE(select.step());
      const std::string bytes(select.text(0));
      select.reset();
      for (std::size_t i = 0; i < bytes.size(); i += stride()) {
        std::string other = bytes;
        other[i] = static_cast<char>(other[i] ^ 1);
        const Verification found = after_sql(database, "UPDATE chain SET " + std::string(column) +
                                                           " = X'" + to_hex(other) + "'" + where);
        EXPECT_THAT(found.problems, Contains(HasSubstr("chain: " + name + " has the hash")))
            << column << ", byte " << i;
      }
    }
  }
  for (const Tampering& t : {
           Tampering{"UPDATE chain SET entries = X'00' WHERE block_id = 2",
                     "block 2 is not made of entries"},
           Tampering{"INSERT INTO chain SELECT max(block_id) + 1, X'', hash FROM chain",
                     "is not made of entries"},
           Tampering{"UPDATE chain SET block_id = CASE block_id WHEN 2 THEN -3 ELSE -2 END"
                     " WHERE block_id IN (2, 3); UPDATE chain SET block_id = -block_id"
                     " WHERE block_id < 0",
                     "block 2 has the hash"},
           Tampering{"INSERT INTO chain SELECT max(block_id) + 1, entries, hash FROM chain",
                     "has it once more"},
           Tampering{"DELETE FROM chain", "outcome 1: is not in the chain"},
       }) {
    EXPECT_THAT(after_sql(database, t.sql).problems, Contains(HasSubstr(t.finding))) << t.sql;
  }
}

/// Takes away the last blocks together with the rows that they are about.
std::string cut_after(Database& database, std::int64_t block) {
  std::string sql;
  Statement select = database.prepare("SELECT entries FROM chain WHERE block_id > ?1");
  select.bind(1, block);
  while (select.step()) {
    const std::string_view entries = select.text(0);
    for (std::size_t i = 0; i < entries.size() / k_entry_size; ++i) {
      const ChainEntry entry = entry_at(entries, i);
      const Kind& kind = kind_of(entry.kind);
      if (kind.entered == Entered::by_row) {
        sql += "DELETE FROM " + std::string(kind.table) + " WHERE " + std::string(key_of(kind)) +
               " = " + std::to_string(entry.id) + ";";
      }
      if (entry.kind == EvidenceKind::items) sql += "DELETE FROM item; DELETE FROM disk_item;";
      if (entry.kind == EvidenceKind::duplicate_lines) sql += "DELETE FROM duplicate_line;";
    }
  }
  // Who does it lets the derived tables be made anew.
  return sql + "DELETE FROM chain WHERE block_id > " + std::to_string(block) +
         "; DROP TABLE item_now";
}

TEST_F(VerificationTest, ADatabaseThatWasCutOffAnywhereIsFoundByAnAnchorAlone) {
  Database database = lawless();
  for (std::int64_t block = 0; block < head_.block; ++block) {
    const std::string cut = cut_after(database, block);
    EXPECT_THAT(after_sql(database, cut).problems, IsEmpty()) << "cut after block " << block;
    EXPECT_THAT(
        after_sql(database, cut, {anchor()}).problems,
        Contains(HasSubstr(block == 0 ? "the database was replaced" : "the end was cut off")))
        << "cut after block " << block;
  }
}

TEST_F(VerificationTest, AChainThatWasWrittenAnewIsFoundByAnAnchorAlone) {
  Database database = lawless();
  // As somebody would do it who has this program: cut off, then other rows instead.
  const auto forge = [&] {
    database.execute(cut_after(database, head_.block - 2));
    database.observe(std::make_unique<ChainWriter>());
    for (int i = 0; i < 3; ++i) {
      database.execute(
          "INSERT INTO decision (run_id, invocation_id, kind, reason, decided_utc_ms)"
          " VALUES (1, 1, 'stop', 'forged', 1)");
      ChainWriter writer;
      writer.inserted("decision", database.last_insert_rowid());
      writer.before_commit(database);
    }
    database.observe(nullptr);
  };
  EXPECT_THAT(after(database, forge).problems, IsEmpty());
  EXPECT_THAT(after(database, forge, {anchor()}).problems,
              Contains(HasSubstr("what follows an earlier block was written anew")));
}

TEST_F(VerificationTest, AnotherDatabaseInItsPlaceIsFoundByAnAnchor) {
  const std::filesystem::path other = directory_ / "other.db";
  create_audit_database(other);
  Database database = open_audit_for_writing(other);
  EXPECT_THAT(verify_audit(database, {}).problems, IsEmpty());
  EXPECT_THAT(verify_audit(database, {anchor()}).problems,
              Contains(HasSubstr("the database was replaced by another")));
  RunDescription description = test_description();
  description.name = "another";
  static_cast<void>(enrol(database, numbered_disks(2), description));
  EXPECT_THAT(verify_audit(database, {}).problems, IsEmpty());
  EXPECT_THAT(verify_audit(database, {anchor()}).problems,
              Contains(HasSubstr("the database was replaced by another")));
}

TEST_F(VerificationTest, AChangedSchemaIsFound) {
  Database database = lawless();
  Statement triggers = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'");
  std::vector<std::string> names;
  while (triggers.step()) names.emplace_back(triggers.text(0));
  triggers.reset();
  ASSERT_GT(names.size(), 20U);
  const auto found_after = [&](const std::string& sql) {
    database.execute("SAVEPOINT change");
    database.execute(sql);
    std::vector<std::string> problems = verify_audit(database, {}).problems;
    database.execute("ROLLBACK TO change; RELEASE change");
    return problems;
  };
  for (const std::string& name : names) {
    EXPECT_THAT(found_after("DROP TRIGGER " + name),
                Contains("schema: trigger " + name + " is missing"));
  }
  for (const Tampering& t : {
           Tampering{"DROP VIEW item_state; CREATE VIEW item_state AS SELECT 1 AS state",
                     "schema: view item_state was changed"},
           Tampering{"CREATE TRIGGER quiet AFTER INSERT ON outcome BEGIN SELECT 1; END",
                     "schema: trigger quiet does not belong"},
           Tampering{"CREATE TABLE extra (x)", "schema: table extra does not belong"},
           Tampering{"ALTER TABLE outcome ADD COLUMN extra TEXT",
                     "schema: table outcome was changed"},
           Tampering{"DROP INDEX observation_by_item",
                     "schema: index observation_by_item is missing"},
           Tampering{"DROP TABLE chain", "schema: table chain is missing"},
           Tampering{"DROP TABLE verdict", "schema: table verdict is missing"},
       }) {
    EXPECT_THAT(found_after(t.sql), Contains(HasSubstr(t.finding))) << t.sql;
  }
  // They are made anew where they are missing.
  EXPECT_THAT(found_after("DROP TABLE item_now; DROP TABLE run_tally"), IsEmpty());
}

TEST_F(VerificationTest, DerivedTablesThatDoNotFitTheEvidenceAreFound) {
  Database database = lawless();
  for (const Tampering& t : {
           Tampering{"UPDATE run_tally SET items = items + 1 WHERE state = 'rejected'",
                     "counts 2 items and has 1"},
           Tampering{"UPDATE run_tally SET state = 'skipped\x1b' WHERE state = 'rejected'",
                     "is \"rejected\", its row says \"skipped\\x1b\""},
           Tampering{"UPDATE item_now SET open = 1 WHERE open = 0",
                     "is \"rejected\", what its row leaves to do is 1"},
       }) {
    EXPECT_THAT(after_sql(database, t.sql).problems, Contains(StartsWith("derived tables: ")))
        << t.sql;
    EXPECT_THAT(after_sql(database, t.sql).problems, Each(StartsWith("derived tables: "))) << t.sql;
    EXPECT_THAT(after_sql(database, t.sql).problems, Contains(HasSubstr(t.finding))) << t.sql;
    // Other evidence would make other tables, which says nothing new.
    EXPECT_THAT(after_sql(database, std::string(t.sql) + "; DELETE FROM verdict").problems,
                Each(Not(StartsWith("derived tables: "))))
        << t.sql;
  }
}

TEST_F(VerificationTest, DerivedTablesOfAnotherFormAreFoundUnlessTheirLayoutIsAnother) {
  Database database = lawless();
  const std::string other =
      "DROP TABLE run_tally; CREATE TABLE run_tally (tally_id, run_id, state, code, verified,"
      " items, example_item_id)";
  EXPECT_THAT(after_sql(database, other).problems,
              ElementsAre(StartsWith("derived tables: table run_tally was changed: CREATE TABLE")));
  EXPECT_THAT(
      after_sql(database, "DROP TABLE request_index; CREATE TABLE request_index (x)").problems,
      ElementsAre(StartsWith("derived tables: table request_index was changed")));
  EXPECT_THAT(
      after_sql(database, "DROP TABLE derived_until; CREATE TABLE derived_until (x)").problems,
      ElementsAre(StartsWith("derived tables: table derived_until was changed")));
  EXPECT_THAT(after_sql(database, other + "; UPDATE derived_until SET layout = 1").problems,
              IsEmpty());
  EXPECT_THAT(after_sql(database, other + "; DROP TABLE derived_until").problems, IsEmpty());
}

/// Changes sqlite_schema itself.
class SchemaTampering {
 public:
  explicit SchemaTampering(Database& database) : database_(database) {
    database_.execute("PRAGMA writable_schema = ON");
  }
  ~SchemaTampering() { database_.execute("PRAGMA writable_schema = RESET"); }
  SchemaTampering(const SchemaTampering&) = delete;
  SchemaTampering& operator=(const SchemaTampering&) = delete;

 private:
  Database& database_;
};

TEST_F(VerificationTest, ATriggerWithANameOfSqliteItselfIsFound) {
  Database database = lawless();
  {
    const SchemaTampering tampering(database);
    database.execute(
        "INSERT INTO sqlite_schema VALUES ('trigger', 'sqlite_quiet', 'attempt', 0, 'CREATE TRIGGER"
        " sqlite_quiet BEFORE INSERT ON attempt BEGIN SELECT RAISE(IGNORE); END')");
  }
  EXPECT_THAT(verify_audit(database, {}).problems,
              Contains(HasSubstr("schema: trigger sqlite_quiet does not belong")));
}

TEST_F(VerificationTest, AnIndexThatDoesNotSayWhatItsTableSaysIsFound) {
  Database database = lawless();
  database.execute(
      "CREATE TABLE kept AS SELECT * FROM sqlite_schema"
      " WHERE name = 'observation_by_item'");
  {
    // The row is added while the index is not known.
    const SchemaTampering tampering(database);
    database.execute("DELETE FROM sqlite_schema WHERE name = 'observation_by_item'");
  }
  database.execute("INSERT INTO observation (read_id, item_id, status) VALUES (1, 1, 'RECYCLED')");
  {
    const SchemaTampering tampering(database);
    database.execute("INSERT INTO sqlite_schema SELECT * FROM kept");
  }
  database.execute("DROP TABLE kept");
  const std::vector<std::string> problems = verify_audit(database, {}).problems;
  EXPECT_THAT(problems, Contains(HasSubstr("integrity: ")));
  EXPECT_THAT(problems, Contains(HasSubstr("observation 4: is not in the chain")));
}

TEST_F(VerificationTest, AnAnchorOfAnotherChainIsNeverPassedOver) {
  Database database = open_audit_for_reading(file_);
  Anchor other = anchor();
  other.head.chain = std::string(64, 'a');
  const Verification found = verify_audit(database, {other, anchor()});
  EXPECT_EQ(found.problem_count, 1);
  EXPECT_THAT(found.problems, Contains(HasSubstr("the database was replaced by another")));
  EXPECT_EQ(found.anchored_block, head_.block);
}

TEST_F(VerificationTest, WhatWasRolledBackIsNotInTheChain) {
  Database database = open_audit_for_writing(file_);
  const auto insert = [&] {
    database.execute(
        "INSERT INTO decision (run_id, invocation_id, kind, reason, decided_utc_ms)"
        " VALUES (1, 1, 'stop', 'x', 1)");
  };
  {
    const Transaction given_up(database);
    insert();
    insert();
  }
  EXPECT_EQ(read_chain_head(database).block, head_.block);
  Transaction transaction(database);
  insert();
  transaction.commit();
  EXPECT_EQ(read_chain_head(database).block, head_.block + 1);
  EXPECT_THAT(verify_audit(database, {anchor()}).problems, IsEmpty());
}

TEST_F(VerificationTest, ALargeTransactionIsEnteredInSeveralBlocks) {
  Database database = open_audit_for_writing(file_);
  Transaction transaction(database);
  database.execute(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
      " INSERT INTO decision (run_id, invocation_id, kind, reason, decided_utc_ms)"
      " SELECT 1, 1, 'stop', 'x' || i, i FROM n");
  transaction.commit();
  EXPECT_EQ(read_chain_head(database).block, head_.block + 3);
  EXPECT_LE(database.query_integer("SELECT max(length(entries)) FROM chain"), 4096 * 41);
  EXPECT_THAT(verify_audit(database, {anchor()}).problems, IsEmpty());
}

TEST_F(VerificationTest, ListsOfManyThousandDisksAreEnteredInPieces) {
  Database database = open_audit_for_writing(file_);
  std::vector<std::string> disks = numbered_disks(2'500);
  static_cast<void>(enrol(database, disks));
  EXPECT_THAT(verify_audit(database, {}).problems, IsEmpty());
  database.execute("DROP TRIGGER item_no_update");
  for (const auto& [item, piece] : {std::pair(1'005, "item 6 to 1005 of run 2: were changed"),
                                    std::pair(1'006, "item 1006 to 2005 of run 2: were changed"),
                                    std::pair(2'505, "item 2006 to 2505 of run 2: were changed")}) {
    database.execute("SAVEPOINT change");
    database.execute("UPDATE item SET source_line = 0 WHERE item_id = " + std::to_string(item));
    EXPECT_THAT(verify_audit(database, {}).problems, Contains(HasSubstr(piece)));
    database.execute("ROLLBACK TO change; RELEASE change");
  }
}

/// The most memory that this process has had since the last call, as far as the kernel tells.
std::int64_t peak_kib() {
  std::int64_t kib = 0;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) kib = std::atoll(line.c_str() + 6);
  }
  std::ofstream("/proc/self/clear_refs") << "5";
  return kib;
}

TEST_F(VerificationTest, KeysThatStandFarApartTakeLittleMemory) {
  constexpr int k_rows = 30'000;
  {
    Forger forger(file_);
    Transaction transaction(forger.database());
    Statement insert = forger.database().prepare(
        "INSERT INTO invocation_end (invocation_id, reason, ended_utc_ms) VALUES (?1, 'x', 1)");
    std::string entries;
    Sha256 digest;
    for (std::int64_t i = 1; i <= k_rows; ++i) {
      const std::int64_t id = i << 40U;
      insert.bind(1, id).run();
      digest.update("invocation_end|" + std::to_string(id) + "|'x'|NULL|NULL|1");
      append_entry(entries, {EvidenceKind::invocation_end, id, digest.finish()});
    }
    forger.append_block(entries);
    transaction.commit();
  }
  Database database = open_audit_for_reading(file_);
  static_cast<void>(peak_kib());
  const std::int64_t before = peak_kib();
  const Verification found = verify_audit(database, {});
  EXPECT_THAT(found.problems, IsEmpty());
  // A page of bits for each would be 240 MiB.
  EXPECT_LT(peak_kib() - before, 100 * 1'024);
}

TEST_F(VerificationTest, KeysAreNeitherUsedAgainNorLeftOut) {
  const auto with_decision = [&](std::int64_t id) {
    const std::filesystem::path copy = directory_ / "copy.db";
    std::filesystem::copy_file(file_, copy, std::filesystem::copy_options::overwrite_existing);
    {
      Forger forger(copy);
      const std::string number = std::to_string(id);
      forger.sql("INSERT OR REPLACE INTO decision SELECT " + number +
                 ", run_id, invocation_id, item_id, kind, reason, detail, observation_id, 1"
                 " FROM decision LIMIT 1");
      forger.append_block(forger.entry(EvidenceKind::decision, id));
    }
    Database database = open_audit_for_reading(copy);
    return verify_audit(database, {}).problems;
  };
  const std::int64_t next =
      open_audit_for_reading(file_).query_integer("SELECT max(decision_id) FROM decision") + 1;
  EXPECT_THAT(with_decision(next), IsEmpty());
  EXPECT_THAT(with_decision(next + 1),
              Contains(HasSubstr("continues with decision " + std::to_string(next + 1))));
  constexpr std::int64_t k_highest = std::numeric_limits<std::int64_t>::max();
  EXPECT_THAT(with_decision(k_highest),
              Contains(HasSubstr("continues with decision " + std::to_string(k_highest))));
  EXPECT_THAT(with_decision(-5), Contains(HasSubstr("continues with decision -5")));
}

TEST_F(VerificationTest, AListThatReachesBeyondAllNumbersIsFound) {
  const std::string highest = std::to_string(std::numeric_limits<std::int64_t>::max());
  for (const std::string& bounds : {"first_item_id = " + highest, "first_item_id = -" + highest,
                                    "first_item_id = 2, item_count = " + highest}) {
    Database database = lawless();
    EXPECT_THAT(after_sql(database, "UPDATE run SET " + bounds).problems,
                Contains(HasSubstr("which cannot be")))
        << bounds;
  }
}

TEST_F(VerificationTest, ManyProblemsAreCountedAndTheFirstAreTold) {
  Database database = open_audit_for_writing(file_);
  database.observe(nullptr);
  database.execute(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
      " INSERT INTO decision (run_id, invocation_id, kind, reason, decided_utc_ms)"
      " SELECT 1, 1, 'stop', 'x' || i, i FROM n");
  const Verification found = verify_audit(database, {});
  EXPECT_EQ(found.problem_count, 300);
  EXPECT_EQ(found.problems.size(), Verification::k_most_problems);
  EXPECT_FALSE(found.passed());
}

}  // namespace
}  // namespace diskrelease
