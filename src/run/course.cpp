#include "run/course.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include "platform/host.h"
#include "queries/run_queries.h"
#include "run/reconciler.h"
#include "run/scout.h"

namespace diskrelease {
namespace {

/// Streams of random numbers are kept apart by what they are added to the run's seed.
constexpr std::uint64_t k_scout_seed = 1'000'003;
constexpr std::uint64_t k_reconciler_seed = 2'000'003;

/// Two for each thread, of which a thousand lanes and their scouts have 83 at most, and a few for
/// databases, name look-ups and the like.
constexpr std::size_t k_other_files = 256;
/// Few enough that none of them meets its time-out for want of a processor.
constexpr std::size_t k_connect_at_once = 100;

/// Whether it has a bin may change with the account's contract: what was seen a day ago still
/// holds.
constexpr std::chrono::hours k_account_keeps_bin{24};

std::uint64_t seed_of(const RunRecord& run) {
  return static_cast<std::uint64_t>(run.description.random_seed);
}

/// Sending lanes that there is work for.
std::size_t lanes_to_use(const RunParts& parts) {
  const auto pending = parts.dispatch.progress(parts.clock.steady_now()).counts[ItemState::pending];
  return std::min(parts.sending_lanes(),
                  static_cast<std::size_t>(std::max<std::int64_t>(1, pending)));
}

/// Where there are hundreds of lanes, connects them before anything is due. Their handshakes take
/// the processor for a second, and requests that are due meanwhile would leave late and together. A
/// lane that cannot be connected is left to its sender, who puts it on record, and ends this.
void connect_lanes(const RunParts& parts, const Driver& drive) {
  std::size_t lanes = lanes_to_use(parts);
  if (parts.spec.rate.per_second) {
    // Others would be idle for so long that they are not used.
    lanes = std::min(lanes, static_cast<std::size_t>(*parts.spec.rate.per_second *
                                                     Sender::k_trusted_idle.count()));
  }
  if (lanes < k_connect_at_once) return;
  const auto failed = std::make_shared<std::atomic<bool>>(false);
  std::vector<Actor> actors;
  for (std::size_t first = 0; first < k_connect_at_once; ++first) {
    actors.push_back({[&parts, failed, lanes, lane = first, apart = false]() mutable -> Due {
      if (parts.gate.stopping() || *failed || lane >= lanes) return Finished{};
      if (!std::exchange(apart, !apart)) return StepApart{};
      if (parts.transport.prepare(lane)) *failed = true;
      lane += k_connect_at_once;
      return SleepUntil{parts.clock.steady_now()};
    }});
  }
  drive(std::move(actors));
}

/// The pending items of the run: those whose disks are granted, the others are skipped.
ItemSource claimed_items(const RunParts& parts, PendingFeed pending) {
  return [&parts, feed = std::make_shared<PendingFeed>(std::move(pending))](std::int64_t limit) {
    ItemPage page;
    while (!page.last && page.items.empty() && !parts.gate.stopping()) {
      std::vector<PendingItem> items = feed->next_page(limit);
      page.last = std::ssize(items) < limit;
      try {
        ClaimKeeper::Page claimed = parts.claims->claim(std::move(items));
        page.items = std::move(claimed.granted);
        page.skipped += std::ssize(claimed.skipped);
        const UtcTime now = parts.clock.utc_now();
        for (DecisionRecord& skip : claimed.skipped) {
          parts.log.record_decision(std::move(skip), now);
        }
      } catch (const ClaimsUnusable& error) {
        parts.gate.stop({EndReason::stopped, "claims_unusable", error.what()});
        page.last = true;
      }
    }
    return page;
  };
}

void send_pending(const RunParts& parts, const RunRecord& run, Database reader,
                  const AttemptObserver& observer, const Driver& drive) {
  const std::size_t connections = lanes_to_use(parts) + parts.scouts();
  // Where there is no room for the others, it may still do; where not for these, it cannot.
  if (!make_room_for_open_files(connections + k_other_files) &&
      !make_room_for_open_files(connections)) {
    parts.dispatch.stop({EndReason::failed, "out_of_resources",
                         "too many open files: " + std::to_string(connections) +
                             " connections need more than this process may have "
                             "(RLIMIT_NOFILE); raise the limit, or lower in_flight"});
    return;
  }
  connect_lanes(parts, drive);
  PendingFeed pending(std::move(reader), run);
  if (parts.claims != nullptr) {
    parts.dispatch.open(claimed_items(parts, std::move(pending)));
  } else {
    parts.dispatch.open(std::move(pending));
  }
  std::vector<Actor> actors;
  // Without slots to wait for, the next intent of a lane becomes durable while a request is under
  // way: up to twice as many attempts are open then.
  const int senders_per_lane = parts.spec.rate.per_second ? 1 : 2;
  for (std::size_t lane = 0; lane < parts.sending_lanes(); ++lane) {
    const auto turn = std::make_shared<LaneTurn>();
    for (int i = 0; i < senders_per_lane; ++i) {
      auto sender = std::make_shared<Sender>(parts, lane, turn, observer);
      actors.push_back({[sender] { return sender->step(); }, false, lane});
    }
  }
  for (std::size_t i = 0; i < parts.scouts(); ++i) {
    auto scout =
        std::make_shared<Scout>(parts, parts.reading_lane() - i, seed_of(run) + k_scout_seed + i);
    actors.push_back({[scout] { return scout->step(); }, true});
  }
  drive(std::move(actors));
}

}  // namespace

LogListeners log_listeners(DepartureGate& gate, Dispatch& dispatch) {
  // Who uses the log next throws the reason, which is the end of the run.
  return {.decided = [&gate] { gate.bell().ring(); },
          .failed =
              [&dispatch] {
                dispatch.stop({EndReason::failed, "audit_failed", ""});
              }};
}

std::string run_course(const RunParts& parts, const RunRecord& run, CourseKind kind,
                       const std::function<Database()>& open_reader, const CourseObserver& observer,
                       const Driver& drive) {
  // What enrolling a long list has freed would stay with the process otherwise.
  ::malloc_trim(0);
  std::mutex mutex;
  const AttemptObserver one_at_a_time = [&](const AttemptEvent& event) {
    if (parts.claims != nullptr) {
      // What is claimed and not sent yet may be claimed by others now.
      if (const auto lost = parts.claims->ended(event)) {
        parts.dispatch.stop({EndReason::stopped, "claims_unusable", *lost});
      }
    }
    const std::lock_guard lock(mutex);
    if (observer.attempt) observer.attempt(event);
  };
  const bool sends = kind == CourseKind::send_and_reconcile;
  // Each turn sends every open item at most until it is accepted or unknown, and unknown attempts
  // are limited.
  const int most_turns = parts.spec.retry.max_attempts + 2;
  Database reader = open_reader();
  if (has_seen_bin(reader, {run.description.endpoint, parts.caller.credential.id},
                   parts.clock.utc_now() - k_account_keeps_bin)) {
    parts.dispatch.watch().bin_is_known();
  }
  for (int turn = 0; turn < most_turns; ++turn) {
    if (sends && has_sendable(reader, run)) {
      send_pending(parts, run, open_reader(), one_at_a_time, drive);
    }
    parts.log.flush();
    if (parts.gate.stopping()) return {};
    const std::int64_t matters = count_open_matters(reader, run, parts.spec.verify);
    const bool last_look = parts.spec.verify && parts.dispatch.watch().last_look_due();
    if (matters > 0 || last_look) {
      if (matters > 0 && observer.reading_back) observer.reading_back(matters);
      const auto reconciler =
          std::make_shared<Reconciler>(parts, open_reader(), run, seed_of(run) + k_reconciler_seed);
      drive({{[reconciler] { return reconciler->step(); }, true}});
      parts.log.flush();
      if (!reconciler->problem().empty()) return reconciler->problem();
    }
    if (parts.gate.stopping() || !sends) return {};
    if (!has_sendable(reader, run)) return {};
  }
  return {};
}

}  // namespace diskrelease
