#include "input/job_file.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "input/suggestion.h"
#include "model/size.h"
#include "model/time.h"
#include "model/visible_text.h"

namespace diskrelease {
namespace {

using rapidjson::Value;

/// A file with more problems is not a job file; the rest is counted.
constexpr std::size_t k_most_problems = 50;

/// Iterative, since a file of opening brackets must not exhaust the stack. Not with full precision:
/// RapidJSON 1.1 is undefined for "0e-39" then, and a rate of up to 15 digits is exact without.
constexpr unsigned k_parse_flags =
    rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;

constexpr std::string_view k_byte_order_mark = "\xEF\xBB\xBF";

std::string_view text_of(const Value& string) {
  return {string.GetString(), string.GetStringLength()};
}

std::string quoted(std::string_view text) { return '"' + visible(text, 60) + '"'; }

/// What stands where something else was expected.
std::string found(const Value& value) {
  switch (value.GetType()) {
    case rapidjson::kNullType:
      return "null";
    case rapidjson::kFalseType:
      return "false";
    case rapidjson::kTrueType:
      return "true";
    case rapidjson::kObjectType:
      return "an object";
    case rapidjson::kArrayType:
      return "an array";
    case rapidjson::kStringType:
      return "a string";
    case rapidjson::kNumberType:
      return value.IsDouble() ? "a number with a fraction or an exponent, or far too large"
                              : "a number";
  }
  return "";
}

bool names_a_secret(std::string_view key) {
  std::string letters;
  for (const char c : in_snake_case(key.substr(0, 100))) {
    if (c != '_') letters += c;
  }
  constexpr std::array<std::string_view, 9> k_marks = {"accesskey", "secret",     "token",
                                                       "password",  "passwd",     "passphrase",
                                                       "apikey",    "privatekey", "authorization"};
  return std::any_of(k_marks.begin(), k_marks.end(), [&](std::string_view mark) {
    return letters.find(mark) != std::string::npos;
  });
}

std::string child(const std::string& path, std::string_view key) {
  const bool plain =
      !key.empty() && key.size() <= 60 && std::all_of(key.begin(), key.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '$';
      });
  return plain ? path + '.' + std::string(key) : path + '[' + quoted(key) + ']';
}

struct Reading;

/// A key of a job file and what its value is read with.
struct Key {
  std::string_view name;
  void (*read)(Reading&, const Value&, const std::string& path);
  bool job_only = false;  ///< not allowed in the user's configuration
};

/// One file on its way into settings.
struct Reading {
  std::string source;
  std::filesystem::path folder;
  JobFileKind kind;
  JobSettings settings;
  std::vector<std::string> problems;
  std::size_t problem_count = 0;

  /// `place` begins with '$', or is ":line:column".
  void report(const std::string& place, const std::string& text) {
    if (++problem_count > k_most_problems) return;
    problems.push_back(source + (place.starts_with('$') ? ": " : "") + place + ": " + text);
  }

  void report_unexpected(const std::string& path, const std::string& expected, const Value& value) {
    report(path, "expected " + expected + ", found " + found(value));
  }

