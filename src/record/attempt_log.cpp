#include "record/attempt_log.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <future>
#include <iterator>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "derived/run_tally.h"
#include "model/errors.h"
#include "model/shown_path.h"
#include "store/grouped_insert.h"

namespace diskrelease {

struct Announcement::State {
  // One order for both: whoever sets one of them and then does not see the other is seen by it.
  std::atomic<bool> decided = false;
  std::atomic<bool> expected = false;
  // Written before `decided`, read after it.
  AttemptId attempt;
  std::exception_ptr failure;

  /// Whether it is expected.
  bool decide() noexcept {
    decided.store(true);
    decided.notify_all();
    return expected.load();
  }
};

namespace {

struct IntentEntry {
  ItemId item;
  int number;
  Stage stage;
  UtcTime at;
  std::shared_ptr<Announcement::State> announced;
};

struct OutcomeEntry {
  AttemptId attempt;
  ItemId item;
  OutcomeRecord record;
};

struct DecisionEntry {
  DecisionRecord record;
  UtcTime at;
};

struct ReadEntry {
  ReadRecord record;
  std::vector<ItemSighting> sightings;
};

struct VerdictEntry {
  VerdictRecord record;
  UtcTime at;
};

struct FlushEntry {
  std::promise<void> durable;
};

using Entry =
    std::variant<IntentEntry, OutcomeEntry, DecisionEntry, ReadEntry, VerdictEntry, FlushEntry>;

/// The statements of the hot path, prepared once.
class EntryWriter {
 public:
  EntryWriter(Database& database, RunId run, InvocationId invocation)
      : database_(database),
        run_(run),
        invocation_(invocation),
        last_attempt_(database.prepare("SELECT coalesce(max(attempt_id), 0) FROM attempt")),
        insert_attempts_(database,
                         "INSERT INTO attempt (attempt_id, item_id, invocation_id, attempt_number,"
                         " stage, intent_utc_ms, observation_id) VALUES",
                         "(?, ?, ?, ?, ?, ?,"
                         " (SELECT max(observation_id) FROM observation WHERE item_id = ?))"),
        insert_outcomes_(database,
                         "INSERT INTO outcome (attempt_id, outcome, scope, http_status, api_code,"
                         " request_id, message, retry_after_ms, sent_utc_ms, finished_utc_ms,"
                         " latency_us) VALUES",
                         "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        insert_decision_(database.prepare(
            "INSERT INTO decision (run_id, invocation_id, item_id, kind, reason, detail,"
            " decided_utc_ms, observation_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
            " CASE WHEN ?8 THEN (SELECT max(observation_id) FROM observation WHERE item_id = ?3)"
            " END)")),
        insert_read_(database.prepare(
            "INSERT INTO disk_read (invocation_id, purpose, disk_count, result, http_status,"
            " api_code, request_id, message, sent_utc_ms, finished_utc_ms)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")),
        insert_observation_(database.prepare(
            "INSERT INTO observation (read_id, item_id, status, status_text, disk_type, portable,"
            " disk_name, zone_id, category, instance_id, size_gb)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")),
        insert_verdict_(database.prepare(
            "INSERT INTO verdict (attempt_id, invocation_id, settled, reason, detail,"
            " decided_utc_ms, observation_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
            " (SELECT max(observation_id) FROM observation WHERE item_id = ?7))")),
        tally_(database, RunTally::Marks::now_and_then) {}

