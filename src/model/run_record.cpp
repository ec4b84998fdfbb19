#include "model/run_record.h"

namespace diskrelease {

std::string_view to_text(EndReason reason) noexcept {
  switch (reason) {
    case EndReason::finished:
      return "finished";
    case EndReason::interrupted:
      return "interrupted";
    case EndReason::stopped:
      return "stopped";
    case EndReason::window_ended:
      return "window_ended";
    case EndReason::failed:
      return "failed";
    case EndReason::died:
      return "died";
  }
  return "";
}

std::string_view to_text(DecisionKind kind) noexcept {
  switch (kind) {
    case DecisionKind::approve:
      return "approve";
    case DecisionKind::skip:
      return "skip";
    case DecisionKind::give_up:
      return "give_up";
    case DecisionKind::reject:
      return "reject";
    case DecisionKind::already_gone:
      return "already_gone";
    case DecisionKind::stop:
      return "stop";
  }
  return "";
}

}  // namespace diskrelease