  [[nodiscard]] JobFile finish() && {
    if (problem_count > k_most_problems) {
      problems.push_back(source + ": ... and " + std::to_string(problem_count - k_most_problems) +
                         " more problems");
    }
    return {std::move(settings), std::move(problems)};
  }
};

/// A string that holds what JSON can spell but UTF-8 cannot (half a surrogate pair) is refused.
std::optional<std::string_view> read_string(Reading& reading, const Value& value,
                                            const std::string& path,
                                            const std::string& expected = "a string") {
  if (!value.IsString()) {
    reading.report_unexpected(path, expected, value);
    return std::nullopt;
  }
  const auto text = text_of(value);
  if (!is_utf8(text)) {
    reading.report(path, "the string holds half a surrogate pair, which is not a character");
    return std::nullopt;
  }
  return text;
}

template <std::optional<std::string> JobSettings::*Member>
void read_text(Reading& reading, const Value& value, const std::string& path) {
  if (const auto text = read_string(reading, value, path)) reading.settings.*Member = *text;
}

template <std::optional<std::string> JobSettings::*Member>
void read_path(Reading& reading, const Value& value, const std::string& path) {
  const auto text = read_string(reading, value, path);
  if (!text) return;
  auto& setting = reading.settings.*Member;
  setting = *text;
  // What was recorded is resolved already: "./-" and "./~/x" must not become "-" and "~/x".
  if (reading.kind == JobFileKind::recorded) return;
  // check_settings() speaks about these.
  if (text->empty() || text->find('\0') != std::string_view::npos) return;
  if (!text->starts_with("~/")) {
    setting = (reading.folder / *text).lexically_normal().string();
    return;
  }
  const char* const home = std::getenv("HOME");
  if (home == nullptr || *home != '/') {
    reading.report(path, "\"~/\" means $HOME, which is not set to an absolute path");
    return;
  }
  setting = (std::filesystem::path(home) / text->substr(2)).lexically_normal().string();
}

/// A number beyond the range of the setting's type becomes the nearest one inside: outside what
/// check_settings() allows all the same.
template <auto Member>
void read_whole_number(Reading& reading, const Value& value, const std::string& path) {
  auto& setting = reading.settings.*Member;
  using Number = typename std::remove_reference_t<decltype(setting)>::value_type;
  using Limits = std::numeric_limits<Number>;
  if (value.IsInt64()) {
    setting = static_cast<Number>(
        std::clamp<std::int64_t>(value.GetInt64(), Limits::min(), Limits::max()));
  } else if (value.IsUint64()) {
    setting = Limits::max();
  } else {
    reading.report_unexpected(path, "a whole number", value);
  }
}

template <std::optional<bool> JobSettings::*Member>
void read_boolean(Reading& reading, const Value& value, const std::string& path) {
  if (value.IsBool()) {
    reading.settings.*Member = value.GetBool();
  } else {
    reading.report_unexpected(path, "true or false", value);
  }
}

template <std::optional<std::chrono::milliseconds> JobSettings::*Member>
void read_duration(Reading& reading, const Value& value, const std::string& path) {
  const std::string expected = "a duration such as \"500ms\", \"30s\", \"5m\" or \"1h\"";
  const auto text = read_string(reading, value, path, expected);
  if (!text) return;
  const auto duration = parse_duration(*text);
  if (duration) {
    reading.settings.*Member = *duration;
  } else {
    reading.report(path, "expected " + expected + ", found " + quoted(*text));
  }
}

template <std::optional<std::int64_t> JobSettings::*Member>
void read_size(Reading& reading, const Value& value, const std::string& path) {
  const std::string expected = "a size such as \"512KiB\", \"100MiB\" or \"1GiB\"";
  const auto text = read_string(reading, value, path, expected);
  if (!text) return;
  const auto size = parse_size(*text);
  if (size) {
    reading.settings.*Member = *size;
  } else {
    reading.report(path, "expected " + expected + ", found " + quoted(*text));
  }
}

/// A setting whose texts are those of an enumeration.
template <class Choice, std::size_t Count>
void read_choice(Reading& reading, const Value& value, const std::string& path,
                 std::optional<Choice>& setting, const std::array<Choice, Count>& choices) {
  std::string expected;
  for (std::size_t i = 0; i < Count; ++i) {
    if (i > 0) expected += i + 1 < Count ? ", " : " or ";
    expected += '"' + std::string(to_text(choices[i])) + '"';
  }
  const auto text = read_string(reading, value, path, expected);
  if (!text) return;
  Suggestion suggestion{*text};
  for (const Choice choice : choices) {
    const std::string known{to_text(choice)};
    if (*text == known) {
      setting = choice;
      return;
    }
    suggestion.consider(known, known);
  }
  reading.report(path, "expected " + expected + ", found " + quoted(*text) + suggestion.text());
}

void read_goal(Reading& reading, const Value& value, const std::string& path) {
  read_choice(reading, value, path, reading.settings.goal, std::array{Goal::release, Goal::purge});
}

void read_format(Reading& reading, const Value& value, const std::string& path) {
  read_choice(reading, value, path, reading.settings.format,
              std::array{ListFormat::automatic, ListFormat::csv, ListFormat::json,
                         ListFormat::ndjson, ListFormat::text});
}

void read_proxy(Reading& reading, const Value& value, const std::string& path) {
  const auto text = read_string(reading, value, path);
  if (!text) return;
  if (text->find('@') != std::string_view::npos) {
    reading.report(path,
                   "a user name or password does not belong into a file that is shared and backed "
                   "up; set HTTPS_PROXY in the environment instead");
    return;
  }
  reading.settings.proxy = *text;
}

void read_rate_number(Reading& reading, const Value& value, const std::string& path,
                      const std::string& expected) {
  if (value.IsNumber()) {
    reading.settings.rate_per_second = value.GetDouble();
  } else if (value.IsString() && text_of(value) == "unlimited") {
    reading.settings.rate_unlimited = true;
  } else if (value.IsString()) {
    reading.report(path, "expected " + expected + ", found " + quoted(text_of(value)));
  } else {
    reading.report_unexpected(path, expected, value);
  }
}

void read_per_second(Reading& reading, const Value& value, const std::string& path) {
  read_rate_number(reading, value, path, "a number or \"unlimited\"");
}

/// Editors use it to find the schema; the reader has its own knowledge.
void read_schema_reference(Reading& reading, const Value& value, const std::string& path) {
  (void)read_string(reading, value, path);
}

template <const auto& Keys>
void read_section(Reading& reading, const Value& value, const std::string& path);
void read_list(Reading& reading, const Value& value, const std::string& path);
void read_rate(Reading& reading, const Value& value, const std::string& path);

/// Keeps "-", which is standard input and no file.
void read_list_path(Reading& reading, const Value& value, const std::string& path) {
  if (value.IsString() && text_of(value) == "-") {
    reading.settings.list = "-";
  } else {
    read_path<&JobSettings::list>(reading, value, path);
  }
}

constexpr std::array k_list_keys = {
    Key{"path", read_list_path},
    Key{"format", read_format},
    Key{"column", read_text<&JobSettings::column>},
};
constexpr std::array k_rate_keys = {
    Key{"per_second", read_per_second},
    Key{"burst", read_whole_number<&JobSettings::burst>},
};
constexpr std::array k_timeout_keys = {
    Key{"request", read_duration<&JobSettings::timeout>},
    Key{"connect", read_duration<&JobSettings::connect_timeout>},
};
constexpr std::array k_retry_keys = {
    Key{"max_attempts", read_whole_number<&JobSettings::max_attempts>},
    Key{"first_backoff", read_duration<&JobSettings::first_backoff>},
    Key{"max_backoff", read_duration<&JobSettings::max_backoff>},
    Key{"budget_percent", read_whole_number<&JobSettings::budget_percent>},
};
constexpr std::array k_limit_keys = {
    Key{"max_disks", read_whole_number<&JobSettings::max_disks>},
    Key{"max_list_size", read_size<&JobSettings::max_list_size>},
};
constexpr std::array k_settle_keys = {
    Key{"window", read_duration<&JobSettings::settle_window>},
    Key{"poll", read_duration<&JobSettings::settle_poll>},
    Key{"resend_unsettled", read_boolean<&JobSettings::resend_unsettled>},
};
constexpr std::array k_top_keys = {
    Key{"$schema", read_schema_reference},
    Key{"name", read_text<&JobSettings::name>, true},
    Key{"list", read_list, true},
    Key{"goal", read_goal},
    Key{"endpoint", read_text<&JobSettings::endpoint>},
    Key{"profile", read_text<&JobSettings::profile>},
    Key{"credentials_file", read_path<&JobSettings::credentials_file>},
    Key{"ca_file", read_path<&JobSettings::ca_file>},
    Key{"proxy", read_proxy},
    Key{"rate", read_rate},
    Key{"in_flight", read_whole_number<&JobSettings::in_flight>},
    Key{"look_batch", read_whole_number<&JobSettings::look_batch>},
    Key{"timeouts", read_section<k_timeout_keys>},
    Key{"retry", read_section<k_retry_keys>},
    Key{"limits", read_section<k_limit_keys>},
    Key{"preflight", read_boolean<&JobSettings::preflight>},
    Key{"verify", read_boolean<&JobSettings::verify>},
    Key{"settle", read_section<k_settle_keys>},
    Key{"include_recycled", read_boolean<&JobSettings::include_recycled>},
};

/// Where a key may stand: what is written before it, and the keys.
struct Place {
  std::string_view prefix;
  std::span<const Key> keys;
};
constexpr std::array k_places = {
    Place{"", k_top_keys},           Place{"list.", k_list_keys},
    Place{"rate.", k_rate_keys},     Place{"timeouts.", k_timeout_keys},
    Place{"retry.", k_retry_keys},   Place{"limits.", k_limit_keys},
    Place{"settle.", k_settle_keys},
};

void report_unknown_key(Reading& reading, std::string_view key, const std::string& path,
                        std::span<const Key> keys_here) {
  if (names_a_secret(key)) {
    reading.report(path,
                   "secrets do not belong into a file that is shared and backed up; name a "
                   "credentials_file or a profile, or use the environment");
    return;
  }
  Suggestion suggestion{key};
  for (const Key& known : keys_here) suggestion.consider(known.name, known.name);
  if (suggestion.text().empty()) {
    for (const Place& place : k_places) {
      for (const Key& known : place.keys) {
        suggestion.consider(known.name, std::string(place.prefix) + std::string(known.name));
      }
    }
  }
  reading.report(path, "unknown key" + suggestion.text());
}

void read_members(Reading& reading, const Value& object, const std::string& path,
                  std::span<const Key> keys) {
  std::set<std::string_view> seen;
  for (const auto& member : object.GetObject()) {
    const auto name = text_of(member.name);
    const auto member_path = child(path, name);
    if (!seen.insert(name).second) {
      reading.report(member_path, "the key occurs twice");
      continue;
    }
    const auto known =
        std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.name == name; });
    if (known == keys.end()) {
      report_unknown_key(reading, name, member_path, keys);
    } else if (known->job_only && reading.kind == JobFileKind::user_config) {
      reading.report(member_path, "belongs into a job file, not into the user's configuration");
    } else {
      known->read(reading, member.value, member_path);
    }
  }
}

