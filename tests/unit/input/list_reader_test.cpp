#include "input/list_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>

#include "input/descriptor_buffer.h"
#include "unit/input/reading.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_mebibyte = std::size_t{1024} * 1024;

const std::string k_too_long =
    "the line is longer than 1 MiB, so this is not a list of disk ids; check which file was given";

/// A folder of its own for a test, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "list_reader_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] std::string path() const { return path_.string(); }
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

std::string problems_of_file(const std::string& path) {
  const auto summary = read_list_file(path, {}, [](Target&&) {});
  return summary.problems.describe("LIST");
}

TEST(InputProblemsTest, DescribesEachProblemOnALineOfItsOwn) {
  InputProblems problems;
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(problems.describe("disks.csv"), "");
  problems.add({3, "this is wrong"});
  problems.add({0, "that is wrong"});
  EXPECT_FALSE(problems.empty());
  EXPECT_EQ(problems.describe("disks.csv"), "disks.csv:3: this is wrong\ndisks.csv: that is wrong");
  EXPECT_EQ(problems.describe("-"), "<stdin>:3: this is wrong\n<stdin>: that is wrong");
  EXPECT_EQ(problems.describe("a\nb"), "a\\x0ab:3: this is wrong\na\\x0ab: that is wrong");
}

TEST(InputProblemsTest, KeepsTwentyAndCountsTheRest) {
  InputProblems problems;
  for (int i = 1; i <= 20; ++i) problems.add({i, "bad"});
  EXPECT_EQ(problems.describe("x").find("more problem"), std::string::npos);
  problems.add({21, "bad"});
  EXPECT_TRUE(problems.describe("x").ends_with("x:20: bad\n... and 1 more problem"));
  problems.add({22, "bad"});
  EXPECT_TRUE(problems.describe("x").ends_with("x:20: bad\n... and 2 more problems"));
  EXPECT_EQ(problems.shown().size(), 20U);
  EXPECT_EQ(problems.count(), 22);
}

TEST(ListFormatTest, FollowsTheExtensionInAnyCase) {
  const std::pair<const char*, ListFormat> names[] = {
      {"a.csv", ListFormat::csv},       {"A.CSV", ListFormat::csv},
      {"a.tsv", ListFormat::csv},       {"a.json", ListFormat::json},
      {"a.ndjson", ListFormat::ndjson}, {"a.b.jsonl", ListFormat::ndjson},
      {"a.txt", ListFormat::text},      {"/x.csv/a.list", ListFormat::text},
  };
  for (const auto& [name, format] : names) {
    EXPECT_EQ(read_text("#", name).format, format) << name;
    // What is asked for is stronger.
    EXPECT_EQ(read_text("11\n", name, {ListFormat::text, {}}).targets, Lines{"1 11"}) << name;
    EXPECT_EQ(read_text("11\n", name, {ListFormat::ndjson, {}}).format, ListFormat::ndjson);
  }
}

TEST(ListFormatTest, FollowsTheContentWhereTheNameSaysNothing) {
  const std::pair<const char*, ListFormat> contents[] = {
      {"11\n", ListFormat::text},
      {"11 # a, b\n", ListFormat::text},
      {"# a,b\n11\n", ListFormat::text},
      {"disk-a\r\n", ListFormat::text},
      {"diskId\r\n11\n", ListFormat::csv},
      {"id\n11\n", ListFormat::csv},
      {"11,a\n", ListFormat::csv},
      {"11;a\n", ListFormat::csv},
      {"11\ta\n", ListFormat::csv},
      {"\"diskId\"\n\"11\"\n", ListFormat::csv},
      {"\xEF\xBB\xBF\n [\"11\"]", ListFormat::json},
      {"{\"disks\":[\"11\"]}\n", ListFormat::json},
      {"{\n\"disks\":[\"11\"]}\n", ListFormat::json},
      {"{\"disks\":[{\"diskId\":\"11\"}]}\n", ListFormat::json},
      {"{\"diskId\":\"11\"}", ListFormat::ndjson},
      {"\n{\"diskId\":\"11\"}\r\n{\"diskId\":\"12\"}\n", ListFormat::ndjson},
  };
  for (const char* name : {"-", "csv", "disks", "disks.dat", "csv/disks"}) {
    for (const auto& [text, format] : contents) {
      EXPECT_EQ(read_text(text, name).format, format) << name << ": " << text;
    }
  }
}

