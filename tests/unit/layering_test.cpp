#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "support/places.h"
#include "support/source_rules.h"

namespace diskrelease {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<SourceFile> files_of_the_project() {
  namespace fs = std::filesystem;
  const fs::path root = source_folder();
  std::vector<SourceFile> files;
  for (const auto& entry : fs::recursive_directory_iterator(root / "src")) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    files.push_back({fs::relative(entry.path(), root).generic_string(),
                     std::string(std::istreambuf_iterator<char>(in), {})});
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

std::vector<std::string> findings(const std::vector<SourceFile>& files) {
  return source_findings(files);
}

/// One made-up file and what has to be found in it; an empty text means nothing may be found.
struct Case {
  std::string path;
  std::string text;
  std::string finding;
};

void expect_each(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.path + ": " + c.text);
    const std::vector<SourceFile> files = {
        {c.path, c.text},
        {"src/record/attempt_log.h", "#pragma once\n"},
        {"src/net/dialling.h", "// Private to net.\n#pragma once\n#include <Poco/Net/Socket.h>\n"}};
    if (c.finding.empty()) {
      EXPECT_THAT(findings(files), IsEmpty());
    } else {
      EXPECT_THAT(findings(files), ElementsAre(HasSubstr(c.finding)));
    }
  }
}

TEST(LayeringTest, TheSourcesOfThisProjectKeepTheRules) {
  const std::vector<SourceFile> files = files_of_the_project();
  ASSERT_NE(std::ranges::find(files, "src/main.cpp", &SourceFile::path), files.end());
  ASSERT_NE(std::ranges::find(files, "src/model/disk_id.h", &SourceFile::path), files.end());
  std::string found;
  for (const std::string& finding : findings(files)) found += "  " + finding + "\n";
  EXPECT_TRUE(found.empty()) << found << source_rules();
}

TEST(LayeringTest, EveryArrowBetweenTwoRoomsPointsToALowerLayer) {
  const std::vector<std::vector<std::string>> layers = {
      {"model"},
      {"platform", "net"},
      {"store", "input", "pacing", "api"},
      {"evidence", "sandbox"},
      {"derived"},
      {"queries"},
      {"record", "report"},
      {"custody", "coordination"},
      {"run"},
      {"cli"},
  };
  for (std::size_t from = 0; from < layers.size(); ++from) {
    for (std::size_t to = 0; to < layers.size(); ++to) {
      for (const std::string& from_room : layers[from]) {
        for (const std::string& to_room : layers[to]) {
          const bool allowed = to < from || from_room == to_room;
          const std::string include = "#include \"" + to_room + "/thing.h\"\n";
          const std::string path = "src/" + from_room + "/x.cpp";
          const auto found = findings({{path, "\n" + include}});
          if (allowed) {
            EXPECT_THAT(found, IsEmpty());
          } else {
            EXPECT_THAT(found, ElementsAre(path + ":2: includes \"" + to_room + "/thing.h\": " +
                                           from_room + " may not know " + to_room));
          }
        }
      }
    }
  }
}

TEST(LayeringTest, MainMayIncludeEveryRoomAndNoRoomMayIncludeMain) {
  expect_each({
      {"src/main.cpp", "#include \"cli/command_line.h\"\n#include \"model/errors.h\"\n", ""},
      {"src/cli/x.cpp", "#include \"main.cpp\"\n", "cli may not know main.cpp"},
  });
}

TEST(LayeringTest, AnIncludeIsSeenInEveryWayItCanBeWritten) {
  const std::string finding = "src/model/x.h:1: includes \"record/attempt_log.h\"";
  expect_each({
      {"src/model/x.h", "#include \"record/attempt_log.h\"", finding},
      {"src/model/x.h", "  #  include\t\"record/attempt_log.h\"  // why\n", finding},
      {"src/model/x.h", "/* a */ #include \"record/attempt_log.h\"\n", finding},
      {"src/model/x.h", "#include <record/attempt_log.h>\n", finding},
      {"src/model/x.h", "#include \"record/attempt_log.h\"\r\n", finding},
      {"src/model/x.h", "#include HEADER\n", "an include that cannot be read"},
      {"src/model/x.h", "#include \"../record/attempt_log.h\"\n", "names no room"},
      {"src/model/x.h", "#include \"y.h\"\n", "names no room"},
      {"src/model/x.h", "#include \"cellar/y.h\"\n", "names no room"},
  });
}

TEST(LayeringTest, AnIncludeInACommentOrATextIsNone) {
  expect_each({
      {"src/model/x.h", "// #include \"record/attempt_log.h\"\n", ""},
      {"src/model/x.h", "/*\n#include \"record/attempt_log.h\"\n*/\n", ""},
      {"src/model/x.h", "auto s = R\"(\n#include \"record/attempt_log.h\"\n)\";\n", ""},
      {"src/model/x.h", "#include <net/if.h>\n#include <vector>\n", ""},
  });
}

