#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/chain.h"
#include "model/attempt.h"
#include "model/observation.h"
#include "model/outcome.h"
#include "model/settled.h"
#include "record/run_records.h"
#include "record/unsent_marks.h"
#include "store/database.h"

namespace diskrelease {

/// How an attempt ended, as it goes on record.
struct OutcomeRecord {
  Outcome outcome = Outcome::unknown;
  Scope scope = Scope::disk;
  std::optional<int> http_status;
  std::string api_code;
  std::string request_id;
  std::string message;
  std::optional<std::chrono::milliseconds> retry_after;
  std::optional<UtcTime> sent;  ///< when the request began to leave; nullopt = nothing was sent
  UtcTime finished;
  std::optional<std::chrono::microseconds> latency;  ///< from sent to the end of the answer
};

/// One DescribeDisks request, as it goes on record.
struct ReadRecord {
  ReadPurpose purpose = ReadPurpose::preflight;
  std::int64_t disk_count = 0;
  std::string_view result;  ///< static text: "complete", "throttled", "failed" or "stop"
  std::optional<int> http_status;
  std::string api_code;
  std::string request_id;
  std::string message;
  UtcTime sent;
  UtcTime finished;
};

/// What a complete read has shown of one item.
struct ItemSighting {
  ItemId item;
  Sighting sighting;
};

/// How an unknown attempt was settled. It rests on the latest observation of its item.
struct VerdictRecord {
  AttemptId attempt;
  ItemId item;
  Settled settled = Settled::executed;
  std::string reason;  ///< one snake_case word
  std::string detail;  ///< for people; may be empty
};

/// An intent that was handed over and becomes durable with a later commit. One thread at a time.
class Announcement {
 public:
  Announcement(Announcement&&) noexcept = default;
  Announcement& operator=(Announcement&&) noexcept = default;
  Announcement(const Announcement&) = delete;
  Announcement& operator=(const Announcement&) = delete;
  ~Announcement() = default;

  /// Whether take() would return or throw at once.
  [[nodiscard]] bool decided() const noexcept;
  /// That somebody is going to wait for it. To be called before decided() is looked at for the last
  /// time: unless that says yes, the log tells its listeners once it is decided.
  void expect() const noexcept;
  void wait() const noexcept;
  /// Waits until the intent is durable, and everything handed over before it. Throws AuditUnusable
  /// if it is not, then nothing may be sent. To be called once.
  [[nodiscard]] OpenAttempt take();

  struct State;  ///< of the writer

 private:
  friend class AttemptLog;
  Announcement(std::shared_ptr<State> state, ItemId item, DiskId disk, int number, Stage stage);

  std::shared_ptr<State> state_;
  ItemId item_;
  DiskId disk_;
  int number_;
  Stage stage_;
};

/// Those who are told by an AttemptLog, on its thread. They must not throw, nor use the log; any
/// may be empty.
struct LogListeners {
  std::function<void()> decided;  ///< announcements that are expected have been decided
  /// Nothing is recorded any more, so nothing may be sent: not even what has been announced and
  /// waits for its time.
  std::function<void()> failed;
};

using WriteAnchor = std::function<void(const ChainHead&)>;

/// The one writer of a run's attempts: a thread that owns the write connection and commits in
/// groups (WAL, synchronous=FULL). One commit carries the intents that wait for it and the outcomes
/// that have come meanwhile.
///
/// Life of an attempt: 1. announce() hands the intent over. 2. It is durable: Announcement::take()
/// returns an OpenAttempt. 3. departs(), and the request is sent. 4. record_outcome() consumes the
/// OpenAttempt. A crash between 2 and 4 leaves an open attempt; where marks are kept and the
/// machine goes on, recovery can tell that 3 has not begun.
///
/// After a failed commit nothing is written any more: every waiting and every later call throws
/// AuditUnusable. So it is when the database's file or its write-ahead log is found deleted,
/// renamed away or replaced, which every commit looks at: the outcomes of that commit are still
/// written to the file that is open, its intents are not. All member functions are thread-safe
/// except close().
class AttemptLog {
 public:
  static constexpr std::chrono::milliseconds k_max_delay{5};
  static constexpr std::chrono::microseconds k_intent_delay{1'000};

  /// Takes over the connection until close(). An outcome or a decision waits at most `max_delay`
  /// for the company of an intent; with a very long one, commits happen only with intents and
  /// flushes, so that a simulation can be repeated exactly. An intent waits at most `intent_delay`
  /// for that of others, and only while many attempts are open: a commit costs nearly the same for
  /// one as for thirty. `marks` may be nullptr.
  ///
  /// `write_anchor` is called on the log's thread, and fails a commit by throwing: with the first
  /// commit after everything that the latest anchor names has reached the database file. So an
  /// anchor always names what is lost with the write-ahead log, and its loss is found.
  AttemptLog(Database database, RunId run, InvocationId invocation,
             std::chrono::milliseconds max_delay = k_max_delay, LogListeners listeners = {},
             std::chrono::microseconds intent_delay = k_intent_delay,
             std::unique_ptr<UnsentMarks> marks = nullptr, WriteAnchor write_anchor = {});
  /// Like close(), without telling about failures.
  ~AttemptLog();
  AttemptLog(const AttemptLog&) = delete;
  AttemptLog& operator=(const AttemptLog&) = delete;

  /// Hands an intent over for the next commit. The item's latest observation, durable by then, goes
  /// on record as what was known of the disk.
  [[nodiscard]] Announcement announce(ItemId item, const DiskId& disk, int number, Stage stage,
                                      UtcTime now);

  /// To be called before the first byte of its request may leave, and not earlier than it must:
  /// from now on a crash leaves it unknown. Once for each attempt. Throws AuditUnusable when
  /// recovery has claimed it meanwhile, in another process; then nothing may be sent.
  [[nodiscard]] Departure departs(const OpenAttempt& attempt);

  /// Returns at once; durable with the next commit, max_delay later at most (plus the commit
  /// itself).
  void record_outcome(OpenAttempt attempt, OutcomeRecord outcome);
  void record_decision(DecisionRecord decision, UtcTime now);
  /// `sightings` only with a complete read. What is handed over later finds them on record, but for
  /// outcomes, which are the first in each commit.
  void record_read(ReadRecord read, std::vector<ItemSighting> sightings);
  void record_verdict(VerdictRecord verdict, UtcTime now);

  /// Waits until everything handed over before is durable.
  void flush();

  /// flush(), then ends the thread, removes the marks and gives the connection back. Only
  /// destruction may follow.
  [[nodiscard]] Database close();

 private:
  struct Private;
  std::unique_ptr<Private> private_;
};

}  // namespace diskrelease
