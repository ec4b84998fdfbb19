#include "net/https_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iomanip>
#include <memory>
#include <sstream>

#include "model/errors.h"
#include "net/tls_socket.h"
#include "support/connect_proxy.h"
#include "support/raw_tls_server.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::Not;

// Short enough for a test that waits for them, long enough for a busy machine to do its part.
constexpr milliseconds k_short{250};
constexpr milliseconds k_long{5'000};
// How long it may take until a call that is over returns.
constexpr milliseconds k_at_once{1'000};

class HttpsTransportTest : public ::testing::Test {
 protected:
  /// The CAs of this machine have no say in these tests, and reading them takes time.
  static void SetUpTestSuite() { ASSERT_EQ(::setenv("SSL_CERT_FILE", "/dev/null", 1), 0); }
};

HttpsSettings settings_for(const RawTlsServer& server) {
  HttpsSettings settings;
  settings.endpoint = {.host = "127.0.0.1", .port = server.port()};
  settings.ca_file = server.ca_file();
  settings.connect_timeout = k_long;
  settings.total_timeout = k_long;
  settings.idle_limit = k_long;
  return settings;
}

HttpRequest release(const std::string& disk) {
  return {.path = "/api/v2/zec",
          .headers = {{"X-ZC-Action", "ReleaseDisk"}, {"content-type", "application/json"}},
          .body = R"({"diskId":")" + disk + "\"}"};
}

Reply exchange(HttpsTransport& transport, std::size_t lane, const HttpRequest& request) {
  if (auto failure = transport.prepare(lane)) return *std::move(failure);
  transport.start(lane, request);
  return transport.finish(lane);
}

Reply send_once(const HttpsSettings& settings) {
  HttpsTransport transport(settings, 1);
  return exchange(transport, 0, release("d-1"));
}

std::string describe(const Reply& reply) {
  if (const auto* failure = std::get_if<TransportFailure>(&reply)) {
    return std::string(to_text(failure->problem)) + ": " + failure->detail +
           (failure->request_may_have_left ? " (may have left)" : " (not sent)");
  }
  return "status " + std::to_string(std::get<HttpResponse>(reply).status);
}

TransportFailure failure_of(Reply reply) {
  if (auto* failure = std::get_if<TransportFailure>(&reply)) return std::move(*failure);
  ADD_FAILURE() << "expected a failure, got " << describe(reply);
  return {};
}

HttpResponse response_of(Reply reply) {
  if (auto* response = std::get_if<HttpResponse>(&reply)) return std::move(*response);
  ADD_FAILURE() << "expected a response, got " << describe(reply);
  return {};
}

/// One exchange, and how long it took without the set-up of the transport.
std::pair<TransportFailure, steady_clock::duration> timed_failure(const HttpsSettings& settings,
                                                                  const HttpRequest& request) {
  HttpsTransport transport(settings, 1);
  const auto start = steady_clock::now();
  Reply reply = exchange(transport, 0, request);
  const auto took = steady_clock::now() - start;
  return {failure_of(std::move(reply)), took};
}

/// Runs a script for one request that has been read.
RawTlsServer::Script after_request(RawTlsServer::Script script) {
  return [script = std::move(script)](RawConnection& connection) {
    if (connection.handshake() && connection.read_request()) script(connection);
  };
}

RawTlsServer::Script sends(std::string answer) {
  return after_request(
      [answer = std::move(answer)](RawConnection& connection) { connection.send(answer); });
}

steady_clock::duration time_of(const std::function<void()>& action) {
  const auto start = steady_clock::now();
  action();
  return steady_clock::now() - start;
}

// --- What goes out ---

TEST_F(HttpsTransportTest, SendsTheRequestExactlyAsGivenInOneRecord) {
  RawTlsServer server(&RawTlsServer::answer_all);
  const auto response = response_of(send_once(settings_for(server)));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "{}");
  EXPECT_TRUE(response.length_proven);

  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].text,
            "POST /api/v2/zec HTTP/1.1\r\n"
            "Host: " +
                host_header(settings_for(server).endpoint) +
                "\r\n"
                "X-ZC-Action: ReleaseDisk\r\n"
                "content-type: application/json\r\n"
                "Content-Length: 16\r\n"
                "Connection: keep-alive\r\n"
                "\r\n"
                R"({"diskId":"d-1"})");
  EXPECT_EQ(requests[0].records, 1u);
}

TEST_F(HttpsTransportTest, SendsALargeRequestWhole) {
  RawTlsServer server(&RawTlsServer::answer_all);
  HttpsTransport transport(settings_for(server), 1);
  auto request = release("d-1");
  request.body = std::string(200'000, 'x');
  EXPECT_EQ(response_of(exchange(transport, 0, request)).status, 200);
  ASSERT_EQ(server.requests().size(), 1u);
  EXPECT_TRUE(server.requests()[0].text.ends_with("\r\n\r\n" + request.body));
}

TEST_F(HttpsTransportTest, SendsAnEmptyBody) {
  RawTlsServer server(&RawTlsServer::answer_all);
  HttpsTransport transport(settings_for(server), 1);
  auto request = release("d-1");
  request.body.clear();
  EXPECT_EQ(response_of(exchange(transport, 0, request)).status, 200);
  EXPECT_THAT(server.requests().at(0).text, HasSubstr("Content-Length: 0\r\n"));
}

TEST_F(HttpsTransportTest, RefusesARequestWhoseHeadHoldsALineBreak) {
  RawTlsServer server(&RawTlsServer::answer_all);
  HttpsTransport transport(settings_for(server), 1);
  for (const auto& [name, value] : HeaderFields{{"X", "a\r\nY: b"}, {"X\n", "a"}, {"X", "a\rb"}}) {
    auto request = release("d-1");
    request.headers.emplace_back(name, value);
    EXPECT_FALSE(failure_of(exchange(transport, 0, request)).request_may_have_left);
  }
  auto request = release("d-1");
  request.path = "/ HTTP/1.1\r\n\r\n";
  EXPECT_FALSE(failure_of(exchange(transport, 0, request)).request_may_have_left);
  server.stop();
  EXPECT_EQ(server.received_bytes(), 0u);
}

// --- One connection for many requests ---

TEST_F(HttpsTransportTest, KeepsTheConnectionOfALane) {
  RawTlsServer server(&RawTlsServer::answer_all);
  HttpsTransport transport(settings_for(server), 1);
  EXPECT_EQ(transport.prepare(0), std::nullopt);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(response_of(exchange(transport, 0, release("d-1"))).status, 200);
    EXPECT_EQ(transport.prepare(0), std::nullopt);
  }
  EXPECT_EQ(server.connections(), 1u);
  EXPECT_EQ(server.requests().size(), 5u);
}

TEST_F(HttpsTransportTest, PreparesWithoutWritingAnythingOfARequest) {
  RawTlsServer server(&RawTlsServer::answer_all);
  HttpsTransport transport(settings_for(server), 1);
  EXPECT_EQ(transport.prepare(0), std::nullopt);
  server.stop();
  EXPECT_EQ(server.connections(), 1u);
  EXPECT_EQ(server.received_bytes(), 0u);
}

