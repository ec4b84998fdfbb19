#include "net/hardened_session.h"

#include <Poco/Net/NetSSL.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <csignal>
#include <future>
#include <string_view>

#include "support/raw_tls_server.h"

namespace diskrelease {
namespace {

using std::chrono::milliseconds;

const HttpRequest k_request{.path = "/", .headers = {}, .body = "{}"};

class HardenedSessionTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(::setenv("SSL_CERT_FILE", "/dev/null", 1), 0);
    Poco::Net::initializeSSL();
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ASSERT_EQ(::sigaction(SIGPIPE, &ignore, nullptr), 0);
  }
  static void TearDownTestSuite() { Poco::Net::uninitializeSSL(); }

  [[nodiscard]] Bounds within(milliseconds time) const {
    return {.deadline = steady_now() + time, .abort = &abort_};
  }

  std::unique_ptr<HardenedSession> connect_to(const RawTlsServer& server) {
    HttpsSettings settings;
    settings.endpoint = {.host = "127.0.0.1", .port = server.port()};
    settings.ca_file = server.ca_file();
    auto opened = open_session(settings, make_client_context(settings), within(k_long));
    if (auto* session = std::get_if<std::unique_ptr<HardenedSession>>(&opened)) {
      return std::move(*session);
    }
    throw std::runtime_error(std::get<TransportFailure>(opened).detail);
  }

  static constexpr milliseconds k_long{5'000};
  AbortSignal abort_;
};

TEST_F(HardenedSessionTest, HasAContextThatAsksForTls12AndAuthentication) {
  HttpsSettings settings;
  settings.endpoint.host = "localhost";
  const auto context = make_client_context(settings);
  SSL_CTX* const ssl = context->sslContext();
  EXPECT_EQ(SSL_CTX_get_min_proto_version(ssl), TLS1_2_VERSION);
  EXPECT_EQ(SSL_CTX_get_verify_mode(ssl), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
  const auto* const ciphers = SSL_CTX_get_ciphers(ssl);
  ASSERT_GT(sk_SSL_CIPHER_num(ciphers), 0);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    const SSL_CIPHER* const cipher = sk_SSL_CIPHER_value(ciphers, i);
    EXPECT_NE(SSL_CIPHER_get_auth_nid(cipher), NID_auth_null) << SSL_CIPHER_get_name(cipher);
    EXPECT_GE(SSL_CIPHER_get_bits(cipher, nullptr), 128) << SSL_CIPHER_get_name(cipher);
  }
}

TEST_F(HardenedSessionTest, WritesNothingAfterTheDeadlineOrAnAbort) {
  for (const bool by_abort : {false, true}) {
    SCOPED_TRACE(by_abort);
    RawTlsServer server(&RawTlsServer::answer_all);
    const auto session = connect_to(server);
    if (by_abort) abort_.raise();
    EXPECT_THROW(session->send(k_request, "h", within(by_abort ? k_long : milliseconds(0))),
                 Poco::Exception);
    EXPECT_FALSE(session->tls().wrote());
    EXPECT_EQ(session->tls().wake(), by_abort ? Wake::aborted : Wake::deadline);
    server.stop();
    EXPECT_EQ(server.received_bytes(), 0u);
  }
}

TEST_F(HardenedSessionTest, NeverWritesAgainAfterAFailedWriteNorConnectsAgain) {
  std::promise<void> closed;
  RawTlsServer server([&](RawConnection& connection) {
    if (connection.number() > 0) return RawTlsServer::answer_all(connection);
    if (!connection.handshake()) return;
    connection.close_by_reset();
    closed.set_value();
  });
  const auto session = connect_to(server);
  ASSERT_EQ(closed.get_future().wait_for(k_long), std::future_status::ready);
  EXPECT_THROW(session->send(k_request, "h", within(k_long)), Poco::Exception);
  EXPECT_TRUE(session->tls().wrote());
  EXPECT_EQ(session->tls().wake(), Wake::ready);
  EXPECT_THROW(session->send(k_request, "h", within(k_long)), Poco::Exception);
  EXPECT_FALSE(session->tls().wrote());
  server.stop();
  EXPECT_EQ(server.connections(), 1u);
  EXPECT_EQ(server.received_bytes(), 0u);
}

}  // namespace
}  // namespace diskrelease
