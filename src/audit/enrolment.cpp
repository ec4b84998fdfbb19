#include "audit/enrolment.h"

#include <algorithm>
#include <utility>

#include "platform/sha256.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_duplicates_shown = 20;

/// Duplicates are found in the order of disk ids; the first ones of the list are kept.
void keep_first(std::vector<Enrolment::Duplicate>& kept, Enrolment::Duplicate found) {
  const auto place = std::ranges::upper_bound(kept, found.line, {}, &Enrolment::Duplicate::line);
  if (place == kept.end() && kept.size() == k_duplicates_shown) return;
  kept.insert(place, std::move(found));
  if (kept.size() > k_duplicates_shown) kept.pop_back();
}

}  // namespace

struct Enrolment::Private {
  explicit Private(Database& connection) : database(connection) {
    database.execute(
        "DROP TABLE IF EXISTS temp.staged; DROP TABLE IF EXISTS temp.repeated;"
        "CREATE TABLE temp.staged (place INTEGER PRIMARY KEY, line INTEGER NOT NULL,"
        " disk_id TEXT NOT NULL);"
        "CREATE TABLE temp.repeated (place INTEGER PRIMARY KEY);"
        "SAVEPOINT staging");
    insert.emplace(database.prepare("INSERT INTO temp.staged (line, disk_id) VALUES (?1, ?2)"));
  }
  Database& database;
  std::optional<Statement> insert;
  Staged staged;
  bool finished = false;
};

Enrolment::Enrolment(Database& database) : private_(std::make_unique<Private>(database)) {}

Enrolment::~Enrolment() {
  private_->insert.reset();
  try {
    if (!private_->finished) private_->database.execute("RELEASE staging");
    private_->database.execute(
        "DROP TABLE IF EXISTS temp.staged; DROP TABLE IF EXISTS temp.repeated");
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    // Temporary tables go with the connection.
  }
}

void Enrolment::add(const Target& target) {
  private_->insert->bind(1, target.source_line).bind(2, target.disk.text()).run();
}

Enrolment::Staged Enrolment::finish() {
  Private& my = *private_;
  {
    Statement sorted =
        my.database.prepare("SELECT disk_id, place, line FROM temp.staged ORDER BY disk_id, place");
    Statement repeat = my.database.prepare("INSERT INTO temp.repeated (place) VALUES (?1)");
    std::string previous;
    std::int64_t previous_line = 0;
    while (sorted.step()) {
      const std::string_view disk = sorted.text(0);
      if (disk != previous) {
        previous = disk;
        previous_line = sorted.integer(2);
        ++my.staged.items;
        continue;
      }
      repeat.bind(1, sorted.integer(1)).run();
      ++my.staged.duplicates;
      keep_first(my.staged.first_duplicates, {sorted.integer(2), previous_line, previous});
    }
  }
  my.database.execute("RELEASE staging");
  my.finished = true;
  Sha256 digest;
  Statement ordered = my.database.prepare(
      "SELECT disk_id FROM temp.staged WHERE place NOT IN (SELECT place FROM temp.repeated)"
      " ORDER BY place");
  while (ordered.step()) {
    digest.update(ordered.text(0));
    digest.update("\n");
  }
  my.staged.sha256 = digest.finish_hex();
  return my.staged;
}

RunRecord Enrolment::commit(const RunDescription& description, UtcTime now) {
  Private& my = *private_;
  Database& database = my.database;
  Transaction transaction(database);
  RunRecord run;
  run.description = description;
  run.list_sha256 = my.staged.sha256;
  run.item_count = my.staged.items;
  run.duplicate_count = my.staged.duplicates;
  run.created = now;
  run.first_item = ItemId{database.query_integer("SELECT coalesce(max(item_id), 0) + 1 FROM item")};
  Statement insert_run = database.prepare(
      "INSERT INTO run (name, goal, endpoint, sandbox, list_source, list_format, list_sha256,"
      " settings_json, random_seed, first_item_id, item_count, duplicate_count, created_utc_ms)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)");
  insert_run.bind(1, description.name)
      .bind(2, to_text(description.goal))
      .bind(3, description.endpoint)
      .bind(4, std::int64_t{description.sandbox ? 1 : 0})
      .bind(5, description.list_source)
      .bind(6, description.list_format)
      .bind(7, run.list_sha256)
      .bind(8, description.settings_json)
      .bind(9, description.random_seed)
      .bind(10, run.first_item.value)
      .bind(11, run.item_count)
      .bind(12, run.duplicate_count)
      .bind(13, now.time_since_epoch().count());
  insert_run.run();
  run.id = RunId{database.last_insert_rowid()};

  Statement insert_items = database.prepare(
      "INSERT INTO item (run_id, disk_id, source_line)"
      " SELECT ?1, disk_id, line FROM temp.staged"
      " WHERE place NOT IN (SELECT place FROM temp.repeated) ORDER BY place");
  insert_items.bind(1, run.id.value).run();
  Statement insert_duplicates = database.prepare(
      "INSERT OR IGNORE INTO duplicate_line (run_id, source_line, disk_id)"
      " SELECT ?1, line, disk_id FROM temp.staged JOIN temp.repeated USING (place)");
  insert_duplicates.bind(1, run.id.value).run();
  Statement insert_disks = database.prepare(
      "INSERT INTO disk_item (disk_id, item_id)"
      " SELECT disk_id, item_id FROM item WHERE item_id >= ?1 ORDER BY disk_id");
  insert_disks.bind(1, run.first_item.value).run();
  Statement insert_progress = database.prepare(
      "INSERT INTO run_progress (run_id, first_gap_item_id, last_touched_item_id)"
      " VALUES (?1, ?2, ?2 - 1)");
  insert_progress.bind(1, run.id.value).bind(2, run.first_item.value).run();
  transaction.commit();
  return run;
}

}  // namespace diskrelease