template <const auto& Keys>
void read_section(Reading& reading, const Value& value, const std::string& path) {
  if (value.IsObject()) {
    read_members(reading, value, path, Keys);
  } else {
    reading.report_unexpected(path, "an object", value);
  }
}

void read_list(Reading& reading, const Value& value, const std::string& path) {
  if (value.IsString()) {
    read_list_path(reading, value, path);
  } else if (!value.IsObject()) {
    reading.report_unexpected(path, "a path or an object", value);
  } else {
    read_members(reading, value, path, k_list_keys);
    if (!value.HasMember("path")) reading.report(path, "the key \"path\" is missing");
  }
}

void read_rate(Reading& reading, const Value& value, const std::string& path) {
  if (value.IsObject()) {
    read_members(reading, value, path, k_rate_keys);
  } else {
    read_rate_number(reading, value, path, "a number, \"unlimited\" or an object");
  }
}

struct FileCloser {
  void operator()(std::FILE* file) const noexcept { (void)std::fclose(file); }
};

struct FileBytes {
  std::string bytes;       ///< the first `limit` of the file
  std::error_code failed;  ///< why there are none
};

FileBytes read_beginning(const std::filesystem::path& path, std::size_t limit) {
  const auto failure = [] { return FileBytes{{}, {errno, std::generic_category()}}; };
  const std::unique_ptr<std::FILE, FileCloser> file{std::fopen(path.c_str(), "rbe")};
  if (!file) return failure();
  std::string bytes(limit, '\0');
  bytes.resize(std::fread(bytes.data(), 1, limit, file.get()));
  if (std::ferror(file.get()) != 0) return failure();
  return {std::move(bytes), {}};
}

