#include "api/answer.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <variant>

#include "model/visible_text.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_max_identifier = 128;  // bytes of a code or a request id
constexpr std::size_t k_max_message = 1024;
constexpr std::size_t k_max_excerpt = 200;  // bytes of a body that is not JSON
constexpr std::chrono::seconds k_max_retry_after{60};

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool contains_ignoring_case(std::string_view text, std::string_view lower_case_part) {
  return std::search(text.begin(), text.end(), lower_case_part.begin(), lower_case_part.end(),
                     [](char a, char b) { return lower(a) == b; }) != text.end();
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// No Accept-Encoding is ever sent, so nothing has a right to encode the body.
bool is_encoded(const HttpResponse& response) {
  const auto encoding = find_header(response, "content-encoding");
  return encoding && !trimmed(*encoding).empty() && !contains_ignoring_case(*encoding, "identity");
}

bool may_be_broken_json(const HttpResponse& response) {
  const auto type = find_header(response, "content-type");
  if (type && contains_ignoring_case(*type, "json")) return true;
  std::string_view body = response.body;
  if (body.starts_with("\xEF\xBB\xBF")) body.remove_prefix(3);
  body = trimmed(body);
  // An answer that was cut before its first byte looks like one without a body.
  if (body.empty()) return !response.length_proven;
  return body.front() == '{' || body.front() == '[';
}

// Fixed-width digits only.
std::optional<int> number(std::string_view digits) {
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return {};
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return {};
  return value;
}

// "Sun, 06 Nov 1994 08:49:37 GMT", the one form of an HTTP date that may be generated (RFC 9110,
// 5.6.7).
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || !text.ends_with(" GMT") || text.substr(3, 2) != ", " || text[7] != ' ' ||
      text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':') {
    return {};
  }
  const auto month = months.find(text.substr(8, 3));
  const auto day = number(text.substr(5, 2));
  const auto year = number(text.substr(12, 4));
  const auto hour = number(text.substr(17, 2));
  const auto minute = number(text.substr(20, 2));
  const auto second = number(text.substr(23, 2));
  if (month == std::string_view::npos || month % 3 != 0 || !day || !year || !hour || !minute ||
      !second || *hour > 23 || *minute > 59 || *second > 60) {
    return {};
  }
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(month / 3 + 1)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return {};
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

constexpr Verdict stop_for(StopCause cause) { return {Verdict::Kind::stop, cause}; }

/// What the API puts around each of its refusals, and nobody else: {"requestId":"..","code":".."}.
bool has_envelope(const JsonValue& document) {
  return !identifier(document, "requestId").empty() && !identifier(document, "code").empty();
}

}  // namespace

Body read_body(const HttpResponse& response) {
  if (is_encoded(response)) return {.kind = BodyKind::unreadable, .document = {}};
  auto parsed = parse_json(response.body);
  if (auto* document = std::get_if<JsonValue>(&parsed)) {
    return {.kind = BodyKind::document, .document = std::move(*document)};
  }
  return {.kind = may_be_broken_json(response) ? BodyKind::unreadable : BodyKind::not_json,
          .document = {}};
}

const JsonValue* find_value(const JsonValue& object, std::string_view key) noexcept {
  const JsonValue* value = object.find(key);
  return value == nullptr || value->kind == JsonValue::Kind::null ? nullptr : value;
}

std::string shown_identifier(const JsonValue& object, std::string_view key, const Blanking& blank) {
  const JsonValue* value = object.find(key);
  if (value == nullptr || value->kind != JsonValue::Kind::string) return {};
  const bool printable =
      std::ranges::all_of(value->text, [](char c) { return c > ' ' && c <= '~'; });
  return printable ? blank(value->text).substr(0, k_max_identifier) : std::string();
}

std::string identifier(const JsonValue& object, std::string_view key) {
  return shown_identifier(object, key, Blanking());
}

std::string bounded_text(std::string_view text, std::size_t max_bytes, const Blanking& blank) {
  std::string shown = visible(blank(text), max_bytes - std::string_view("...").size());
  if (shown.size() > max_bytes) {  // control characters take four bytes each
    std::size_t end = max_bytes;
    while ((static_cast<unsigned char>(shown[end]) & 0xC0U) == 0x80U) --end;
    shown.resize(end);
  }
  return shown;
}

std::string message_text(std::string_view text, const Blanking& blank) {
  return bounded_text(text, k_max_message, blank);
}

