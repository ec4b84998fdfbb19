#include "input/provider_log.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <array>
#include <istream>
#include <set>
#include <utility>
#include <variant>

#include "input/byte_source.h"
#include "input/input_file.h"
#include "input/json_bytes.h"
#include "input/list_output.h"
#include "model/visible_text.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_max_depth = 64;
constexpr std::size_t k_max_kept_bytes = 256;
constexpr std::size_t k_other_events = 8;

using Kind = JsonKind;

/// Letters and digits in lower case: "ReleaseDisk", "release disk" and "RELEASE_DISK" are one
/// event. Bytes beyond ASCII stay.
std::string event_key(std::string_view event) {
  std::string key;
  for (const char c : event) {
    if (c >= 'A' && c <= 'Z') {
      key += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               static_cast<unsigned char>(c) >= 0x80) {
      key += c;
    }
  }
  return key;
}

/// Turns RapidJSON's callbacks into one for values and one for the ends of arrays and objects.
template <class Derived>
class JsonEvents {
 public:
  // NOLINTBEGIN(readability-identifier-naming)
  bool Null() { return self().value(Kind::null, {}); }
  bool Bool(bool value) { return self().value(Kind::boolean, value ? "true" : "false"); }
  bool RawNumber(const char* text, rapidjson::SizeType bytes, bool) {
    return self().value(Kind::number, {text, bytes});
  }
  bool String(const char* text, rapidjson::SizeType bytes, bool) {
    return self().value(Kind::string, {text, bytes});
  }
  bool Key(const char* text, rapidjson::SizeType bytes, bool) { return self().key({text, bytes}); }
  bool StartObject() { return self().value(Kind::object, {}); }
  bool StartArray() { return self().value(Kind::array, {}); }
  bool EndObject(rapidjson::SizeType) { return self().end(); }
  bool EndArray(rapidjson::SizeType) { return self().end(); }
  // Numbers arrive as text; the parser is still compiled against these.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
  // NOLINTEND(readability-identifier-naming)

 private:
  friend Derived;
  JsonEvents() = default;
  Derived& self() { return static_cast<Derived&>(*this); }
};

/// What the text in "request" or "response" of a record says: an object, whose other members mean
/// nothing here.
class Detail : public JsonEvents<Detail> {
 public:
  std::vector<std::string> disks;  ///< of diskId and diskIds
  bool odd_disk = false;           ///< one of these is no text
  std::optional<bool> success;
  std::string code;
  std::string request_id;
  bool has_response = false;

  /// A text that is no JSON object, or names a member twice, says nothing.
  static Detail read(std::string_view text) {
    Detail detail;
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::Reader reader;
    const bool whole =
        !reader.Parse<k_json_flags>(stream, detail).IsError() && stream.Tell() == text.size();
    return whole ? std::move(detail) : Detail();
  }

  bool key(std::string_view key) {
    if (depth_ != 1) return true;
    member_ = key;
    // One of a kind each: what is meant by the second cannot be told.
    return (member_ != "diskId" && member_ != "diskIds" && member_ != "success" &&
            member_ != "code" && member_ != "requestId" && member_ != "response") ||
           seen_.insert(member_).second;
  }

  bool value(Kind kind, std::string_view text) {
    const bool opens = kind == Kind::object || kind == Kind::array;
    if (depth_ == 0 && kind != Kind::object) return false;
    if (depth_ == 1) member_value(kind, text);
    if (depth_ == 2 && in_disks_) add_disk(kind, text);
    if (depth_ == 1 && opens) in_disks_ = kind == Kind::array && member_ == "diskIds";
    return !opens || ++depth_ <= k_max_depth;
  }

  bool end() {
    --depth_;
    return true;
  }

 private:
  void add_disk(Kind kind, std::string_view text) {
    if (kind == Kind::string) {
      disks.emplace_back(text);
    } else {
      odd_disk = true;
    }
  }

  void member_value(Kind kind, std::string_view text) {
    if (member_ == "diskId" && kind != Kind::null) add_disk(kind, text);
    if (member_ == "diskIds" && kind != Kind::null && kind != Kind::array) odd_disk = true;
    if (member_ == "success" && kind == Kind::boolean) success = text == "true";
    if (member_ == "code" && kind == Kind::string) code = text;
    if (member_ == "requestId" && kind == Kind::string) request_id = text;
    if (member_ == "response" && kind == Kind::object) has_response = true;
  }

  std::size_t depth_ = 0;
  std::string member_;
  std::set<std::string> seen_;
  bool in_disks_ = false;
};

