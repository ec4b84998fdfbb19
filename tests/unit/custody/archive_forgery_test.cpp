#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "custody/archive.h"
#include "custody/verification.h"
#include "evidence/embedded_schema.h"
#include "record/audit_file.h"
#include "support/archivable_run.h"
#include "support/enrolled_run.h"
#include "support/forger.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr UtcTime k_later = k_test_time + std::chrono::hours(1);

/// What somebody forges who can write every file and cannot write the anchors. Each run has seven
/// items and six attempts, so attempt 7 is the first one of run 2.
class ArchiveForgeryTest : public ::testing::Test {
 protected:
  ArchiveForgeryTest() {
    create_audit_database(file_);
    for (const char* prefix : {"a-", "b-", "c-"}) add_finished_run(file_, prefix, k_test_time);
    anchor();
  }

  void anchor() {
    Database database = open_evidence_for_reading(file_);
    anchors_.push_back({read_chain_head(database), k_test_time});
  }
  /// The block of the latest anchor, after which anything can be written.
  [[nodiscard]] std::int64_t anchored() const { return anchors_.back().head.block; }

  /// All findings of the files as they are verified together.
  std::vector<std::string> findings(const std::vector<std::filesystem::path>& paths) const {
    std::vector<VerifiedFile> files;
    for (const std::filesystem::path& path : paths) {
      Database database = open_for_verification(path);
      files.push_back({path.filename().string(), verify_audit(database, anchors_)});
    }
    verify_files(files);
    std::vector<std::string> all;
    for (const VerifiedFile& file : files) {
      for (const std::string& problem : file.found.problems) all.push_back(problem);
    }
    return all;
  }
  Verification alone(const std::filesystem::path& path) const {
    std::vector<VerifiedFile> files(1);
    Database database = open_for_verification(path);
    files[0].found = verify_audit(database, anchors_);
    verify_files(files);
    return files[0].found;
  }

