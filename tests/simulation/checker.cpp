#include "simulation/checker.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "evidence/kinds.h"
#include "model/observation.h"
#include "queries/run_queries.h"

namespace diskrelease::simulation {
namespace {

using sandbox::DiskStatus;

struct AttemptRow {
  std::int64_t id = 0;
  std::int64_t item = 0;
  std::string disk;
  std::size_t run = 0;
  std::int64_t stage = 0;
  std::string outcome;
  std::string scope;
  std::string request_id;
  std::string api_code;
  std::string settled;
  UtcTime announced;
  UtcTime decided;            ///< with `settled`
  std::int64_t rests_on = 0;  ///< observation, with `settled`
};

/// An observation that is on record, and the request of the server's history that it comes from.
struct SightingRow {
  std::int64_t id = 0;
  DiskStatus status = DiskStatus::absent;
  const ServedRequest* read = nullptr;
};

/// What a status says about a call of a stage. From docs/architecture.md and the provider's
/// documentation, not from the code under test.
enum class Meaning { took_effect, as_before, attached, nothing };

Meaning meaning(DiskStatus status, std::int64_t stage) {
  if (status == DiskStatus::deleting || status == DiskStatus::absent) return Meaning::took_effect;
  if (stage == 2) {
    return status == DiskStatus::recycled ? Meaning::as_before : Meaning::nothing;
  }
  if (status == DiskStatus::recycling || status == DiskStatus::recycled) {
    return Meaning::took_effect;
  }
  if (status == DiskStatus::available) return Meaning::as_before;
  return status == DiskStatus::in_use ? Meaning::attached : Meaning::nothing;
}

UtcTime utc(std::int64_t milliseconds) { return UtcTime(std::chrono::milliseconds(milliseconds)); }

class Check {
 public:
  Check(Database& database, const ModelServer& server, const World& world,
        const std::vector<RunRecord>& runs, const std::vector<std::size_t>& run_of_life,
        Result& result)
      : database_(database),
        server_(server),
        world_(world),
        runs_(runs),
        run_of_life_(run_of_life),
        result_(result) {}

  void all() {
    check_file();
    read_attempts();
    for (const ServedRequest& request : server_.requests()) {
      if (request.release) {
        ++result_.tally.releases;
        check_departure(request);
        check_destruction(request);
      } else {
        ++result_.tally.reads;
        if (request.untrue && request.complete) ++result_.tally.untrue_reads;
        if (request.disks.empty()) ++result_.tally.controls;
      }
    }
    check_accepted_once();
    check_pace();
    for (const AttemptRow& attempt : attempts_) check_attempt(attempt);
    check_order_of_attempts();
    check_reads();
    for (const AttemptRow& attempt : attempts_) {
      if (!attempt.settled.empty()) check_verdict(attempt);
    }
    check_alarms();
    for (std::size_t run = 0; run < runs_.size(); ++run) check_items(run);
  }

 private:
  void violated(const std::string& what) { result_.violations.push_back(what); }

  void check_file() {
    Statement integrity = database_.prepare("PRAGMA integrity_check");
    while (integrity.step()) {
      if (integrity.text(0) != "ok") violated("integrity: " + std::string(integrity.text(0)));
    }
    Statement keys = database_.prepare("PRAGMA foreign_key_check");
    while (keys.step()) violated("a foreign key of " + std::string(keys.text(0)) + " is broken");
  }

  void read_attempts() {
    Statement select = database_.prepare(
        "SELECT attempt_id, item_id, disk_id, run_id, stage, outcome, scope,"
        " request_id, attempt_log.settled, intent_utc_ms, settled_utc_ms, observation_id, message,"
        " api_code"
        " FROM attempt_log LEFT JOIN verdict USING (attempt_id) ORDER BY attempt_id");
    while (select.step()) {
      const auto run = std::ranges::find_if(
          runs_, [&](const RunRecord& r) { return r.id.value == select.integer(3); });
      attempts_.push_back({select.integer(0), select.integer(1), std::string(select.text(2)),
                           static_cast<std::size_t>(run - runs_.begin()), select.integer(4),
                           std::string(select.text(5)), std::string(select.text(6)),
                           std::string(select.text(7)), std::string(select.text(13)),
                           std::string(select.text(8)), utc(select.integer(9)),
                           utc(select.integer(10)), select.integer(11)});
      by_id_[attempts_.back().id] = attempts_.size() - 1;
      if (attempts_.back().outcome == "unknown") ++result_.tally.unknown;
      if (select.text(12) == "the process ended before the request left") {
        ++result_.tally.proved_unsent;
      }
      if (!attempts_.back().settled.empty()) ++result_.tally.verdicts;
      if (attempts_.back().settled == "not_executed") ++result_.tally.resends;
    }
    for (const ServedRequest& request : server_.requests()) {
      if (!request.release || request.attempt == 0) continue;
      if (!served_.emplace(request.attempt, &request).second) {
        violated("two requests were sent for attempt " + std::to_string(request.attempt));
      }
    }
  }