TEST(ListFormatTest, ReadsCsvWhereAColumnIsAskedFor) {
  EXPECT_EQ(read_text("volume\n11\n", "-", {ListFormat::automatic, "volume"}).targets,
            Lines{"2 11"});
  EXPECT_EQ(read_text("# x\n", "-", {ListFormat::automatic, "1"}).format, ListFormat::csv);
}

TEST(ListFormatTest, RefusesAColumnForAFormWithoutColumns) {
  for (const char* name : {"a.txt", "a.json", "a.ndjson"}) {
    const Reading reading = read_text("[11]\n", name, {ListFormat::automatic, "volume"});
    EXPECT_EQ(
        reading.problems,
        Lines{"0: a column was asked for, but the list is not read as CSV, the only form with "
              "columns; leave the column out, or add --format csv"});
    EXPECT_EQ(reading.targets, Lines{});
  }
}

TEST(ListReaderTest, RefusesAnEmptyListOfAnyForm) {
  const Lines empty{"0: the list is empty; check how it was made"};
  for (const char* name : {"a.csv", "a.json", "a.ndjson", "a.txt", "-"}) {
    EXPECT_EQ(read_text("", name).problems, empty) << name;
    EXPECT_EQ(read_text("\xEF\xBB\xBF", name).problems, empty) << name;
  }
}

TEST(ListReaderTest, NamesFilesThatAreNoUtf8Text) {
  for (const char* name : {"a.csv", "a.json", "a.txt", "-"}) {
    EXPECT_EQ(read_text(std::string("\xFF\xFE"
                                    "1\0\n\0",
                                    6),
                        name)
                  .problems,
              Lines{"0: the file is UTF-16 (it begins with the bytes FF FE); save it as UTF-8"});
    EXPECT_EQ(read_text(std::string("\xFE\xFF\0001", 4), name).problems,
              Lines{"0: the file is UTF-16 (it begins with the bytes FE FF); save it as UTF-8"});
    EXPECT_EQ(read_text("PK\x03\x04....", name).problems,
              Lines{"0: the file is a spreadsheet or a zip archive; export the list as CSV "
                    "(UTF-8)"});
    EXPECT_EQ(read_text("\x1F\x8B\x08", name).problems,
              Lines{"0: the file is compressed with gzip; unpack it first"});
  }
}

TEST(ListReaderTest, TakesALineOfOneMebibyteAndNoLongerOne) {
  for (const char* line_end : {"\n", "\r\n", ""}) {
    for (const int more : {-1, 0, 1}) {
      const std::string blanks(k_mebibyte - 3 + static_cast<std::size_t>(more + 1), ' ');
      const std::string text = "1\n" + blanks + "22" + line_end;
      const Reading reading = read_text(text, "a.txt");
      if (more <= 0) {
        EXPECT_EQ(reading.targets, (Lines{"1 1", "2 22"})) << more;
        EXPECT_EQ(reading.problems, Lines{}) << more;
      } else {
        EXPECT_EQ(reading.problems, Lines{"2: " + k_too_long});
      }
    }
  }
}

TEST(ListReaderTest, ReportsALineOfTenMegabytesOnceAndGoesOn) {
  const std::string huge(10 * k_mebibyte, 'x');
  EXPECT_EQ(read_text("1\n" + huge + "\n2\n", "a.txt").targets, (Lines{"1 1", "3 2"}));
  EXPECT_EQ(read_text("1\n" + huge + "\n2\n", "a.txt").problems, Lines{"2: " + k_too_long});
  EXPECT_EQ(read_text("1\n" + huge + "\n2\n", "a.csv").targets, (Lines{"1 1", "3 2"}));
  EXPECT_EQ(read_text("1\n" + huge + "\n2\n", "a.csv").problems, Lines{"2: " + k_too_long});
  EXPECT_EQ(read_text("1\n" + huge + "\n2\n", "a.jsonl").targets, (Lines{"1 1", "3 2"}));
  EXPECT_EQ(read_text("1\n" + huge, "a.jsonl").problems, Lines{"2: " + k_too_long});
  EXPECT_EQ(read_text(huge, "a.csv").problems, Lines{"1: " + k_too_long});
}

