#include "api/calls.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "api/signed_call.h"
#include "api/signer.h"

namespace diskrelease {
namespace {

constexpr std::string_view k_path = "/api/v2/zec";
constexpr std::string_view k_service = "zec";
constexpr std::string_view k_version = "2025-09-01";
constexpr std::string_view k_content_type = "application/json";

// No escaping: the alphabet of DiskId has nothing that JSON would have to escape.
void append_quoted(std::string& json, const DiskId& disk) {
  json.append("\"").append(disk.text()).append("\"");
}

}  // namespace

HttpRequest signed_call(const Caller& caller, std::string_view action, std::string body,
                        UtcTime now) {
  const SignedParts parts{
      .content_type = k_content_type,
      .host = caller.host_header,
      .body = body,
      .unix_seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count()};
  HeaderFields headers = {{"Content-Type", std::string(k_content_type)},
                          {"X-ZC-Action", std::string(action)},
                          {"X-ZC-Version", std::string(k_version)},
                          {"X-ZC-Service", std::string(k_service)}};
  if (caller.credential.kind == Credential::Kind::key_pair) {
    headers.emplace_back("X-ZC-Timestamp", std::to_string(parts.unix_seconds));
    headers.emplace_back("X-ZC-Signature-Method", "ZC2-HMAC-SHA256");
  }
  headers.emplace_back("Authorization", authorization(caller.credential, parts));
  headers.emplace_back("Accept", "application/json");
  headers.emplace_back("User-Agent", "diskrelease-" DISKRELEASE_VERSION);
  headers.emplace_back("X-ZC-Request-Client", caller.client_tag);
  return HttpRequest{
      .path = std::string(k_path), .headers = std::move(headers), .body = std::move(body)};
}

std::string release_disk_body(const DiskId& disk) {
  std::string body = R"({"diskId":)";
  append_quoted(body, disk);
  return body += "}";
}

std::string describe_disks_body(std::span<const DiskId> disks) {
  if (disks.empty() || disks.size() > k_max_described_disks) {
    (void)std::fprintf(stderr, "describe_disks: %zu ids given, allowed are 1 to %zu\n",
                       disks.size(), k_max_described_disks);
    std::abort();
  }
  std::string body = R"({"diskIds":[)";
  for (const DiskId& disk : disks) {
    if (&disk != &disks.front()) body += ",";
    append_quoted(body, disk);
  }
  return body.append(R"(],"pageNum":1,"pageSize":)").append(std::to_string(disks.size())) += "}";
}

const HttpRequest& ReleaseRequest::of(const Departure& departure) const {
  if (departure.attempt() != attempt_) std::abort();
  return request_;
}

ReleaseRequest release_disk_request(const Caller& caller, const OpenAttempt& attempt, UtcTime now) {
  return {attempt.id(), signed_call(caller, "ReleaseDisk", release_disk_body(attempt.disk()), now)};
}

HttpRequest describe_disks_request(const Caller& caller, std::span<const DiskId> disks,
                                   UtcTime now) {
  return signed_call(caller, "DescribeDisks", describe_disks_body(disks), now);
}

HttpRequest describe_account_request(const Caller& caller, UtcTime now) {
  return signed_call(caller, "DescribeDisks", R"({"pageNum":1,"pageSize":1})", now);
}

}  // namespace diskrelease
