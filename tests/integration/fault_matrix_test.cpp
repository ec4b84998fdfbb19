#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "platform/clock.h"
#include "platform/host.h"
#include "record/audit_file.h"
#include "sandbox/fault.h"
#include "support/enrolled_run.h"
#include "support/fault_shapes.h"
#include "support/run_rig.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using sandbox::LedgerEntry;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::ValuesIn;

const std::string k_disk = "800";

/// Short enough for a test that waits for it, long enough for a busy machine to do its part.
constexpr milliseconds k_short{400};
constexpr milliseconds k_long{10'000};

constexpr std::size_t k_sending_lane = 0;
constexpr std::size_t k_reading_lane = 1;

/// Where the fault strikes.
enum class Moment {
  first_try,
  retry,                      ///< the first ReleaseDisk was throttled
  both_tries,                 ///< every ReleaseDisk
  reading_back_executed,      ///< the reply to the ReleaseDisk was lost after it took effect
  reading_back_not_executed,  ///< the ReleaseDisk was lost on its way
};

/// The calls of one lane that are struck, counted from 1.
struct Strikes {
  std::size_t lane = k_sending_lane;
  int first = 0;
  int last = 0;
};

/// Two real transports: struck calls go over the detour, all others straight.
class DetourTransport final : public Transport {
 public:
  DetourTransport(Transport& straight, Transport* detour, Strikes strikes)
      : straight_(straight), detour_(detour), strikes_(strikes) {}

  /// Every call begins with it; it may be repeated when the connection has ended meanwhile.
  std::optional<TransportFailure> prepare(std::size_t lane) override {
    if (lane == strikes_.lane && !std::exchange(has_begun_, true)) ++calls_;
    std::optional<TransportFailure> failure = present(lane).prepare(lane);
    if (lane == strikes_.lane && failure) has_begun_ = false;  // that was all of it
    return failure;
  }

  bool is_connected(std::size_t lane) override {
    return (lane != strikes_.lane || has_begun_) && present(lane).is_connected(lane);
  }
  void start(std::size_t lane, const HttpRequest& request) override {
    present(lane).start(lane, request);
  }
  ReplyWatch watch(std::size_t lane) override { return present(lane).watch(lane); }
  bool can_finish(std::size_t lane) override { return present(lane).can_finish(lane); }
  Reply finish(std::size_t lane) override {
    Reply reply = present(lane).finish(lane);
    if (lane == strikes_.lane) has_begun_ = false;
    return reply;
  }

  void abort_all() noexcept override {
    straight_.abort_all();
    if (detour_ != nullptr) detour_->abort_all();
  }

 private:
  Transport& present(std::size_t lane) {
    const bool struck =
        lane == strikes_.lane && calls_ >= strikes_.first && calls_ <= strikes_.last;
    return struck && detour_ != nullptr ? *detour_ : straight_;
  }

  Transport& straight_;
  Transport* const detour_;
  const Strikes strikes_;
  // Of the struck lane, which one thread uses at a time.
  int calls_ = 0;
  bool has_begun_ = false;
};

struct AttemptRow {
  std::string outcome;
  std::string scope;
  std::optional<std::int64_t> http_status;
  std::string api_code;
  std::string request_id;
  std::string message;
  std::string settled;
  std::int64_t intent = 0;
  bool sent = false;
  std::int64_t finished = 0;
  const LedgerEntry* entry = nullptr;  ///< what the provider knows of it; nullptr = nothing

  [[nodiscard]] bool executed() const { return entry != nullptr && entry->executed; }
};

struct ReadRow {
  std::string purpose;
  std::string result;
  std::optional<std::int64_t> http_status;
  std::string api_code;
  std::string request_id;
  std::string message;
};

std::string rule(const std::string& action, int nth, const std::string& fault) {
  return R"({"match":{"action":")" + action + R"(","nth":)" + std::to_string(nth) +
         R"(},"fault":)" + fault + "}";
}

/// One disk, one run from enrolment to the end of its course, one fault.
class Cell {
 public:
  Cell(const FaultShape& shape, Moment moment)
      : shape_(shape), strikes_(strikes_of(shape, moment)), scenario_(scenario_of(moment)) {
    create_audit_database(file_);
    const auto parsed = sandbox::parse_scenario(scenario_, shape.name);
    for (const std::string& problem : parsed.problems) ADD_FAILURE() << problem;
    sandbox::SandboxOptions options;
    options.scenario = parsed.scenario;
    options.ca_file = directory_ / "ca.pem";
    sandbox_.emplace(options);
  }

  void run() {
    Database database = open_audit_for_writing(file_);
    const RunRecord run = enrol(database, {k_disk});
    HttpsSettings settings;
    settings.endpoint = {.host = "127.0.0.1", .port = sandbox_->port()};
    settings.ca_file = (directory_ / "ca.pem").string();
    settings.total_timeout = settings.connect_timeout = k_long;
    HttpsTransport straight(settings, 2);

    Detour detour{settings, nullptr};
    if (shape_.detour) detour = shape_.detour(*sandbox_, *settings.ca_file);
    detour.settings.total_timeout = detour.settings.connect_timeout =
        shape_.until_timeout ? k_short : k_long;
    std::optional<HttpsTransport> other;
    if (shape_.detour || shape_.until_timeout) other.emplace(detour.settings, 2);
    DetourTransport transport(straight, other ? &*other : nullptr, strikes_);

    const Caller caller{
        {Credential::Kind::bearer, "token:test", Secret(sandbox_->credentials().token), "test"},
        sandbox_->endpoint(),
        "diskrelease-test"};
    const SystemClock clock;
    RunRig rig(file_, run, job(), transport, clock, AttemptLog::k_max_delay, caller);
    problem_ = rig.course();
    if (const auto stop = rig.gate.stop_reason()) stop_cause_ = stop->cause;
    rig.log.flush();
    ledger_ = sandbox_->ledger();
    read_records();
  }

  /// What holds whatever has happened: the records and the provider tell the same story, and it has
  /// no second release in it.
  void expect_truth() {
    match_ledger();
    const auto fate = sandbox_->fate(k_disk);
    ASSERT_TRUE(fate);
    EXPECT_LE(fate->accepted_releases, 1) << "released twice";
    EXPECT_EQ(std::ranges::count_if(attempts_, &AttemptRow::executed), fate->accepted_releases);

    for (const AttemptRow& attempt : attempts_) {
      SCOPED_TRACE(attempt.outcome + ", settled '" + attempt.settled + "', " + attempt.message);
      if (attempt.executed()) {
        EXPECT_TRUE(attempt.outcome == "accepted" || attempt.outcome == "unknown")
            << "executed, and called something else";
        EXPECT_TRUE(attempt.settled.empty() || attempt.settled == "executed");
      } else {
        EXPECT_NE(attempt.outcome, "accepted") << "not executed, and called accepted";
        EXPECT_TRUE(attempt.settled.empty() || attempt.settled == "refused");
      }
      if (attempt.outcome == "accepted") {
        ASSERT_NE(attempt.entry, nullptr);
        EXPECT_EQ(attempt.request_id, attempt.entry->request_id);
      }
    }
    if (state_ == "released") {
      EXPECT_EQ(fate->accepted_releases, 1) << "released, it says";
    }

    // The account keeps what was released for a day: nothing is ever absent.
    for (const std::string& status : observed_) {
      EXPECT_TRUE(status == "AVAILABLE" || status == "RECYCLED" ||
                  (status == "IN_USE" && !shape_.strikes_reads))
          << "a status that the disk never had: " << status;
      if (fate->accepted_releases == 0) {
        EXPECT_NE(status, "RECYCLED");
      }
    }
    expect_true_reads();
  }

  [[nodiscard]] const std::string& scenario() const { return scenario_; }
  [[nodiscard]] const Strikes& strikes() const { return strikes_; }
  [[nodiscard]] const std::vector<AttemptRow>& attempts() const { return attempts_; }
  [[nodiscard]] const std::string& state() const { return state_; }
  [[nodiscard]] const std::string& stop_cause() const { return stop_cause_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }

  /// Reads that proved nothing.
  [[nodiscard]] std::vector<ReadRow> fruitless_reads() const {
    std::vector<ReadRow> rows;
    std::ranges::copy_if(reads_, std::back_inserter(rows),
                         [](const ReadRow& read) { return read.result != "complete"; });
    return rows;
  }

 private:
  static Strikes strikes_of(const FaultShape& shape, Moment moment) {
    switch (moment) {
      case Moment::first_try:
        return {k_sending_lane, 1, 1};
      case Moment::retry:
        return {k_sending_lane, 2, 2};
      case Moment::both_tries:
        return {k_sending_lane, 1, 2};
      case Moment::reading_back_executed:
      case Moment::reading_back_not_executed:
        // The first read is the look before sending. Two false answers might confirm each other.
        return {k_reading_lane, 2, shape.until_timeout ? 2 : 3};
    }
    return {};
  }

  [[nodiscard]] std::string scenario_of(Moment moment) const {
    std::vector<std::string> rules;
    std::string struck = "ReleaseDisk";
    switch (moment) {
      case Moment::first_try:
      case Moment::both_tries:
        break;
      case Moment::retry:
        rules.push_back(rule("ReleaseDisk", 1, R"({"kind":"throttle","retry_after_s":0})"));
        break;
      case Moment::reading_back_executed:
        rules.push_back(rule("ReleaseDisk", 1, R"({"kind":"close_after_executing"})"));
        struck = "DescribeDisks";
        break;
      case Moment::reading_back_not_executed:
        rules.push_back(rule("ReleaseDisk", 1, R"({"kind":"drop_before_executing"})"));
        struck = "DescribeDisks";
        break;
    }
    if (!shape_.fault.empty()) {
      for (int nth = strikes_.first; nth <= strikes_.last; ++nth) {
        rules.push_back(rule(struck, nth, shape_.fault));
      }
    }
    std::string text = R"({"disks":[{"id":"800"}],"faults":[)";
    for (const std::string& one : rules) text += (&one == &rules.front() ? "" : ",") + one;
    return text + "]}";
  }

  [[nodiscard]] static JobSpec job() {
    JobSpec job;
    job.rate.per_second = std::nullopt;
    job.in_flight = 1;
    job.retry.first_backoff = milliseconds(1);
    job.retry.max_backoff = milliseconds(5);
    job.settle.window = milliseconds(200);
    job.settle.poll = milliseconds(40);
    return job;
  }

  void read_records() {
    Database database = open_audit_for_reading(file_);
    Statement attempts = database.prepare(
        "SELECT coalesce(outcome, 'open'), scope, http_status, api_code, request_id, message,"
        " settled, intent_utc_ms, sent_utc_ms IS NOT NULL, finished_utc_ms, attempt_number"
        " FROM attempt_log ORDER BY attempt_id");
    while (attempts.step()) {
      AttemptRow row;
      row.outcome = attempts.text(0);
      row.scope = attempts.text(1);
      row.http_status = attempts.optional_integer(2);
      row.api_code = attempts.text(3);
      row.request_id = attempts.text(4);
      row.message = attempts.text(5);
      row.settled = attempts.text(6);
      row.intent = attempts.integer(7);
      row.sent = attempts.integer(8) != 0;
      row.finished = attempts.integer(9);
      attempts_.push_back(std::move(row));
      EXPECT_EQ(attempts.integer(10), std::ssize(attempts_));
    }
    Statement reads = database.prepare(
        "SELECT purpose, result, http_status, api_code, request_id, message FROM disk_read"
        " ORDER BY read_id");
    while (reads.step()) {
      reads_.push_back({std::string(reads.text(0)), std::string(reads.text(1)),
                        reads.optional_integer(2), std::string(reads.text(3)),
                        std::string(reads.text(4)), std::string(reads.text(5))});
    }
    Statement observed = database.prepare("SELECT status FROM observation ORDER BY observation_id");
    while (observed.step()) observed_.emplace_back(observed.text(0));
    Statement state = database.prepare("SELECT state FROM item_state");
    while (state.step()) state_ = state.text(0);
  }

  /// Gives every ReleaseDisk of the ledger the one attempt that it belongs to.
  void match_ledger() {
    auto at = attempts_.begin();
    for (const LedgerEntry& entry : ledger_) {
      if (entry.action != "ReleaseDisk") continue;
      const std::int64_t arrived = entry.arrived_utc.time_since_epoch().count();
      at = std::find_if(at, attempts_.end(), [&](const AttemptRow& attempt) {
        return attempt.sent && attempt.intent <= arrived && arrived <= attempt.finished &&
               (attempt.request_id.empty() || attempt.request_id == entry.request_id);
      });
      ASSERT_NE(at, attempts_.end())
          << "ReleaseDisk " << entry.request_id << " reached the provider without an attempt";
      at->entry = &entry;
      ++at;
    }
  }

  /// Every answer that counted is one of the provider's, and counted once.
  void expect_true_reads() const {
    std::set<std::string> used;
    for (const ReadRow& read : reads_) {
      if (read.result != "complete") continue;
      EXPECT_TRUE(used.insert(read.request_id).second) << "one answer counted twice";
      EXPECT_TRUE(std::ranges::any_of(ledger_,
                                      [&](const LedgerEntry& entry) {
                                        return entry.action == "DescribeDisks" &&
                                               entry.request_id == read.request_id &&
                                               entry.executed;
                                      }))
          << "not an answer of the provider: " << read.request_id;
    }
  }

  const FaultShape& shape_;
  const Strikes strikes_;
  const std::string scenario_;
  TemporaryDirectory directory_{memory_directory()};
  std::filesystem::path file_ = directory_ / "audit.db";
  std::optional<sandbox::Sandbox> sandbox_;

  std::string problem_;
  std::string stop_cause_;
  std::vector<LedgerEntry> ledger_;
  std::vector<AttemptRow> attempts_;
  std::vector<ReadRow> reads_;
  std::vector<std::string> observed_;
  std::string state_;
};

/// The CAs of this machine have no say in these tests, and reading them takes time.
void forget_system_cas() { ASSERT_EQ(::setenv("SSL_CERT_FILE", "/dev/null", 1), 0); }

std::string stop_text(const FaultShape& shape) {
  return shape.release.stop ? std::string(to_text(*shape.release.stop)) : std::string();
}

class FaultCell : public ::testing::TestWithParam<FaultShape> {
 protected:
  static void SetUpTestSuite() { forget_system_cas(); }

  /// The fault strikes a ReleaseDisk.
  static void expect_release(Moment moment) {
    const FaultShape& shape = GetParam();
    Cell cell(shape, moment);
    SCOPED_TRACE(shape.name + (shape.detour ? " on a detour, " : ", ") + cell.scenario());
    cell.run();
    cell.expect_truth();

    const auto struck = static_cast<std::size_t>(cell.strikes().first) - 1;
    ASSERT_EQ(cell.attempts().size(), struck + (shape.sent_again ? 2 : 1));
    if (struck > 0) {
      EXPECT_EQ(cell.attempts()[0].outcome, "throttled");
    }
    const AttemptRow& attempt = cell.attempts()[struck];
    SCOPED_TRACE(attempt.message);
    const ExpectedRuling& expected = shape.release;
    EXPECT_EQ(attempt.outcome, to_text(expected.outcome));
    EXPECT_EQ(attempt.scope, to_text(expected.scope));
    EXPECT_EQ(attempt.http_status, expected.http_status);
    EXPECT_EQ(attempt.api_code, expected.api_code);
    EXPECT_EQ(attempt.executed(), shape.executed);
    EXPECT_EQ(attempt.outcome == "unknown" && shape.executed, attempt.settled == "executed");
    if (shape.sent_again) {
      EXPECT_EQ(cell.attempts().back().outcome, "accepted");
    }
    EXPECT_EQ(cell.stop_cause(), stop_text(shape));
    EXPECT_EQ(cell.state(), to_text(shape.end));
    EXPECT_EQ(cell.problem(), "");
  }

  /// The fault strikes the reads that are to settle a ReleaseDisk whose outcome is unknown.
  static void expect_reading_back(Moment moment) {
    const FaultShape& shape = GetParam();
    const bool executed = moment == Moment::reading_back_executed;
    Cell cell(shape, moment);
    SCOPED_TRACE(shape.name + (shape.detour ? " on a detour, " : ", ") + cell.scenario());
    cell.run();
    cell.expect_truth();

    ASSERT_EQ(cell.attempts().size(), 1u);
    const AttemptRow& attempt = cell.attempts()[0];
    EXPECT_EQ(attempt.outcome, "unknown") << attempt.message;
    EXPECT_EQ(attempt.executed(), executed);

    const auto fruitless = cell.fruitless_reads();
    const bool stops = shape.read == "stop";
    std::size_t strikes = stops ? 1 : static_cast<std::size_t>(cell.strikes().last - 1);
    if (shape.read == "complete") strikes = 0;
    EXPECT_EQ(fruitless.size(), strikes);
    for (const ReadRow& read : fruitless) {
      SCOPED_TRACE(read.message);
      EXPECT_EQ(read.purpose, "settle");
      EXPECT_EQ(read.result, shape.read);
      EXPECT_EQ(read.http_status, shape.release.http_status);
      EXPECT_EQ(read.api_code, shape.release.api_code);
    }

    // Reading is not sending: what makes it pointless is told and stops nothing else.
    EXPECT_EQ(cell.stop_cause(), "");
    if (stops) {
      EXPECT_THAT(cell.problem(), HasSubstr("DescribeDisks: " + stop_text(shape)));
    } else {
      EXPECT_EQ(cell.problem(), "");
    }
    const bool settled = executed && !stops;
    EXPECT_EQ(attempt.settled, settled ? "executed" : "");
    EXPECT_EQ(cell.state(), settled ? "released" : "unknown");
  }
};

std::vector<FaultShape> shapes_for_reads() {
  std::vector<FaultShape> shapes;
  std::ranges::copy_if(fault_shapes(), std::back_inserter(shapes), &FaultShape::strikes_reads);
  return shapes;
}

std::string name_of(const ::testing::TestParamInfo<FaultShape>& info) { return info.param.name; }

class FaultOnFirstTryTest : public FaultCell {};
TEST_P(FaultOnFirstTryTest, IsJudgedByWhatItProves) { expect_release(Moment::first_try); }
INSTANTIATE_TEST_SUITE_P(Fault, FaultOnFirstTryTest, ValuesIn(fault_shapes()), name_of);

class FaultOnRetryTest : public FaultCell {};
TEST_P(FaultOnRetryTest, IsJudgedByWhatItProves) { expect_release(Moment::retry); }
INSTANTIATE_TEST_SUITE_P(Fault, FaultOnRetryTest, ValuesIn(fault_shapes()), name_of);

class FaultOnReadingBackTest : public FaultCell {};
TEST_P(FaultOnReadingBackTest, DelaysTheVerdictAndChangesNoOther) {
  expect_reading_back(Moment::reading_back_executed);
}
TEST_P(FaultOnReadingBackTest, MakesNothingOfARequestThatWasLost) {
  expect_reading_back(Moment::reading_back_not_executed);
}
INSTANTIATE_TEST_SUITE_P(Fault, FaultOnReadingBackTest, ValuesIn(shapes_for_reads()), name_of);

// A kept connection that has ended is noticed before it is used: the retry needs no verdict.
class EndedConnectionTest : public ::testing::TestWithParam<sandbox::Ending> {
 protected:
  static void SetUpTestSuite() { forget_system_cas(); }
};

TEST_P(EndedConnectionTest, CostsTheRetryNothing) {
  FaultShape shape;
  shape.name = "ended_connection";
  shape.detour = throttles_once_then_ends(GetParam());
  Cell cell(shape, Moment::both_tries);
  cell.run();
  cell.expect_truth();
  ASSERT_EQ(cell.attempts().size(), 2u);
  EXPECT_EQ(cell.attempts()[0].outcome, "throttled");
  EXPECT_EQ(cell.attempts()[1].outcome, "accepted") << cell.attempts()[1].message;
  EXPECT_EQ(cell.state(), "released");
}

INSTANTIATE_TEST_SUITE_P(Fault, EndedConnectionTest,
                         ::testing::Values(sandbox::Ending::close_notify, sandbox::Ending::fin,
                                           sandbox::Ending::rst),
                         [](const auto& given) {
                           switch (given.param) {
                             case sandbox::Ending::close_notify:
                               return "close_notify";
                             case sandbox::Ending::fin:
                               return "fin";
                             case sandbox::Ending::rst:
                               return "rst";
                           }
                           return "";
                         });

TEST(FaultMatrixTest, HasEveryFaultOfTheSimulatorAndAtLeastSixtyShapes) {
  std::set<std::string> names;
  std::string faults;
  for (const FaultShape& shape : fault_shapes()) {
    EXPECT_TRUE(names.insert(shape.name).second) << shape.name << " stands there twice";
    EXPECT_NE(shape.fault.empty(), !shape.detour) << shape.name;
    faults += shape.fault;
  }
  EXPECT_GE(names.size(), 60u);
  RecordProperty("shapes", std::to_string(names.size()));
  for (const std::string_view kind : sandbox::fault_kind_names()) {
    EXPECT_THAT(faults, HasSubstr(R"("kind":")" + std::string(kind) + '"'));
  }
}

}  // namespace
}  // namespace diskrelease
