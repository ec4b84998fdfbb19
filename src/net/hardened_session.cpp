#include "net/hardened_session.h"

#include <Poco/Net/SSLException.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "net/answer_head.h"

namespace diskrelease {
namespace {

constexpr int k_end = std::char_traits<char>::eof();

/// With one call: a TLS record.
constexpr std::size_t k_most_written = 16 * 1024;

}  // namespace

HardenedSession::HardenedSession(const Poco::Net::Context::Ptr& context,
                                 const Poco::AutoPtr<TlsSocketImpl>& tls)
    : HTTPSClientSession(context), tls_(tls) {
  // The host stays unset: a session that knows one would connect by itself.
  setKeepAlive(true);
  attachSocket(TlsSocket(tls_.duplicate()));
}

bool HardenedSession::is_stale() noexcept {
  if (!connected() || buffered() > 0 || tls_->has_ended() || !tls_->taken().empty() ||
      tls_->available() > 0) {
    return true;
  }
  if (!tls_->is_readable()) return false;
  // Before the first answer it may be the tickets that TLS 1.3 sends after the handshake.
  return answered_ || !tls_->take_tickets();
}

void HardenedSession::send(const HttpRequest& request, const std::string& host,
                           const Bounds& bounds) {
  tls_->begin_exchange(bounds);
  constexpr std::size_t usual_size = 4 * 1024;
  std::string message;
  message.reserve(usual_size);
  const auto add = [&](std::string_view name, std::string_view value) {
    message.append(name).append(": ").append(value).append("\r\n");
  };
  message.append("POST ").append(request.path).append(" HTTP/1.1\r\n");
  add("Host", host);
  for (const auto& [name, value] : request.headers) add(name, value);
  add("Content-Length", std::to_string(request.body.size()));
  add("Connection", "keep-alive");
  message.append("\r\n").append(request.body);
  for (std::string_view rest = message; !rest.empty();) {
    const int length = static_cast<int>(std::min(rest.size(), k_most_written));
    const int written = write(rest.data(), length);
    if (written <= 0) throw Poco::IOException("the request could not be written");
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

bool HardenedSession::take_answer(std::size_t body_cap) {
  // A few portions a call, so that no peer keeps a thread from its other connections; and what
  // chunks and interim answers add to a body is bounded, too.
  constexpr int portions = 4;
  const std::size_t limit = body_cap + 4 * k_head_cap;
  for (int i = 0; i < portions; ++i) {
    if (needs_no_more(tls_->taken(), body_cap)) return true;
    switch (tls_->take(limit)) {
      case TlsSocketImpl::Taken::something:
        break;
      case TlsSocketImpl::Taken::nothing:
        return false;
      case TlsSocketImpl::Taken::end:
        return true;
    }
  }
  return needs_no_more(tls_->taken(), body_cap);
}

ReadEnd HardenedSession::read_head(std::string& head) {
  head.clear();
  if (buffered() == 0) {
    const std::string_view taken = tls_->taken();
    const auto end = taken.find("\r\n\r\n");
    if (end != std::string_view::npos && end + 4 <= k_head_cap && taken.starts_with("HTTP/1.")) {
      head.resize(end + 4);
      static_cast<void>(tls_->receiveBytes(head.data(), static_cast<int>(head.size()), 0));
      answered_ = true;
      return ReadEnd::whole;
    }
  }
  // Part of it has still to come, or it is not a head.
  bool first_line = true;
  while (!head.ends_with("\r\n\r\n")) {
    if (head.size() == k_head_cap) return ReadEnd::too_large;
    const int byte = get();
    if (byte == k_end) return ReadEnd::cut;
    head += static_cast<char>(byte);
    if (byte == '\n' && std::exchange(first_line, false) && !head.starts_with("HTTP/1.")) {
      return ReadEnd::malformed;
    }
  }
  answered_ = true;
  return ReadEnd::whole;
}

ReadEnd HardenedSession::read_exactly(std::uint64_t length, std::string& body, std::size_t cap) {
  if (length > cap - body.size()) return ReadEnd::too_large;
  std::size_t have = body.size();
  body.resize(have + static_cast<std::size_t>(length));
  while (have < body.size()) {
    const int n = read(body.data() + have, static_cast<std::streamsize>(body.size() - have));
    if (n <= 0) return ReadEnd::cut;
    have += static_cast<std::size_t>(n);
  }
  return ReadEnd::whole;
}

ReadEnd HardenedSession::read_line(std::string& line, std::size_t cap) {
  line.clear();
  for (;;) {
    const int byte = get();
    if (byte == k_end) return ReadEnd::cut;
    line += static_cast<char>(byte);
    if (line.ends_with("\r\n")) break;
    if (byte == '\n' || line.size() == cap) return ReadEnd::malformed;
  }
  line.resize(line.size() - 2);
  return ReadEnd::whole;
}

ReadEnd HardenedSession::read_chunked(std::string& body, std::size_t cap) {
  std::string line;
  for (;;) {
    if (const auto end = read_line(line, k_head_cap); end != ReadEnd::whole) return end;
    const auto size = parse_chunk_size(line);
    if (!size) return ReadEnd::malformed;
    if (*size == 0) break;
    if (const auto end = read_exactly(*size, body, cap); end != ReadEnd::whole) return end;
    if (const auto end = read_line(line, k_head_cap); end != ReadEnd::whole) return end;
    if (!line.empty()) return ReadEnd::malformed;
  }
  for (std::size_t fields = 0; fields <= k_head_field_cap; ++fields) {
    const auto end = read_line(line, k_head_cap);
    if (end != ReadEnd::whole || line.empty()) return end;
  }
  return ReadEnd::malformed;
}

ReadEnd HardenedSession::read_to_end(std::string& body, std::size_t cap) {
  std::array<char, 4096> buffer;
  for (;;) {
    const int n = read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    if (n <= 0) return ReadEnd::whole;
    if (static_cast<std::size_t>(n) > cap - body.size()) return ReadEnd::too_large;
    body.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

void HardenedSession::connect(const Poco::Net::SocketAddress& /*address*/) {
  throw Poco::IllegalStateException("a session never connects again");
}

int HardenedSession::read(char* buffer, std::streamsize length) {
  // Not HTTPSClientSession's, which takes a connection that broke for one that was closed.
  // NOLINTNEXTLINE(bugprone-parent-virtual-call)
  return HTTPSession::read(buffer, length);
}

int HardenedSession::write(const char* buffer, std::streamsize length) {
  // Not HTTPClientSession's, which connects and writes again when the first write fails.
  // NOLINTNEXTLINE(bugprone-parent-virtual-call)
  return HTTPSession::write(buffer, length);
}

std::variant<std::unique_ptr<HardenedSession>, TransportFailure> open_session(
    const HttpsSettings& settings, const Poco::Net::Context::Ptr& context, const Bounds& bounds) {
  auto dialled = dial(settings.endpoint, settings.proxy, bounds);
  if (auto* failure = std::get_if<TransportFailure>(&dialled)) return std::move(*failure);
  const std::string& host = settings.endpoint.host;
  Poco::AutoPtr<TlsSocketImpl> tls(
      new TlsSocketImpl(std::get<PlainSocket>(dialled), context, bounds));
  try {
    tls->handshake(host);
    return std::make_unique<HardenedSession>(context, tls);
  } catch (const UnacceptableCertificate& problem) {
    return not_sent(TransportProblem::certificate,
                    "certificate of " + host + ": " + problem.what());
  } catch (const Poco::Exception& problem) {
    if (tls->wake() != Wake::ready) {
      return not_sent(tls->wake(), TransportProblem::tls_handshake,
                      "shaking hands with " + host_header(settings.endpoint));
    }
    return not_sent(
        is_out_of_resources(problem.code()) ? TransportProblem::out_of_resources
                                            : TransportProblem::tls_handshake,
        "TLS handshake with " + host_header(settings.endpoint) + ": " + problem.displayText());
  }
}

}  // namespace diskrelease
