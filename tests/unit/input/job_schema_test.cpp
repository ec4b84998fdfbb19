// The job file reader and schema/job.schema.json must agree on what a job file is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

// g++ 12 suspects a null pointer in code of RapidJSON that it has inlined.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnull-dereference"
#include <rapidjson/schema.h>
#pragma GCC diagnostic pop

#include "input/job_file.h"
#include "model/disk_id.h"
#include "support/places.h"

namespace diskrelease {
namespace {

namespace fs = std::filesystem;
using rapidjson::Document;
using rapidjson::Value;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

const fs::path k_source = source_folder();
const fs::path k_job_files = k_source / "tests/unit/input/job_files";

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

void parse(Document& document, const std::string& bytes) {
  document.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseFullPrecisionFlag>(
      bytes.data(), bytes.size());
}

std::string text_of(const Value& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// A key of the schema, with the keys that lead to it.
struct SchemaKey {
  std::vector<std::string> path;
  const Value* schema;

  [[nodiscard]] std::string name() const {
    std::string joined = "$";
    for (const auto& key : path) joined += '.' + key;
    return joined;
  }
};

class JobSchemaTest : public testing::Test {
 protected:
  void SetUp() override {
    parse(schema_, bytes_of(k_source / "schema/job.schema.json"));
    ASSERT_FALSE(schema_.HasParseError());
    compiled_ = std::make_unique<rapidjson::SchemaDocument>(schema_);
    collect_keys(schema_, {});
    std::string name = (fs::temp_directory_path() / "job_schema_test.XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }

  void TearDown() override { fs::remove_all(folder_); }

  bool schema_accepts(const Value& document) const {
    rapidjson::SchemaValidator validator(*compiled_);
    return document.Accept(validator);
  }

  /// A text that is no JSON is not accepted.
  bool schema_accepts(const std::string& bytes) const {
    Document document;
    parse(document, bytes);
    return !document.HasParseError() && schema_accepts(static_cast<const Value&>(document));
  }

  std::vector<std::string> reader_problems(const Value& document) const {
    const auto file = folder_ / "job.json";
    std::ofstream(file, std::ios::binary) << text_of(document);
    return read_job_file(file, JobFileKind::job).problems;
  }

  /// A job file in which nothing but the given key is of interest.
  static Document job_with(const SchemaKey& key, const std::string& value) {
    Document job;
    parse(job, R"({"list": {"path": "disks.csv"}})");
    Value* at = &job;
    for (const auto& name : key.path) {
      if (!at->IsObject()) at->SetObject();
      if (!at->HasMember(name.c_str())) {
        at->AddMember(Value(name.c_str(), job.GetAllocator()), Value(), job.GetAllocator());
      }
      at = &(*at)[name.c_str()];
    }
    Document parsed;
    parse(parsed, value);
    EXPECT_FALSE(parsed.HasParseError()) << value;
    at->CopyFrom(parsed, job.GetAllocator());
    return job;
  }

  /// The schemas that a schema consists of, itself included, with references followed.
  std::vector<const Value*> parts_of(const Value& schema) const {
    std::vector<const Value*> parts = {&schema};
    for (const char* combination : {"anyOf", "allOf"}) {
      if (!schema.HasMember(combination)) continue;
      for (const auto& part : schema[combination].GetArray()) {
        for (const Value* inner : parts_of(part)) parts.push_back(inner);
      }
    }
    if (schema.HasMember("$ref")) {
      const std::string reference = schema["$ref"].GetString();
      const auto* const target = rapidjson::Pointer(reference.c_str() + 1).Get(schema_);
      EXPECT_NE(target, nullptr) << reference;
      if (target != nullptr) {
        for (const Value* inner : parts_of(*target)) parts.push_back(inner);
      }
    }
    return parts;
  }

  std::set<std::string> allowed_types(const Value& schema) const {
    std::set<std::string> types;
    for (const Value* part : parts_of(schema)) {
      if (part->HasMember("type")) types.insert((*part)["type"].GetString());
      if (part->HasMember("enum")) types.insert("string");
    }
    return types;
  }

  Document schema_;
  std::unique_ptr<rapidjson::SchemaDocument> compiled_;
  std::vector<SchemaKey> keys_;
  fs::path folder_;

 private:
  void collect_keys(const Value& schema, const std::vector<std::string>& path) {
    for (const Value* part : parts_of(schema)) {
      if (!part->HasMember("properties")) continue;
      for (const auto& property : (*part)["properties"].GetObject()) {
        auto inner = path;
        inner.emplace_back(property.name.GetString());
        keys_.push_back({inner, &property.value});
        collect_keys(property.value, inner);
      }
    }
  }
};

TEST_F(JobSchemaTest, AndTheReaderAcceptEveryGoodFile) {
  const auto files = files_in(k_job_files / "good");
  EXPECT_GE(files.size(), 15u);
  for (const auto& file : files) {
    if (file.string().ends_with(".scenario.json")) continue;  // for the sandbox, not a job
    EXPECT_TRUE(schema_accepts(bytes_of(file))) << file;
    EXPECT_THAT(read_job_file(file, JobFileKind::job).problems, IsEmpty());
  }
}

TEST_F(JobSchemaTest, AndTheReaderRefuseEveryBadFile) {
  const auto files = files_in(k_job_files / "bad");
  EXPECT_GE(files.size(), 40u);
  for (const auto& file : files) {
    EXPECT_FALSE(schema_accepts(bytes_of(file))) << file;
    EXPECT_EQ(read_job_file(file, JobFileKind::job).problems.size(), 1u)
        << file << " is to have one fault, and the reader is to see it once";
  }
}

TEST_F(JobSchemaTest, AcceptsWhatOnlyTheReaderCanSee) {
  const auto files = files_in(k_job_files / "reader_only");
  EXPECT_GE(files.size(), 5u);
  for (const auto& file : files) {
    EXPECT_TRUE(schema_accepts(bytes_of(file))) << file;
    EXPECT_EQ(read_job_file(file, JobFileKind::job).problems.size(), 1u) << file;
  }
}

TEST_F(JobSchemaTest, HasNoKeyThatTheFullExampleLacks) {
  Document everything;
  parse(everything, bytes_of(k_job_files / "good/everything.json"));
  ASSERT_TRUE(everything.IsObject());
  EXPECT_GE(keys_.size(), 20u);
  for (const auto& key : keys_) {
    const Value* at = &everything;
    for (const auto& name : key.path) {
      ASSERT_TRUE(at->IsObject() && at->HasMember(name.c_str())) << key.name();
      at = &(*at)[name.c_str()];
    }
  }
}

TEST_F(JobSchemaTest, ExplainsEveryKeyAndClosesEveryObject) {
  for (const auto& key : keys_) {
    for (const char* text : {"title", "description"}) {
      ASSERT_TRUE(key.schema->HasMember(text)) << key.name() << " has no " << text;
      EXPECT_GT((*key.schema)[text].GetStringLength(), 3u) << key.name();
    }
    for (const Value* part : parts_of(*key.schema)) {
      if (!part->HasMember("properties")) continue;
      ASSERT_TRUE(part->HasMember("additionalProperties")) << key.name();
      EXPECT_TRUE((*part)["additionalProperties"].IsFalse()) << key.name();
    }
  }
}

TEST_F(JobSchemaTest, AndTheReaderRefuseAWrongTypeForEveryKey) {
  const std::pair<const char*, const char*> values[] = {
      {"null", "null"},  {"boolean", "true"}, {"boolean", "false"},     {"array", "[]"},
      {"array", "[1]"},  {"object", "{}"},    {"object", R"({"a":1})"}, {"integer", "2"},
      {"number", "2.5"}, {"string", R"("2")"}};
  for (const auto& key : keys_) {
    auto allowed = allowed_types(*key.schema);
    ASSERT_FALSE(allowed.empty()) << key.name();
    if (allowed.contains("number")) allowed.insert("integer");
    int refused = 0;
    for (const auto& [type, value] : values) {
      if (allowed.contains(type)) continue;
      const auto job = job_with(key, value);
      EXPECT_FALSE(schema_accepts(job)) << text_of(job);
      EXPECT_THAT(reader_problems(job), Contains(HasSubstr(key.name() + ": expected ")))
          << text_of(job);
      ++refused;
    }
    EXPECT_GE(refused, 5) << key.name();
  }
}

TEST_F(JobSchemaTest, AndTheReaderRefuseEveryMisspeltKeyAndTheReaderKnowsTheRightOne) {
  for (const auto& key : keys_) {
    const std::string& right = key.path.back();
    for (const std::string& wrong :
         {right.substr(0, right.size() - 1), right + 's', right.substr(1), right + right.back(),
          std::string(1, right[1]) + right[0] + right.substr(2)}) {
      SchemaKey misspelt = key;
      misspelt.path.back() = wrong;
      const auto job = job_with(misspelt, "1");
      EXPECT_FALSE(schema_accepts(job)) << text_of(job);
      EXPECT_THAT(reader_problems(job),
                  Contains(HasSubstr("unknown key; did you mean \"" + right + "\"?")))
          << text_of(job);
    }
  }
}

TEST_F(JobSchemaTest, AndTheReaderHoldEveryNumberToTheSameRange) {
  const auto expect_verdict = [this](const SchemaKey& key, const Value& number, bool good) {
    const auto job = job_with(key, text_of(number));
    EXPECT_EQ(schema_accepts(job), good) << text_of(job);
    EXPECT_EQ(reader_problems(job).empty(), good) << text_of(job);
  };
  int ranges = 0;
  for (const auto& key : keys_) {
    for (const Value* part : parts_of(*key.schema)) {
      if (!part->HasMember("minimum")) continue;
      ASSERT_TRUE(part->HasMember("maximum")) << key.name();
      const Value& min = (*part)["minimum"];
      const Value& max = (*part)["maximum"];
      ++ranges;
      if ((*part)["type"] == "integer") {
        expect_verdict(key, Value(min.GetInt64() - 1), false);
        expect_verdict(key, Value(min.GetInt64()), true);
        expect_verdict(key, Value(max.GetInt64()), true);
        expect_verdict(key, Value(max.GetInt64() + 1), false);
      } else {
        // Numbers in job files count to their 15th digit.
        expect_verdict(key, Value(min.GetDouble() * (1 - 1e-14)), false);
        expect_verdict(key, Value(min.GetDouble()), true);
        expect_verdict(key, Value(max.GetDouble()), true);
        expect_verdict(key, Value(std::nextafter(max.GetDouble(), 1e9)), false);
      }
    }
  }
  EXPECT_GE(ranges, 6);
}

TEST_F(JobSchemaTest, AndTheReaderAgreeOnEveryFormOfADuration) {
  const SchemaKey backoff{{"retry", "max_backoff"}, nullptr};
  int good = 0;
  for (const std::string number : {"1", "01", "1.0", "1.00", "", "1.", ".1", "-1", "+1", "1e0",
                                   "1,0", " 1", "1.0.0", "0x1", "\u0661"}) {
    for (const std::string unit : {"ms", "s", "m", "h", "", "d", "us", "ns", "S", "H", "sec", "min",
                                   " s", "s ", "s1s", "m s"}) {
      const auto job = job_with(backoff, '"' + number + unit + '"');
      EXPECT_EQ(schema_accepts(job), reader_problems(job).empty()) << text_of(job);
      good += schema_accepts(job) ? 1 : 0;
    }
  }
  EXPECT_EQ(good, 16) << "four numbers with four units";
}

TEST_F(JobSchemaTest, AndTheReaderAgreeOnEveryCharacterOfATextWithAForm) {
  const std::pair<const char*, int> texts_and_good_characters[] = {
      {"name", 95}, {"endpoint", 68}, {"proxy", 68}};
  for (const auto& [key, good_characters] : texts_and_good_characters) {
    const SchemaKey setting{{key}, nullptr};
    int good = 0;
    for (int byte = 1; byte < 128; ++byte) {
      auto job = job_with(setting, "null");
      const std::string text = std::string(setting.path[0] == "proxy" ? "http://a" : "a") +
                               static_cast<char>(byte) + 'b';
      job[key].SetString(text.c_str(), job.GetAllocator());
      EXPECT_EQ(schema_accepts(job), reader_problems(job).empty()) << text_of(job);
      good += schema_accepts(job) ? 1 : 0;
    }
    EXPECT_EQ(good, good_characters) << key;
  }
}

TEST_F(JobSchemaTest, StatesTheDefaultsThatApply) {
  Document job;
  parse(job, R"({"list": {"path": "disks.csv"}})");
  const fs::path file = folder_ / "job.json";
  std::ofstream(file) << text_of(job);
  const JobSpec silent = resolve(read_job_file(file, JobFileKind::job).settings);

  int defaults = 0;
  for (const auto& key : keys_) {
    if (!key.schema->HasMember("default")) continue;
    ++defaults;
    const auto with_default = job_with(key, text_of((*key.schema)["default"]));
    std::ofstream(file) << text_of(with_default);
    const auto read = read_job_file(file, JobFileKind::job);
    ASSERT_THAT(read.problems, IsEmpty());
    const JobSpec spec = resolve(read.settings);
    EXPECT_EQ(spec.format, silent.format);
    EXPECT_EQ(spec.goal, silent.goal);
    EXPECT_EQ(spec.endpoint, silent.endpoint);
    EXPECT_EQ(spec.rate, silent.rate) << key.name();
    EXPECT_EQ(spec.in_flight, silent.in_flight);
    EXPECT_EQ(spec.timeout, silent.timeout);
    EXPECT_EQ(spec.connect_timeout, silent.connect_timeout);
    EXPECT_EQ(spec.retry, silent.retry) << key.name();
    EXPECT_EQ(spec.look_batch, silent.look_batch);
    EXPECT_EQ(spec.max_list_size, silent.max_list_size);
    EXPECT_EQ(spec.preflight, silent.preflight);
    EXPECT_EQ(spec.verify, silent.verify);
    EXPECT_EQ(spec.settle, silent.settle) << key.name();
    EXPECT_EQ(spec.include_recycled, silent.include_recycled);
  }
  EXPECT_EQ(defaults, 20);
}

TEST_F(JobSchemaTest, AndTheReaderAcceptTheSampleJobs) {
  const auto files = files_in(k_source / "jobs");
  EXPECT_GE(files.size(), 2u);
  for (const auto& file : files) {
    if (file.string().ends_with(".scenario.json")) continue;  // for the sandbox, not a job
    EXPECT_TRUE(schema_accepts(bytes_of(file))) << file;
    EXPECT_THAT(read_job_file(file, JobFileKind::job).problems, IsEmpty());
    EXPECT_TRUE(is_job_file(file)) << file;
  }
}

TEST(SampleJobTest, DemoReadsItsListOfMadeUpDisks) {
  const auto read = read_job_file(k_source / "jobs/demo.json", JobFileKind::job);
  ASSERT_THAT(read.problems, IsEmpty());
  const JobSpec spec = resolve(read.settings);
  EXPECT_EQ(spec.list, (k_source / "jobs/demo.csv").string());
  EXPECT_EQ(spec.goal, Goal::release);
  EXPECT_EQ(spec.rate, (RateLimit{20.0, 1}));
  EXPECT_EQ(spec.max_disks, 100);
  EXPECT_FALSE(is_job_file(spec.list));

  std::ifstream list(spec.list);
  std::string line;
  ASSERT_TRUE(std::getline(list, line));
  EXPECT_EQ(line, "diskId,diskName,zone");
  int lines = 0;
  std::set<std::string> ids;
  while (std::getline(list, line)) {
    const auto id = line.substr(0, line.find(','));
    EXPECT_TRUE(std::holds_alternative<DiskId>(DiskId::parse(id))) << id;
    EXPECT_TRUE(id.starts_with("99000000000000") && id.size() == 19) << id;
    ids.insert(id);
    ++lines;
  }
  EXPECT_EQ(ids.size(), 40u);
  EXPECT_EQ(lines, 41) << "one disk is listed twice, to show what duplicates do";
}

TEST(SampleJobTest, NightlySpellsTheDefaultsOut) {
  const auto read = read_job_file(k_source / "jobs/nightly.json", JobFileKind::job);
  ASSERT_THAT(read.problems, IsEmpty());
  const JobSpec spec = resolve(read.settings);
  const JobSpec defaults = resolve(JobSettings{});
  EXPECT_EQ(spec.goal, defaults.goal);
  EXPECT_EQ(spec.endpoint, defaults.endpoint);
  EXPECT_EQ(spec.rate, defaults.rate);
  EXPECT_EQ(spec.in_flight, defaults.in_flight);
  EXPECT_EQ(spec.timeout, defaults.timeout);
  EXPECT_EQ(spec.connect_timeout, defaults.connect_timeout);
  EXPECT_EQ(spec.retry, defaults.retry);
  EXPECT_EQ(spec.preflight, defaults.preflight);
  EXPECT_EQ(spec.verify, defaults.verify);
  EXPECT_EQ(spec.settle, defaults.settle);
  EXPECT_EQ(spec.max_disks, 500);
}

}  // namespace
}  // namespace diskrelease