  [[nodiscard]] std::size_t run_of(const ServedRequest& request) const {
    return run_of_life_[static_cast<std::size_t>(request.life)];
  }
  [[nodiscard]] const RunPlan& plan_of(const ServedRequest& request) const {
    return world_.runs[run_of(request)];
  }

  void check_departure(const ServedRequest& request) {
    const std::string& disk = request.disks.front();
    const RunPlan& plan = plan_of(request);
    const auto row = by_id_.find(request.attempt);
    if (request.attempt == 0) {
      violated("a request for " + disk + " left without a durable intent");
    } else if (row == by_id_.end()) {
      violated("the intent of a request for " + disk + " has not stayed in the database");
    } else if (attempts_[row->second].disk != disk) {
      violated("the intent of a request for " + disk + " names another disk");
    }
    if (request.stage == 2) {
      if (plan.spec.goal != Goal::purge) violated("a second stage for goal release: " + disk);
      if (request.shown != DiskStatus::recycled) {
        violated(disk + " was sent for good without having been read as RECYCLED just before");
      }
    } else if (plan.spec.preflight && request.shown != DiskStatus::available) {
      violated(disk + " was sent without having been read as AVAILABLE just before");
    }
  }

  void check_destruction(const ServedRequest& request) {
    if (!request.destroyed || request.stage == 2) return;
    const std::string& disk = request.disks.front();
    if (request.culprit_known && request.culprit_ours) {
      violated(disk + " was destroyed by two releases of ours");
    } else if (!plan_of(request).spec.preflight) {
      ++result_.tally.unseen_destroyed;
    } else if (!request.culprit_known && !acted(Act::renew, disk)) {
      violated(disk + " was destroyed though it was in the recycle bin from the start");
    } else {
      ++result_.tally.races_destroyed;
    }
  }

  /// Alarms are true, and there is one for each destruction that reading has shown.
  void check_alarms() {
    std::set<std::int64_t> named;
    Statement select = database_.prepare(
        "SELECT DISTINCT item_id, disk_id, reason FROM decision JOIN item USING (item_id)"
        " WHERE kind = 'stop'");
    while (select.step()) {
      const std::string disk(select.text(1));
      if (select.text(2) == "foreign_release") {
        ++result_.tally.foreign_releases;
        if (!acted(Act::release, disk)) violated(disk + " was released by nobody else");
        continue;
      }
      named.insert(select.integer(0));
      // A call without preflight may meet a disk that was in the bin from the start.
      const bool ours = std::ranges::any_of(server_.requests(), [&](const ServedRequest& request) {
        const bool met_in_bin = request.executed && (request.before == DiskStatus::recycled ||
                                                     request.before == DiskStatus::recycling);
        return request.release && (request.destroyed || met_in_bin) &&
               request.disks.front() == disk;
      });
      if (!ours && !acted(Act::release, disk)) violated(disk + " was destroyed by nobody else");
    }
    for (const ServedRequest& request : server_.requests()) {
      const auto row = by_id_.find(request.attempt);
      if (!request.destroyed || request.stage == 2 || row == by_id_.end()) continue;
      if (!plan_of(request).spec.preflight) continue;
      const AttemptRow& attempt = attempts_[row->second];
      if (named.contains(attempt.item)) {
        ++result_.tally.races_named;
      } else if (shown_destroyed(attempt)) {
        violated(attempt.disk + " was destroyed, reading has shown it, and there is no alarm");
      }
    }
  }

