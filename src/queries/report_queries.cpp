#include "queries/report_queries.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "derived/derived_tables.h"
#include "queries/item_row.h"

namespace diskrelease {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::int64_t k_day_ms = 86'400'000;

std::int64_t last_item(const RunRecord& run) { return run.first_item.value + run.item_count - 1; }

UtcTime utc(std::int64_t ms) { return UtcTime(milliseconds(ms)); }

void add(RequestCounts& counts, std::string_view outcome, std::int64_t requests) {
  if (outcome == "accepted") {
    counts.accepted += requests;
  } else if (outcome == "rejected" || outcome == "already_gone") {
    counts.refused += requests;
  } else if (outcome == "throttled") {
    counts.throttled += requests;
  } else if (outcome == "not_sent") {
    counts.not_sent += requests;
  } else if (outcome == "read") {
    counts.reads += requests;
  } else {
    counts.unknown += requests;
  }
}

/// The bins of a histogram, one after the other: 0, 10, 15, 20, 30, 50, 70, 100, ... microseconds.
class LatencyScale {
 public:
  [[nodiscard]] microseconds from() const noexcept { return from_; }
  [[nodiscard]] microseconds to() const noexcept { return to_; }
  /// The last bin is open: no request takes eleven days.
  [[nodiscard]] bool is_last() const noexcept { return power_ > 100'000'000'000; }
  void next() noexcept {
    from_ = to_;
    step_ = (step_ + 1) % k_steps.size();
    if (step_ == 0) power_ *= 10;
    to_ = microseconds(k_steps[step_] * power_);
  }

 private:
  static constexpr std::array<std::int64_t, 6> k_steps{10, 15, 20, 30, 50, 70};
  std::size_t step_ = 0;
  std::int64_t power_ = 1;
  microseconds from_{0};
  microseconds to_{10};
};

AnswerCounts collect_answers(Statement& select) {
  AnswerCounts counts;
  while (select.step()) {
    counts.kinds.push_back({std::string(select.text(0)), std::string(select.text(1)),
                            std::string(select.text(2)), select.integer(3),
                            std::string(select.text(4))});
    counts.kinds_left_out = select.integer(5);
  }
  counts.kinds_left_out =
      std::max<std::int64_t>(0, counts.kinds_left_out - std::ssize(counts.kinds));
  return counts;
}

/// Groups attempts by how they ended. Last parameter: how many groups.
std::string select_answers(std::string_view from, std::string_view limit) {
  return "SELECT ended, settled, code, attempts,"
         " (SELECT disk_id FROM item WHERE item.item_id = example), kinds FROM ("
         "SELECT coalesce(outcome, 'open') AS ended, coalesce(settled, '') AS settled,"
         " CASE WHEN outcome = 'accepted' THEN ''"
         "      ELSE coalesce(api_code, 'HTTP ' || http_status, '') END AS code,"
         " count(*) AS attempts, min(attempt.item_id) AS example, count(*) OVER () AS kinds" +
         std::string(from) + " GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT " +
         std::string(limit) + ") ORDER BY 4 DESC, 1, 2, 3";
}

}  // namespace

ItemState state_of(Attention attention) noexcept {
  switch (attention) {
    case Attention::unknown:
      return ItemState::unknown;
    case Attention::still_there:
      return ItemState::released;
    case Attention::failed:
      return ItemState::failed;
    case Attention::rejected:
      return ItemState::rejected;
    case Attention::pending:
      return ItemState::pending;
  }
  return ItemState::pending;
}

void read_attention(Database& database, const RunRecord& run, std::int64_t limit,
                    const std::function<void(Attention, const ItemRow&)>& sink) {
  const Snapshot snapshot(database);
  // The numbers of the kinds are those of k_attention. An item is unknown while its latest attempt
  // is open, whatever its row says.
  Statement select = database.prepare(
      "WITH under_way AS MATERIALIZED (SELECT item_id" + std::string(k_from_open_attempts) +
      "   AND item_id BETWEEN ?1 AND ?2"
      "   AND attempt_number = (SELECT max(attempt_number) FROM attempt AS later"
      "                         WHERE later.item_id = attempt.item_id)),"
      " wanted AS MATERIALIZED (SELECT tally_id, CASE state WHEN 'unknown' THEN 0"
      "     WHEN 'released' THEN 1 WHEN 'failed' THEN 2 WHEN 'rejected' THEN 3 ELSE 4 END AS kind"
      "   FROM run_tally WHERE run_id = ?3 AND items > 0"
      "     AND (state IN ('unknown', 'failed', 'rejected', 'pending')"
      "          OR (state = 'released' AND verified = 'still_there')))"
      " SELECT item_id, 0 FROM under_way"
      " UNION ALL SELECT item_now.item_id, kind FROM item_now JOIN wanted USING (tally_id)"
      "   WHERE item_now.item_id BETWEEN ?1 AND ?2"
      "     AND item_now.item_id NOT IN (SELECT item_id FROM under_way)"
      " UNION ALL SELECT item_id, 4" +
      std::string(k_from_items_without_row) +
      "   AND item_id NOT IN (SELECT item_id FROM under_way)"
      " ORDER BY 2, 1 LIMIT ?4");
  select.bind(1, run.first_item.value).bind(2, last_item(run)).bind(3, run.id.value).bind(4, limit);
  Statement look = database.prepare(std::string(k_select_item_rows) + " WHERE item_id = ?1");
  while (select.step()) {
    look.bind(1, select.integer(0));
    if (look.step()) {
      sink(k_attention.at(static_cast<std::size_t>(select.integer(1))), item_row(look));
    }
    look.reset();
  }
}

std::vector<Activity> read_activities(Database& database, const RunRecord& run) {
  const Snapshot snapshot(database);
  struct Departures {
    Activity activity;
    std::optional<std::int64_t> first_sent;
    std::optional<std::int64_t> last_release_sent;
    std::optional<std::int64_t> last_sent;
    std::int64_t sent = 0;
  };
  std::map<std::int64_t, Departures> found;
  Statement attempts = database.prepare(
      "SELECT attempt.invocation_id, count(*), min(attempt_id), max(attempt_id),"
      " min(coalesce(sent_utc_ms, intent_utc_ms)), max(coalesce(sent_utc_ms, intent_utc_ms)),"
      " count(sent_utc_ms), min(sent_utc_ms), max(sent_utc_ms)"
      " FROM attempt LEFT JOIN outcome USING (attempt_id)"
      " WHERE item_id BETWEEN ?1 AND ?2 GROUP BY attempt.invocation_id");
  attempts.bind(1, run.first_item.value).bind(2, last_item(run));
  while (attempts.step()) {
    Departures& departures = found[attempts.integer(0)];
    Activity& activity = departures.activity;
    activity.attempts = attempts.integer(1);
    activity.first_attempt = AttemptId{attempts.integer(2)};
    activity.last_attempt = AttemptId{attempts.integer(3)};
    activity.begun = utc(attempts.integer(4));
    activity.ended = utc(attempts.integer(5));
    departures.sent = attempts.integer(6);
    departures.first_sent = attempts.optional_integer(7);
    departures.last_release_sent = attempts.optional_integer(8);
    departures.last_sent = departures.last_release_sent;
  }
  Statement reads = database.prepare(
      "SELECT disk_read.invocation_id, sent_utc_ms FROM disk_read"
      " JOIN invocation USING (invocation_id) WHERE run_id = ?1");
  reads.bind(1, run.id.value);
  while (reads.step()) {
    const std::int64_t sent = reads.integer(1);
    const auto [entry, is_new] = found.try_emplace(reads.integer(0));
    Departures& departures = entry->second;
    Activity& activity = departures.activity;
    activity.begun = is_new ? utc(sent) : std::min(activity.begun, utc(sent));
    activity.ended = is_new ? utc(sent) : std::max(activity.ended, utc(sent));
    if (departures.last_release_sent && sent > *departures.last_release_sent) continue;
    ++departures.sent;
    departures.first_sent = std::min(departures.first_sent.value_or(sent), sent);
    departures.last_sent = std::max(departures.last_sent.value_or(sent), sent);
  }
  std::vector<Activity> activities;
  for (auto& [invocation, departures] : found) {
    departures.activity.invocation_id = invocation;
    departures.activity.paced_requests = departures.sent;
    if (departures.first_sent && departures.last_sent) {
      departures.activity.paced_time = milliseconds(*departures.last_sent - *departures.first_sent);
    }
    activities.push_back(departures.activity);
  }
  return activities;
}

std::vector<RequestCounts> read_timeline(Database& database, const Activity& activity,
                                         const Timeline& timeline) {
  std::vector<RequestCounts> intervals(timeline.count);
  Statement select = database.prepare(
      "SELECT (coalesce(sent_utc_ms, intent_utc_ms) - ?4) / ?5 AS place,"
      " coalesce(outcome, 'open') AS ended, count(*)"
      " FROM attempt LEFT JOIN outcome USING (attempt_id)"
      " WHERE attempt_id BETWEEN ?1 AND ?2 AND attempt.invocation_id = ?3 GROUP BY place, ended"
      " UNION ALL SELECT (sent_utc_ms - ?4) / ?5 AS place, 'read', count(*) FROM disk_read"
      " WHERE invocation_id = ?3 GROUP BY place");
  select.bind(1, activity.first_attempt.value)
      .bind(2, activity.last_attempt.value)
      .bind(3, activity.invocation_id)
      .bind(4, timeline.begin)
      .bind(5, std::int64_t{timeline.width.count()});
  const std::int64_t last = std::ssize(intervals) - 1;
  while (select.step()) {
    const std::int64_t place = std::clamp<std::int64_t>(select.integer(0), 0, last);
    add(intervals[static_cast<std::size_t>(place)], select.text(1), select.integer(2));
  }
  return intervals;
}

Latencies read_latencies(Database& database, const RunRecord& run) {
  const Snapshot snapshot(database);
  const std::string from =
      " FROM attempt JOIN outcome USING (attempt_id)"
      " WHERE item_id BETWEEN ?1 AND ?2 AND latency_us >= 0";
  Statement count = database.prepare("SELECT count(*)" + from);
  count.bind(1, run.first_item.value).bind(2, last_item(run));
  Latencies latencies;
  latencies.answers = count.step() ? count.integer(0) : 0;
  // Nearest rank, rounded up.
  const auto rank = [&](std::int64_t percent) { return (latencies.answers * percent + 99) / 100; };

  Statement select = database.prepare("SELECT latency_us" + from + " ORDER BY latency_us");
  select.bind(1, run.first_item.value).bind(2, last_item(run));
  LatencyScale scale;
  std::int64_t place = 0;
  while (select.step()) {
    const microseconds latency(select.integer(0));
    ++place;
    if (place == 1) latencies.least = latency;
    if (place == rank(50)) latencies.p50 = latency;
    if (place == rank(90)) latencies.p90 = latency;
    if (place == rank(99)) latencies.p99 = latency;
    latencies.most = latency;
    while (latency >= scale.to() && !scale.is_last()) {
      scale.next();
      // Bins in between stay, with nothing in them.
      if (!latencies.bins.empty()) latencies.bins.push_back({scale.from(), scale.to(), 0});
    }
    if (latencies.bins.empty()) latencies.bins.push_back({scale.from(), scale.to(), 0});
    ++latencies.bins.back().answers;
  }
  return latencies;
}

AnswerCounts read_answers(Database& database, const RunRecord& run, std::int64_t limit) {
  Statement select = database.prepare(
      select_answers(" FROM attempt LEFT JOIN outcome USING (attempt_id)"
                     " LEFT JOIN verdict USING (attempt_id) WHERE item_id BETWEEN ?1 AND ?2",
                     "?3"));
  select.bind(1, run.first_item.value).bind(2, last_item(run)).bind(3, limit);
  return collect_answers(select);
}

AnswerCounts read_answers_since(Database& database, UtcTime since, std::int64_t limit) {
  Statement select = database.prepare(
      select_answers(" FROM outcome JOIN attempt USING (attempt_id)"
                     " LEFT JOIN verdict USING (attempt_id) WHERE finished_utc_ms >= ?1",
                     "?2"));
  select.bind(1, since).bind(2, limit);
  return collect_answers(select);
}

std::vector<DayCount> read_days(Database& database, UtcTime since) {
  Statement select = database.prepare(
      "SELECT day, ended, requests FROM ("
      "SELECT finished_utc_ms / ?2 AS day, outcome AS ended, count(*) AS requests FROM outcome"
      " WHERE finished_utc_ms >= ?1 GROUP BY 1, 2"
      " UNION ALL SELECT finished_utc_ms / ?2, 'read', count(*) FROM disk_read"
      " WHERE finished_utc_ms >= ?1 GROUP BY 1) ORDER BY day");
  select.bind(1, since).bind(2, k_day_ms);
  std::vector<DayCount> days;
  while (select.step()) {
    const UtcTime day = utc(select.integer(0) * k_day_ms);
    if (days.empty() || days.back().day != day) days.push_back({day, {}});
    add(days.back().requests, select.text(1), select.integer(2));
  }
  return days;
}

std::vector<RunId> read_runs_since(Database& database, UtcTime since) {
  Statement select = database.prepare(
      "SELECT run_id FROM run WHERE created_utc_ms >= ?1"
      " UNION SELECT run_id FROM invocation LEFT JOIN invocation_end USING (invocation_id)"
      " WHERE coalesce(ended_utc_ms >= ?1, 1) ORDER BY run_id DESC");
  select.bind(1, since);
  std::vector<RunId> runs;
  while (select.step()) runs.push_back(RunId{select.integer(0)});
  return runs;
}

std::vector<RunDecision> read_run_decisions(Database& database, RunId run, std::int64_t limit) {
  Statement select = database.prepare(
      "SELECT invocation_id, kind, reason, detail, decided_utc_ms FROM decision"
      " WHERE run_id = ?1 AND item_id IS NULL ORDER BY decision_id DESC LIMIT ?2");
  select.bind(1, run.value).bind(2, limit);
  std::vector<RunDecision> decisions;
  while (select.step()) {
    decisions.push_back({select.integer(0), std::string(select.text(1)),
                         std::string(select.text(2)), std::string(select.text(3)), select.utc(4)});
  }
  std::ranges::reverse(decisions);
  return decisions;
}

}  // namespace diskrelease
