#include "derived/derived_tables.h"

#include <map>
#include <string_view>

#include "derived/request_index.h"
#include "derived/run_tally.h"
#include "evidence/embedded_schema.h"
#include "evidence/schema_check.h"

namespace diskrelease {
namespace {

/// Another number than that in the database: its tables are made again.
constexpr std::int64_t k_layout = 4;

/// Differences of a kind that are told.
constexpr std::size_t k_most_shown = 5;

/// The tables are empty, in whichever schema.
void fill(Database& database) {
  database.execute(
      "INSERT INTO derived_until SELECT " + std::to_string(k_layout) +
      ", coalesce((SELECT min(attempt_id) - 1 FROM attempt WHERE NOT EXISTS"
      "   (SELECT 1 FROM outcome WHERE outcome.attempt_id = attempt.attempt_id)),"
      "  (SELECT max(attempt_id) FROM attempt), 0), 0, 0;"
      "INSERT INTO run_progress SELECT run_id, first_item_id, max(first_item_id - 1,"
      "  coalesce((SELECT max(item_id) FROM attempt WHERE item_id BETWEEN first_item_id"
      "            AND first_item_id + item_count - 1), 0),"
      "  coalesce((SELECT max(item_id) FROM observation WHERE item_id BETWEEN first_item_id"
      "            AND first_item_id + item_count - 1), 0),"
      "  coalesce((SELECT max(item_id) FROM decision WHERE item_id BETWEEN first_item_id"
      "            AND first_item_id + item_count - 1), 0)) FROM run");
  RunTally tally(database);
  // Every other item is plainly pending.
  Statement items = database.prepare(
      "SELECT item_id FROM item WHERE"
      " EXISTS (SELECT 1 FROM attempt WHERE attempt.item_id = item.item_id)"
      " OR EXISTS (SELECT 1 FROM decision WHERE decision.item_id = item.item_id)");
  while (items.step()) tally.refresh(ItemId{items.integer(0)});
  tally.write();
}

/// The texts that a query gives.
void add(std::vector<std::string>& differences, Database& database, const std::string& sql) {
  Statement select = database.prepare(sql + " LIMIT " + std::to_string(k_most_shown));
  while (select.step()) differences.emplace_back(select.text(0));
}

/// Tallies that do not count the rows that they have; of one that is not there: 0. One pass for
/// all: item_now has no index by tally.
void add_miscounts(std::vector<std::string>& differences, Database& database) {
  struct Count {
    std::int64_t rows = 0;
    std::int64_t said = 0;
  };
  std::map<std::int64_t, Count> tallies;
  Statement rows = database.prepare("SELECT tally_id FROM item_now");
  while (rows.step()) ++tallies[rows.integer(0)].rows;
  Statement said = database.prepare("SELECT tally_id, items FROM run_tally");
  while (said.step()) tallies[said.integer(0)].said = said.integer(1);
  std::size_t shown = 0;
  for (const auto& [tally, count] : tallies) {
    if (count.rows == count.said) continue;
    if (++shown > k_most_shown) return;
    differences.push_back("tally " + std::to_string(tally) + " counts " +
                          std::to_string(count.said) + " items and has " +
                          std::to_string(count.rows));
  }
}

}  // namespace

bool derived_layout_is_ours(Database& database) {
  return database.query_integer("SELECT count(*) FROM derived_until WHERE layout = " +
                                std::to_string(k_layout)) == 1;
}

bool derived_tables_are_there(Database& database) {
  // Those of another layout may be anything.
  if (!compare_schema(database).other_derived.empty()) return false;
  return derived_layout_is_ours(database) &&
         database.query_integer(
             "SELECT (SELECT count(*) FROM run) = (SELECT count(*) FROM run_progress)"
             " AND NOT EXISTS (SELECT 1 FROM run WHERE run_id NOT IN (SELECT run_id FROM "
             "run_progress))"
             // A mark beyond the evidence would hide what comes next.
             " AND settled_attempts <= coalesce((SELECT max(attempt_id) FROM attempt), 0)"
             " AND observation_id <= coalesce((SELECT max(observation_id) FROM observation), 0)"
             " AND decision_id <= coalesce((SELECT max(decision_id) FROM decision), 0)"
             " AND EXISTS (SELECT 1 FROM item_now)"
             "   = EXISTS (SELECT 1 FROM run_tally WHERE items > 0)"
             " FROM derived_until") == 1;
}

void catch_up_derived_tables(Database& database) {
  if (database.query_integer(
          "SELECT settled_attempts >= coalesce((SELECT max(attempt_id) FROM attempt), 0)"
          " AND observation_id >= coalesce((SELECT max(observation_id) FROM observation), 0)"
          " AND decision_id >= coalesce((SELECT max(decision_id) FROM decision), 0)"
          " FROM derived_until") == 1) {
    return;
  }
  Transaction transaction(database);
  RunTally tally(database);
  Statement items = database.prepare(
      "SELECT item_id FROM attempt NOT INDEXED"
      " WHERE attempt_id > (SELECT settled_attempts FROM derived_until)"
      " UNION SELECT item_id FROM observation NOT INDEXED"
      " WHERE observation_id > (SELECT observation_id FROM derived_until)"
      " UNION SELECT item_id FROM decision NOT INDEXED"
      " WHERE decision_id > (SELECT decision_id FROM derived_until) AND item_id IS NOT NULL");
  while (items.step()) tally.refresh(ItemId{items.integer(0)});
  tally.write();
  transaction.commit();
}

void make_derived_tables(Database& database) {
  database.execute(std::string(embedded_derived_tables()));
  fill(database);
}

void shadow_derived_tables(Database& database) {
  std::string sql(embedded_derived_tables());
  constexpr std::string_view k_main = "main.";
  for (std::size_t at = sql.find(k_main); at != std::string::npos; at = sql.find(k_main, at)) {
    sql.replace(at, k_main.size(), "temp.");
  }
  database.execute(sql);
  const Snapshot snapshot(database);
  fill(database);
}

std::vector<std::string> derived_differences(Database& database) {
  const Snapshot snapshot(database);
  std::vector<std::string> differences;
  const std::string other_ending =
      "(now.state IS NOT coalesce(run_tally.state, 'pending')"
      " OR now.code IS NOT coalesce(run_tally.code, '')"
      " OR now.verified IS NOT coalesce(run_tally.verified, '')"
      " OR now.run_id IS NOT coalesce(run_tally.run_id, now.run_id))";
  const std::string other_open =
      "item_now.open <> CASE"
      " WHEN now.state = 'unknown' OR (now.state = 'pending' AND now.next_stage IS NULL) THEN 1"
      " WHEN now.state = 'pending' THEN 3"
      " WHEN now.state = 'released' AND now.verified = 'not_read' THEN 2"
      " WHEN now.state = 'released' AND now.verified NOT IN ('recycled', 'destroyed', 'gone')"
      "   THEN 4"
      " ELSE 0 END";
  // An item with an open attempt keeps the row that it had before; it is looked at once it has
  // none.
  const std::string no_open_attempt =
      "NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.item_id = now.item_id"
      " AND NOT EXISTS (SELECT 1 FROM outcome WHERE outcome.attempt_id = attempt.attempt_id))";
  // In one go, for what an item has come to takes nearly all of the time. SQLite would work it out
  // anew wherever a column of it stands, but does not look into a subquery that has a limit.
  add(differences, database,
      "SELECT iif(" + other_ending +
          ", format('item %d is \"%s\", its row says \"%s\"', now.item_id, now.state ||"
          "   iif(now.code = '', '', ' ' || now.code) ||"
          "   iif(now.verified = '', '', ' ' || now.verified),"
          "   iif(run_tally.tally_id IS NULL, 'pending', run_tally.state ||"
          "     iif(run_tally.code = '', '', ' ' || run_tally.code) ||"
          "     iif(run_tally.verified = '', '', ' ' || run_tally.verified))),"
          " format('item %d is \"%s\", what its row leaves to do is %d', now.item_id, now.state ||"
          "   iif(now.verified = '', '', ' ' || now.verified), item_now.open)) FROM (" +
          std::string(k_select_item_endings_from) +
          "(SELECT * FROM item_state LIMIT -1) LIMIT -1"
          ") AS now LEFT JOIN item_now USING (item_id) LEFT JOIN run_tally USING (tally_id)"
          " WHERE (" +
          other_ending + " OR " + other_open + ") AND " + no_open_attempt);
  add_miscounts(differences, database);
  add(differences, database,
      "SELECT format('item %d has a row and is in no list', item_id) FROM item_now"
      " WHERE NOT EXISTS (SELECT 1 FROM item WHERE item.item_id = item_now.item_id)");
  add(differences, database,
      "SELECT format('tally %d has item %d as its example, which is of another', tally_id,"
      "   example_item_id) FROM run_tally WHERE example_item_id IS NOT NULL"
      " AND NOT EXISTS (SELECT 1 FROM item_now WHERE item_id = example_item_id"
      "                 AND item_now.tally_id = run_tally.tally_id)");
  add(differences, database,
      "SELECT format('item %d has no row and is below the first gap', item.item_id)"
      " FROM item JOIN run_progress USING (run_id) WHERE item.item_id < first_gap_item_id"
      " AND NOT EXISTS (SELECT 1 FROM item_now WHERE item_now.item_id = item.item_id)");
  add(differences, database,
      "SELECT format('item %d has evidence and is above the last touched one', item.item_id)"
      " FROM item JOIN run_progress USING (run_id) WHERE item.item_id > last_touched_item_id"
      " AND (EXISTS (SELECT 1 FROM attempt WHERE attempt.item_id = item.item_id)"
      "   OR EXISTS (SELECT 1 FROM decision WHERE decision.item_id = item.item_id)"
      "   OR EXISTS (SELECT 1 FROM observation WHERE observation.item_id = item.item_id))");
  add(differences, database,
      "SELECT format('attempt %d is open and among the settled ones', attempt_id) FROM attempt"
      " WHERE attempt_id <= (SELECT settled_attempts FROM derived_until) AND NOT EXISTS"
      "   (SELECT 1 FROM outcome WHERE outcome.attempt_id = attempt.attempt_id)");
  for (const std::int64_t attempt : attempts_missing_in_request_index(database, k_most_shown)) {
    differences.push_back("attempt " + std::to_string(attempt) +
                          " is not found through request_index");
  }
  if (!derived_tables_are_there(database)) differences.emplace_back("they are not whole");
  return differences;
}

}  // namespace diskrelease
