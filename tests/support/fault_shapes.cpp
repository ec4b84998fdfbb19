#include "support/fault_shapes.h"

#include <gtest/gtest.h>

#include <ostream>
#include <stdexcept>
#include <utility>

#include "support/connect_proxy.h"
#include "support/raw_tls_server.h"
#include "support/sandbox_client.h"

namespace diskrelease {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view k_endings[] = {"close_notify", "fin", "rst"};

// --- What the client has to make of it ---

FaultShape shape(std::string name, Outcome outcome, bool executed, std::optional<int> status,
                 std::string code) {
  FaultShape made;
  made.name = std::move(name);
  made.executed = executed;
  made.release.outcome = outcome;
  made.release.http_status = status;
  made.release.api_code = std::move(code);
  made.read = "failed";
  return made;
}

FaultShape accepted(std::string name) {
  FaultShape made = shape(std::move(name), Outcome::accepted, true, 200, "");
  made.end = ItemState::released;
  made.read = "complete";
  return made;
}

FaultShape unknown(std::string name, bool executed, std::optional<int> status = {},
                   std::string code = {}) {
  FaultShape made = shape(std::move(name), Outcome::unknown, executed, status, std::move(code));
  made.end = executed ? ItemState::released : ItemState::unknown;
  return made;
}

FaultShape throttled(std::string name, int status, std::string code = {}) {
  FaultShape made = shape(std::move(name), Outcome::throttled, false, status, std::move(code));
  made.end = ItemState::released;
  made.sent_again = true;
  made.read = "throttled";
  return made;
}

FaultShape not_sent(std::string name) {
  FaultShape made = shape(std::move(name), Outcome::not_sent, false, {}, "");
  made.end = ItemState::released;
  made.sent_again = true;
  return made;
}

FaultShape rejected(std::string name, int status, std::string code) {
  FaultShape made = shape(std::move(name), Outcome::rejected, false, status, std::move(code));
  made.end = ItemState::rejected;
  return made;
}

FaultShape gone(std::string name, int status, std::string code) {
  FaultShape made = shape(std::move(name), Outcome::already_gone, false, status, std::move(code));
  made.end = ItemState::already_gone;
  return made;
}

FaultShape stops(std::string name, StopCause cause, std::optional<int> status,
                 std::string code = {}) {
  FaultShape made = shape(std::move(name), Outcome::rejected, false, status, std::move(code));
  made.release.scope = Scope::run;
  made.release.stop = cause;
  made.end = ItemState::pending;
  made.read = "stop";
  return made;
}

/// Who answers may have passed the request on.
FaultShape stops_in_doubt(std::string name, StopCause cause, int status) {
  FaultShape made = unknown(std::move(name), false, status);
  made.release.stop = cause;
  made.read = "stop";
  return made;
}

FaultShape refused_certificate(std::string name) {
  FaultShape made = stops(std::move(name), StopCause::certificate, {});
  made.release.outcome = Outcome::not_sent;
  return made;
}

FaultShape refused_by_proxy(std::string name) {
  FaultShape made = stops(std::move(name), StopCause::proxy, {});
  made.release.outcome = Outcome::not_sent;
  return made;
}

FaultShape until_timeout(FaultShape made) {
  made.until_timeout = true;
  return made;
}

// --- Faults of the simulator ---

FaultShape served(FaultShape made, std::string fault) {
  made.fault = std::move(fault);
  return made;
}

std::string kind(std::string_view name, const std::string& more = {}) {
  return R"({"kind":")" + std::string(name) + '"' + (more.empty() ? "" : "," + more) + "}";
}

std::string ending(std::string_view name) { return R"("ending":")" + std::string(name) + '"'; }

std::string error(int status, const std::string& code, bool executed = false) {
  return kind("http_error", R"("status":)" + std::to_string(status) + R"(,"code":")" + code +
                                R"(","executed":)" + (executed ? "true" : "false"));
}

std::string page(int status, bool executed = false) {
  return kind("http_error", R"("body":"html","status":)" + std::to_string(status) +
                                R"(,"executed":)" + (executed ? "true" : "false"));
}

std::string with(bool executed) {
  return std::string(R"("executed":)") + (executed ? "true" : "false");
}

