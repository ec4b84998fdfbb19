#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "support/places.h"

namespace diskrelease {
namespace {

std::vector<std::filesystem::path> inputs_of(const std::string& target) {
  const auto folder = source_folder() / "tests" / "fuzz" / "corpus" / target;
  std::vector<std::filesystem::path> inputs;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) inputs.push_back(entry.path());
  }
  std::ranges::sort(inputs);
  return inputs;
}

/// A finding ends the process, and the trace on standard error says which.
void run_corpus(const std::string& target, void (*run)(FuzzInput)) {
  const auto inputs = inputs_of(target);
  ASSERT_GE(inputs.size(), 10U);
  for (const auto& path : inputs) {
    SCOPED_TRACE(path.string());
    std::ifstream in(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    ASSERT_FALSE(in.bad());
    run(std::as_bytes(std::span(bytes)));
    // Cut anywhere, too.
    for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 16) {
      run(std::as_bytes(std::span(bytes).first(size)));
    }
  }
}

TEST(FuzzCorpusTest, CsvListsKeepTheirPromises) { run_corpus("csv_list", fuzz_csv_list); }
TEST(FuzzCorpusTest, JsonListsKeepTheirPromises) { run_corpus("json_list", fuzz_json_list); }
TEST(FuzzCorpusTest, JobFilesKeepTheirPromises) { run_corpus("job_file", fuzz_job_file); }
TEST(FuzzCorpusTest, ReleaseAnswersKeepTheirPromises) {
  run_corpus("release_answer", fuzz_release_answer);
}
TEST(FuzzCorpusTest, DescribeAnswersKeepTheirPromises) {
  run_corpus("describe_answer", fuzz_describe_answer);
}
TEST(FuzzCorpusTest, ProviderLogsKeepTheirPromises) {
  run_corpus("provider_log", fuzz_provider_log);
}

TEST(FuzzCorpusDeathTest, APromiseThatIsBrokenEndsTheProcess) {
  EXPECT_DEATH(require(false, "the reason"), "finding: the reason");
  EXPECT_DEATH(require_visible("a\x1b", 10, "a text"), "finding: a text is not visible text");
  EXPECT_DEATH(require_visible("abc", 2, "a text"), "finding: a text is too long: abc");
  require(true, "");
  require_visible("abc", 3, "a text");
}

}  // namespace
}  // namespace diskrelease