ProviderResult result_of(const Detail& response) {
  const bool code_says_success = response.code == "SUCCESS";
  const bool good = response.success == true || code_says_success || response.has_response;
  const bool bad = response.success == false || (!response.code.empty() && !code_says_success);
  if (good == bad) return ProviderResult::unclear;
  return good ? ProviderResult::succeeded : ProviderResult::failed;
}

/// The ids of "disk/1|instance/2": those of disks, or all where no type says so.
std::vector<std::string> disks_of_resource(std::string_view resource) {
  std::vector<std::string> disks;
  std::vector<std::string> all;
  while (!resource.empty()) {
    const std::size_t end = std::min(resource.find('|'), resource.size());
    const std::string_view part = resource.substr(0, end);
    resource.remove_prefix(std::min(end + 1, resource.size()));
    const std::size_t slash = part.rfind('/');
    const bool typed = slash != std::string_view::npos;
    all.emplace_back(typed ? part.substr(slash + 1) : part);
    if (typed && event_key(part.substr(0, slash)).find("disk") != std::string::npos) {
      disks.push_back(all.back());
    }
  }
  return disks.empty() ? all : disks;
}

/// Hears the events of an export and picks the records out of it.
class LogEvents : public JsonEvents<LogEvents> {
 public:
  /// `line` is where the events come from, kept up to date by whoever sends them.
  LogEvents(const std::int64_t& line, const std::vector<std::string>& events,
            ProviderLogSummary& summary, const ProviderReleaseSink& sink)
      : line_(line), summary_(summary), sink_(sink) {
    release_events_.insert(event_key("ReleaseDisk"));
    for (const std::string& further : events) release_events_.insert(event_key(further));
    release_events_.erase("");
  }

  /// True if the handler itself has ended the parsing, and has said why.
  [[nodiscard]] bool gave_up() const noexcept { return gave_up_; }

  bool key(std::string_view key) {
    member_ = key;
    return true;
  }

  bool value(Kind kind, std::string_view text) {
    const Place place = open_.empty() ? Place::file : open_.back();
    Place inside = Place::elsewhere;
    switch (place) {
      case Place::file:
      case Place::entries:
        inside = entry(place, kind);
        break;
      case Place::entry:
      case Place::payload:
        inside = member(place, kind, text);
        break;
      case Place::records:
        if (kind == Kind::object) {
          begin_record();
          inside = Place::record;
        } else {
          ++summary_.records;
          record_problem(line_, "is " + std::string(name(kind)) + "; expected an object");
        }
        break;
      case Place::record:
        take_field(kind, text);
        break;
      case Place::elsewhere:
        break;
    }
    if (gave_up_) return false;
    if (kind != Kind::object && kind != Kind::array) return true;
    if (open_.size() == k_max_depth) {
      give_up("the JSON is nested deeper than " + std::to_string(k_max_depth) +
              " levels, so this is not an export of the log");
      return false;
    }
    open_.push_back(inside);
    return true;
  }

  bool end() {
    const Place place = open_.back();
    open_.pop_back();
    if (place == Place::record) finish_record();
    if (place == Place::entry) finish_entry();
    return !gave_up_;
  }

 private:
  /// What the innermost open array or object is.
  enum class Place {
    file,       ///< none is open
    entries,    ///< an array of answers and records
    entry,      ///< an answer or a record
    payload,    ///< the "response" of an answer
    records,    ///< a "dataSet"
    record,     ///< an element of it
    elsewhere,  ///< means nothing here
  };

  enum Field : std::size_t { uid, event, time, source, user, ip, request, response, k_fields };
  static constexpr std::array<std::string_view, k_fields> k_field_names = {
      "resUid", "resEvent", "opsTime", "eventSource", "opsUser", "clientIP", "request", "response"};

  struct FieldValue {
    int times = 0;
    Kind kind = Kind::null;
    std::string text;
  };

  Place entry(Place place, Kind kind) {
    if (kind == Kind::object) {
      begin_record();
      data_sets_ = 0;
      own_fields_ = 0;
      error_code_.clear();
      return Place::entry;
    }
    if (kind == Kind::array && place == Place::file) return Place::entries;
    problem("the JSON holds " + std::string(name(kind)) +
            " where an answer to DescribeLogs or a record of the log is expected");
    return Place::elsewhere;
  }

  Place member(Place place, Kind kind, std::string_view text) {
    if (member_ == "dataSet") {
      ++data_sets_;
      if (kind == Kind::array) return Place::records;
      // An answer without records may have null there.
      if (kind != Kind::null) {
        problem("\"dataSet\" is " + std::string(name(kind)) + "; expected an array of records");
      }
      return Place::elsewhere;
    }
    if (place == Place::payload) return Place::elsewhere;
    if (member_ == "response" && kind == Kind::object) {
      take_field(kind, text);
      return Place::payload;
    }
    if (member_ == "code" && kind == Kind::string) error_code_ = text.substr(0, k_max_kept_bytes);
    if (member_ == "resUid" || member_ == "resEvent" || member_ == "opsTime") ++own_fields_;
    take_field(kind, text);
    return Place::elsewhere;
  }

