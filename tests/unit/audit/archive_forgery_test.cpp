#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "audit/archive.h"
#include "audit/audit_file.h"
#include "audit/verification.h"
#include "support/archivable_run.h"
#include "support/enrolled_run.h"
#include "support/forger.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

constexpr UtcTime k_later = k_test_time + std::chrono::hours(1);

/// Three runs and an anchor after them; then somebody forges.
class ArchiveForgeryTest : public ::testing::Test {
 protected:
  ArchiveForgeryTest() {
    create_audit_database(file_);
    add_finished_run(file_, "a-", k_test_time);
    add_finished_run(file_, "b-", k_test_time);
    add_finished_run(file_, "c-", k_test_time);
    anchor();
  }

  void anchor() {
    Database database = open_evidence_for_reading(file_);
    anchors_.push_back({read_chain_head(database), k_test_time});
  }
  Verification verified(const std::filesystem::path& path) const {
    Database database = open_evidence_for_reading(path);
    return verify_audit(database, anchors_);
  }
  [[nodiscard]] std::int64_t anchored() const { return anchors_.back().head.block; }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  std::filesystem::path old_ = directory_ / "old.db";
  std::vector<Anchor> anchors_;
};

TEST_F(ArchiveForgeryTest, AMadeUpArchiveDoesNotHideThatAnotherRunWasChanged) {
  {
    Forger forger(file_);
    const std::int64_t block = anchored() + 1;
    forger.record_archive(1, {1}, anchored(), block);
    forger.sql("UPDATE outcome SET outcome = 'rejected' WHERE attempt_id = 7");
    forger.append_block(forger.entry(EvidenceKind::archive, 1) + forger.entries_of_run(2) +
                        forger.entries_of_run(3));
    forger.make_sealed(old_, {1});
    forger.empty_blocks(anchored());
    forger.remove_run(1);
  }
  EXPECT_EQ(verified(file_).anchors, 1);
  EXPECT_EQ(verified(old_).anchors, 1);
  EXPECT_THAT(verified(file_).problems, IsEmpty());
  EXPECT_THAT(verified(old_).problems, Not(IsEmpty()));
}

TEST_F(ArchiveForgeryTest, AMadeUpArchiveDoesNotHideThatAnotherRunWasRemoved) {
  {
    Forger forger(file_);
    forger.record_archive(1, {1}, anchored(), anchored() + 1);
    forger.remove_run(2);
    forger.append_block(forger.entry(EvidenceKind::archive, 1) + forger.entries_of_run(3));
    forger.make_sealed(old_, {1});
    forger.empty_blocks(anchored());
    forger.remove_run(1);
  }
  EXPECT_THAT(verified(file_).problems, Not(IsEmpty()));
  EXPECT_THAT(verified(old_).problems, Not(IsEmpty()));
}

}  // namespace
}  // namespace diskrelease
