#include "cli/claims_access.h"

#include "cli/invocation.h"
#include "coordination/audited_claims.h"
#include "coordination/sqlite_claims.h"
#include "model/visible_text.h"
#include "platform/host.h"
#include "record/run_records.h"
#include "run/dispatch.h"

namespace diskrelease {
namespace {

std::optional<ClaimsPlace> place_of_claims() {
  return claims_place(environment_variable("DISKRELEASE_CLAIMS_DIR"), state_directory());
}

std::string absolute_path(const std::filesystem::path& file) {
  std::error_code error;
  const std::filesystem::path found = std::filesystem::weakly_canonical(file, error);
  return (error ? std::filesystem::absolute(file) : found).string();
}

}  // namespace

InvocationClaims begin_claims(const Options& options, Database& database,
                              const std::filesystem::path& database_file,
                              const std::string& account, const RunRecord& run, UtcTime now) {
  InvocationClaims claims;
  if (options.sandbox) return claims;
  std::optional<UtcTime> until;
  try {
    const std::optional<ClaimsPlace> place = place_of_claims();
    if (!place) {
      throw ClaimsUnusable(
          "claims store: neither XDG_STATE_HOME nor a home directory is known; set "
          "DISKRELEASE_CLAIMS_DIR");
    }
    const ProcessIdentity me = process_identity();
    claims.store = std::make_unique<SqliteClaims>(
        *place, account,
        ClaimHolder{audit_database_id(database).value_or(""), absolute_path(database_file), run.id,
                    me.user, me.host, me.pid, now});
    const auto witness = read_claims_witness(database, account, now);
    follow_audit(*claims.store, database, now);
    if (const auto distrust = claims.store->distrust(witness, now)) {
      claims.problem = "claims may be missing: " + distrust->why;
      until = distrust->until;
    }
  } catch (const ClaimsUnusable& error) {
    claims.store.reset();
    claims.problem = error.what();
  }
  if (claims.problem.empty()) return claims;
  claims.longest_look = Dispatch::k_distrustful_look;
  say(options, "warning: " + claims.problem +
                   "\n  why:  runs of other audit databases on this machine may release the same "
                   "disks\n  fix:  let one database at a time work on this account; disks are "
                   "looked at 2 s before each call " +
                   (until ? "until " + format_utc(*until) : std::string("in this run")));
  return claims;
}

void record_claims(Database& database, const RunRecord& run, InvocationId invocation,
                   const InvocationClaims& claims, UtcTime now) {
  if (!claims.problem.empty()) {
    record_decision(database, run.id, invocation,
                    {DecisionKind::approve, std::nullopt, "claims_not_trusted", claims.problem},
                    now);
  }
  if (claims.store) record_claims_store(database, run.id, invocation, *claims.store, now);
}

void end_claims(const Options& options, Database& database, InvocationClaims& claims, UtcTime now) {
  if (!claims.store) return;
  try {
    follow_audit(*claims.store, database, now);
  } catch (const ClaimsUnusable& error) {
    say(options, "warning: " + std::string(error.what()) +
                     "\n  why:  claims of this run stay, and keep other databases away for 8 days"
                     "\n  fix:  once the store can be used, run settle: it gives them back");
  }
}

std::vector<std::string> others_at_work(const Options& options, Database& database,
                                        const std::string& account) {
  std::vector<std::string> lines;
  const auto place = place_of_claims();
  if (options.sandbox || !place) return lines;
  const std::string own = audit_database_id(database).value_or("");
  for (const ClaimHolder& holder : databases_at_work(*place, account, own)) {
    lines.push_back(describe(holder));
  }
  return lines;
}

std::string describe(const ClaimHolder& holder) {
  return "database " + visible(holder.database_path) + ", run " + std::to_string(holder.run.value) +
         ", " + visible(holder.user) + '@' + visible(holder.host) + ", pid " +
         std::to_string(holder.pid) + ", since " + format_utc(holder.started);
}

}  // namespace diskrelease
