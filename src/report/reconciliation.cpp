#include "report/reconciliation.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <tuple>
#include <utility>

namespace diskrelease {
namespace {

/// What an attempt of ours claims.
enum class Claim { took_effect, unknown, no_effect };

Claim claim_of(const OurAttempt& attempt) {
  if (attempt.outcome == "accepted" || attempt.settled == "executed") return Claim::took_effect;
  if (attempt.outcome == "open") return Claim::unknown;
  // Settled as gone: the disk has left, by whose call is not known.
  if (attempt.outcome == "unknown" && (attempt.settled.empty() || attempt.settled == "gone")) {
    return Claim::unknown;
  }
  return Claim::no_effect;
}

/// In which round of step 2 a pair is looked for.
int round_of(Claim claim, ProviderResult result) {
  if (result == ProviderResult::unclear) {
    return claim == Claim::took_effect ? 3 : claim == Claim::unknown ? 4 : 5;
  }
  if (claim == Claim::unknown) return result == ProviderResult::succeeded ? 1 : 2;
  const bool agree = (claim == Claim::took_effect) == (result == ProviderResult::succeeded);
  return agree ? 0 : 6;
}

constexpr int k_rounds = 7;

template <class Key>
std::vector<std::size_t> order_by(std::size_t count, Key key) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, key);
  return order;
}

using Indexes = std::vector<std::size_t>;

class Matching {
 public:
  Matching(const std::vector<OurAttempt>& attempts, const std::vector<ProviderRelease>& releases,
           const ReconciliationScope& scope)
      : attempts_(attempts),
        releases_(releases),
        scope_(scope),
        of_attempt_(attempts.size()),
        release_done_(releases.size(), false) {}

  Reconciliation run() {
    drop_repeated();
    pair_by_request_id();
    pair_by_disk();
    judge();
    // Of one moment: as judged, attempts first.
    std::ranges::stable_sort(found_.findings, {},
                             [this](const Finding& finding) { return time_of(finding); });
    return std::move(found_);
  }