  /// Gives each its attempt.
  void write(const std::vector<const IntentEntry*>& intents) {
    if (intents.empty()) return;
    static_cast<void>(last_attempt_.step());
    AttemptId next{last_attempt_.integer(0)};
    last_attempt_.reset();
    if (next.value > std::numeric_limits<std::int64_t>::max() - std::ssize(intents)) {
      throw AuditUnusable(
          "audit database " + shown(database_.path()) +
          ": there is no id left for an attempt; it was changed by another program");
    }
    for (const IntentEntry* intent : intents) {
      ++next.value;
      intent->announced->attempt = next;
    }
    insert_attempts_.insert(intents, [&](Statement& insert, int before, const IntentEntry* intent) {
      insert.bind(before + 1, intent->announced->attempt.value)
          .bind(before + 2, intent->item.value)
          .bind(before + 3, invocation_.value)
          .bind(before + 4, std::int64_t{intent->number})
          .bind(before + 5, static_cast<std::int64_t>(intent->stage))
          .bind(before + 6, intent->at)
          .bind(before + 7, intent->item.value);
    });
    for (const IntentEntry* intent : intents) {
      tally_.announced(intent->announced->attempt, intent->item);
    }
  }

  void write(const std::vector<const OutcomeEntry*>& outcomes) {
    insert_outcomes_.insert(outcomes,
                            [&](Statement& insert, int before, const OutcomeEntry* outcome) {
                              const OutcomeRecord& record = outcome->record;
                              insert.bind(before + 1, outcome->attempt.value)
                                  .bind(before + 2, to_text(record.outcome))
                                  .bind(before + 3, to_text(record.scope))
                                  .bind(before + 4, number(record.http_status))
                                  .bind_optional(before + 5, record.api_code)
                                  .bind_optional(before + 6, record.request_id)
                                  .bind_optional(before + 7, record.message)
                                  .bind(before + 8, count(record.retry_after))
                                  .bind(before + 9, record.sent)
                                  .bind(before + 10, record.finished)
                                  .bind(before + 11, count(record.latency));
                            });
    for (const OutcomeEntry* outcome : outcomes) {
      const OutcomeRecord& record = outcome->record;
      tally_.ended(outcome->attempt, outcome->item, record.outcome, record.http_status,
                   record.api_code);
    }
  }

  void write(const DecisionEntry& entry) {
    insert_decision_.bind(1, run_.value)
        .bind(2, invocation_.value)
        .bind(3, entry.record.item ? std::optional<std::int64_t>(entry.record.item->value)
                                   : std::nullopt)
        .bind(4, to_text(entry.record.kind))
        .bind(5, entry.record.reason)
        .bind_optional(6, entry.record.detail)
        .bind(7, entry.at)
        .bind(8, std::int64_t{entry.record.on_observation ? 1 : 0});
    insert_decision_.run();
    if (entry.record.item) tally_.changed(*entry.record.item);
  }

  void write(const ReadEntry& entry) {
    const ReadRecord& record = entry.record;
    insert_read_.bind(1, invocation_.value)
        .bind(2, to_text(record.purpose))
        .bind(3, record.disk_count)
        .bind(4, record.result)
        .bind(5, number(record.http_status))
        .bind_optional(6, record.api_code)
        .bind_optional(7, record.request_id)
        .bind_optional(8, record.message)
        .bind(9, record.sent)
        .bind(10, record.finished);
    insert_read_.run();
    const std::int64_t read = database_.last_insert_rowid();
    for (const auto& [item, sighting] : entry.sightings) {
      const std::string_view status = to_text(sighting.status);
      const bool says_more = sighting.status == DiskStatus::other;
      insert_observation_.bind(1, read)
          .bind(2, item.value)
          .bind(3, status)
          .bind_optional(4, says_more ? std::string_view(sighting.status_text) : std::string_view())
          .bind_optional(5, sighting.disk_type)
          .bind(6, sighting.portable ? std::optional<std::int64_t>(*sighting.portable ? 1 : 0)
                                     : std::nullopt)
          .bind_optional(7, sighting.name)
          .bind_optional(8, sighting.zone)
          .bind_optional(9, sighting.category)
          .bind_optional(10, sighting.instance_id)
          .bind(11, sighting.size_gb);
      insert_observation_.run();
      tally_.seen(item, sighting.status);
    }
  }