  /// A record of archive 1 with these runs in the block behind the last anchor, with further
  /// entries; its sealed file; and the database without them and without the anchored entries.
  void forge_archive(Forger& forger, const std::vector<std::int64_t>& runs,
                     const std::vector<std::int64_t>& entered_again) {
    forger.record_archive(1, runs, anchored(), anchored() + 1);
    finish_archive(forger, runs, entered_again, anchored());
  }
  void finish_archive(Forger& forger, const std::vector<std::int64_t>& runs,
                      const std::vector<std::int64_t>& entered_again, std::int64_t emptied) {
    std::string entries = forger.entry(EvidenceKind::archive, 1);
    for (const std::int64_t run : entered_again) entries += forger.entries_of_run(run);
    forger.append_block(entries);
    forger.make_sealed(old_, runs);
    forger.empty_blocks(emptied);
    for (const std::int64_t run : runs) forger.remove_run(run);
  }
  /// The last block with an entry about a run, all in a row.
  static std::int64_t last_block_of_first_run(Forger& forger) {
    return forger.number(
        "SELECT min(block_id) - 1 FROM chain WHERE instr(entries, x'010000000000000002') > 0");
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
  std::filesystem::path old_ = directory_ / "old.db";
  std::vector<Anchor> anchors_;
};

/// The forger makes what this program makes, so that what is found below is found for what differs.
TEST_F(ArchiveForgeryTest, AnArchiveThatIsMadeAsThisProgramMakesItIsVerified) {
  {
    Forger forger(file_);
    const std::int64_t emptied = last_block_of_first_run(forger);
    forger.record_archive(1, {1}, emptied, anchored() + 1);
    finish_archive(forger, {1}, {}, emptied);
  }
  EXPECT_THAT(findings({file_, old_}), IsEmpty());
  add_finished_run(file_, "d-", k_test_time);
  anchor();
  EXPECT_THAT(findings({file_, old_}), IsEmpty());
}

TEST_F(ArchiveForgeryTest, RowsThatWereChangedAndEnteredAgainAreFoundWithTheArchive) {
  {
    Forger forger(file_);
    forger.sql("UPDATE outcome SET outcome = 'rejected' WHERE attempt_id = 7");
    forge_archive(forger, {1}, {2, 3});
  }
  EXPECT_THAT(findings({file_, old_}), Contains(HasSubstr("outcome 7: no archive has it")));
  EXPECT_THAT(alone(old_).problems, Contains(HasSubstr("outcome 7: no archive has it")));
  // Without the archive nothing can tell, and nothing is said to be anchored.
  const Verification database = alone(file_);
  EXPECT_EQ(database.anchors, 1);
  EXPECT_EQ(database.unseen_blocks, anchored());
  EXPECT_FALSE(database.anchored());
  EXPECT_GT(database.later_entries, 0);
}

TEST_F(ArchiveForgeryTest, ARunThatWasRemovedIsFoundWithAndWithoutTheArchive) {
  {
    Forger forger(file_);
    forger.remove_run(2);
    forge_archive(forger, {1}, {3});
  }
  EXPECT_THAT(alone(file_).problems, Contains("run 2 to 2: the chain has no entry of them, and no "
                                              "archive has them"));
  EXPECT_THAT(alone(old_).problems, Contains(HasSubstr("run 2: no archive has it")));
}

TEST_F(ArchiveForgeryTest, ARunThatTheRecordSaysIsArchivedHasToBeInTheFile) {
  {
    Forger forger(file_);
    forger.record_archive(1, {1, 2}, anchored(), anchored() + 1);
    finish_archive(forger, {1}, {3}, anchored());
    forger.remove_run(2);
  }
  EXPECT_FALSE(alone(file_).anchored());
  EXPECT_THAT(alone(old_).problems, Contains(HasSubstr("attempt 7: is missing")));
}

TEST_F(ArchiveForgeryTest, RowsThatAreChangedOnTheirWayIntoTheFileAreFound) {
  {
    Forger forger(file_);
    forger.sql("UPDATE outcome SET request_id = 'T' WHERE attempt_id = 2");
    forge_archive(forger, {1, 2}, {3});
  }
  EXPECT_THAT(alone(old_).problems, Contains(HasSubstr("outcome 2: was changed")));
}

TEST_F(ArchiveForgeryTest, LowerKeysThatAreEnteredBehindHigherArchivedOnesAreFound) {
  {
    Forger forger(file_);
    forger.sql("UPDATE outcome SET outcome = 'rejected' WHERE attempt_id = 1");
    forge_archive(forger, {2, 3}, {1});
  }
  EXPECT_THAT(alone(file_).problems,
              Contains(HasSubstr("has attempt 18, the chain has none behind 6")));
}

TEST_F(ArchiveForgeryTest, AnArchivedRunThatIsEnteredAgainIsFound) {
  std::filesystem::copy_file(file_, directory_ / "before.db");
  archive_all(file_, old_, k_later);
  anchor();
  {
    Forger forger(file_);
    forger.sql("ATTACH '" + (directory_ / "before.db").string() + "' AS before");
    for (const char* table :
         {"run", "item", "duplicate_line", "invocation", "invocation_end", "attempt", "outcome",
          "disk_read", "observation", "verdict", "decision"}) {
      forger.sql(std::string("INSERT OR IGNORE INTO main.") + table + " SELECT * FROM before." +
                 table);
    }
    forger.sql("DETACH before");
    forger.remove_run(2);
    forger.append_block(forger.entries_of_run(1));
  }
  EXPECT_THAT(alone(file_).problems, Contains(HasSubstr("run 1: was entered again in block")));
  EXPECT_THAT(alone(file_).problems, Contains(HasSubstr("verdict 2: was entered again in block")));
}

TEST_F(ArchiveForgeryTest, ARowOfAnotherRunIsNotTakenAlong) {
  {
    Forger forger(file_);
    const std::int64_t emptied = last_block_of_first_run(forger);
    forger.record_archive(1, {1}, emptied, anchored() + 1);
    // The disk of attempt 7 would be pending again.
    forger.sql("INSERT INTO archived_rows VALUES (1, 'attempt', 7, 7)");
    finish_archive(forger, {1}, {}, emptied);
    Forger sealed(old_);
    sealed.sql("ATTACH '" + file_.string() + "' AS main_file");
    for (const char* table : {"attempt", "outcome", "verdict"}) {
      sealed.sql(std::string("INSERT INTO main.") + table + " SELECT * FROM main_file." + table +
                 " WHERE attempt_id = 7");
      forger.sql(std::string("DELETE FROM ") + table + " WHERE attempt_id = 7");
    }
    sealed.sql("DETACH main_file");
  }
  EXPECT_THAT(findings({file_, old_}), Contains("attempt 7: refers to item, of which the row is "
                                                "not here"));
}

TEST_F(ArchiveForgeryTest, WhatTheArchivedRunsReleasedIsNotForgotten) {
  {
    Forger forger(file_);
    const std::int64_t emptied = last_block_of_first_run(forger);
    forger.record_archive(1, {1}, emptied, anchored() + 1);
    forger.sql("DELETE FROM archived_release WHERE disk_id = 'a-accepted'");
    finish_archive(forger, {1}, {}, emptied);
  }
  EXPECT_THAT(
      findings({file_, old_}),
      Contains(HasSubstr("1 row of archived_release differs from what the attempts here say")));
}

TEST_F(ArchiveForgeryTest, ALaterRecordDoesNotChangeAnEarlierOne) {
  archive_all(file_, old_, k_later);
  add_finished_run(file_, "d-", k_test_time);
  anchor();
  {
    // Archive 2 empties the block of archive 1 and enters it again, without what it has released.
    Forger forger(file_);
    forger.sql("DELETE FROM archived_release WHERE disk_id LIKE 'b-%'");
    forger.record_archive(2, {3}, anchored(), anchored() + 1);
    forger.append_block(forger.entry(EvidenceKind::archive, 1) +
                        forger.entry(EvidenceKind::archive, 2) + forger.entries_of_run(4));
    forger.empty_blocks(anchored());
    forger.remove_run(3);
  }
  EXPECT_FALSE(alone(file_).anchored());
  EXPECT_THAT(findings({file_, old_}),
              Contains("archive 1: audit.db has another record of archive 1"));
}

TEST_F(ArchiveForgeryTest, AnotherFileOfTheSameArchiveIsFound) {
  const std::filesystem::path copy = directory_ / "copy.db";
  std::filesystem::copy_file(file_, copy);
  add_finished_run(copy, "other-", k_test_time);
  archive_all(copy, directory_ / "other.db", k_later);
  archive_all(file_, old_, k_later);
  EXPECT_THAT(findings({file_, old_}), IsEmpty());
  EXPECT_THAT(findings({file_, directory_ / "other.db"}),
              Contains(HasSubstr("archive 1: audit.db has it on record with the head")));
}

TEST_F(ArchiveForgeryTest, ADatabaseThatWasCutOffIsNoArchive) {
  std::filesystem::copy_file(file_, old_);
  const ChainHead earlier = anchors_.back().head;
  add_finished_run(file_, "d-", k_test_time);
  anchor();
  // An honest archive is verified with later anchors only together with its database.
  const std::filesystem::path honest = directory_ / "honest.db";
  archive_all(file_, honest, k_later);
  add_finished_run(file_, "e-", k_test_time);
  anchor();
  EXPECT_THAT(alone(honest).problems, Contains(HasSubstr("later than this sealed file")));
  EXPECT_THAT(findings({honest, file_}), IsEmpty());
  {
    Forger forger(old_);
    forger.record_archive(1, {1, 2, 3}, 0, earlier.block + 1);
    forger.append_block(forger.entry(EvidenceKind::archive, 1));
    forger.sql("PRAGMA application_id = " + std::to_string(k_archive_application_id));
  }
  EXPECT_THAT(alone(old_).problems, Contains(HasSubstr("later than this sealed file")));
  EXPECT_THAT(findings({old_, file_}), Contains(HasSubstr("has it on record with the head")));
}

/// Each change is made to the files of an honest archive, of which no anchor tells yet, and the
/// hashes are made anew behind it.
class ArchiveRecordForgeryTest : public ArchiveForgeryTest {
 protected:
  ArchiveRecordForgeryTest() { archive_all(file_, old_, k_later); }