TEST(ListReaderTest, NeverTakesAFailedReadForTheEndOfTheList) {
  const std::string reason =
      ": Input/output error; the rest of the list is unknown, so none of it is used";
  struct Case {
    const char* name;
    const char* text;
    const char* lines;
    Lines targets;
  };
  const Case cases[] = {
      {"a.txt", "11\n12\n1", "2 lines", {"1 11", "2 12"}},
      {"a.txt", "11\n12", "1 line", {"1 11"}},
      {"a.txt", "", "0 lines", {}},
      {"a.csv", "diskId\n11\n12", "2 lines", {"2 11"}},
      {"a.csv", "diskId,name\n11,\"a\n", "2 lines", {}},
      {"a.ndjson", "\"11\"\n{\"disk", "1 line", {"1 11"}},
      {"a.json", "[\n\"11\"", "2 lines", {"2 11"}},
      {"a.json", "[\n\"11\"]", "2 lines", {"2 11"}},
  };
  for (const Case& c : cases) {
    PieceBuffer buffer(c.text, 1, true);
    std::istream in(&buffer);
    const Reading reading = read_stream(in, c.name);
    EXPECT_EQ(reading.problems, Lines{"0: reading failed after " + std::string(c.lines) + reason})
        << c.text;
    EXPECT_EQ(reading.targets, c.targets) << c.text;
  }
}

TEST(ListReaderTest, LetsExceptionsOfTheSinkPass) {
  const std::pair<const char*, const char*> lists[] = {
      {"11\n", "a.txt"}, {"11\n", "a.csv"}, {"[\"11\"]", "a.json"}, {"\"11\"\n", "a.ndjson"}};
  for (const auto& [text, name] : lists) {
    std::istringstream in(text);
    EXPECT_THROW(
        static_cast<void>(read_list(in, name, {}, [](Target&&) { throw std::length_error("x"); })),
        std::length_error);
  }
}

TEST(ListReaderTest, ReadsAFile) {
  const TemporaryFolder folder;
  Lines ids;
  const auto summary = read_list_file(folder.write("disks.csv", "diskId\n11\n12\n"), {},
                                      [&](Target&& target) { ids.push_back(target.disk.text()); });
  EXPECT_EQ(ids, (Lines{"11", "12"}));
  EXPECT_EQ(summary.targets, 2);
  EXPECT_TRUE(summary.problems.empty());
}

TEST(ListReaderTest, SaysWhyAFileCannotBeRead) {
  const TemporaryFolder folder;
  EXPECT_EQ(problems_of_file(folder.path()), "LIST: this is a directory; name the list file in it");
  EXPECT_EQ(problems_of_file(folder.path() + "/none.csv"),
            "LIST: cannot open the list: No such file or directory");
  EXPECT_EQ(problems_of_file(folder.write("a", "11\n") + "/b"),
            "LIST: cannot open the list: Not a directory");
  const std::string secret = folder.write("secret.txt", "11\n");
  std::filesystem::permissions(secret, std::filesystem::perms::none);
  if (::geteuid() != 0) {
    EXPECT_EQ(problems_of_file(secret), "LIST: cannot open the list: Permission denied");
  }
}

