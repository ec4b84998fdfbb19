#include "queries/find_run.h"

#include "queries/run_queries.h"

namespace diskrelease {
namespace {

constexpr std::string_view k_select_run =
    "SELECT run_id, name, goal, endpoint, sandbox, list_source, list_format, settings_json,"
    " random_seed, list_sha256, first_item_id, item_count, duplicate_count, created_utc_ms"
    " FROM run ";

RunRecord read_run(const Statement& row) {
  RunRecord run;
  run.id = RunId{row.integer(0)};
  run.description.name = row.text(1);
  run.description.goal = goal_from_text(row.text(2)).value_or(Goal::release);
  run.description.endpoint = row.text(3);
  run.description.sandbox = row.integer(4) != 0;
  run.description.list_source = row.text(5);
  run.description.list_format = row.text(6);
  run.description.settings_json = row.text(7);
  run.description.random_seed = row.integer(8);
  run.list_sha256 = row.text(9);
  run.first_item = ItemId{row.integer(10)};
  run.item_count = row.integer(11);
  run.duplicate_count = row.integer(12);
  run.created = row.utc(13);
  return run;
}

}  // namespace

std::optional<RunRecord> find_run(Database& database, RunId run) {
  Statement select = database.prepare(std::string(k_select_run) + "WHERE run_id = ?1");
  select.bind(1, run.value);
  if (!select.step()) return std::nullopt;
  return read_run(select);
}

std::vector<RunRecord> list_runs(Database& database, std::int64_t limit) {
  Statement select = database.prepare(std::string(k_select_run) + "ORDER BY run_id DESC LIMIT ?1");
  select.bind(1, limit);
  std::vector<RunRecord> runs;
  while (select.step()) runs.push_back(read_run(select));
  return runs;
}

std::optional<RunRecord> find_unfinished_run(Database& database, std::string_view list_sha256,
                                             Goal goal, std::string_view endpoint) {
  Statement select = database.prepare(
      std::string(k_select_run) +
      "WHERE list_sha256 = ?1 AND goal = ?2 AND endpoint = ?3 ORDER BY run_id DESC");
  select.bind(1, list_sha256).bind(2, to_text(goal)).bind(3, endpoint);
  while (select.step()) {
    RunRecord run = read_run(select);
    if (is_unfinished(database, run)) return run;
  }
  return std::nullopt;
}

bool is_unfinished(Database& database, const RunRecord& run) {
  const StateCounts counts = count_states(database, run);
  return counts[ItemState::pending] > 0 || counts[ItemState::unknown] > 0;
}

std::optional<bool> is_sandbox_database(Database& database) {
  Statement select = database.prepare("SELECT sandbox FROM run ORDER BY run_id DESC LIMIT 1");
  if (!select.step()) return std::nullopt;
  return select.integer(0) != 0;
}

}  // namespace diskrelease
