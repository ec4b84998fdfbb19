#include "support/account_transport.h"

#include <algorithm>

#include "support/enrolled_run.h"
#include "support/scripted_transport.h"

namespace diskrelease {
namespace {

constexpr const char* k_not_listed = "not-listed";

bool is_describe(const HttpRequest& request) {
  return std::ranges::find(request.headers,
                           std::pair<std::string, std::string>("X-ZC-Action", "DescribeDisks")) !=
         request.headers.end();
}

/// The ids of {"diskIds":["a","b"],...}.
std::vector<std::string> asked_disks(const std::string& body) {
  std::vector<std::string> disks;
  std::size_t at = body.find('[') + 1;
  while (body[at] == '"') {
    const std::size_t end = body.find('"', at + 1);
    disks.push_back(body.substr(at + 1, end - at - 1));
    at = end + 1;
    if (body[at] == ',') ++at;
  }
  return disks;
}

}  // namespace

Reply AccountTransport::exchange(std::size_t lane, const HttpRequest& request) {
  const std::lock_guard lock(mutex_);
  if (is_describe(request)) {
    reading_lanes_.insert(lane);
    return describe(request);
  }
  const std::string disk = disk_of(request);
  releases_.push_back(disk);
  if (on_release) {
    if (std::optional<Reply> reply = on_release(disk)) return *std::move(reply);
  }
  const auto found = disks_.find(disk);
  if (found == disks_.end() || found->second == DiskStatus::absent) {
    return error_reply(404, "INVALID_DISK_NOT_FOUND");
  }
  if (found->second != DiskStatus::available && found->second != DiskStatus::recycled) {
    return error_reply(400, "UNSUPPORTED_OPERATION_DISK_STATUS");
  }
  execute(disk);
  return accepted_reply();
}

std::optional<TransportFailure> AccountTransport::connect(std::size_t lane) {
  const std::lock_guard lock(mutex_);
  if (reads_ == 0 && releases_.empty()) early_lanes_.insert(lane);
  return std::nullopt;
}

void AccountTransport::execute(const std::string& disk) {
  const std::lock_guard lock(mutex_);
  DiskStatus& status = disks_.at(disk);
  status = status == DiskStatus::recycled ? DiskStatus::absent : DiskStatus::recycled;
}

Reply AccountTransport::describe(const HttpRequest& request) {
  ++reads_;
  if (on_describe) {
    if (std::optional<Reply> reply = on_describe(reads_)) return *std::move(reply);
  }
  std::vector<std::string> rows;
  if (request.body.find("\"diskIds\"") == std::string::npos) {
    ++controls_;
    if (shows_others) rows.push_back(disk_row(k_not_listed, "AVAILABLE"));
    return describe_reply(rows);
  }
  for (const std::string& disk : asked_disks(request.body)) {
    if (shows_others && disk == k_not_listed) rows.push_back(disk_row(disk, "AVAILABLE"));
    const auto found = disks_.find(disk);
    if (found == disks_.end() || found->second == DiskStatus::absent) continue;
    rows.push_back(disk_row(disk, to_text(found->second)));
  }
  return describe_reply(rows);
}

Sighting sighting_of(const std::string& disk, DiskStatus status) {
  return {.disk = disk_id(disk),
          .status = status,
          .status_text = std::string(to_text(status)),
          .disk_type = "DATA",
          .portable = true,
          .name = "name",
          .zone = "asia-east-1a",
          .category = "",
          .instance_id = "",
          .size_gb = 30};
}

Reply describe_reply(const std::vector<std::string>& rows, std::int64_t total_count) {
  std::string body =
      R"({"requestId":"request-0003","response":{"requestId":"request-0003","totalCount":)" +
      std::to_string(total_count) + R"(,"dataSet":[)";
  for (std::size_t i = 0; i < rows.size(); ++i) body += (i > 0 ? "," : "") + rows[i];
  body += "]}}";
  return HttpResponse{200, {{"content-type", "application/json"}}, std::move(body), true};
}

Reply describe_reply(const std::vector<std::string>& rows) {
  return describe_reply(rows, std::ssize(rows));
}

std::string disk_row(const std::string& disk, std::string_view status) {
  return R"({"diskId":")" + disk + R"(","diskName":"name","diskType":"DATA","portable":true,)" +
         R"("diskStatus":")" + std::string(status) + R"(","diskSize":30,"instanceId":null})";
}

}  // namespace diskrelease
