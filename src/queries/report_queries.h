#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "queries/run_queries.h"
#include "store/database.h"

namespace diskrelease {

/// Questions of a report; read-only, all throw AuditUnusable. Where nothing else is said, the time
/// an answer takes grows with the attempts that it is about, its memory does not.

/// Whether a person may have to look at an item of this kind, and which of them first.
enum class Attention { unknown, still_there, failed, rejected, pending };
inline constexpr std::array k_attention{Attention::unknown, Attention::still_there,
                                        Attention::failed, Attention::rejected, Attention::pending};

/// The state of such items; `still_there` is among the released ones.
[[nodiscard]] ItemState state_of(Attention attention) noexcept;

/// Calls `sink` for at most `limit` items that need attention, in the order of k_attention and
/// within one kind in list order.
void read_attention(Database& database, const RunRecord& run, std::int64_t limit,
                    const std::function<void(Attention, const ItemRow&)>& sink);

/// When an invocation has sent how much.
struct Activity {
  std::int64_t invocation_id = 0;
  std::int64_t attempts = 0;  ///< announced releases, whatever became of them
  AttemptId first_attempt;    ///< its attempts lie between these
  AttemptId last_attempt;
  /// From the first request to the last, a release that is not known to have left counting by its
  /// intent.
  UtcTime begun;
  UtcTime ended;
  /// Releases and reads that left from its first request to its last release, to its last read
  /// where it has released nothing: reading back afterwards is not a matter of the rate.
  std::int64_t paced_requests = 0;
  std::chrono::milliseconds paced_time{0};  ///< from the first of them to the last
};
/// One for each invocation that has sent or announced anything, in their order.
[[nodiscard]] std::vector<Activity> read_activities(Database& database, const RunRecord& run);

/// Requests by how they ended.
struct RequestCounts {
  std::int64_t accepted = 0;
  std::int64_t refused = 0;  ///< rejected or already gone
  std::int64_t throttled = 0;
  std::int64_t unknown = 0;  ///< open ones too
  std::int64_t not_sent = 0;
  std::int64_t reads = 0;  ///< of DescribeDisks, whatever they have shown
};

/// Intervals of one width, side by side.
struct Timeline {
  UtcTime begin;
  std::chrono::milliseconds width{1};
  std::size_t count = 1;
};
/// The requests of an invocation in each interval. What lies outside of them counts in the first or
/// the last.
[[nodiscard]] std::vector<RequestCounts> read_timeline(Database& database, const Activity& activity,
                                                       const Timeline& timeline);

struct LatencyBin {
  std::chrono::microseconds from{0};
  std::chrono::microseconds to{0};  ///< not included
  std::int64_t answers = 0;
};

/// How long the answers to ReleaseDisk took, of all attempts that have a latency on record.
struct Latencies {
  std::int64_t answers = 0;  ///< 0 = nothing else is set
  /// Of the answers in the order of latency the one at this share of them (nearest rank).
  std::chrono::microseconds p50{0};
  std::chrono::microseconds p90{0};
  std::chrono::microseconds p99{0};
  std::chrono::microseconds least{0};
  std::chrono::microseconds most{0};
  /// Six for each power of ten, from the one of the least to the one of the most.
  std::vector<LatencyBin> bins;
};
[[nodiscard]] Latencies read_latencies(Database& database, const RunRecord& run);

/// Attempts that ended alike.
struct AnswerCount {
  std::string outcome;  ///< "open" while there is none
  std::string settled;  ///< how an unknown one was settled; empty where it was not
  std::string code;     ///< the API's code, else "HTTP 502"; empty for accepted ones
  std::int64_t attempts = 0;
  std::string example_disk;
};
struct AnswerCounts {
  std::vector<AnswerCount> kinds;  ///< most frequent first
  std::int64_t kinds_left_out = 0;
};
/// At most `limit` kinds. Memory grows with the number of different codes.
[[nodiscard]] AnswerCounts read_answers(Database& database, const RunRecord& run,
                                        std::int64_t limit);
/// Of attempts in all runs that ended at this time or later.
[[nodiscard]] AnswerCounts read_answers_since(Database& database, UtcTime since,
                                              std::int64_t limit);

/// Requests that ended on one day, UTC.
struct DayCount {
  UtcTime day;  ///< its beginning
  RequestCounts requests;
};
/// Days on which a request ended, at or after this time, in all runs.
[[nodiscard]] std::vector<DayCount> read_days(Database& database, UtcTime since);

/// Runs that were made or worked on at or after this time, newest first; an invocation without an
/// end on record counts as one that works still.
[[nodiscard]] std::vector<RunId> read_runs_since(Database& database, UtcTime since);

/// A decision about a run as a whole: who let it begin, why it stopped.
struct RunDecision {
  std::int64_t invocation_id = 0;
  std::string kind;
  std::string reason;
  std::string detail;
  UtcTime decided;
};
/// At most `limit`, the latest, in their order.
[[nodiscard]] std::vector<RunDecision> read_run_decisions(Database& database, RunId run,
                                                          std::int64_t limit);

}  // namespace diskrelease
