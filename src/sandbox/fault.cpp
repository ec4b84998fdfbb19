#include "sandbox/fault.h"

#include <algorithm>
#include <array>

#include "sandbox/seeded_draw.h"

namespace diskrelease::sandbox {
namespace {

struct KindFacts {
  FaultKind kind;
  std::string_view name;
  bool executed;    ///< by default
  bool may_choose;  ///< the scenario may say otherwise
};

constexpr std::array k_kinds{
    KindFacts{FaultKind::close_before_reading, "close_before_reading", false, false},
    KindFacts{FaultKind::drop_before_executing, "drop_before_executing", false, false},
    KindFacts{FaultKind::close_after_executing, "close_after_executing", true, false},
    KindFacts{FaultKind::stall, "stall", true, true},
    KindFacts{FaultKind::answer_after, "answer_after", true, false},
    KindFacts{FaultKind::drip, "drip", true, false},
    KindFacts{FaultKind::cut_body, "cut_body", true, true},
    KindFacts{FaultKind::cut_header, "cut_header", true, true},
    KindFacts{FaultKind::close_after_answer, "close_after_answer", true, false},
    KindFacts{FaultKind::html_200, "html_200", true, true},
    KindFacts{FaultKind::code_without_response_200, "code_without_response_200", true, true},
    KindFacts{FaultKind::garbage_json_200, "garbage_json_200", true, true},
    KindFacts{FaultKind::empty_204, "empty_204", true, true},
    KindFacts{FaultKind::http_error, "http_error", false, true},
    KindFacts{FaultKind::auth_failure, "auth_failure", false, false},
    KindFacts{FaultKind::throttle, "throttle", false, false},
    KindFacts{FaultKind::challenge_403, "challenge_403", false, false},
    KindFacts{FaultKind::blocked_451, "blocked_451", false, false},
    KindFacts{FaultKind::redirect_302, "redirect_302", false, false},
    KindFacts{FaultKind::gzip, "gzip", true, false},
    KindFacts{FaultKind::chunked, "chunked", true, false},
    KindFacts{FaultKind::chunked_cut, "chunked_cut", true, true},
    KindFacts{FaultKind::wrong_request_id, "wrong_request_id", true, false},
    KindFacts{FaultKind::duplicate_content_length, "duplicate_content_length", true, false},
    KindFacts{FaultKind::negative_content_length, "negative_content_length", true, false},
    KindFacts{FaultKind::extra_response, "extra_response", true, false},
    KindFacts{FaultKind::attach_before_executing, "attach_before_executing", true, false},
};

const KindFacts& facts(FaultKind kind) noexcept {
  return *std::ranges::find(k_kinds, kind, &KindFacts::kind);
}

}  // namespace

std::string_view to_text(FaultKind kind) noexcept { return facts(kind).name; }

std::optional<FaultKind> fault_kind_from_text(std::string_view text) noexcept {
  const auto* const found = std::ranges::find(k_kinds, text, &KindFacts::name);
  if (found == k_kinds.end()) return std::nullopt;
  return found->kind;
}

std::vector<std::string_view> fault_kind_names() {
  std::vector<std::string_view> names;
  names.reserve(k_kinds.size());
  for (const auto& kind : k_kinds) names.push_back(kind.name);
  return names;
}

bool may_choose_executed(FaultKind kind) noexcept { return facts(kind).may_choose; }

Fault default_fault(FaultKind kind) {
  Fault fault;
  fault.kind = kind;
  fault.executed = facts(kind).executed;
  if (kind == FaultKind::close_before_reading) fault.ending = Ending::rst;
  if (kind == FaultKind::http_error) fault.status = 500;
  if (kind == FaultKind::auth_failure) {
    fault.status = 401;
    fault.code = "AUTHFAILURE_SIGNATURE_FAILURE";
  }
  if (kind == FaultKind::throttle) fault.status = 429;
  if (kind == FaultKind::redirect_302) fault.location = "https://login.invalid/";
  if (kind == FaultKind::drip) fault.delay = std::chrono::milliseconds(10);
  return fault;
}

const Fault* FaultPlan::decide(std::string_view action, std::span<const std::string> disk_ids,
                               std::uint64_t sequence) {
  const Fault* winner = nullptr;
  for (std::size_t rule = 0; rule < rules_.size(); ++rule) {
    if (befalls(rule, action, disk_ids, sequence) && winner == nullptr) {
      winner = &rules_[rule].fault;
    }
  }
  return winner;
}

bool FaultPlan::befalls(std::size_t rule, std::string_view action,
                        std::span<const std::string> disk_ids, std::uint64_t sequence) {
  const auto& match = rules_[rule].match;
  if (!match.action.empty() && match.action != action) return false;
  // Per disk, a request for several disks counts for the first one that is meant.
  const std::string* meant = disk_ids.empty() ? nullptr : &disk_ids.front();
  if (!match.disk_ids.empty()) {
    const auto found = std::ranges::find_if(
        disk_ids, [&](const std::string& id) { return match.disk_ids.contains(id); });
    if (found == disk_ids.end()) return false;
    meant = &*found;
  }
  if (match.per_disk && meant == nullptr) return false;

  const std::uint64_t count = match.per_disk ? ++disk_counts_[rule][*meant] : ++counts_[rule];
  if (match.nth && count != *match.nth) return false;
  if (match.every && count % *match.every != 0) return false;
  if (match.first && count > *match.first) return false;
  if (match.probability) {
    const auto rule_seed = seeded_bits(seed_, static_cast<std::uint64_t>(rule) + 1);
    const auto bits = match.per_disk ? seeded_bits(seeded_bits(rule_seed, *meant), count)
                                     : seeded_bits(rule_seed, sequence);
    if (as_fraction(bits) >= *match.probability) return false;
  }
  return true;
}

}  // namespace diskrelease::sandbox