std::string describe_answer(const HttpResponse& response, const Body& body, const Blanking& blank) {
  const JsonValue* message = body.document.find("message");
  if (message != nullptr && message->kind == JsonValue::Kind::string && !message->text.empty()) {
    return message_text(message->text, blank);
  }
  std::string text = "HTTP " + std::to_string(response.status);
  if (response.status >= 300 && response.status <= 399) {
    if (const auto location = find_header(response, "location")) {
      return text.append(" to ").append(visible(blank(*location), k_max_excerpt));
    }
  }
  if (response.body.empty()) return text.append(" without a body");
  switch (body.kind) {
    case BodyKind::document:
      text.append(" with JSON that has no message: ");
      break;
    case BodyKind::unreadable:
      text.append(is_encoded(response) ? " with an encoded body: " : " with broken JSON: ");
      break;
    case BodyKind::not_json:
      text.append(" without JSON: ");
      break;
  }
  return text.append(visible(blank(response.body), k_max_excerpt));
}

std::string describe_failure(const TransportFailure& failure, const Blanking& blank) {
  std::string text(to_text(failure.problem));
  if (!failure.detail.empty()) text.append(": ").append(failure.detail);
  return message_text(text, blank);
}

std::optional<std::chrono::milliseconds> read_retry_after(const HttpResponse& response) {
  const auto header = find_header(response, "retry-after");
  if (!header) return {};
  const std::string_view text = trimmed(*header);
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos) {
    const auto seconds = number(text);  // none: more than an int holds
    return seconds ? std::min(std::chrono::seconds(*seconds), k_max_retry_after)
                   : k_max_retry_after;
  }
  const auto until = parse_http_date(text);
  const auto date = parse_http_date(trimmed(find_header(response, "date").value_or("")));
  if (!until || !date) return {};
  return std::clamp(*until - *date, std::chrono::seconds(0), k_max_retry_after);
}

std::optional<StopCause> stop_cause(const TransportFailure& failure) noexcept {
  if (failure.request_may_have_left) return {};
  if (failure.problem == TransportProblem::proxy_refused) return StopCause::proxy;
  if (failure.problem == TransportProblem::certificate) return StopCause::certificate;
  if (failure.problem == TransportProblem::out_of_resources) return StopCause::out_of_resources;
  return {};
}

// The rules, first match wins. The provider defines 200 as success, 4xx as an illegal or impossible
// request, 5xx as its own fault; the HTTP statuses of its common codes are not known for certain,
// so a code counts more than the status beside it.
Verdict judge(const HttpResponse& response, const Body& body, CodeMeaning meaning) {
  using enum Verdict::Kind;
  const int status = response.status;
  const JsonValue& document = body.document;

  // 1. Statuses that say nothing about execution, whatever the body: interim or undefined ones, and
  //    408 and 425, which come from machines in between.
  if (status < 200 || status > 599 || status == 408 || status == 425) return {in_doubt, {}};

  // 2. Success is for the call to prove.
  if (status < 300) return {success, {}};

  // 3. A failure that carries a response contradicts itself.
  if (find_value(document, "response") != nullptr) return {in_doubt, {}};

  // 4. A redirect (303: "done, see there"), a 304 or a demand for a login may come from a machine
  //    in between, before or after the API has executed the call. Only the API's own envelope says
  //    that it was refused. Every further call would end so either way.
  if (status < 400 && !has_envelope(document)) return {in_doubt, StopCause::redirect};
  if (status == 401 && !has_envelope(document)) return {in_doubt, StopCause::authentication};

  // 5. Codes that decide with any status.
  if (meaning == CodeMeaning::uncertain) return {in_doubt, {}};
  if (meaning == CodeMeaning::authentication) return stop_for(StopCause::authentication);
  if (meaning == CodeMeaning::throttled) return {throttled, {}};

  // 6. Statuses that decide with any other code: refused before anybody could execute it.
  if (status < 400) return stop_for(StopCause::redirect);
  if (status == 451 || (status == 403 && find_header(response, "cf-mitigated"))) {
    return stop_for(StopCause::edge_block);
  }
  if (status == 429) return {throttled, {}};

  // 7. A fault of the server or of a machine in between, after which the call may have run.
  if (status >= 500) return {in_doubt, {}};

  // 8. 4xx with a code: the API refused.
  if (!identifier(document, "code").empty()) return {refused, {}};

  // 9. What may be the API's answer but cannot be read might hide a code of rule 5.
  if (body.kind == BodyKind::unreadable) return {in_doubt, {}};

  // 10. 403 without a code comes from the edge, other 4xx without any sign of the API from a wrong
  //     place. An answer with a sign of the API but without a usable code proves nothing.
  if (status == 403) return stop_for(StopCause::edge_block);
  if (document.find("requestId") != nullptr || document.find("code") != nullptr) {
    return {in_doubt, {}};
  }
  return stop_for(StopCause::wrong_endpoint);
}

}  // namespace diskrelease
