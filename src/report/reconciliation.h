#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "input/provider_log.h"
#include "model/time.h"

namespace diskrelease {

/// An attempt as it is on our record.
struct OurAttempt {
  std::int64_t run_id = 0;
  std::int64_t attempt_number = 0;
  std::string disk_id;
  std::string outcome;  ///< "open" while there is none
  std::string settled;  ///< how an unknown one was settled; empty where it was not
  std::string request_id;
  UtcTime time;  ///< when it was sent, or else announced
};

/// What is held against what.
struct ReconciliationScope {
  UtcTime begin;  ///< the span that the provider's log covers: from here
  UtcTime end;    ///< to before here
  /// How far apart the two times of one call may be.
  std::chrono::milliseconds window{};
  std::optional<std::int64_t> run;  ///< findings about attempts of this run only
};

/// Whether an attempt can have a record in the log, or be missed there.
[[nodiscard]] bool is_near(const ReconciliationScope& scope, UtcTime time) noexcept;

/// How the two records of a call differ.
enum class FindingKind {
  ours_only,          ///< we say that it took effect, or may have; they have no record of it
  theirs_only,        ///< they have a record of a release that no attempt of ours has made
  they_succeeded,     ///< they say success; we have a refusal, or nothing sent
  they_failed,        ///< they say failure; we have acceptance
  other_disk,         ///< one request id, two disks
  unknown_succeeded,  ///< no difference: what we do not know, they do
  unknown_failed,     ///< the same
};

/// Persisted nowhere, but read by programs: a text is not renamed.
[[nodiscard]] std::string_view to_text(FindingKind kind) noexcept;

/// False for what only answers an open question.
[[nodiscard]] bool is_mismatch(FindingKind kind) noexcept;

struct Finding {
  FindingKind kind = FindingKind::ours_only;
  std::optional<std::size_t> attempt;  ///< place among the attempts
  std::optional<std::size_t> release;  ///< place among the releases
};

/// Every attempt is counted once and every release once: in `matched`, `both_refused` and the
/// findings with both sides together, else in one of the others.
struct Reconciliation {
  std::int64_t matched = 0;           ///< accepted, executed or unknown; they have a record of it
  std::int64_t by_request_id = 0;     ///< pairs found by request id, whatever became of them
  std::int64_t both_refused = 0;      ///< without effect on both sides
  std::int64_t unlisted = 0;          ///< without effect as we say, and they have no record of it
  std::int64_t other_runs = 0;        ///< attempts of other runs, where one run was asked for
  std::int64_t outside = 0;           ///< attempts without a record, outside of the span
  std::int64_t outside_releases = 0;  ///< releases without an attempt, outside of the span
  std::int64_t repeated = 0;          ///< releases that the export has more than once
  std::vector<Finding> findings;      ///< by time

  [[nodiscard]] std::int64_t mismatches() const noexcept;
  [[nodiscard]] std::int64_t count(FindingKind kind) const noexcept;
};

/// Holds attempts against releases, each at most once:
/// 1. by request id, whatever disk and time say;
/// 2. by disk, where the times are at most the window apart and not both have a request id; first
///    those that agree, then those that are unclear, last those that contradict. Within each the
///    earliest go together.
/// Pure. Time grows as n log n, for one disk as its attempts times its releases: it has few of the
/// first, whatever the log says.
[[nodiscard]] Reconciliation reconcile(const std::vector<OurAttempt>& attempts,
                                       const std::vector<ProviderRelease>& releases,
                                       const ReconciliationScope& scope);

}  // namespace diskrelease
