#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordination/claims.h"

namespace diskrelease {

/// Where the claims of a machine lie.
struct ClaimsPlace {
  std::filesystem::path folder;
  bool shared = false;  ///< among the users who may write to the folder, through its group
};

/// `chosen` where a folder was chosen; else `system_folder` (/var/lib/diskrelease) where it is a
/// folder that this user may write to and not everybody; else `state_directory`. nullopt = nowhere.
/// Nothing is created.
[[nodiscard]] std::optional<ClaimsPlace> claims_place(
    const std::optional<std::string>& chosen,
    const std::optional<std::filesystem::path>& state_directory,
    const std::filesystem::path& system_folder = "/var/lib/diskrelease");

/// Claims in one SQLite file, claims.db, of a local folder: for the processes of one machine (WAL;
/// pages of claims with synchronous=FULL, changes without). Beside it lies claims.lock, in which a
/// byte is locked for each audit database at work: the kernel knows who lives.
class SqliteClaims final : public Claims {
 public:
  /// Begins a session. The file is made where there is none: mode 0600, in a shared folder 0660
  /// with the folder's group. Throws ClaimsUnusable, the file untouched, when it cannot be written
  /// or is not a claims store of this version; LockHeld when another process works on an audit
  /// database with the same id.
  SqliteClaims(const ClaimsPlace& place, std::string account, ClaimHolder me);
  ~SqliteClaims() override;

  [[nodiscard]] std::vector<std::optional<RefusedClaim>> claim_page(std::span<const ClaimKey> keys,
                                                                    UtcTime now) override;
  void change(std::span<const ClaimChange> changes, UtcTime now) override;
  [[nodiscard]] std::vector<OpenClaim> open_claims(const std::optional<OpenClaim>& after,
                                                   std::int64_t limit) override;
  [[nodiscard]] std::vector<ClaimHolder> others_at_work() override;
  [[nodiscard]] const std::string& store_id() const noexcept override;
  [[nodiscard]] std::optional<ClaimsDistrust> distrust(const std::optional<ClaimsWitness>& witness,
                                                       UtcTime now) override;

  /// Claims removed with each writing call, beyond as many as it has made.
  static constexpr std::int64_t k_pruned_a_commit = 500;

 private:
  struct Private;
  std::unique_ptr<Private> private_;
};

/// What others_at_work() says, without a session and without creating anything. Empty where there
/// is no store, or it cannot be read.
[[nodiscard]] std::vector<ClaimHolder> databases_at_work(const ClaimsPlace& place,
                                                         std::string_view account,
                                                         std::string_view own_database_id);

}  // namespace diskrelease
