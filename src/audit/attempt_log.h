#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "audit/run_records.h"
#include "model/attempt.h"
#include "model/outcome.h"

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

/// The one writer of a run's attempts: a thread that owns the write connection and commits in
/// groups (WAL, synchronous=FULL). One commit carries the intents that wait for it and the outcomes
/// that have come meanwhile.
///
/// Life of an attempt: 1. record_intent() returns an OpenAttempt; the intent is durable. 2. The
/// request is sent.
/// 3. record_outcome() consumes the OpenAttempt. A crash between 1 and 3 leaves an open attempt.
///
/// After a failed commit nothing is written any more: every waiting and every later call throws
/// AuditUnusable. So it is when the database's file or its write-ahead log is found deleted,
/// renamed away or replaced, which every commit looks at: the outcomes of that commit are still
/// written to the file that is open, its intents are not. All member functions are thread-safe
/// except close().
class AttemptLog {
 public:
  static constexpr std::chrono::milliseconds k_max_delay{5};

  /// Takes over the connection until close(). An outcome or a decision waits at most `max_delay`
  /// for the company of an intent; with a very long one, commits happen only with intents and
  /// flushes, so that a simulation can be repeated exactly.
  AttemptLog(Database database, RunId run, InvocationId invocation,
             std::chrono::milliseconds max_delay = k_max_delay);
  /// Like close(), without telling about failures.
  ~AttemptLog();
  AttemptLog(const AttemptLog&) = delete;
  AttemptLog& operator=(const AttemptLog&) = delete;

  /// Waits until the intent is durable. Throws AuditUnusable if it is not, then nothing may be
  /// sent.
  [[nodiscard]] OpenAttempt record_intent(ItemId item, const DiskId& disk, int number, Stage stage,
                                          UtcTime now);

  /// Returns at once; durable with the next commit, max_delay later at most (plus the commit
  /// itself).
  void record_outcome(OpenAttempt attempt, OutcomeRecord outcome);
  void record_decision(DecisionRecord decision, UtcTime now);

  /// Waits until everything handed over before is durable.
  void flush();

  /// flush(), then ends the thread and gives the connection back. Only destruction may follow.
  [[nodiscard]] Database close();

 private:
  struct Private;
  std::unique_ptr<Private> private_;
};

}  // namespace diskrelease
