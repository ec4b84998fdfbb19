#include "simulation/world.h"

#include <algorithm>
#include <array>

#include "run/release_watch.h"

namespace diskrelease::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Two answers that are a poll apart are believed, so they must not both show the past.
constexpr milliseconds k_shortest_poll{1'000};

milliseconds draw_delay(Draw& draw, milliseconds longest) {
  return draw.chance(0.3) ? milliseconds(0) : draw.time(longest);
}

double draw_intensity(Draw& draw, double highest) {
  return draw.chance(0.3) ? 0.0 : draw.share() * highest;
}

sandbox::Disk draw_disk(Draw& draw, std::string id, sandbox::AccountMode mode) {
  using sandbox::DiskKind;
  static constexpr std::array k_others = {
      DiskKind::in_use,    DiskKind::system,    DiskKind::not_portable, DiskKind::creating,
      DiskKind::attaching, DiskKind::detaching, DiskKind::changing,     DiskKind::recycling,
      DiskKind::recycled,  DiskKind::deleting,  DiskKind::failed};
  DiskKind kind = draw.chance(0.7) ? DiskKind::available : draw.one_of(k_others);
  // Nothing is on its way into a bin that the account does not have.
  if (kind == DiskKind::recycling && mode == sandbox::AccountMode::direct) {
    kind = DiskKind::recycled;
  }
  return disk_of_kind(std::move(id), kind);
}

JobSpec draw_spec(Draw& draw, const ServerPlan& server) {
  static constexpr std::array k_rates = {0.5, 1.0, 2.0, 2.5, 5.0, 10.0, 50.0};
  JobSpec spec;
  spec.goal = draw.chance(0.4) ? Goal::purge : Goal::release;
  spec.preflight = spec.goal == Goal::purge || draw.chance(0.75);
  spec.verify = draw.chance(0.7);
  spec.include_recycled = spec.goal == Goal::purge && draw.chance(0.5);
  spec.rate.per_second.reset();
  if (draw.chance(0.85)) spec.rate.per_second = draw.one_of(k_rates);
  spec.rate.burst = draw.chance(0.5) ? 1 : static_cast<int>(draw.between(2, 8));
  spec.in_flight = static_cast<int>(draw.between(1, 6));
  spec.retry.max_attempts = static_cast<int>(draw.between(1, 6));
  spec.retry.first_backoff = milliseconds(draw.between(50, 1'000));
  spec.retry.max_backoff = spec.retry.first_backoff * draw.between(1, 8);
  spec.retry.budget_percent = static_cast<int>(draw.between(20, 500));
  spec.settle.resend = draw.chance(0.5);
  spec.settle.poll = milliseconds(draw.between(k_shortest_poll.count(), 4'000));
  const sandbox::Delays& delays = server.model.delays;
  spec.settle.window = delays.leave + delays.recycling + delays.deleting + server.stale_read +
                       server.longest_late + 2 * server.longest_travel + 4 * spec.settle.poll +
                       draw.time(milliseconds(15'000));
  return spec;
}

}  // namespace

World draw_world(Draw& draw) {
  World world;
  ServerPlan& server = world.server;
  server.model.mode =
      draw.chance(0.7) ? sandbox::AccountMode::recycle_bin : sandbox::AccountMode::direct;
  sandbox::Delays& delays = server.model.delays;
  delays.leave = draw_delay(draw, milliseconds(2'000));
  delays.recycling = draw_delay(draw, milliseconds(5'000));
  delays.deleting = draw_delay(draw, milliseconds(3'000));
  delays.renew = draw_delay(draw, milliseconds(1'000));
  // What leaves the bin sooner than an hour after its release counts as destroyed by others.
  if (draw.chance(0.15)) {
    delays.retention = ReleaseWatch::k_bin_keeps + milliseconds(draw.between(20'000, 90'000));
  }
  delays.transition.reset();
  if (draw.chance(0.8)) delays.transition = draw.time(milliseconds(10'000));
  if (draw.chance(0.4)) {
    server.stale_read = draw.time(k_shortest_poll);
    server.stale_reads = draw.chance(0.5) ? 1.0 : draw.share();
  }
  server.release_faults = draw_intensity(draw, 0.6);
  server.read_faults = draw_intensity(draw, 0.6);
  server.connect_failures = draw_intensity(draw, 0.2);
  server.kept_connections = draw.chance(0.3) ? 0 : draw.share();
  server.races = draw_intensity(draw, 0.15);
  server.storms = draw_intensity(draw, 0.04);
  server.third_party_acts = draw.chance(0.4) ? 0 : static_cast<int>(draw.between(1, 25));
  server.longest_late = draw_delay(draw, milliseconds(6'000));
  server.longest_travel = milliseconds(draw.between(1, 1'500));
  if (draw.chance(0.3)) {
    server.limit = sandbox::RateLimitSettings{
        static_cast<double>(draw.between(1, 20)), static_cast<int>(draw.between(1, 10)), {}, {}};
  }

  const std::int64_t count = draw.chance(0.7) ? draw.between(5, 15) : draw.between(5, 40);
  std::vector<std::string> ids;
  for (std::int64_t i = 1; i <= count; ++i) {
    ids.push_back("disk-" + std::to_string(i));
    // One that is missing here is in the list, but not in the account.
    if (!draw.chance(0.06)) server.disks.push_back(draw_disk(draw, ids.back(), server.model.mode));
  }
  world.runs.push_back({draw_spec(draw, server), ids});
  if (draw.chance(0.3)) {
    std::vector<std::string> some;
    std::ranges::copy_if(ids, std::back_inserter(some),
                         [&](const std::string&) { return draw.chance(0.6); });
    if (some.empty()) some.push_back(ids.front());
    world.runs.push_back({draw_spec(draw, server), std::move(some)});
  }
  world.stormy_lives = static_cast<int>(draw.between(1, 6));
  world.late_steps = draw_intensity(draw, 0.2);
  world.shared_pace = draw.chance(0.8);
  // Many of them end just before the last read of a window.
  server.outages = draw_intensity(draw, 0.5);
  server.longest_outage = world.runs.back().spec.settle.window + seconds(20);
  if (draw.chance(0.7)) {
    server.gap_at = draw.time(milliseconds(30'000));
    if (draw.chance(0.6)) {
      server.gap_length = milliseconds(draw.between(500, 60'000));
    } else {
      // Two answers that leave out the same disk are believed where others are shown.
      server.gap_length = k_shortest_poll - milliseconds(1);
      server.gap_share = draw.share();
    }
  }
  if (draw.chance(0.25)) world.foreign_lives = draw.share();
  return world;
}

std::string describe(const World& world) {
  const ServerPlan& server = world.server;
  const sandbox::Delays& delays = server.model.delays;
  const auto milli = [](milliseconds time) { return std::to_string(time.count()) + " ms"; };
  std::string text = server.model.mode == sandbox::AccountMode::recycle_bin
                         ? "account with a recycle bin"
                         : "account without a recycle bin";
  text += ", leave " + milli(delays.leave) + ", recycling " + milli(delays.recycling) +
          ", deleting " + milli(delays.deleting) + ", stale " + milli(server.stale_read) +
          ", late " + milli(server.longest_late) +
          (world.shared_pace ? ", one pace" : ", a pace for each process") + '\n';
  for (const RunPlan& run : world.runs) {
    const JobSpec& spec = run.spec;
    text += "run: " + std::to_string(run.disks.size()) + " disks, goal " +
            std::string(to_text(spec.goal)) + (spec.include_recycled ? " include_recycled" : "") +
            (spec.preflight ? "" : " no_preflight") + (spec.verify ? "" : " no_verify") +
            (spec.settle.resend ? " resend" : "") + ", rate " +
            (spec.rate.per_second ? std::to_string(*spec.rate.per_second) : "unlimited") +
            " burst " + std::to_string(spec.rate.burst) + ", in_flight " +
            std::to_string(spec.in_flight) + ", attempts " +
            std::to_string(spec.retry.max_attempts) + ", window " + milli(spec.settle.window) +
            ", poll " + milli(spec.settle.poll) + '\n';
  }
  return text;
}

}  // namespace diskrelease::simulation