void add_endings(std::vector<FaultShape>& all) {
  for (const std::string_view end : k_endings) {
    const std::string suffix = "_" + std::string(end);
    all.push_back(served(unknown("closed_before_reading" + suffix, false),
                         kind("close_before_reading", ending(end))));
    all.push_back(
        served(unknown("dropped" + suffix, false), kind("drop_before_executing", ending(end))));
    all.push_back(
        served(unknown("answer_lost" + suffix, true), kind("close_after_executing", ending(end))));
    all.push_back(served(unknown("head_cut" + suffix, true), kind("cut_header", ending(end))));
    all.push_back(served(unknown("body_cut" + suffix, true, 200), kind("cut_body", ending(end))));
    all.push_back(
        served(unknown("chunks_cut" + suffix, true, 200), kind("chunked_cut", ending(end))));
    all.push_back(
        served(accepted("closed_after_answer" + suffix), kind("close_after_answer", ending(end))));
  }
}

void add_lost_answers(std::vector<FaultShape>& all) {
  all.push_back(until_timeout(served(unknown("stall_executed", true), kind("stall", with(true)))));
  all.push_back(
      until_timeout(served(unknown("stall_not_executed", false), kind("stall", with(false)))));
  all.push_back(until_timeout(
      served(unknown("answer_too_late", true), kind("answer_after", R"("ms":5000)"))));
  all.push_back(until_timeout(served(unknown("drip_too_slow", true), kind("drip", R"("ms":20)"))));
  all.push_back(served(accepted("answer_late"), kind("answer_after", R"("ms":60)")));
  all.push_back(served(accepted("drip"), kind("drip", R"("ms":1)")));
  all.push_back(served(unknown("effect_after_lost_answer", true),
                       kind("close_after_executing", R"("effect_after_ms":50)")));
  all.push_back(
      served(unknown("head_cut_after_5_bytes", true), kind("cut_header", R"("keep_bytes":5)")));
  all.push_back(served(unknown("head_cut_not_executed", false), kind("cut_header", with(false))));
  all.push_back(served(unknown("body_missing", true, 200), kind("cut_body", R"("keep_bytes":0)")));
  all.push_back(
      served(unknown("body_cut_not_executed", false, 200), kind("cut_body", with(false))));
  all.push_back(
      served(unknown("chunks_cut_not_executed", false, 200), kind("chunked_cut", with(false))));
}

void add_odd_answers(std::vector<FaultShape>& all) {
  for (const bool executed : {true, false}) {
    const std::string suffix = executed ? "_executed" : "_not_executed";
    all.push_back(
        served(unknown("html_200" + suffix, executed, 200), kind("html_200", with(executed))));
    all.push_back(served(unknown("code_in_200" + suffix, executed, 200, "INTERNAL_SERVER_ERROR"),
                         kind("code_without_response_200", with(executed))));
    all.push_back(served(unknown("garbage_json_200" + suffix, executed, 200),
                         kind("garbage_json_200", with(executed))));
    all.push_back(
        served(unknown("empty_204" + suffix, executed, 204), kind("empty_204", with(executed))));
    all.push_back(served(unknown("json_500" + suffix, executed, 500, "INTERNAL_SERVER_ERROR"),
                         error(500, "INTERNAL_SERVER_ERROR", executed)));
    all.push_back(
        served(unknown("json_503" + suffix, executed, 503, "SERVICE_TEMPORARY_UNAVAILABLE"),
               error(503, "SERVICE_TEMPORARY_UNAVAILABLE", executed)));
    all.push_back(
        served(unknown("refusing_code_in_500" + suffix, executed, 500, "INVALID_DISK_NOT_PORTABLE"),
               error(500, "INVALID_DISK_NOT_PORTABLE", executed)));
    all.push_back(served(unknown("timed_out_in_400" + suffix, executed, 400, "REQUEST_TIMED_OUT"),
                         error(400, "REQUEST_TIMED_OUT", executed)));
    all.push_back(
        served(unknown("internal_error_in_404" + suffix, executed, 404, "INTERNAL_SERVER_ERROR"),
               error(404, "INTERNAL_SERVER_ERROR", executed)));
    for (const int status : {408, 425, 500, 502, 503, 504, 520, 522, 524, 600}) {
      all.push_back(served(unknown("html_" + std::to_string(status) + suffix, executed, status),
                           page(status, executed)));
    }
  }
  all.push_back(served(unknown("gzip", true, 200), kind("gzip")));
  all.push_back(served(accepted("chunked"), kind("chunked")));
  all.push_back(served(unknown("wrong_request_id", true, 200), kind("wrong_request_id")));
  all.push_back(served(unknown("two_lengths", true), kind("duplicate_content_length")));
  all.push_back(served(unknown("negative_length", true), kind("negative_content_length")));
  all.push_back(served(accepted("extra_response"), kind("extra_response")));
}