TEST(LayeringTest, ATextOrACharacterDoesNotHideWhatFollows) {
  const std::string finding = "src/model/x.cpp:2: includes \"record/attempt_log.h\"";
  for (const char* before :
       {R"(auto a = "/*";)", R"(auto a = '"';)", R"(auto a = '\'';)", R"(auto a = "\"";)",
        R"(auto a = 1'000;)", R"x(auto a = R"(")";)x", "/* \" */", "// '"}) {
    expect_each({{"src/model/x.cpp", std::string(before) + "\n#include \"record/attempt_log.h\"\n",
                  finding}});
  }
}

TEST(LayeringTest, AFileLiesInARoom) {
  expect_each({
      {"src/x.cpp", "", "src/x.cpp:1: lies in no room"},
      {"src/cellar/x.cpp", "", "src/cellar/x.cpp:1: lies in no room"},
  });
}

TEST(LayeringTest, LibrariesAreNamedInSourceFilesAndPrivateHeadersOnly) {
  expect_each({
      {"src/net/x.cpp", "#include <Poco/Net/HTTPSClientSession.h>\nPoco::Event e;\n", ""},
      {"src/net/x.h", "/// HTTPS through Poco.\n", ""},
      {"src/net/x.h", "#include <Poco/Event.h>\n", "src/net/x.h:1: names Poco"},
      {"src/net/x.h", "\nnamespace Poco { class Event; }\n", "src/net/x.h:2: names Poco"},
      {"src/cli/x.h", "#include <cxxopts.hpp>\n", "src/cli/x.h:1: names cxxopts"},
      {"src/cli/x.h", "cxxopts::Options options();\n", "names cxxopts"},
      {"src/net/x.h", "// Private to net.\nPoco::Event e;\n", ""},
      {"src/net/x.h", "// Private to api.\nPoco::Event e;\n", "names Poco"},
      {"src/net/x.h", "\n// Private to net.\nPoco::Event e;\n", "names Poco"},
  });
}

TEST(LayeringTest, APrivateHeaderIsIncludedByItsOwnRoomOnly) {
  expect_each({
      {"src/net/x.cpp", "#include \"net/dialling.h\"\n", ""},
      {"src/sandbox/x.cpp", "#include \"net/dialling.h\"\n", "which is private to net"},
  });
}

TEST(LayeringTest, ClocksAreReadWhereThePlanHasIt) {
  const std::string through = "auto t = clock.utc_now();\n";
  const std::string steady = "auto t = std::chrono::steady_clock::now();\n";
  const std::string wall = "auto t = std::chrono::system_clock::now();\n";
  expect_each({
      {"src/run/x.cpp", through, ""},
      {"src/sandbox/x.cpp", through + wall + steady, ""},
      {"src/cli/x.cpp", through, ""},
      {"src/platform/x.cpp", through + wall + steady, ""},
      {"src/net/x.cpp", steady + "steady_now();", ""},
      {"src/net/x.cpp", wall, "reads a clock of its own (system_clock)"},
      {"src/net/x.cpp", through, "reads the clock (utc_now)"},
      {"src/record/x.cpp", "clock->steady_now();", "reads the clock (steady_now)"},
      {"src/record/x.cpp", steady, "reads a clock of its own (steady_clock)"},
      {"src/record/x.cpp", "ready.wait_for(lock, delay);\n", ""},
      {"src/run/x.cpp", steady, "reads a clock of its own (steady_clock)"},
      {"src/api/x.cpp", "using C = std::chrono::system_clock; auto t = C::now();",
       "reads a clock of its own (C)"},
      {"src/api/x.cpp", "auto t = std::time(nullptr);", "reads a clock of its own"},
      {"src/report/x.cpp", "clock_gettime(CLOCK_REALTIME, &now);", "reads a clock of its own"},
      {"src/report/x.cpp", "// not system_clock::now(), not utc_now()\n", ""},
      {"src/report/x.cpp", "auto retry_time(0); auto s = \"utc_now()\";\n", ""},
  });
}

TEST(LayeringTest, NamesSaySomething) {
  expect_each({
      {"src/api/util.h", "", "the name \"util\" says nothing"},
      {"src/api/string_helpers.cpp", "", "the name \"helpers\" says nothing"},
      {"src/api/common/x.h", "", "the name \"common\" says nothing"},
      {"src/api/base64.h", "struct Database; struct Score; class Rebase {};\n", ""},
      {"src/run/x.h", "class SessionManager {};\n", "SessionManager: the name \"manager\""},
      {"src/run/x.h", "enum class Misc { a };\n", "Misc: the name \"misc\""},
      {"src/run/x.h", "struct [[nodiscard]] RunBase {};\n", "RunBase: the name \"base\""},
      {"src/run/x.h", "namespace core {}\n", "core: the name \"core\""},
      {"src/run/x.h", "using Helper = int;\n", "Helper: the name \"helper\""},
  });
}

}  // namespace
}  // namespace diskrelease