  /// Whether a process that came to its end has seen that the disk is gone after a release that was
  /// accepted, or settled as executed, and another one of ours in the bin: it must have known.
  [[nodiscard]] bool shown_destroyed(const AttemptRow& attempt) {
    if (attempt.outcome != "accepted" && attempt.settled != "executed") return false;
    if (world_.runs[attempt.run].spec.goal != Goal::release) return false;
    Statement shown = database_.prepare(
        "SELECT EXISTS (SELECT 1 FROM observation JOIN disk_read USING (read_id)"
        "  JOIN invocation_end USING (invocation_id)"
        "  JOIN outcome ON outcome.attempt_id = ?2"
        "  WHERE observation.item_id = ?1 AND observation.status = 'DELETING'"
        "    AND disk_read.sent_utc_ms > outcome.finished_utc_ms"
        "    AND invocation_end.reason = 'finished'"
        "    AND EXISTS (SELECT 1 FROM observation AS other JOIN disk_read AS other_read"
        "                  ON other_read.read_id = other.read_id"
        "                JOIN attempt ON attempt.item_id = other.item_id"
        "                JOIN outcome AS accepted ON accepted.attempt_id = attempt.attempt_id"
        "                WHERE other_read.invocation_id = disk_read.invocation_id"
        "                  AND accepted.outcome = 'accepted' AND other.status = 'RECYCLED'"
        "                  AND other_read.sent_utc_ms > accepted.finished_utc_ms))");
    shown.bind(1, attempt.item).bind(2, attempt.id);
    return shown.step() && shown.integer(0) != 0;
  }

  [[nodiscard]] bool acted(Act act, const std::string& disk, SteadyTime after = SteadyTime::min(),
                           SteadyTime before = SteadyTime::max()) const {
    return std::ranges::any_of(server_.acts(), [&](const ThirdPartyAct& candidate) {
      return candidate.act == act && candidate.disk == disk && candidate.at >= after &&
             candidate.at <= before;
    });
  }

  /// A second stage that met a disk which somebody had just taken out of the bin: all it did was to
  /// put it back there, and nobody can have seen that.
  [[nodiscard]] static bool only_recycled(const ServedRequest& request) {
    return request.stage == 2 && request.executed && request.before == DiskStatus::available;
  }

  void check_accepted_once() {
    std::map<std::pair<std::string, std::int64_t>, std::vector<const ServedRequest*>> accepted;
    for (const ServedRequest& request : server_.requests()) {
      if (!request.release || !request.executed) continue;
      accepted[{request.disks.front(), request.stage}].push_back(&request);
      if (request.stage == 2) ++result_.tally.second_stages;
    }
    for (auto& [key, requests] : accepted) {
      std::ranges::sort(requests, {}, &ServedRequest::executed);
      for (std::size_t i = 1; i < requests.size(); ++i) {
        const ServedRequest& earlier = *requests[i - 1];
        if (only_recycled(earlier) ||
            acted(Act::renew, key.first, *earlier.executed, *requests[i]->executed)) {
          ++result_.tally.accepted_twice;
        } else {
          violated("two accepted calls of stage " + std::to_string(key.second) + " for " +
                   key.first);
        }
      }
    }
  }

  [[nodiscard]] const RateLimit& limit_of(const ServedRequest& request) const {
    return plan_of(request).spec.rate;
  }

  /// Each departure against the limit of its own process, all processes counted that share a pace.
  void check_pace() {
    std::map<int, std::vector<SteadyTime>> departures;  ///< by pace
    for (const ServedRequest& request : server_.requests()) {
      const RateLimit& limit = limit_of(request);
      if (!limit.per_second) continue;
      std::vector<SteadyTime>& times = departures[world_.shared_pace ? -1 : request.life];
      times.push_back(request.departed);
      const double whole = std::ceil(*limit.per_second);
      const std::chrono::duration<double> window(whole / *limit.per_second);
      const std::size_t most =
          static_cast<std::size_t>(whole) + static_cast<std::size_t>(limit.burst - 1);
      if (times.size() > most && times.back() - times[times.size() - 1 - most] < window) {
        violated("life " + std::to_string(request.life) + ": more than " + std::to_string(most) +
                 " departures in one window of the rate");
        return;
      }
    }
  }

