#include "api/classify.h"

#include <variant>

#include "api/answer.h"

namespace diskrelease {
namespace {

struct Ruling {
  Outcome outcome = Outcome::unknown;
  Scope scope = Scope::disk;
};

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
      // A disk never seen may as well be mistyped or in another account. One that was seen has gone
      // since, or was not looked for where it is.
      return {prior.seen_in_account ? Outcome::unknown : Outcome::rejected};
    case CodeMeaning::in_recycle_bin:
      return {prior.goal == Goal::release ? Outcome::already_gone : Outcome::rejected};
    case CodeMeaning::unfit_status:
      return {Outcome::rejected, prior.status_is_read_again ? Scope::moment : Scope::disk};
    case CodeMeaning::uncertain:
    case CodeMeaning::throttled:
    case CodeMeaning::authentication:
    case CodeMeaning::other_of_disk:
    case CodeMeaning::other:
      break;
  }
  return {Outcome::rejected};
}

Ruling rule(const HttpResponse& response, const Body& body, CodeMeaning meaning,
            const Verdict& verdict, PriorKnowledge prior) {
  switch (verdict.kind) {
    case Verdict::Kind::success:
      // 200 with the complete documented document and nothing less.
      return {response.status == 200 && proves_acceptance(body.document) ? Outcome::accepted
                                                                         : Outcome::unknown};
    case Verdict::Kind::in_doubt:
      return {Outcome::unknown};
    case Verdict::Kind::throttled:
      return {Outcome::throttled};
    case Verdict::Kind::stop:
      return {Outcome::rejected, Scope::run};
    case Verdict::Kind::refused:
      return rule_on_disk(meaning, prior);
  }
  return {Outcome::unknown};
}

Classification classify_response(const HttpResponse& response, PriorKnowledge prior,
                                 const Blanking& blank) {
  const Body body = read_body(response);
  Classification result;
  result.http_status = response.status;
  result.api_code = shown_identifier(body.document, "code", blank);
  result.request_id = shown_identifier(body.document, "requestId", blank);

  const CodeMeaning meaning = meaning_of(identifier(body.document, "code"));
  const Verdict verdict = judge(response, body, meaning);
  const Ruling ruling = rule(response, body, meaning, verdict, prior);
  result.outcome = ruling.outcome;
  result.scope = ruling.scope;
  result.stop = verdict.stop;
  if (result.outcome != Outcome::accepted) {
    result.message = describe_answer(response, body, blank);
  }
  if (result.outcome == Outcome::throttled) result.retry_after = read_retry_after(response);
  return result;
}

Classification classify_failure(const TransportFailure& failure, const Blanking& blank) {
  Classification result;
  result.http_status = failure.status;
  result.outcome = failure.request_may_have_left ? Outcome::unknown : Outcome::not_sent;
  result.stop = stop_cause(failure);
  if (result.stop) result.scope = Scope::run;
  result.message = describe_failure(failure, blank);
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
    case StopCause::proxy:
      return "proxy";
    case StopCause::certificate:
      return "certificate";
    case StopCause::out_of_resources:
      return "out_of_resources";
  }
  return "";
}

Classification classify_release(const Reply& reply, PriorKnowledge prior, const Blanking& blank) {
  if (const auto* failure = std::get_if<TransportFailure>(&reply)) {
    return classify_failure(*failure, blank);
  }
  return classify_response(std::get<HttpResponse>(reply), prior, blank);
}

bool says_not_found(std::string_view api_code) noexcept {
  return meaning_of(api_code) == CodeMeaning::disk_not_found;
}

}  // namespace diskrelease