void add_refusals(std::vector<FaultShape>& all) {
  for (const std::string code : {"INVALID_DISK_NOT_PORTABLE", "INVALID_PARAMETER_VALUE",
                                 "MISSING_PARAMETER", "A_CODE_OF_TOMORROW"}) {
    std::string name = "refused_";
    for (const char c : code) name += c == '_' ? '_' : static_cast<char>(c - 'A' + 'a');
    all.push_back(served(rejected(std::move(name), 400, code), error(400, code)));
  }
  all.push_back(served(unknown("disk_not_found", false, 404, "INVALID_DISK_NOT_FOUND"),
                       error(404, "INVALID_DISK_NOT_FOUND")));
  all.push_back(
      served(unknown("resource_not_found", false, 404, "OPERATION_FAILED_RESOURCE_NOT_FOUND"),
             error(404, "OPERATION_FAILED_RESOURCE_NOT_FOUND")));
  all.push_back(served(gone("being_recycled", 400, "UNSUPPORTED_OPERATION_DISK_BEING_RECYCLE"),
                       error(400, "UNSUPPORTED_OPERATION_DISK_BEING_RECYCLE")));
  all.push_back(served(gone("recycle_resource", 400, "OPERATION_FAILED_FOR_RECYCLE_RESOURCE"),
                       error(400, "OPERATION_FAILED_FOR_RECYCLE_RESOURCE")));

  FaultShape moment = rejected("status_refused", 400, "UNSUPPORTED_OPERATION_DISK_STATUS");
  moment.release.scope = Scope::moment;
  FaultShape attached = served(moment, kind("attach_before_executing"));
  attached.name = "attached_meanwhile";
  attached.strikes_reads = false;
  all.push_back(std::move(attached));
  moment.end = ItemState::released;
  moment.sent_again = true;
  all.push_back(served(std::move(moment), error(400, "UNSUPPORTED_OPERATION_DISK_STATUS")));

  const std::string limit = "REQUEST_LIMIT_EXCEEDED";
  all.push_back(
      served(throttled("throttled_json", 429, limit), kind("throttle", R"("retry_after_s":0)")));
  all.push_back(served(throttled("throttled_html", 429),
                       kind("throttle", R"("body":"html","retry_after_s":0)")));
  all.push_back(served(throttled("throttled_without_retry_after", 429, limit), kind("throttle")));
  for (const int status : {400, 503}) {
    all.push_back(
        served(throttled("limit_code_in_" + std::to_string(status), status, limit),
               kind("http_error", R"("status":)" + std::to_string(status) + R"(,"code":")" + limit +
                                      R"(","retry_after_s":0)")));
  }
}

void add_stops(std::vector<FaultShape>& all) {
  using C = StopCause;
  all.push_back(served(stops("auth_401", C::authentication, 401, "AUTHFAILURE_SIGNATURE_FAILURE"),
                       kind("auth_failure")));
  for (const int status : {400, 403, 500}) {
    all.push_back(served(
        stops("auth_code_in_" + std::to_string(status), C::authentication, status,
              "AUTHFAILURE_SIGNATURE_EXPIRED"),
        kind("auth_failure",
             R"("code":"AUTHFAILURE_SIGNATURE_EXPIRED","status":)" + std::to_string(status))));
  }
  all.push_back(
      served(stops("auth_code_of_tomorrow", C::authentication, 400, "AUTHFAILURE_OF_TOMORROW"),
             kind("auth_failure", R"("code":"AUTHFAILURE_OF_TOMORROW","status":400)")));
  all.push_back(served(stops_in_doubt("html_401", C::authentication, 401), page(401)));
  all.push_back(served(stops("html_403", C::edge_block, 403), page(403)));
  all.push_back(served(stops("challenge_403", C::edge_block, 403), kind("challenge_403")));
  all.push_back(served(stops("blocked_451", C::edge_block, 451), kind("blocked_451")));
  all.push_back(served(stops_in_doubt("redirect_302", C::redirect, 302), kind("redirect_302")));
  for (const int status : {301, 307, 308}) {
    all.push_back(served(stops_in_doubt("html_" + std::to_string(status), C::redirect, status),
                         page(status)));
  }
  for (const int status : {400, 404, 405, 413, 415}) {
    all.push_back(
        served(stops("html_" + std::to_string(status), C::wrong_endpoint, status), page(status)));
  }
}

// --- Faults before a request ---

Detour at_port(std::uint16_t port, std::shared_ptr<void> servers) {
  Detour detour;
  detour.settings.endpoint = {.host = "127.0.0.1", .port = port};
  detour.servers = std::move(servers);
  return detour;
}

/// The simulator's honest answer to the request that was read last.
using Forward = std::function<std::string()>;
using Script = std::function<void(RawConnection&, const Forward&)>;

std::string forwarded(std::uint16_t port, const std::string& ca_pem, const std::string& request) {
  try {
    test::SandboxClient client(port, ca_pem);
    client.send(request);
    return client.read_answer().bytes;
  } catch (const std::runtime_error& problem) {
    ADD_FAILURE() << "between client and simulator: " << problem.what();
    return {};
  }
}

/// A server that stands between the client and the simulator.
MakeDetour in_between(Script script, RawServerOptions options = {}) {
  return [script = std::move(script), options = std::move(options)](const sandbox::Sandbox& sandbox,
                                                                    const std::string&) {
    auto server = std::make_shared<RawTlsServer>(
        [script, port = sandbox.port(), ca_pem = sandbox.ca_pem()](RawConnection& connection) {
          script(connection, [&] { return forwarded(port, ca_pem, connection.request()); });
        },
        options);
    Detour detour = at_port(server->port(), server);
    detour.settings.ca_file = server->ca_file();
    return detour;
  };
}

/// Passes on whatever comes, as often as it comes.
void pass_on(RawConnection& connection, const Forward& forward) {
  while (connection.read_request() && connection.send(forward())) {
  }
}

void serve(RawConnection& connection, const Forward& forward) {
  if (connection.handshake()) pass_on(connection, forward);
}

MakeDetour before_handshake(std::function<void(RawConnection&)> action) {
  return in_between([action = std::move(action)](RawConnection& connection, const Forward&) {
    if (connection.wait_for_bytes()) action(connection);
  });
}

MakeDetour through_proxy(std::string answer) {
  return [answer = std::move(answer)](const sandbox::Sandbox& sandbox, const std::string& ca_file) {
    auto proxy =
        answer.empty() ? std::make_shared<ConnectProxy>() : std::make_shared<ConnectProxy>(answer);
    Detour detour = at_port(sandbox.port(), proxy);
    detour.settings.ca_file = ca_file;
    detour.settings.proxy =
        Proxy{.host = "127.0.0.1", .port = proxy->port(), .user = {}, .password = {}};
    return detour;
  };
}

FaultShape detoured(FaultShape made, MakeDetour detour) {
  made.detour = std::move(detour);
  return made;
}

void add_connecting(std::vector<FaultShape>& all) {
  all.push_back(detoured(not_sent("nobody_listens"),
                         [](const auto&, const auto&) { return at_port(refused_port(), {}); }));
  all.push_back(until_timeout(detoured(not_sent("accept_queue_full"), [](const auto&, const auto&) {
    auto queue = std::make_shared<FullAcceptQueue>();
    return at_port(queue->port(), queue);
  })));
  all.push_back(detoured(not_sent("name_not_found"), [](const auto&, const auto&) {
    Detour detour = at_port(443, {});
    // A label over 63 bytes is refused by the resolver itself: no question leaves this machine.
    detour.settings.endpoint.host = std::string(64, 'x') + ".invalid";
    return detour;
  }));
  all.push_back(detoured(not_sent("handshake_reset"),
                         before_handshake([](RawConnection& c) { c.close_by_reset(); })));
  all.push_back(detoured(not_sent("handshake_closed"),
                         before_handshake([](RawConnection& c) { c.close_by_fin(); })));
  all.push_back(
      until_timeout(detoured(not_sent("handshake_never_ends"),
                             before_handshake([](RawConnection& c) { c.wait_until_closed(); }))));
  all.push_back(detoured(not_sent("plain_http_port"), before_handshake([](RawConnection& c) {
                           c.send_plain("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
                           c.close_by_fin();
                           c.wait_until_closed();
                         })));
  all.push_back(detoured(not_sent("tls_alert"), before_handshake([](RawConnection& c) {
                           c.send_plain(std::string_view("\x15\x03\x03\x00\x02\x02\x28", 7));
                           c.wait_until_closed();
                         })));
  RawServerOptions old;
  old.only_tls_1_1 = true;
  all.push_back(detoured(not_sent("only_tls_1_1"), in_between(serve, old)));
  all.push_back(detoured(accepted("handshake_slow"),
                         in_between([](RawConnection& connection, const Forward& forward) {
                           if (connection.wait_for_bytes() && connection.pause(milliseconds(80))) {
                             serve(connection, forward);
                           }
                         })));

  RawServerOptions wrong_host;
  wrong_host.names = "DNS:elsewhere.example";
  all.push_back(
      detoured(refused_certificate("certificate_of_another_host"), in_between(serve, wrong_host)));
  all.push_back(detoured(refused_certificate("certificate_of_another_host_late"),
                         in_between(
                             [](RawConnection& connection, const Forward& forward) {
                               if (connection.wait_for_bytes() &&
                                   connection.pause(milliseconds(80))) {
                                 serve(connection, forward);
                               }
                             },
                             wrong_host)));
  RawServerOptions expired;
  expired.expired = true;
  all.push_back(detoured(refused_certificate("certificate_expired"), in_between(serve, expired)));
  RawServerOptions unknown_ca;
  unknown_ca.unknown_ca = true;
  all.push_back(
      detoured(refused_certificate("certificate_of_unknown_ca"), in_between(serve, unknown_ca)));

  all.push_back(detoured(accepted("proxy_tunnel"), through_proxy({})));
  all.push_back(detoured(refused_by_proxy("proxy_refuses"),
                         through_proxy("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")));
  all.push_back(detoured(refused_by_proxy("proxy_wants_password"),
                         through_proxy("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")));
  all.push_back(detoured(not_sent("proxy_head_cut"), through_proxy("HTTP/1.1 20")));
  all.push_back(detoured(not_sent("proxy_not_http"), through_proxy("SSH-2.0-x\r\n")));
}

// --- Answers that no decent server gives ---

MakeDetour after_request(Script script) {
  return in_between(
      [script = std::move(script)](RawConnection& connection, const Forward& forward) {
        if (connection.handshake() && connection.read_request()) script(connection, forward);
      });
}

/// What the client gets instead of the honest answer. A connection that the client may keep is
/// kept, so that its end does not race with the next request; any other ends behind the answer.
MakeDetour instead(std::function<std::string(const std::string& honest)> mangle) {
  return after_request(
      [mangle = std::move(mangle)](RawConnection& connection, const Forward& forward) {
        bool framed = true;
        do {
          const std::string text = mangle(forward());
          framed = text.find("Content-Length") != std::string::npos ||
                   text.find("chunked") != std::string::npos;
          if (!connection.send(text)) return;
        } while (framed && connection.read_request());
      });
}

/// The provider never sees the request.
MakeDetour answers(std::string text) {
  return after_request([text = std::move(text)](RawConnection& connection, const Forward&) {
    connection.send(text);
  });
}

std::string body_of(const std::string& honest) {
  const auto end = honest.find("\r\n\r\n");
  return end == std::string::npos ? std::string() : honest.substr(end + 4);
}

std::string http(const std::string& first_line, const std::string& body,
                 const std::string& fields = {}) {
  return first_line + "\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

/// An answer whose body is this text; "ID" in it stands for the provider's request id.
MakeDetour with_body(std::string text, int status = 200) {
  return instead([text = std::move(text), status](const std::string& honest) {
    const std::string key = R"("requestId":")";
    const auto begin = honest.find(key) + key.size();
    const std::string id = honest.substr(begin, honest.find('"', begin) - begin);
    std::string body = text;
    for (auto at = body.find("ID"); at != std::string::npos; at = body.find("ID", at + id.size())) {
      body.replace(at, 2, id);
    }
    return http("HTTP/1.1 " + std::to_string(status) + " x", body,
                "Content-Type: application/json\r\nRetry-After: 0\r\n");
  });
}

void add_heads(std::vector<FaultShape>& all) {
  const auto mangled = [&all](FaultShape made, std::function<std::string(const std::string&)> how) {
    all.push_back(detoured(std::move(made), instead(std::move(how))));
  };
  mangled(unknown("head_too_long", true), [](const std::string& honest) {
    return http("HTTP/1.1 200 OK", body_of(honest), "x: " + std::string(40'000, 'y') + "\r\n");
  });
  mangled(unknown("too_many_fields", true), [](const std::string& honest) {
    std::string fields;
    for (int i = 0; i < 200; ++i) fields += "x: y\r\n";
    return http("HTTP/1.1 200 OK", body_of(honest), fields);
  });
  mangled(unknown("http_2", true),
          [](const std::string& honest) { return http("HTTP/2 200 OK", body_of(honest)); });
  mangled(unknown("http_0_9", true), [](const std::string& honest) { return body_of(honest); });
  mangled(unknown("not_http", true), [](const std::string&) { return "SSH-2.0-OpenSSH_9\r\n"; });
  mangled(unknown("zeros", true), [](const std::string&) { return std::string(300, '\0'); });
  mangled(unknown("status_099", true),
          [](const std::string& honest) { return http("HTTP/1.1 099 x", body_of(honest)); });
  mangled(unknown("status_2000", true),
          [](const std::string& honest) { return http("HTTP/1.1 2000 OK", body_of(honest)); });
  mangled(unknown("status_999", true, 999),
          [](const std::string& honest) { return http("HTTP/1.1 999 x", body_of(honest)); });
  for (const int status : {201, 202, 206}) {
    mangled(unknown("status_" + std::to_string(status), true, status),
            [status](const std::string& honest) {
              return http("HTTP/1.1 " + std::to_string(status) + " x", body_of(honest));
            });
  }
  mangled(unknown("switching_protocols", true),
          [](const std::string& honest) { return "HTTP/1.1 101 x\r\n\r\n" + honest; });
  mangled(unknown("interim_answer_only", true),
          [](const std::string&) { return "HTTP/1.1 100 Continue\r\n\r\n"; });
  mangled(accepted("continue_before_answer"),
          [](const std::string& honest) { return "HTTP/1.1 100 Continue\r\n\r\n" + honest; });
  mangled(accepted("early_hints_before_answer"),
          [](const std::string& honest) { return "HTTP/1.1 103 x\r\nLink: y\r\n\r\n" + honest; });
  mangled(accepted("http_1_0"),
          [](const std::string& honest) { return http("HTTP/1.0 200 OK", body_of(honest)); });
  mangled(accepted("http_1_0_without_length"),
          [](const std::string& honest) { return "HTTP/1.0 200 OK\r\n\r\n" + body_of(honest); });
  mangled(unknown("http_1_0_cut", true, 200), [](const std::string& honest) {
    const std::string body = body_of(honest);
    return "HTTP/1.0 200 OK\r\n\r\n" + body.substr(0, body.size() / 2);
  });
  mangled(unknown("http_1_0_garbage", true, 200), [](const std::string&) {
    return std::string("HTTP/1.0 200 OK\r\n\r\n\x01\xff\x00{", 23);
  });
  mangled(unknown("body_without_length_missing", true, 200),
          [](const std::string&) { return "HTTP/1.1 200 OK\r\n\r\n"; });
  // An answer of the provider that lost all of its body on the way looks like one from elsewhere.
  for (const int status : {400, 403, 404}) {
    mangled(unknown("unproven_empty_" + std::to_string(status), true, status),
            [status](const std::string&) {
              return "HTTP/1.1 " + std::to_string(status) + " x\r\n\r\n";
            });
    mangled(unknown("empty_chunked_" + std::to_string(status), true, status),
            [status](const std::string&) {
              return "HTTP/1.1 " + std::to_string(status) +
                     " x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
            });
  }
  mangled(unknown("unknown_transfer_coding", true), [](const std::string& honest) {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + body_of(honest);
  });
  mangled(unknown("length_and_chunks", true), [](const std::string& honest) {
    return http("HTTP/1.1 200 OK", body_of(honest), "Transfer-Encoding: chunked\r\n");
  });
  mangled(unknown("chunk_size_malformed", true, 200), [](const std::string& honest) {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" + body_of(honest) +
           "\r\n0\r\n\r\n";
  });
  mangled(unknown("length_too_short", true, 200), [](const std::string& honest) {
    return "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + body_of(honest);
  });
  mangled(unknown("empty_500", true, 500),
          [](const std::string&) { return "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n"; });
}

void add_bodies(std::vector<FaultShape>& all) {
  const auto body = [&all](FaultShape made, std::string text) {
    all.push_back(detoured(std::move(made), with_body(std::move(text))));
  };
  body(unknown("response_null", true, 200), R"({"requestId":"ID","response":null})");
  body(unknown("response_array", true, 200), R"({"requestId":"ID","response":[]})");
  body(unknown("response_text", true, 200), R"({"requestId":"ID","response":"ok"})");
  body(unknown("no_request_id", true, 200), R"({"response":{}})");
  body(unknown("request_id_number", true, 200), R"({"requestId":7,"response":{}})");
  body(unknown("code_beside_response", true, 200, "SOME_CODE"),
       R"({"requestId":"ID","code":"SOME_CODE","response":{"requestId":"ID"}})");
  body(unknown("two_documents", true, 200),
       R"({"requestId":"ID","response":{}}{"requestId":"ID","response":{}})");
  body(unknown("array_200", true, 200), R"([{"requestId":"ID","response":{}}])");
  body(unknown("empty_200", true, 200), "");
  body(unknown("blank_200", true, 200), "  \r\n");
  body(unknown("text_200", true, 200), "OK");

  const std::string success = R"({"requestId":"ID","response":{"requestId":"ID"}})";
  all.push_back(detoured(unknown("response_in_400", true, 400), with_body(success, 400)));
  all.push_back(detoured(unknown("response_in_500", true, 500), with_body(success, 500)));
  FaultShape limited = unknown("response_in_429", true, 429);
  limited.read = "throttled";  // a read has no effect that could be in doubt
  all.push_back(detoured(std::move(limited), with_body(success, 429)));
  all.push_back(detoured(unknown("no_code_in_400", true, 400),
                         with_body(R"({"requestId":"ID","message":"?"})", 400)));
  all.push_back(detoured(unknown("broken_json_in_403", true, 403),
                         with_body(R"({"requestId":"ID","code":"INTERNAL_SER)", 403)));
  all.push_back(detoured(unknown("encoded_404", true, 404), instead([](const std::string&) {
                           return http("HTTP/1.1 404 x", "\x1f\x8b\x08",
                                       "Content-Encoding: gzip\r\n");
                         })));
  all.push_back(detoured(stops("empty_404", StopCause::wrong_endpoint, 404),
                         answers(http("HTTP/1.1 404 x", ""))));
  all.push_back(detoured(stops_in_doubt("redirect_without_location", StopCause::redirect, 303),
                         answers(http("HTTP/1.1 303 x", ""))));

  // Lists that show less, or something else, than what was asked for. A release takes any response.
  const auto list = [&all](const std::string& name, const std::string& response) {
    FaultShape made = accepted(name);
    made.read = "failed";
    all.push_back(detoured(
        std::move(made),
        with_body(R"({"requestId":"ID","response":{"requestId":"ID",)" + response + "}}")));
  };
  list("list_partial", R"("totalCount":1,"dataSet":[])");
  list("list_without_total", R"("dataSet":[])");
  list("list_total_null", R"("totalCount":null,"dataSet":[])");
  list("list_total_negative", R"("totalCount":-1,"dataSet":[])");
  list("list_total_fraction", R"("totalCount":0.0,"dataSet":[])");
  list("list_without_rows", R"("totalCount":0)");
  list("list_rows_null", R"("totalCount":0,"dataSet":null)");
  list("list_rows_object", R"("totalCount":0,"dataSet":{})");
  list("list_of_another_disk",
       R"("totalCount":1,"dataSet":[{"diskId":"900","diskStatus":"RECYCLED"}])");
  list("list_id_number", R"("totalCount":1,"dataSet":[{"diskId":800,"diskStatus":"DELETING"}])");
  list("list_without_status", R"("totalCount":1,"dataSet":[{"diskId":"800"}])");
  list("list_status_null", R"("totalCount":1,"dataSet":[{"diskId":"800","diskStatus":null}])");
  list("list_row_null", R"("totalCount":1,"dataSet":[null])");
  list("list_disk_twice", R"("totalCount":2,"dataSet":[{"diskId":"800","diskStatus":"DELETING"},)"
                          R"({"diskId":"800","diskStatus":"DELETING"}])");
}

void add_streams(std::vector<FaultShape>& all) {
  all.push_back(until_timeout(
      detoured(unknown("head_drips_for_ever", true),
               after_request([](RawConnection& connection, const Forward& forward) {
                 static_cast<void>(forward());
                 if (!connection.send("HTTP/1.1 200 OK\r\n")) return;
                 while (connection.pause(milliseconds(30)) && connection.send("x: y\r\n")) {
                 }
               }))));
  all.push_back(
      until_timeout(detoured(unknown("continue_for_ever", true),
                             after_request([](RawConnection& connection, const Forward& forward) {
                               static_cast<void>(forward());
                               while (connection.pause(milliseconds(5)) &&
                                      connection.send("HTTP/1.1 100 Continue\r\n\r\n")) {
                               }
                             }))));
  all.push_back(until_timeout(
      detoured(unknown("body_drips_for_ever", true, 200),
               after_request([](RawConnection& connection, const Forward& forward) {
                 static_cast<void>(forward());
                 if (!connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
                   return;
                 while (connection.pause(milliseconds(30)) && connection.send("1\r\n \r\n")) {
                 }
               }))));
  all.push_back(
      until_timeout(detoured(unknown("body_stops_halfway", true, 200),
                             after_request([](RawConnection& connection, const Forward& forward) {
                               const std::string honest = forward();
                               connection.send(honest.substr(0, honest.size() - 10));
                               connection.wait_until_closed();
                             }))));
  all.push_back(until_timeout(detoured(unknown("read_and_silent_not_executed", false),
                                       after_request([](RawConnection& connection, const Forward&) {
                                         connection.wait_until_closed();
                                       }))));
  all.push_back(
      detoured(unknown("length_over_the_cap", true, 200), instead([](const std::string& honest) {
                 return "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + body_of(honest);
               })));
  all.push_back(detoured(unknown("endless_body", true, 200),
                         after_request([](RawConnection& connection, const Forward& forward) {
                           static_cast<void>(forward());
                           const std::string blanks(16'000, ' ');
                           bool open = connection.send("HTTP/1.1 200 OK\r\n\r\n");
                           while (open) open = connection.send(blanks);
                         })));
  all.push_back(detoured(accepted("answer_in_pieces"),
                         after_request([](RawConnection& connection, const Forward& forward) {
                           const std::string honest = forward();
                           const auto half = honest.size() / 2;
                           if (connection.send(honest.substr(0, half)) &&
                               connection.pause(milliseconds(30))) {
                             connection.send(honest.substr(half));
                           }
                         })));
  all.push_back(detoured(unknown("clear_text_within_tls", true),
                         after_request([](RawConnection& connection, const Forward& forward) {
                           connection.send_plain(forward());
                           connection.wait_until_closed();
                         })));
  // What a proxy sends on a connection that was idle for too long, when it crosses the request on
  // its way. What is there before the request leaves is found there: HttpsTransportTest.
  all.push_back(detoured(unknown("answer_crosses_request", false, 408),
                         in_between([](RawConnection& connection, const Forward&) {
                           if (!connection.handshake() || !connection.wait_for_bytes()) return;
                           connection.send(http("HTTP/1.1 408 Request Time-out", ""));
                           connection.read_request();
                         })));
}

std::vector<FaultShape> make_all() {
  std::vector<FaultShape> all;
  add_endings(all);
  add_lost_answers(all);
  add_odd_answers(all);
  add_refusals(all);
  add_stops(all);
  add_connecting(all);
  add_heads(all);
  add_bodies(all);
  add_streams(all);
  return all;
}

}  // namespace

const std::vector<FaultShape>& fault_shapes() {
  static const std::vector<FaultShape> k_all = make_all();
  return k_all;
}

MakeDetour throttles_once_then_ends(sandbox::Ending ending) {
  return in_between([ending](RawConnection& connection, const Forward& forward) {
    if (!connection.handshake()) return;
    if (connection.number() > 0) return pass_on(connection, forward);
    if (!connection.read_request()) return;
    connection.send(http("HTTP/1.1 429 Too Many Requests", "", "Retry-After: 1\r\n"));
    switch (ending) {
      case sandbox::Ending::close_notify:
        connection.close_notify();
        break;
      case sandbox::Ending::fin:
        connection.close_by_fin();
        break;
      case sandbox::Ending::rst:
        connection.pause(milliseconds(100));  // a reset would overtake the answer
        connection.close_by_reset();
        return;
    }
    connection.wait_until_closed();
  });
}

void PrintTo(const FaultShape& shape, std::ostream* out) { *out << shape.name; }

}  // namespace diskrelease
