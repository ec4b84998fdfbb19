#include "derived/run_tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <random>
#include <vector>

#include "derived/derived_tables.h"
#include "model/errors.h"
#include "queries/run_queries.h"
#include "record/attempt_log.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "support/enrolled_run.h"
#include "support/record_check.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::array k_statuses{DiskStatus::creating,
                                DiskStatus::available,
                                DiskStatus::in_use,
                                DiskStatus::attaching,
                                DiskStatus::detaching,
                                DiskStatus::changing,
                                DiskStatus::snapshot_creating,
                                DiskStatus::rolling_back,
                                DiskStatus::recycling,
                                DiskStatus::recycled,
                                DiskStatus::deleting,
                                DiskStatus::failed,
                                DiskStatus::absent,
                                DiskStatus::other};

class RunTallyTest : public ::testing::Test {
 protected:
  void enrol_disks(int count, Goal goal = Goal::release) {
    create_audit_database(file_);
    Database database = open_audit_for_writing(file_);
    RunDescription description = test_description();
    description.goal = goal;
    run_ = enrol(database, numbered_disks(count), description);
    invocation_ = begin_test_invocation(database, run_.id);
  }
  [[nodiscard]] ItemId item(std::int64_t number) const {
    return ItemId{run_.first_item.value + number - 1};
  }
  [[nodiscard]] AttemptLog open_log() const {
    return AttemptLog(open_audit_for_writing(file_), run_.id, invocation_);
  }
  OpenAttempt announce(AttemptLog& log, std::int64_t number, int attempt = 1,
                       Stage stage = Stage::release) const {
    return log
        .announce(item(number), disk_id("disk-" + std::to_string(number)), attempt, stage,
                  k_test_time)
        .take();
  }
  static OutcomeRecord ended(Outcome outcome, Scope scope = Scope::disk,
                             const std::string& code = "", std::optional<int> status = 200) {
    OutcomeRecord record;
    record.outcome = outcome;
    record.scope = scope;
    record.api_code = code;
    record.http_status = status;
    record.finished = k_test_time;
    return record;
  }
  void see(AttemptLog& log, std::int64_t number, DiskStatus status) const {
    Sighting sighting{disk_id("disk-" + std::to_string(number)),
                      status,
                      "AS_RECEIVED",
                      "",
                      {},
                      "",
                      "",
                      "",
                      "",
                      {}};
    log.record_read({ReadPurpose::verify, 1, "complete", 200, "", "", "", k_test_time, k_test_time},
                    {{item(number), sighting}});
  }
  std::int64_t query(const std::string& sql) {
    return Database(file_, Database::Access::read_only).query_integer(sql);
  }
  /// state|code|verified|items|open of every ending that has rows.
  std::vector<std::string> tallies() {
    Database database(file_, Database::Access::read_only);
    Statement select = database.prepare(
        "SELECT state || '|' || code || '|' || verified || '|' || items || '|' ||"
        " (SELECT group_concat(DISTINCT open) FROM item_now"
        "  WHERE item_now.tally_id = run_tally.tally_id)"
        " FROM run_tally WHERE items > 0 ORDER BY state, code, verified");
    std::vector<std::string> rows;
    while (select.step()) rows.emplace_back(select.text(0));
    return rows;
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  RunRecord run_;
  InvocationId invocation_;
};

TEST_F(RunTallyTest, WhatFollowsFromAnAcceptedReleaseIsWhatTheViewSays) {
  enrol_disks(8);
  AttemptLog log = open_log();
  std::int64_t number = 0;
  for (const char* code : {"", "CODE"}) {
    for (const std::optional<int> status :
         {std::optional<int>(200), std::optional<int>(204), std::optional<int>()}) {
      ++number;
      if (number % 2 == 0) see(log, number, DiskStatus::available);
      log.record_outcome(announce(log, number),
                         ended(Outcome::accepted, Scope::disk, code, status));
    }
  }
  log.flush();
  EXPECT_THAT(derived_differences_in(file_), IsEmpty());
  EXPECT_THAT(tallies(), ElementsAre("released||not_read|2|2", "released|CODE|not_read|3|2",
                                     "released|HTTP 204|not_read|1|2"));
  // The marks may lag until the next process opens the database.
  static_cast<void>(log.close());
  static_cast<void>(open_audit_for_writing(file_));
  EXPECT_EQ(query("SELECT first_gap_item_id FROM run_progress"), item(7).value);
  EXPECT_GE(query("SELECT last_touched_item_id FROM run_progress"), item(6).value);
  EXPECT_EQ(query("SELECT settled_attempts FROM derived_until"), 6);
}

TEST_F(RunTallyTest, WhatFollowsFromASightingIsWhatTheViewSaysForEveryStatus) {
  enrol_disks(static_cast<int>(k_statuses.size()) + 1);
  AttemptLog log = open_log();
  std::int64_t number = 0;
  for (const DiskStatus status : k_statuses) {
    ++number;
    log.record_outcome(announce(log, number), ended(Outcome::accepted));
    log.flush();
    see(log, number, status);
    log.flush();
    EXPECT_THAT(derived_differences_in(file_), IsEmpty()) << to_text(status);
  }
  EXPECT_THAT(tallies(), ElementsAre("released||leaving|3|4", "released||recycled|1|0",
                                     "released||still_there|10|4"));
}

TEST_F(RunTallyTest, AnOrdinaryItemAsksNothingOfTheView) {
  enrol_disks(2);
  AttemptLog log = open_log();
  Database(file_, Database::Access::read_write).execute("DROP VIEW item_state");
  see(log, 1, DiskStatus::available);
  log.record_outcome(announce(log, 1), ended(Outcome::accepted));
  log.flush();
  see(log, 1, DiskStatus::recycled);
  log.flush();
  EXPECT_THAT(tallies(), ElementsAre("released||recycled|1|0"));
  log.record_outcome(announce(log, 2), ended(Outcome::rejected));
  EXPECT_THROW(log.flush(), AuditUnusable);
}

TEST_F(RunTallyTest, ASightingBetweenIntentAndOutcomeCounts) {
  enrol_disks(2);
  AttemptLog log = open_log();
  OpenAttempt attempt = announce(log, 1);
  see(log, 1, DiskStatus::recycled);
  log.record_outcome(std::move(attempt), ended(Outcome::accepted));
  // Over two commits.
  OpenAttempt other = announce(log, 2);
  see(log, 2, DiskStatus::recycling);
  log.flush();
  log.record_outcome(std::move(other), ended(Outcome::accepted));
  log.flush();
  EXPECT_THAT(derived_differences_in(file_), IsEmpty());
  EXPECT_THAT(tallies(), ElementsAre("released||leaving|1|4", "released||recycled|1|0"));
}

TEST_F(RunTallyTest, FollowsAnItemOverEveryTransition) {
  enrol_disks(8);
  AttemptLog log = open_log();
  const auto expect = [&](const std::vector<std::string>& wanted) {
    log.flush();
    EXPECT_THAT(derived_differences_in(file_), IsEmpty());
    EXPECT_THAT(tallies(), ::testing::ElementsAreArray(wanted));
  };
  log.record_outcome(announce(log, 1), ended(Outcome::throttled, Scope::disk, "SLOW", 429));
  expect({"pending|SLOW||1|3"});
  log.record_outcome(announce(log, 1, 2), ended(Outcome::not_sent, Scope::disk, "", {}));
  expect({"pending|||1|3"});
  log.record_outcome(announce(log, 1, 3), ended(Outcome::unknown, Scope::disk, "", 502));
  expect({"unknown|HTTP 502||1|1"});
  const std::int64_t unknown = query("SELECT max(attempt_id) FROM attempt");
  see(log, 1, DiskStatus::available);
  log.record_verdict({AttemptId{unknown}, item(1), Settled::not_executed, "left", ""}, k_test_time);
  expect({"pending|HTTP 502||1|3"});
  log.record_outcome(announce(log, 1, 4), ended(Outcome::accepted));
  expect({"released||not_read|1|2"});
  see(log, 1, DiskStatus::available);
  expect({"released||still_there|1|4"});
  see(log, 1, DiskStatus::absent);
  expect({"released||leaving|1|4"});
  see(log, 1, DiskStatus::absent);
  expect({"released||gone|1|0"});

  log.record_outcome(announce(log, 2), ended(Outcome::rejected, Scope::disk, "NO", 400));
  log.record_outcome(announce(log, 3), ended(Outcome::already_gone, Scope::disk, "GONE", 400));
  log.record_decision({DecisionKind::give_up, item(4), "max_attempts", ""}, k_test_time);
  log.record_decision({DecisionKind::skip, item(5), "released_before", ""}, k_test_time);
  log.record_outcome(announce(log, 6), ended(Outcome::rejected, Scope::moment, "LATER", 400));
  see(log, 7, DiskStatus::available);
  log.record_outcome(announce(log, 8), ended(Outcome::not_sent, Scope::disk, "", {}));
  expect({"already_gone|GONE||1|0", "failed|max_attempts||1|0", "pending|LATER||1|3",
          "rejected|NO||1|0", "released||gone|1|0", "skipped|released_before||1|0"});
}

TEST_F(RunTallyTest, FollowsAPurgeOverBothItsStages) {
  enrol_disks(2, Goal::purge);
  AttemptLog log = open_log();
  const auto expect = [&](const std::string& wanted) {
    log.flush();
    EXPECT_THAT(derived_differences_in(file_), IsEmpty());
    EXPECT_THAT(tallies(), ElementsAre(wanted));
  };
  see(log, 1, DiskStatus::available);
  log.record_outcome(announce(log, 1), ended(Outcome::accepted));
  expect("pending||not_read|1|1");
  see(log, 1, DiskStatus::recycling);
  expect("pending||leaving|1|1");
  see(log, 1, DiskStatus::recycled);
  expect("pending||recycled|1|3");
  log.record_outcome(announce(log, 1, 2, Stage::destroy),
                     ended(Outcome::throttled, Scope::disk, "SLOW", 429));
  expect("pending|SLOW||1|3");
  log.record_outcome(announce(log, 1, 3, Stage::destroy), ended(Outcome::accepted));
  expect("released||not_read|1|2");
  see(log, 1, DiskStatus::deleting);
  expect("released||leaving|1|4");
  see(log, 1, DiskStatus::absent);
  expect("released||destroyed|1|0");
}

TEST_F(RunTallyTest, AnOpenAttemptMakesItsItemUnknownAtOnce) {
  enrol_disks(3);
  AttemptLog log = open_log();
  log.record_outcome(announce(log, 1), ended(Outcome::throttled, Scope::disk, "SLOW", 429));
  OpenAttempt again = announce(log, 1, 2);
  OpenAttempt first = announce(log, 2);
  {
    Database reader = open_audit_for_reading(file_);
    EXPECT_EQ(count_states(reader, run_).by_state, recount_states(reader, run_).by_state);
    EXPECT_EQ(count_states(reader, run_)[ItemState::unknown], 2);
    EXPECT_EQ(count_open_attempts(reader, run_), 2);
    EXPECT_EQ(count_open_matters(reader, run_, false), 2);
    std::vector<std::string> endings;
    for (const EndingCount& ending : count_endings(reader, run_)) {
      endings.push_back(std::string(to_text(ending.state)) + ending.code + ' ' +
                        std::to_string(ending.items) + ' ' + ending.example_disk);
    }
    EXPECT_THAT(endings, ElementsAre("unknown 2 disk-1", "pending 1 disk-3"));
  }
  log.record_outcome(std::move(first), ended(Outcome::accepted));
  log.flush();
  Database reader = open_audit_for_reading(file_);
  EXPECT_EQ(count_open_attempts(reader, run_), 1) << "the mark stays below the older attempt";
  EXPECT_LT(reader.query_integer("SELECT settled_attempts FROM derived_until"), 2);
  log.record_outcome(std::move(again), ended(Outcome::accepted));
  log.flush();
  EXPECT_EQ(count_open_attempts(reader, run_), 0);
}

TEST_F(RunTallyTest, NamesAnotherExampleWhenTheFirstHasMovedOn) {
  enrol_disks(3);
  AttemptLog log = open_log();
  for (int number = 1; number <= 3; ++number) {
    log.record_outcome(announce(log, number), ended(Outcome::accepted));
  }
  log.flush();
  const auto example = [&] {
    Database reader = open_audit_for_reading(file_);
    return count_endings(reader, run_).at(0).example_disk;
  };
  EXPECT_EQ(example(), "disk-1");
  see(log, 1, DiskStatus::recycled);
  log.flush();
  EXPECT_EQ(query("SELECT example_item_id IS NULL FROM run_tally WHERE verified = 'not_read'"), 1);
  EXPECT_EQ(example(), "disk-1");
  see(log, 2, DiskStatus::recycled);
  see(log, 3, DiskStatus::recycled);
  log.flush();
  EXPECT_EQ(example(), "disk-1");
}

TEST_F(RunTallyTest, NamesAnotherExampleThatTheIndexLeadsTo) {
  enrol_disks(3);
  AttemptLog log = open_log();
  for (int number = 1; number <= 2; ++number) {
    log.record_outcome(announce(log, number), ended(Outcome::throttled, Scope::disk, "SLOW", 429));
  }
  log.record_outcome(announce(log, 1, 2), ended(Outcome::accepted));
  log.flush();
  EXPECT_EQ(query("SELECT example_item_id IS NULL FROM run_tally WHERE code = 'SLOW'"), 1);
  std::vector<std::string> endings;
  Database reader = open_audit_for_reading(file_);
  for (const EndingCount& ending : count_endings(reader, run_)) {
    endings.push_back(std::string(to_text(ending.state)) + ' ' + ending.code + ' ' +
                      ending.example_disk);
  }
  EXPECT_THAT(endings, ::testing::UnorderedElementsAre("pending SLOW disk-2", "pending  disk-3",
                                                       "released  disk-1"));
}

TEST_F(RunTallyTest, ItemsThatAreAcceptedTogetherAreCountedOnceEach) {
  constexpr int k_disks = 40;
  enrol_disks(k_disks);
  const auto had_a_row = [](int number) { return number == 3 || number == 17 || number == 38; };
  AttemptLog log(open_audit_for_writing(file_), run_.id, invocation_, std::chrono::hours(1));
  for (int number = 1; number <= k_disks; ++number) {
    if (had_a_row(number)) {
      log.record_outcome(announce(log, number),
                         ended(Outcome::throttled, Scope::disk, "SLOW", 429));
    }
  }
  log.flush();
  std::vector<OpenAttempt> open;
  for (int number = 1; number <= k_disks; ++number) {
    open.push_back(announce(log, number, had_a_row(number) ? 2 : 1));
  }
  // All in one commit, in groups: some of a disk that had a row, most not.
  for (int i = 0; i < k_disks; ++i) {
    log.record_outcome(std::move(open[static_cast<std::size_t>(i)]),
                       ended(Outcome::accepted, Scope::disk, i % 2 == 0 ? "" : "CODE"));
  }
  log.flush();
  EXPECT_THAT(tallies(), ElementsAre("released||not_read|20|2", "released|CODE|not_read|20|2"));
  EXPECT_EQ(query("SELECT sum(items) FROM run_tally"), k_disks);
  EXPECT_EQ(query("SELECT count(*) FROM item_now"), k_disks);
  EXPECT_THAT(derived_differences_in(file_), IsEmpty());
}

TEST_F(RunTallyTest, AnItemLeftFarBehindGetsARowAndIsFoundThere) {
  const auto count = static_cast<int>(RunTally::k_longest_lag) + 10;
  enrol_disks(count);
  Database database = open_audit_for_writing(file_);
  const auto accept = [&](std::int64_t from, std::int64_t to) {
    Transaction transaction(database);
    RunTally tally(database);
    Statement attempt = database.prepare(
        "INSERT INTO attempt (item_id, invocation_id, attempt_number, stage, intent_utc_ms)"
        " VALUES (?1, 1, 1, 1, 1)");
    Statement outcome = database.prepare(
        "INSERT INTO outcome (attempt_id, outcome, scope, finished_utc_ms)"
        " VALUES (?1, 'accepted', 'disk', 2)");
    for (std::int64_t number = from; number <= to; ++number) {
      attempt.bind(1, item(number).value).run();
      const AttemptId id{database.last_insert_rowid()};
      tally.announced(id, item(number));
      outcome.bind(1, id.value).run();
      tally.ended(id, item(number), Outcome::accepted, 200, "");
    }
    tally.write();
    transaction.commit();
  };
  accept(1, 1);
  accept(3, count - 9);
  EXPECT_EQ(query("SELECT first_gap_item_id FROM run_progress"), item(2).value);
  accept(count - 8, count - 5);
  EXPECT_EQ(query("SELECT first_gap_item_id FROM run_progress"), item(count - 4).value);
  EXPECT_EQ(query("SELECT open FROM item_now WHERE item_id = " + std::to_string(item(2).value)), 3);
  EXPECT_THAT(derived_differences_in(file_), IsEmpty());
  EXPECT_EQ(count_states(database, run_)[ItemState::pending], 6);
  PendingFeed feed(open_audit_for_reading(file_), run_);
  std::vector<std::int64_t> fed;
  for (const PendingItem& pending : feed.next_page(100)) fed.push_back(pending.item.value);
  EXPECT_THAT(fed, ElementsAre(item(2).value, item(count - 4).value, item(count - 3).value,
                               item(count - 2).value, item(count - 1).value, item(count).value));
}

/// Whatever is put on record, in whatever order, over commits and processes: what the schema lets
/// through.
class RandomCourse {
 public:
  RandomCourse(std::uint64_t seed, const std::filesystem::path& file) : engine_(seed), file_(file) {
    create_audit_database(file);
    database_ = open_audit_for_writing(file);
    for (const Goal goal : {Goal::release, Goal::purge}) {
      RunDescription description = test_description();
      description.goal = goal;
      runs_.push_back(enrol(*database_, numbered_disks(k_disks), description));
      static_cast<void>(begin_test_invocation(*database_, runs_.back().id));
    }
    tally_.emplace(*database_);
  }