TEST_F(HttpsTransportTest, GivesEachLaneItsOwnConnection) {
  RawTlsServer server(&RawTlsServer::answer_all);
  HttpsTransport transport(settings_for(server), 3);
  for (std::size_t lane = 0; lane < 3; ++lane) EXPECT_EQ(transport.prepare(lane), std::nullopt);
  EXPECT_EQ(response_of(exchange(transport, 2, release("d-1"))).status, 200);
  EXPECT_EQ(server.connections(), 3u);
}

TEST_F(HttpsTransportTest, ServesSeveralThreadsAtOnce) {
  constexpr std::size_t lanes = 4;
  constexpr int each = 25;
  RawTlsServer server(&RawTlsServer::answer_all);
  HttpsTransport transport(settings_for(server), lanes);
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      threads.emplace_back([&, lane] {
        for (int i = 0; i < each; ++i) {
          const auto reply = exchange(transport, lane, release("d-" + std::to_string(i)));
          good += std::holds_alternative<HttpResponse>(reply) ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(good, static_cast<int>(lanes) * each);
  EXPECT_EQ(server.requests().size(), lanes * each);
}

/// Each script has the first connection answer once and then go stale, before the second request.
struct StaleCase {
  const char* name;
  std::function<void(RawConnection&)> spoil;
};

TEST_F(HttpsTransportTest, ConnectsAnewInsteadOfUsingAStaleConnection) {
  const std::vector<StaleCase> cases = {
      {"close_notify", [](RawConnection& connection) { connection.close_notify(); }},
      {"FIN", [](RawConnection& connection) { connection.close_by_fin(); }},
      {"RST", [](RawConnection& connection) { connection.close_by_reset(); }},
      {"a second answer", [](RawConnection& connection) { connection.answer("stale"); }},
      {"half a record", [](RawConnection& connection) { connection.send_plain("\x17\x03\x03"); }},
  };
  for (const StaleCase& stale : cases) {
    SCOPED_TRACE(stale.name);
    std::promise<void> spoiled;
    RawTlsServer server([&](RawConnection& connection) {
      if (connection.number() > 0) return RawTlsServer::answer_all(connection);
      if (!connection.handshake() || !connection.read_request()) return;
      connection.answer("first");
      stale.spoil(connection);
      spoiled.set_value();
      connection.wait_until_closed();
    });
    HttpsTransport transport(settings_for(server), 1);
    EXPECT_EQ(response_of(exchange(transport, 0, release("d-1"))).body, "first");
    ASSERT_EQ(spoiled.get_future().wait_for(k_long), std::future_status::ready);
    EXPECT_EQ(response_of(exchange(transport, 0, release("d-2"))).body, "{}");
    server.stop();
    EXPECT_EQ(server.connections(), 2u);
    ASSERT_EQ(server.requests().size(), 2u);
    EXPECT_EQ(server.requests()[1].connection, 1u);
  }
}

TEST_F(HttpsTransportTest, DropsAConnectionThatHoldsMoreThanTheAnswer) {
  // In one record with the answer, so that the surplus is in the client's own buffer.
  RawTlsServer server([](RawConnection& connection) {
    if (!connection.handshake()) return;
    while (connection.read_request() &&
           connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
                           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale")) {
    }
  });
  HttpsTransport transport(settings_for(server), 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(response_of(exchange(transport, 0, release("d-1"))).body, "{}");
  }
  EXPECT_EQ(server.connections(), 3u);
}

TEST_F(HttpsTransportTest, NoticesThatAPreparedConnectionWasClosedBeforeItsFirstUse) {
  const std::vector<StaleCase> cases = {
      {"close_notify", [](RawConnection& connection) { connection.close_notify(); }},
      {"FIN", [](RawConnection& connection) { connection.close_by_fin(); }},
      {"RST", [](RawConnection& connection) { connection.close_by_reset(); }},
      {"an answer to nothing", [](RawConnection& connection) { connection.answer("stale"); }},
  };
  for (const StaleCase& stale : cases) {
    SCOPED_TRACE(stale.name);
    std::promise<void> spoil_now;
    std::promise<void> spoiled;
    RawTlsServer server([&](RawConnection& connection) {
      if (connection.number() > 0) return RawTlsServer::answer_all(connection);
      if (!connection.handshake()) return;
      spoil_now.get_future().wait_for(k_long);
      stale.spoil(connection);
      spoiled.set_value();
      connection.wait_until_closed();
    });
    HttpsTransport transport(settings_for(server), 1);
    EXPECT_EQ(transport.prepare(0), std::nullopt);
    spoil_now.set_value();
    ASSERT_EQ(spoiled.get_future().wait_for(k_long), std::future_status::ready);
    EXPECT_EQ(response_of(exchange(transport, 0, release("d-1"))).body, "{}");
    EXPECT_EQ(server.requests().size(), 1u);
    EXPECT_EQ(server.connections(), 2u);
  }
}

TEST_F(HttpsTransportTest, DoesNotUseAConnectionThatWasIdleForTooLong) {
  RawTlsServer server(&RawTlsServer::answer_all);
  auto settings = settings_for(server);
  settings.idle_limit = milliseconds(0);
  HttpsTransport transport(settings, 1);
  EXPECT_EQ(response_of(exchange(transport, 0, release("d-1"))).status, 200);
  EXPECT_EQ(response_of(exchange(transport, 0, release("d-2"))).status, 200);
  EXPECT_EQ(server.connections(), 2u);
}

TEST_F(HttpsTransportTest, HonoursConnectionClose) {
  RawTlsServer server([](RawConnection& connection) {
    if (!connection.handshake()) return;
    while (connection.read_request()) {
      connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
    }
  });
  HttpsTransport transport(settings_for(server), 1);
  for (int i = 0; i < 2; ++i) {
    const auto response = response_of(exchange(transport, 0, release("d-1")));
    EXPECT_EQ(response.body, "{}");
    EXPECT_TRUE(response.length_proven);
  }
  EXPECT_EQ(server.connections(), 2u);
}

TEST_F(HttpsTransportTest, DropsTheConnectionAfterAFailure) {
  RawTlsServer server([](RawConnection& connection) {
    if (connection.number() > 0) return RawTlsServer::answer_all(connection);
    if (!connection.handshake() || !connection.read_request()) return;
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\n");
    connection.wait_until_closed();
  });
  HttpsTransport transport(settings_for(server), 1);
  EXPECT_EQ(failure_of(exchange(transport, 0, release("d-1"))).problem,
            TransportProblem::invalid_answer);
  EXPECT_EQ(response_of(exchange(transport, 0, release("d-2"))).status, 200);
  EXPECT_EQ(server.connections(), 2u);
  EXPECT_EQ(server.requests().size(), 2u);
}

// --- Answers that are whole ---

struct WholeCase {
  const char* name;
  const char* answer;
  int status;
  const char* body;
  bool length_proven;
};

TEST_F(HttpsTransportTest, ReadsWholeAnswers) {
  const std::vector<WholeCase> cases = {
      {"empty body", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true},
      {"no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
      {"not modified", "HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", 304, "", true},
      {"repeated length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
       200, "{}", true},
      {"redirect, not followed",
       "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", 302, "",
       true},
      {"server error", "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", 503, "busy", true},
      {"odd status", "HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n", 999, "", true},
      {"content coding, left as it is",
       "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", 200,
       "\x1f\x8b\x08", true},
      {"interim answers",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
       200, "{}", true},
      {"chunks",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n",
       200, "{}", false},
      {"chunks with a trailer",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n", 200,
       "{}", false},
      {"until close_notify", "HTTP/1.1 200 OK\r\n\r\n{}", 200, "{}", false},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n{}", 200, "{}", false},
  };
  for (const auto& [name, answer, status, body, length_proven] : cases) {
    SCOPED_TRACE(name);
    RawTlsServer server(sends(answer));
    const auto response = response_of(send_once(settings_for(server)));
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.body, body);
    EXPECT_EQ(response.length_proven, length_proven);
    EXPECT_EQ(server.requests().size(), 1u);
  }
}

TEST_F(HttpsTransportTest, KeepsTheConnectionAfterChunksAndAnswersWithoutBody) {
  RawTlsServer server([](RawConnection& connection) {
    if (!connection.handshake()) return;
    for (int i = 0; connection.read_request(); ++i) {
      connection.send(i % 2 == 0 ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   "2\r\n{}\r\n0\r\n\r\n"
                                 : "HTTP/1.1 204 No Content\r\n\r\n");
    }
  });
  HttpsTransport transport(settings_for(server), 1);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(response_of(exchange(transport, 0, release("d-1"))).status, i % 2 == 0 ? 200 : 204);
  }
  EXPECT_EQ(server.connections(), 1u);
}

TEST_F(HttpsTransportTest, ReadsAnAnswerThatArrivesByteByByte) {
  RawTlsServer server(after_request([](RawConnection& connection) {
    for (const char byte : std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) {
      connection.send({&byte, 1});
    }
  }));
  EXPECT_EQ(response_of(send_once(settings_for(server))).body, "{}");
}

// --- Answers that prove nothing ---

struct BrokenCase {
  const char* name;
  RawTlsServer::Script script;
  TransportProblem problem;
  std::optional<int> status;
};

TEST_F(HttpsTransportTest, TakesNoBrokenAnswerForAWholeOne) {
  const std::string head = "HTTP/1.1 200 OK\r\n";
  const std::string ten = head + "Content-Length: 10\r\n\r\n";
  const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
  const auto then_fin = [](std::string text) {
    return after_request([text = std::move(text)](RawConnection& connection) {
      connection.send(text);
      connection.close_by_fin();
      connection.wait_until_closed();
    });
  };
  const auto then_reset = [](std::string text) {
    return after_request([text = std::move(text)](RawConnection& connection) {
      connection.send(text);
      connection.pause(milliseconds(20));  // a reset would overtake the text
      connection.close_by_reset();
    });
  };
  using P = TransportProblem;
  const std::vector<BrokenCase> cases = {
      {"close_notify instead of an answer", sends(""), P::no_answer, {}},
      {"FIN instead of an answer", then_fin(""), P::no_answer, {}},
      {"RST instead of an answer",
       after_request([](RawConnection& connection) { connection.close_by_reset(); }),
       P::no_answer,
       {}},
      {"status line cut", sends("HTTP/1.1 20"), P::no_answer, {}},
      {"head cut after the status line", sends(head), P::no_answer, {}},
      {"head cut after a full field", sends(head + "Content-Length: 0\r\n"), P::no_answer, {}},
      {"head cut within a field", sends(head + "Content-Le"), P::no_answer, {}},
      {"head cut within the empty line", sends(head + "Content-Length: 0\r\n\r"), P::no_answer, {}},
      {"head cut by FIN", then_fin(head + "Content-Length: 0\r\n"), P::no_answer, {}},
      {"head cut by RST", then_reset(head + "Content-Length: 0\r\n"), P::no_answer, {}},
      {"interim answer only", sends("HTTP/1.1 100 Continue\r\n\r\n"), P::no_answer, {}},
      {"body cut by close_notify", sends(ten + "123456789"), P::incomplete_answer, 200},
      {"body cut by FIN", then_fin(ten + "123456789"), P::incomplete_answer, 200},
      {"body cut by RST", then_reset(ten + "123456789"), P::incomplete_answer, 200},
      {"body missing", sends(ten), P::incomplete_answer, 200},
      {"endless body cut by FIN", then_fin(head + "\r\n{}"), P::incomplete_answer, 200},
      {"endless body cut by RST", then_reset(head + "\r\n{}"), P::incomplete_answer, 200},
      {"chunk cut", sends(chunked + "a\r\n12345"), P::incomplete_answer, 200},
      {"chunk size cut", sends(chunked + "2\r\n{}\r\n1"), P::incomplete_answer, 200},
      {"last chunk missing", sends(chunked + "2\r\n{}\r\n"), P::incomplete_answer, 200},
      {"trailer cut", sends(chunked + "2\r\n{}\r\n0\r\n"), P::incomplete_answer, 200},
      {"chunk cut by FIN", then_fin(chunked + "a\r\n12345"), P::incomplete_answer, 200},
      {"chunk size malformed", sends(chunked + "x\r\n{}\r\n0\r\n\r\n"), P::invalid_answer, 200},
      {"chunk longer than its size", sends(chunked + "1\r\n{}\r\n0\r\n\r\n"), P::invalid_answer,
       200},
      {"negative length", sends(head + "Content-Length: -7\r\n\r\n"), P::invalid_answer, {}},
      {"two lengths",
       sends(head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
       P::invalid_answer,
       {}},
      {"length that is no number",
       sends(head + "Content-Length: 2x\r\n\r\n{}"),
       P::invalid_answer,
       {}},
      {"length and chunks",
       sends(head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
       P::invalid_answer,
       {}},
      {"unknown transfer coding",
       sends(head + "Transfer-Encoding: gzip\r\n\r\nx"),
       P::invalid_answer,
       {}},
      {"not HTTP",
       after_request([](RawConnection& connection) {
         connection.send("SSH-2.0-OpenSSH_9\r\n");
         connection.wait_until_closed();
       }),
       P::invalid_answer,
       {}},
      {"status 099", sends("HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n"), P::invalid_answer, {}},
      {"switching protocols", sends("HTTP/1.1 101 x\r\n\r\n"), P::invalid_answer, {}},
      {"too many fields",
       sends([&] {
         std::string text = head;
         for (int i = 0; i < 101; ++i) text += "x: y\r\n";
         return text + "Content-Length: 0\r\n\r\n";
       }()),
       P::invalid_answer,
       {}},
      {"head too long",
       sends(head + "x: " + std::string(40'000, 'y') + "\r\n\r\n"),
       P::invalid_answer,
       {}},
      {"clear text within the connection",
       after_request([&](RawConnection& connection) {
         connection.send_plain("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
         connection.wait_until_closed();
       }),
       P::no_answer,
       {}},
  };
  for (const auto& [name, script, problem, status] : cases) {
    SCOPED_TRACE(name);
    RawTlsServer server(script);
    const auto failure = failure_of(send_once(settings_for(server)));
    EXPECT_EQ(to_text(failure.problem), to_text(problem)) << failure.detail;
    EXPECT_EQ(failure.status, status);
    EXPECT_TRUE(failure.request_may_have_left);
    EXPECT_FALSE(failure.detail.empty());
    server.stop();
    EXPECT_EQ(server.requests().size(), 1u);
    EXPECT_EQ(server.connections(), 1u);
  }
}

TEST_F(HttpsTransportTest, BoundsTheBodyToTheByte) {
  constexpr std::size_t cap = 10;
  const auto length = [](std::size_t n) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(n) + "\r\n\r\n" +
           std::string(n, 'x');
  };
  const auto until_end = [](std::size_t n) {
    return "HTTP/1.1 200 OK\r\n\r\n" + std::string(n, 'x');
  };
  const auto chunked = [](std::size_t n) {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n" +
           std::to_string(n - 1) + "\r\n" + std::string(n - 1, 'x') + "\r\n0\r\n\r\n";
  };
  for (const auto& answer_of :
       std::vector<std::function<std::string(std::size_t)>>{length, until_end, chunked}) {
    for (const std::size_t n : {cap - 1, cap, cap + 1}) {
      if (n > cap && answer_of(n).find("chunked") != std::string::npos) continue;
      SCOPED_TRACE(answer_of(n));
      RawTlsServer server(sends(answer_of(n)));
      auto settings = settings_for(server);
      settings.body_cap = cap;
      const auto reply = send_once(settings);
      if (n <= cap) {
        EXPECT_EQ(response_of(reply).body, std::string(n, 'x'));
      } else {
        const auto failure = failure_of(reply);
        EXPECT_EQ(failure.problem, TransportProblem::answer_too_large);
        EXPECT_EQ(failure.status, 200);
        EXPECT_TRUE(failure.request_may_have_left);
      }
    }
  }
  RawTlsServer server(
      sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n6\r\n"));
  auto settings = settings_for(server);
  settings.body_cap = cap;
  EXPECT_EQ(failure_of(send_once(settings)).problem, TransportProblem::answer_too_large);
}

TEST_F(HttpsTransportTest, DoesNotReserveWhatAnAbsurdLengthAnnounces) {
  RawTlsServer server(sends("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n"));
  EXPECT_EQ(failure_of(send_once(settings_for(server))).problem,
            TransportProblem::answer_too_large);
}

// --- Deadlines ---

struct SlowCase {
  const char* name;
  RawTlsServer::Script script;
  std::optional<int> status;
};

TEST_F(HttpsTransportTest, EndsEveryExchangeAtTheTotalDeadline) {
  const auto drip = [](std::string start, std::string piece) {
    return after_request([start = std::move(start), piece = std::move(piece)](RawConnection& c) {
      c.send(start);
      while (c.pause(milliseconds(10)) && c.send(piece)) {
      }
    });
  };
  const auto flood = [](std::string start, std::string piece) {
    return after_request([start = std::move(start), piece = std::move(piece)](RawConnection& c) {
      c.send(start);
      while (c.send(piece)) {
      }
    });
  };
  const std::vector<SlowCase> cases = {
      {"silence", after_request([](RawConnection& c) { c.wait_until_closed(); }), {}},
      {"head in drips", drip("HTTP/1.1 200 OK\r\n", "x"), {}},
      {"body in drips", drip("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", "x"), 200},
      {"endless body in drips", drip("HTTP/1.1 200 OK\r\n\r\n", "x"), 200},
      {"chunks in drips",
       drip("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"), 200},
      {"chunk size in drips", drip("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x"),
       200},
      {"flood of interim answers", flood("", "HTTP/1.1 100 Continue\r\n\r\n"), {}},
  };
  for (const auto& [name, script, status] : cases) {
    SCOPED_TRACE(name);
    RawTlsServer server(script);
    auto settings = settings_for(server);
    settings.total_timeout = k_short;
    const auto [failure, took] = timed_failure(settings, release("d-1"));
    EXPECT_EQ(to_text(failure.problem), to_text(TransportProblem::timeout)) << failure.detail;
    EXPECT_TRUE(failure.request_may_have_left);
    EXPECT_EQ(failure.status, status);
    EXPECT_GE(took, k_short);
    // Not twice the time-out, as Poco's own would take.
    EXPECT_LT(took, 2 * k_short);
    server.stop();
    EXPECT_EQ(server.requests().size(), 1u);
  }
}

TEST_F(HttpsTransportTest, EndsAWriteThatTheServerDoesNotTakeAtTheTotalDeadline) {
  RawTlsServer server([](RawConnection& connection) {
    if (connection.handshake()) connection.pause(k_long);
  });
  auto settings = settings_for(server);
  settings.total_timeout = k_short;
  auto request = release("d-1");
  request.body = std::string(16u << 20, 'x');
  const auto [failure, took] = timed_failure(settings, request);
  EXPECT_EQ(failure.problem, TransportProblem::timeout);
  EXPECT_TRUE(failure.request_may_have_left);
  EXPECT_LT(took, k_at_once);
}

TEST_F(HttpsTransportTest, SaysThatNothingLeftWhenTheTotalDeadlineStrikesWhileConnecting) {
  RawTlsServer server([](RawConnection& connection) { connection.pause(k_long); });
  auto settings = settings_for(server);
  settings.total_timeout = k_short;
  const auto failure = failure_of(send_once(settings));
  EXPECT_EQ(failure.problem, TransportProblem::timeout);
  EXPECT_FALSE(failure.request_may_have_left);
  server.stop();
  EXPECT_EQ(server.received_bytes(), 0u);
}

TEST_F(HttpsTransportTest, BoundsTheTcpConnectByTheConnectTimeout) {
  const FullAcceptQueue full;
  HttpsSettings settings;
  settings.endpoint = {.host = "127.0.0.1", .port = full.port()};
  settings.connect_timeout = k_short;
  const auto [failure, took] = timed_failure(settings, release("d-1"));
  EXPECT_EQ(failure.problem, TransportProblem::connect) << failure.detail;
  EXPECT_FALSE(failure.request_may_have_left);
  EXPECT_GE(took, k_short);
  EXPECT_LT(took, k_at_once);
}

TEST_F(HttpsTransportTest, BoundsAHandshakeThatNeverEndsByTheConnectTimeout) {
  RawTlsServer server([](RawConnection& connection) {
    connection.send_plain("\x16\x03\x03");  // the start of a record
    connection.wait_until_closed();
  });
  auto settings = settings_for(server);
  settings.connect_timeout = k_short;
  HttpsTransport transport(settings, 1);
  std::optional<TransportFailure> failure;
  const auto took = time_of([&] { failure = transport.prepare(0); });
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->problem, TransportProblem::tls_handshake) << failure->detail;
  EXPECT_FALSE(failure->request_may_have_left);
  EXPECT_LT(took, k_at_once);
}

// --- Who is talked to ---

void expect_certificate_failure(const RawServerOptions& options, const std::string& host,
                                const char* reason) {
  RawTlsServer server(&RawTlsServer::answer_all, options);
  auto settings = settings_for(server);
  settings.endpoint.host = host;
  const auto failure = failure_of(send_once(settings));
  EXPECT_EQ(to_text(failure.problem), to_text(TransportProblem::certificate)) << failure.detail;
  EXPECT_FALSE(failure.request_may_have_left);
  EXPECT_THAT(failure.detail, HasSubstr(reason));
  server.stop();
  EXPECT_EQ(server.received_bytes(), 0u);
}

TEST_F(HttpsTransportTest, RefusesACertificateForAnotherHost) {
  expect_certificate_failure({.names = "DNS:evil.example"}, "localhost", "hostname mismatch");
  expect_certificate_failure({.names = "DNS:evil.example"}, "127.0.0.1", "IP address mismatch");
  expect_certificate_failure({.names = "DNS:localhost"}, "127.0.0.1", "IP address mismatch");
  expect_certificate_failure({.names = "IP:127.0.0.1"}, "localhost", "hostname mismatch");
}

TEST_F(HttpsTransportTest, RefusesAnExpiredCertificate) {
  expect_certificate_failure({.expired = true}, "127.0.0.1", "certificate has expired");
}

TEST_F(HttpsTransportTest, RefusesACertificateOfAnUnknownCa) {
  expect_certificate_failure({.unknown_ca = true}, "127.0.0.1",
                             "unable to get local issuer certificate");
}

/// Of a CA in a PEM file, as OpenSSL looks for it in a folder.
std::string hashed_name(const std::string& path) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "r"), &BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> ca(
      PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr), &X509_free);
  std::ostringstream name;
  name << std::hex << std::setw(8) << std::setfill('0') << X509_subject_name_hash(ca.get()) << ".0";
  return name.str();
}

class SystemCaTest : public HttpsTransportTest {
 protected:
  ~SystemCaTest() override {
    ::unsetenv("SSL_CERT_DIR");
    ::setenv("SSL_CERT_FILE", "/dev/null", 1);
  }
  Reply send_with_system_cas() {
    HttpsSettings settings = settings_for(server_);
    settings.ca_file.reset();
    return send_once(settings);
  }

  RawTlsServer server_{&RawTlsServer::answer_all};
  TemporaryDirectory folder_;
};

TEST_F(SystemCaTest, FindsACaInTheFolderByItsHash) {
  ::unsetenv("SSL_CERT_FILE");
  ::setenv("SSL_CERT_DIR", folder_.path().c_str(), 1);
  EXPECT_EQ(failure_of(send_with_system_cas()).problem, TransportProblem::certificate);
  std::filesystem::copy_file(server_.ca_file(), folder_ / hashed_name(server_.ca_file()));
  EXPECT_EQ(response_of(send_with_system_cas()).status, 200);
}

TEST_F(SystemCaTest, LeavesTheFileOutOnlyWhereTheFolderHasAllOfIt) {
  const std::filesystem::path file = folder_ / "all.crt";
  std::ofstream(file) << "any";
  const auto link = [&](const std::string& name, const std::filesystem::path& to) {
    std::filesystem::create_symlink(to, folder_ / name);
    return folder_ / name;
  };
  const TemporaryDirectory elsewhere;
  EXPECT_FALSE(is_in_hashed_folder(file, folder_.path())) << "only a bundle was put there";
  std::ofstream(folder_ / "backup01.0") << "any";
  EXPECT_FALSE(is_in_hashed_folder(file, folder_.path())) << "no hash";
  const std::filesystem::path nowhere = link("1d3472b9.0", folder_ / "nowhere.pem");
  EXPECT_FALSE(is_in_hashed_folder(file, folder_.path())) << "a copy of the folder alone";
  std::ofstream(folder_ / "002c0b4f.0") << "any";
  EXPECT_TRUE(is_in_hashed_folder(file, folder_.path()));
  EXPECT_TRUE(is_in_hashed_folder(link("cert.pem", file), link("certs", folder_.path())));
  std::ofstream(elsewhere / "cert.pem") << "any";
  EXPECT_FALSE(is_in_hashed_folder(elsewhere / "cert.pem", folder_.path())) << "may hold others";
  EXPECT_FALSE(is_in_hashed_folder(folder_ / "none.pem", folder_.path()));
  EXPECT_FALSE(is_in_hashed_folder(file, "/nonexistent"));
}

TEST_F(SystemCaTest, ReadsTheFileThatIsAskedForBesideTheFolder) {
  ::setenv("SSL_CERT_FILE", server_.ca_file().c_str(), 1);
  EXPECT_EQ(response_of(send_with_system_cas()).status, 200);
}

TEST_F(HttpsTransportTest, RefusesAnotherHostsCertificateHoweverLateItComes) {
  for (const auto connect_timeout : {k_short, k_long}) {
    RawTlsServer server(
        [](RawConnection& connection) {
          connection.pause(k_short + k_short / 2);
          RawTlsServer::answer_all(connection);
        },
        {.names = "DNS:evil.example"});
    auto settings = settings_for(server);
    settings.connect_timeout = connect_timeout;
    const auto failure = failure_of(send_once(settings));
    EXPECT_EQ(to_text(failure.problem),
              to_text(connect_timeout == k_short ? TransportProblem::tls_handshake
                                                 : TransportProblem::certificate));
    EXPECT_FALSE(failure.request_may_have_left);
    server.stop();
    EXPECT_EQ(server.received_bytes(), 0u) << "the request reached the wrong host";
  }
}

TEST_F(HttpsTransportTest, FindsTheListeningAddressOfLocalhost) {
  RawTlsServer server(&RawTlsServer::answer_all);
  auto settings = settings_for(server);
  settings.endpoint.host = "localhost";
  EXPECT_EQ(response_of(send_once(settings)).status, 200);
}

TEST_F(HttpsTransportTest, TalksToAnIpv6Address) {
  std::unique_ptr<RawTlsServer> server;
  try {
    server = std::make_unique<RawTlsServer>(&RawTlsServer::answer_all,
                                            RawServerOptions{.on_ipv6 = true});
  } catch (const std::system_error& problem) {
    GTEST_SKIP() << "no IPv6 loopback here: " << problem.what();
  }
  auto settings = settings_for(*server);
  settings.endpoint.host = "::1";
  EXPECT_EQ(response_of(send_once(settings)).status, 200);
  EXPECT_THAT(server->requests().at(0).text,
              HasSubstr("Host: [::1]:" + std::to_string(server->port()) + "\r\n"));
}

TEST_F(HttpsTransportTest, RefusesACaFileWithoutACertificate) {
  HttpsSettings settings;
  settings.endpoint.host = "localhost";
  settings.ca_file = "/nonexistent/ca.pem";
  EXPECT_THROW(HttpsTransport(settings, 1), UsageError);

  std::string path =
      (std::filesystem::temp_directory_path() / "diskrelease-test-empty-XXXXXX").string();
  const int fd = ::mkstemp(path.data());
  ASSERT_GE(fd, 0);
  ::close(fd);
  settings.ca_file = path;
  EXPECT_THROW(HttpsTransport(settings, 1), UsageError);
  std::ofstream(path) << "no certificate in here\n";
  EXPECT_THROW(HttpsTransport(settings, 1), UsageError);
  std::filesystem::remove(path);
}

struct HandshakeCase {
  const char* name;
  RawTlsServer::Script script;
};

TEST_F(HttpsTransportTest, SaysThatNothingLeftWhenTheHandshakeBreaks) {
  const std::vector<HandshakeCase> cases = {
      {"FIN", [](RawConnection& connection) { connection.close_by_fin(); }},
      {"RST",
       [](RawConnection& connection) {
         // Any sooner, it may break the TCP connect already.
         connection.wait_for_bytes();
         connection.close_by_reset();
       }},
      {"plain HTTP",
       [](RawConnection& connection) {
         connection.send_plain("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
         connection.wait_until_closed();
       }},
  };
  for (const auto& [name, script] : cases) {
    SCOPED_TRACE(name);
    RawTlsServer server(script);
    HttpsTransport transport(settings_for(server), 1);
    for (int i = 0; i < 2; ++i) {
      const auto failure =
          i == 0 ? transport.prepare(0) : failure_of(exchange(transport, 0, release("d-1")));
      ASSERT_TRUE(failure.has_value());
      EXPECT_EQ(to_text(failure->problem), to_text(TransportProblem::tls_handshake));
      EXPECT_FALSE(failure->request_may_have_left);
      EXPECT_FALSE(failure->detail.empty());
    }
  }
}

TEST_F(HttpsTransportTest, RefusesTls11) {
  RawTlsServer server(&RawTlsServer::answer_all, {.only_tls_1_1 = true});
  const auto failure = failure_of(send_once(settings_for(server)));
  EXPECT_EQ(to_text(failure.problem), to_text(TransportProblem::tls_handshake)) << failure.detail;
  EXPECT_FALSE(failure.request_may_have_left);
  server.stop();
  EXPECT_EQ(server.received_bytes(), 0u);
}

TEST_F(HttpsTransportTest, SaysThatNothingLeftWhenNobodyListens) {
  HttpsSettings settings;
  settings.endpoint = {.host = "127.0.0.1", .port = refused_port()};
  const auto failure = failure_of(send_once(settings));
  EXPECT_EQ(failure.problem, TransportProblem::connect);
  EXPECT_FALSE(failure.request_may_have_left);
  EXPECT_THAT(failure.detail, HasSubstr("refused"));
}

TEST_F(HttpsTransportTest, SaysThatTheNameWasNotFound) {
  HttpsSettings settings;
  // A label over 63 bytes is refused by the resolver itself: no question leaves this machine.
  settings.endpoint = {.host = std::string(64, 'x') + ".invalid", .port = 443};
  const auto failure = failure_of(send_once(settings));
  EXPECT_EQ(failure.problem, TransportProblem::name_resolution) << failure.detail;
  EXPECT_FALSE(failure.request_may_have_left);
}

TEST_F(HttpsTransportTest, TellsThatFileDescriptorsRanOut) {
  RawTlsServer server(&RawTlsServer::answer_all);
  HttpsTransport transport(settings_for(server), 1);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = ::dup(0);
  ASSERT_GE(lowest_free, 0);
  ::close(lowest_free);
  const rlimit none_left{.rlim_cur = static_cast<rlim_t>(lowest_free), .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none_left), 0);
  const auto failure = transport.prepare(0);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->problem, TransportProblem::out_of_resources) << failure->detail;
  EXPECT_FALSE(failure->request_may_have_left);
  EXPECT_EQ(response_of(exchange(transport, 0, release("d-1"))).status, 200);
}

// --- Abort ---

TEST_F(HttpsTransportTest, AbortEndsExchangesUnderWayAndEveryLaterCall) {
  std::promise<void> reached;
  std::atomic<int> waiting{0};
  RawTlsServer server(after_request([&](RawConnection& connection) {
    if (++waiting == 2) reached.set_value();
    connection.wait_until_closed();
  }));
  HttpsTransport transport(settings_for(server), 3);
  auto first =
      std::async(std::launch::async, [&] { return exchange(transport, 0, release("d-1")); });
  auto second =
      std::async(std::launch::async, [&] { return exchange(transport, 1, release("d-2")); });
  ASSERT_EQ(reached.get_future().wait_for(k_long), std::future_status::ready);
  const auto took = time_of([&] {
    transport.abort_all();
    for (auto* broken : {&first, &second}) {
      const auto failure = failure_of(broken->get());
      EXPECT_EQ(failure.problem, TransportProblem::aborted);
      EXPECT_TRUE(failure.request_may_have_left);
    }
  });
  EXPECT_LT(took, k_at_once);

  for (std::size_t lane = 0; lane < 3; ++lane) {
    const auto failure = failure_of(exchange(transport, lane, release("d-3")));
    EXPECT_EQ(failure.problem, TransportProblem::aborted);
    EXPECT_FALSE(failure.request_may_have_left);
    EXPECT_EQ(transport.prepare(lane).value().problem, TransportProblem::aborted);
  }
  server.stop();
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(HttpsTransportTest, AbortEndsConnectsAndHandshakesUnderWay) {
  const FullAcceptQueue full;
  std::promise<void> accepted;
  RawTlsServer server([&](RawConnection& connection) {
    accepted.set_value();
    connection.wait_until_closed();
  });
  auto stuck_handshake = settings_for(server);
  auto stuck_connect = stuck_handshake;
  stuck_connect.endpoint.port = full.port();
  HttpsTransport first(stuck_connect, 1);
  HttpsTransport second(stuck_handshake, 1);
  auto connecting =
      std::async(std::launch::async, [&] { return exchange(first, 0, release("d-1")); });
  auto shaking =
      std::async(std::launch::async, [&] { return exchange(second, 0, release("d-2")); });
  ASSERT_EQ(accepted.get_future().wait_for(k_long), std::future_status::ready);
  const auto took = time_of([&] {
    first.abort_all();
    second.abort_all();
    for (auto* broken : {&connecting, &shaking}) {
      const auto failure = failure_of(broken->get());
      EXPECT_EQ(to_text(failure.problem), to_text(TransportProblem::aborted));
      EXPECT_FALSE(failure.request_may_have_left);
    }
  });
  EXPECT_LT(took, k_at_once);
}

TEST_F(HttpsTransportTest, HasTheProcessIgnoreBrokenPipes) {
  struct sigaction before {};
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ASSERT_EQ(::sigaction(SIGPIPE, &standard, &before), 0);
  HttpsSettings settings;
  settings.endpoint.host = "localhost";
  const HttpsTransport transport(settings, 1);
  struct sigaction now {};
  ASSERT_EQ(::sigaction(SIGPIPE, nullptr, &now), 0);
  EXPECT_EQ(now.sa_handler, SIG_IGN);
  ASSERT_EQ(::sigaction(SIGPIPE, &before, nullptr), 0);
}

// --- Through a proxy ---

HttpsSettings through(const ConnectProxy& proxy, const RawTlsServer& server) {
  auto settings = settings_for(server);
  settings.proxy = Proxy{
      .host = "127.0.0.1", .port = proxy.port(), .user = "ann", .password = "not-a-real-password"};
  return settings;
}

TEST_F(HttpsTransportTest, TalksThroughAProxysTunnel) {
  RawTlsServer server(&RawTlsServer::answer_all, {.names = "DNS:api.example.test"});
  ConnectProxy proxy;
  auto settings = through(proxy, server);
  settings.endpoint.host = "api.example.test";  // only the proxy looks it up
  HttpsTransport transport(settings, 1);
  EXPECT_EQ(response_of(exchange(transport, 0, release("d-1"))).status, 200);
  EXPECT_EQ(response_of(exchange(transport, 0, release("d-2"))).status, 200);

  const std::string target = "api.example.test:" + std::to_string(server.port());
  ASSERT_EQ(proxy.requests().size(), 1u);
  EXPECT_EQ(proxy.requests()[0], "CONNECT " + target + " HTTP/1.1\r\nHost: " + target +
                                     "\r\nProxy-Authorization: Basic "
                                     "YW5uOm5vdC1hLXJlYWwtcGFzc3dvcmQ=\r\n\r\n");
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_THAT(server.requests()[0].text, HasSubstr("Host: " + target + "\r\n"));
  EXPECT_THAT(server.requests()[0].text, Not(HasSubstr("Proxy-")));
}

TEST_F(HttpsTransportTest, EncodesProxyCredentialsOfEveryLength) {
  RawTlsServer server(&RawTlsServer::answer_all);
  ConnectProxy proxy;
  for (const auto& [password, encoded] :
       HeaderFields{{"", "YTo="}, {"1", "YTox"}, {"12", "YToxMg=="}}) {
    auto settings = through(proxy, server);
    settings.proxy->user = "a";
    settings.proxy->password = password;
    EXPECT_EQ(response_of(send_once(settings)).status, 200);
    EXPECT_THAT(proxy.requests().back(), HasSubstr("Basic " + encoded + "\r\n"));
  }
}

TEST_F(HttpsTransportTest, SendsNoProxyCredentialsWithoutAUser) {
  RawTlsServer server(&RawTlsServer::answer_all);
  ConnectProxy proxy;
  auto settings = through(proxy, server);
  settings.proxy->user.clear();
  EXPECT_EQ(response_of(send_once(settings)).status, 200);
  EXPECT_THAT(proxy.requests().at(0), Not(HasSubstr("Authorization")));
}

TEST_F(HttpsTransportTest, VerifiesTheServerBehindAProxyToo) {
  ConnectProxy proxy;
  // The second name would match if a wildcard could stand for a part of a label.
  for (const char* names : {"DNS:evil.example", "DNS:a*.example.test", "IP:127.0.0.1"}) {
    RawTlsServer server(&RawTlsServer::answer_all, {.names = names});
    auto settings = through(proxy, server);
    settings.endpoint.host = "api.example.test";
    const auto failure = failure_of(send_once(settings));
    EXPECT_EQ(to_text(failure.problem), to_text(TransportProblem::certificate)) << names;
    EXPECT_FALSE(failure.request_may_have_left);
    server.stop();
    EXPECT_EQ(server.received_bytes(), 0u);
  }
  RawTlsServer server(&RawTlsServer::answer_all, {.names = "DNS:*.example.test"});
  auto settings = through(proxy, server);
  settings.endpoint.host = "api.example.test";
  EXPECT_EQ(response_of(send_once(settings)).status, 200);
}

TEST_F(HttpsTransportTest, ReportsAProxyThatRefusesWithoutItsSecrets) {
  const std::string encoded = "YW5uOm5vdC1hLXJlYWwtcGFzc3dvcmQ=";
  RawTlsServer server(&RawTlsServer::answer_all);
  for (const std::string& answer :
       {"HTTP/1.1 407 not-a-real-password " + encoded + "\r\nContent-Length: 0\r\n\r\n",
        std::string("HTTP/1.1 502 Bad Gateway\r\n\r\n"), std::string("HTTP/1.1 302 x\r\n\r\n"),
        std::string("not-a-real-password\r\n\r\n"), std::string("HTTP/1.1 407 cut\r\n")}) {
    SCOPED_TRACE(answer);
    ConnectProxy proxy(answer);
    const auto failure = failure_of(send_once(through(proxy, server)));
    const bool for_good = answer.ends_with("\r\n\r\n") && answer.starts_with("HTTP/1.1 407");
    EXPECT_EQ(to_text(failure.problem),
              to_text(for_good ? TransportProblem::proxy_refused : TransportProblem::proxy));
    EXPECT_FALSE(failure.request_may_have_left);
    EXPECT_THAT(failure.detail, Not(HasSubstr("not-a-real-password")));
    EXPECT_THAT(failure.detail, Not(HasSubstr(encoded)));
    if (for_good) {
      EXPECT_THAT(failure.detail, HasSubstr("answered CONNECT with: 407 *** ***"));
    }
    EXPECT_EQ(proxy.requests().size(), 1u);
  }
  EXPECT_EQ(server.connections(), 0u);
}

TEST_F(HttpsTransportTest, BoundsAProxyThatNeverAnswersByTheConnectTimeout) {
  RawTlsServer server(&RawTlsServer::answer_all);
  ConnectProxy proxy("");
  auto settings = through(proxy, server);
  settings.connect_timeout = k_short;
  const auto [failure, took] = timed_failure(settings, release("d-1"));
  EXPECT_EQ(to_text(failure.problem), to_text(TransportProblem::proxy));
  EXPECT_FALSE(failure.request_may_have_left);
  EXPECT_LT(took, k_at_once);
}

TEST_F(HttpsTransportTest, ReportsAProxyThatIsNotThereAsAConnectProblem) {
  RawTlsServer server(&RawTlsServer::answer_all);
  auto settings = settings_for(server);
  settings.proxy = Proxy{.host = "127.0.0.1", .port = refused_port(), .user = {}, .password = {}};
  const auto failure = failure_of(send_once(settings));
  EXPECT_EQ(failure.problem, TransportProblem::connect);
  EXPECT_FALSE(failure.request_may_have_left);
}

// --- One thread, many lanes ---

/// Looks until finish() would not wait, at most until `most` has passed. False = it would still.
bool becomes_finishable(HttpsTransport& transport, std::size_t lane,
                        steady_clock::duration most = k_long) {
  const auto end = steady_clock::now() + most;
  while (!transport.can_finish(lane)) {
    const ReplyWatch watch = transport.watch(lane);
    pollfd watched{.fd = watch.reply_fd, .events = POLLIN, .revents = 0};
    if (steady_clock::now() >= end) return false;
    static_cast<void>(::poll(&watched, 1, 10));
  }
  return true;
}

TEST_F(HttpsTransportTest, KeepsRequestsOfSeveralLanesUnderWayOnOneThread) {
  std::promise<void> both_read;
  std::atomic<int> read{0};
  RawTlsServer server([&](RawConnection& connection) {
    if (!connection.handshake() || !connection.read_request()) return;
    if (++read == 2) both_read.set_value();
    // Each answers only when the requests of both are there.
    while (read < 2 && connection.pause(milliseconds(1))) {
    }
    connection.answer(connection.request().ends_with(R"("d-1"})") ? "first" : "second");
    connection.wait_until_closed();
  });
  HttpsTransport transport(settings_for(server), 2);
  for (const std::size_t lane : {0U, 1U}) {
    ASSERT_FALSE(transport.is_connected(lane));
    ASSERT_FALSE(transport.prepare(lane));
    ASSERT_TRUE(transport.is_connected(lane));
    transport.start(lane, release(lane == 0 ? "d-1" : "d-2"));
  }
  ASSERT_EQ(both_read.get_future().wait_for(k_long), std::future_status::ready);
  ASSERT_TRUE(becomes_finishable(transport, 1));
  ASSERT_TRUE(becomes_finishable(transport, 0));
  EXPECT_EQ(response_of(transport.finish(0)).body, "first");
  EXPECT_EQ(response_of(transport.finish(1)).body, "second");
  EXPECT_TRUE(transport.is_connected(0)) << "kept for the next request";
}

TEST_F(HttpsTransportTest, CannotFinishBeforeTheAnswerIsWhole) {
  std::promise<void> go_on;
  auto released = go_on.get_future().share();
  RawTlsServer server(after_request([&](RawConnection& connection) {
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    while (released.wait_for(std::chrono::seconds(0)) != std::future_status::ready &&
           connection.pause(milliseconds(1))) {
    }
    connection.send("defghij");
    connection.wait_until_closed();
  }));
  HttpsTransport transport(settings_for(server), 1);
  ASSERT_FALSE(transport.prepare(0));
  transport.start(0, release("d-1"));
  EXPECT_FALSE(becomes_finishable(transport, 0, milliseconds(100)));
  go_on.set_value();
  ASSERT_TRUE(becomes_finishable(transport, 0));
  EXPECT_EQ(response_of(transport.finish(0)).body, "abcdefghij");
}

TEST_F(HttpsTransportTest, TakesAWholeAnswerHoweverLateItIsLookedAt) {
  RawTlsServer server(after_request([](RawConnection& connection) {
    connection.answer("{}");
    connection.wait_until_closed();
  }));
  HttpsSettings settings = settings_for(server);
  settings.total_timeout = milliseconds(300);
  HttpsTransport transport(settings, 1);
  ASSERT_FALSE(transport.prepare(0));
  transport.start(0, release("d-1"));
  const ReplyWatch watch = transport.watch(0);
  pollfd watched{.fd = watch.reply_fd, .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&watched, 1, 10'000), 1);
  // Not a wait for something to happen: the deadline has to pass.
  while (steady_clock::now() < watch.deadline) std::this_thread::yield();
  ASSERT_TRUE(transport.can_finish(0));
  EXPECT_EQ(response_of(transport.finish(0)).body, "{}");
}

TEST_F(HttpsTransportTest, CanFinishAtTheDeadlineAtAnAbortAndAtTheEndOfTheConnection) {
  RawTlsServer silent(
      after_request([](RawConnection& connection) { connection.wait_until_closed(); }));
  HttpsSettings settings = settings_for(silent);
  settings.total_timeout = milliseconds(300);
  HttpsTransport hurried(settings, 1);
  ASSERT_FALSE(hurried.prepare(0));
  hurried.start(0, release("d-1"));
  ASSERT_TRUE(becomes_finishable(hurried, 0));
  EXPECT_EQ(failure_of(hurried.finish(0)).problem, TransportProblem::timeout);

  HttpsTransport aborted(settings_for(silent), 1);
  ASSERT_FALSE(aborted.prepare(0));
  aborted.start(0, release("d-1"));
  EXPECT_FALSE(aborted.can_finish(0));
  aborted.abort_all();
  EXPECT_TRUE(aborted.can_finish(0));
  EXPECT_EQ(failure_of(aborted.finish(0)).problem, TransportProblem::aborted);
  EXPECT_FALSE(aborted.is_connected(0));

  RawTlsServer closing(after_request([](RawConnection&) {}));
  HttpsTransport transport(settings_for(closing), 1);
  ASSERT_FALSE(transport.prepare(0));
  transport.start(0, release("d-1"));
  ASSERT_TRUE(becomes_finishable(transport, 0));
  const auto failure = failure_of(transport.finish(0));
  EXPECT_EQ(failure.problem, TransportProblem::no_answer);
  EXPECT_TRUE(failure.request_may_have_left);
}

TEST_F(HttpsTransportTest, StartsNothingWithoutAConnection) {
  RawTlsServer server(&RawTlsServer::answer_all);
  HttpsTransport transport(settings_for(server), 1);
  transport.start(0, release("d-1"));
  ASSERT_TRUE(transport.can_finish(0));
  EXPECT_FALSE(failure_of(transport.finish(0)).request_may_have_left);
  server.stop();
  EXPECT_EQ(server.connections(), 0U);
}

// Interim answers, tiny chunks and trailers may go on for ever, and none of them decides.
TEST_F(HttpsTransportTest, TakesAnAnswerWithoutEndForABrokenConnection) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& [first, again] :
       {std::pair(std::string(), std::string("HTTP/1.1 100 Continue\r\n\r\n")),
        std::pair(head, "1;" + std::string(1'000, 'x') + "\r\na\r\n")}) {
    RawTlsServer server(after_request([&](RawConnection& connection) {
      std::string much;
      while (much.size() < 64 * 1024) much += again;
      connection.send(first);
      for (int i = 0; i < 1'000 && connection.send(much); ++i) {
      }
    }));
    HttpsSettings settings = settings_for(server);
    settings.body_cap = 64 * 1024;
    HttpsTransport transport(settings, 1);
    ASSERT_FALSE(transport.prepare(0));
    transport.start(0, release("d-1"));
    ASSERT_TRUE(becomes_finishable(transport, 0));
    const auto failure = failure_of(transport.finish(0));
    EXPECT_TRUE(failure.request_may_have_left);
    EXPECT_THAT(failure.detail, HasSubstr("does not come to an end"));
    EXPECT_FALSE(transport.is_connected(0));
  }
}

}  // namespace
}  // namespace diskrelease
