#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/strict_json.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/list_promises.h"
#include "input/csv_layout.h"

namespace diskrelease {
namespace {

std::string_view without_byte_order_mark(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

// The id that an entry names, read from the tree and not from a stream of events.
std::optional<std::string> id_of(const JsonValue& entry) {
  const JsonValue* id = &entry;
  if (entry.kind == JsonValue::Kind::object) {
    const auto found = std::ranges::find_if(
        entry.members, [](const JsonMember& member) { return is_disk_id_name(member.key); });
    id = found == entry.members.end() ? nullptr : &found->value;
  }
  if (id == nullptr) return std::nullopt;
  if (id->kind == JsonValue::Kind::string) return id->text;
  if (id->kind != JsonValue::Kind::number) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = id->text.data() + id->text.size();
  const auto [stop, error] = std::from_chars(id->text.data(), end, number);
  if (error != std::errc() || stop != end || number > std::uint64_t{1} << 53U) return std::nullopt;
  return id->text;
}

void collect_lists(const JsonValue& object, std::vector<const JsonValue*>& lists) {
  for (const char* key : {"disks", "diskIds", "dataSet"}) {
    const JsonValue* list = object.find(key);
    if (list == nullptr) continue;
    require(list->kind == JsonValue::Kind::array, "a list that is no array was passed over");
    lists.push_back(list);
  }
}

// The entries that a document holds: those of its only list, or it is one itself.
std::vector<const JsonValue*> entries_of(const JsonValue& document) {
  std::vector<const JsonValue*> lists;
  if (document.kind == JsonValue::Kind::array) {
    lists.push_back(&document);
  } else if (document.kind == JsonValue::Kind::object) {
    collect_lists(document, lists);
    const JsonValue* response = document.find("response");
    if (response != nullptr && response->kind == JsonValue::Kind::object) {
      collect_lists(*response, lists);
    }
  }
  if (lists.empty()) return {&document};
  require(lists.size() == 1, "a document with more than one list was accepted");
  std::vector<const JsonValue*> entries;
  for (const JsonValue& entry : lists.front()->elements) entries.push_back(&entry);
  return entries;
}

void require_ids(const ListReading& reading, const std::vector<const JsonValue*>& entries) {
  require(reading.targets.size() == entries.size(), "an entry has no target");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    require(id_of(*entries[i]) == reading.targets[i].second, "an entry has another id");
  }
}

// Refusals of the strict parser that a list may have all the same: it has other limits.
bool is_of_a_limit(const JsonProblem& problem) {
  return problem.reason == "a key occurs twice in one object" ||
         problem.reason == "a key is not UTF-8" || problem.reason == "a string is not UTF-8" ||
         problem.reason == "nesting is too deep" || problem.reason == "more values than allowed";
}

void check_document(const ListReading& reading, std::string_view text) {
  if (!reading.accepted()) return;
  const auto parsed = parse_json(without_byte_order_mark(text));
  if (const auto* problem = std::get_if<JsonProblem>(&parsed)) {
    // Several documents, which only the list reader takes.
    const bool goes_on = problem->reason.starts_with("The document root must not be followed");
    require(goes_on || is_of_a_limit(*problem),
            "a list is no JSON: " + std::string(problem->reason));
    return;
  }
  require_ids(reading, entries_of(std::get<JsonValue>(parsed)));
}

void check_lines(const ListReading& reading, std::string_view text) {
  if (!reading.accepted()) return;
  text = without_byte_order_mark(text);
  std::vector<JsonValue> values;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto parsed = parse_json(line);
    if (const auto* problem = std::get_if<JsonProblem>(&parsed)) {
      require(is_of_a_limit(*problem), "a line is no JSON: " + std::string(problem->reason));
      return;
    }
    values.push_back(std::get<JsonValue>(std::move(parsed)));
  }
  std::vector<const JsonValue*> entries;
  for (const JsonValue& value : values) entries.push_back(&value);
  require_ids(reading, entries);
}

}  // namespace

void fuzz_json_list(FuzzInput input) {
  const std::string text = text_of(input);
  const ListOptions json{.format = ListFormat::json, .column = std::nullopt};
  const ListReading document = read_list_checked(text, "list", json);
  check_document(document, text);
  const ListOptions ndjson{.format = ListFormat::ndjson, .column = std::nullopt};
  const ListReading lines = read_list_checked(text, "list", ndjson);
  check_lines(lines, text);
  require_same_behind_blanks(document, text, "list", json);
  require_same_behind_blanks(lines, text, "list", ndjson);
  const ListReading found = read_list_checked(text, "list", {});
  if (found.summary.format == ListFormat::json) check_document(found, text);
  if (found.summary.format == ListFormat::ndjson) check_lines(found, text);
}

}  // namespace diskrelease
