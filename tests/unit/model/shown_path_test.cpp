#include "model/shown_path.h"

#include <gtest/gtest.h>

namespace diskrelease {
namespace {

TEST(ShownPathTest, IsWholeAndWithoutWhatMovesATerminal) {
  EXPECT_EQ(shown("/var/lib/audit.db"), "/var/lib/audit.db");
  EXPECT_EQ(shown("a\x1b[31m\nb\x7f.db"), "a\\x1b[31m\\x0ab\\x7f.db");
  EXPECT_EQ(shown("a\xff"), "a\\xff");
  const std::string longer_than_a_message(3'000, 'x');
  EXPECT_EQ(shown(longer_than_a_message), longer_than_a_message);
}

TEST(ShownPathTest, IsAWordOfTheShellThatNamesTheSameFile) {
  EXPECT_EQ(shell_word("/var/lib/audit-1.db"), "/var/lib/audit-1.db");
  EXPECT_EQ(shell_word("my disks.db"), "'my disks.db'");
  EXPECT_EQ(shell_word("it's.db"), "'it'\\''s.db'");
  EXPECT_EQ(shell_word("$(x);.db"), "'$(x);.db'");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("gr\xc3\xbc\xc3\x9f"
                       "e.db"),
            "'gr\xc3\xbc\xc3\x9f"
            "e.db'");
  EXPECT_EQ(shell_word("a\n1'b\\\x1b.db"), "$'a\\0121\\'b\\\\\\033.db'");
  EXPECT_EQ(shell_word("a\xff"), "$'a\\377'");
}

}  // namespace
}  // namespace diskrelease
