#include "report/summary.h"

#include <array>
#include <iomanip>
#include <ostream>
#include <stdexcept>

#include "model/visible_text.h"
#include "report/json_object.h"

namespace diskrelease {
namespace {

constexpr std::array k_states{ItemState::released, ItemState::already_gone, ItemState::rejected,
                              ItemState::failed,   ItemState::skipped,      ItemState::unknown,
                              ItemState::pending};

std::string_view label(ItemState state) {
  return state == ItemState::already_gone ? "already gone" : to_text(state);
}

std::string_view explain_reason(std::string_view reason) {
  if (reason == "released_before") return "an earlier run in this database has released the disk";
  if (reason == "unsettled_before") {
    return "an earlier run may have released the disk; its outcome is unknown";
  }
  if (reason == "max_attempts") return "no attempt could be sent";
  if (reason == "throttled_too_often") return "the API has refused every attempt for rate";
  return {};
}

std::string_view meaning(const EndingCount& ending, const ExplainCode& explain) {
  if (ending.state == ItemState::failed || ending.state == ItemState::skipped) {
    return explain_reason(ending.code);
  }
  return explain(ending.code);
}

}  // namespace

Summary summarise(Database& database, const RunRecord& run) {
  Summary summary;
  summary.run = run;
  summary.counts = count_states(database, run);
  summary.endings = count_endings(database, run);
  if (summary.counts.total() != run.item_count) {
    throw std::logic_error("run " + std::to_string(run.id.value) + ": " +
                           std::to_string(run.item_count) + " items were listed, " +
                           std::to_string(summary.counts.total()) + " are accounted for");
  }
  return summary;
}

void print_summary(std::ostream& out, const Summary& summary, const ExplainCode& explain,
                   bool colour) {
  const RunRecord& run = summary.run;
  out << "run " << run.id.value << " (" << visible(run.description.name) << "): goal "
      << to_text(run.description.goal) << ", list " << visible(run.description.list_source) << ", "
      << visible(run.description.endpoint) << '\n';
  for (const ItemState state : k_states) {
    if (summary.counts[state] == 0) continue;
    const bool alarming = colour && (state == ItemState::rejected || state == ItemState::failed ||
                                     state == ItemState::unknown);
    out << (alarming ? "\x1b[31m" : "") << "  " << std::left << std::setw(13) << label(state)
        << std::right << std::setw(9) << summary.counts[state] << (alarming ? "\x1b[0m" : "")
        << '\n';
    for (const EndingCount& ending : summary.endings) {
      if (ending.state != state || ending.code.empty()) continue;
      out << "    " << std::setw(9) << ending.items << "  " << visible(ending.code);
      const std::string_view text = meaning(ending, explain);
      if (!text.empty()) out << ": " << text;
      out << " (e.g. disk " << ending.example_disk << ")\n";
    }
  }
  out << "  " << std::left << std::setw(13) << "listed" << std::right << std::setw(9)
      << run.item_count;
  if (run.duplicate_count > 0) {
    out << "   (and " << run.duplicate_count << " duplicate line"
        << (run.duplicate_count == 1 ? "" : "s") << ", enrolled once)";
  }
  out << '\n';
  if (!summary.end_reason.empty() && summary.end_reason != "finished") {
    out << summary.end_reason;
    if (!summary.end_cause.empty()) out << ": " << summary.end_cause;
    if (!summary.end_detail.empty()) out << ": " << visible(summary.end_detail);
    out << '\n';
  }
  if (!summary.next_hint.empty()) out << summary.next_hint << '\n';
  if (!summary.next_command.empty()) out << "next: " << summary.next_command << '\n';
}

std::string summary_json(const Summary& summary, const ExplainCode& explain) {
  const RunRecord& run = summary.run;
  JsonObject counts;
  for (const ItemState state : k_states) counts.add(to_text(state), summary.counts[state]);
  std::string endings = "[";
  for (const EndingCount& ending : summary.endings) {
    if (endings.size() > 1) endings += ',';
    JsonObject object;
    object.add("state", to_text(ending.state))
        .add_optional("code", ending.code)
        .add_optional("meaning", meaning(ending, explain))
        .add("items", ending.items)
        .add("example_disk_id", ending.example_disk);
    endings += std::move(object).text();
  }
  endings += ']';
  JsonObject object;
  object.add("event", "summary")
      .add("run_id", run.id.value)
      .add("name", run.description.name)
      .add("goal", to_text(run.description.goal))
      .add("endpoint", run.description.endpoint)
      .add("list", run.description.list_source)
      .add("list_sha256", run.list_sha256)
      .add("listed", run.item_count)
      .add("duplicates", run.duplicate_count)
      .add_json("counts", std::move(counts).text())
      .add_json("endings", endings)
      .add_optional("end_reason", summary.end_reason)
      .add_optional("end_cause", summary.end_cause)
      .add_optional("end_detail", summary.end_detail)
      .add("exit_code",
           summary.exit_code ? std::optional<std::int64_t>(*summary.exit_code) : std::nullopt)
      .add_optional("next_command", summary.next_command);
  return std::move(object).text();
}

}  // namespace diskrelease
