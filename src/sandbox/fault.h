#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sandbox/server_rate_limit.h"

namespace diskrelease::sandbox {

/// What can go wrong with one request. docs/sandbox.md lists the keys of each.
enum class FaultKind {
  close_before_reading,       ///< the connection breaks as if the request had not been read
  drop_before_executing,      ///< read, not executed, connection ended without an answer
  close_after_executing,      ///< executed, connection ended without an answer
  stall,                      ///< no answer; the connection stays open until the client leaves
  answer_after,               ///< the right answer, later
  drip,                       ///< the right answer, a byte at a time
  cut_body,                   ///< the connection ends within the body
  cut_header,                 ///< the connection ends within the head
  close_after_answer,         ///< a kept connection ends right after the answer, unannounced
  html_200,                   ///< status 200 with a web page
  code_without_response_200,  ///< status 200, JSON with code and message, no response
  garbage_json_200,           ///< status 200, JSON that breaks off although the length is right
  empty_204,                  ///< status 204
  http_error,                 ///< any status, as JSON or as a web page
  auth_failure,               ///< an AUTHFAILURE_* code
  throttle,                   ///< 429
  challenge_403,              ///< the edge's challenge page, cf-mitigated: challenge
  blocked_451,                ///< the edge's policy block
  redirect_302,
  gzip,                      ///< the right answer, compressed although nobody asked for it
  chunked,                   ///< the right answer in chunks
  chunked_cut,               ///< the connection ends between chunks
  wrong_request_id,          ///< outer and inner request id differ
  duplicate_content_length,  ///< two lengths that contradict each other
  negative_content_length,   ///< Content-Length: -7
  extra_response,            ///< a second answer that nobody asked for follows
  attach_before_executing,   ///< somebody attaches the disk just before; answered normally
};

[[nodiscard]] std::string_view to_text(FaultKind kind) noexcept;
[[nodiscard]] std::optional<FaultKind> fault_kind_from_text(std::string_view text) noexcept;
[[nodiscard]] std::vector<std::string_view> fault_kind_names();

/// How a connection ends.
enum class Ending {
  close_notify,  ///< TLS says goodbye, then FIN
  fin,           ///< FIN without a word from TLS
  rst,           ///< TCP reset
};

struct Fault {
  FaultKind kind = FaultKind::stall;
  bool executed = false;  ///< whether the request is carried out
  /// Carried out, but the effect begins this much later: an execution that outlives its request.
  std::chrono::milliseconds effect_after{0};
  Ending ending = Ending::close_notify;
  std::chrono::milliseconds delay{0};  ///< answer_after: before the answer; drip: between bytes
  int status = 0;                      ///< http_error, auth_failure, throttle
  std::string code;                    ///< http_error, auth_failure
  BodyForm body = BodyForm::json;      ///< http_error, throttle
  std::optional<std::chrono::seconds> retry_after;  ///< http_error, throttle
  std::optional<std::size_t> keep_bytes;            ///< cut_body, cut_header: bytes before the cut
  std::string location;                             ///< redirect_302
};

/// What a kind does where the scenario says nothing more.
[[nodiscard]] Fault default_fault(FaultKind kind);

/// Whether a scenario may say if the request is carried out. For the others the kind decides.
[[nodiscard]] bool may_choose_executed(FaultKind kind) noexcept;

/// Which requests a fault befalls: those that meet every condition given.
struct FaultMatch {
  std::string action;                        ///< empty = any
  std::unordered_set<std::string> disk_ids;  ///< empty = any; else one of the request's is here
  std::optional<std::uint64_t> nth;          ///< the nth request of that action and those disks
  std::optional<std::uint64_t> every;        ///< the nth, the 2nth, ...
  std::optional<std::uint64_t> first;        ///< up to the nth
  std::optional<double> probability;
  /// Count per disk rather than over all requests, and draw by disk and count rather than by
  /// sequence: independent of the order in which the disks' requests arrive.
  bool per_disk = false;
};

struct FaultRule {
  FaultMatch match;
  Fault fault;
};

/// Decides which fault befalls a request. The first rule that matches wins; every rule counts the
/// requests of its action and disks, whether or not it wins. Deterministic: seed, sequence numbers
/// and disk ids decide alone. Pure, not thread-safe.
class FaultPlan {
 public:
  FaultPlan(std::vector<FaultRule> rules, std::uint64_t seed)
      : rules_(std::move(rules)),
        seed_(seed),
        counts_(rules_.size()),
        disk_counts_(rules_.size()) {}

  /// Call it once for each request. nullptr = none; otherwise valid as long as the plan.
  [[nodiscard]] const Fault* decide(std::string_view action, std::span<const std::string> disk_ids,
                                    std::uint64_t sequence);

 private:
  [[nodiscard]] bool befalls(std::size_t rule, std::string_view action,
                             std::span<const std::string> disk_ids, std::uint64_t sequence);

  const std::vector<FaultRule> rules_;
  const std::uint64_t seed_;
  std::vector<std::uint64_t> counts_;                                        ///< per rule
  std::vector<std::unordered_map<std::string, std::uint64_t>> disk_counts_;  ///< per rule and disk
};

}  // namespace diskrelease::sandbox