  void write(const VerdictEntry& entry) {
    insert_verdict_.bind(1, entry.record.attempt.value)
        .bind(2, invocation_.value)
        .bind(3, to_text(entry.record.settled))
        .bind(4, entry.record.reason)
        .bind_optional(5, entry.record.detail)
        .bind(6, entry.at)
        .bind(7, entry.record.item.value);
    insert_verdict_.run();
    tally_.changed(entry.record.item);
  }

  /// Last before every commit.
  void bring_tally_up_to_date() { tally_.write(); }

 private:
  static std::optional<std::int64_t> number(const std::optional<int>& value) {
    if (!value) return std::nullopt;
    return *value;
  }
  template <class Duration>
  static std::optional<std::int64_t> count(const std::optional<Duration>& value) {
    if (!value) return std::nullopt;
    return value->count();
  }

  Database& database_;
  RunId run_;
  InvocationId invocation_;
  Statement last_attempt_;
  GroupedInsert insert_attempts_;
  GroupedInsert insert_outcomes_;
  Statement insert_decision_;
  Statement insert_read_;
  Statement insert_observation_;
  Statement insert_verdict_;
  RunTally tally_;
};

}  // namespace

struct AttemptLog::Private {
  Private(Database connection, RunId run_id, InvocationId invocation_id,
          std::chrono::milliseconds longest_delay, LogListeners told,
          std::chrono::microseconds longest_intent_delay, std::unique_ptr<UnsentMarks> unsent_marks,
          WriteAnchor anchor_writer)
      : max_delay(longest_delay),
        intent_delay(longest_intent_delay),
        listeners(std::move(told)),
        marks(std::move(unsent_marks)),
        write_anchor(std::move(anchor_writer)),
        database(std::move(connection)) {
    writer.emplace(database, run_id, invocation_id);
  }

  const std::chrono::milliseconds max_delay;
  const std::chrono::microseconds intent_delay;
  const LogListeners listeners;
  const std::unique_ptr<UnsentMarks> marks;  // held and cleared by the writer thread
  const WriteAnchor write_anchor;

  // Used by the writer thread alone while it runs.
  bool failure_told = false;
  Database database;
  std::optional<EntryWriter> writer;
  std::vector<const OutcomeEntry*> outcomes;  // of the batch that is being written
  std::vector<const IntentEntry*> intents_in_a_row;
  std::vector<Announcement::State*> announced;

  std::mutex mutex;
  std::condition_variable work;
  // Guarded by mutex.
  std::vector<Entry> queue;
  std::size_t intents = 0;        // in the queue
  bool flush_waits = false;       // there is one in the queue
  std::size_t open_attempts = 0;  // taken out of the queue as intents, without an outcome so far
  bool closing = false;
  std::exception_ptr failure;

  std::thread thread;

  void push(Entry entry) {
    // After the lock is free again: who wakes up before that has to sleep once more.
    if (enqueue(std::move(entry))) work.notify_one();
  }

  /// Whether the writer is to be woken: it sleeps while the queue is empty, dozes for max_delay
  /// while nobody waits, and for intent_delay while there are few who do.
  [[nodiscard]] bool enqueue(Entry entry) {
    const std::lock_guard lock(mutex);
    if (failure) std::rethrow_exception(failure);
    const bool first = queue.empty();
    const bool was_due = due();
    bool first_intent = false;
    if (std::holds_alternative<IntentEntry>(entry)) {
      first_intent = intents++ == 0;
    } else if (std::holds_alternative<OutcomeEntry>(entry)) {
      if (open_attempts > 0) --open_attempts;
    } else if (std::holds_alternative<FlushEntry>(entry)) {
      flush_waits = true;
    }
    queue.push_back(std::move(entry));
    return first || first_intent || (!was_due && due());
  }

  /// Whether the next commit is not to wait for more. Until as many intents have come together as
  /// half of the attempts that are open, the others have enough to do for the time of a commit.
  [[nodiscard]] bool due() const {
    return flush_waits || closing || (intents > 0 && 2 * intents >= open_attempts);
  }

