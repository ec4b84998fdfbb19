#include "evidence/schema_check.h"

#include <utility>

#include "evidence/embedded_schema.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "model/visible_text.h"

namespace diskrelease {
namespace {

using Definitions = std::map<std::string, std::string>;  ///< "trigger NAME" -> its definition

std::string excerpt(const std::string& text) {
  constexpr std::size_t most = 300;
  return visible(text.size() > most ? text.substr(0, most) + "..." : text);
}

/// `tell_doubled` is called with what is there twice.
template <class Tell>
Definitions definitions_in(Database& database, std::string_view schema, const Tell& tell_doubled) {
  Statement select = database.prepare(
      "SELECT type || ' ' || name, coalesce(sql, '') FROM " + std::string(schema) +
      ".sqlite_schema"
      // What SQLite makes by itself: it has no definition, or is a table of ANALYZE.
      " WHERE NOT ((type = 'index' AND sql IS NULL AND name LIKE 'sqlite\\_autoindex\\_%' ESCAPE "
      "'\\')"
      "   OR (type = 'table' AND name = 'sqlite_stat1'"
      "       AND sql = 'CREATE TABLE sqlite_stat1(tbl,idx,stat)')"
      "   OR (type = 'table' AND name = 'sqlite_stat4'"
      "       AND sql = 'CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)'))");
  Definitions definitions;
  while (select.step()) {
    std::string name(select.text(0));
    if (!definitions.emplace(name, select.text(1)).second) tell_doubled(name);
  }
  return definitions;
}

struct Expected {
  Definitions evidence;
  Definitions all;  ///< with the derived tables
};

struct Versions {
  std::vector<Expected> expected;                         ///< of each version, from 1
  std::map<std::string, std::vector<std::string>> views;  ///< their columns, of the current version
};

Versions make_versions() {
  Database fresh(":memory:", Database::Access::in_memory);
  const auto ignore = [](const std::string&) {};
  Versions made;
  std::vector<Expected>& versions = made.expected;
  for (const Migration& migration : embedded_migrations()) {
    fresh.execute(std::string(migration.sql));
    Definitions evidence = definitions_in(fresh, "main", ignore);
    versions.push_back({evidence, std::move(evidence)});
  }
  // Those of older versions are made anew as well.
  fresh.execute(std::string(embedded_derived_tables()));
  const Definitions all = definitions_in(fresh, "main", ignore);
  for (Expected& expected : versions) {
    for (const auto& [name, definition] : all) {
      if (!versions.back().evidence.contains(name)) expected.all.emplace(name, definition);
    }
  }
  Statement columns = fresh.prepare(
      "SELECT view.name, info.name FROM sqlite_schema AS view, pragma_table_info(view.name) AS info"
      " WHERE view.type = 'view' ORDER BY view.name, info.cid");
  while (columns.step()) made.views[std::string(columns.text(0))].emplace_back(columns.text(1));
  return made;
}

const Versions& versions() {
  static const Versions all = make_versions();
  return all;
}

const Expected& expected_of(std::int64_t version) {
  const std::vector<Expected>& expected = versions().expected;
  const bool known = version >= 1 && version <= std::ssize(expected);
  return known ? expected[static_cast<std::size_t>(version - 1)] : expected.back();
}

SchemaDifferences compare(Database& database, std::string_view schema, const Expected& expected) {
  SchemaDifferences found;
  const auto problem = [&](const std::string& text) {
    found.problems.push_back("schema: " + text);
  };
  const Definitions here = definitions_in(database, schema, [&](const std::string& name) {
    problem(visible(name) + " is there twice");
    found.has_our_tables = false;
  });
  for (const auto& [name, definition] : expected.all) {
    if (here.contains(name)) continue;
    if (!expected.evidence.contains(name)) {
      found.other_derived[name];
      continue;
    }
    problem(name + " is missing");
    if (name.starts_with("table ")) found.has_our_tables = false;
  }
  for (const auto& [name, definition] : here) {
    const auto known = expected.all.find(name);
    if (known == expected.all.end()) {
      problem(visible(name) + " does not belong to an audit database: " + excerpt(definition));
    } else if (known->second == definition) {
      continue;
    } else if (expected.evidence.contains(name)) {
      problem(name + " was changed: " + excerpt(definition));
      if (name.starts_with("table ")) found.has_our_tables = false;
    } else {
      found.other_derived[name] = definition;
    }
  }
  return found;
}

void require(Database& database, const SchemaDifferences& found) {
  if (found.problems.empty()) return;
  throw AuditUnusable("audit database " + shown(database.path()) +
                      ": it was altered, or somebody else has made it: " + found.problems.front() +
                      "\nNothing else in it was read; `diskrelease audit verify` says what "
                      "differs.");
}

}  // namespace

int current_schema_version() { return embedded_migrations().back().version; }

std::int64_t schema_version(Database& database, std::string_view schema) {
  return database.query_integer("PRAGMA " + std::string(schema) + ".user_version");
}

SchemaDifferences compare_schema(Database& database, std::string_view schema) {
  return compare(database, schema, expected_of(schema_version(database, schema)));
}

void require_our_schema(Database& database, std::string_view schema) {
  require(database, compare_schema(database, schema));
}

void shadow_newer_schema(Database& database) {
  const Definitions& here = expected_of(schema_version(database)).evidence;
  constexpr std::string_view k_create = "CREATE ";
  // Tables first, since views ask them.
  for (const std::string_view type : {"table ", "view "}) {
    for (const auto& [name, definition] : versions().expected.back().evidence) {
      if (!name.starts_with(type)) continue;
      const auto known = here.find(name);
      if (known != here.end() && known->second == definition) continue;
      database.execute("CREATE TEMP " + definition.substr(k_create.size()));
    }
  }
}

std::vector<std::string> columns_of_view(std::string_view view) {
  return versions().views.at(std::string(view));
}

std::string definition_of_view(std::string_view view) {
  const std::string name(view);
  const std::string beginning = "CREATE VIEW " + name + " AS\n";
  return versions().expected.back().evidence.at("view " + name).substr(beginning.size());
}

}  // namespace diskrelease