  void check_attempt(const AttemptRow& attempt) {
    const auto found = served_.find(attempt.id);
    const ServedRequest* const served = found == served_.end() ? nullptr : found->second;
    const bool executed = served != nullptr && served->executed.has_value();
    const std::string name =
        "attempt " + std::to_string(attempt.id) + " (" + attempt.disk + ", " + attempt.outcome;
    const auto wrong = [&](const std::string& what) { violated(name + "): " + what); };
    if (attempt.outcome.empty()) return;  // the last life died
    if (attempt.outcome == "accepted") {
      if (!executed) wrong("was never executed");
      if (served != nullptr && served->request_id != attempt.request_id)
        wrong("another request id");
      if (served != nullptr && served->answered != "accepted") wrong("answered otherwise");
    } else if (attempt.outcome == "not_sent") {
      if (served != nullptr) wrong("was sent");
    } else if (attempt.outcome != "unknown") {
      if (served == nullptr || !served->arrived) wrong("was never received");
      if (executed) wrong("was executed");
    }
    if (attempt.outcome == "already_gone" && !ever_gone(attempt.disk)) wrong("never gone");
    if (!attempt.request_id.empty() &&
        (served == nullptr || served->request_id != attempt.request_id)) {
      wrong("a request id that the server has not given");
    }
    if (attempt.settled.empty()) return;
    const bool renewed =
        executed && (only_recycled(*served) || acted(Act::renew, attempt.disk, *served->executed));
    if (attempt.outcome != "unknown") wrong("has a verdict");
    if (attempt.settled == "not_executed" && executed && !renewed) wrong("settled as not executed");
    if (attempt.settled == "not_executed" && !world_.runs[attempt.run].spec.settle.resend) {
      wrong("settled as not executed without leave to resend");
    }
    if (attempt.settled == "refused" && executed && !renewed) wrong("settled as refused");
    if (attempt.settled == "executed" && !executed && !ever_gone(attempt.disk)) {
      wrong("settled as executed");
    }
    if (attempt.settled == "gone" && !ever_gone(attempt.disk)) wrong("settled as gone");
  }

  /// In the recycle bin or beyond, at some time and by anybody.
  [[nodiscard]] bool ever_gone(const std::string& disk) const {
    const DiskStatus now = server_.status(disk);
    if (now == DiskStatus::absent || now == DiskStatus::deleting || now == DiskStatus::recycled ||
        now == DiskStatus::recycling || acted(Act::release, disk)) {
      return true;
    }
    const auto known = std::ranges::find(world_.server.disks, disk, &sandbox::Disk::id);
    const bool at_start =
        known != world_.server.disks.end() &&
        (known->status == DiskStatus::recycling || known->status == DiskStatus::recycled);
    return at_start || std::ranges::any_of(server_.requests(), [&](const ServedRequest& request) {
             return request.release && request.executed && request.disks.front() == disk;
           });
  }

  /// Whether another call of the same stage may follow an attempt, at the time `when`.
  [[nodiscard]] static bool may_follow(const AttemptRow& earlier, UtcTime when, bool same_item) {
    if (earlier.outcome.empty() || earlier.outcome == "accepted") return false;
    if (earlier.outcome == "unknown") {
      if (earlier.settled.empty() || earlier.decided > when) return false;
      return earlier.settled == "not_executed" || (!same_item && earlier.settled == "refused");
    }
    if (!same_item) return true;
    return earlier.outcome != "already_gone" &&
           !(earlier.outcome == "rejected" && earlier.scope == "disk");
  }

  void check_order_of_attempts() {
    std::map<std::string, std::vector<const AttemptRow*>> of_disk;
    for (const AttemptRow& attempt : attempts_) {
      std::vector<const AttemptRow*>& before = of_disk[attempt.disk];
      for (const AttemptRow* const earlier : before) {
        const bool same_item = earlier->item == attempt.item;
        if (earlier->stage != attempt.stage && !same_item) continue;
        const bool next_stage = attempt.stage == 2 && earlier->stage == 1 &&
                                (earlier->outcome == "accepted" || earlier->settled == "executed");
        if (next_stage || may_follow(*earlier, attempt.announced, same_item)) continue;
        violated("attempt " + std::to_string(attempt.id) + " for " + attempt.disk +
                 " follows attempt " + std::to_string(earlier->id) + ", which was " +
                 earlier->outcome + " " + earlier->settled);
      }
      before.push_back(&attempt);
    }
  }