  void loop() {
    std::vector<Entry> batch;
    while (true) {
      {
        std::unique_lock lock(mutex);
        work.wait(lock, [&] { return !queue.empty() || closing; });
        if (queue.empty()) return;
        if (intents == 0 && !due()) {
          work.wait_for(lock, max_delay, [&] { return intents > 0 || due(); });
        }
        if (intents > 0 && !due()) work.wait_for(lock, intent_delay, [&] { return due(); });
        batch.swap(queue);
        open_attempts += intents;
        intents = 0;
        flush_waits = false;
      }
      try {
        commit(batch);
      } catch (...) {
        fail(std::current_exception(), batch);
        return;
      }
      batch.clear();
    }
  }

  /// Before all else: what they need has been durable before, and what was handed over before them
  /// in the same batch is not about their items, which one sender alone has. In the order of their
  /// attempts, which is nearly that of the table and costs less than the order of the answers.
  void write_outcomes(const std::vector<Entry>& batch) {
    outcomes.clear();
    for (const Entry& entry : batch) {
      if (const auto* outcome = std::get_if<OutcomeEntry>(&entry)) outcomes.push_back(outcome);
    }
    std::ranges::sort(outcomes, {}, [](const OutcomeEntry* outcome) { return outcome->attempt; });
    writer->write(outcomes);
  }

  void write_intents() {
    writer->write(intents_in_a_row);
    for (const IntentEntry* intent : intents_in_a_row) {
      // Before the commit: as soon as it is open it has its mark.
      if (marks) marks->hold(intent->announced->attempt);
      announced.push_back(intent->announced.get());
    }
    intents_in_a_row.clear();
  }

  /// In the order in which they came, for an intent names the latest observation that was handed
  /// over before it.
  void write_others(const std::vector<Entry>& batch, bool with_intents) {
    announced.clear();
    intents_in_a_row.clear();
    for (const Entry& entry : batch) {
      if (const auto* intent = std::get_if<IntentEntry>(&entry)) {
        if (with_intents) intents_in_a_row.push_back(intent);
      } else if (const auto* decision = std::get_if<DecisionEntry>(&entry)) {
        write_intents();
        writer->write(*decision);
      } else if (const auto* read = std::get_if<ReadEntry>(&entry)) {
        write_intents();
        writer->write(*read);
      } else if (const auto* verdict = std::get_if<VerdictEntry>(&entry)) {
        write_intents();
        writer->write(*verdict);
      }
    }
    write_intents();
  }

  void commit(std::vector<Entry>& batch) {
    const std::optional<std::string> displacement = database.displacement();
    if (displacement) tell_failed();
    Transaction transaction(database);
    write_outcomes(batch);
    write_others(batch, !displacement);
    writer->bring_tally_up_to_date();
    transaction.commit();
    // Outcomes go into a file that was renamed all the same: whoever puts it back has them.
    if (displacement) throw AuditUnusable(*displacement);
    if (write_anchor && database.log_is_unanchored()) {
      write_anchor(read_chain_head(database));
      database.note_anchor();
    }
    bool any_expected = false;
    for (Announcement::State* state : announced) any_expected = state->decide() || any_expected;
    if (any_expected && listeners.decided) listeners.decided();
    for (Entry& entry : batch) {
      if (auto* flush = std::get_if<FlushEntry>(&entry)) flush->durable.set_value();
      const auto* outcome = std::get_if<OutcomeEntry>(&entry);
      // Whatever else has ended has no mark any more.
      if (marks && outcome != nullptr && outcome->record.outcome == Outcome::not_sent) {
        marks->clear(outcome->attempt);
      }
    }
  }

  /// Once.
  void tell_failed() {
    if (!std::exchange(failure_told, true) && listeners.failed) listeners.failed();
  }

