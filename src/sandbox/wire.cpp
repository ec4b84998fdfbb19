#include "sandbox/wire.h"

#include <Poco/DeflatingStream.h>

#include <algorithm>
#include <sstream>
#include <string_view>

namespace diskrelease::sandbox {
namespace {

constexpr std::string_view k_end_of_head = "\r\n\r\n";

std::string_view reason(int status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 302:
      return "Found";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 429:
      return "Too Many Requests";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

std::string head(const Answer& answer) {
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + ' ';
  text += reason(answer.status);
  for (const auto& [name, value] : answer.headers)
    text.append("\r\n").append(name).append(": ").append(value);
  return text;
}

std::string with_length(const Answer& answer) {
  std::string bytes = head(answer);
  if (answer.status != 204) bytes += "\r\nContent-Length: " + std::to_string(answer.body.size());
  bytes += k_end_of_head;
  bytes += answer.body;
  return bytes;
}

std::string chunk(std::string_view part) {
  std::ostringstream size;
  size << std::hex << part.size();
  return size.str() + "\r\n" + std::string(part) + "\r\n";
}

std::string in_chunks(const Answer& answer, bool whole) {
  const std::string_view body = answer.body;
  const auto middle = body.size() / 2;
  std::string bytes = head(answer) + "\r\nTransfer-Encoding: chunked";
  bytes += k_end_of_head;
  if (middle > 0) bytes += chunk(body.substr(0, middle));
  if (whole) bytes += chunk(body.substr(middle)) + "0\r\n\r\n";
  return bytes;
}

Answer compressed(const Answer& answer) {
  std::ostringstream sink;
  Poco::DeflatingOutputStream gzip(sink, Poco::DeflatingStreamBuf::STREAM_GZIP);
  gzip << answer.body;
  gzip.close();
  Answer result = answer;
  result.headers.emplace_back("Content-Encoding", "gzip");
  result.body = sink.str();
  return result;
}

void end(WireScript& script, Ending ending) {
  script.keep_open = false;
  script.ending = ending;
}

}  // namespace

WireScript plain_script(const Answer& answer) {
  WireScript script;
  script.bytes = with_length(answer);
  return script;
}

WireScript faulty_script(const Answer& answer, const Fault& fault) {
  WireScript script = plain_script(answer);
  switch (fault.kind) {
    case FaultKind::close_before_reading:
    case FaultKind::drop_before_executing:
    case FaultKind::close_after_executing:
      script.bytes.clear();
      script.complete = false;
      end(script, fault.ending);
      break;
    case FaultKind::stall:
      script.bytes.clear();
      script.complete = false;
      script.stall = true;
      end(script, Ending::close_notify);
      break;
    case FaultKind::answer_after:
      script.delay = fault.delay;
      break;
    case FaultKind::drip:
      script.drip = fault.delay;
      break;
    case FaultKind::cut_body: {
      const auto body_at = script.bytes.size() - answer.body.size();
      const auto most = answer.body.empty() ? 0 : answer.body.size() - 1;
      script.bytes.resize(body_at +
                          std::min(fault.keep_bytes.value_or(answer.body.size() / 2), most));
      script.complete = false;
      end(script, fault.ending);
      break;
    }
    case FaultKind::cut_header: {
      const auto whole = script.bytes.find(k_end_of_head);
      script.bytes.resize(std::min(fault.keep_bytes.value_or(whole / 2), whole));
      script.complete = false;
      end(script, fault.ending);
      break;
    }
    case FaultKind::close_after_answer:
      end(script, fault.ending);
      break;
    case FaultKind::gzip:
      script.bytes = with_length(compressed(answer));
      break;
    case FaultKind::chunked:
      script.bytes = in_chunks(answer, true);
      break;
    case FaultKind::chunked_cut:
      script.bytes = in_chunks(answer, false);
      script.complete = false;
      end(script, fault.ending);
      break;
    case FaultKind::duplicate_content_length:
      script.bytes = head(answer) + "\r\nContent-Length: " + std::to_string(answer.body.size()) +
                     "\r\nContent-Length: " + std::to_string(answer.body.size() + 1);
      script.bytes += k_end_of_head;
      script.bytes += answer.body;
      script.complete = false;
      break;
    case FaultKind::negative_content_length:
      script.bytes = head(answer) + "\r\nContent-Length: -7";
      script.bytes += k_end_of_head;
      script.bytes += answer.body;
      script.complete = false;
      break;
    case FaultKind::extra_response:
      script.bytes += script.bytes;
      break;
    case FaultKind::html_200:
    case FaultKind::code_without_response_200:
    case FaultKind::garbage_json_200:
    case FaultKind::empty_204:
    case FaultKind::http_error:
    case FaultKind::auth_failure:
    case FaultKind::throttle:
    case FaultKind::challenge_403:
    case FaultKind::blocked_451:
    case FaultKind::redirect_302:
    case FaultKind::wrong_request_id:
    case FaultKind::attach_before_executing:
      break;
  }
  return script;
}

}  // namespace diskrelease::sandbox
