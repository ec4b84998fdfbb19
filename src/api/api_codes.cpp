#include "api/api_codes.h"

#include <algorithm>

#include "api/classify.h"

namespace diskrelease {
namespace {

struct KnownCode {
  std::string_view code;
  CodeMeaning meaning;
  std::string_view explanation;
};

// The disk's id is the only parameter that differs from call to call, so what is said of a
// parameter's value is said of it.
//
// Sources: the ReleaseDisk and RenewDisk pages of docs.console.zenlayer.com (zec and vm), and for
// the common codes the sources of zenlayer-cloud-csi-driver (pkg/cloud/error.go) and
// terraform-provider-zenlayercloud (zenlayercloud/common/errors.go).
constexpr KnownCode k_known_codes[] = {
    {"INVALID_DISK_NOT_FOUND", CodeMeaning::disk_not_found,
     "no such disk in this account: already destroyed, mistyped, in another account or not a zec "
     "disk"},
    {"OPERATION_FAILED_RESOURCE_NOT_FOUND", CodeMeaning::disk_not_found,
     "no such resource in this account"},
    {"INVALID_DISK_NOT_PORTABLE", CodeMeaning::other_of_disk,
     "the disk cannot be detached; it goes away with its instance"},
    {"UNSUPPORTED_OPERATION_DISK_STATUS", CodeMeaning::unfit_status,
     "the disk's status does not allow this, e.g. because it is attached or in transition"},
    {"UNSUPPORTED_OPERATION_DISK_BEING_RECYCLE", CodeMeaning::in_recycle_bin,
     "the disk is in the recycle bin already"},
    {"UNSUPPORTED_OPERATION_DISK_NOT_BEING_RECYCLE", CodeMeaning::other_of_disk,
     "a vm disk is released only from the recycle bin; terminate it first"},
    {"UNSUPPORTED_OPERATION_DISK_SYSTEM_TYPE", CodeMeaning::other_of_disk,
     "a boot disk; it goes away with its instance"},
    {"OPERATION_DENIED_DISK_SYSTEM_TYPE", CodeMeaning::other_of_disk,
     "a boot disk; it goes away with its instance"},
    {"UNSUPPORTED_OPERATION_RECYCLE_STATUS", CodeMeaning::other_of_disk,
     "the recycle bin entry's status does not allow this now"},
    {"UNSUPPORTED_OPERATION_INSTANCE_CHARGE_TYPE", CodeMeaning::other_of_disk,
     "only possible for pay-as-you-go disks, this one is a subscription"},
    {"INVALID_ORDER_NOT_FOUND", CodeMeaning::other_of_disk, "the disk's order does not exist"},
    {"ORDER_UNPROCESSED_ORDERS_FOR_THIS_RESOURCE", CodeMeaning::other_of_disk,
     "an order for this disk is still being processed"},
    {"OPERATION_FAILED_FOR_RECYCLE_RESOURCE", CodeMeaning::in_recycle_bin,
     "not possible for a resource that is being recycled"},
    {"FAILED_OPERATION_FOR_RECYCLE_RESOURCE", CodeMeaning::in_recycle_bin,
     "not possible for a resource that is being recycled"},
    {"OPERATION_FAILED_RESOURCE_GROUP_NOT_FOUND", CodeMeaning::other,
     "the resource group does not exist"},
    {"INTERNAL_SERVER_ERROR", CodeMeaning::uncertain,
     "a fault at the provider; the call may have been executed"},
    {"SERVICE_TEMPORARY_UNAVAILABLE", CodeMeaning::uncertain,
     "the service was unavailable; the call may have been executed"},
    {"REQUEST_TIMED_OUT", CodeMeaning::uncertain,
     "the provider gave up waiting; the call may have been executed"},
    {"INVALID_OPERATION_TIMEOUT", CodeMeaning::uncertain,
     "the provider gave up waiting; the call may have been executed"},
    {"REQUEST_LIMIT_EXCEEDED", CodeMeaning::throttled, "too many requests"},
    {"AUTHFAILURE_INVALID_AUTHORIZATION", CodeMeaning::authentication,
     "the Authorization header was not understood"},
    {"AUTHFAILURE_SIGNATURE_FAILURE", CodeMeaning::authentication,
     "the signature does not match: a wrong secret, or something changed the request on its way"},
    {"AUTHFAILURE_SIGNATURE_EXPIRED", CodeMeaning::authentication,
     "this machine's clock and the provider's differ by more than five minutes"},
    {"AUTHFAILURE_UNAUTHORIZED_OPERATION", CodeMeaning::authentication,
     "this credential may not do that, or the API does not exist"},
    {"MISSING_PARAMETER", CodeMeaning::other, "a parameter is missing"},
    {"INVALID_PARAMETER_TYPE", CodeMeaning::other_of_disk, "a parameter has the wrong type"},
    {"INVALID_PARAMETER_EXCEED_MAXIMUM", CodeMeaning::other_of_disk, "a parameter is too large"},
    {"INVALID_PARAMETER_LESS_MINIMUM", CodeMeaning::other_of_disk, "a parameter is too small"},
    {"INVALID_PARAMETER_EXCEED_LENGTH", CodeMeaning::other_of_disk, "a parameter is too long"},
    {"INVALID_PARAMETER_LESS_LENGTH", CodeMeaning::other_of_disk, "a parameter is too short"},
    {"INVALID_PARAMETER_PATTERN_ERROR", CodeMeaning::other_of_disk,
     "a parameter does not have the form asked for"},
    {"INVALID_PARAMETER_DATE_FORMAT_ERROR", CodeMeaning::other,
     "a date parameter does not have the form asked for"},
    {"INVALID_PARAMETER_VALUE", CodeMeaning::other_of_disk,
     "a parameter has a value that is not allowed"},
    {"INVALID_PARAMETER", CodeMeaning::other_of_disk, "a parameter is not acceptable"},
};

constexpr char folded(char c) noexcept {
  if (c == '.') return '_';
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool equals(std::string_view code, std::string_view known) noexcept {
  return std::ranges::equal(code, known, {}, folded);
}

const KnownCode* find_code(std::string_view code) noexcept {
  const auto find = [](std::string_view text) -> const KnownCode* {
    const auto* const found = std::ranges::find_if(
        k_known_codes, [&](const KnownCode& k) { return equals(text, k.code); });
    return found == std::end(k_known_codes) ? nullptr : found;
  };
  if (const KnownCode* whole = find(code)) return whole;
  return find(code.substr(0, code.find('.')));
}

}  // namespace

CodeMeaning meaning_of(std::string_view api_code) noexcept {
  if (const KnownCode* known = find_code(api_code)) return known->meaning;
  // Families whose members are not all published.
  constexpr std::string_view auth = "AUTHFAILURE";
  constexpr std::string_view recycle = "_FOR_RECYCLE_RESOURCE";
  if (equals(api_code, auth) ||
      (api_code.size() > auth.size() && equals(api_code.substr(0, auth.size()), auth) &&
       folded(api_code[auth.size()]) == '_')) {
    return CodeMeaning::authentication;
  }
  if (api_code.size() > recycle.size() &&
      equals(api_code.substr(api_code.size() - recycle.size()), recycle)) {
    return CodeMeaning::in_recycle_bin;
  }
  return CodeMeaning::other;
}

bool concerns_disk(std::string_view api_code) noexcept {
  switch (meaning_of(api_code)) {
    case CodeMeaning::disk_not_found:
    case CodeMeaning::in_recycle_bin:
    case CodeMeaning::unfit_status:
    case CodeMeaning::other_of_disk:
      return true;
    case CodeMeaning::uncertain:
    case CodeMeaning::throttled:
    case CodeMeaning::authentication:
    case CodeMeaning::other:
      break;
  }
  return false;
}

std::string_view explain_code(std::string_view api_code) noexcept {
  const KnownCode* known = find_code(api_code);
  return known == nullptr ? std::string_view() : known->explanation;
}

}  // namespace diskrelease