  void check_reads() {
    std::map<std::string, const ServedRequest*, std::less<>> complete;
    for (const ServedRequest& request : server_.requests()) {
      if (request.complete) complete.emplace(request.request_id, &request);
    }
    Statement counts = database_.prepare(
        "SELECT read_id, result, disk_count, (SELECT count(*) FROM observation"
        " WHERE observation.read_id = disk_read.read_id), request_id, coalesce(message, '')"
        " FROM disk_read");
    while (counts.step()) {
      // Absences may not count; a read of the account observes nothing.
      std::int64_t least = 0;
      std::int64_t most = 0;
      const auto answer = complete.find(counts.text(4));
      if (answer != complete.end() && counts.text(1) == "complete") {
        const auto& rows = answer->second->rows;
        most = std::ssize(rows);
        least = std::ranges::count_if(
            rows, [](const auto& row) { return row.second != DiskStatus::absent; });
        if (most > 0 && most != counts.integer(2)) violated("a read of another number of disks");
        // What a control has asked for is no item.
        if (counts.text(5).find("which the account has") != std::string_view::npos) {
          least = most = 0;
        }
      }
      if (answer != complete.end() && counts.text(1) == "failed") ++result_.tally.doubted_reads;
      if (counts.integer(3) < least || counts.integer(3) > most) {
        violated("read " + std::to_string(counts.integer(0)) + " has " +
                 std::to_string(counts.integer(3)) + " observations");
      }
    }
    Statement select = database_.prepare(
        "SELECT disk_read.request_id, item.disk_id, observation.status, item.item_id,"
        " observation.observation_id FROM observation"
        " JOIN disk_read USING (read_id) JOIN item USING (item_id)"
        " ORDER BY observation.observation_id");
    while (select.step()) {
      const auto answer = complete.find(select.text(0));
      const std::string_view disk = select.text(1);
      if (answer == complete.end()) {
        violated("an observation of " + std::string(disk) +
                 " rests on an answer that was not complete");
        continue;
      }
      const auto& rows = answer->second->rows;
      const auto row = std::ranges::find(
          rows, disk, [](const auto& r) -> const std::string& { return r.first; });
      if (row == rows.end() || to_text(row->second) != select.text(2)) {
        violated("an observation of " + std::string(disk) + " is not what the answer said");
        continue;
      }
      sightings_[select.integer(3)].push_back({select.integer(4), row->second, answer->second});
    }
  }

  /// Or so it looked: a call that was refused because a third party had just destroyed the disk,
  /// and whose answer was lost, cannot be told from one that did it.
  [[nodiscard]] bool destroyed_by_run_other_than(std::size_t run, const std::string& disk) const {
    return std::ranges::any_of(attempts_, [&](const AttemptRow& attempt) {
      if (attempt.run == run || attempt.disk != disk || attempt.stage != 2) return false;
      const auto served = served_.find(attempt.id);
      return (served != served_.end() && served->second->executed) || attempt.settled == "executed";
    });
  }

  [[nodiscard]] bool unsettled_in_run_other_than(std::size_t run, const ItemRow& item) const {
    Statement skipped = database_.prepare(
        "SELECT max(decided_utc_ms) FROM decision WHERE item_id = ?1 AND kind = 'skip'");
    skipped.bind(1, item.item_id);
    if (!skipped.step()) return false;
    const UtcTime then = utc(skipped.integer(0));
    return std::ranges::any_of(attempts_, [&](const AttemptRow& attempt) {
      return attempt.run != run && attempt.disk == item.disk_id && attempt.stage == 2 &&
             attempt.outcome == "unknown" && (attempt.settled.empty() || attempt.decided >= then);
    });
  }

  /// Whether what `sighting` shows was read after the request of `attempt` had left: by the
  /// server's history alone. nullopt = it cannot be told, as for an attempt that never left.
  [[nodiscard]] std::optional<bool> is_after(const SightingRow& sighting,
                                             const AttemptRow& attempt) const {
    if (sighting.read == nullptr) return std::nullopt;
    const auto served = served_.find(attempt.id);
    if (served != served_.end()) return sighting.read > served->second;
    if (sighting.read->departed_utc == attempt.announced) return std::nullopt;
    return sighting.read->departed_utc > attempt.announced;
  }

  /// What is on record about the disk of an attempt, as the server's history divides it.
  struct Sightings {
    std::vector<SightingRow> after;  ///< in the order of the record
    std::optional<DiskStatus> before;
    bool certain = true;
  };
  /// Up to and with the observation `last`.
  [[nodiscard]] Sightings sightings_of(const AttemptRow& attempt, std::int64_t last) const {
    Sightings sightings;
    const auto all = sightings_.find(attempt.item);
    if (all == sightings_.end()) return sightings;
    for (const SightingRow& sighting : all->second) {
      if (sighting.id > last) break;
      const std::optional<bool> after = is_after(sighting, attempt);
      if (!after) {
        sightings.certain = false;
      } else if (*after) {
        sightings.after.push_back(sighting);
      } else {
        sightings.before = sighting.status;
      }
    }
    return sightings;
  }

