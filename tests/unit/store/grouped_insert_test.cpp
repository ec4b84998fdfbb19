#include "store/grouped_insert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/errors.h"

namespace diskrelease {
namespace {

using ::testing::ElementsAre;

class Told : public InsertObserver {
 public:
  explicit Told(std::vector<std::int64_t>& rows) : rows_(rows) {}
  void inserted(std::string_view, std::int64_t rowid) noexcept override { rows_.push_back(rowid); }
  void before_commit(Database&) override {}
  void rolled_back() noexcept override {}

 private:
  std::vector<std::int64_t>& rows_;
};

class GroupedInsertTest : public ::testing::Test {
 protected:
  GroupedInsertTest() {
    database_.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, twice INTEGER);"
        "CREATE TRIGGER no_name_twice BEFORE INSERT ON t"
        " WHEN EXISTS (SELECT 1 FROM t WHERE name = NEW.name)"
        " BEGIN SELECT RAISE(ABORT, 'that name is there'); END");
  }

  void insert(const std::vector<std::string>& names) {
    GroupedInsert rows(database_, "INSERT INTO t (name, twice) VALUES", "(?, 2 * ?)");
    std::int64_t number = 0;
    rows.insert(names, [&](Statement& statement, int before, const std::string& name) {
      statement.bind(before + 1, name).bind(before + 2, ++number);
    });
  }
  std::vector<std::string> stored() {
    Statement select = database_.prepare("SELECT id || name || twice FROM t ORDER BY id");
    std::vector<std::string> rows;
    while (select.step()) rows.emplace_back(select.text(0));
    return rows;
  }

  Database database_{"memory", Database::Access::in_memory};
};

TEST_F(GroupedInsertTest, StoresEveryRowInItsOrderWhateverTheirNumberIs) {
  for (int count = 0; count <= 20; ++count) {
    SCOPED_TRACE(count);
    database_.execute("DELETE FROM t");
    std::vector<std::string> names;
    std::vector<std::string> expected;
    for (int i = 1; i <= count; ++i) {
      names.push_back(std::string(1, static_cast<char>('a' + i)));
      expected.push_back(std::to_string(i) + names.back() + std::to_string(2 * i));
    }
    insert(names);
    EXPECT_EQ(stored(), expected);
  }
}

TEST_F(GroupedInsertTest, TheObserverIsToldOfEachRow) {
  std::vector<std::int64_t> rows;
  database_.observe(std::make_unique<Told>(rows));
  insert({"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"});
  EXPECT_THAT(rows, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
}

TEST_F(GroupedInsertTest, ATriggerSeesTheRowsBeforeItInTheSameStatement) {
  EXPECT_THROW(insert({"a", "b", "c", "d", "e", "f", "g", "a"}), AuditUnusable);
  EXPECT_THAT(stored(), ElementsAre());
}

}  // namespace
}  // namespace diskrelease
