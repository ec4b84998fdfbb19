#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "platform/clock.h"
#include "sandbox/disk_model.h"
#include "sandbox/server_rate_limit.h"
#include "support/waiting_transport.h"

namespace diskrelease::simulation {

/// Seeded draws of a simulation. The same on every machine, unlike the standard distributions.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}

  /// 0 <= x < 1
  [[nodiscard]] double share() { return static_cast<double>(random_() >> 11U) * 0x1.0p-53; }
  [[nodiscard]] bool chance(double probability) { return share() < probability; }
  /// first <= x <= last
  [[nodiscard]] std::int64_t between(std::int64_t first, std::int64_t last) {
    return first +
           static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(last - first + 1));
  }
  [[nodiscard]] std::chrono::milliseconds time(std::chrono::milliseconds longest) {
    return std::chrono::milliseconds(between(0, longest.count()));
  }
  template <class Container>
  [[nodiscard]] const auto& one_of(const Container& choices) {
    return choices[static_cast<std::size_t>(between(0, std::ssize(choices) - 1))];
  }
  [[nodiscard]] std::uint64_t bits() { return random_(); }

 private:
  std::mt19937_64 random_;
};

/// What the server's world is like. Shares are probabilities for each request.
struct ServerPlan {
  sandbox::ModelSettings model;  ///< its stale_read is not used
  std::vector<sandbox::Disk> disks;
  std::chrono::milliseconds stale_read{0};
  double stale_reads = 0;     ///< answered with what was true `stale_read` ago
  double release_faults = 0;  ///< of any of the kinds below
  double read_faults = 0;
  double connect_failures = 0;  ///< nothing is sent
  double kept_connections = 0;  ///< of those that have brought an answer
  double races = 0;             ///< a third party acts on the very disk just before the request
  double storms = 0;            ///< a time of 429 begins
  double outages = 0;  ///< a release that goes wrong is followed by a time of failing reads
  std::chrono::milliseconds longest_outage{0};
  int third_party_acts = 0;                   ///< at any time, on any disk
  std::chrono::milliseconds longest_late{0};  ///< between arrival and a late execution
  std::chrono::milliseconds longest_travel{100};
  std::optional<sandbox::RateLimitSettings> limit;
  // Complete and consistent answers to reads that are not true:
  /// Once, so long after the beginning, such a time begins. One is enough: an answer that comes
  /// just between a control and the next read is believed once, and must not be confirmed in the
  /// same way.
  std::optional<std::chrono::milliseconds> gap_at;
  std::chrono::milliseconds gap_length{0};
  double gap_share = 1;  ///< of the disks that are left out; 1 = the account is shown empty
};

/// A request as the server's side knows it.
struct ServedRequest {
  int life = 0;
  bool calm = false;     ///< of the life
  bool release = false;  ///< false = DescribeDisks
  std::vector<std::string> disks;
  SteadyTime departed;
  UtcTime departed_utc;
  std::optional<SteadyTime> arrived;
  std::string request_id;
  std::string answered;  ///< how, in a few words

  // ReleaseDisk
  std::int64_t attempt = 0;  ///< the durable intent that was found at departure; 0 = none
  std::int64_t stage = 0;
  std::optional<SteadyTime> executed;  ///< accepted by the model: it has, or will have, an effect
  sandbox::DiskStatus before = sandbox::DiskStatus::absent;  ///< at the execution
  bool destroyed = false;     ///< the disk was in the recycle bin or bound for it
  bool culprit_ours = false;  ///< destroyed: by whom it was put there
  bool culprit_known = false;
  /// What the latest complete read delivered in this life has shown of the disk.
  std::optional<sandbox::DiskStatus> shown;

  // DescribeDisks
  bool complete = false;
  bool untrue = false;  ///< rows that exist were left out of a complete answer
  std::vector<std::pair<std::string, sandbox::DiskStatus>> rows;  ///< with `complete`
};

enum class Act { attach, release, renew };

struct ThirdPartyAct {
  Act act = Act::attach;
  std::string disk;
  SteadyTime at;
};