  [[nodiscard]] bool agree(const AttemptRow& attempt, const Sightings& sightings) const {
    const auto& after = sightings.after;
    if (after.size() < 2) return false;
    const SightingRow& last = after.back();
    const SightingRow& one_before = after[after.size() - 2];
    return meaning(last.status, attempt.stage) == meaning(one_before.status, attempt.stage) &&
           last.read->departed_utc - one_before.read->departed_utc >=
               world_.runs[attempt.run].spec.settle.poll;
  }

  [[nodiscard]] static bool stayed(const AttemptRow& attempt, const Sightings& sightings) {
    return std::ranges::all_of(sightings.after, [&](const SightingRow& sighting) {
      return meaning(sighting.status, attempt.stage) == Meaning::as_before;
    });
  }

  /// The rules of docs/guarantees.md (G3), for a verdict that was given.
  void check_verdict(const AttemptRow& attempt) {
    const auto wrong = [&](const std::string& what) {
      violated("attempt " + std::to_string(attempt.id) + " (" + attempt.disk + ") was settled as " +
               attempt.settled + what);
    };
    const JobSpec& spec = world_.runs[attempt.run].spec;
    const Sightings sightings = sightings_of(attempt, attempt.rests_on);
    if (!sightings.certain) return;
    if (sightings.after.empty() || sightings.after.back().id != attempt.rests_on) {
      wrong(" on what was seen before it was sent");
      return;
    }
    if (!agree(attempt, sightings)) {
      wrong(" without two reads after it, a poll apart, that agree");
      return;
    }
    const Meaning shown = meaning(sightings.after.back().status, attempt.stage);
    const bool known =
        sightings.before && meaning(*sightings.before, attempt.stage) == Meaning::as_before;
    if (attempt.settled == "executed") {
      if (shown != Meaning::took_effect) wrong(", which the last read does not show");
      if (!known) wrong(" though it was not seen fit before");
      if (was_denied(attempt)) wrong(" though the API has not found the disk");
    } else if (attempt.settled == "gone") {
      if (shown != Meaning::took_effect) wrong(", which the last read does not show");
      if (known && !was_denied(attempt)) wrong(" though it was seen fit just before");
      if (!known && sightings.after.back().status == DiskStatus::absent) {
        wrong(" though it was never seen");
      }
    } else if (attempt.settled == "refused") {
      if (shown != Meaning::attached) wrong(", which the last read does not show");
    } else {
      if (!stayed(attempt, sightings)) wrong(" though something else was seen after it");
      const auto served = served_.find(attempt.id);
      const UtcTime left =
          served == served_.end() ? attempt.announced : served->second->departed_utc;
      if (sightings.after.back().read->departed_utc - left < spec.settle.window) {
        wrong(" before the window had passed");
      }
      if (unknown_up_to(attempt) >= spec.retry.max_attempts) wrong(" after the last attempt");
    }
  }

  [[nodiscard]] bool was_denied(const AttemptRow& attempt) const {
    const auto served = served_.find(attempt.id);
    return attempt.api_code == "INVALID_DISK_NOT_FOUND" && served != served_.end() &&
           served->second->answered == "not found";
  }

  /// Attempts on the same item, up to this one, whose outcome was unknown.
  std::ptrdiff_t unknown_up_to(const AttemptRow& attempt) const {
    return std::ranges::count_if(attempts_, [&](const AttemptRow& other) {
      return other.item == attempt.item && other.id <= attempt.id && other.outcome == "unknown";
    });
  }

  /// Somebody else was seen to release disks of the account.
  [[nodiscard]] bool has_alarm(std::size_t run) const {
    Statement select = database_.prepare(
        "SELECT 1 FROM decision WHERE run_id = ?1 AND kind = 'stop' AND item_id IS NOT NULL");
    select.bind(1, runs_[run].id.value);
    return select.step();
  }

