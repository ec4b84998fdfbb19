#include "net/https_transport.h"

#include <Poco/Net/NetSSL.h>

#include <algorithm>
#include <csignal>
#include <new>
#include <utility>
#include <vector>

#include "net/answer_head.h"
#include "net/hardened_session.h"
#include "net/wait.h"

namespace diskrelease {
namespace {

/// OpenSSL writes with write(2): a connection that the server has closed would end the process.
void ignore_broken_pipes() {
  struct sigaction current {};
  if (::sigaction(SIGPIPE, nullptr, &current) != 0 || current.sa_handler != SIG_DFL) return;
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  [[maybe_unused]] const int result = ::sigaction(SIGPIPE, &ignore, nullptr);
}

/// OpenSSL's and Poco's process-wide set-up, counted by Poco.
struct SslLibrary {
  SslLibrary() { Poco::Net::initializeSSL(); }
  ~SslLibrary() { Poco::Net::uninitializeSSL(); }
  SslLibrary(const SslLibrary&) = delete;
  SslLibrary& operator=(const SslLibrary&) = delete;
};

bool breaks_head(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

/// A line break in a field would end the head early, and what follows could pass for a second
/// request.
bool breaks_head(const HttpRequest& request) {
  return breaks_head(request.path) ||
         std::any_of(request.headers.begin(), request.headers.end(), [](const auto& field) {
           return breaks_head(field.first) || breaks_head(field.second);
         });
}

TransportFailure unfit_request() {
  return not_sent(TransportProblem::send, "a line break in the path or a header field");
}

/// How far an exchange has come.
enum class Phase { send, head, body };

TransportProblem problem_in(Phase phase) {
  switch (phase) {
    case Phase::send:
      return TransportProblem::send;
    case Phase::head:
      return TransportProblem::no_answer;
    case Phase::body:
      return TransportProblem::incomplete_answer;
  }
  return TransportProblem::no_answer;
}

/// One exchange on one connection: send, then receive. Once it has succeeded, `keep` says whether
/// the connection may be used again.
class Exchange {
 public:
  Exchange(HardenedSession& session, std::size_t body_cap)
      : session_(session), body_cap_(body_cap) {}

  /// nullopt = the request is on its way.
  std::optional<TransportFailure> send(const HttpRequest& request, const std::string& host,
                                       const Bounds& bounds) {
    try {
      session_.send(request, host, bounds);
      phase_ = Phase::head;
      return std::nullopt;
    } catch (const Poco::Exception& problem) {
      return broken(problem);
    } catch (const std::bad_alloc&) {
      return failed(TransportProblem::out_of_resources, "out of memory");
    }
  }

  Reply receive() {
    try {
      AnswerHead head;
      do {
        if (auto failure = receive_head(head)) return std::move(*failure);
      } while (head.status < 200);
      phase_ = Phase::body;
      return receive_body(std::move(head));
    } catch (const Poco::Exception& problem) {
      return broken(problem);
    } catch (const std::bad_alloc&) {
      return failed(TransportProblem::out_of_resources, "out of memory");
    }
  }

  [[nodiscard]] bool keep() const noexcept { return keep_; }

 private:
  std::optional<TransportFailure> receive_head(AnswerHead& head) {
    constexpr int switching_protocols = 101;  // never asked for
    std::string text;
    switch (session_.read_head(text)) {
      case ReadEnd::whole:
        break;
      case ReadEnd::cut:
        return failed(TransportProblem::no_answer,
                      text.empty() ? "the server closed the connection without an answer"
                                   : "the server closed the connection within the answer's head");
      case ReadEnd::malformed:
        return failed(TransportProblem::invalid_answer, "the answer is not HTTP/1");
      case ReadEnd::too_large:
        return failed(TransportProblem::invalid_answer, "the answer's head is too long");
    }
    auto parsed = parse_answer_head(text);
    if (!parsed) return failed(TransportProblem::invalid_answer, "the answer's head is malformed");
    head = std::move(*parsed);
    if (head.status >= 200) status_ = head.status;
    if (head.status == switching_protocols) {
      return failed(TransportProblem::invalid_answer, "the server switched to another protocol");
    }
    return std::nullopt;
  }

  Reply receive_body(AnswerHead head) {
    HttpResponse response;
    ReadEnd end = ReadEnd::whole;
    switch (head.framing) {
      case Framing::no_body:
        break;
      case Framing::content_length:
        end = session_.read_exactly(head.content_length, response.body, body_cap_);
        break;
      case Framing::chunked:
        end = session_.read_chunked(response.body, body_cap_);
        break;
      case Framing::until_connection_closes:
        end = session_.read_to_end(response.body, body_cap_);
        break;
    }
    switch (end) {
      case ReadEnd::whole:
        break;
      case ReadEnd::cut:
        return failed(TransportProblem::incomplete_answer,
                      "the server closed the connection within the answer's body");
      case ReadEnd::malformed:
        return failed(TransportProblem::invalid_answer, "the answer's chunks are malformed");
      case ReadEnd::too_large:
        return failed(TransportProblem::answer_too_large,
                      "the answer's body exceeds " + std::to_string(body_cap_) + " bytes");
    }
    keep_ = head.keep_alive && head.framing != Framing::until_connection_closes;
    response.status = head.status;
    response.headers = std::move(head.headers);
    response.length_proven =
        head.framing == Framing::content_length || head.framing == Framing::no_body;
    return response;
  }

  /// The phase and what was written decide, not the class of the exception: a reset is the same
  /// exception before and after the server has read the request.
  TransportFailure broken(const Poco::Exception& problem) const {
    switch (session_.tls().wake()) {
      case Wake::aborted:
        return failed(TransportProblem::aborted, "aborted");
      case Wake::deadline:
        return failed(TransportProblem::timeout, "no complete answer within the total time-out");
      case Wake::ready:
        break;
    }
    if (is_out_of_resources(problem.code())) {
      return failed(TransportProblem::out_of_resources, problem.displayText());
    }
    return failed(problem_in(phase_), problem.displayText());
  }

  TransportFailure failed(TransportProblem problem, std::string detail) const {
    return {.problem = problem,
            .request_may_have_left = session_.tls().wrote(),
            .detail = std::move(detail),
            .status = status_};
  }

  HardenedSession& session_;
  std::size_t body_cap_;
  Phase phase_ = Phase::send;
  std::optional<int> status_;
  bool keep_ = false;
};

/// A phase of connecting that was still going on at the total deadline is a time-out.
TransportFailure struck(TransportFailure failure, SteadyTime total_deadline) {
  const bool by_time = failure.problem == TransportProblem::connect ||
                       failure.problem == TransportProblem::proxy ||
                       failure.problem == TransportProblem::tls_handshake;
  if (by_time && steady_now() >= total_deadline) failure.problem = TransportProblem::timeout;
  return failure;
}

struct Lane {
  std::unique_ptr<HardenedSession> session;
  SteadyTime last_used;

  // Of the request under way.
  std::optional<Exchange> exchange;
  std::optional<TransportFailure> failure;  ///< it has failed already
  SteadyTime deadline;
};

}  // namespace

struct HttpsTransport::Private {
  Private(const HttpsSettings& given, std::size_t lane_count)
      : settings(given),
        host(host_header(given.endpoint)),
        context(make_client_context(given)),
        lanes(lane_count) {}

