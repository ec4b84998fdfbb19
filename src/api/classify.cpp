#include "api/classify.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <variant>

#include "api/api_codes.h"
#include "api/strict_json.h"
#include "model/visible_text.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_max_identifier = 128;  // bytes of a code or a request id
constexpr std::size_t k_max_message = 1024;
constexpr std::size_t k_max_excerpt = 200;  // bytes of a body that is not JSON
constexpr std::chrono::seconds k_max_retry_after{60};

struct Ruling {
  Outcome outcome = Outcome::unknown;
  std::optional<StopCause> stop = std::nullopt;
};

constexpr Ruling stop_for(StopCause cause) { return {Outcome::rejected, cause}; }

enum class BodyKind {
  document,    // a complete JSON document, of whatever type
  unreadable,  // may be the API's answer, but cut, broken, contradictory or encoded
  not_json,    // certainly not the API's answer
};

struct Body {
  BodyKind kind = BodyKind::not_json;
  JsonValue document;  // null unless kind is document
};

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

Body read_body(const HttpResponse& response) {
  if (is_encoded(response)) return {.kind = BodyKind::unreadable, .document = {}};
  auto parsed = parse_json(response.body);
  if (auto* document = std::get_if<JsonValue>(&parsed)) {
    return {.kind = BodyKind::document, .document = std::move(*document)};
  }
  return {.kind = may_be_broken_json(response) ? BodyKind::unreadable : BodyKind::not_json,
          .document = {}};
}

// Text of a string member that is printable ASCII without blanks, cut to its limit; else empty.
std::string identifier(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.find(key);
  if (value == nullptr || value->kind != JsonValue::Kind::string) return {};
  const bool printable =
      std::ranges::all_of(value->text, [](char c) { return c > ' ' && c <= '~'; });
  return printable ? value->text.substr(0, k_max_identifier) : std::string();
}

bool has_response(const JsonValue& document) {
  const JsonValue* response = document.find("response");
  return response != nullptr && response->kind != JsonValue::Kind::null;
}

// {"requestId":"T..","response":{..}}; the request id inside the response, where there is one, is
// the same (docs.console.zenlayer.com/api-reference/api-introduction/instruction/response).
bool proves_acceptance(const JsonValue& document) {
  const JsonValue* response = document.find("response");
  if (response == nullptr || response->kind != JsonValue::Kind::object) return false;
  if (document.find("code") != nullptr) return false;
  if (identifier(document, "requestId").empty()) return false;
  const JsonValue* inner = response->find("requestId");
  return inner == nullptr || (inner->kind == JsonValue::Kind::string &&
                              inner->text == document.find("requestId")->text);
}

Ruling rule_on_disk(CodeMeaning meaning, PriorKnowledge prior) {
  switch (meaning) {
    case CodeMeaning::disk_not_found:
      // A disk never seen may as well be mistyped or in another account.
      return {prior.seen_in_account ? Outcome::already_gone : Outcome::rejected};
    case CodeMeaning::in_recycle_bin:
      return {prior.goal == Goal::release ? Outcome::already_gone : Outcome::rejected};
    case CodeMeaning::uncertain:
    case CodeMeaning::throttled:
    case CodeMeaning::authentication:
    case CodeMeaning::other:
      break;
  }
  return {Outcome::rejected};
}

