#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <vector>

#include "platform/clock.h"
#include "run/departure_gate.h"
#include "support/pacing_traffic.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

/// What a process reports of each departure: the time with which it asked to leave.
using Report = std::int64_t;

/// Processes that send through gates of their own on one file, until they are killed.
class SendingProcesses {
 public:
  explicit SendingProcesses(std::function<void(const std::function<void(SteadyTime)>& report)> send)
      : send_(std::move(send)) {
    if (::pipe(reports_.data()) != 0) throw std::runtime_error("pipe failed");
  }
  ~SendingProcesses() {
    while (!children_.empty()) kill_oldest();
    for (const int descriptor : reports_) ::close(descriptor);
  }
  SendingProcesses(const SendingProcesses&) = delete;
  SendingProcesses& operator=(const SendingProcesses&) = delete;

  void start() {
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child > 0) {
      children_.push_back(child);
      return;
    }
    ::alarm(60);
    try {
      send_([this](SteadyTime time) {
        const Report report = time.time_since_epoch().count();
        if (::write(reports_[1], &report, sizeof report) != sizeof report) ::_exit(1);
      });
    } catch (const std::exception&) {
      ::_exit(2);
    }
    ::_exit(3);
  }

  void kill_oldest() {
    const pid_t child = children_.front();
    children_.erase(children_.begin());
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "a process has ended by itself: " << status;
  }

  /// Waits for the next departure of any of them.
  SteadyTime next_departure() {
    pollfd watched{reports_[0], POLLIN, 0};
    Report report = 0;
    if (::poll(&watched, 1, 30'000) != 1 ||
        ::read(reports_[0], &report, sizeof report) != sizeof report) {
      throw std::runtime_error("nothing departs");
    }
    return SteadyTime(nanoseconds(report));
  }

 private:
  std::function<void(const std::function<void(SteadyTime)>&)> send_;
  std::array<int, 2> reports_{};
  std::vector<pid_t> children_;
};

class SharedRateTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<SharedRegion> region() const {
    return SharedRegion::open(limiter_file(directory_.path(), "id", "localhost"),
                              DepartureGate::k_region_size);
  }

  TemporaryDirectory directory_;
  RateLimit limit_{.per_second = 200.0, .burst = 1};
  PacingPromise promise_{limit_};
};

/// Time is made up: each process is awake the moment its slot is due, so all the time is spent
/// between the stores and locks in the middle of which it is to be killed.
TEST_F(SharedRateTest, ProcessesThatAreKilledAndReplacedKeepOneRate) {
  constexpr SteadyTime start{std::chrono::hours(1)};
  { const DepartureGate first(limit_, 1, region(), start); }
  constexpr SteadyTime begin = start + seconds(10);
  SendingProcesses processes([&](const std::function<void(SteadyTime)>& report) {
    DepartureGate gate(limit_, 1, region(), begin);
    SteadyTime now = begin;
    while (true) {
      Slot slot = gate.reserve(now);
      now = std::max(now, slot.at);
      while (const std::optional<Slot> later = gate.depart(slot, now)) {
        slot = *later;
        now = std::max(now, slot.at);
      }
      report(now);
    }
  });
  for (int i = 0; i < 3; ++i) processes.start();
  std::vector<SteadyTime> departures;
  for (int death = 0; death < 20; ++death) {
    for (int i = 0; i < 250; ++i) departures.push_back(processes.next_departure());
    processes.kill_oldest();
    processes.start();
  }
  // What the processes had reported by then and nobody has read yet would be a gap.
  for (int i = 0; i < 250; ++i) departures.push_back(processes.next_departure());
  EXPECT_LE(most_in_window(departures, seconds(1)), promise_.departures);
  EXPECT_GE(average_rate(departures), 0.97 * *limit_.per_second);
}

TEST_F(SharedRateTest, TheClockOfTheMachineIsOneForAllProcesses) {
  const SystemClock clock;
  const SteadyTime begin = clock.steady_now();
  SendingProcesses processes([&](const std::function<void(SteadyTime)>& report) {
    DepartureGate gate(limit_, 1, region(), clock.steady_now());
    while (true) {
      Slot slot = gate.reserve(clock.steady_now());
      while (true) {
        std::this_thread::sleep_until(slot.at);
        const SteadyTime now = clock.steady_now();
        const std::optional<Slot> later = gate.depart(slot, now);
        if (!later) {
          report(now);
          break;
        }
        slot = *later;
      }
    }
  });
  for (int i = 0; i < 3; ++i) processes.start();
  std::vector<SteadyTime> departures;
  for (int i = 0; i < 300; ++i) {
    departures.push_back(processes.next_departure());
    if (i == 150) {
      processes.kill_oldest();
      processes.start();
    }
  }
  EXPECT_GE(*std::ranges::min_element(departures), begin + seconds(1)) << "the file is new";
  EXPECT_LE(most_in_window(departures, seconds(1)), promise_.departures);
  RecordProperty("average_rate", std::to_string(average_rate(departures)));
  // A machine that is busy with other things wakes senders late, and lost time is not made up for.
  EXPECT_GE(average_rate(departures), 0.25 * *limit_.per_second);
  EXPECT_LE(average_rate(departures), 1.05 * *limit_.per_second);
}

}  // namespace
}  // namespace diskrelease
