#include "support/pacing_traffic.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace diskrelease {

void PacingTraffic::add(Pacer& pacer, int senders, SteadyTime now) {
  for (int i = 0; i < senders; ++i) {
    const Slot slot = pacer.reserve(now);
    senders_.push_back({slot.at + lateness_(), slot, &pacer});
  }
}

void PacingTraffic::add_waking(Pacer& pacer, const Slot& slot, SteadyTime now) {
  senders_.push_back({now, slot, &pacer});
}

void PacingTraffic::kill(const Pacer& pacer) {
  std::erase_if(senders_, [&](const Sender& sender) { return sender.pacer == &pacer; });
}

Departure PacingTraffic::next() {
  for (int tries = 0; tries < 1'000'000; ++tries) {
    const auto sender = std::ranges::min_element(senders_, {}, &Sender::wakes);
    if (sender == senders_.end()) throw std::logic_error("there is no sender");
    const SteadyTime now = sender->wakes;
    const std::optional<Slot> later = sender->pacer->depart(sender->slot, now);
    if (later && later->at <= now) throw std::logic_error("a slot to wait for has passed");
    sender->slot = later ? *later : sender->pacer->reserve(now);
    sender->wakes = std::max(now, sender->slot.at) + lateness_();
    if (!later) return {now, sender->pacer};
  }
  throw std::logic_error("nobody ever leaves");
}

std::vector<Departure> PacingTraffic::next(int count) {
  std::vector<Departure> departures;
  for (int i = 0; i < count; ++i) departures.push_back(next());
  return departures;
}

PacingPromise::PacingPromise(const RateLimit& limit)
    : window(static_cast<std::int64_t>(1e9 * std::max(1.0, 1 / *limit.per_second))),
      departures(static_cast<std::size_t>(std::ceil(*limit.per_second)) +
                 static_cast<std::size_t>(limit.burst - 1)) {}

std::size_t most_in_window(std::vector<SteadyTime> departures, std::chrono::nanoseconds window) {
  std::ranges::sort(departures);
  std::size_t most = 0;
  std::size_t first = 0;
  for (std::size_t last = 0; last < departures.size(); ++last) {
    while (departures[first] + window <= departures[last]) ++first;
    most = std::max(most, last - first + 1);
  }
  return most;
}

std::vector<SteadyTime> times_of(const std::vector<Departure>& departures) {
  std::vector<SteadyTime> times;
  for (const Departure& departure : departures) times.push_back(departure.at);
  return times;
}

double average_rate(std::vector<SteadyTime> departures) {
  std::ranges::sort(departures);
  const double took = std::chrono::duration<double>(departures.back() - departures.front()).count();
  return static_cast<double>(departures.size() - 1) / took;
}

}  // namespace diskrelease