TEST(ListReaderTest, ReportsAnErrorOfTheSystemWhileReading) {
  const TemporaryFolder folder;
  const int directory = ::open(folder.path().c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(directory, 0);
  DescriptorBuffer buffer(directory);
  std::istream in(&buffer);
  EXPECT_EQ(read_stream(in, "a.txt").problems,
            Lines{"0: reading failed after 0 lines: Is a directory; the rest of the list is "
                  "unknown, so none of it is used"});
  ::close(directory);
}

/// Puts other bytes in the place of standard input while it lives.
class StandardInput {
 public:
  explicit StandardInput(const std::string& text) : saved_(::dup(STDIN_FILENO)) {
    int ends[2] = {-1, -1};
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    // Far below the capacity of a pipe, so that this cannot block.
    if (::write(ends[1], text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      throw std::runtime_error("cannot fill the pipe");
    }
    ::close(ends[1]);
    ::dup2(ends[0], STDIN_FILENO);
    ::close(ends[0]);
  }
  ~StandardInput() {
    ::close(STDIN_FILENO);
    if (saved_ >= 0) {
      ::dup2(saved_, STDIN_FILENO);
      ::close(saved_);
    }
  }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

 private:
  int saved_;
};

TEST(ListReaderTest, ReadsStandardInput) {
  const StandardInput input("{\"diskId\":\"11\"}\n{\"diskId\":\"12\"}\n");
  Lines ids;
  const auto summary =
      read_list_file("-", {}, [&](Target&& target) { ids.push_back(target.disk.text()); });
  EXPECT_EQ(ids, (Lines{"11", "12"}));
  EXPECT_EQ(summary.format, ListFormat::ndjson);
}

/// A list of one form, and the targets that reading it must give.
struct Generated {
  std::string name;
  std::string text;
  Lines targets;
};

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  Generated csv() {
    const char delimiter = ",;\t"[below(3)];
    const bool header = chance(2);
    const std::size_t columns = header ? 1 + below(4) : 1;
    const std::size_t id_column = below(columns);
    begin("disks.csv");
    if (header) {
      std::vector<std::string> names;
      for (std::size_t i = 0; i < columns; ++i) names.push_back("column " + std::to_string(i));
      static const char* const k_names[] = {"diskId", "DISKID", "disk_id", "Disk ID", "id"};
      names[id_column] = k_names[below(5)];
      row(names, delimiter, false);
    }
    for (std::size_t count = 1 + below(30); count > 0; --count) {
      if (chance(10)) line_end();
      std::vector<std::string> cells;
      for (std::size_t i = 0; i < columns; ++i) cells.push_back(cell_text());
      cells[id_column] = id();
      expect(cells[id_column]);
      row(cells, delimiter, true);
    }
    return finish();
  }

  Generated text() {
    begin("disks.txt");
    for (std::size_t count = 1 + below(30); count > 0; --count) {
      if (chance(8)) list_.text += blanks() + "# " + id();
      if (chance(8)) line_end();
      if (list_.text.ends_with(' ') || !at_line_begin()) line_end();
      const std::string disk = id();
      expect(disk);
      list_.text += blanks() + disk + blanks();
      if (chance(8)) list_.text += " # note";
      line_end();
    }
    return finish();
  }

  Generated ndjson() {
    begin("disks.ndjson");
    for (std::size_t count = 1 + below(30); count > 0; --count) {
      if (chance(8)) line_end();
      entry(false);
      line_end();
    }
    return finish();
  }

  Generated json() {
    begin("disks.json");
    static const char* const k_before[] = {
        "", "{\"disks\":", "{\"total\":[1,{\"diskId\":2}],\n\"diskIds\":",
        "{\"requestId\":\"T\",\"response\":{\"requestId\":\"T\",\n\"totalCount\":1,\"dataSet\":"};
    static const char* const k_after[] = {"", "}", ",\"x\":{\"disks\":1}}", "}}"};
    const std::size_t shape = below(4);
    add(k_before[shape]);
    add("[");
    for (std::size_t count = 1 + below(30); count > 0; --count) {
      space();
      entry(true);
      space();
      if (count > 1) add(",");
    }
    add("]");
    add(k_after[shape]);
    if (chance(2)) line_end();
    return finish();
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }
  bool chance(std::size_t one_in) { return below(one_in) == 0; }

  void begin(const char* name) {
    numbers_ = chance(2);
    list_ = {name, chance(2) ? "\xEF\xBB\xBF" : "", {}};
    line_ = 1;
    line_end_ = chance(2) ? "\n" : "\r\n";
  }
  Generated finish() { return list_; }

  bool at_line_begin() const {
    return list_.text.empty() || list_.text.ends_with('\n') || list_.text.ends_with('\xBF');
  }
  void add(const std::string& text) {
    list_.text += text;
    line_ += std::count(text.begin(), text.end(), '\n');
  }
  void line_end() { add(line_end_); }
  void space() {
    if (chance(4)) line_end();
    if (chance(4)) add("  ");
  }
  std::string blanks() { return chance(4) ? "\t " : ""; }
  void expect(const std::string& disk) {
    list_.targets.push_back(std::to_string(line_) + " " + disk);
  }

  std::string id() {
    static constexpr std::string_view k_alphabet =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-";
    std::string text;
    if (numbers_) {
      text = "1";
      for (std::size_t i = 0; i < 18; ++i) text += k_alphabet[below(10)];
    } else {
      text = "d";  // neither a number in scientific notation nor a header name
      for (std::size_t size = 3 + below(125); size > 0; --size) {
        text += k_alphabet[below(k_alphabet.size())];
      }
    }
    return text;
  }

  std::string cell_text() {
    static const char* const k_texts[] = {"",          "a",          "a,b;c\td",
                                          "say \"x\"", "two\nlines", "two\r\nlines\n",
                                          "caf\u00e9", "8.6E+17",    "# no"};
    return k_texts[below(9)];
  }

  void row(const std::vector<std::string>& cells, char delimiter, bool any_quotes) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) add(std::string(1, delimiter));
      const bool must = cells[i].find_first_of(",;\t\"\r\n") != std::string::npos ||
                        (i == 0 && cells[i].starts_with('#'));
      if (!must && !(any_quotes && chance(2))) {
        add(cells[i]);
        continue;
      }
      std::string doubled;
      for (const char c : cells[i]) doubled += c == '"' ? std::string("\"\"") : std::string(1, c);
      add('"' + doubled + '"');
    }
    line_end();
  }

  void entry(bool may_break_lines) {
    const std::string disk = id();
    switch (below(3)) {
      case 0:
        expect(disk);
        add('"' + disk + '"');
        break;
      case 1:
        expect(numbers_ ? "9007199254740991" : "1234567");
        add(numbers_ ? "9007199254740991" : "1234567");
        break;
      default:
        expect(disk);
        add("{\"name\":\"\\u00e9 \\\"diskId\\\"\",");
        if (may_break_lines) space();
        add("\"diskId\":\"" + disk + "\",\"tags\":[{\"diskId\":null}]}");
    }
  }

  std::mt19937 random_;
  Generated list_;
  std::int64_t line_ = 1;
  std::string line_end_;
  bool numbers_ = false;  ///< ids as the provider's; a list of both kinds is refused
};

