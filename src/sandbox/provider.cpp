#include "sandbox/provider.h"

#include <Poco/JSONString.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <variant>

namespace diskrelease::sandbox {
namespace {

Answer json_answer(int status, std::string body) {
  return {status, {{"Content-Type", "application/json;charset=UTF-8"}}, std::move(body)};
}

Answer html_answer(int status, const std::string& title) {
  return {status,
          {{"Content-Type", "text/html"}},
          "<html><head><title>" + title + "</title></head><body><h1>" + title +
              "</h1></body></html>\n"};
}

Answer success(const std::string& request_id, const std::string& members) {
  return json_answer(200, R"({"requestId":")" + request_id + R"(","response":{"requestId":")" +
                              request_id + '"' + members + "}}");
}

Answer refusal(const ApiError& error, LedgerEntry& entry) {
  entry.code = error.code;
  return json_answer(error.http_status, R"({"requestId":")" + entry.request_id + R"(","code":)" +
                                            Poco::toJSON(error.code) + R"(,"message":)" +
                                            Poco::toJSON(error.message) + '}');
}

Answer too_many(int status, BodyForm body, std::optional<std::chrono::seconds> retry_after,
                LedgerEntry& entry) {
  Answer answer = body == BodyForm::html
                      ? html_answer(status, "Too many requests")
                      : refusal({status, "REQUEST_LIMIT_EXCEEDED", "Too many requests."}, entry);
  if (retry_after) answer.headers.emplace_back("Retry-After", std::to_string(retry_after->count()));
  return answer;
}

void append_instance(std::string& json, DiskStatus status, DetachedForm form) {
  const bool attached = status == DiskStatus::in_use || status == DiskStatus::detaching;
  if (attached) {
    json += R"(,"instanceId":")" + std::string(k_instance_id) + R"(","instanceName":"sandbox-vm")";
    return;
  }
  switch (form) {
    case DetachedForm::null:
      json += R"(,"instanceId":null,"instanceName":null)";
      break;
    case DetachedForm::empty:
      json += R"(,"instanceId":"","instanceName":"")";
      break;
    case DetachedForm::missing:
      break;
  }
}

/// The shape of DiskInfo in the models of zenlayer/zenlayercloud-sdk-go, zec20250901.
std::string row_json(const DiskRow& row, DetachedForm form) {
  const Disk& disk = *row.disk;
  std::string json = R"({"diskId":)" + Poco::toJSON(disk.id);
  json += R"(,"diskName":)" + Poco::toJSON(disk.name);
  json += R"(,"regionId":)" + Poco::toJSON(region_of_zone(disk.zone));
  json += R"(,"zoneId":)" + Poco::toJSON(disk.zone);
  json += disk.system ? R"(,"diskType":"SYSTEM")" : R"(,"diskType":"DATA")";
  json += disk.portable ? R"(,"portable":true)" : R"(,"portable":false)";
  json += R"(,"diskCategory":"Standard NVMe SSD","diskSize":)" + std::to_string(disk.size_gb);
  json += R"(,"diskStatus":")";
  json += to_text(row.status);
  json += '"';
  append_instance(json, row.status, form);
  json +=
      R"(,"createTime":"2026-01-02T03:04:05Z","expiredTime":null,"period":null)"
      R"(,"resourceGroupId":"0a1b2c3d-0000-0000-0000-000000000000","resourceGroupName":"Default")"
      R"(,"serial":null,"snapshotAbility":true,"autoSnapshotPolicyId":null,"tags":{"tags":[]})"
      R"(,"burstingEnabled":false})";
  return json;
}

std::string members_json(const DescribeResult& result, DetachedForm form) {
  std::string json = R"(,"totalCount":)" + std::to_string(result.total_count) + R"(,"dataSet":[)";
  for (std::size_t at = 0; at < result.rows.size(); ++at) {
    if (at > 0) json += ',';
    json += row_json(result.rows[at], form);
  }
  json += ']';
  return json;
}

std::string http_date(UtcTime time) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  const auto length = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), length};
}

/// The answer of kinds that replace it; `honest` for the others.
Answer replaced(Answer honest, const Fault& fault, const std::string& other_request_id,
                LedgerEntry& entry) {
  const auto& id = entry.request_id;
  const auto page = [&](int status, const std::string& title) {
    entry.code.clear();
    return html_answer(status, title);
  };
  switch (fault.kind) {
    case FaultKind::html_200:
      return page(200, "Welcome");
    case FaultKind::code_without_response_200:
      return refusal({200, "INTERNAL_SERVER_ERROR", "Something went wrong."}, entry);
    case FaultKind::garbage_json_200:
      entry.code.clear();
      return json_answer(200, R"({"requestId":")" + id + R"(","response":{"requestId":)");
    case FaultKind::empty_204:
      entry.code.clear();
      return {204, {}, {}};
    case FaultKind::http_error: {
      Answer answer =
          fault.body == BodyForm::html
              ? page(fault.status, "Error " + std::to_string(fault.status))
              : refusal({fault.status, fault.code.empty() ? "INTERNAL_SERVER_ERROR" : fault.code,
                         "The scenario says so."},
                        entry);
      if (fault.retry_after) {
        answer.headers.emplace_back("Retry-After", std::to_string(fault.retry_after->count()));
      }
      return answer;
    }
    case FaultKind::auth_failure:
      return refusal({fault.status, fault.code, "The scenario says so."}, entry);
    case FaultKind::throttle:
      entry.code.clear();
      return too_many(fault.status, fault.body, fault.retry_after, entry);
    case FaultKind::challenge_403: {
      Answer answer = page(403, "Just a moment...");
      answer.headers.emplace_back("cf-mitigated", "challenge");
      return answer;
    }
    case FaultKind::blocked_451:
      return page(451, "Unavailable For Legal Reasons");
    case FaultKind::redirect_302: {
      Answer answer = page(302, "Found");
      answer.headers.emplace_back("Location", fault.location);
      return answer;
    }
    case FaultKind::wrong_request_id: {
      const auto inner = honest.body.rfind(id);
      if (inner != std::string::npos) honest.body.replace(inner, id.size(), other_request_id);
      return honest;
    }
    case FaultKind::close_before_reading:
    case FaultKind::drop_before_executing:
    case FaultKind::close_after_executing:
    case FaultKind::stall:
    case FaultKind::answer_after:
    case FaultKind::drip:
    case FaultKind::cut_body:
    case FaultKind::cut_header:
    case FaultKind::close_after_answer:
    case FaultKind::gzip:
    case FaultKind::chunked:
    case FaultKind::chunked_cut:
    case FaultKind::duplicate_content_length:
    case FaultKind::negative_content_length:
    case FaultKind::extra_response:
    case FaultKind::attach_before_executing:
      return honest;
  }
  return honest;
}

}  // namespace

