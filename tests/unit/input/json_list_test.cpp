#include <gtest/gtest.h>

#include "unit/input/reading.h"

namespace diskrelease {
namespace {

Reading read_json(const std::string& text) { return read_text(text, "disks.json"); }

Reading read_ndjson(const std::string& text) { return read_text(text, "disks.ndjson"); }

std::string nested(int levels) {
  const auto count = static_cast<std::size_t>(levels);
  return std::string(count, '[') + std::string(count, ']');
}

TEST(JsonListTest, ReadsEveryAcceptedShape) {
  const std::pair<std::string, Lines> cases[] = {
      {R"(["11","12"])", {"1 11", "1 12"}},
      {"[\r\n\"11\",\r\n\"12\"\r\n]\r\n", {"2 11", "3 12"}},
      {"\xEF\xBB\xBF [\"11\"]", {"1 11"}},
      {"[11, 0]", {"1 11", "1 0"}},
      {"[9007199254740992]", {"1 9007199254740992"}},
      {R"(["1\u0031", {"disk\u0049d": "12"}])", {"1 11", "1 12"}},
      {"[{\"diskId\":\"11\"},\n{\n\"a\":[{\"diskId\":\"no\"}],\n\"diskId\":12,\"b\":{\"diskId\":1}}"
       "]",
       {"1 11", "2 12"}},
      {R"({"disks":["11",{"diskId":"12"}]})", {"1 11", "1 12"}},
      {R"({"a":null,"x":{"disks":["no"]},"diskIds":["11"],"b":[["no"]]})", {"1 11"}},
      {R"({"dataSet":["11"],"totalCount":1})", {"1 11"}},
      {"{\"requestId\":\"T1\",\n\"response\":{\"requestId\":\"T1\",\"totalCount\":2,\"dataSet\":[\n"
       "{\"diskId\":\"11\",\"diskName\":\"diskId\",\"tags\":null},\n"
       "{\"diskName\":\"b\",\"diskId\":\"12\"}]}}",
       {"3 11", "4 12"}},
      {R"({"response":{"dataSet":["11","12"],"totalCount":2},"requestId":"T"})", {"1 11", "1 12"}},
      {R"({"response":{"dataSet":["11","12"],"totalCount":1}})", {"1 11", "1 12"}},
      {R"({"response":{"dataSet":["11"],"totalCount":null}})", {"1 11"}},
      {R"([{"diskId":"11","deep":)" + nested(62) + "}]", {"1 11"}},
  };
  for (const auto& [text, targets] : cases) {
    const Reading reading = read_json(text);
    EXPECT_EQ(reading.targets, targets) << text;
    EXPECT_EQ(reading.problems, Lines{}) << text;
    EXPECT_EQ(reading.format, ListFormat::json) << text;
  }
}

TEST(JsonListTest, RefusesWhatIsNotAListAndSaysWhy) {
  const std::string cut =
      ": the JSON ends here before it is complete: the file is cut off; get it again";
  const std::string no_list =
      "1: the JSON object holds no list: expected an array of ids, an object with the ids under "
      "disks, diskIds or dataSet, or a saved DescribeDisks answer";
  const std::string page = ": it is one page of several; list the disks of all pages";
  const std::string nul =
      ": the line holds a NUL byte: the file is damaged, or UTF-16 without a byte order mark; save "
      "it as UTF-8";
  const std::pair<std::string, std::string> cases[] = {
      // Cut off, at every kind of place.
      {"[", "1" + cut},
      {"[\n\"11\",\n\"12\"\n", "3" + cut},
      {"[\n\"11\",\n", "2" + cut},
      {"[\n\"11\",\n\"1", "3" + cut},
      {"[1", "1" + cut},
      {"[tru", "1" + cut},
      {"[\"\\u00", "1" + cut},
      {"[\"\\", "1" + cut},
      {"[\"\xE2\x82", "1" + cut},
      {"{\"disks\"", "1" + cut},
      {"{\"disks\":[\"11\"]", "1" + cut},
      // Not JSON, or not only JSON.
      {"[\"11\"]\nx", "2: this is not a JSON value; texts need double quotes"},
      {"[\"11\"],\n[\"12\"]", "1: this is not a JSON value; texts need double quotes"},
      {"[\"11\",]", "1: this is not a JSON value; texts need double quotes"},
      {"[\n11,\ndisk]", "3: this is not a JSON value; texts need double quotes"},
      {"['11']", "1: this is not a JSON value; texts need double quotes"},
      {"[\"11\" \"12\"]", "1: a comma or ] after the element of an array is missing"},
      {"[007]", "1: a comma or ] after the element of an array is missing"},
      {"{disks:[]}", "1: the name of a member in double quotes is missing"},
      {"{\"disks\" []}", "1: a colon after the name of a member is missing"},
      {"{\"a\":1 \"b\":2}", "1: a comma or } after the member of an object is missing"},
      {"[\"\\ux\"]", "1: \\u in a string is not followed by four hexadecimal digits"},
      {"[\"\\ud800\"]", "1: a string holds half a surrogate pair"},
      {"[\"1\n1\"]",
       "1: a string holds an unknown escape or a raw control character, such as a line end; found "
       "U+000A (line feed)"},
      {"[\"\\y\"]",
       "1: a string holds an unknown escape or a raw control character, such as a line end"},
      {"[\n\"\xFF\"]", "2: a string is not valid UTF-8; save the file as UTF-8"},
      {"[\"\xED\xA0\x80\"]", "1: a string is not valid UTF-8; save the file as UTF-8"},
      {"[1.]", "1: the digits after a decimal point are missing"},
      {"[1e]", "1: the digits of an exponent are missing"},
      {"[1e999]", "1: a number is too big; write disk ids as strings"},
      {std::string("[\n\"1\0\"]", 7), "2" + nul},
      {std::string("[1\0]", 4), "1" + nul},
      {std::string("[\"11\"]\n\0", 8), "2" + nul},
      // Well-formed, but no list.
      {"null", "1: entry 1: the entry is null; expected a disk id as a string"},
      {"true", "1: entry 1: the entry is true or false; expected a disk id as a string"},
      {"{}", no_list},
      {R"({"requestId":"T","code":"INVALID","message":"no"})", no_list},
      {R"({"x":{"response":{"dataSet":["11"]}}})", no_list},
      {R"({"disks":{"diskId":"11"}})", "1: \"disks\" is an object; expected an array of ids"},
      {R"({"response":{"dataSet":null,"totalCount":0}})",
       "1: \"dataSet\" is null; expected an array of ids"},
      {"{\"disks\":[\"11\"],\n\"diskIds\":[\"12\"]}",
       "2: the JSON holds a second list under \"diskIds\"; leave only the one that is meant"},
      {R"({"disks":["11"],"disks":["12"]})",
       "1: the JSON holds a second list under \"disks\"; leave only the one that is meant"},
      {R"({"diskId":"11","disk_id":"12"})",
       "1: entry 1: the object has \"diskId\" 2 times, so it is not clear which disk is meant"},
      {R"({"diskId":"11","disks":["12"]})",
       "1: the JSON object names a disk and holds a list as well; leave only what is meant"},
      {"[]", "0: the list holds no disk id: its array is empty; check how it was made"},
      {" \n ", "0: the list holds no disk id: its array is empty; check how it was made"},
      // A page of a saved answer.
      {"{\"response\":{\n\"totalCount\":3,\"dataSet\":[\"11\",\"12\"]}}",
       "2: \"totalCount\" is 3 but the saved answer holds 2" + page},
      {R"({"response":{"dataSet":["11"],"totalCount":2}})",
       "1: \"totalCount\" is 2 but the saved answer holds 1" + page},
      {R"({"totalCount":2,"dataSet":["11"]})",
       "1: \"totalCount\" is 2 but the saved answer holds 1" + page},
      {R"({"totalCount":"2","dataSet":["11"]})",
       "1: \"totalCount\" is not a whole number, so whether the list is complete cannot be told; "
       "save the answer again"},
  };
  for (const auto& [text, problem] : cases) {
    EXPECT_EQ(read_json(text).problems, Lines{problem}) << text;
  }
}

TEST(JsonListTest, StopsWhereItIsNestedDeeperThan64Levels) {
  const std::string too_deep =
      "the JSON is nested deeper than 64 levels, so this is not a list of disk ids";
  EXPECT_EQ(read_json(R"([{"diskId":"11","deep":)" + nested(63) + "}]").problems,
            Lines{"1: " + too_deep});
  EXPECT_EQ(read_json("[\n" + std::string(100000, '[')).problems,
            (Lines{"2: entry 1: the entry is an array; expected a disk id as a string",
                   "2: " + too_deep}));
}

struct BadEntry {
  const char* entry;
  const char* problem;
};

constexpr BadEntry k_bad_entries[] = {
    {R"("")", "the disk id is empty"},
    {R"(" 11")", "the disk id \" 11\" has a character outside A-Z a-z 0-9 . _ -"},
    {R"("1\u0000")",
     "the disk id \"1\\x00\" has the character U+0000, and ids are of A-Z a-z 0-9 . _ - alone; it "
     "shows nothing: type the id anew, or delete it"},
    {R"("8.6E+17")",
     "the disk id \"8.6E+17\" is a number in scientific notation: a spreadsheet has destroyed the "
     "id; export the column as text"},
    {"9007199254740993",
     "the disk id 9007199254740993 is a number above 2^53, which many programs round without a "
     "word; write the id as a string, taken from where it came from"},
    {"862857204414550690",
     "the disk id 862857204414550690 is a number above 2^53, which many programs round without a "
     "word; write the id as a string, taken from where it came from"},
    {"18446744073709551616",
     "the disk id 18446744073709551616 is a number above 2^53, which many programs round without "
     "a word; write the id as a string, taken from where it came from"},
    {"8.62857E+17",
     "the disk id 8.62857E+17 is a number in scientific notation: its digits are lost; write the "
     "id as a string, taken from where it came from"},
    {"1e5",
     "the disk id 1e5 is a number in scientific notation: its digits are lost; write the id as a "
     "string, taken from where it came from"},
    {"11.0", "the disk id 11.0 is a fraction; write the id as a string"},
    {"-11", "the disk id -11 is a negative number; write the id as a string"},
    {"null", "the entry is null; expected a disk id as a string"},
    {"true", "the entry is true or false; expected a disk id as a string"},
    {R"(["11"])", "the entry is an array; expected a disk id as a string"},
    {R"({"diskId":"11","diskId":"11"})",
     "the object has \"diskId\" 2 times, so it is not clear which disk is meant"},
    {R"({"diskId":"11","disk\u0049d":"12"})",
     "the object has \"diskId\" 2 times, so it is not clear which disk is meant"},
    {R"({"diskId":null})", "\"diskId\" is null; expected a disk id as a string"},
    {R"({"diskId":["11"]})", "\"diskId\" is an array; expected a disk id as a string"},
    {R"({"diskId":{"diskId":"11"}})", "\"diskId\" is an object; expected a disk id as a string"},
    {R"({"diskId":9007199254740993})",
     "the disk id 9007199254740993 is a number above 2^53, which many programs round without a "
     "word; write the id as a string, taken from where it came from"},
};

TEST(JsonListTest, NamesTheBadEntryAndGoesOn) {
  for (const BadEntry& bad : k_bad_entries) {
    const Reading reading = read_json("[\"1\",\n" + std::string(bad.entry) + ",\n\"2\"]");
    EXPECT_EQ(reading.targets, (Lines{"1 1", "3 2"})) << bad.entry;
    EXPECT_EQ(reading.problems, Lines{"2: entry 2: " + std::string(bad.problem)}) << bad.entry;
  }
}

TEST(JsonListTest, CountsBadEntriesAsRowsOfASavedAnswer) {
  EXPECT_EQ(read_json(R"({"totalCount":2,"dataSet":["11",null]})").problems,
            Lines{"1: entry 2: the entry is null; expected a disk id as a string"});
}

TEST(JsonListTest, ReadsAListOnOneLineLongerThanAnyLineMayBe) {
  std::string text = "[\"862857204414550691\"";
  std::size_t count = 1;
  for (; text.size() < 3 * 1024 * 1024; ++count) text += ",\"862857204414550690\"";
  const Reading reading = read_json(text + "]");
  EXPECT_EQ(reading.targets.size(), count);
  EXPECT_EQ(reading.problems, Lines{});
}

TEST(JsonListTest, BoundsTheLengthOfAStringButNotOfWhiteSpace) {
  const std::string too_long =
      "2: a string or number is longer than 1 MiB, so this is not a list of disk ids; check which "
      "file was given";
  const std::string much(std::size_t{3} * 1024 * 1024, ' ');
  EXPECT_EQ(read_json("[\n\"" + much + "\"]").problems, Lines{too_long});
  EXPECT_EQ(read_json("[\n{\"" + much + "\":1}]").problems, Lines{too_long});
  EXPECT_EQ(read_json("[\n\"" + much).problems, Lines{too_long});
  EXPECT_EQ(read_json("[" + much + "\"11\"" + much + "]").targets, Lines{"1 11"});
}

TEST(NdjsonListTest, TakesOneEntryALine) {
  const Reading reading = read_ndjson(
      "\xEF\xBB\xBF\"11\"\r\n\n  {\"diskId\":\"12\",\"x\":[1]}\n13\n \t\n{\"diskId\":14}");
  EXPECT_EQ(reading.targets, (Lines{"1 11", "3 12", "4 13", "6 14"}));
  EXPECT_EQ(reading.problems, Lines{});
  EXPECT_EQ(reading.format, ListFormat::ndjson);
}

TEST(NdjsonListTest, NamesTheLineOfABadEntryAndGoesOn) {
  for (const BadEntry& bad : k_bad_entries) {
    const Reading reading = read_ndjson("\"1\"\n" + std::string(bad.entry) + "\n\"2\"\n");
    EXPECT_EQ(reading.targets, (Lines{"1 1", "3 2"})) << bad.entry;
    EXPECT_EQ(reading.problems, Lines{"2: " + std::string(bad.problem)}) << bad.entry;
  }
}

TEST(NdjsonListTest, ReportsEachLineThatIsNotJsonOnceAndGoesOn) {
  const std::string open_end =
      "the line ends before its JSON value is complete; NDJSON has one value a line: if the file "
      "is one JSON value, add --format json";
  const std::pair<std::string, std::string> cases[] = {
      {"{\"diskId\":", open_end},
      {"{", open_end},
      {"\"11", open_end},
      {"disk", "this is not a JSON value; texts need double quotes"},
      {"\"11\",", "there is text after the end of the JSON value"},
      {"[", "the entry is an array; expected a disk id as a string"},
      {"\"\xFF\"", "the line is not valid UTF-8; save the file as UTF-8"},
      {std::string(100, '['), "the entry is an array; expected a disk id as a string"},
  };
  for (const auto& [line, problem] : cases) {
    const Reading reading = read_ndjson("\"1\"\n" + line + "\n\"2\"\n");
    EXPECT_EQ(reading.problems, Lines{"2: " + problem}) << line;
    EXPECT_EQ(reading.targets.back(), "3 2") << line;
  }
}

TEST(NdjsonListTest, RefusesAListOfBlankLines) {
  EXPECT_EQ(read_ndjson("\n \n").problems,
            Lines{"0: the list holds no disk id, only blank lines; check how it was made"});
}

}  // namespace
}  // namespace diskrelease
