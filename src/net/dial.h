// Private to net.
#pragma once

#include <Poco/AutoPtr.h>
#include <Poco/Net/StreamSocketImpl.h>
#include <netdb.h>

#include <optional>
#include <string>
#include <variant>

#include "net/https_transport.h"
#include "net/wait.h"

namespace diskrelease {

/// A connected TCP socket in non-blocking mode, which closes itself.
using PlainSocket = Poco::AutoPtr<Poco::Net::StreamSocketImpl>;

/// TransportFailure with nothing of a request sent.
[[nodiscard]] TransportFailure not_sent(TransportProblem problem, std::string detail);

/// What `wake` (not Wake::ready) means before a request is written. `doing` says for what the time
/// was spent, `late` is the problem if it was the deadline.
[[nodiscard]] TransportFailure not_sent(Wake wake, TransportProblem late, const std::string& doing);

/// True if the number (errno) speaks of this machine's exhausted resources.
[[nodiscard]] bool is_out_of_resources(int error) noexcept;

/// One TCP connection, to the first address of the list that takes it. They are tried one after the
/// other, each with its fair share of the time left; the failure is that of the last one tried.
/// `name` is for the operator.
[[nodiscard]] std::variant<PlainSocket, TransportFailure> connect_to_any(const addrinfo& first,
                                                                         const std::string& name,
                                                                         const Bounds& bounds);

/// Connects to the endpoint, or to the proxy, which then opens a tunnel to the endpoint. All
/// addresses of the name are tried, in the resolver's order. The look-up of the name cannot be
/// interrupted (getaddrinfo); its time counts, but only the resolver's own time-out ends it.
[[nodiscard]] std::variant<PlainSocket, TransportFailure> dial(const Endpoint& endpoint,
                                                               const std::optional<Proxy>& proxy,
                                                               const Bounds& bounds);

}  // namespace diskrelease
