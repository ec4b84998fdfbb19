#include "store/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/errors.h"
#include "record/audit_file.h"
#include "support/audit_error.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class DatabaseTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db";
};

TEST_F(DatabaseTest, SaysWhyAFileCannotBeOpenedAndCreatesNone) {
  EXPECT_THAT(error_of([&] { const Database database(file_, Database::Access::read_write); }),
              AllOf(HasSubstr(file_.string()), HasSubstr("cannot be opened"),
                    HasSubstr("No such file or directory")));
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(DatabaseTest, RefusesAParameterThatAStatementDoesNotHave) {
  Database database(file_, Database::Access::create);
  Statement select = database.prepare("SELECT ?1");
  const auto out_of_range = AllOf(HasSubstr(file_.string() + ": bind: "), HasSubstr("(SQLite"));
  EXPECT_THAT(error_of([&] { select.bind(2, std::int64_t{1}); }), out_of_range);
  EXPECT_THAT(error_of([&] { select.bind(2, "text"); }), out_of_range);
  EXPECT_THAT(error_of([&] { select.bind_null(2); }), out_of_range);
}

TEST_F(DatabaseTest, NotesNoFileThatIsNotThereAnyMore) {
  create_audit_database(file_);
  Database database = open_audit_for_writing(file_);
  std::filesystem::remove(file_);
  EXPECT_THAT(error_of([&] { database.note_files(); }),
              AllOf(HasSubstr("the file (" + file_.string() + ") was deleted or renamed"),
                    HasSubstr("Nothing more is sent")));
}

/// Of the file at the path alone nothing can be told: the connection knows which one it has opened.
TEST_F(DatabaseTest, NotesNoFileThatTookThePlaceOfTheOneThatIsOpen) {
  create_audit_database(file_);
  Database database = open_audit_for_writing(file_);
  const std::filesystem::path opened = directory_ / "renamed.db";
  std::filesystem::rename(file_, opened);
  std::filesystem::copy_file(opened, file_);
  EXPECT_THAT(error_of([&] { database.note_files(); }),
              HasSubstr("the file (" + file_.string() + ") was replaced"));
}

}  // namespace
}  // namespace diskrelease
