#include "fuzz/answer_bytes.h"

#include <rapidjson/document.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "net/answer_head.h"

namespace diskrelease {
namespace {

constexpr std::string_view k_line_end = "\r\n";

TransportFailure failure(TransportProblem problem, std::optional<int> status) {
  return {.problem = problem, .request_may_have_left = true, .detail = {}, .status = status};
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

std::int64_t count_of(const AnswerHead& head, std::string_view name) {
  return std::ranges::count(head.headers, name, &HeaderFields::value_type::first);
}

void check_head(const AnswerHead& head) {
  require(head.status >= 100 && head.status <= 999, "a status is out of range");
  require(head.headers.size() <= k_head_field_cap, "too many fields were taken");
  for (const auto& [name, value] : head.headers) {
    require(!name.empty() && std::ranges::none_of(name,
                                                  [](char c) {
                                                    return (c >= 'A' && c <= 'Z') || c == ' ' ||
                                                           c == ':' || is_control(c);
                                                  }),
            "a field name is no lower-case token: " + name);
    require(std::ranges::none_of(value, is_control), "a field holds a control character");
    require(value.empty() || (value.front() != ' ' && value.back() != ' ' &&
                              value.front() != '\t' && value.back() != '\t'),
            "a field has blanks around it");
  }
  const bool has_length = count_of(head, "content-length") > 0;
  const bool has_coding = count_of(head, "transfer-encoding") > 0;
  require(!(has_length && has_coding), "two framings were taken");
  const bool bodiless = head.status == 204 || head.status == 304;
  const Framing framing = bodiless     ? Framing::no_body
                          : has_coding ? Framing::chunked
                          : has_length ? Framing::content_length
                                       : Framing::until_connection_closes;
  require(head.framing == framing, "the framing is not that of the fields");
}

// A head that was taken, written anew, is the same head.
void check_head_again(const AnswerHead& head) {
  std::string text = "HTTP/1.1 " + std::to_string(head.status) + "\r\n";
  for (const auto& [name, value] : head.headers) text += name + ": " + value + "\r\n";
  const auto again = parse_answer_head(text + "\r\n");
  require(again && again->headers == head.headers && again->status == head.status &&
              again->framing == head.framing && again->content_length == head.content_length,
          "a head written anew is another one");
  require(!parse_answer_head(text), "a head without its empty line was taken");
}

// nullopt: cut or malformed.
std::optional<std::string> without_chunks(std::string_view bytes) {
  std::string body;
  while (true) {
    const auto end = bytes.find(k_line_end);
    if (end == std::string_view::npos) return std::nullopt;
    const auto size = parse_chunk_size(bytes.substr(0, end));
    bytes.remove_prefix(end + k_line_end.size());
    if (!size) return std::nullopt;
    if (*size == 0) return body;
    if (bytes.size() < k_line_end.size() || *size > bytes.size() - k_line_end.size()) {
      return std::nullopt;
    }
    const auto length = static_cast<std::size_t>(*size);
    body += bytes.substr(0, length);
    if (bytes.substr(length, k_line_end.size()) != k_line_end) return std::nullopt;
    bytes.remove_prefix(length + k_line_end.size());
  }
}

bool has_repeated_key(const rapidjson::Value& object) {
  std::set<std::string> keys;
  return std::any_of(object.MemberBegin(), object.MemberEnd(), [&](const auto& member) {
    return !keys.emplace(member.name.GetString(), member.name.GetStringLength()).second;
  });
}

// Empty where there is none.
std::string text_member(const rapidjson::Value& object, const char* key) {
  if (!object.HasMember(key) || !object[key].IsString()) return {};
  return {object[key].GetString(), object[key].GetStringLength()};
}

}  // namespace

Reply reply_from(FuzzInput input) {
  const std::string text = text_of(input);
  if (!text.starts_with("HTTP/")) {
    return HttpResponse{.status = 200, .headers = {}, .body = text, .length_proven = true};
  }
  const auto end = text.find("\r\n\r\n");
  if (end == std::string::npos) return failure(TransportProblem::no_answer, {});
  const auto head = parse_answer_head(std::string_view(text).substr(0, end + 4));
  if (!head) return failure(TransportProblem::invalid_answer, {});
  check_head(*head);
  check_head_again(*head);

  const std::string_view rest = std::string_view(text).substr(end + 4);
  HttpResponse response{
      .status = head->status, .headers = head->headers, .body = {}, .length_proven = false};
  switch (head->framing) {
    case Framing::no_body:
      response.length_proven = true;
      return response;
    case Framing::content_length:
      if (rest.size() < head->content_length) {
        return failure(TransportProblem::incomplete_answer, head->status);
      }
      response.body = rest.substr(0, static_cast<std::size_t>(head->content_length));
      response.length_proven = true;
      return response;
    case Framing::chunked: {
      auto body = without_chunks(rest);
      if (!body) return failure(TransportProblem::incomplete_answer, head->status);
      response.body = std::move(*body);
      return response;
    }
    case Framing::until_connection_closes:
      response.body = rest;
      return response;
  }
  return failure(TransportProblem::invalid_answer, {});
}

IndependentView view_independently(const std::string& body) {
  IndependentView view;
  if (body.find('\0') != std::string::npos) return view;
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
      body.data(), body.size());
  if (document.HasParseError() || !document.IsObject() || has_repeated_key(document)) return view;
  view.is_object = true;
  view.has_code = document.HasMember("code");
  view.outer_id = text_member(document, "requestId");
  if (!document.HasMember("response") || !document["response"].IsObject()) return view;
  const rapidjson::Value& response = document["response"];
  view.has_response = !has_repeated_key(response);
  const bool no_inner = !response.HasMember("requestId") || response["requestId"].IsNull();
  view.inner_id = no_inner ? view.outer_id : text_member(response, "requestId");
  return view;
}

}  // namespace diskrelease
