#include "api/describe.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

#include "api/answer.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_max_text = 128;  // bytes of what is shown of one member

// Why the document proves nothing.
struct Flaw {
  std::string reason;
};

// The text of a string member; nullptr where there is none, it is null or of another type.
const std::string* text_of(const JsonValue& object, std::string_view key) noexcept {
  const JsonValue* value = find_value(object, key);
  return value != nullptr && value->kind == JsonValue::Kind::string ? &value->text : nullptr;
}

std::string shown_text(const JsonValue& row, std::string_view key, const Blanking& blank) {
  const std::string* text = text_of(row, key);
  return text == nullptr ? std::string() : bounded_text(*text, k_max_text, blank);
}

// A number written as a whole one; digits only, so that nothing is rounded.
std::optional<std::int64_t> whole_number(const JsonValue* value) noexcept {
  if (value == nullptr || value->kind != JsonValue::Kind::number || value->text.front() == '-') {
    return {};
  }
  std::int64_t number = 0;
  const char* const end = value->text.data() + value->text.size();
  const auto [stop, error] = std::from_chars(value->text.data(), end, number);
  if (error != std::errc() || stop != end) return {};
  return number;
}

// "ABSENT" and "OTHER" are this program's words: from outside they are as unknown as any other.
DiskStatus status_from_outside(std::string_view text) noexcept {
  const DiskStatus status = disk_status_from_text(text).value_or(DiskStatus::other);
  return status == DiskStatus::absent ? DiskStatus::other : status;
}

Sighting read_row(const JsonValue& row, const DiskId& disk, const std::string& status_text,
                  const Blanking& blank) {
  Sighting sighting{.disk = disk,
                    .status = status_from_outside(status_text),
                    .status_text = bounded_text(status_text, k_max_text, blank),
                    .disk_type = shown_text(row, "diskType", blank),
                    .portable = std::nullopt,
                    .name = shown_text(row, "diskName", blank),
                    .zone = shown_text(row, "zoneId", blank),
                    .category = shown_text(row, "diskCategory", blank),
                    .instance_id = shown_text(row, "instanceId", blank),
                    .size_gb = whole_number(row.find("diskSize"))};
  const JsonValue* portable = row.find("portable");
  if (portable != nullptr && portable->kind == JsonValue::Kind::boolean) {
    sighting.portable = portable->text == "true";
  }
  return sighting;
}

Sighting absent_disk(const DiskId& disk) {
  return {.disk = disk,
          .status = DiskStatus::absent,
          .status_text = std::string(to_text(DiskStatus::absent)),
          .disk_type = {},
          .portable = {},
          .name = {},
          .zone = {},
          .category = {},
          .instance_id = {},
          .size_gb = {}};
}

std::string row_name(std::size_t index) { return "row " + std::to_string(index + 1); }

// The place in `asked` of the disk that a row tells of.
std::variant<std::size_t, Flaw> asked_place(const JsonValue& row, std::size_t index,
                                            std::span<const DiskId> asked) {
  if (row.kind != JsonValue::Kind::object) return Flaw{row_name(index) + " is not an object"};
  const std::string* id = text_of(row, "diskId");
  if (id == nullptr) return Flaw{row_name(index) + " has no diskId that is a text"};
  const auto found = std::ranges::find(asked, *id, &DiskId::text);
  if (found == asked.end()) {
    return Flaw{row_name(index) + " has the diskId " + *id + ", which was not asked for"};
  }
  return static_cast<std::size_t>(found - asked.begin());
}

// One sighting for each disk asked for, from the rows of a list that is as long as it says.
std::variant<std::vector<Sighting>, Flaw> read_rows(const std::vector<JsonValue>& rows,
                                                    std::span<const DiskId> asked,
                                                    const Blanking& blank) {
  std::vector<std::optional<Sighting>> seen(asked.size());
  for (std::size_t index = 0; index < rows.size(); ++index) {
    const JsonValue& row = rows[index];
    auto place = asked_place(row, index, asked);
    if (auto* flaw = std::get_if<Flaw>(&place)) return std::move(*flaw);
    const DiskId& disk = asked[std::get<std::size_t>(place)];
    auto& sighting = seen[std::get<std::size_t>(place)];
    if (sighting) return Flaw{row_name(index) + " repeats the diskId " + disk.text()};
    const std::string* status = text_of(row, "diskStatus");
    if (status == nullptr || status->empty()) return Flaw{row_name(index) + " has no diskStatus"};
    sighting = read_row(row, disk, *status, blank);
  }
  std::vector<Sighting> sightings;
  sightings.reserve(asked.size());
  for (std::size_t place = 0; place < asked.size(); ++place) {
    sightings.push_back(seen[place] ? std::move(*seen[place]) : absent_disk(asked[place]));
  }
  return sightings;
}

// A list of the documented form: {"requestId":"T..","response":{"requestId":"T..","totalCount":N,
// "dataSet":[{..}]}}; the request id inside, where there is one, is the same.
struct List {
  std::int64_t total = 0;
  const std::vector<JsonValue>* rows = nullptr;  // of the document
};

