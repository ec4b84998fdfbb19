#include "sandbox/sandbox.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "model/errors.h"
#include "support/sandbox_client.h"

namespace diskrelease::sandbox {
namespace {

using namespace std::chrono_literals;
using test::sandbox_request;
using test::SandboxClient;
using End = SandboxClient::End;

std::string release_request(const std::string& id) {
  return sandbox_request("ReleaseDisk", R"({"diskId":")" + id + "\"}");
}

SandboxOptions options(std::string_view scenario_json) {
  auto file = parse_scenario(scenario_json, "test");
  for (const auto& problem : file.problems) ADD_FAILURE() << problem;
  SandboxOptions made;
  made.scenario = std::move(file.scenario);
  return made;
}

SandboxOptions with_fault(const std::string& fault_json) {
  return options(R"({"faults": [{"match": {"first": 1}, "fault": )" + fault_json + "}]}");
}

/// What happens on another thread soon; bounded.
bool soon(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

bool delivery_is(const Sandbox& sandbox, Delivery delivery) {
  return soon([&] {
    const auto ledger = sandbox.ledger();
    return !ledger.empty() && ledger.front().delivery == delivery;
  });
}

std::string body_of(const std::string& bytes) {
  const auto head = bytes.find("\r\n\r\n");
  return head == std::string::npos ? "" : bytes.substr(head + 4);
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// A folder for one test, removed with it.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sandbox-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TEST(SandboxTest, ReleasesADiskAndShowsItOverOneConnection) {
  Sandbox sandbox(options("{}"));
  EXPECT_EQ(sandbox.endpoint(), "127.0.0.1:" + std::to_string(sandbox.port()));
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send(release_request("d1"));
  const auto released = client.read_answer();
  EXPECT_TRUE(released.bytes.starts_with("HTTP/1.1 200 OK\r\n")) << released.bytes;
  EXPECT_TRUE(has(released.bytes, R"("response":{"requestId":"T)"));
  client.send(sandbox_request("DescribeDisks", R"({"diskIds":["d1"],"pageSize":1})"));
  EXPECT_TRUE(has(client.read_answer().bytes, R"("diskStatus":"RECYCLED")"));
  client.send(sandbox_request("RenewDisk", R"({"diskId":"d1"})"));
  EXPECT_TRUE(has(client.read_answer().bytes, R"("response":)"));

  const auto fate = sandbox.fate("d1");
  ASSERT_TRUE(fate);
  EXPECT_EQ(fate->accepted_releases, 1);
  EXPECT_EQ(fate->status, DiskStatus::available);
  const auto stats = sandbox.stats();
  EXPECT_EQ(stats.requests, 3U);
  EXPECT_EQ(stats.accepted_releases, 1U);
  EXPECT_EQ(stats.released_twice, 0U);
  EXPECT_EQ(stats.server.connections, 1U);
  EXPECT_TRUE(delivery_is(sandbox, Delivery::delivered));
}

TEST(SandboxTest, AWrongTokenIsRefusedAndNothingIsExecuted) {
  Sandbox sandbox(options(R"({"credentials": {"token": "another-fake-token"}})"));
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send(release_request("d1"));
  const auto answer = client.read_answer();
  EXPECT_TRUE(answer.bytes.starts_with("HTTP/1.1 401 "));
  EXPECT_TRUE(has(answer.bytes, "AUTHFAILURE_SIGNATURE_FAILURE"));
  EXPECT_FALSE(sandbox.ledger().at(0).executed);
  EXPECT_FALSE(sandbox.fate("d1"));
}

TEST(SandboxTest, SomethingElseThanHttpIsAnswered400AndClosed) {
  Sandbox sandbox(options("{}"));
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send("HELO\r\n\r\n");
  const auto received = client.read_to_end();
  EXPECT_TRUE(received.bytes.starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(received.end, End::close_notify);
}

struct EndingCase {
  const char* fault;
  bool executed;
  bool head;  ///< a whole head comes before the end
  End end;
};

void PrintTo(const EndingCase& tested, std::ostream* out) { *out << tested.fault; }

class EndingTest : public testing::TestWithParam<EndingCase> {};

TEST_P(EndingTest, EndsTheConnectionAsTheScenarioSays) {
  const auto& expected = GetParam();
  Sandbox sandbox(with_fault(expected.fault));
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send(release_request("d1"));
  const auto received = client.read_to_end();
  EXPECT_EQ(received.end, expected.end) << received.bytes;
  EXPECT_EQ(has(received.bytes, "\r\n\r\n"), expected.head) << received.bytes;
  EXPECT_FALSE(has(received.bytes, "}}")) << "the document is whole: " << received.bytes;
  const auto entry = sandbox.ledger().at(0);
  EXPECT_EQ(entry.executed, expected.executed);
  EXPECT_EQ(sandbox.fate("d1").has_value(), expected.executed);
  EXPECT_TRUE(delivery_is(sandbox, Delivery::swallowed));
}

INSTANTIATE_TEST_SUITE_P(
    Faults, EndingTest,
    testing::Values(
        EndingCase{R"({"kind": "close_before_reading"})", false, false, End::rst},
        EndingCase{R"({"kind": "drop_before_executing"})", false, false, End::close_notify},
        EndingCase{R"({"kind": "close_after_executing"})", true, false, End::close_notify},
        EndingCase{R"({"kind": "close_after_executing", "ending": "fin"})", true, false, End::fin},
        EndingCase{R"({"kind": "close_after_executing", "ending": "rst"})", true, false, End::rst},
        EndingCase{R"({"kind": "cut_body"})", true, true, End::close_notify},
        EndingCase{R"({"kind": "cut_body", "ending": "fin"})", true, true, End::fin},
        EndingCase{R"({"kind": "cut_body", "ending": "rst"})", true, true, End::rst},
        EndingCase{R"({"kind": "cut_body", "keep_bytes": 0, "executed": false})", false, true,
                   End::close_notify},
        EndingCase{R"({"kind": "cut_header", "ending": "fin"})", true, false, End::fin},
        EndingCase{R"({"kind": "cut_header", "keep_bytes": 17})", true, false, End::close_notify},
        EndingCase{R"({"kind": "chunked_cut", "ending": "fin"})", true, true, End::fin}));

struct AnswerCase {
  const char* fault;
  const char* status_line;
  const char* part;  ///< of the whole answer
  bool executed;
};

void PrintTo(const AnswerCase& tested, std::ostream* out) { *out << tested.fault; }

class AnswerTest : public testing::TestWithParam<AnswerCase> {};

TEST_P(AnswerTest, ComesAsTheScenarioSaysAndTheConnectionGoesOn) {
  const auto& expected = GetParam();
  Sandbox sandbox(with_fault(expected.fault));
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send(release_request("d1"));
  const auto received = client.read_answer();
  EXPECT_TRUE(received.bytes.starts_with(expected.status_line)) << received.bytes;
  EXPECT_TRUE(has(received.bytes, expected.part)) << received.bytes;
  EXPECT_EQ(sandbox.ledger().at(0).executed, expected.executed);
  EXPECT_TRUE(delivery_is(sandbox, Delivery::delivered));
  client.send(release_request("d2"));
  EXPECT_TRUE(has(client.read_answer().bytes, R"("response":)"));
}

INSTANTIATE_TEST_SUITE_P(
    Faults, AnswerTest,
    testing::Values(
        AnswerCase{R"({"kind": "answer_after", "ms": 30})", "HTTP/1.1 200 ", "response", true},
        AnswerCase{R"({"kind": "drip", "ms": 0})", "HTTP/1.1 200 ", "response", true},
        AnswerCase{R"({"kind": "html_200"})", "HTTP/1.1 200 ", "<html>", true},
        AnswerCase{R"({"kind": "html_200", "executed": false})", "HTTP/1.1 200 ", "<html>", false},
        AnswerCase{R"({"kind": "code_without_response_200"})", "HTTP/1.1 200 ",
                   R"("code":"INTERNAL_SERVER_ERROR")", true},
        AnswerCase{R"({"kind": "garbage_json_200"})", "HTTP/1.1 200 ", R"("requestId":)", true},
        AnswerCase{R"({"kind": "http_error"})", "HTTP/1.1 500 ", "INTERNAL_SERVER_ERROR", false},
        AnswerCase{R"({"kind": "http_error", "status": 502, "body": "html", "executed": true})",
                   "HTTP/1.1 502 ", "<html>", true},
        AnswerCase{R"({"kind": "http_error", "status": 503, "code": "SERVICE_TEMPORARY_UNAVAILABLE",
                       "retry_after_s": 9})",
                   "HTTP/1.1 503 ", "\r\nRetry-After: 9\r\n", false},
        AnswerCase{R"({"kind": "http_error", "status": 520, "body": "html"})", "HTTP/1.1 520 ",
                   "<html>", false},
        AnswerCase{R"({"kind": "auth_failure", "code": "AUTHFAILURE_SIGNATURE_EXPIRED"})",
                   "HTTP/1.1 401 ", "AUTHFAILURE_SIGNATURE_EXPIRED", false},
        AnswerCase{R"({"kind": "throttle", "retry_after_s": 3})", "HTTP/1.1 429 ",
                   "\r\nRetry-After: 3\r\n", false},
        AnswerCase{R"({"kind": "throttle", "body": "html"})", "HTTP/1.1 429 ", "<html>", false},
        AnswerCase{R"({"kind": "challenge_403"})", "HTTP/1.1 403 ",
                   "\r\ncf-mitigated: challenge\r\n", false},
        AnswerCase{R"({"kind": "blocked_451"})", "HTTP/1.1 451 ", "<html>", false},
        AnswerCase{R"({"kind": "redirect_302"})", "HTTP/1.1 302 ", "\r\nLocation: https://", false},
        AnswerCase{R"({"kind": "gzip"})", "HTTP/1.1 200 ", "\r\nContent-Encoding: gzip\r\n", true},
        AnswerCase{R"({"kind": "attach_before_executing"})", "HTTP/1.1 400 ",
                   "UNSUPPORTED_OPERATION_DISK_STATUS", false}));

TEST(SandboxFaultTest, AnEmpty204HasNoLengthAndNoBody) {
  Sandbox sandbox(with_fault(R"({"kind": "empty_204"})"));
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send(release_request("d1"));
  const auto received = client.read_to_end(200);
  EXPECT_TRUE(received.bytes.starts_with("HTTP/1.1 204 ")) << received.bytes;
  EXPECT_EQ(body_of(received.bytes), "");
  EXPECT_FALSE(has(received.bytes, "Content-Length"));
  EXPECT_EQ(received.end, End::time_out);
  EXPECT_TRUE(sandbox.ledger().at(0).executed);
}

TEST(SandboxFaultTest, AChunkedAnswerEndsWithTheEmptyChunk) {
  Sandbox sandbox(with_fault(R"({"kind": "chunked"})"));
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send(release_request("d1"));
  const auto received = client.read_to_end(200);
  EXPECT_TRUE(has(received.bytes, "\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_TRUE(received.bytes.ends_with("\r\n0\r\n\r\n")) << received.bytes;
}

TEST(SandboxFaultTest, ContradictoryAndNegativeLengthsGoOut) {
  Sandbox twice(with_fault(R"({"kind": "duplicate_content_length"})"));
  SandboxClient client(twice.port(), twice.ca_pem());
  client.send(release_request("d1"));
  const auto received = client.read_to_end(200).bytes;
  const auto first = received.find("\r\nContent-Length: ");
  ASSERT_NE(first, std::string::npos);
  EXPECT_NE(received.find("\r\nContent-Length: ", first + 1), std::string::npos);

  Sandbox negative(with_fault(R"({"kind": "negative_content_length"})"));
  SandboxClient other(negative.port(), negative.ca_pem());
  other.send(release_request("d1"));
  EXPECT_TRUE(has(other.read_to_end(200).bytes, "\r\nContent-Length: -7\r\n"));
}

TEST(SandboxFaultTest, AnExtraResponseFollowsTheFirstOne) {
  Sandbox sandbox(with_fault(R"({"kind": "extra_response"})"));
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send(release_request("d1"));
  const auto first = client.read_answer().bytes;
  EXPECT_EQ(client.read_answer().bytes, first);
  EXPECT_EQ(sandbox.ledger().size(), 1U);
}

TEST(SandboxFaultTest, AWrongRequestIdDiffersInsideAndOutside) {
  Sandbox sandbox(with_fault(R"({"kind": "wrong_request_id"})"));
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send(release_request("d1"));
  const auto body = body_of(client.read_answer().bytes);
  const std::string outer = R"({"requestId":")";
  const std::string inner = R"("response":{"requestId":")";
  const auto outer_id = body.substr(outer.size(), 37);
  EXPECT_EQ(outer_id, sandbox.ledger().at(0).request_id);
  EXPECT_NE(body.substr(body.find(inner) + inner.size(), 37), outer_id);
}

TEST(SandboxFaultTest, AConnectionMayEndAfterAWholeAnswer) {
  Sandbox sandbox(with_fault(R"({"kind": "close_after_answer", "ending": "fin"})"));
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send(release_request("d1"));
  EXPECT_TRUE(has(client.read_answer().bytes, R"("response":)"));
  const auto after = client.read_to_end();
  EXPECT_EQ(after.bytes, "");
  EXPECT_EQ(after.end, End::fin);
  EXPECT_TRUE(delivery_is(sandbox, Delivery::delivered));
}

TEST(SandboxFaultTest, AStalledRequestIsExecutedAndNeverAnswered) {
  Sandbox sandbox(with_fault(R"({"kind": "stall"})"));
  {
    SandboxClient client(sandbox.port(), sandbox.ca_pem());
    client.send(release_request("d1"));
    const auto received = client.read_to_end(200);
    EXPECT_EQ(received.end, End::time_out);
    EXPECT_EQ(received.bytes, "");
    EXPECT_EQ(sandbox.fate("d1")->accepted_releases, 1);
    EXPECT_EQ(sandbox.stats().server.open_connections, 1U);
  }
  EXPECT_TRUE(soon([&] { return sandbox.stats().server.open_connections == 0; }));
}

TEST(SandboxServerTest, AnIdleConnectionIsClosedAfterItsTime) {
  Sandbox sandbox(options(R"({"idle_close": {"after_ms": 50, "ending": "close_notify"}})"));
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send(release_request("d1"));
  EXPECT_TRUE(has(client.read_answer().bytes, R"("response":)"));
  EXPECT_EQ(client.read_to_end().end, End::close_notify);
}

TEST(SandboxServerTest, StopsAtOnceWithStalledIdleSleepingAndHalfOpenConnections) {
  std::vector<std::unique_ptr<SandboxClient>> clients;
  std::chrono::steady_clock::time_point before;
  {
    Sandbox sandbox(options(R"({
      "latency": {"fixed_ms": 60000},
      "faults": [{"match": {"disk_id": "stalled"}, "fault": {"kind": "stall"}}]})"));
    for (const char* const disk : {"stalled", "sleeping", ""}) {
      clients.push_back(std::make_unique<SandboxClient>(sandbox.port(), sandbox.ca_pem()));
      const auto request = release_request(disk);
      // The last one sends half a request only.
      clients.back()->send(*disk != '\0' ? request : request.substr(0, request.size() / 2));
    }
    ASSERT_TRUE(soon([&] { return sandbox.ledger().size() == 2; }));
    before = std::chrono::steady_clock::now();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, 1s);
}

TEST(SandboxServerTest, ThreadsOfClientsThatResetAreGivenBack) {
  auto settings = options(R"({"latency": {"fixed_ms": 1}})");
  settings.max_connections = 8;
  Sandbox sandbox(settings);
  for (int n = 0; n < 40; ++n) {
    SandboxClient client(sandbox.port(), sandbox.ca_pem());
    client.send(release_request("d" + std::to_string(n)));
    client.reset();
    ASSERT_TRUE(soon([&] { return sandbox.stats().server.open_connections == 0; })) << n;
  }
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send(release_request("last"));
  EXPECT_TRUE(has(client.read_answer().bytes, R"("response":)"));
  EXPECT_EQ(sandbox.stats().server.refused, 0U);
}

TEST(SandboxServerTest, MoreConnectionsThanAllowedAreRefused) {
  auto settings = options("{}");
  settings.max_connections = 1;
  Sandbox sandbox(settings);
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  EXPECT_THROW(SandboxClient(sandbox.port(), sandbox.ca_pem()), std::runtime_error);
  EXPECT_EQ(sandbox.stats().server.refused, 1U);
}

TEST(SandboxServerTest, ManyClientsAtOnceGetEveryAnswerAndOneLedgerEntryEach) {
  Sandbox sandbox(options("{}"));
  constexpr int k_clients = 16;
  constexpr int k_requests = 20;
  std::atomic<int> accepted{0};
  {
    std::vector<std::jthread> threads;
    for (int c = 0; c < k_clients; ++c) {
      threads.emplace_back([&, c] {
        SandboxClient client(sandbox.port(), sandbox.ca_pem());
        for (int n = 0; n < k_requests; ++n) {
          client.send(release_request(std::to_string(c * k_requests + n)));
          if (has(client.read_answer().bytes, R"("response":)")) ++accepted;
        }
      });
    }
  }
  EXPECT_EQ(accepted, k_clients * k_requests);
  const auto ledger = sandbox.ledger();
  ASSERT_EQ(ledger.size(), static_cast<std::size_t>(k_clients * k_requests));
  for (std::size_t n = 0; n < ledger.size(); ++n) EXPECT_EQ(ledger[n].sequence, n + 1);
  for (const auto& fate : sandbox.fates()) EXPECT_EQ(fate.accepted_releases, 1);
}

TEST(SandboxServerTest, APortInUseIsAUsageError) {
  Sandbox sandbox(options("{}"));
  auto taken = options("{}");
  taken.port = sandbox.port();
  EXPECT_THROW(Sandbox{taken}, UsageError);
}

TEST(SandboxFilesTest, TheCaFileHoldsTheCertificateAndUnwritableFilesAreUsageErrors) {
  const Folder folder;
  auto settings = options("{}");
  settings.ca_file = folder.path() / "ca.pem";
  Sandbox sandbox(settings);
  std::ifstream in(*settings.ca_file);
  std::ostringstream pem;
  pem << in.rdbuf();
  EXPECT_EQ(pem.str(), sandbox.ca_pem());
  settings.ca_file = folder.path() / "missing" / "ca.pem";
  EXPECT_THROW(Sandbox{settings}, UsageError);
  settings.ca_file.reset();
  settings.ledger_file = folder.path() / "missing" / "ledger";
  EXPECT_THROW(Sandbox{settings}, UsageError);
}

TEST(SandboxFilesTest, TheLedgerFileTellsTheSameAsTheLedgerInMemory) {
  const Folder folder;
  auto settings = with_fault(R"({"kind": "close_after_executing"})");
  settings.ledger_file = folder.path() / "ledger.ndjson";
  std::vector<LedgerEntry> memory;
  {
    Sandbox sandbox(settings);
    SandboxClient lost(sandbox.port(), sandbox.ca_pem());
    lost.send(release_request("d1"));
    (void)lost.read_to_end();
    SandboxClient client(sandbox.port(), sandbox.ca_pem());
    client.send(sandbox_request("DescribeDisks", R"({"diskIds":["d1","d\u00e9\"2"]})"));
    (void)client.read_answer();
    ASSERT_TRUE(soon([&] {
      const auto ledger = sandbox.ledger();
      return ledger.size() == 2 && ledger[1].delivery == Delivery::delivered;
    }));
    memory = sandbox.ledger();
  }
  std::ofstream(*settings.ledger_file, std::ios::app) << R"({"event":"request","sequ)";
  const auto file = read_ledger(*settings.ledger_file);
  ASSERT_EQ(file.size(), memory.size());
  for (std::size_t n = 0; n < file.size(); ++n) {
    EXPECT_EQ(file[n].sequence, memory[n].sequence);
    EXPECT_EQ(file[n].arrived_utc, memory[n].arrived_utc);
    EXPECT_EQ(file[n].arrived, memory[n].arrived);
    EXPECT_EQ(file[n].action, memory[n].action);
    EXPECT_EQ(file[n].disk_ids, memory[n].disk_ids);
    EXPECT_EQ(file[n].request_id, memory[n].request_id);
    EXPECT_EQ(file[n].client_tag, memory[n].client_tag);
    EXPECT_EQ(file[n].executed, memory[n].executed);
    EXPECT_EQ(file[n].status, memory[n].status);
    EXPECT_EQ(file[n].code, memory[n].code);
    EXPECT_EQ(file[n].fault, memory[n].fault);
    EXPECT_EQ(file[n].delivery, memory[n].delivery);
  }
}

TEST(SandboxFilesTest, ARequestIsInTheLedgerFileBeforeItsAnswerLeaves) {
  const Folder folder;
  auto settings = options(R"({"latency": {"fixed_ms": 60000}})");
  settings.ledger_file = folder.path() / "ledger.ndjson";
  Sandbox sandbox(settings);
  SandboxClient client(sandbox.port(), sandbox.ca_pem());
  client.send(release_request("d1"));
  ASSERT_TRUE(soon([&] { return read_ledger(*settings.ledger_file).size() == 1; }));
  const auto entry = read_ledger(*settings.ledger_file).front();
  EXPECT_TRUE(entry.executed);
  EXPECT_EQ(entry.delivery, Delivery::pending);
}

}  // namespace
}  // namespace diskrelease::sandbox
