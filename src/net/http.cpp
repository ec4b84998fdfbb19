#include "net/http.h"

namespace diskrelease {

std::optional<std::string_view> find_header(const HttpResponse& response,
                                            std::string_view lower_case_name) noexcept {
  for (const auto& [name, value] : response.headers) {
    if (name == lower_case_name) return value;
  }
  return std::nullopt;
}

std::string_view to_text(TransportProblem problem) noexcept {
  switch (problem) {
    case TransportProblem::name_resolution:
      return "name_resolution";
    case TransportProblem::connect:
      return "connect";
    case TransportProblem::proxy:
      return "proxy";
    case TransportProblem::proxy_refused:
      return "proxy_refused";
    case TransportProblem::tls_handshake:
      return "tls_handshake";
    case TransportProblem::certificate:
      return "certificate";
    case TransportProblem::send:
      return "send";
    case TransportProblem::no_answer:
      return "no_answer";
    case TransportProblem::timeout:
      return "timeout";
    case TransportProblem::incomplete_answer:
      return "incomplete_answer";
    case TransportProblem::invalid_answer:
      return "invalid_answer";
    case TransportProblem::answer_too_large:
      return "answer_too_large";
    case TransportProblem::aborted:
      return "aborted";
    case TransportProblem::out_of_resources:
      return "out_of_resources";
  }
  return "";
}

}  // namespace diskrelease