TEST(ListReaderTest, ReadsBackWhatAnyWriterMayHaveWritten) {
  constexpr std::uint32_t k_first_seed = 7'000;
  for (std::uint32_t seed = k_first_seed; seed < k_first_seed + 400; ++seed) {
    Generator generator(seed);
    for (const Generated& list :
         {generator.csv(), generator.text(), generator.ndjson(), generator.json()}) {
      const Reading reading = read_text(list.text, list.name);
      ASSERT_EQ(reading.problems, Lines{}) << "seed " << seed << ", " << list.name << ":\n"
                                           << list.text;
      ASSERT_EQ(reading.targets, list.targets) << "seed " << seed << ", " << list.name << ":\n"
                                               << list.text;
    }
  }
}

TEST(ListReaderTest, GivesTheSameHoweverTheBytesArrive) {
  std::mt19937 random(99);
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    Generator generator(seed);
    for (Generated list :
         {generator.csv(), generator.text(), generator.ndjson(), generator.json()}) {
      // Damaged lists too: their problems must not depend on the pieces either.
      if (seed % 2 == 1) list.text[random() % list.text.size()] = "\"\n,x\xFF{]"[random() % 7];
      const Reading whole = read_text(list.text, list.name);
      for (const std::size_t piece : {1U, 2U, 7U}) {
        ASSERT_EQ(read_in_pieces(list.text, piece, list.name), whole)
            << "seed " << seed << ", " << list.name << ":\n"
            << list.text;
      }
    }
  }
}

TEST(ListReaderTest, GivesTheSameWhereverABlockEnds) {
  const std::pair<std::string, std::string> forms[] = {
      {"a.txt", "\r\n2 # two\r\n3\r\n"},
      {"a.csv", "\r\n\"2\"\r\n3\r\n"},
      {"a.jsonl", "\r\n\"2\"\r\n{\"diskId\":\"3\"}\r\n"},
      {"a.json", ",\r\n\"\\u0032\"\r\n,{\"diskId\":\"3\"}\r\n]"},
  };
  constexpr std::size_t k_block = std::size_t{64} * 1024;
  for (const auto& [name, tail] : forms) {
    const std::string head = name == "a.json" ? "[1" : "1";
    for (std::size_t back = 0; back <= tail.size() + 1; ++back) {
      const std::string text = std::string(k_block - head.size() - back, ' ') + head + tail;
      const Reading reading = read_text(text, name);
      ASSERT_EQ(reading.targets, (Lines{"1 1", "2 2", "3 3"})) << name << " " << back;
      ASSERT_EQ(reading.problems, Lines{}) << name << " " << back;
    }
  }
}

}  // namespace
}  // namespace diskrelease