/// The provider of a simulation, as a transport without a network: disk model, faults and third
/// parties, all drawn from a seed, and the record of what has really happened. Requests of several
/// lanes are under way at once: while one travels, `pass_time` lets the other actors go on.
///
/// Outlives the processes that it serves. What a process sent before it died is executed all the
/// same. Not thread-safe.
class ModelServer final : public WaitingTransport {
 public:
  ModelServer(const ServerPlan& plan, std::uint64_t seed, const Clock& clock);

  /// What a process is to it.
  struct Life {
    int number = 0;
    /// Lets others act and moves the clock until then.
    std::function<void(SteadyTime)> pass_time;
    /// The open attempt that the database has for this disk: id and stage; zeros if it has none.
    std::function<std::pair<std::int64_t, std::int64_t>(const std::string&)> open_attempt;
    bool calm = false;     ///< no faults, no third parties
    bool blocked = false;  ///< after some requests, all are refused by authentication or the edge
    bool foreign = false;  ///< its credential is of another account, which has other disks
  };
  void begin_life(Life life);

  [[nodiscard]] Reply exchange(std::size_t lane, const HttpRequest& request) override;
  [[nodiscard]] bool keeps_connection(const Reply& reply) override;
  void abort_all() noexcept override { aborted_ = true; }

  /// Executes everything that is due by now.
  void catch_up();

  [[nodiscard]] const std::vector<ServedRequest>& requests() const { return requests_; }
  [[nodiscard]] const std::vector<ThirdPartyAct>& acts() const { return acts_; }
  [[nodiscard]] sandbox::DiskStatus status(const std::string& disk) const;
  /// Where events are told; may be empty.
  std::function<void(const std::string&)> tell;

 private:
  [[nodiscard]] std::optional<TransportFailure> connect(std::size_t lane) override;

  enum class Fate;
  struct Event {
    SteadyTime at;
    std::uint64_t order = 0;
    std::function<void()> happens;
  };
  struct LaterFirst {
    bool operator()(const Event& a, const Event& b) const {
      return a.at != b.at ? a.at > b.at : a.order > b.order;
    }
  };

  void at(SteadyTime time, std::function<void()> happens);
  void plan_next_act(SteadyTime after);
  void act(const std::string& disk, Act act);
  void execute(std::size_t request);
  std::string read(std::size_t request, Fate fate);
  /// Leaves rows out of a complete answer, as the plan has it.
  void hide(ServedRequest& request, sandbox::DescribeResult& found);
  Reply arrive(std::size_t request, Fate fate);
  Fate draw_fate(bool release);
  HttpResponse refusal(std::size_t request, int status, const std::string& code);
  HttpResponse page(int status, HeaderFields headers = {});
  [[nodiscard]] std::string new_request_id();
  void note(const std::string& text) const {
    if (tell) tell(text);
  }

  const ServerPlan plan_;
  const Clock& clock_;
  Draw draw_;
  /// The same disks, read as they are and as they were: one call goes to both.
  sandbox::DiskModel disks_;
  sandbox::DiskModel past_;
  std::optional<sandbox::ServerRateLimit> limit_;
  std::map<std::string, std::optional<bool>> bound_for_bin_;  ///< whose release; ours = true
  std::vector<ServedRequest> requests_;
  std::vector<ThirdPartyAct> acts_;
  std::priority_queue<Event, std::vector<Event>, LaterFirst> events_;
  std::uint64_t order_ = 0;
  std::uint64_t request_ids_ = 0;
  int acts_left_ = 0;
  SteadyTime storm_ends_;
  SteadyTime outage_ends_;
  SteadyTime gap_begins_;
  std::uint64_t gap_seed_ = 0;
  std::set<std::size_t> requests_foreign_;  ///< made in a life of another account
  SteadyTime now_;

  Life life_;
  int requests_until_blocked_ = 0;
  Fate block_;
  bool aborted_ = false;
  std::map<std::string, sandbox::DiskStatus> shown_;
};

}  // namespace diskrelease::simulation
