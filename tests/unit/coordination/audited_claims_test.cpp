#include "coordination/audited_claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "coordination/sqlite_claims.h"
#include "record/attempt_log.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// The endpoint of begin_test_invocation().
constexpr std::string_view k_account = "127.0.0.1:1";

class AuditedClaimsTest : public ::testing::Test {
 protected:
  AuditedClaimsTest() {
    create_audit_database(file_);
    Database database = writing();
    run_ = enrol(database, numbered_disks(8));
    id_ = *audit_database_id(database);
    invocation_ = begin_test_invocation(database, run_.id);
  }

  [[nodiscard]] Database writing() const { return open_audit_for_writing(file_); }

  [[nodiscard]] std::unique_ptr<SqliteClaims> session() const {
    return std::make_unique<SqliteClaims>(
        ClaimsPlace{directory_ / "claims", false}, std::string(k_account),
        ClaimHolder{id_, file_.string(), run_.id, "joe", "db1", 1, k_test_time});
  }

  static ClaimKey key(int number) { return {disk_id("disk-" + std::to_string(number))}; }

  [[nodiscard]] ItemId item(int number) const { return {run_.first_item.value + number - 1}; }

  /// One attempt, with its outcome unless that is open.
  void attempt(int number, std::optional<Outcome> outcome, UtcTime at = k_test_time) const {
    AttemptLog log(writing(), run_.id, invocation_);
    OpenAttempt open = log.announce(item(number), key(number).disk, 1, Stage::release, at).take();
    if (!outcome) return;
    OutcomeRecord record;
    record.outcome = *outcome;
    record.finished = at;
    log.record_outcome(std::move(open), record);
    log.flush();
  }

  [[nodiscard]] std::vector<std::string> open_claims(Claims& claims) const {
    std::vector<std::string> found;
    for (const OpenClaim& claim : claims.open_claims(std::nullopt, 100)) {
      found.push_back(claim.key.disk.text() + " " + std::string(to_text(claim.state)));
    }
    return found;
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  RunRecord run_;
  InvocationId invocation_;
  std::string id_;
};

TEST_F(AuditedClaimsTest, ADatabaseKeepsItsIdAndSharesItWithItsCopiesOnly) {
  EXPECT_EQ(id_.size(), 64U);
  attempt(1, Outcome::accepted);
  Database database = writing();
  EXPECT_EQ(audit_database_id(database), id_);
  const std::filesystem::path other = directory_ / "other.db";
  create_audit_database(other);
  Database another = open_audit_for_writing(other);
  EXPECT_EQ(audit_database_id(another), std::nullopt);
  RunDescription description = test_description();
  description.random_seed = 99;
  enrol(another, {"disk-1"}, description);
  EXPECT_NE(audit_database_id(another), id_);
}

TEST_F(AuditedClaimsTest, ClaimsFollowWhatTheRowsSay) {
  auto claims = session();
  std::vector<ClaimKey> keys;
  for (int number = 1; number <= 8; ++number) keys.push_back(key(number));
  static_cast<void>(claims->claim_page(keys, k_test_time));
  attempt(1, Outcome::accepted);
  attempt(2, Outcome::already_gone);
  attempt(3, Outcome::unknown);
  attempt(4, Outcome::rejected);
  attempt(5, Outcome::not_sent);
  attempt(6, std::nullopt);  // open
  attempt(7, Outcome::unknown);
  {
    Database database = writing();
    mark_items(database, run_, invocation_,
               std::vector<Marking>{{key(7).disk, Settled::not_executed}}, "seen", k_test_time);
  }
  // As after a crash: another session of the same database settles them.
  claims.reset();
  claims = session();
  {
    Database database = writing();
    follow_audit(*claims, database, k_test_time);
  }
  EXPECT_THAT(open_claims(*claims), ElementsAre("disk-3 unknown", "disk-6 unknown"));
  SqliteClaims other({directory_ / "claims", false}, std::string(k_account),
                     ClaimHolder{"another", "/b.db", RunId{1}, "ann", "db1", 2, k_test_time});
  std::vector<std::string> granted;
  const auto answers = other.claim_page(keys, k_test_time);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    granted.push_back(answers[i] ? std::string(to_text(answers[i]->state)) : "granted");
  }
  EXPECT_THAT(granted, ElementsAre("accepted", "gone", "unknown", "granted", "granted", "unknown",
                                   "granted", "granted"));
}

TEST_F(AuditedClaimsTest, ManyOpenClaimsAreAllSettled) {
  const auto claims = session();
  std::vector<ClaimKey> keys;
  for (int number = 1; number <= 1'203; ++number) keys.push_back(key(number));
  static_cast<void>(claims->claim_page(keys, k_test_time));
  attempt(3, Outcome::unknown);
  Database database = writing();
  follow_audit(*claims, database, k_test_time);
  EXPECT_THAT(open_claims(*claims), ElementsAre("disk-3 unknown"));
}

TEST_F(AuditedClaimsTest, TheWitnessIsTheStoreUsedLastAndTheLatestAcceptedCall) {
  const auto claims = session();
  Database database = writing();
  EXPECT_FALSE(read_claims_witness(database, k_account, k_test_time)) << "nothing was claimed";
  record_claims_store(database, run_.id, invocation_, *claims, k_test_time);
  const auto nothing_sent = read_claims_witness(database, k_account, k_test_time);
  ASSERT_TRUE(nothing_sent);
  EXPECT_EQ(nothing_sent->store_id, claims->store_id());
  EXPECT_EQ(nothing_sent->at, k_test_time);
  EXPECT_FALSE(nothing_sent->accepted);
  attempt(1, Outcome::accepted);
  attempt(2, Outcome::accepted);
  attempt(3, Outcome::rejected);
  EXPECT_EQ(read_claims_witness(database, k_account, k_test_time)->accepted, key(2));
  EXPECT_FALSE(read_claims_witness(database, "other.example", k_test_time));
  // What has expired is missing rightly.
  const UtcTime later = k_test_time + k_claims_kept - hours(24);
  EXPECT_TRUE(read_claims_witness(database, k_account, later));
  EXPECT_FALSE(read_claims_witness(database, k_account, later + milliseconds(1)));
}

}  // namespace
}  // namespace diskrelease
