#include "evidence/kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "evidence/embedded_schema.h"
#include "evidence/schema_check.h"
#include "platform/sha256.h"
#include "record/audit_file.h"
#include "support/places.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::HasSubstr;

/// A database in memory as it is after the first `version` migrations.
Database of_version(int version) {
  Database database(":memory:", Database::Access::in_memory);
  for (const Migration& migration : embedded_migrations()) {
    if (migration.version <= version) database.execute(std::string(migration.sql));
  }
  return database;
}

std::string columns_in(Database& database, std::string_view table) {
  Statement select = database.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid");
  select.bind(1, table);
  std::string columns;
  while (select.step()) columns += (columns.empty() ? "" : ", ") + std::string(select.text(0));
  return columns;
}

std::string definition_in(Database& database, std::string_view name) {
  Statement select = database.prepare("SELECT sql FROM sqlite_schema WHERE name = ?1");
  select.bind(1, name);
  return select.step() ? std::string(select.text(0)) : std::string();
}

TEST(KindsTest, TheColumnsOfAKindAreThoseOfItsTableInTheirOrder) {
  Database database = of_version(current_schema_version());
  for (const Kind& kind : k_kinds) EXPECT_EQ(columns_in(database, kind.table), kind.columns);
  for (const ArchivePart& part : k_archive_parts) {
    EXPECT_EQ(columns_in(database, part.table), part.columns);
  }
}

TEST(KindsTest, ATableComesWithTheVersionOfItsKindAndNeverChangesAfterIt) {
  Database newest = of_version(current_schema_version());
  for (const Kind& kind : k_kinds) {
    Database before = of_version(kind.since - 1);
    EXPECT_EQ(definition_in(before, kind.table), "") << kind.table;
    Database first = of_version(kind.since);
    EXPECT_NE(definition_in(first, kind.table), "") << kind.table;
    EXPECT_EQ(definition_in(newest, kind.table), definition_in(first, kind.table));
  }
}

/// The definitions that were released, by their SHA-256. A line is added with a kind; none changes.
TEST(KindsTest, ReleasedTablesAreAsTheyWereReleased) {
  const std::filesystem::path file = source_folder() / "tests/fixtures/released_tables.txt";
  std::ifstream in(file);
  std::map<std::string, std::string> released;
  for (std::string table, digest; in >> digest >> table;) released[table] = digest;
  Database database = of_version(current_schema_version());
  const auto expect = [&](std::string_view table) {
    Sha256 digest;
    digest.update(definition_in(database, table));
    EXPECT_EQ(released[std::string(table)], digest.finish_hex())
        << table << ": a released table of evidence never changes; a new one gets a line in "
        << file.string();
  };
  for (const Kind& kind : k_kinds) expect(kind.table);
  for (const ArchivePart& part : k_archive_parts) expect(part.table);
  expect("chain");
  EXPECT_EQ(released.size(), k_kinds.size() + k_archive_parts.size() + 1);
}

TEST(KindsTest, NoRowOfAKindCanBeChangedOrDeleted) {
  Database database = of_version(current_schema_version());
  for (const Kind& kind : k_kinds) {
    for (const char* end : {"_no_update", "_no_delete"}) {
      EXPECT_THAT(definition_in(database, std::string(kind.table) + end), HasSubstr("append-only"));
    }
  }
}

TEST(KindsTest, EveryTableOfEvidenceIsOfAKind) {
  Database database = of_version(current_schema_version());
  Statement select = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'");
  std::size_t others = 0;
  while (select.step()) {
    const std::string table(select.text(0));
    const bool is_known =
        std::ranges::find(k_kinds, table, &Kind::table) != k_kinds.end() ||
        std::ranges::find(k_archive_parts, table, &ArchivePart::table) != k_archive_parts.end();
    // disk_item is derived from item.
    if (table == "chain" || table == "disk_item") {
      ++others;
    } else {
      EXPECT_TRUE(is_known) << table;
    }
  }
  EXPECT_EQ(others, 2U);
}

TEST(KindsTest, TheDocumentNamesEveryKindWithItsNumber) {
  std::ifstream in(source_folder() / "docs/audit-database.md");
  std::ostringstream text;
  text << in.rdbuf();
  for (const Kind& kind : k_kinds) {
    EXPECT_THAT(text.str(), HasSubstr("| " + std::to_string(static_cast<int>(kind.kind)) + " | `" +
                                      std::string(kind.table) + "` |"));
  }
}

}  // namespace
}  // namespace diskrelease
