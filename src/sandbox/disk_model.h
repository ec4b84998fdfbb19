#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/time.h"

namespace diskrelease::sandbox {

/// What ReleaseDisk means depends on the account (zenlayer/zenlayer-cloud-csi-driver and the zh-CN
/// help of zenlayer/zenlayercloud-cli).
enum class AccountMode {
  recycle_bin,  ///< AVAILABLE -> RECYCLING -> RECYCLED; a second release destroys
  direct,       ///< AVAILABLE -> DELETING -> absent
};

/// The values of diskStatus (zenlayer/zenlayercloud-cli, describe-disks.yaml), and absent.
enum class DiskStatus {
  creating,
  available,
  in_use,
  attaching,
  detaching,
  changing,
  snapshot_creating,
  rolling_back,
  recycling,
  recycled,
  deleting,
  failed,
  absent,  ///< destroyed; no longer listed
};

/// "AVAILABLE"; "ABSENT" for absent, which the API itself never says.
[[nodiscard]] std::string_view to_text(DiskStatus status) noexcept;
[[nodiscard]] std::optional<DiskStatus> disk_status_from_text(std::string_view text) noexcept;

/// A disk of the account as it is at the start.
struct Disk {
  std::string id;
  std::string name;  ///< empty = "disk-" and the end of the id
  std::string zone = "asia-east-1a";
  DiskStatus status = DiskStatus::available;
  bool system = false;  ///< diskType SYSTEM, a boot disk
  bool portable = true;
  int size_gb = 30;
};

/// What an id that is asked for turns out to be, where the account was not told beforehand.
enum class DiskKind {
  available,
  in_use,
  system,
  not_portable,
  creating,
  attaching,
  detaching,
  changing,
  recycling,
  recycled,
  deleting,
  failed,
  not_found,
};

[[nodiscard]] std::string_view to_text(DiskKind kind) noexcept;
[[nodiscard]] std::optional<DiskKind> disk_kind_from_text(std::string_view text) noexcept;

/// A disk of that kind. Precondition: not not_found.
[[nodiscard]] Disk disk_of_kind(std::string id, DiskKind kind);

/// How long each change of status takes. A status that lasts zero time is never seen.
struct Delays {
  /// From the accepted call to the moment the status leaves AVAILABLE (or RECYCLED).
  std::chrono::milliseconds leave{0};
  std::chrono::milliseconds recycling{0};
  std::chrono::milliseconds deleting{0};
  std::chrono::milliseconds retention{std::chrono::hours(24)};  ///< RECYCLED -> DELETING by itself
  std::chrono::milliseconds renew{0};                           ///< RenewDisk -> AVAILABLE
  /// CREATING, DETACHING, CHANGING, SNAPSHOT_CREATING, ROLLING_BACK -> AVAILABLE and ATTACHING ->
  /// IN_USE, from the moment the disk became known. nullopt = never.
  std::optional<std::chrono::milliseconds> transition{std::chrono::seconds(3)};
};

struct ModelSettings {
  AccountMode mode = AccountMode::recycle_bin;
  Delays delays;
  /// DescribeDisks shows the past: what was true this long ago.
  std::chrono::milliseconds stale_read{0};
  /// Ids never heard of: false = not found; true = they exist from the moment they are asked for.
  bool create_unknown = true;
  /// Shares of the kinds among created ids, decided by seed and id; what is missing to 1 is
  /// available.
  std::vector<std::pair<DiskKind, double>> unknown_mix;
  std::uint64_t seed = 1;
};

/// An answer that refuses.
struct ApiError {
  int http_status = 400;
  std::string code;
  std::string message;
};

/// The filters and the page of a DescribeDisks; all filters must match.
struct DescribeQuery {
  std::vector<std::string> disk_ids;     ///< empty = no filter: all disks
  std::optional<std::string> disk_name;  ///< part of the name, or the whole name as "^name$"
  std::optional<std::string> disk_status;
  std::optional<std::string> disk_type;
  std::optional<std::string> zone_id;
  std::optional<std::string> region_id;
  std::optional<std::string> instance_id;
  std::int64_t page_num = 1;
  std::int64_t page_size = 20;
};

struct DiskRow {
  const Disk* disk;   ///< owned by the model; valid until its next call
  DiskStatus status;  ///< as the read shows it
};

struct DescribeResult {
  std::size_t total_count = 0;  ///< matches before paging
  std::vector<DiskRow> rows;
};

/// What became of one disk.
struct DiskFate {
  std::string id;
  int accepted_releases = 0;
  int accepted_renewals = 0;
  DiskStatus status = DiskStatus::absent;  ///< the true one, not the stale one
};

/// The provider's side of the disks: a pure state machine. No threads, no clock; every call is
/// given the time, and a time before the latest one seen counts as that one. Not thread-safe.
class DiskModel {
 public:
  static constexpr std::int64_t k_max_page_size = 1000;

