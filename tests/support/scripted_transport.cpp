#include "support/scripted_transport.h"

#include <stdexcept>
#include <utility>

namespace diskrelease {

ScriptedTransport::ScriptedTransport(OnExchange on_exchange, OnPrepare on_prepare)
    : on_exchange_(std::move(on_exchange)), on_prepare_(std::move(on_prepare)) {}

void ScriptedTransport::reply_next(Reply reply) {
  const std::lock_guard lock(mutex_);
  replies_.push_back(std::move(reply));
}

std::optional<TransportFailure> ScriptedTransport::connect(std::size_t /*lane*/) {
  return on_prepare_ ? on_prepare_() : std::nullopt;
}

Reply ScriptedTransport::exchange(std::size_t /*lane*/, const HttpRequest& request) {
  std::optional<Reply> scripted;
  {
    const std::lock_guard lock(mutex_);
    sent_disks_.push_back(disk_of(request));
    if (!replies_.empty()) {
      scripted = std::move(replies_.front());
      replies_.pop_front();
    }
  }
  if (scripted) return *std::move(scripted);
  return on_exchange_ ? on_exchange_(request) : accepted_reply();
}

std::vector<std::string> ScriptedTransport::sent_disks() const {
  const std::lock_guard lock(mutex_);
  return sent_disks_;
}

std::string disk_of(const HttpRequest& request) {
  const std::string before = R"({"diskId":")";
  const std::string after = R"("})";
  const std::string& body = request.body;
  if (!body.starts_with(before) || !body.ends_with(after)) {
    throw std::logic_error("not the body of a ReleaseDisk request: " + body);
  }
  return body.substr(before.size(), body.size() - before.size() - after.size());
}

namespace {

Reply json_reply(int status, std::string body) {
  return HttpResponse{status, {{"content-type", "application/json"}}, std::move(body), true};
}

}  // namespace

Reply accepted_reply() {
  return json_reply(200, R"({"requestId":"request-0001","response":{"requestId":"request-0001"}})");
}

Reply error_reply(int status, const std::string& code, const std::string& message) {
  return json_reply(status, R"({"requestId":"request-0002","code":")" + code + R"(","message":")" +
                                message + R"("})");
}

Reply not_sent_reply() {
  return TransportFailure{TransportProblem::connect, false, "connection refused", std::nullopt};
}

Reply lost_reply() {
  return TransportFailure{TransportProblem::no_answer, true, "connection reset", std::nullopt};
}

}  // namespace diskrelease