  void step() {
    Transaction transaction(*database_);
    for (int i = below(4); i >= 0; --i) add_one();
    tally_->write();
    transaction.commit();
    if (below(10) == 0) {
      tally_.reset();
      tally_.emplace(*database_);
    }
    if (below(30) == 0) {
      tally_.reset();
      static_cast<void>(recover(*database_, k_test_time));
      tally_.emplace(*database_);
    }
  }

  /// What is asked of the derived tables, against the view.
  [[nodiscard]] std::string disagreement() {
    const std::vector<std::string> differences = derived_differences_in(file_);
    if (!differences.empty()) return differences.front();
    for (const RunRecord& run : runs_) {
      if (count_states(*database_, run).by_state != recount_states(*database_, run).by_state) {
        return "count_states";
      }
      if (has_sendable(*database_, run) == sendable(run).empty()) return "has_sendable";
      PendingFeed feed(open_audit_for_reading(file_), run);
      std::vector<std::int64_t> fed;
      while (true) {
        const std::vector<PendingItem> page = feed.next_page(3);
        for (const PendingItem& pending : page) fed.push_back(pending.item.value);
        if (page.size() < 3) break;
      }
      if (fed != sendable(run)) return "PendingFeed";
      for (const bool verify : {false, true}) {
        std::vector<std::int64_t> matters;
        for (const OpenMatter& matter : in_pages(run, verify)) {
          matters.push_back(matter.item.value);
        }
        if (matters != open_matters(run, verify)) return "read_open_matters";
        if (count_open_matters(*database_, run, verify) != std::ssize(matters)) {
          return "count_open_matters";
        }
      }
    }
    return {};
  }

