#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "model/observation.h"
#include "support/waiting_transport.h"

namespace diskrelease {

/// An account whose disks are what a test says, behind ReleaseDisk and DescribeDisks. A release
/// moves an AVAILABLE disk to RECYCLED and a RECYCLED one to absent, at once. Thread-safe; the
/// callbacks run one at a time.
class AccountTransport final : public WaitingTransport {
 public:
  explicit AccountTransport(std::map<std::string, DiskStatus> disks) : disks_(std::move(disks)) {}

  /// Replaces the reply to a ReleaseDisk; nullopt = the ordinary one. execute() is the test's.
  std::function<std::optional<Reply>(const std::string& disk)> on_release;
  /// Replaces the reply to a DescribeDisks; counted from 1.
  std::function<std::optional<Reply>(int number)> on_describe;

  /// The account has a disk besides, which a DescribeDisks without ids shows.
  bool shows_others = true;

  /// Each new connection is gone when it is to be used.
  bool ends_connections = false;

  [[nodiscard]] bool is_connected(std::size_t lane) override {
    return !ends_connections && WaitingTransport::is_connected(lane);
  }
  [[nodiscard]] Reply exchange(std::size_t lane, const HttpRequest& request) override;
  void abort_all() noexcept override {}

  /// What a release does to a disk. Also for callbacks.
  void execute(const std::string& disk);
  void set(const std::string& disk, DiskStatus status) { disks_[disk] = status; }
  [[nodiscard]] DiskStatus status(const std::string& disk) const { return disks_.at(disk); }

  /// The disks of all ReleaseDisk requests so far, in their order.
  [[nodiscard]] const std::vector<std::string>& releases() const { return releases_; }
  [[nodiscard]] int reads() const { return reads_; }
  /// DescribeDisks without ids, of these.
  [[nodiscard]] int controls() const { return controls_; }
  [[nodiscard]] const std::set<std::size_t>& reading_lanes() const { return reading_lanes_; }
  /// Lanes that were connected before the first request of any kind.
  [[nodiscard]] const std::set<std::size_t>& early_lanes() const { return early_lanes_; }

 private:
  [[nodiscard]] std::optional<TransportFailure> connect(std::size_t lane) override;
  [[nodiscard]] Reply describe(const HttpRequest& request);

  std::recursive_mutex mutex_;
  std::map<std::string, DiskStatus> disks_;
  std::vector<std::string> releases_;
  int reads_ = 0;
  int controls_ = 0;
  std::set<std::size_t> reading_lanes_;
  std::set<std::size_t> early_lanes_;
};

/// A data disk that can be detached, seen in this status.
[[nodiscard]] Sighting sighting_of(const std::string& disk, DiskStatus status);

/// A complete answer to DescribeDisks with these rows, {"diskId":...} objects.
[[nodiscard]] Reply describe_reply(const std::vector<std::string>& rows);
[[nodiscard]] Reply describe_reply(const std::vector<std::string>& rows, std::int64_t total_count);
[[nodiscard]] std::string disk_row(const std::string& disk, std::string_view status);

}  // namespace diskrelease