std::string_view without_byte_order_mark(std::string_view bytes) {
  if (bytes.starts_with(k_byte_order_mark)) bytes.remove_prefix(k_byte_order_mark.size());
  return bytes;
}

/// ":line:column" of a byte, both from 1; the column counts characters.
std::string line_and_column(std::string_view bytes, std::size_t offset) {
  const auto before = bytes.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto newline = before.rfind('\n');
  const auto of_line = newline == std::string_view::npos ? before : before.substr(newline + 1);
  const auto column = 1 + std::count_if(of_line.begin(), of_line.end(), [](char c) {
                        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
                      });
  return ':' + std::to_string(line) + ':' + std::to_string(column);
}

void read_document(Reading& reading, std::string_view bytes) {
  // RapidJSON takes a NUL for the end, and would not see what follows.
  const auto nul = bytes.find('\0');
  if (nul != std::string_view::npos) {
    reading.report(line_and_column(bytes, nul), "holds a NUL byte; a job file is UTF-8 text");
    return;
  }
  // Not Parse(), which passes over single bytes of a byte order mark, whatever follows them.
  rapidjson::MemoryStream stream(bytes.data(), bytes.size());
  rapidjson::Document document;
  document.ParseStream<k_parse_flags>(stream);
  if (document.HasParseError()) {
    reading.report(
        line_and_column(bytes, document.GetErrorOffset()),
        std::string("not valid JSON: ") + rapidjson::GetParseError_En(document.GetParseError()));
    return;
  }
  if (!document.IsObject()) {
    reading.report_unexpected("$", "an object", document);
    return;
  }
  read_members(reading, document, "$", k_top_keys);
  if (reading.kind == JobFileKind::job && !document.HasMember("list")) {
    reading.report("$", "the key \"list\" is missing; it names the file with the disk ids");
  }
  for (const auto& problem : check_settings(reading.settings)) {
    reading.report("$." + problem.substr(0, problem.find(' ')),
                   problem.substr(problem.find(' ') + 1));
  }
}