Provider::Provider(const Scenario& scenario, SteadyTime start)
    : detached_form_(scenario.detached_form),
      latency_(scenario.latency),
      seed_(scenario.seed()),
      clock_offset_(scenario.check.clock_offset),
      disks_(scenario.model, start),
      faults_(scenario.faults, scenario.seed()),
      request_ids_(scenario.seed()),
      now_(start) {
  if (scenario.rate_limit) rate_limit_.emplace(*scenario.rate_limit);
  for (const auto& disk : scenario.disks) disks_.add(disk);
}

std::string Provider::new_request_id() {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string id = "T";
  for (int half = 0; half < 2; ++half) {
    auto bits = request_ids_();
    for (int digit = 0; digit < 16; ++digit, bits >>= 4U) id += digits[bits & 0x0fU];
  }
  for (const std::size_t at : {9U, 14U, 19U, 24U}) id.insert(at, 1, '-');
  id[15] = '4';                                  // RFC 9562: version 4,
  id[20] = "89AB"[digits.find(id[20]) & 0x03U];  // variant 10
  return id;
}

Answer Provider::execute(const CheckedRequest& request, const Fault* fault, LedgerEntry& entry) {
  std::optional<ApiError> error;
  std::string members;
  switch (request.action) {
    case Action::release_disk:
      error = disks_.release(request.disk_ids.front(), now_,
                             fault != nullptr ? fault->effect_after : std::chrono::milliseconds{0});
      break;
    case Action::renew_disk:
      error = disks_.renew(request.disk_ids.front(), now_);
      break;
    case Action::describe_disks: {
      const auto result = disks_.describe(request.query, now_);
      if (const auto* const found = std::get_if<DescribeResult>(&result)) {
        members = members_json(*found, detached_form_);
      } else {
        error = std::get<ApiError>(result);
      }
      break;
    }
    case Action::unknown:
      error = request.refusal;
      break;
  }
  if (error) return refusal(*error, entry);
  entry.executed = true;
  return success(entry.request_id, members);
}

Answer Provider::answer(const CheckedRequest& request, const Fault* fault, LedgerEntry& entry) {
  if (request.not_the_api) {
    return html_answer(*request.not_the_api, "Error " + std::to_string(*request.not_the_api));
  }
  if (request.refusal) return refusal(*request.refusal, entry);
  if (rate_limit_ && !rate_limit_->admit(now_)) {
    const auto& limit = rate_limit_->settings();
    return too_many(429, limit.body, limit.retry_after, entry);
  }
  if (request.bad_parameters) return refusal(*request.bad_parameters, entry);
  if (fault != nullptr && !fault->executed) return success(entry.request_id, {});
  return execute(request, fault, entry);
}

Reaction Provider::handle(const CheckedRequest& request, ArrivalTime arrived) {
  now_ = std::max(now_, arrived.steady);
  Reaction reaction;
  LedgerEntry& entry = reaction.entry;
  entry.sequence = ledger_.size() + 1;
  entry.arrived_utc = arrived.utc;
  entry.arrived = now_;
  entry.action = request.action_name;
  entry.disk_ids = request.disk_ids;
  entry.request_id = new_request_id();
  entry.client_tag = request.client_tag;

  const Fault* const fault = faults_.decide(request.action_name, request.disk_ids, entry.sequence);
  if (fault != nullptr && fault->kind == FaultKind::attach_before_executing) {
    for (const auto& id : request.disk_ids) disks_.attach(id, now_);
  }
  Answer out = answer(request, fault, entry);
  if (fault != nullptr) {
    entry.fault = to_text(fault->kind);
    out = replaced(std::move(out), *fault, new_request_id(), entry);
  }
  out.headers.emplace_back("Date", http_date(arrived.utc + clock_offset_));
  reaction.script = fault != nullptr ? faulty_script(out, *fault) : plain_script(out);
  reaction.script.delay += draw_latency(latency_, seed_, entry.sequence);
  if (reaction.script.bytes.empty()) {
    entry.code.clear();
  } else {
    entry.status = out.status;
  }
  ledger_.push_back(entry);
  return reaction;
}

void Provider::note_delivery(std::uint64_t sequence, Delivery delivery) {
  ledger_.at(sequence - 1).delivery = delivery;
}

}  // namespace diskrelease::sandbox