// Precondition: there is a response and no code.
std::variant<List, Flaw> read_list(const JsonValue& document) {
  const JsonValue& response = *find_value(document, "response");
  if (response.kind != JsonValue::Kind::object) return Flaw{"response is not an object"};
  if (identifier(document, "requestId").empty()) return Flaw{"there is no requestId"};
  if (const JsonValue* inner = find_value(response, "requestId");
      inner != nullptr &&
      (inner->kind != JsonValue::Kind::string || inner->text != document.find("requestId")->text)) {
    return Flaw{"the requestId inside the response is another one"};
  }
  const JsonValue* rows = find_value(response, "dataSet");
  if (rows == nullptr || rows->kind != JsonValue::Kind::array) return Flaw{"there is no dataSet"};
  const auto total = whole_number(find_value(response, "totalCount"));
  if (!total) return Flaw{"there is no totalCount that is a whole number"};
  return List{*total, &rows->elements};
}

// Every disk asked for is accounted for.
std::variant<std::vector<Sighting>, Flaw> read_sightings(const JsonValue& document,
                                                         std::span<const DiskId> asked,
                                                         const Blanking& blank) {
  auto list = read_list(document);
  if (auto* flaw = std::get_if<Flaw>(&list)) return std::move(*flaw);
  const auto [total, rows] = std::get<List>(list);
  if (!std::cmp_equal(total, rows->size())) {
    return Flaw{"totalCount is " + std::to_string(total) + ", but there are " +
                std::to_string(rows->size()) + " rows"};
  }
  if (rows->size() > asked.size()) {
    return Flaw{"there are " + std::to_string(rows->size()) + " rows for " +
                std::to_string(asked.size()) + " disks asked for"};
  }
  return read_rows(*rows, asked, blank);
}

// The account is shown: at least one disk of it.
std::variant<std::vector<Sighting>, Flaw> read_account(const JsonValue& document,
                                                       const Blanking& blank) {
  auto list = read_list(document);
  if (auto* flaw = std::get_if<Flaw>(&list)) return std::move(*flaw);
  const auto [total, rows] = std::get<List>(list);
  if (total == 0 && rows->empty()) {
    return Flaw{
        "the account is shown without any disk, so an absent disk may be one that is hidden"};
  }
  if (total < 1 || rows->size() != 1) {
    return Flaw{"totalCount is " + std::to_string(total) + " and there are " +
                std::to_string(rows->size()) + " rows, where one was asked for"};
  }
  const JsonValue& row = rows->front();
  const std::string* id = row.kind == JsonValue::Kind::object ? text_of(row, "diskId") : nullptr;
  if (id == nullptr) return Flaw{"the row has no diskId that is a text"};
  auto disk = DiskId::parse(*id);
  if (!std::holds_alternative<DiskId>(disk)) return Flaw{"the row's diskId is no disk id"};
  return read_rows(*rows, std::array{std::get<DiskId>(std::move(disk))}, blank);
}

// Whether a 200 is what a list would come in; if not, describe_answer() says what came.
bool may_hold_list(const HttpResponse& response, const JsonValue& document) {
  return response.status == 200 && find_value(document, "code") == nullptr &&
         find_value(document, "response") != nullptr;
}

DescribeReading read_failure(const TransportFailure& failure, const Blanking& blank) {
  DescribeReading reading;
  reading.http_status = failure.status;
  reading.stop = stop_cause(failure);
  if (reading.stop) reading.kind = DescribeReading::Kind::stop;
  reading.message = describe_failure(failure, blank);
  return reading;
}

// `read` gives what a document with a response proves.
template <class Read>
DescribeReading read_response(const HttpResponse& response, const Blanking& blank, Read read) {
  const Body body = read_body(response);
  DescribeReading reading;
  reading.http_status = response.status;
  reading.api_code = shown_identifier(body.document, "code", blank);
  reading.request_id = shown_identifier(body.document, "requestId", blank);

  if (may_hold_list(response, body.document)) {
    auto list = read(body.document);
    if (const auto* flaw = std::get_if<Flaw>(&list)) {
      reading.message =
          message_text("HTTP 200 with a list that proves nothing: " + flaw->reason, blank);
      return reading;
    }
    reading.kind = DescribeReading::Kind::complete;
    reading.sightings = std::get<std::vector<Sighting>>(std::move(list));
    return reading;
  }

  const CodeMeaning meaning = meaning_of(identifier(body.document, "code"));
  reading.stop = judge(response, body, meaning).stop;
  if (reading.stop) {
    reading.kind = DescribeReading::Kind::stop;
  } else if (response.status == 429 || meaning == CodeMeaning::throttled) {
    // A read has no effect that could be in doubt, so any sign of the rate limit counts.
    reading.kind = DescribeReading::Kind::throttled;
    reading.retry_after = read_retry_after(response);
  }
  reading.message = describe_answer(response, body, blank);
  return reading;
}

}  // namespace

DescribeReading classify_describe(const Reply& reply, std::span<const DiskId> asked,
                                  const Blanking& blank) {
  if (const auto* failure = std::get_if<TransportFailure>(&reply)) {
    return read_failure(*failure, blank);
  }
  return read_response(std::get<HttpResponse>(reply), blank, [&](const JsonValue& document) {
    return read_sightings(document, asked, blank);
  });
}

DescribeReading classify_account(const Reply& reply, const Blanking& blank) {
  if (const auto* failure = std::get_if<TransportFailure>(&reply)) {
    return read_failure(*failure, blank);
  }
  return read_response(std::get<HttpResponse>(reply), blank,
                       [&](const JsonValue& document) { return read_account(document, blank); });
}

}  // namespace diskrelease
