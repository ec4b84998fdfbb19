#include "coordination/audited_claims.h"
#include "record/run_records.h"

#include "platform/sha256.h"

namespace diskrelease {
namespace {

constexpr std::string_view k_reason = "claims_store";
constexpr std::int64_t k_page = 500;

/// A claim may be so much older than the intent that follows it: it was made with its whole page.
constexpr std::chrono::hours k_page_takes{24};

/// What the rows say of a disk and stage: 3 accepted, 2 unknown, 1 gone, else nothing that may have
/// been executed. Bind: 1 disk, 2 stage.
Statement fate_of(Database& database) {
  return database.prepare(
      "SELECT max(fate) FROM ("
      " SELECT CASE"
      "   WHEN outcome.outcome = 'accepted' OR verdict.settled IN ('executed', 'gone') THEN 3"
      "   WHEN outcome.outcome IS NULL OR (outcome.outcome = 'unknown' AND verdict.settled IS NULL)"
      "     THEN 2"
      "   WHEN outcome.outcome = 'already_gone' THEN 1"
      "   ELSE 0 END AS fate"
      " FROM disk_item"
      " JOIN attempt ON attempt.item_id = disk_item.item_id AND attempt.stage = ?2"
      " LEFT JOIN outcome USING (attempt_id) LEFT JOIN verdict USING (attempt_id)"
      " WHERE disk_item.disk_id = ?1"
      " UNION ALL SELECT 3 FROM archived_release WHERE disk_id = ?1 AND stage = ?2)");
}

}  // namespace

std::optional<std::string> audit_database_id(Database& database) {
  Statement select = database.prepare("SELECT hash FROM chain WHERE block_id = 1");
  if (!select.step()) return std::nullopt;
  return to_hex(select.text(0));
}

void record_claims_store(Database& database, RunId run, InvocationId invocation,
                         const Claims& claims, UtcTime now) {
  record_decision(database, run, invocation,
                  {DecisionKind::approve, std::nullopt, std::string(k_reason), claims.store_id()},
                  now);
}

std::optional<ClaimsWitness> read_claims_witness(Database& database, std::string_view account,
                                                 UtcTime now) {
  const UtcTime since = now - k_claims_kept + k_page_takes;
  Statement latest = database.prepare(
      "SELECT detail, decided_utc_ms FROM decision JOIN invocation USING (invocation_id)"
      " WHERE decision.item_id IS NULL AND decision.reason = ?1 AND endpoint = ?2"
      " ORDER BY decision_id DESC LIMIT 1");
  latest.bind(1, k_reason).bind(2, account);
  if (!latest.step() || latest.utc(1) < since) return std::nullopt;
  ClaimsWitness witness{std::string(latest.text(0)), latest.utc(1), std::nullopt};
  Statement accepted = database.prepare(
      "SELECT item.disk_id, attempt.stage FROM attempt"
      " JOIN outcome USING (attempt_id) JOIN item USING (item_id)"
      " JOIN invocation USING (invocation_id)"
      " WHERE outcome.outcome = 'accepted' AND invocation.endpoint = ?1 AND intent_utc_ms >= ?2"
      "   AND invocation_id IN (SELECT invocation_id FROM decision"
      "                         WHERE item_id IS NULL AND reason = ?3 AND detail = ?4)"
      " ORDER BY attempt_id DESC LIMIT 1");
  accepted.bind(1, account).bind(2, since).bind(3, k_reason).bind(4, witness.store_id);
  if (accepted.step()) {
    auto disk = DiskId::parse(accepted.text(0));
    if (auto* const id = std::get_if<DiskId>(&disk)) {
      witness.accepted =
          ClaimKey{std::move(*id), accepted.integer(1) == 2 ? Stage::destroy : Stage::release};
    }
  }
  return witness;
}

void follow_audit(Claims& claims, Database& database, UtcTime now) {
  Statement fate = fate_of(database);
  // What is changed gets a session of ours, in which it is found once more at the most.
  std::optional<OpenClaim> after;
  while (true) {
    const std::vector<OpenClaim> page = claims.open_claims(after, k_page);
    std::vector<ClaimChange> changes;
    for (const OpenClaim& claim : page) {
      fate.bind(1, claim.key.disk.text()).bind(2, std::int64_t{static_cast<int>(claim.key.stage)});
      // No attempt at all: of an unknown claim it is an older state of the database that asks.
      const bool known = fate.step() && !fate.is_null(0);
      const std::int64_t found = known ? fate.integer(0) : 0;
      fate.reset();
      if (found == 3) changes.push_back({claim.key, ClaimState::accepted});
      if (found == 2 && claim.state != ClaimState::unknown) {
        changes.push_back({claim.key, ClaimState::unknown});
      }
      if (found == 1) changes.push_back({claim.key, ClaimState::gone});
      if (found == 0 && (known || claim.state != ClaimState::unknown)) {
        changes.push_back({claim.key, std::nullopt});
      }
    }
    claims.change(changes, now);
    if (std::ssize(page) < k_page) return;
    after = page.back();
  }
}

}  // namespace diskrelease
