#include "sandbox/disk_model.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "sandbox/seeded_draw.h"

namespace diskrelease::sandbox {
namespace {

template <typename Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<DiskStatus, 13> k_status_names{{
    {DiskStatus::creating, "CREATING"},
    {DiskStatus::available, "AVAILABLE"},
    {DiskStatus::in_use, "IN_USE"},
    {DiskStatus::attaching, "ATTACHING"},
    {DiskStatus::detaching, "DETACHING"},
    {DiskStatus::changing, "CHANGING"},
    {DiskStatus::snapshot_creating, "SNAPSHOT_CREATING"},
    {DiskStatus::rolling_back, "ROLLING_BACK"},
    {DiskStatus::recycling, "RECYCLING"},
    {DiskStatus::recycled, "RECYCLED"},
    {DiskStatus::deleting, "DELETING"},
    {DiskStatus::failed, "FAILED"},
    {DiskStatus::absent, "ABSENT"},
}};

constexpr Names<DiskKind, 13> k_kind_names{{
    {DiskKind::available, "available"},
    {DiskKind::in_use, "in_use"},
    {DiskKind::system, "system"},
    {DiskKind::not_portable, "not_portable"},
    {DiskKind::creating, "creating"},
    {DiskKind::attaching, "attaching"},
    {DiskKind::detaching, "detaching"},
    {DiskKind::changing, "changing"},
    {DiskKind::recycling, "recycling"},
    {DiskKind::recycled, "recycled"},
    {DiskKind::deleting, "deleting"},
    {DiskKind::failed, "failed"},
    {DiskKind::not_found, "not_found"},
}};

template <typename Enum, std::size_t N>
std::string_view name_of(const Names<Enum, N>& names, Enum value) noexcept {
  const auto at = std::ranges::find(names, value, &std::pair<Enum, std::string_view>::first);
  return at == names.end() ? std::string_view{} : at->second;
}

template <typename Enum, std::size_t N>
std::optional<Enum> value_of(const Names<Enum, N>& names, std::string_view name) noexcept {
  const auto at = std::ranges::find(names, name, &std::pair<Enum, std::string_view>::second);
  if (at == names.end()) return std::nullopt;
  return at->first;
}

/// Where a status that lasts only for a while leads to by itself.
std::optional<DiskStatus> settles_in(DiskStatus status) noexcept {
  switch (status) {
    case DiskStatus::creating:
    case DiskStatus::detaching:
    case DiskStatus::changing:
    case DiskStatus::snapshot_creating:
    case DiskStatus::rolling_back:
      return DiskStatus::available;
    case DiskStatus::attaching:
      return DiskStatus::in_use;
    case DiskStatus::available:
    case DiskStatus::in_use:
    case DiskStatus::recycling:
    case DiskStatus::recycled:
    case DiskStatus::deleting:
    case DiskStatus::failed:
    case DiskStatus::absent:
      return std::nullopt;
  }
  return std::nullopt;
}

ApiError not_found(const std::string& id) {
  return {404, "INVALID_DISK_NOT_FOUND", "The disk `" + id + "` does not exist."};
}

ApiError wrong_status(const std::string& id) {
  return {400, "UNSUPPORTED_OPERATION_DISK_STATUS",
          "The status of the disk `" + id + "` does not allow this operation."};
}

bool equals(const std::optional<std::string>& wanted, std::string_view actual) {
  return !wanted || *wanted == actual;
}

bool name_matches(const std::optional<std::string>& wanted, const std::string& name) {
  if (!wanted) return true;
  if (wanted->size() >= 2 && wanted->front() == '^' && wanted->back() == '$') {
    return std::string_view(*wanted).substr(1, wanted->size() - 2) == name;
  }
  return name.find(*wanted) != std::string::npos;
}

}  // namespace

std::string_view to_text(DiskStatus status) noexcept { return name_of(k_status_names, status); }

std::optional<DiskStatus> disk_status_from_text(std::string_view text) noexcept {
  return value_of(k_status_names, text);
}

std::string_view to_text(DiskKind kind) noexcept { return name_of(k_kind_names, kind); }

std::optional<DiskKind> disk_kind_from_text(std::string_view text) noexcept {
  return value_of(k_kind_names, text);
}

std::string region_of_zone(std::string_view zone) {
  if (!zone.empty() && zone.back() >= 'a' && zone.back() <= 'z') zone.remove_suffix(1);
  return std::string(zone);
}

Disk disk_of_kind(std::string id, DiskKind kind) {
  Disk disk;
  disk.id = std::move(id);
  switch (kind) {
    case DiskKind::available:
    case DiskKind::not_found:
      break;
    case DiskKind::in_use:
      disk.status = DiskStatus::in_use;
      break;
    case DiskKind::system:
      disk.status = DiskStatus::in_use;
      disk.system = true;
      disk.portable = false;
      break;
    case DiskKind::not_portable:
      disk.status = DiskStatus::in_use;
      disk.portable = false;
      break;
    case DiskKind::creating:
      disk.status = DiskStatus::creating;
      break;
    case DiskKind::attaching:
      disk.status = DiskStatus::attaching;
      break;
    case DiskKind::detaching:
      disk.status = DiskStatus::detaching;
      break;
    case DiskKind::changing:
      disk.status = DiskStatus::changing;
      break;
    case DiskKind::recycling:
      disk.status = DiskStatus::recycling;
      break;
    case DiskKind::recycled:
      disk.status = DiskStatus::recycled;
      break;
    case DiskKind::deleting:
      disk.status = DiskStatus::deleting;
      break;
    case DiskKind::failed:
      disk.status = DiskStatus::failed;
      break;
  }
  return disk;
}

void DiskModel::advance(SteadyTime now) { now_ = std::max(now_, now); }

DiskStatus DiskModel::status_at(const Entry& entry, SteadyTime time) {
  for (auto change = entry.changes.rbegin(); change != entry.changes.rend(); ++change) {
    if (change->at <= time) return change->status;
  }
  return entry.changes.front().status;
}

void DiskModel::drop_changes_after(Entry& entry, SteadyTime time) {
  std::erase_if(entry.changes, [time](const Change& change) { return change.at > time; });
}

void DiskModel::enter_bin(Entry& entry, SteadyTime leaves) const {
  const auto& delays = settings_.delays;
  const auto in_bin = leaves + delays.recycling;
  const auto expires = in_bin + delays.retention;
  entry.changes.push_back({leaves, DiskStatus::recycling});
  entry.changes.push_back({in_bin, DiskStatus::recycled});
  destroy(entry, expires);
}

void DiskModel::destroy(Entry& entry, SteadyTime at) const {
  entry.changes.push_back({at, DiskStatus::deleting});
  entry.changes.push_back({at + settings_.delays.deleting, DiskStatus::absent});
}

void DiskModel::add(Disk disk) {
  if (disk.name.empty()) {
    const auto tail = disk.id.size() > 8 ? disk.id.size() - 8 : 0;
    disk.name = "disk-" + disk.id.substr(tail);
  }
  Entry entry{std::move(disk), {}, 0, 0};
  const auto status = entry.disk.status;
  // A disk has always been what it is at the start, so that a stale read shows it as well.
  entry.changes.push_back({SteadyTime::min(), status});
  if (const auto settled = settles_in(status)) {
    if (settings_.delays.transition) {
      entry.changes.push_back({now_ + *settings_.delays.transition, *settled});
    }
  } else if (status == DiskStatus::recycling) {
    entry.changes.push_back({now_ + settings_.delays.recycling, DiskStatus::recycled});
    destroy(entry, now_ + settings_.delays.recycling + settings_.delays.retention);
  } else if (status == DiskStatus::recycled) {
    destroy(entry, now_ + settings_.delays.retention);
  } else if (status == DiskStatus::deleting) {
    entry.changes.push_back({now_ + settings_.delays.deleting, DiskStatus::absent});
  }
  index_.emplace(entry.disk.id, entries_.size());
  entries_.push_back(std::move(entry));
}

DiskModel::Entry* DiskModel::find(const std::string& id) {
  if (const auto known = index_.find(id); known != index_.end()) return &entries_[known->second];
  if (!settings_.create_unknown) return nullptr;
  double share = as_fraction(seeded_bits(settings_.seed, id));
  auto kind = DiskKind::available;
  for (const auto& [candidate, fraction] : settings_.unknown_mix) {
    if (share < fraction) {
      kind = candidate;
      break;
    }
    share -= fraction;
  }
  if (kind == DiskKind::not_found) return nullptr;
  add(disk_of_kind(id, kind));
  return &entries_.back();
}

std::optional<ApiError> DiskModel::release(const std::string& id, SteadyTime now,
                                           std::chrono::milliseconds late_by) {
  advance(now);
  Entry* const entry = find(id);
  if (entry == nullptr) return not_found(id);
  const auto status = status_at(*entry, now_);
  if (status == DiskStatus::absent) return not_found(id);
  if (entry->disk.system || !entry->disk.portable) {
    return ApiError{400, "INVALID_DISK_NOT_PORTABLE", "The disk `" + id + "` is not detachable."};
  }
  if (status != DiskStatus::available && status != DiskStatus::recycled) return wrong_status(id);

  ++entry->accepted_releases;
  const auto leaves = now_ + settings_.delays.leave + late_by;
  const auto find_change = [&](DiskStatus wanted) -> const Change* {
    for (auto at = entry->changes.rbegin(); at != entry->changes.rend(); ++at) {
      if (at->status == wanted) return &*at;
    }
    return nullptr;
  };
  // Only what still lies ahead, or holds now, tells about the release under way; an earlier visit
  // to the bin that ended with RenewDisk does not.
  const bool under_way = status == DiskStatus::recycled || entry->changes.back().at > now_;
  if (!under_way) {
    if (settings_.mode == AccountMode::recycle_bin) {
      enter_bin(*entry, leaves);
    } else {
      destroy(*entry, leaves);
    }
    return std::nullopt;
  }
  const Change* const in_bin = find_change(DiskStatus::recycled);
  const bool bound_for_bin =
      in_bin != nullptr && (status == DiskStatus::recycled || in_bin->at > now_);
  if (bound_for_bin) {
    const auto bin_time = in_bin->at;
    const Change* const ends = find_change(DiskStatus::deleting);
    const auto already = ends != nullptr && ends->at > now_ ? ends->at : SteadyTime::max();
    const auto destroyed = std::min(already, std::max(bin_time, leaves));
    drop_changes_after(*entry, bin_time);
    std::erase_if(entry->changes, [&](const Change& change) {
      return change.at == bin_time &&
             (change.status == DiskStatus::deleting || change.status == DiskStatus::absent);
    });
    destroy(*entry, destroyed);
  }
  return std::nullopt;
}

std::optional<ApiError> DiskModel::renew(const std::string& id, SteadyTime now) {
  advance(now);
  Entry* const entry = find(id);
  if (entry == nullptr) return not_found(id);
  const auto status = status_at(*entry, now_);
  if (status == DiskStatus::absent) return not_found(id);
  if (entry->disk.system) {
    return ApiError{400, "UNSUPPORTED_OPERATION_DISK_SYSTEM_TYPE",
                    "The disk `" + id + "` is a system disk."};
  }
  if (status != DiskStatus::recycled) return wrong_status(id);
  ++entry->accepted_renewals;
  drop_changes_after(*entry, now_);
  entry->changes.push_back({now_ + settings_.delays.renew, DiskStatus::available});
  return std::nullopt;
}

void DiskModel::attach(const std::string& id, SteadyTime now) {
  advance(now);
  Entry* const entry = find(id);
  if (entry == nullptr || status_at(*entry, now_) != DiskStatus::available ||
      entry->changes.back().at > now_) {
    return;
  }
  entry->changes.push_back({now_, DiskStatus::in_use});
}

bool DiskModel::matches(const Entry& entry, DiskStatus status, const DescribeQuery& query) {
  const auto& disk = entry.disk;
  const bool attached = status == DiskStatus::in_use || status == DiskStatus::detaching;
  return equals(query.disk_status, to_text(status)) &&
         equals(query.disk_type, disk.system ? "SYSTEM" : "DATA") &&
         equals(query.zone_id, disk.zone) && equals(query.region_id, region_of_zone(disk.zone)) &&
         equals(query.instance_id, attached ? k_instance_id : std::string_view{}) &&
         name_matches(query.disk_name, disk.name);
}

std::variant<DescribeResult, ApiError> DiskModel::describe(const DescribeQuery& query,
                                                           SteadyTime now) {
  advance(now);
  if (query.page_size > k_max_page_size) {
    return ApiError{400, "INVALID_PARAMETER_EXCEED_MAXIMUM", "pageSize must not exceed 1000."};
  }
  if (query.page_size < 1 || query.page_num < 1) {
    return ApiError{400, "INVALID_PARAMETER_LESS_MINIMUM", "pageNum and pageSize start at 1."};
  }
  DescribeResult result;
  std::vector<const Entry*> found;
  const auto seen_at = now_ - settings_.stale_read;
  const auto consider = [&](const Entry& entry) {
    const auto status = status_at(entry, seen_at);
    if (status != DiskStatus::absent && matches(entry, status, query)) found.push_back(&entry);
  };
  if (query.disk_ids.empty()) {
    for (const Entry& entry : entries_) consider(entry);
  } else {
    std::unordered_set<std::string_view> done;
    for (const auto& id : query.disk_ids) {
      if (!done.insert(id).second) continue;
      if (const Entry* const entry = find(id)) consider(*entry);
    }
  }
  result.total_count = found.size();
  const auto size = static_cast<std::size_t>(query.page_size);
  const auto page = static_cast<std::size_t>(query.page_num - 1);
  if (page <= found.size() / size) {
    const auto from = page * size;
    const auto to = std::min(found.size(), from + size);
    for (std::size_t at = from; at < to; ++at) {
      const Entry& entry = *found[at];
      result.rows.push_back({&entry.disk, status_at(entry, seen_at)});
    }
  }
  return result;
}

DiskFate DiskModel::fate_of(const Entry& entry, SteadyTime now) const {
  return {entry.disk.id, entry.accepted_releases, entry.accepted_renewals,
          status_at(entry, std::max(now, now_))};
}

std::optional<DiskFate> DiskModel::fate(const std::string& id, SteadyTime now) const {
  const auto known = index_.find(id);
  if (known == index_.end()) return std::nullopt;
  return fate_of(entries_[known->second], now);
}

std::vector<DiskFate> DiskModel::fates(SteadyTime now) const {
  std::vector<DiskFate> all;
  all.reserve(entries_.size());
  for (const auto& entry : entries_) all.push_back(fate_of(entry, now));
  return all;
}

}  // namespace diskrelease::sandbox
