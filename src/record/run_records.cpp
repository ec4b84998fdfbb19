#include "record/run_records.h"

#include <array>
#include <memory>

#include "derived/derived_tables.h"
#include "derived/run_tally.h"
#include "model/errors.h"
#include "model/outcome.h"
#include "platform/sha256.h"
#include "queries/run_queries.h"

namespace diskrelease {
namespace {

/// Bind the disk as parameter 3; columns: item, state, latest attempt.
Statement find_marked(Database& database, const RunRecord& run) {
  Statement find = database.prepare(
      "SELECT item_state.item_id, state, attempt_id FROM item_state"
      " LEFT JOIN attempt ON attempt.item_id = item_state.item_id"
      "                  AND attempt.attempt_number = item_state.attempts"
      " WHERE item_state.item_id IN (SELECT item_id FROM disk_item WHERE disk_id = ?3)"
      "   AND item_state.item_id BETWEEN ?1 AND ?2");
  find.bind(1, run.first_item.value).bind(2, run.first_item.value + run.item_count - 1);
  return find;
}

/// In the time in which one disk is searched for, so many rows of disk_item are read in their
/// order.
constexpr std::int64_t k_rows_read_while_searching_once = 20;

/// Skips an item whose disk another run has released or may have; gives a row where it did. Bind: 1
/// its run, 2 invocation, 3 time, 4 the item, 5 whether for a purge that goes on where others have
/// reached stage 1.
Statement skip_one(Database& database) {
  return database.prepare(
      "INSERT INTO decision (run_id, invocation_id, item_id, kind, reason, detail, decided_utc_ms)"
      " SELECT ?1, ?2, mine.item_id, 'skip',"
      "        CASE max((ended.outcome IS 'accepted'"
      "                  OR coalesce(verdict.settled IN ('executed', 'gone'), 0)) * earlier.stage)"
      "             WHEN 2 THEN 'destroyed_before' WHEN 1 THEN 'released_before'"
      "             ELSE 'unsettled_before' END,"
      "        'run ' || theirs.run_id, ?3"
      " FROM item AS mine"
      " CROSS JOIN disk_item ON disk_item.disk_id = mine.disk_id"
      " CROSS JOIN item AS theirs ON theirs.item_id = disk_item.item_id AND theirs.run_id <> ?1"
      " CROSS JOIN attempt AS earlier ON earlier.item_id = theirs.item_id"
      " LEFT JOIN outcome AS ended ON ended.attempt_id = earlier.attempt_id"
      " LEFT JOIN verdict ON verdict.attempt_id = earlier.attempt_id"
      " WHERE mine.item_id = ?4"
      "   AND (ended.outcome IS NULL"
      "        OR (ended.outcome = 'accepted' AND (earlier.stage = 2 OR NOT ?5))"
      "        OR (ended.outcome = 'unknown'"
      "            AND CASE coalesce(verdict.settled, 'unknown')"
      "                  WHEN 'unknown' THEN 1"
      "                  WHEN 'executed' THEN earlier.stage = 2 OR NOT ?5"
      "                  WHEN 'gone' THEN earlier.stage = 2 OR NOT ?5"
      "                  ELSE 0 END))"
      "   AND (SELECT state FROM item_state WHERE item_state.item_id = ?4) = 'pending'"
      " GROUP BY mine.item_id RETURNING decision_id");
}

/// The same for what archived runs have released; the same parameters.
Statement skip_one_archived(Database& database) {
  return database.prepare(
      "INSERT INTO decision (run_id, invocation_id, item_id, kind, reason, detail, decided_utc_ms)"
      " SELECT ?1, ?2, mine.item_id, 'skip',"
      "        CASE max(theirs.stage) WHEN 2 THEN 'destroyed_before' ELSE 'released_before' END,"
      "        'run ' || theirs.run_id || ', archived', ?3"
      " FROM item AS mine CROSS JOIN archived_release AS theirs USING (disk_id)"
      " WHERE mine.item_id = ?4 AND (theirs.stage = 2 OR NOT ?5)"
      "   AND (SELECT state FROM item_state WHERE item_state.item_id = ?4) = 'pending'"
      " GROUP BY mine.item_id RETURNING decision_id");
}

void record_origin(Database& database, InvocationId invocation, const InvocationOrigin& origin) {
  if (origin == InvocationOrigin{}) return;
  Statement insert = database.prepare(
      "INSERT INTO invocation_origin (invocation_id, login_user, sudo_user, terminal, ssh_client,"
      " reason) VALUES (?1, nullif(?2, ''), nullif(?3, ''), nullif(?4, ''), nullif(?5, ''),"
      " nullif(?6, ''))");
  insert.bind(1, invocation.value)
      .bind(2, origin.login_user)
      .bind(3, origin.sudo_user)
      .bind(4, origin.terminal)
      .bind(5, origin.ssh_client)
      .bind(6, origin.reason);
  insert.run();
}

}  // namespace

InvocationId begin_invocation(Database& database, RunId run,
                              const InvocationDescription& invocation, UtcTime now) {
  Sha256 digest;
  digest.update(invocation.settings_json);
  const std::string settings_sha256 = digest.finish_hex();
  Transaction transaction(database);
  Statement insert = database.prepare(
      "INSERT INTO invocation (run_id, command, user, host, pid, tool_version, endpoint,"
      " credential_id, credential_source, settings_json, settings_sha256, started_utc_ms)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
  insert.bind(1, run.value)
      .bind(2, invocation.command)
      .bind(3, invocation.user)
      .bind(4, invocation.host)
      .bind(5, invocation.pid)
      .bind(6, invocation.tool_version)
      .bind(7, invocation.endpoint)
      .bind(8, invocation.credential_id)
      .bind(9, invocation.credential_source)
      .bind(10, invocation.settings_json)
      .bind(11, settings_sha256)
      .bind(12, now);
  insert.run();
  const InvocationId id{database.last_insert_rowid()};
  record_origin(database, id, invocation.origin);
  transaction.commit();
  return id;
}

void end_invocation(Database& database, InvocationId invocation, EndReason reason,
                    std::string_view detail, int exit_code, UtcTime now) {
  Transaction transaction(database);
  Statement insert = database.prepare(
      "INSERT INTO invocation_end (invocation_id, reason, detail, exit_code, ended_utc_ms)"
      " VALUES (?1, ?2, ?3, ?4, ?5)");
  insert.bind(1, invocation.value)
      .bind(2, to_text(reason))
      .bind_optional(3, detail)
      .bind(4, std::int64_t{exit_code})
      .bind(5, now);
  insert.run();
  transaction.commit();
}

void record_decision(Database& database, RunId run, InvocationId invocation,
                     const DecisionRecord& decision, UtcTime now) {
  Transaction transaction(database);
  Statement insert = database.prepare(
      "INSERT INTO decision (run_id, invocation_id, item_id, kind, reason, detail, decided_utc_ms)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
  insert.bind(1, run.value).bind(2, invocation.value);
  if (decision.item) {
    insert.bind(3, decision.item->value);
  } else {
    insert.bind_null(3);
  }
  insert.bind(4, to_text(decision.kind))
      .bind(5, decision.reason)
      .bind_optional(6, decision.detail)
      .bind(7, now);
  insert.run();
  if (decision.item) {
    RunTally tally(database);
    tally.changed(*decision.item);
    tally.write();
  }
  transaction.commit();
}

std::int64_t skip_disks_of_other_runs(Database& database, const RunRecord& run,
                                      InvocationId invocation, bool for_purge, UtcTime now) {
  const std::int64_t first = run.first_item.value;
  const std::int64_t last = first + run.item_count - 1;
  const std::int64_t elsewhere =
      database.query_integer(
          "SELECT (SELECT total(item_count) FROM run) + (SELECT total(item_count) FROM archive)") -
      run.item_count;
  if (elsewhere == 0) return 0;
  Transaction transaction(database);
  RunTally tally(database);
  std::array skips{skip_one(database), skip_one_archived(database)};
  for (Statement& skip : skips) {
    skip.bind(1, run.id.value)
        .bind(2, invocation.value)
        .bind(3, now)
        .bind(5, std::int64_t{for_purge ? 1 : 0});
  }
  std::int64_t skipped = 0;
  const auto look_at = [&](std::int64_t item) {
    for (Statement& skip : skips) {
      skip.bind(4, item);
      const bool is_skipped = skip.step();
      skip.reset();
      if (!is_skipped) continue;
      tally.refresh(ItemId{item});
      ++skipped;
      return;
    }
  };
  const std::int64_t pending = count_states(database, run)[ItemState::pending];
  if (pending < (elsewhere + run.item_count) / k_rows_read_while_searching_once) {
    Statement shared = database.prepare(
        "SELECT mine.item_id FROM (SELECT item_id, disk_id" +
        std::string(k_from_items_without_row) +
        " UNION ALL SELECT item_now.item_id, disk_id"
        "  FROM item_now INDEXED BY item_now_open CROSS JOIN item USING (item_id)"
        // Those half way through a purge have to be read.
        "  WHERE open IN (1, 3) AND " +
        std::string(k_in_open_index) +
        " AND item_now.item_id BETWEEN ?1 AND ?2) AS "
        "mine WHERE "
        "EXISTS (SELECT 1 FROM disk_item WHERE disk_item.disk_id = mine.disk_id"
        "                        AND disk_item.item_id NOT BETWEEN ?1 AND ?2)"
        " OR EXISTS (SELECT 1 FROM archived_release AS theirs WHERE theirs.disk_id = "
        "mine.disk_id)");
    shared.bind(1, first).bind(2, last).bind(3, run.id.value);
    while (shared.step()) look_at(shared.integer(0));
  } else {
    // All disks in their order, in which those of one id are neighbours. No item has the id 0.
    Statement all = database.prepare(
        "SELECT disk_id, item_id FROM disk_item"
        " UNION ALL SELECT disk_id, 0 FROM archived_release ORDER BY 1, 2");
    Statement is_pending = database.prepare(
        "SELECT NOT EXISTS (SELECT 1 FROM item_now JOIN run_tally USING (tally_id)"
        "                   WHERE item_id = ?1 AND state <> 'pending')");
    std::string disk;
    std::int64_t mine = 0;
    bool theirs = false;
    const auto end_of_disk = [&] {
      if (mine == 0 || !theirs) return;
      is_pending.bind(1, mine);
      const bool wanted = is_pending.step() && is_pending.integer(0) != 0;
      is_pending.reset();
      if (wanted) look_at(mine);
    };
    while (all.step()) {
      if (all.text(0) != disk) {
        end_of_disk();
        disk = all.text(0);
        mine = 0;
        theirs = false;
      }
      const std::int64_t item = all.integer(1);
      if (item >= first && item <= last) {
        mine = item;
      } else {
        theirs = true;
      }
    }
    end_of_disk();
  }
  tally.write();
  transaction.commit();
  return skipped;
}

void check_markings(Database& database, const RunRecord& run, std::span<const Marking> markings) {
  Statement find = find_marked(database, run);
  std::string problems;
  for (const Marking& marking : markings) {
    find.bind(3, marking.disk.text());
    if (!find.step()) {
      problems += "\ndisk " + marking.disk.text() + " is not in the run";
    } else if (find.text(1) != "unknown") {
      problems += "\ndisk " + marking.disk.text() + " is " + std::string(find.text(1)) +
                  "; only what is unknown can be marked";
    }
    find.reset();
  }
  if (problems.empty()) return;
  throw UsageError("run " + std::to_string(run.id.value) + ": nothing was marked" + problems);
}

void mark_items(Database& database, const RunRecord& run, InvocationId invocation,
                std::span<const Marking> markings, std::string_view words, UtcTime now) {
  Transaction transaction(database);
  Statement find = find_marked(database, run);
  Statement insert = database.prepare(
      "INSERT INTO verdict (attempt_id, invocation_id, settled, reason, detail, decided_utc_ms)"
      " VALUES (?1, ?2, ?3, 'marked', ?4, ?5)");
  RunTally tally(database);
  for (const Marking& marking : markings) {
    find.bind(3, marking.disk.text());
    static_cast<void>(find.step());
    const ItemId item{find.integer(0)};
    const std::int64_t attempt = find.integer(2);
    find.reset();
    insert.bind(1, attempt)
        .bind(2, invocation.value)
        .bind(3, to_text(marking.settled))
        .bind(4, words)
        .bind(5, now);
    insert.run();
    tally.changed(item);
  }
  tally.write();
  transaction.commit();
}

Recovery recover(Database& database, UtcTime now, const std::filesystem::path& marks_folder) {
  Recovery recovery;
  recovery.dead_invocations = database.query_integer(
      "SELECT count(*) FROM invocation WHERE invocation_id NOT IN"
      " (SELECT invocation_id FROM invocation_end)");
  // An end without all outcomes happens when the last commits failed, so the ends alone do not
  // tell.
  Transaction transaction(database);
  RunTally tally(database);
  const std::unique_ptr<UnsentMarks> marks = UnsentMarks::find(database, marks_folder);
  Statement open = database.prepare("SELECT attempt_id, item_id, invocation_id" +
                                    std::string(k_from_open_attempts));
  struct Closing {
    Outcome outcome;
    Scope scope;
    std::string_view message;
  };
  constexpr Closing unsent{Outcome::not_sent, Scope::run,
                           "the process ended before the request left"};
  constexpr Closing unknown{Outcome::unknown, Scope::disk,
                            "the process ended before it recorded an answer; the request may have "
                            "been executed"};
  Statement close_attempt = database.prepare(
      "INSERT INTO outcome (attempt_id, outcome, scope, message, finished_utc_ms)"
      " VALUES (?1, ?2, ?3, ?4, ?5)");
  while (open.step()) {
    const AttemptId attempt{open.integer(0)};
    const bool is_unsent = marks && marks->claim(InvocationId{open.integer(2)}, attempt);
    ++(is_unsent ? recovery.unsent_attempts : recovery.unknown_attempts);
    const Closing& closing = is_unsent ? unsent : unknown;
    close_attempt.bind(1, attempt.value)
        .bind(2, to_text(closing.outcome))
        .bind(3, to_text(closing.scope))
        .bind(4, closing.message)
        .bind(5, now)
        .run();
    tally.ended(attempt, ItemId{open.integer(1)}, closing.outcome, std::nullopt, {});
  }
  if (recovery.unknown_attempts + recovery.unsent_attempts > 0) tally.write();
  Statement close_invocations = database.prepare(
      "INSERT INTO invocation_end (invocation_id, reason, detail, ended_utc_ms)"
      " SELECT invocation_id, 'died', 'found by a later invocation', ?1 FROM invocation"
      " WHERE invocation_id NOT IN (SELECT invocation_id FROM invocation_end)");
  close_invocations.bind(1, now).run();
  transaction.commit();
  if (marks) marks->remove();
  return recovery;
}

}  // namespace diskrelease