/// Looks for the key "list" in the first object of a text and stops at the first certainty.
class ListKeyFinder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, ListKeyFinder> {
 public:
  [[nodiscard]] bool found() const noexcept { return found_; }

  bool Default() const noexcept { return depth_ > 0; }
  bool StartObject() noexcept { return ++depth_ > 0; }
  bool EndObject(rapidjson::SizeType) noexcept { return --depth_ > 0; }
  bool StartArray() noexcept { return depth_++ > 0; }
  bool EndArray(rapidjson::SizeType) noexcept { return --depth_ > 0; }
  bool Key(const char* text, rapidjson::SizeType length, bool) noexcept {
    found_ = depth_ == 1 && std::string_view(text, length) == "list";
    return !found_;
  }

 private:
  int depth_ = 0;
  bool found_ = false;
};

}  // namespace

JobFile read_job_file(const std::filesystem::path& path, JobFileKind kind) {
  Reading reading{visible(path.string()), {}, kind, {}, {}};
  const auto file = read_beginning(path, k_max_job_file_bytes + 1);
  std::error_code failed = file.failed;
  if (!failed) reading.folder = std::filesystem::absolute(path, failed).parent_path();
  if (failed) {
    reading.report("", "cannot be read: " + failed.message());
  } else if (file.bytes.size() > k_max_job_file_bytes) {
    reading.report("", "has more than " + std::to_string(k_max_job_file_bytes) +
                           " bytes; a job file is never that large");
  } else {
    read_document(reading, without_byte_order_mark(file.bytes));
  }
  return std::move(reading).finish();
}

JobFile read_settings(const std::string& text, const std::string& source_name) {
  Reading reading{visible(source_name), {}, JobFileKind::recorded, {}, {}};
  read_document(reading, text);
  return std::move(reading).finish();
}

