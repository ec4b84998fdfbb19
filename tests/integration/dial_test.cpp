#include "net/dial.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <array>

#include "support/raw_tls_server.h"

namespace diskrelease {
namespace {

using std::chrono::milliseconds;

/// A list as the resolver gives it, of ports on 127.0.0.1.
template <std::size_t n>
class AddressList {
 public:
  explicit AddressList(const std::array<std::uint16_t, n>& ports) {
    for (std::size_t i = 0; i < n; ++i) {
      sockets_[i].sin_family = AF_INET;
      sockets_[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      sockets_[i].sin_port = htons(ports[i]);
      infos_[i].ai_family = AF_INET;
      infos_[i].ai_addr = reinterpret_cast<sockaddr*>(&sockets_[i]);
      infos_[i].ai_addrlen = sizeof sockets_[i];
      infos_[i].ai_next = i + 1 < n ? &infos_[i + 1] : nullptr;
    }
  }
  [[nodiscard]] const addrinfo& first() const { return infos_[0]; }

 private:
  std::array<sockaddr_in, n> sockets_{};
  std::array<addrinfo, n> infos_{};
};

class DialTest : public ::testing::Test {
 protected:
  Bounds within(milliseconds time) { return {.deadline = steady_now() + time, .abort = &abort_}; }
  AbortSignal abort_;
};

TEST_F(DialTest, TriesTheNextAddressWhenOneRefuses) {
  RawTlsServer server([](RawConnection&) {});
  const AddressList<3> addresses({refused_port(), refused_port(), server.port()});
  const auto result = connect_to_any(addresses.first(), "name", within(milliseconds(5'000)));
  EXPECT_TRUE(std::holds_alternative<PlainSocket>(result));
}

TEST_F(DialTest, LeavesTimeForTheNextAddressWhenOneDoesNotAnswer) {
  const FullAcceptQueue full;
  RawTlsServer server([](RawConnection&) {});
  const AddressList<2> addresses({full.port(), server.port()});
  const auto result = connect_to_any(addresses.first(), "name", within(milliseconds(400)));
  EXPECT_TRUE(std::holds_alternative<PlainSocket>(result));
}

TEST_F(DialTest, ReportsTheLastFailure) {
  const AddressList<2> addresses({refused_port(), refused_port()});
  const auto result = connect_to_any(addresses.first(), "name:1", within(milliseconds(5'000)));
  const auto* failure = std::get_if<TransportFailure>(&result);
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->problem, TransportProblem::connect);
  EXPECT_FALSE(failure->request_may_have_left);
  EXPECT_EQ(failure->detail, "connecting to name:1: Connection refused");
}

TEST_F(DialTest, StopsAtTheAddressWhereItWasAborted) {
  const FullAcceptQueue full;
  const AddressList<2> addresses({full.port(), full.port()});
  abort_.raise();
  const auto result = connect_to_any(addresses.first(), "name", within(milliseconds(5'000)));
  const auto* failure = std::get_if<TransportFailure>(&result);
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->problem, TransportProblem::aborted);
}

}  // namespace
}  // namespace diskrelease