  void finish_entry() {
    if (data_sets_ > 1) {
      problem("an answer has \"dataSet\" twice; export the log again");
    } else if (data_sets_ == 1 && own_fields_ > 0) {
      problem("an object is an answer and a record at once; export the log again");
    } else if (data_sets_ == 1) {
      return;
    } else if (own_fields_ > 0) {
      finish_record();
    } else if (!error_code_.empty()) {
      problem("this answer is a refusal, " + quote_text(error_code_) + "; export the log again");
    } else {
      problem(
          "this object is neither an answer to DescribeLogs, which has a \"dataSet\", nor a record "
          "of the log, which has a \"resEvent\"");
    }
  }

  void begin_record() {
    for (FieldValue& field : fields_) field.times = 0;
    record_line_ = line_;
  }

  void take_field(Kind kind, std::string_view text) {
    const auto found = std::ranges::find(k_field_names, std::string_view(member_));
    if (found == k_field_names.end()) return;
    FieldValue& field = fields_[static_cast<std::size_t>(found - k_field_names.begin())];
    ++field.times;
    field.kind = kind;
    field.text = text;
  }

  /// The text of a field that need not be there.
  std::string_view text_of(Field field, std::size_t max_bytes) {
    const FieldValue& value = fields_[field];
    if (value.times == 0 || value.kind == Kind::null) return {};
    if (value.kind != Kind::string) {
      field_problem(field, "is " + std::string(name(value.kind)) + "; expected a string");
      return {};
    }
    if (value.text.size() > max_bytes) {
      field_problem(field, "is longer than " + std::to_string(max_bytes) + " bytes");
      return {};
    }
    // The parser lets a lone \udc00 become bytes that are not UTF-8.
    if (!is_utf8(value.text)) {
      field_problem(field, "is not UTF-8");
      return {};
    }
    return value.text;
  }

  void finish_record() {
    ++summary_.records;
    const std::int64_t problems_before = summary_.problems.count();
    for (std::size_t i = 0; i < k_fields; ++i) {
      if (fields_[i].times > 1) field_problem(static_cast<Field>(i), "occurs twice");
    }
    const std::string_view event_name = text_of(event, k_max_kept_bytes);
    const std::optional<UtcTime> when = parse_utc(text_of(time, k_max_kept_bytes));
    const bool bad = summary_.problems.count() > problems_before;
    if (event_name.empty() && !bad) field_problem(event, "is missing");
    if (!when && !bad) {
      field_problem(time, fields_[time].times == 0
                              ? "is missing"
                              : quote_text(fields_[time].text) +
                                    " is not a time such as 2026-11-24T03:00:00Z");
    }
    if (when) {
      summary_.earliest = std::min(summary_.earliest.value_or(*when), *when);
      summary_.latest = std::max(summary_.latest.value_or(*when), *when);
    }
    if (event_name.empty()) return;
    if (release_events_.contains(event_key(event_name))) {
      ++summary_.release_records;
      finish_release(when, problems_before);
    } else if (summary_.other_events.size() < k_other_events &&
               std::ranges::find(summary_.other_events, event_name) ==
                   summary_.other_events.end()) {
      summary_.other_events.emplace_back(event_name);
    }
  }