 private:
  /// Pages that overlap, or one file given twice.
  void drop_repeated() {
    const auto key = [this](std::size_t i) {
      const ProviderRelease& r = releases_[i];
      return std::tie(r.disk.text(), r.time, r.request_id, r.user, r.client_ip, r.source, r.code,
                      r.result);
    };
    const Indexes order = order_by(releases_.size(), key);
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (key(order[i - 1]) != key(order[i])) continue;
      release_done_[order[i]] = true;
      ++found_.repeated;
    }
  }

  void pair_by_request_id() {
    const auto ours = [this](std::size_t i) {
      return std::tie(attempts_[i].request_id, attempts_[i].time);
    };
    const auto theirs = [this](std::size_t i) {
      return std::tie(releases_[i].request_id, releases_[i].time);
    };
    const Indexes by_ours = order_by(attempts_.size(), ours);
    const Indexes by_theirs = order_by(releases_.size(), theirs);
    auto attempt = by_ours.begin();
    for (const std::size_t release : by_theirs) {
      const std::string& id = releases_[release].request_id;
      if (id.empty() || release_done_[release]) continue;
      while (attempt != by_ours.end() && attempts_[*attempt].request_id < id) ++attempt;
      if (attempt == by_ours.end()) return;
      if (attempts_[*attempt].request_id != id) continue;
      pair(*attempt++, release);
      ++found_.by_request_id;
    }
  }

  void pair_by_disk() {
    const Indexes by_ours = order_by(attempts_.size(), [this](std::size_t i) {
      return std::tie(attempts_[i].disk_id, attempts_[i].time);
    });
    const Indexes by_theirs = order_by(releases_.size(), [this](std::size_t i) {
      return std::tie(releases_[i].disk.text(), releases_[i].time);
    });
    auto attempt = by_ours.begin();
    auto release = by_theirs.begin();
    while (attempt != by_ours.end() && release != by_theirs.end()) {
      const std::string& disk = attempts_[*attempt].disk_id;
      if (const int order = disk.compare(releases_[*release].disk.text()); order != 0) {
        order < 0 ? void(++attempt) : void(++release);
        continue;
      }
      const auto attempts_end = std::find_if(
          attempt, by_ours.end(), [&](std::size_t i) { return attempts_[i].disk_id != disk; });
      const auto releases_end = std::find_if(release, by_theirs.end(), [&](std::size_t i) {
        return releases_[i].disk.text() != disk;
      });
      for (int round = 0; round < k_rounds; ++round) {
        pair_in_round(round, Indexes(attempt, attempts_end), Indexes(release, releases_end));
      }
      attempt = attempts_end;
      release = releases_end;
    }
  }

  /// Of one disk, in the order of time.
  void pair_in_round(int round, const Indexes& ours, const Indexes& theirs) {
    for (const std::size_t attempt : ours) {
      if (of_attempt_[attempt]) continue;
      for (const std::size_t release : theirs) {
        if (release_done_[release]) continue;
        if (releases_[release].time > attempts_[attempt].time + scope_.window) break;
        if (can_pair(round, attempts_[attempt], releases_[release])) {
          pair(attempt, release);
          break;
        }
      }
    }
  }

  [[nodiscard]] bool can_pair(int round, const OurAttempt& ours,
                              const ProviderRelease& theirs) const {
    // Two ids that differ are two calls.
    if (!ours.request_id.empty() && !theirs.request_id.empty()) return false;
    return std::chrono::abs(ours.time - theirs.time) <= scope_.window &&
           round_of(claim_of(ours), theirs.result) == round;
  }

  void pair(std::size_t attempt, std::size_t release) {
    of_attempt_[attempt] = release;
    release_done_[release] = true;
  }

  void judge() {
    for (std::size_t i = 0; i < attempts_.size(); ++i) {
      if (scope_.run && attempts_[i].run_id != *scope_.run) {
        ++found_.other_runs;
      } else if (of_attempt_[i]) {
        judge_pair(i, *of_attempt_[i]);
      } else {
        judge_alone(i);
      }
    }
    for (std::size_t i = 0; i < releases_.size(); ++i) {
      if (release_done_[i]) continue;
      if (in_span(releases_[i].time)) {
        found_.findings.push_back({FindingKind::theirs_only, std::nullopt, i});
      } else {
        ++found_.outside_releases;
      }
    }
  }

  void judge_pair(std::size_t attempt, std::size_t release) {
    const Claim claim = claim_of(attempts_[attempt]);
    const ProviderResult result = releases_[release].result;
    const auto find = [&](FindingKind kind) {
      found_.findings.push_back({kind, attempt, release});
    };
    if (attempts_[attempt].disk_id != releases_[release].disk.text()) {
      find(FindingKind::other_disk);
    } else if (claim == Claim::took_effect && result == ProviderResult::failed) {
      find(FindingKind::they_failed);
    } else if (claim == Claim::no_effect && result == ProviderResult::succeeded) {
      find(FindingKind::they_succeeded);
    } else if (claim == Claim::no_effect) {
      ++found_.both_refused;
    } else {
      ++found_.matched;
      if (claim == Claim::unknown && result != ProviderResult::unclear) {
        find(result == ProviderResult::succeeded ? FindingKind::unknown_succeeded
                                                 : FindingKind::unknown_failed);
      }
    }
  }

  void judge_alone(std::size_t attempt) {
    if (!in_span(attempts_[attempt].time)) {
      ++found_.outside;
    } else if (claim_of(attempts_[attempt]) == Claim::no_effect) {
      ++found_.unlisted;
    } else {
      found_.findings.push_back({FindingKind::ours_only, attempt, std::nullopt});
    }
  }

  [[nodiscard]] bool in_span(UtcTime time) const noexcept {
    return time >= scope_.begin && time < scope_.end;
  }

  [[nodiscard]] UtcTime time_of(const Finding& finding) const {
    return finding.attempt ? attempts_[*finding.attempt].time : releases_[*finding.release].time;
  }

  const std::vector<OurAttempt>& attempts_;
  const std::vector<ProviderRelease>& releases_;
  const ReconciliationScope& scope_;
  std::vector<std::optional<std::size_t>> of_attempt_;  ///< the release it goes with
  std::vector<bool> release_done_;                      ///< goes with an attempt, or is repeated
  Reconciliation found_;
};

}  // namespace

bool is_near(const ReconciliationScope& scope, UtcTime time) noexcept {
  return time >= scope.begin - scope.window && time <= scope.end + scope.window;
}

std::string_view to_text(FindingKind kind) noexcept {
  switch (kind) {
    case FindingKind::ours_only:
      return "ours_only";
    case FindingKind::theirs_only:
      return "theirs_only";
    case FindingKind::they_succeeded:
      return "they_succeeded";
    case FindingKind::they_failed:
      return "they_failed";
    case FindingKind::other_disk:
      return "other_disk";
    case FindingKind::unknown_succeeded:
      return "unknown_succeeded";
    case FindingKind::unknown_failed:
      return "unknown_failed";
  }
  return "";
}

bool is_mismatch(FindingKind kind) noexcept {
  return kind != FindingKind::unknown_succeeded && kind != FindingKind::unknown_failed;
}

std::int64_t Reconciliation::mismatches() const noexcept {
  return std::ranges::count_if(findings, is_mismatch, &Finding::kind);
}

std::int64_t Reconciliation::count(FindingKind kind) const noexcept {
  return std::ranges::count(findings, kind, &Finding::kind);
}

Reconciliation reconcile(const std::vector<OurAttempt>& attempts,
                         const std::vector<ProviderRelease>& releases,
                         const ReconciliationScope& scope) {
  return Matching(attempts, releases, scope).run();
}

}  // namespace diskrelease
