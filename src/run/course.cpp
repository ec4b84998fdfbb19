#include "run/course.h"

#include <malloc.h>

#include <memory>
#include <mutex>

#include "audit/run_queries.h"
#include "run/reconciler.h"
#include "run/scout.h"

namespace diskrelease {
namespace {

/// Streams of random numbers are kept apart by what they are added to the run's seed.
constexpr std::uint64_t k_scout_seed = 1'000'003;
constexpr std::uint64_t k_reconciler_seed = 2'000'003;

std::uint64_t seed_of(const RunRecord& run) {
  return static_cast<std::uint64_t>(run.description.random_seed);
}

void send_pending(const RunParts& parts, const RunRecord& run, Database reader,
                  const AttemptObserver& observer, const Driver& drive) {
  parts.dispatch.open(PendingFeed(std::move(reader), run));
  std::vector<Actor> actors;
  // Without slots to wait for, the next intent of a lane becomes durable while a request is under
  // way: up to twice as many attempts are open then.
  const int senders_per_lane = parts.spec.rate.per_second ? 1 : 2;
  for (std::size_t lane = 0; lane < parts.reading_lane(); ++lane) {
    const auto turn = std::make_shared<LaneTurn>();
    for (int i = 0; i < senders_per_lane; ++i) {
      auto sender = std::make_shared<Sender>(parts, lane, turn, observer);
      actors.push_back({[sender] { return sender->step(); }, false, lane});
    }
  }
  if (parts.spec.preflight) {
    auto scout = std::make_shared<Scout>(parts, seed_of(run) + k_scout_seed);
    actors.push_back({[scout] { return scout->step(); }, true});
  }
  drive(std::move(actors));
}

}  // namespace

std::string run_course(const RunParts& parts, const RunRecord& run, CourseKind kind,
                       const std::function<Database()>& open_reader, const CourseObserver& observer,
                       const Driver& drive) {
  // What enrolling a long list has freed would stay with the process otherwise.
  ::malloc_trim(0);
  std::mutex mutex;
  const AttemptObserver one_at_a_time = [&](const AttemptEvent& event) {
    const std::lock_guard lock(mutex);
    if (observer.attempt) observer.attempt(event);
  };
  const bool sends = kind == CourseKind::send_and_reconcile;
  // Each turn sends every open item at most once more, and attempts per item are limited.
  const int most_turns = parts.spec.retry.max_attempts + 2;
  Database reader = open_reader();
  for (int turn = 0; turn < most_turns; ++turn) {
    if (sends && has_sendable(reader, run)) {
      send_pending(parts, run, open_reader(), one_at_a_time, drive);
    }
    parts.log.flush();
    if (parts.gate.stopping()) return {};
    const std::int64_t matters = count_open_matters(reader, run, parts.spec.verify);
    if (matters > 0) {
      if (observer.reading_back) observer.reading_back(matters);
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