  Database& database() { return *database_; }

 private:
  static constexpr int k_disks = 7;

  std::vector<OpenMatter> in_pages(const RunRecord& run, bool verify) {
    std::vector<OpenMatter> all;
    const std::int64_t limit = 1 + below(4);
    ItemId after;
    while (true) {
      std::vector<OpenMatter> page = read_open_matters(*database_, run, after, verify, limit);
      if (page.empty()) return all;
      EXPECT_LE(std::ssize(page), limit);
      after = page.back().item;
      std::ranges::move(page, std::back_inserter(all));
    }
  }

  int below(int bound) { return static_cast<int>(engine_() % static_cast<unsigned>(bound)); }

  /// False where the schema refuses it.
  bool add(const std::string& sql) {
    try {
      database_->execute(sql);
      return true;
    } catch (const AuditUnusable&) {
      return false;
    }
  }
  std::int64_t ask(const std::string& sql) { return database_->query_integer(sql); }

  void add_one() {
    const std::size_t which = static_cast<std::size_t>(below(2));
    const RunRecord& run = runs_[which];
    const ItemId item{run.first_item.value + below(k_disks)};
    const std::string id = std::to_string(item.value);
    const std::string invocation = std::to_string(which + 1);
    const std::string latest = "(SELECT attempt_id FROM attempt WHERE item_id = " + id +
                               " ORDER BY attempt_number DESC LIMIT 1)";
    switch (below(9)) {
      case 0:
      case 1:
        if (add("INSERT INTO attempt (item_id, invocation_id, attempt_number, stage, intent_utc_ms,"
                " observation_id) SELECT " +
                id + ", " + invocation + ", coalesce(max(attempt_number), 0) + 1, " +
                std::to_string(1 + below(2)) +
                ", 1, (SELECT max(observation_id) FROM observation WHERE item_id = " + id +
                ") FROM attempt WHERE item_id = " + id)) {
          tally_->announced(AttemptId{database_->last_insert_rowid()}, item);
        }
        break;
      case 2:
      case 3: {
        const std::int64_t attempt = ask("SELECT " + latest);
        const auto outcome = static_cast<Outcome>(below(3) == 0 ? below(6) : 0);
        static constexpr std::array k_scopes{Scope::disk, Scope::moment, Scope::run};
        static constexpr std::array<std::string_view, 3> k_codes{"", "CODE", "OTHER"};
        const std::string_view code = k_codes.at(static_cast<std::size_t>(below(3)));
        const int status = below(2) == 0 ? 200 : 400;
        if (attempt != 0 &&
            add("INSERT INTO outcome (attempt_id, outcome, scope, http_status, api_code,"
                " finished_utc_ms) VALUES (" +
                std::to_string(attempt) + ", '" + std::string(to_text(outcome)) + "', '" +
                std::string(to_text(k_scopes.at(static_cast<std::size_t>(below(3))))) + "', " +
                std::to_string(status) + ", nullif('" + std::string(code) + "', ''), 2)")) {
          tally_->ended(AttemptId{attempt}, item, outcome, status, code);
        }
        break;
      }
      case 4:
      case 5:
      case 6: {
        const DiskStatus status = k_statuses.at(static_cast<std::size_t>(below(14)));
        add("INSERT INTO disk_read (invocation_id, purpose, disk_count, result, sent_utc_ms,"
            " finished_utc_ms) VALUES (" +
            invocation + ", 'verify', 1, 'complete', 1, 2)");
        if (add("INSERT INTO observation (read_id, item_id, status) SELECT max(read_id), " + id +
                ", '" + std::string(to_text(status)) + "' FROM disk_read")) {
          tally_->seen(item, status);
        }
        break;
      }
      case 7: {
        static constexpr std::array<std::string_view, 4> k_settled{"executed", "gone", "refused",
                                                                   "not_executed"};
        if (add("INSERT INTO verdict (attempt_id, invocation_id, settled, reason, decided_utc_ms)"
                " VALUES (" +
                latest + ", " + invocation + ", '" +
                std::string(k_settled.at(static_cast<std::size_t>(below(4)))) +
                "', 'marked', 3)")) {
          tally_->changed(item);
        }
        break;
      }
      default: {
        static constexpr std::array<std::string_view, 4> k_kinds{"skip", "give_up", "reject",
                                                                 "already_gone"};
        if (below(4) == 0 &&
            add("INSERT INTO decision (run_id, invocation_id, item_id, kind, reason,"
                " decided_utc_ms) VALUES (" +
                std::to_string(run.id.value) + ", " + invocation + ", " + id + ", '" +
                std::string(k_kinds.at(static_cast<std::size_t>(below(4)))) + "', 'reason', 4)")) {
          tally_->changed(item);
        }
        break;
      }
    }
  }

