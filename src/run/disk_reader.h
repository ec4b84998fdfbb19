#pragma once

#include <cstddef>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "api/describe.h"
#include "run/plausibility.h"
#include "run/run_parts.h"

namespace diskrelease {

/// Reads the status of a batch of disks: one DescribeDisks after another until one is complete,
/// each in a slot of the same limiter that releases use, each on record with what it has shown.
///
/// A complete answer whose absences are not plausible (run/plausibility) is recorded as a failure.
/// Then the account is read for any disk that it has, and that one by its id, as the batch is.
/// Where both show it, the batch is read again and the answer counts; else that is one more failed
/// read. A sighting that does not count is not on record as an observation.
class DiskReader {
 public:
  /// The lane of the transport is its own.
  DiskReader(const RunParts& parts, std::size_t lane, std::uint64_t seed);

  using Batch = std::vector<ReadSubject>;
  /// 1 to k_max_described_disks different disks.
  void begin(ReadPurpose purpose, Batch batch);
  [[nodiscard]] bool under_way() const { return !batch_.empty() && !result_; }

  /// Does the next step of a read that is under way and says when the one after it is due; nullopt
  /// = done, take() has the result.
  [[nodiscard]] std::optional<SteadyTime> step();

  struct Result {
    DescribeReading reading;
    std::vector<bool> counts;  ///< with a complete reading: whether a sighting says something
    SteadyTime sent;           ///< when the last request left
    SteadyTime answered;
    UtcTime sent_utc;
    UtcTime answered_utc;
  };
  /// Not complete: after k_max_tries failures, at a `stop`, or since the run is stopping. The run
  /// is not stopped here: whoever asked decides what a failure means.
  [[nodiscard]] Result take();

  /// Connecting takes longer than sending: done this long ahead of the slot, the request departs
  /// and arrives in it.
  static constexpr std::chrono::milliseconds k_connect_lead{100};
  /// A read has no effect, so it may be repeated; but a service that does not answer is left alone.
  static constexpr int k_max_tries = 8;
  static constexpr std::chrono::milliseconds k_first_backoff{200};
  static constexpr std::chrono::milliseconds k_longest_backoff{10'000};

 private:
  /// What the next request is for. After an answer that has left out too much: for any disk of the
  /// account, then for that one by its id.
  enum class Asks { disks, account, witness };

  std::optional<SteadyTime> ended(const Reply& reply, const Blanking& blank, SteadyTime departed,
                                  UtcTime sent);
  /// Makes a complete reading of disks one that has failed where its absences are not plausible.
  void doubt(DescribeReading& reading, SteadyTime now);
  /// Draws the conclusions of a complete reading of the account, or of its witness.
  void control(Asks asked, DescribeReading& reading, SteadyTime now);
  void record(const DescribeReading& reading, std::size_t asked);
  std::optional<SteadyTime> finish(DescribeReading reading);
  /// A full-jitter wait before the next try.
  std::chrono::nanoseconds backoff(int in_a_row);

  RunParts parts_;
  std::size_t lane_;
  std::mt19937_64 random_;
  ReadPurpose purpose_ = ReadPurpose::preflight;
  Batch batch_;
  std::vector<DiskId> disks_;
  Asks asks_ = Asks::disks;
  std::vector<DiskId> witness_;
  bool controlled_ = false;                  ///< the account was seen since begin()
  std::optional<SteadyTime> account_shown_;  ///< for other batches it counts for one poll
  std::optional<Slot> slot_;
  bool connected_ = false;        ///< for the present slot
  bool has_reconnected_ = false;  ///< in this slot
  std::optional<SteadyTime> not_before_;
  int failures_ = 0;
  int throttled_ = 0;
  Result latest_;
  std::optional<Result> result_;
};

}  // namespace diskrelease
