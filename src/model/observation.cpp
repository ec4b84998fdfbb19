#include "model/observation.h"

#include <algorithm>
#include <array>
#include <utility>

namespace diskrelease {
namespace {

constexpr std::array<std::pair<DiskStatus, std::string_view>, 14> k_texts{{
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
    {DiskStatus::other, "OTHER"},
}};

}  // namespace

std::string_view to_text(DiskStatus status) noexcept {
  const auto* const found =
      std::ranges::find(k_texts, status, &decltype(k_texts)::value_type::first);
  return found == k_texts.end() ? std::string_view() : found->second;
}

std::optional<DiskStatus> disk_status_from_text(std::string_view text) noexcept {
  const auto* const found =
      std::ranges::find(k_texts, text, &decltype(k_texts)::value_type::second);
  if (found == k_texts.end()) return std::nullopt;
  return found->first;
}

bool is_transitional(DiskStatus status) noexcept {
  switch (status) {
    case DiskStatus::creating:
    case DiskStatus::attaching:
    case DiskStatus::detaching:
    case DiskStatus::changing:
    case DiskStatus::snapshot_creating:
    case DiskStatus::rolling_back:
      return true;
    case DiskStatus::available:
    case DiskStatus::in_use:
    case DiskStatus::recycling:
    case DiskStatus::recycled:
    case DiskStatus::deleting:
    case DiskStatus::failed:
    case DiskStatus::absent:
    case DiskStatus::other:
      return false;
  }
  return false;
}

std::string_view to_text(ReadPurpose purpose) noexcept {
  switch (purpose) {
    case ReadPurpose::preflight:
      return "preflight";
    case ReadPurpose::settle:
      return "settle";
    case ReadPurpose::verify:
      return "verify";
  }
  return "";
}

}  // namespace diskrelease