  std::vector<std::int64_t> items(const RunRecord& run, const std::string& condition) {
    Statement select = database_->prepare(
        "SELECT item_id FROM item_state WHERE run_id = " + std::to_string(run.id.value) + " AND (" +
        condition + ") ORDER BY item_id");
    std::vector<std::int64_t> found;
    while (select.step()) found.push_back(select.integer(0));
    return found;
  }
  std::vector<std::int64_t> sendable(const RunRecord& run) {
    return items(run, "state = 'pending' AND next_stage IS NOT NULL");
  }
  std::vector<std::int64_t> open_matters(const RunRecord& run, bool verify) {
    return items(run,
                 std::string("state = 'unknown' OR (state = 'pending' AND next_stage IS NULL)") +
                     (verify ? " OR (state = 'released' AND verified NOT IN"
                               "     ('recycled', 'destroyed', 'gone'))"
                             : ""));
  }

  std::mt19937_64 engine_;
  std::filesystem::path file_;
  std::optional<Database> database_;
  std::vector<RunRecord> runs_;
  std::optional<RunTally> tally_;
};

TEST_F(RunTallyTest, AgreesWithTheViewWhateverIsPutOnRecord) {
  std::int64_t outcomes = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    // Where a sync costs nothing, if there is such a place.
    const bool has_memory = std::filesystem::exists("/dev/shm");
    const TemporaryDirectory directory(has_memory ? "/dev/shm"
                                                  : std::filesystem::temp_directory_path());
    RandomCourse course(seed, directory / "audit.db");
    for (int step = 0; step < 80; ++step) {
      course.step();
      ASSERT_EQ(course.disagreement(), "") << "seed " << seed << ", step " << step;
    }
    outcomes += course.database().query_integer("SELECT count(*) FROM outcome");
    Transaction transaction(course.database());
    make_derived_tables(course.database());
    transaction.commit();
    ASSERT_EQ(course.disagreement(), "") << "seed " << seed << ", made again";
  }
  EXPECT_GT(outcomes, 50) << "there was hardly anything to agree on";
}

}  // namespace
}  // namespace diskrelease