// The rules, first match wins. The provider defines 200 as success, 4xx as an illegal or impossible
// request, 5xx as its own fault; the HTTP statuses of its common codes are not known for certain,
// so a code counts more than the status beside it.
Ruling rule(const HttpResponse& response, const Body& body, std::string_view code,
            PriorKnowledge prior) {
  const int status = response.status;
  const JsonValue& document = body.document;

  // 1. Statuses that say nothing about execution, whatever the body: interim or undefined ones, and
  //    408 and 425, which come from machines in between.
  if (status < 200 || status > 599 || status == 408 || status == 425) return {Outcome::unknown};

  // 2. Success is 200 with the complete documented document and nothing less.
  if (status < 300) {
    return {status == 200 && proves_acceptance(document) ? Outcome::accepted : Outcome::unknown};
  }

  // 3. A failure that carries a response contradicts itself.
  if (has_response(document)) return {Outcome::unknown};

  // 4. Codes that decide with any status.
  const CodeMeaning meaning = meaning_of(code);
  if (meaning == CodeMeaning::uncertain) return {Outcome::unknown};
  if (meaning == CodeMeaning::authentication) return stop_for(StopCause::authentication);
  if (meaning == CodeMeaning::throttled) return {Outcome::throttled};

  // 5. Statuses that decide with any other code: refused before anybody could execute it.
  if (status < 400) return stop_for(StopCause::redirect);
  if (status == 451 || (status == 403 && find_header(response, "cf-mitigated"))) {
    return stop_for(StopCause::edge_block);
  }
  if (status == 429) return {Outcome::throttled};

  // 6. A fault of the server or of a machine in between, after which the call may have run.
  if (status >= 500) return {Outcome::unknown};

  // 7. 4xx with a code: the API refused.
  if (!code.empty()) return rule_on_disk(meaning, prior);

  // 8. 401 means by definition that the request has not been applied (RFC 9110, 15.5.2).
  if (status == 401) return stop_for(StopCause::authentication);

  // 9. What may be the API's answer but cannot be read might hide a code of rule 4.
  if (body.kind == BodyKind::unreadable) return {Outcome::unknown};

  // 10. 403 without a code comes from the edge, other 4xx without any sign of the API from a wrong
  //     place. An answer with a sign of the API but without a usable code proves nothing.
  if (status == 403) return stop_for(StopCause::edge_block);
  if (document.find("requestId") != nullptr || document.find("code") != nullptr) {
    return {Outcome::unknown};
  }
  return stop_for(StopCause::wrong_endpoint);
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

// A date is counted from the answer's own Date, so that the skew of two clocks does not matter.
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

std::string message_text(std::string_view text) {
  std::string message = visible(text, k_max_message - std::string_view("...").size());
  if (message.size() > k_max_message) {  // control characters take four bytes each
    std::size_t end = k_max_message;
    while ((static_cast<unsigned char>(message[end]) & 0xC0U) == 0x80U) --end;
    message.resize(end);
  }
  return message;
}

std::string describe(const HttpResponse& response, const Body& body) {
  const JsonValue* message = body.document.find("message");
  if (message != nullptr && message->kind == JsonValue::Kind::string && !message->text.empty()) {
    return message->text;
  }
  std::string text = "HTTP " + std::to_string(response.status);
  if (response.status >= 300 && response.status <= 399) {
    if (const auto location = find_header(response, "location")) {
      return text.append(" to ").append(visible(*location, k_max_excerpt));
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
  return text.append(visible(response.body, k_max_excerpt));
}

Classification classify_response(const HttpResponse& response, PriorKnowledge prior) {
  const Body body = read_body(response);
  Classification result;
  result.http_status = response.status;
  result.api_code = identifier(body.document, "code");
  result.request_id = identifier(body.document, "requestId");

  const Ruling ruling = rule(response, body, result.api_code, prior);
  result.outcome = ruling.outcome;
  result.stop = ruling.stop;
  result.scope = ruling.stop ? Scope::run : Scope::disk;
  if (result.outcome != Outcome::accepted) result.message = message_text(describe(response, body));
  if (result.outcome == Outcome::throttled) result.retry_after = read_retry_after(response);
  return result;
}

Classification classify_failure(const TransportFailure& failure) {
  Classification result;
  result.http_status = failure.status;
  result.outcome = failure.request_may_have_left ? Outcome::unknown : Outcome::not_sent;
  if (result.outcome == Outcome::not_sent && failure.problem == TransportProblem::certificate) {
    result.stop = StopCause::certificate;
    result.scope = Scope::run;
  }
  std::string text(to_text(failure.problem));
  if (!failure.detail.empty()) text.append(": ").append(failure.detail);
  result.message = message_text(text);
  return result;
}

}  // namespace

std::string_view to_text(StopCause cause) noexcept {
  switch (cause) {
    case StopCause::authentication:
      return "authentication";
    case StopCause::redirect:
      return "redirect";
    case StopCause::edge_block:
      return "edge_block";
    case StopCause::wrong_endpoint:
      return "wrong_endpoint";
    case StopCause::certificate:
      return "certificate";
  }
  return "";
}

Classification classify_release(const Reply& reply, PriorKnowledge prior) {
  if (const auto* failure = std::get_if<TransportFailure>(&reply)) {
    return classify_failure(*failure);
  }
  return classify_response(std::get<HttpResponse>(reply), prior);
}

}  // namespace diskrelease
