#include "evidence/anchor_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "record/audit_file.h"
#include "support/audit_error.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AnchorCheckTest : public ::testing::Test {
 protected:
  AnchorCheckTest() {
    create_audit_database(file_);
    Database database = open_audit_for_writing(file_);
    const RunRecord run = enrol(database, {"one"});
    static_cast<void>(begin_test_invocation(database, run.id));
  }

  [[nodiscard]] ChainHead head() const {
    Database database = open_audit_for_reading(file_);
    return read_chain_head(database);
  }
  /// What is found of an anchor of this head.
  [[nodiscard]] std::vector<std::string> findings(const ChainHead& head) const {
    Database database = open_audit_for_reading(file_);
    std::vector<std::string> texts;
    for (const Contradiction& found :
         contradictions(&database, {{directory_ / "anchors", {head, k_test_time}}})) {
      texts.push_back(describe(found, file_));
    }
    return texts;
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
};

TEST_F(AnchorCheckTest, FitsWhileTheAnchoredBlockIsThereHoweverFarTheDatabaseHasCome) {
  const ChainHead anchored = head();
  ASSERT_GT(anchored.block, 1);
  EXPECT_THAT(findings(anchored), IsEmpty());
  Database database = open_audit_for_writing(file_);
  enrol(database, {"two"});
  EXPECT_THAT(findings(anchored), IsEmpty());
}

TEST_F(AnchorCheckTest, TellsWhatContradictsInBlocksAndTimes) {
  ChainHead later = head();
  ++later.block;
  EXPECT_THAT(findings(later),
              ElementsAre(AllOf(HasSubstr("names block " + std::to_string(later.block) +
                                          " of 2026-11-18T11:06:40.000Z, and the database ends at "
                                          "block " +
                                          std::to_string(later.block - 1)),
                                HasSubstr("(latest invocation 2026-11-18T11:06:40.000Z)"))));
  ChainHead other_hash = head();
  other_hash.hash.assign(64, 'b');
  EXPECT_THAT(findings(other_hash), ElementsAre(HasSubstr("with the hash bbbbbbbbbbbbbbbb, and")));
  ChainHead other_chain = head();
  other_chain.chain.assign(64, 'c');
  EXPECT_THAT(findings(other_chain),
              ElementsAre(HasSubstr("of the database cccccccccccccccc; this is the database")));
}

TEST_F(AnchorCheckTest, NoDatabaseAndOneInWhichNothingWasRecordedContradictEveryAnchor) {
  const std::vector<LatestAnchor> anchors{{directory_ / "anchors", {head(), k_test_time}}};
  EXPECT_THAT(contradictions(nullptr, anchors), SizeIs(1));
  EXPECT_THAT(contradictions(nullptr, {}), IsEmpty());
  const std::filesystem::path empty = directory_ / "empty.db";
  std::ofstream(empty).close();
  Database blank(empty, Database::Access::read_only);
  EXPECT_THAT(contradictions(&blank, anchors), SizeIs(1));
  create_audit_database(directory_ / "new.db");
  Database fresh = open_audit_for_reading(directory_ / "new.db");
  EXPECT_THAT(contradictions(&fresh, anchors), SizeIs(1));
}

TEST_F(AnchorCheckTest, TakesTheLastAnchorOfAFileAndNothingFromWhatIsNone) {
  const std::filesystem::path anchors = directory_ / "anchors";
  EXPECT_THAT(read_latest_anchors({anchors}).anchors, IsEmpty());
  std::ofstream(anchors).close();
  EXPECT_THAT(read_latest_anchors({anchors}).anchors, IsEmpty());
  ChainHead first = head();
  ChainHead second = head();
  second.block = 77;
  std::ofstream(anchors) << anchor_line({first, k_test_time}) << "\nodd\n"
                         << anchor_line({second, k_test_time}) << "\ndiskrelease-anc";
  const LatestAnchors latest = read_latest_anchors({anchors});
  ASSERT_THAT(latest.anchors, SizeIs(1));
  EXPECT_EQ(latest.anchors.front().anchor.head.block, 77);
  EXPECT_THAT(latest.warnings,
              ElementsAre(AllOf(HasSubstr("note: "), HasSubstr(":4: the writing of")),
                          AllOf(HasSubstr("warning: "), HasSubstr(":2: is no anchor: odd"))));
  // Nobody may be there to write into a pipe.
  ASSERT_EQ(::mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(read_latest_anchors({directory_ / "pipe", directory_.path()}).anchors, IsEmpty());
}

}  // namespace
}  // namespace diskrelease