  /// An item that is left unknown though the rules of G3 settle it. Only the last read of a process
  /// that came to its end tells: whatever reading could show was read.
  void check_left_unknown(std::size_t run, const ItemRow& item) {
    const auto latest =
        std::ranges::find(attempts_.rbegin(), attempts_.rend(), item.item_id, &AttemptRow::item);
    const auto last_read = std::ranges::find_if(
        server_.requests().rbegin(), server_.requests().rend(), [&](const ServedRequest& request) {
          return !request.release && run_of(request) == run &&
                 std::ranges::count(request.disks, item.disk_id) > 0;
        });
    if (latest == attempts_.rend() || last_read == server_.requests().rend()) return;
    const AttemptRow& attempt = *latest;
    const Sightings sightings = sightings_of(attempt, std::numeric_limits<std::int64_t>::max());
    if (!last_read->calm || !sightings.certain || !agree(attempt, sightings) ||
        sightings.after.back().read != &*last_read) {
      return;
    }
    const DiskStatus seen = sightings.after.back().status;
    const JobSpec& spec = world_.runs[run].spec;
    const auto wrong = [&](const std::string& what) {
      violated(item.disk_id + " of run " + std::to_string(run + 1) + " was left unknown " + what);
    };
    switch (meaning(seen, attempt.stage)) {
      case Meaning::took_effect:
        // Somebody has put it into the bin, and purge wants it destroyed.
        if (was_denied(attempt) && spec.goal == Goal::purge &&
            (seen == DiskStatus::recycled || seen == DiskStatus::recycling)) {
          break;
        }
        // Where others are in the bin, it would be there.
        if (seen == DiskStatus::absent && attempt.stage == 1 && !was_denied(attempt) &&
            world_.server.model.mode == sandbox::AccountMode::recycle_bin) {
          break;
        }
        if (seen != DiskStatus::absent ||
            (sightings.before && meaning(*sightings.before, attempt.stage) == Meaning::as_before)) {
          wrong("though two reads show that it is gone");
        }
        break;
      case Meaning::attached:
        wrong("though two reads show it attached");
        break;
      case Meaning::as_before:
        // An alarm ends a process before its window is over.
        if (stayed(attempt, sightings) && spec.settle.resend && !has_alarm(run) &&
            unknown_up_to(attempt) < spec.retry.max_attempts) {
          wrong("though it stayed as it was for the whole window and may be sent again");
        }
        break;
      case Meaning::nothing:
        break;
    }
  }

  static bool is_on_its_way(DiskStatus status) {
    return status != DiskStatus::absent && meaning(status, 1) == Meaning::took_effect;
  }

  /// What the record says that reading has shown of a release that took effect.
  void check_verified(const ItemRow& item) {
    const auto latest =
        std::ranges::find(attempts_.rbegin(), attempts_.rend(), item.item_id, &AttemptRow::item);
    if (latest == attempts_.rend() ||
        (latest->outcome != "accepted" && latest->settled != "executed")) {
      if (!item.verified.empty()) violated(item.disk_id + " is verified as " + item.verified);
      return;
    }
    const Sightings sightings = sightings_of(*latest, std::numeric_limits<std::int64_t>::max());
    if (!sightings.certain) return;
    std::string_view expected = "not_read";
    if (!sightings.after.empty()) {
      const DiskStatus seen = sightings.after.back().status;
      expected = "still_there";
      if (meaning(seen, 1) == Meaning::took_effect) expected = "leaving";
      if (seen == DiskStatus::absent && sightings.after.size() > 1) {
        const DiskStatus earlier = sightings.after[sightings.after.size() - 2].status;
        const auto& all = sightings_.at(item.item_id);
        if (earlier == DiskStatus::absent || earlier == DiskStatus::deleting) {
          expected =
              std::ranges::any_of(all, is_on_its_way, &SightingRow::status) ? "destroyed" : "gone";
        }
      }
      if (seen == DiskStatus::recycled && latest->stage == 1) expected = "recycled";
    }
    if (item.verified != expected) {
      violated(item.disk_id + " is verified as " + item.verified + ", not as " +
               std::string(expected));
    }
  }

  void check_items(std::size_t run) {
    read_items(database_, runs_[run], std::nullopt, [&](const ItemRow& item) {
      check_item(run, item);
      check_verified(item);
      return true;
    });
  }

  /// With a credential of another account.
  [[nodiscard]] bool worked_elsewhere(std::size_t run) const {
    Statement select = database_.prepare(
        "SELECT count(DISTINCT credential_id) > 1 FROM invocation WHERE run_id = ?1");
    select.bind(1, runs_[run].id.value);
    return select.step() && select.integer(0) != 0;
  }

  /// Out of a complete answer: one that was never seen before cannot be told from a mistyped one.
  [[nodiscard]] bool was_left_out(const std::string& disk) const {
    return std::ranges::any_of(server_.requests(), [&](const ServedRequest& request) {
      return request.untrue && std::ranges::count(request.disks, disk) > 0;
    });
  }