  void finish_release(std::optional<UtcTime> when, std::int64_t problems_before) {
    const std::string_view user_name = text_of(user, k_max_kept_bytes);
    const std::string_view address = text_of(ip, k_max_kept_bytes);
    const std::string_view origin = text_of(source, k_max_kept_bytes);
    const std::string_view resource = text_of(uid, k_max_line_bytes);
    const Detail asked = Detail::read(text_of(request, k_max_line_bytes));
    const Detail answered = Detail::read(text_of(response, k_max_line_bytes));
    if (asked.odd_disk) field_problem(request, "names a disk that is no string");
    for (const std::string* text : {&answered.code, &answered.request_id}) {
      if (text->size() > k_max_kept_bytes || !is_utf8(*text)) {
        field_problem(response, "has a code or request id that is too long or not UTF-8");
      }
    }
    const std::vector<std::string> ids =
        asked.disks.empty() ? disks_of_resource(resource) : asked.disks;
    std::vector<DiskId> disks;
    for (const std::string& id : ids) {
      auto disk = DiskId::parse(id);
      if (const auto* reason = std::get_if<DiskIdProblem>(&disk)) {
        record_problem(record_line_, describe_bad_id(id, *reason));
      } else {
        disks.push_back(std::move(std::get<DiskId>(disk)));
      }
    }
    if (ids.empty() && !asked.odd_disk) {
      record_problem(record_line_,
                     "a release that names no disk, neither in request nor in resUid");
    }
    if (!when || summary_.problems.count() > problems_before) return;
    for (DiskId& disk : disks) {
      if (++releases_ > k_max_provider_releases) {
        give_up("the export has more than " + std::to_string(k_max_provider_releases) +
                " releases; export and compare shorter times");
        return;
      }
      sink_({.disk = std::move(disk),
             .time = *when,
             .result = result_of(answered),
             .code = result_of(answered) == ProviderResult::succeeded ? "" : answered.code,
             .request_id = answered.request_id,
             .user = std::string(user_name),
             .client_ip = std::string(address),
             .source = std::string(origin),
             .record = summary_.records});
    }
  }

  void field_problem(Field field, const std::string& text) {
    record_problem(record_line_, "\"" + std::string(k_field_names[field]) + "\" " + text);
  }

  /// A whole export may be one line, so its problems also say which record is meant.
  void record_problem(std::int64_t line, const std::string& text) {
    summary_.problems.add({line, "record " + std::to_string(summary_.records) + ": " + text});
  }

  void problem(std::string text) { summary_.problems.add({line_, std::move(text)}); }

  void give_up(std::string text) {
    problem(std::move(text));
    gave_up_ = true;
  }

  const std::int64_t& line_;
  ProviderLogSummary& summary_;
  const ProviderReleaseSink& sink_;
  std::set<std::string> release_events_;

  std::vector<Place> open_;
  std::string member_;  ///< the one whose value comes next
  bool gave_up_ = false;
  std::int64_t releases_ = 0;

  std::array<FieldValue, k_fields> fields_;  ///< of the present record
  std::int64_t record_line_ = 0;
  int data_sets_ = 0;   ///< of the present entry, as the following ones
  int own_fields_ = 0;  ///< members that only a record has
  std::string error_code_;
};

}  // namespace

std::string_view to_text(ProviderResult result) noexcept {
  switch (result) {
    case ProviderResult::succeeded:
      return "succeeded";
    case ProviderResult::failed:
      return "failed";
    case ProviderResult::unclear:
      return "unclear";
  }
  return "";
}

ProviderLogSummary read_provider_log(std::istream& in, const std::vector<std::string>& events,
                                     const ProviderReleaseSink& sink) {
  ProviderLogSummary summary;
  ByteSource source(in);
  JsonBytes bytes(source);
  LogEvents handler(bytes.line(), events, summary, sink);
  rapidjson::Reader reader;
  rapidjson::ParseResult result;
  std::int64_t values = 0;
  for (rapidjson::SkipWhitespace(bytes); bytes.Peek() != '\0'; rapidjson::SkipWhitespace(bytes)) {
    result = reader.Parse<k_json_flags | rapidjson::kParseStopWhenDoneFlag>(bytes, handler);
    if (result.IsError()) break;
    ++values;
  }
  if (!source.failure().empty()) {
    summary.problems.add({0, "reading failed: " + source.failure() +
                                 "; the rest of the log is unknown, so none of it is used"});
  } else if (handler.gave_up()) {
    // Said already.
  } else if (bytes.at_nul_byte()) {
    summary.problems.add({bytes.line(), "there is a NUL byte: the file is damaged, or UTF-16"});
  } else if (bytes.token_too_long()) {
    summary.problems.add({bytes.line(), "a string or number is longer than 1 MiB"});
  } else if (result.IsError() && bytes.ended()) {
    summary.problems.add({bytes.last_line(),
                          "the JSON ends here before it is complete: the file is cut off; export "
                          "the log again"});
  } else if (result.IsError()) {
    summary.problems.add({bytes.line(), std::string(describe_json_error(result.Code())) +
                                            "; the rest was not read"});
  } else if (values == 0) {
    summary.problems.add({0, "the file is empty; export the log again"});
  }
  return summary;
}

ProviderLogSummary read_provider_log_file(const std::string& path,
                                          const std::vector<std::string>& events,
                                          const ProviderReleaseSink& sink) {
  ProviderLogSummary summary;
  const std::string refusal = with_input_file(path, "provider's log", [&](std::istream& in) {
    summary = read_provider_log(in, events, sink);
  });
  if (!refusal.empty()) summary.problems.add({0, refusal});
  return summary;
}

}  // namespace diskrelease
