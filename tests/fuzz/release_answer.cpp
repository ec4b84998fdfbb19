#include <string>
#include <variant>

#include "api/classify.h"
#include "fuzz/answer_bytes.h"
#include "fuzz/fuzz_target.h"

namespace diskrelease {
namespace {

void check_texts(const Classification& result) {
  require_visible(result.message, 1'024, "a message");
  require_visible(result.api_code, 128, "a code");
  require_visible(result.request_id, 128, "a request id");
  require(result.api_code.find(' ') == std::string::npos, "a code has a blank");
  require(result.request_id.find(' ') == std::string::npos, "a request id has a blank");
}

void check_consistency(const Classification& result, PriorKnowledge prior) {
  require(result.outcome == Outcome::unknown
              ? result.scope != Scope::run
              : result.stop.has_value() == (result.scope == Scope::run),
          "stop and scope disagree");
  require(!result.stop || result.outcome == Outcome::rejected ||
              result.outcome == Outcome::not_sent || result.outcome == Outcome::unknown,
          "a call that has been executed stops the run");
  require(!result.retry_after ||
              (result.outcome == Outcome::throttled && result.retry_after->count() >= 0 &&
               result.retry_after->count() <= 60'000),
          "retry_after is out of place");
  require(result.scope != Scope::moment ||
              (result.outcome == Outcome::rejected && prior.status_is_read_again),
          "a refusal of the moment was not asked for");
  require(result.message.empty() == (result.outcome == Outcome::accepted),
          "success has a message, or a failure none");
}

void check_accepted(const HttpResponse& response) {
  const IndependentView view = view_independently(response.body);
  require(response.status == 200 && view.is_object && view.has_response && !view.has_code &&
              !view.outer_id.empty() && view.inner_id == view.outer_id,
          "an answer that is not the documented success was accepted");
  HttpResponse cut = response;
  cut.body.resize(cut.body.rfind('}'));
  require(classify_release(Reply(cut), {}, Blanking()).outcome == Outcome::unknown,
          "a success that was cut is not unknown");
}

void check_response(const HttpResponse& response, const Classification& result,
                    PriorKnowledge prior) {
  require(result.http_status == response.status, "another status");
  require(result.outcome != Outcome::not_sent, "an answer to nothing");
  switch (result.outcome) {
    case Outcome::accepted:
      check_accepted(response);
      break;
    case Outcome::already_gone:
      require(prior.goal == Goal::release, "a disk in the bin is gone for goal purge");
      require(response.status >= 400 && response.status < 500 && !result.api_code.empty(),
              "a disk is gone without a refusal");
      break;
    case Outcome::rejected:
      require(response.status >= 300 && response.status <= 599, "a success is a refusal");
      require(response.status < 500 || result.stop == StopCause::authentication,
              "a fault of the server is a refusal");
      break;
    case Outcome::throttled:
    case Outcome::not_sent:
    case Outcome::unknown:
      break;
  }
}

}  // namespace

void fuzz_release_answer(FuzzInput input) {
  const Reply reply = reply_from(input);
  for (const bool seen : {false, true}) {
    for (const Goal goal : {Goal::release, Goal::purge}) {
      const PriorKnowledge prior{
          .seen_in_account = seen, .goal = goal, .status_is_read_again = seen};
      const Classification result = classify_release(reply, prior, Blanking());
      check_texts(result);
      check_consistency(result, prior);
      if (const auto* response = std::get_if<HttpResponse>(&reply)) {
        check_response(*response, result, prior);
      } else {
        require(result.outcome == Outcome::unknown, "a broken answer is not unknown");
      }
    }
  }
}

}  // namespace diskrelease
