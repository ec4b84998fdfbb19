#include "report/disk_story.h"

#include <algorithm>
#include <ostream>
#include <set>

#include "model/visible_text.h"

namespace diskrelease {
namespace {

/// ": TEXT" in front of what follows a colon, or nothing.
std::string after_colon(const std::string& text) {
  return text.empty() ? "" : ": " + visible(text);
}

std::string answer_of(const DiskEvent& event, const ExplainCode& explain) {
  std::string text = event.what == "unknown" ? "outcome unknown" : visible(event.what);
  if (!event.code.empty()) {
    const std::string_view meaning = explain(event.code);
    text += " (" + visible(event.code) + (meaning.empty() ? "" : ": " + std::string(meaning)) + ")";
  }
  return text + after_colon(event.detail);
}

std::string decision_of(const DiskEvent& event) {
  const std::string because =
      visible(event.code) + (event.detail.empty() ? "" : ", " + visible(event.detail));
  if (event.what == "skip") return "not sent, skipped: " + because;
  if (event.what == "reject") return "not sent, rejected: " + because;
  if (event.what == "already_gone") return "not sent, already gone: " + because;
  if (event.what == "give_up") return "given up: " + because;
  if (event.what == "stop" && event.code == k_destroyed_reason) {
    return "ALARM, destroyed by a second release of somebody else: " + visible(event.detail);
  }
  if (event.what == "stop") return "ALARM, released by somebody else: " + visible(event.detail);
  return visible(event.what) + ": " + because;
}

std::string text_of(const DiskEvent& event, const ExplainCode& explain) {
  const std::string number = std::to_string(event.attempt_number.value_or(0));
  if (event.kind == "listed")
    return "listed in " + visible(event.what) + ", " + visible(event.detail);
  if (event.kind == "listed_again") {
    return "listed again in " + visible(event.what) + ", " + visible(event.detail) +
           ": a duplicate";
  }
  if (event.kind == "observed")
    return "seen " + visible(event.what) + " (" + visible(event.detail) + ")";
  if (event.kind == "decided") return decision_of(event);
  if (event.kind == "attempted") {
    return "attempt " + number + " announced: " +
           (event.what == "destroy" ? "destroy what is in the recycle bin" : "release");
  }
  if (event.kind == "answered") return "attempt " + number + ": " + answer_of(event, explain);
  if (event.kind == "settled") {
    return "attempt " + number + " settled as " + visible(event.what) + ", " + visible(event.code) +
           after_colon(event.detail);
  }
  if (event.kind == "archived") {
    return std::string(event.what == "destroy" ? "its second stage" : "its release") +
           " was accepted or may have been; that run is archived in " + visible(event.detail);
  }
  // Rows of a kind that a later version writes.
  return visible(event.kind) + ' ' + visible(event.what) + after_colon(event.detail);
}

void print_actor(std::ostream& out, const DiskEvent& event) {
  out << "  by " << visible(event.user) << '@' << visible(event.host) << ", "
      << visible(event.command) << " (invocation " << event.invocation_id.value_or(0)
      << ", credential " << visible(event.credential_id) << ")\n";
}

void print_state(std::ostream& out, const DiskItem& item) {
  out << "run " << item.run_id << " (" << visible(item.run_name) << ", goal " << visible(item.goal)
      << ", " << visible(item.endpoint) << "): " << visible(item.state);
  if (!item.verified.empty()) out << ", " << visible(item.verified);
  if (!item.last_status.empty()) out << ", last seen " << visible(item.last_status);
  out << '\n';
}

}  // namespace

void print_disk_story(std::ostream& out, const std::string& disk, const DiskHistory& history,
                      const ExplainCode& explain, const TimeZone& zone) {
  out << "disk " << visible(disk) << '\n';
  std::int64_t invocation = 0;
  std::vector<std::string> request_ids;
  std::set<std::string> known;
  for (const DiskEvent& event : history.events) {
    if (event.invocation_id && *event.invocation_id != invocation) {
      invocation = *event.invocation_id;
      print_actor(out, event);
    }
    out << "  " << zone.format(event.time) << "  ";
    if (history.items.size() > 1 || event.kind == "archived") out << "run " << event.run_id << ": ";
    out << text_of(event, explain);
    if (!event.request_id.empty()) {
      out << "  [" << visible(event.request_id) << ']';
      if (known.insert(event.request_id).second) request_ids.push_back(event.request_id);
    }
    out << '\n';
  }
  for (const DiskItem& item : history.items) print_state(out, item);
  if (request_ids.empty()) return;
  out << "request ids, for a support ticket:\n";
  for (const std::string& id : request_ids) out << "  " << visible(id) << '\n';
}

}  // namespace diskrelease