  DiskModel(ModelSettings settings, SteadyTime start)
      : settings_(std::move(settings)), now_(start) {}

  /// Puts a disk into the account. Precondition: its id is not there yet.
  void add(Disk disk);

  /// ReleaseDisk. nullopt = accepted, and its effect is under way; it begins `late_by` later than
  /// the delays say. Checked in this order: exists, detachable, status. Two accepted calls before
  /// the status has left AVAILABLE destroy the disk in recycle_bin mode.
  [[nodiscard]] std::optional<ApiError> release(const std::string& id, SteadyTime now,
                                                std::chrono::milliseconds late_by = {});

  /// RenewDisk: takes a disk out of the recycle bin. nullopt = accepted.
  [[nodiscard]] std::optional<ApiError> renew(const std::string& id, SteadyTime now);

  [[nodiscard]] std::variant<DescribeResult, ApiError> describe(const DescribeQuery& query,
                                                                SteadyTime now);

  /// Somebody else attaches the disk to an instance. Does nothing unless it is AVAILABLE and no
  /// release is under way.
  void attach(const std::string& id, SteadyTime now);

  /// nullopt = no such id was ever known.
  [[nodiscard]] std::optional<DiskFate> fate(const std::string& id, SteadyTime now) const;
  /// Of all disks, in the order in which they became known.
  [[nodiscard]] std::vector<DiskFate> fates(SteadyTime now) const;

 private:
  struct Change {
    SteadyTime at;
    DiskStatus status;
  };
  /// `changes` is the past and the known future, ordered by time, never empty.
  struct Entry {
    Disk disk;
    std::vector<Change> changes;
    int accepted_releases = 0;
    int accepted_renewals = 0;
  };

  Entry* find(const std::string& id);
  void advance(SteadyTime now);
  void enter_bin(Entry& entry, SteadyTime leaves) const;
  void destroy(Entry& entry, SteadyTime at) const;
  [[nodiscard]] DiskFate fate_of(const Entry& entry, SteadyTime now) const;
  static void drop_changes_after(Entry& entry, SteadyTime time);
  static DiskStatus status_at(const Entry& entry, SteadyTime time);
  static bool matches(const Entry& entry, DiskStatus status, const DescribeQuery& query);

  const ModelSettings settings_;
  SteadyTime now_;
  // Neither grows by moving what it has: with a million disks that takes a tenth of a second, in
  // which no request is served, and those that come meanwhile seem to come at once.
  std::map<std::string, std::size_t> index_;  ///< id -> place in entries_
  std::deque<Entry> entries_;
};

/// "asia-east-1" of "asia-east-1a".
[[nodiscard]] std::string region_of_zone(std::string_view zone);

/// The instance that attached disks of the simulator hang on.
inline constexpr std::string_view k_instance_id = "1455441132925494374";

}  // namespace diskrelease::sandbox