  /// The record is entered as it is now, in both files.
  std::vector<std::string> after(const std::string& change) {
    for (const std::filesystem::path& path : {file_, old_}) {
      Forger forger(path);
      forger.sql(change);
      std::string entries;
      for (std::int64_t id = 1; id <= forger.number("SELECT max(archive_id) FROM archive"); ++id) {
        entries += forger.entry(EvidenceKind::archive, id);
      }
      const std::int64_t block = forger.number("SELECT max(block_id) FROM chain");
      {
        Statement update =
            forger.database().prepare("UPDATE chain SET entries = ?2 WHERE block_id = ?1");
        update.bind(1, block).bind_blob(2, entries).run();
      }
      forger.rehash_from(block);
    }
    return findings({file_, old_});
  }
};

TEST_F(ArchiveRecordForgeryTest, TheRecordAsItIsFits) { EXPECT_THAT(after("SELECT 1"), IsEmpty()); }

TEST_F(ArchiveRecordForgeryTest, ASecondRecordOfTheSameRunsIsFound) {
  EXPECT_THAT(after("INSERT INTO archive SELECT 2, 'new.db', before_utc_ms, run_count, item_count,"
                    " block_id, emptied_blocks, emptied_sha256, user, host, tool_version,"
                    " created_utc_ms FROM archive;"
                    "INSERT INTO archived_rows SELECT 2, kind, first_id, last_id FROM "
                    "archived_rows"),
              Contains(HasSubstr("archive 2: has run 1 to 2, of which archive 1 has rows")));
}

TEST_F(ArchiveRecordForgeryTest, RangesThatOverlapAreFound) {
  EXPECT_THAT(after("INSERT INTO archived_rows VALUES (1, 'attempt', 2, 4)"),
              Contains(HasSubstr("has attempt 2 to 4, of which archive 1 has rows already")));
  EXPECT_THAT(after("INSERT INTO archived_rows VALUES (1, 'attempt', -9, -1)"),
              Contains(HasSubstr("has attempt -9 to -1, which no table can have")));
}

TEST_F(ArchiveRecordForgeryTest, KeysThatWereNeverGivenOutAreFound) {
  EXPECT_THAT(after("INSERT INTO archived_rows VALUES (1, 'attempt', 19, 9223372036854775807)"),
              Contains(HasSubstr("has attempt 9223372036854775807, the chain has none behind 18")));
}

TEST_F(ArchiveRecordForgeryTest, RowsThatTheRecordLeavesOutAreFound) {
  EXPECT_THAT(after("UPDATE archived_rows SET last_id = last_id - 1 WHERE kind = 'attempt'"),
              Contains(HasSubstr("attempt 12: no archive has it")));
}

TEST_F(ArchiveRecordForgeryTest, ItemsThatTheRecordLeavesOutAreFound) {
  EXPECT_THAT(after("UPDATE archived_rows SET last_id = last_id - 1 WHERE kind = 'item' AND "
                    "first_id = 8; UPDATE archive SET item_count = item_count - 1"),
              Contains("archive 1: has taken 13 rows of item by its record, here are 14"));
}

TEST_F(ArchiveRecordForgeryTest, NumbersThatDoNotFitTheRangesAreFound) {
  EXPECT_THAT(after("UPDATE archive SET run_count = run_count + 1"),
              Contains(HasSubstr("its archived_rows are others")));
}

TEST_F(ArchiveRecordForgeryTest, EmptyingBeyondTheArchivedBlocksIsFound) {
  EXPECT_THAT(after("UPDATE chain SET entries = x'' WHERE block_id <= (SELECT emptied_blocks + 1"
                    " FROM archive) AND (SELECT count(*) FROM run) = 1;"
                    "UPDATE archive SET emptied_blocks = emptied_blocks + 1"),
              Contains(HasSubstr(": no archive has it, but block")));
}

TEST_F(ArchiveRecordForgeryTest, ARecordOfAnotherBlockIsFound) {
  EXPECT_THAT(after("UPDATE archive SET block_id = block_id - 1"),
              Contains(HasSubstr("was entered first in block")));
  EXPECT_THAT(after("UPDATE archive SET block_id = 9223372036854775807"),
              Contains(HasSubstr("archive 1: is of block 9223372036854775807")));
}

TEST_F(ArchiveRecordForgeryTest, BlocksOfTheFileInAnotherOrderAreFound) {
  Forger(old_).sql(
      "UPDATE chain SET block_id = CASE block_id WHEN 2 THEN -3 WHEN 3 THEN -2 END"
      " WHERE block_id IN (2, 3);"
      "UPDATE chain SET block_id = -block_id WHERE block_id < 0");
  EXPECT_THAT(findings({file_, old_}), Contains(HasSubstr("chain: block 2 has the hash")));
}

TEST_F(ArchiveRecordForgeryTest, EntriesThatWereChangedUnderTheirHashesAreFound) {
  {
    // The row and its entry agree; the hash is that of the anchored block.
    Forger sealed(old_);
    const std::string before = sealed.entry(EvidenceKind::outcome, 2);
    sealed.sql("UPDATE outcome SET request_id = 'T' WHERE attempt_id = 2");
    const std::string after = sealed.entry(EvidenceKind::outcome, 2);
    Statement update = sealed.database().prepare(
        "UPDATE chain SET entries = CAST(substr(entries, 1, instr(entries, ?1) - 1) || ?2 ||"
        " substr(entries, instr(entries, ?1) + 41) AS BLOB) WHERE instr(entries, ?1) > 0");
    update.bind_blob(1, before).bind_blob(2, after).run();
    ASSERT_EQ(sealed.database().changes(), 1);
  }
  EXPECT_THAT(findings({file_, old_}), Contains(HasSubstr("but its entries and the block before")));
}

TEST_F(ArchiveRecordForgeryTest, RowsThatTheDatabaseStillHasAreNotInTheFile) {
  {
    Forger sealed(old_);
    sealed.sql("ATTACH '" + file_.string() +
               "' AS kept;"
               "INSERT INTO main.run SELECT * FROM kept.run;"
               "INSERT INTO main.item SELECT * FROM kept.item; DETACH kept");
  }
  EXPECT_THAT(findings({file_, old_}), Contains(HasSubstr("run 3: is not in the chain")));
}

TEST_F(ArchiveRecordForgeryTest, AFileThatIsGivenTwiceStandsForOneArchive) {
  add_finished_run(file_, "d-", k_test_time);
  archive_all(file_, directory_ / "second.db", k_later);
  std::vector<VerifiedFile> files;
  for (const std::filesystem::path& path : {file_, old_, old_}) {
    Database database = open_for_verification(path);
    files.push_back({path.string(), verify_audit(database, anchors_)});
  }
  verify_files(files);
  EXPECT_TRUE(files[0].found.passed());
  EXPECT_GT(files[0].found.unseen_blocks, 0);
  EXPECT_FALSE(files[0].found.anchored());
  EXPECT_THAT(findings({file_, old_, directory_ / "second.db"}), IsEmpty());
}

}  // namespace
}  // namespace diskrelease
