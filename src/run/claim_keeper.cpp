#include "run/claim_keeper.h"

#include <algorithm>
#include <utility>

#include "model/visible_text.h"

namespace diskrelease {
namespace {

bool is_settled(const RefusedClaim& refused) {
  // It was released, but the record of it is lost.
  if (refused.own) return false;
  switch (refused.state) {
    case ClaimState::accepted:
    case ClaimState::gone:
      return true;
    case ClaimState::held:
      return refused.at_work;
    case ClaimState::unknown:
      break;
  }
  return false;
}

std::string describe(const RefusedClaim& refused) {
  const ClaimHolder& by = refused.holder;
  const std::string path = visible(by.database_path);
  const std::string run = std::to_string(by.run.value);
  std::string text = "database " + path + ", run " + run + ", " + visible(by.user) + '@' +
                     visible(by.host) + ", " + format_utc(refused.since) + ": ";
  switch (refused.state) {
    case ClaimState::accepted:
      return text + (refused.own ? "released by a later state of this database, which is an older "
                                   "copy; put the original back, or run diskrelease audit verify"
                                 : "released");
    case ClaimState::gone:
      return text + "gone already";
    case ClaimState::unknown:
      return text + "outcome unknown; diskrelease settle " + run + " --db " + path;
    case ClaimState::held:
      break;
  }
  if (refused.at_work) return text + "at work (pid " + std::to_string(by.pid) + ')';
  return text + "its process was killed; diskrelease resume " + run + " --db " + path;
}

/// nullopt = nothing has changed for the claim.
std::optional<ClaimChange> change_of(const AttemptEvent& event) {
  auto parsed = DiskId::parse(event.disk_id);
  auto* const disk = std::get_if<DiskId>(&parsed);
  if (disk == nullptr) return std::nullopt;
  ClaimChange change{{std::move(*disk), event.stage}, std::nullopt};
  switch (event.outcome) {
    case Outcome::accepted:
      change.state = ClaimState::accepted;
      return change;
    case Outcome::already_gone:
      change.state = ClaimState::gone;
      return change;
    case Outcome::unknown:
      change.state = ClaimState::unknown;
      return change;
    case Outcome::rejected:
      if (event.scope == Scope::disk) return change;
      break;
    case Outcome::throttled:
    case Outcome::not_sent:
      break;
  }
  // It is tried again, or given back at the end.
  return std::nullopt;
}

}  // namespace

DecisionRecord skip_of(ItemId item, const RefusedClaim& refused) {
  return {DecisionKind::skip, item,
          is_settled(refused) ? "claimed_elsewhere" : "unsettled_elsewhere", describe(refused)};
}

ClaimKeeper::ClaimKeeper(Claims& claims, const Clock& clock, bool both_stages)
    : clock_(clock), both_stages_(both_stages), claims_(claims), written_(clock.steady_now()) {}

ClaimKeeper::Page ClaimKeeper::claim(std::vector<PendingItem> items) {
  const std::lock_guard lock(mutex_);
  std::vector<ClaimKey> keys;
  for (const PendingItem& item : items) {
    keys.push_back({item.disk, item.stage});
    if (both_stages_ && item.stage == Stage::release) keys.push_back({item.disk, Stage::destroy});
  }
  const std::vector<std::optional<RefusedClaim>> answers =
      claims_.claim_page(keys, clock_.utc_now());
  Page page;
  auto answer = answers.begin();
  for (PendingItem& item : items) {
    const std::optional<RefusedClaim>* refused = &*answer++;
    if (both_stages_ && item.stage == Stage::release) {
      // Whoever has the first stage does not keep what is in the bin from being purged.
      if (*refused) item.released_elsewhere = true;
      refused = &*answer++;
    }
    if (!*refused) {
      page.granted.push_back(std::move(item));
      continue;
    }
    page.skipped.push_back(skip_of(item.item, **refused));
    const std::string& id = (*refused)->holder.database_id;
    auto found = std::ranges::find_if(
        skipped_, [&](const Skipped& known) { return known.holder.database_id == id; });
    if (found == skipped_.end()) found = skipped_.insert(found, {(*refused)->holder, 0});
    ++found->disks;
  }
  return page;
}

std::optional<std::string> ClaimKeeper::ended(const AttemptEvent& event) {
  try {
    const std::lock_guard lock(mutex_);
    if (auto change = change_of(event)) changes_.push_back(std::move(*change));
    const SteadyTime now = clock_.steady_now();
    if (changes_.size() < k_changes_a_commit && now - written_ < k_changes_wait) {
      return std::nullopt;
    }
    written_ = now;
    write_changes();
  } catch (const ClaimsLost& error) {
    return error.what();
  } catch (const ClaimsUnusable&) {  // NOLINT(bugprone-empty-catch)
    // Where the store cannot be used any more, the next page of claims says so.
  }
  return std::nullopt;
}

void ClaimKeeper::write_changes() {
  const std::vector<ClaimChange> changes = std::exchange(changes_, {});
  claims_.change(changes, clock_.utc_now());
}

std::vector<ClaimKeeper::Skipped> ClaimKeeper::skipped() const {
  const std::lock_guard lock(mutex_);
  return skipped_;
}

}  // namespace diskrelease
