#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "coordination/claims.h"
#include "model/run_record.h"
#include "store/database.h"

namespace diskrelease {

/// What an audit database says about its own claims. All throw AuditUnusable.

/// Which audit database it is: the hash of its chain's first block, which copies share and nothing
/// changes. nullopt while nothing is recorded.
[[nodiscard]] std::optional<std::string> audit_database_id(Database& database);

/// Records that an invocation claims in this store: the witness of later invocations.
void record_claims_store(Database& database, RunId run, InvocationId invocation,
                         const Claims& claims, UtcTime now);

/// What invocations for this account have recorded that would not have expired by `now`.
[[nodiscard]] std::optional<ClaimsWitness> read_claims_witness(Database& database,
                                                               std::string_view account,
                                                               UtcTime now);

/// Brings the claims of this database, of all its sessions, to what its rows say: accepted, gone,
/// unknown, or given back where no attempt may have been executed. The caller holds the database's
/// lock, and no attempt is under way. Throws ClaimsUnusable as well.
void follow_audit(Claims& claims, Database& database, UtcTime now);

}  // namespace diskrelease
