#include "record/enrolment.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/sha256.h"
#include "record/disk_spool.h"
#include "store/grouped_insert.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_duplicates_shown = 20;

/// A target that names a disk again. Places count from 1, in list order.
struct Repeat {
  std::int64_t place = 0;
  std::int64_t first_place = 0;
  std::string disk;
};

/// Rows of one table about items, stored several at a time.
class DiskRows {
 public:
  struct Row {
    std::string disk;
    std::int64_t item = 0;
    std::int64_t line = 0;
  };
  /// Binds a row to the parameters `before` + 1 and following.
  using Bind = void (*)(Statement&, int before, const Row&);

  DiskRows(Database& database, std::string_view head, std::string_view row, Bind bind)
      : insert_(database, head, row), bind_(bind) {
    rows_.reserve(k_buffered);
  }

  void add(std::string_view disk, std::int64_t item, std::int64_t line = 0) {
    rows_.push_back({std::string(disk), item, line});
    if (rows_.size() == k_buffered) store();
  }
  /// To be called once all have been added.
  void store() {
    insert_.insert(rows_, bind_);
    rows_.clear();
  }

 private:
  static constexpr std::size_t k_buffered = 32 * GroupedInsert::k_group;

  GroupedInsert insert_;
  Bind bind_;
  std::vector<Row> rows_;
};

/// Duplicates are found in the order of disk ids; the first ones of the list are kept.
void keep_first(std::vector<Repeat>& kept, Repeat found) {
  const auto place = std::ranges::upper_bound(kept, found.place, {}, &Repeat::place);
  if (place == kept.end() && kept.size() == k_duplicates_shown) return;
  kept.insert(place, std::move(found));
  if (kept.size() > k_duplicates_shown) kept.pop_back();
}

}  // namespace

struct Enrolment::Private {
  explicit Private(Database& connection) : database(connection), sorter(std::in_place) {
    database.execute(
        "DROP TABLE IF EXISTS temp.repeated;"
        "CREATE TABLE temp.repeated (place INTEGER PRIMARY KEY)");
  }

  /// Calls `first` for every target that is the first to name its disk and `again` for every other
  /// one, in list order, with place, line and disk.
  template <class First, class Again>
  void read_list(const First& first, const Again& again) {
    Statement repeated = database.prepare("SELECT place FROM temp.repeated ORDER BY place");
    std::int64_t next_repeated = repeated.step() ? repeated.integer(0) : 0;
    DiskSpool::Reader reader(list, 0, list.end());
    for (std::int64_t place = 1; reader.next(); ++place) {
      if (place == next_repeated) {
        next_repeated = repeated.step() ? repeated.integer(0) : 0;
        again(place, reader.number(), reader.disk());
      } else {
        first(place, reader.number(), reader.disk());
      }
    }
  }

  Database& database;
  DiskSpool list;  ///< the targets with their lines, in list order
  std::int64_t places = 0;
  std::optional<DiskSorter> sorter;  ///< the targets with their places
  Staged staged;
};

Enrolment::Enrolment(Database& database) : private_(std::make_unique<Private>(database)) {}

Enrolment::~Enrolment() {
  try {
    private_->database.execute("DROP TABLE IF EXISTS temp.repeated");
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    // Temporary tables go with the connection.
  }
}

void Enrolment::add(const Target& target) {
  private_->list.add(target.disk.text(), target.source_line);
  private_->sorter->add(target.disk.text(), ++private_->places);
}

Enrolment::Staged Enrolment::finish() {
  Private& my = *private_;
  std::vector<Repeat> first_repeats;
  {
    Transaction transaction(my.database);
    Statement repeat = my.database.prepare("INSERT INTO temp.repeated (place) VALUES (?1)");
    std::string previous;
    std::int64_t first_place = 0;
    my.sorter->sort([&](std::string_view disk, std::int64_t place) {
      if (disk != previous) {
        previous = disk;
        first_place = place;
        ++my.staged.items;
        return;
      }
      repeat.bind(1, place).run();
      ++my.staged.duplicates;
      keep_first(first_repeats, {place, first_place, previous});
    });
    transaction.commit();
  }
  my.sorter.reset();
  for (Repeat& repeat : first_repeats) my.staged.first_duplicates.push_back({0, 0, repeat.disk});
  // At each first place: for which of first_repeats its line is wanted.
  std::multimap<std::int64_t, std::size_t> wanted;
  for (std::size_t i = 0; i < first_repeats.size(); ++i) {
    wanted.emplace(first_repeats[i].first_place, i);
  }
  auto next_wanted = wanted.begin();
  std::size_t shown = 0;
  Sha256 digest;
  my.read_list(
      [&](std::int64_t place, std::int64_t line, std::string_view disk) {
        digest.update(disk);
        digest.update("\n");
        for (; next_wanted != wanted.end() && next_wanted->first == place; ++next_wanted) {
          my.staged.first_duplicates[next_wanted->second].first_line = line;
        }
      },
      [&](std::int64_t, std::int64_t line, std::string_view) {
        if (shown < first_repeats.size()) my.staged.first_duplicates[shown++].line = line;
      });
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
      .bind(13, now);
  insert_run.run();
  run.id = RunId{database.last_insert_rowid()};

  DiskRows items(
      database, "INSERT INTO item (item_id, run_id, disk_id, source_line) VALUES",
      "(?, " + std::to_string(run.id.value) + ", ?, ?)",
      [](Statement& insert, int before, const DiskRows::Row& row) {
        insert.bind(before + 1, row.item).bind(before + 2, row.disk).bind(before + 3, row.line);
      });
  Statement insert_duplicate = database.prepare(
      "INSERT OR IGNORE INTO duplicate_line (run_id, source_line, disk_id) VALUES (?1, ?2, ?3)");
  insert_duplicate.bind(1, run.id.value);
  DiskSorter sorter;
  std::int64_t item = run.first_item.value;
  my.read_list(
      [&](std::int64_t, std::int64_t line, std::string_view disk) {
        items.add(disk, item, line);
        sorter.add(disk, item);
        ++item;
      },
      [&](std::int64_t, std::int64_t line, std::string_view disk) {
        insert_duplicate.bind(2, line).bind(3, disk).run();
      });
  items.store();
  DiskRows disks(database, "INSERT INTO disk_item (disk_id, item_id) VALUES", "(?, ?)",
                 [](Statement& insert, int before, const DiskRows::Row& row) {
                   insert.bind(before + 1, row.disk).bind(before + 2, row.item);
                 });
  sorter.sort([&](std::string_view disk, std::int64_t its_item) { disks.add(disk, its_item); });
  disks.store();
  Statement insert_progress = database.prepare(
      "INSERT INTO run_progress (run_id, first_gap_item_id, last_touched_item_id)"
      " VALUES (?1, ?2, ?2 - 1)");
  insert_progress.bind(1, run.id.value).bind(2, run.first_item.value).run();
  transaction.commit();
  return run;
}

}  // namespace diskrelease