  void check_item(std::size_t run, const ItemRow& item) {
    const JobSpec& spec = world_.runs[run].spec;
    const std::string& disk = item.disk_id;
    const auto wrong = [&](const std::string& what) {
      violated(disk + " of run " + std::to_string(run + 1) + " is " + item.state + " (" +
               item.decision_reason + item.settled + "): " + what);
    };
    std::vector<const ServedRequest*> executed;
    std::int64_t last_stage = 0;
    for (const AttemptRow& attempt : attempts_) {
      if (attempt.item != item.item_id) continue;
      last_stage = attempt.stage;
      const auto served = served_.find(attempt.id);
      if (served != served_.end() && served->second->executed) executed.push_back(served->second);
    }
    const bool executed_last = std::ranges::any_of(
        executed, [&](const ServedRequest* request) { return request->stage == last_stage; });
    const bool renewed = acted(Act::renew, disk);
    const DiskStatus now = server_.status(disk);
    const bool destroyed = now == DiskStatus::absent || now == DiskStatus::deleting;
    if (item.state == "released") {
      if (spec.goal == Goal::release) {
        if (executed.empty() && !ever_gone(disk)) wrong("no call of ours was executed");
      } else if (!destroyed && !(executed_last && last_stage == 2)) {
        wrong("it still exists, and no second call was executed");
      }
    } else if (item.state == "already_gone") {
      if (!ever_gone(disk)) wrong("it never was");
    } else if (item.state == "rejected" || item.state == "failed" || item.state == "skipped") {
      const bool half_way = spec.goal == Goal::purge && last_stage == 2;
      const bool failed = half_way ? executed_last : !executed.empty();
      // The other run of goal purge has gone on where this one had to stop, or may have.
      const bool done_elsewhere =
          item.state == "skipped" && spec.goal == Goal::purge &&
          (destroyed_by_run_other_than(run, disk) ||
           (item.decision_reason == "unsettled_before" && unsettled_in_run_other_than(run, item)));
      // In another account it has stayed away until it was given up.
      const bool looked_elsewhere = worked_elsewhere(run) && item.state == "failed";
      if (failed && !renewed && !done_elsewhere && !looked_elsewhere) {
        wrong("a call of ours was executed");
      }
      if (item.decision_reason == "not_found" && item.last_outcome.empty() &&
          now != DiskStatus::absent && !worked_elsewhere(run) && !was_left_out(disk)) {
        wrong("it exists");
      }
    } else if (item.state == "unknown") {
      ++result_.tally.left_unknown;
      check_left_unknown(run, item);
    } else if (item.state == "pending") {
      const bool half_way =
          spec.goal == Goal::purge && last_stage == 1 && (!executed.empty() || ever_gone(disk));
      if (half_way && renewed) {
        ++result_.tally.left_half_way;
      } else {
        wrong("the run has not come to its end");
      }
    }
  }

  Database& database_;
  const ModelServer& server_;
  const World& world_;
  const std::vector<RunRecord>& runs_;
  const std::vector<std::size_t>& run_of_life_;
  Result& result_;
  std::vector<AttemptRow> attempts_;
  std::map<std::int64_t, std::size_t> by_id_;
  std::map<std::int64_t, const ServedRequest*> served_;
  std::map<std::int64_t, std::vector<SightingRow>> sightings_;  ///< by item
};

}  // namespace

Evidence Evidence::read(Database& database) {
  Evidence evidence;
  for (const Kind& kind : k_kinds) {
    const std::string table(kind.table);
    Statement select = database.prepare("SELECT " + std::string(key_of(kind)) + ", json_array(" +
                                        std::string(kind.columns) + ") FROM " + table);
    while (select.step()) {
      const bool has_key = kind.kind != EvidenceKind::duplicate_lines;
      const std::string row(select.text(1));
      evidence.rows_.emplace(table + " " + (has_key ? std::to_string(select.integer(0)) : row),
                             row);
    }
  }
  return evidence;
}

std::vector<std::string> Evidence::changed_since(const Evidence& earlier) const {
  std::vector<std::string> changes;
  for (const auto& [key, row] : earlier.rows_) {
    const auto now = rows_.find(key);
    if (now == rows_.end()) {
      changes.push_back(key + " is gone: " + row);
    } else if (now->second != row) {
      changes.push_back(key + " has changed: " + row + " -> " + now->second);
    }
  }
  return changes;
}

void check(Database& database, const ModelServer& server, const World& world,
           const std::vector<RunRecord>& runs, const std::vector<std::size_t>& run_of_life,
           Result& result) {
  Check(database, server, world, runs, run_of_life, result).all();
}

}  // namespace diskrelease::simulation