  /// Drops a connection that must not be used any more.
  bool has_good_connection(Lane& lane, SteadyTime now) {
    if (lane.session && (now - lane.last_used > settings.idle_limit || lane.session->is_stale())) {
      lane.session.reset();
    }
    return lane.session != nullptr;
  }

  std::optional<TransportFailure> make_ready(Lane& lane, SteadyTime total_deadline) {
    if (abort.raised()) return not_sent(TransportProblem::aborted, "aborted before");
    const auto now = steady_now();
    if (has_good_connection(lane, now)) return std::nullopt;

    const auto connect_deadline = now + settings.connect_timeout;
    const Bounds bounds{.deadline = std::min(connect_deadline, total_deadline), .abort = &abort};
    auto opened = open_session(settings, context, bounds);
    if (auto* failure = std::get_if<TransportFailure>(&opened)) {
      return struck(std::move(*failure), total_deadline);
    }
    lane.session = std::get<std::unique_ptr<HardenedSession>>(std::move(opened));
    lane.last_used = steady_now();
    return std::nullopt;
  }

  /// The lane has a good connection.
  void start(Lane& lane, const HttpRequest& request, SteadyTime deadline) {
    lane.deadline = deadline;
    lane.exchange.emplace(*lane.session, settings.body_cap);
    lane.failure = lane.exchange->send(request, host, {.deadline = deadline, .abort = &abort});
    if (!lane.failure) return;
    lane.exchange.reset();
    lane.session.reset();
  }

