#include <rapidjson/document.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/describe.h"
#include "fuzz/answer_bytes.h"
#include "fuzz/fuzz_target.h"

namespace diskrelease {
namespace {

DiskId disk(std::string_view text) { return std::get<DiskId>(DiskId::parse(text)); }

// The ids that the corpus asks for.
std::vector<DiskId> asked_disks() {
  return {disk("a"), disk("b"), disk("12"), disk("1440908808376556310")};
}

void check_sighting(const Sighting& sighting) {
  for (const std::string& text : {sighting.status_text, sighting.disk_type, sighting.name,
                                  sighting.zone, sighting.category, sighting.instance_id}) {
    require_visible(text, 128, "a text of a disk");
  }
  require(!sighting.status_text.empty(), "a disk has no status");
  require(sighting.status == DiskStatus::other || sighting.status_text == to_text(sighting.status),
          "a status has another text");
  require(!sighting.size_gb || *sighting.size_gb >= 0, "a size is negative");
}

void check_row(const rapidjson::Value& row, const Sighting& sighting) {
  require(row.HasMember("diskStatus") && row["diskStatus"].IsString(),
          "a row without a status counts");
  require(sighting.status != DiskStatus::absent, "a disk with a row is absent");
  if (sighting.status != DiskStatus::other) {
    require(sighting.status_text == row["diskStatus"].GetString(), "a status is another one");
  }
}

// Complete is what the documented document says, read without the parser that was used: each row is
// of one of the disks, each disk has one row or is absent.
void check_complete(const HttpResponse& response, const DescribeReading& reading,
                    const std::vector<DiskId>& asked) {
  const IndependentView view = view_independently(response.body);
  require(response.status == 200 && view.is_object && view.has_response && !view.outer_id.empty() &&
              view.inner_id == view.outer_id,
          "an answer that is not the documented one is complete");
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(response.body.data(), response.body.size());
  require(!document.HasMember("code") || document["code"].IsNull(), "an error is complete");
  const rapidjson::Value& list = document["response"];
  require(list.HasMember("dataSet") && list["dataSet"].IsArray() && list.HasMember("totalCount") &&
              list["totalCount"].IsUint64() &&
              list["totalCount"].GetUint64() == list["dataSet"].Size(),
          "a list of another length than it says is complete");

  require(reading.sightings.size() == asked.size(), "not one sighting for each disk");
  std::size_t rows_found = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const Sighting& sighting = reading.sightings[i];
    require(sighting.disk == asked[i], "the sightings are not in the order of the request");
    check_sighting(sighting);
    std::size_t rows = 0;
    for (const rapidjson::Value& row : list["dataSet"].GetArray()) {
      require(row.IsObject() && row.HasMember("diskId") && row["diskId"].IsString(),
              "a row without a diskId is complete");
      if (asked[i].text() !=
          std::string_view(row["diskId"].GetString(), row["diskId"].GetStringLength())) {
        continue;
      }
      ++rows;
      check_row(row, sighting);
    }
    require(rows <= 1, "a disk that is there twice is complete");
    require((rows == 0) == (sighting.status == DiskStatus::absent),
            "absent and without a row are not the same");
    rows_found += rows;
  }
  require(rows_found == list["dataSet"].Size(), "a row of a disk not asked for is complete");
}

}  // namespace

void fuzz_describe_answer(FuzzInput input) {
  static const std::vector<DiskId> asked = asked_disks();
  const Reply reply = reply_from(input);
  const DescribeReading reading = classify_describe(reply, asked, Blanking());

  const auto is = [&](DescribeReading::Kind kind) { return reading.kind == kind; };
  require_visible(reading.message, 1'024, "a message");
  require_visible(reading.api_code, 128, "a code");
  require_visible(reading.request_id, 128, "a request id");
  require(reading.message.empty() == is(DescribeReading::Kind::complete),
          "success has a message, or a failure none");
  require(reading.stop.has_value() == is(DescribeReading::Kind::stop), "stop without a cause");
  require(!reading.retry_after || is(DescribeReading::Kind::throttled),
          "retry_after is out of place");
  require(reading.sightings.empty() || is(DescribeReading::Kind::complete),
          "an answer that is not complete shows a disk");

  const auto* response = std::get_if<HttpResponse>(&reply);
  if (response == nullptr) {
    require(is(DescribeReading::Kind::failed), "a broken answer has not failed");
    return;
  }
  require(reading.http_status == response->status, "another status");
  if (!is(DescribeReading::Kind::complete)) return;
  check_complete(*response, reading, asked);
  HttpResponse cut = *response;
  cut.body.resize(cut.body.rfind('}'));
  require(classify_describe(Reply(cut), asked, Blanking()).kind == DescribeReading::Kind::failed,
          "a list that was cut has not failed");
}

}  // namespace diskrelease
