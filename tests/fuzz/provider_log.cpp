#include <cstdint>
#include <istream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/strict_json.h"
#include "fuzz/fuzz_target.h"
#include "input/provider_log.h"
#include "model/visible_text.h"
#include "report/reconciliation.h"
#include "unit/input/reading.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_max_problem_bytes = 4'000;
constexpr std::size_t k_max_kept_bytes = 256;

struct LogReading {
  ProviderLogSummary summary;
  std::vector<ProviderRelease> releases;
};

LogReading read_from(std::istream& in) {
  LogReading reading;
  reading.summary = read_provider_log(
      in, {}, [&](ProviderRelease&& release) { reading.releases.push_back(std::move(release)); });
  return reading;
}

void check_reading(const LogReading& reading) {
  const ProviderLogSummary& summary = reading.summary;
  for (const InputProblem& problem : summary.problems.shown()) {
    require(!problem.text.empty(), "a problem says nothing");
    require_visible(problem.text, k_max_problem_bytes, "a problem");
  }
  require(summary.release_records <= summary.records, "more releases than records");
  require(summary.earliest.has_value() == summary.latest.has_value(), "half a span");
  for (const ProviderRelease& release : reading.releases) {
    require(std::holds_alternative<DiskId>(DiskId::parse(release.disk.text())), "no disk id");
    require(release.record >= 1 && release.record <= summary.records, "no such record");
    require(summary.earliest <= release.time && release.time <= summary.latest, "out of the span");
    for (const std::string* text :
         {&release.code, &release.request_id, &release.user, &release.client_ip, &release.source}) {
      require(text->size() <= k_max_kept_bytes && is_utf8(*text), "a text is kept that is too odd");
    }
  }
}

void require_same(const LogReading& one, const LogReading& other) {
  require(one.summary.problems.describe("log") == other.summary.problems.describe("log") &&
              one.summary.records == other.summary.records &&
              one.releases.size() == other.releases.size(),
          "pieces of another size give another reading");
}

// Records of a value, read from the tree and not from a stream of events.
std::int64_t records_of(const JsonValue& value) {
  if (value.kind == JsonValue::Kind::array) {
    std::int64_t sum = 0;
    for (const JsonValue& element : value.elements) sum += records_of(element);
    return sum;
  }
  const JsonValue* holder = &value;
  if (const JsonValue* response = value.find("response");
      response != nullptr && response->kind == JsonValue::Kind::object &&
      response->find("dataSet") != nullptr) {
    holder = response;
  }
  const JsonValue* set = holder->find("dataSet");
  return set == nullptr ? 1 : static_cast<std::int64_t>(set->elements.size());
}

void check_against_tree(const LogReading& reading, std::string_view text) {
  if (!reading.summary.problems.empty()) return;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto parsed = parse_json(text);
  // Several values, or what only the strict parser refuses.
  if (!std::holds_alternative<JsonValue>(parsed)) return;
  require(records_of(std::get<JsonValue>(parsed)) == reading.summary.records,
          "the tree has another number of records");
}

// Whatever the log holds: every second release is ours, and each side is counted once.
void check_reconciliation(const LogReading& reading) {
  if (!reading.summary.latest) return;
  std::vector<OurAttempt> attempts;
  for (std::size_t i = 0; i < reading.releases.size(); i += 2) {
    const ProviderRelease& release = reading.releases[i];
    attempts.push_back({.run_id = 1,
                        .attempt_number = 1,
                        .disk_id = release.disk.text(),
                        .outcome = i % 4 == 0 ? "accepted" : "rejected",
                        .settled = "",
                        .request_id = release.request_id,
                        .time = release.time});
  }
  const ReconciliationScope scope{.begin = *reading.summary.earliest,
                                  .end = *reading.summary.latest,
                                  .window = std::chrono::minutes(5),
                                  .run = std::nullopt};
  const Reconciliation found = reconcile(attempts, reading.releases, scope);
  std::int64_t ours = found.matched + found.both_refused + found.unlisted + found.outside;
  std::int64_t theirs =
      found.matched + found.both_refused + found.outside_releases + found.repeated;
  for (const Finding& finding : found.findings) {
    ours += finding.attempt ? 1 : 0;
    theirs += finding.release ? 1 : 0;
  }
  require(std::cmp_equal(ours, attempts.size()), "an attempt is not counted once");
  require(std::cmp_equal(theirs, reading.releases.size()), "a release is not counted once");
}

}  // namespace

void fuzz_provider_log(FuzzInput input) {
  const std::string text = text_of(input);
  std::istringstream whole(text);
  const LogReading reading = read_from(whole);
  check_reading(reading);
  check_against_tree(reading, text);
  PieceBuffer buffer(text, 1 + text.size() % 7);
  std::istream pieces(&buffer);
  require_same(reading, read_from(pieces));
  check_reconciliation(reading);
}

}  // namespace diskrelease