  // Constant after construction.
  SslLibrary library;
  HttpsSettings settings;
  std::string host;
  Poco::Net::Context::Ptr context;

  AbortSignal abort;        // its own synchronisation
  std::vector<Lane> lanes;  // each by one thread at a time
};

HttpsTransport::HttpsTransport(const HttpsSettings& settings, std::size_t lanes)
    : private_(std::make_unique<Private>(settings, lanes)) {
  ignore_broken_pipes();
}

HttpsTransport::~HttpsTransport() = default;

std::optional<TransportFailure> HttpsTransport::prepare(std::size_t lane) {
  return private_->make_ready(private_->lanes.at(lane),
                              steady_now() + private_->settings.total_timeout);
}

bool HttpsTransport::is_connected(std::size_t lane) {
  return !private_->abort.raised() &&
         private_->has_good_connection(private_->lanes.at(lane), steady_now());
}

void HttpsTransport::start(std::size_t index, const HttpRequest& request) {
  Lane& lane = private_->lanes.at(index);
  if (breaks_head(request)) {
    lane.failure = unfit_request();
  } else if (!lane.session) {
    lane.failure = not_sent(TransportProblem::send, "there is no connection");
  } else {
    private_->start(lane, request, steady_now() + private_->settings.total_timeout);
  }
}

ReplyWatch HttpsTransport::watch(std::size_t index) {
  const Lane& lane = private_->lanes.at(index);
  if (lane.failure) return {};
  return {lane.session->tls().descriptor(), private_->abort.fd(), lane.deadline};
}

bool HttpsTransport::can_finish(std::size_t index) {
  Lane& lane = private_->lanes.at(index);
  if (lane.failure) return true;
  try {
    // The order matters: what is there counts, however late somebody looks.
    return lane.session->take_answer(private_->settings.body_cap) || private_->abort.raised() ||
           steady_now() >= lane.deadline;
  } catch (const std::bad_alloc&) {
    lane.failure = {.problem = TransportProblem::out_of_resources,
                    .request_may_have_left = true,
                    .detail = "out of memory",
                    .status = {}};
    lane.exchange.reset();
    lane.session.reset();
    return true;
  }
}

Reply HttpsTransport::finish(std::size_t index) {
  Lane& lane = private_->lanes.at(index);
  if (lane.failure) {
    Reply failed = std::move(*lane.failure);
    lane.failure.reset();
    return failed;
  }
  Reply reply = lane.exchange->receive();
  const bool keep = lane.exchange->keep();
  lane.exchange.reset();
  if (keep) {
    lane.last_used = steady_now();
  } else {
    lane.session.reset();
  }
  return reply;
}

void HttpsTransport::abort_all() noexcept { private_->abort.raise(); }

}  // namespace diskrelease