  void fail(const std::exception_ptr& error, std::vector<Entry>& batch) {
    std::vector<Entry> rest;
    {
      const std::lock_guard lock(mutex);
      failure = error;  // from now on nothing is queued
      rest.swap(queue);
    }
    // Before anybody is told of an intent, so that what waits for its time does not leave
    // meanwhile.
    tell_failed();
    for (std::vector<Entry>* entries : {&batch, &rest}) {
      for (Entry& entry : *entries) {
        if (auto* intent = std::get_if<IntentEntry>(&entry)) {
          intent->announced->failure = error;
          intent->announced->decide();
        }
        if (auto* flush = std::get_if<FlushEntry>(&entry)) flush->durable.set_exception(error);
      }
      entries->clear();
    }
    if (listeners.decided) listeners.decided();
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      closing = true;
      work.notify_one();
    }
    if (thread.joinable()) thread.join();
  }
};

Announcement::Announcement(std::shared_ptr<State> state, ItemId item, DiskId disk, int number,
                           Stage stage)
    : state_(std::move(state)),
      item_(item),
      disk_(std::move(disk)),
      number_(number),
      stage_(stage) {}

bool Announcement::decided() const noexcept { return state_->decided.load(); }

void Announcement::expect() const noexcept { state_->expected.store(true); }

void Announcement::wait() const noexcept { state_->decided.wait(false); }

OpenAttempt Announcement::take() {
  wait();
  if (state_->failure) std::rethrow_exception(state_->failure);
  return {state_->attempt, item_, std::move(disk_), number_, stage_};
}

AttemptLog::AttemptLog(Database database, RunId run, InvocationId invocation,
                       std::chrono::milliseconds max_delay, LogListeners listeners,
                       std::chrono::microseconds intent_delay, std::unique_ptr<UnsentMarks> marks,
                       WriteAnchor write_anchor)
    : private_(std::make_unique<Private>(std::move(database), run, invocation, max_delay,
                                         std::move(listeners), intent_delay, std::move(marks),
                                         std::move(write_anchor))) {
  private_->thread = std::thread([this] { private_->loop(); });
}

AttemptLog::~AttemptLog() {
  if (private_) private_->stop();
}

Announcement AttemptLog::announce(ItemId item, const DiskId& disk, int number, Stage stage,
                                  UtcTime now) {
  auto state = std::make_shared<Announcement::State>();
  private_->push(IntentEntry{item, number, stage, now, state});
  return {std::move(state), item, disk, number, stage};
}

Departure AttemptLog::departs(const OpenAttempt& attempt) {
  if (!private_->marks || private_->marks->take(attempt.id())) {
    return Departure(attempt.id());
  }
  throw AuditUnusable("audit database: attempt " + std::to_string(attempt.id().value) +
                      " for disk " + attempt.disk().text() +
                      " was taken over by another process that works on the same database; its "
                      "lock file must have been removed. This request was not sent. End the other "
                      "process before you resume.");
}

void AttemptLog::record_outcome(OpenAttempt attempt, OutcomeRecord outcome) {
  private_->push(OutcomeEntry{attempt.id(), attempt.item(), std::move(outcome)});
}

void AttemptLog::record_decision(DecisionRecord decision, UtcTime now) {
  private_->push(DecisionEntry{std::move(decision), now});
}

void AttemptLog::record_read(ReadRecord read, std::vector<ItemSighting> sightings) {
  private_->push(ReadEntry{std::move(read), std::move(sightings)});
}

void AttemptLog::record_verdict(VerdictRecord verdict, UtcTime now) {
  private_->push(VerdictEntry{std::move(verdict), now});
}

void AttemptLog::flush() {
  FlushEntry entry;
  std::future<void> durable = entry.durable.get_future();
  private_->push(std::move(entry));
  durable.get();
}

Database AttemptLog::close() {
  std::exception_ptr failure;
  try {
    flush();
  } catch (const AuditUnusable&) {
    failure = std::current_exception();
  }
  private_->stop();
  private_->writer.reset();
  if (failure) std::rethrow_exception(failure);
  if (private_->marks) private_->marks->remove();
  return std::move(private_->database);
}

}  // namespace diskrelease