std::string write_settings(const JobSettings& settings) {
  using Document = rapidjson::Document;
  Document document(rapidjson::kObjectType);
  auto& allocator = document.GetAllocator();
  const auto text = [&](std::string_view value) {
    return Value(value.data(), static_cast<rapidjson::SizeType>(value.size()), allocator);
  };
  const auto add_text = [&](Value& object, const char* key,
                            const std::optional<std::string>& value) {
    if (value) object.AddMember(rapidjson::StringRef(key), text(*value), allocator);
  };
  const auto add_number = [&](Value& object, const char* key, const auto& value) {
    if (value) object.AddMember(rapidjson::StringRef(key), Value(*value), allocator);
  };
  const auto add_boolean = [&](Value& object, const char* key, const std::optional<bool>& value) {
    if (value) object.AddMember(rapidjson::StringRef(key), Value(*value), allocator);
  };
  const auto add_duration = [&](Value& object, const char* key, const auto& value) {
    if (!value) return;
    object.AddMember(rapidjson::StringRef(key), text(format_duration(*value)), allocator);
  };
  const auto add_group = [&](const char* key, Value group) {
    if (!group.ObjectEmpty()) document.AddMember(rapidjson::StringRef(key), group, allocator);
  };

  add_text(document, "name", settings.name);
  Value list(rapidjson::kObjectType);
  add_text(list, "path", settings.list);
  if (settings.list) {
    if (settings.format) list.AddMember("format", text(to_text(*settings.format)), allocator);
    add_text(list, "column", settings.column);
  }
  add_group("list", std::move(list));
  if (settings.goal) document.AddMember("goal", text(to_text(*settings.goal)), allocator);
  add_text(document, "endpoint", settings.endpoint);
  add_text(document, "profile", settings.profile);
  add_text(document, "credentials_file", settings.credentials_file);
  add_text(document, "ca_file", settings.ca_file);
  if (settings.proxy) {
    std::string proxy = *settings.proxy;
    const std::size_t scheme = proxy.find("://");
    const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
    if (const std::size_t at = proxy.rfind('@'); at != std::string::npos && at >= begin) {
      proxy.erase(begin, at + 1 - begin);
    }
    document.AddMember("proxy", text(proxy), allocator);
  }
  Value rate(rapidjson::kObjectType);
  if (settings.rate_unlimited.value_or(false)) {
    rate.AddMember("per_second", "unlimited", allocator);
  } else {
    add_number(rate, "per_second", settings.rate_per_second);
  }
  add_number(rate, "burst", settings.burst);
  add_group("rate", std::move(rate));
  add_number(document, "in_flight", settings.in_flight);
  add_number(document, "look_batch", settings.look_batch);
  Value timeouts(rapidjson::kObjectType);
  add_duration(timeouts, "request", settings.timeout);
  add_duration(timeouts, "connect", settings.connect_timeout);
  add_group("timeouts", std::move(timeouts));
  Value retry(rapidjson::kObjectType);
  add_number(retry, "max_attempts", settings.max_attempts);
  add_duration(retry, "first_backoff", settings.first_backoff);
  add_duration(retry, "max_backoff", settings.max_backoff);
  add_number(retry, "budget_percent", settings.budget_percent);
  add_group("retry", std::move(retry));
  Value limits(rapidjson::kObjectType);
  add_number(limits, "max_disks", settings.max_disks);
  if (settings.max_list_size) {
    limits.AddMember("max_list_size", text(format_size(*settings.max_list_size)), allocator);
  }
  add_group("limits", std::move(limits));
  add_boolean(document, "preflight", settings.preflight);
  add_boolean(document, "verify", settings.verify);
  Value settle(rapidjson::kObjectType);
  add_duration(settle, "window", settings.settle_window);
  add_duration(settle, "poll", settings.settle_poll);
  add_boolean(settle, "resend_unsettled", settings.resend_unsettled);
  add_group("settle", std::move(settle));
  add_boolean(document, "include_recycled", settings.include_recycled);

  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  document.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

bool is_job_file(const std::filesystem::path& path) {
  std::error_code failed;
  if (path == "-" || !std::filesystem::is_regular_file(path, failed)) return false;
  const auto file = read_beginning(path, k_max_job_file_bytes);
  const auto bytes = without_byte_order_mark(file.bytes);
  const auto first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || bytes[first] != '{') return false;
  rapidjson::MemoryStream stream{bytes.data(), bytes.size()};
  rapidjson::Reader reader;
  ListKeyFinder finder;
  reader.Parse<k_parse_flags | rapidjson::kParseStopWhenDoneFlag>(stream, finder);
  return finder.found();
}

}  // namespace diskrelease
