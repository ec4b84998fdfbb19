#include "report/summary.h"

#include <array>
#include <iomanip>
#include <ostream>
#include <stdexcept>

#include "model/visible_text.h"
#include "report/json_object.h"

namespace diskrelease {
namespace {

/// Up to so many items are counted once more from the evidence before a summary is given: that
/// takes less than a second. For longer lists the derived tables are trusted.
constexpr std::int64_t k_most_recounted = 100'000;

constexpr std::array k_states{ItemState::released, ItemState::already_gone, ItemState::rejected,
                              ItemState::failed,   ItemState::skipped,      ItemState::unknown,
                              ItemState::pending};

std::string_view label(ItemState state) {
  return state == ItemState::already_gone ? "already gone" : to_text(state);
}

std::string_view explain_reason(std::string_view reason) {
  if (reason == "released_before") return "an earlier run in this database has released the disk";
  if (reason == "destroyed_before") return "another run in this database has destroyed the disk";
  if (reason == "unsettled_before") {
    return "an earlier run may have released the disk; its outcome is unknown";
  }
  if (reason == "claimed_elsewhere") {
    return "another audit database has released the disk, or is at work on it";
  }
  if (reason == "unsettled_elsewhere") {
    return "another audit database may have released the disk; it has to be settled there";
  }
  if (reason == "max_attempts") return "no attempt could be sent";
  if (reason == "throttled_too_often") return "the API has refused every attempt for rate";
  if (reason == "in_transition") return "the disk did not leave a transitional status";
  if (reason == "recycled_before") {
    return "was in the recycle bin already; --include-recycled purges such disks";
  }
  if (reason == "not_found") return "no such disk: mistyped, another account's, or gone before";
  if (reason == "in_use") return "the disk is attached to an instance; detach it first";
  if (reason == "system_disk") return "a boot disk goes away with its instance";
  if (reason == "not_portable")
    return "the disk cannot be detached; it goes away with its instance";
  if (reason == "portable_not_known") {
    return "the API does not say whether the disk can be detached";
  }
  if (reason == "absent_not_in_bin") {
    return "absent, though released disks of this run are in the recycle bin";
  }
  if (reason == "attached") return "the disk is called AVAILABLE, but it has an instance";
  if (reason == "creation_failed") return "the disk's creation has failed";
  if (reason == "status_not_known") return "the disk has a status that this version does not know";
  if (reason == "status_refused") return "the API has refused the disk's status every time";
  if (reason == "restored") return "somebody has taken the disk out of the recycle bin";
  if (reason == "recycled") return "was in the recycle bin already; a call would have destroyed it";
  if (reason == "deleting") return "was being destroyed already";
  if (reason == "absent") return "has gone since it was last seen";
  if (reason == k_destroyed_reason) return "destroyed by a second release of somebody else";
  if (reason == k_foreign_release_reason) return "somebody else releases disks of this account";
  if (reason == "settled_executed") return "outcome unknown at first, settled later";
  if (reason == "settled_gone") return "outcome unknown; seen in the recycle bin or beyond";
  if (reason == "settled_refused") return "outcome unknown at first; the disk is attached";
  return {};
}

/// The items of its state are counted with the others; this says what is wrong with some of them.
void print_foreign(std::ostream& out, const ForeignCounts& foreign, bool colour) {
  if (foreign.destroyed == 0) return;
  out << (colour ? "\x1b[31m" : "") << "    " << std::setw(9) << foreign.destroyed
      << "  DESTROYED: released here and by somebody else as well: disk ";
  for (const std::string& disk : foreign.destroyed_disks) {
    if (&disk != &foreign.destroyed_disks.front()) out << ", ";
    out << disk;
  }
  if (foreign.destroyed > std::ssize(foreign.destroyed_disks)) out << ", ...";
  out << (colour ? "\x1b[0m" : "") << '\n';
}

void print_verified(std::ostream& out, const VerifiedCounts& verified, bool colour) {
  const auto line = [&](std::int64_t count, std::string_view text) {
    if (count > 0) out << "    " << std::setw(9) << count << "  " << text << '\n';
  };
  line(verified.recycled, "seen in the recycle bin");
  line(verified.destroyed, "seen destroyed");
  line(verified.gone, "gone from the account");
  line(verified.leaving, "not yet: on their way");
  line(verified.not_read, "not read back");
  if (verified.still_there == 0) return;
  if (colour) out << "\x1b[31m";
  line(verified.still_there, "ACCEPTED BUT STILL THERE");
  if (colour) out << "\x1b[0m";
}

}  // namespace

std::string_view explain_ending(const EndingCount& ending, const ExplainCode& explain) {
  const std::string_view reason = explain_reason(ending.code);
  return reason.empty() ? explain(ending.code) : reason;
}

Summary summarise(Database& database, const RunRecord& run) {
  const Snapshot snapshot(database);
  Summary summary;
  summary.run = run;
  summary.counts = count_states(database, run);
  summary.endings = count_endings(database, run);
  summary.verified = count_verified(database, run);
  summary.foreign = count_foreign(database, run);
  if (summary.counts.total() != run.item_count) {
    throw std::logic_error("run " + std::to_string(run.id.value) + ": " +
                           std::to_string(run.item_count) + " items were listed, " +
                           std::to_string(summary.counts.total()) + " are accounted for");
  }
  if (run.item_count <= k_most_recounted &&
      recount_states(database, run).by_state != summary.counts.by_state) {
    throw std::logic_error("run " + std::to_string(run.id.value) +
                           ": the derived tables do not count what the evidence says");
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
    if (state == ItemState::released) {
      print_verified(out, summary.verified, colour);
      print_foreign(out, summary.foreign, colour);
    }
    for (const EndingCount& ending : summary.endings) {
      if (ending.state != state || ending.code.empty()) continue;
      out << "    " << std::setw(9) << ending.items << "  " << visible(ending.code);
      const std::string_view text = explain_ending(ending, explain);
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
    // Some details begin with their cause.
    if (!summary.end_cause.empty() && !summary.end_detail.starts_with(summary.end_cause + ":")) {
      out << ": " << summary.end_cause;
    }
    if (!summary.end_detail.empty()) out << ": " << visible(summary.end_detail);
    out << '\n';
  }
  if (summary.chain.block > 0) {
    out << "  audit        block " << summary.chain.block << ", " << summary.chain.hash << '\n';
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
        .add_optional("meaning", explain_ending(ending, explain))
        .add("items", ending.items)
        .add("example_disk_id", ending.example_disk);
    endings += std::move(object).text();
  }
  endings += ']';
  JsonObject verified;
  verified.add("recycled", summary.verified.recycled)
      .add("destroyed", summary.verified.destroyed)
      .add("gone", summary.verified.gone)
      .add("leaving", summary.verified.leaving)
      .add("still_there", summary.verified.still_there)
      .add("not_read", summary.verified.not_read);
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
      .add_json("verified", std::move(verified).text())
      .add_json("endings", endings)
      .add("destroyed_by_second_release", summary.foreign.destroyed)
      .add("released_by_others", summary.foreign.released)
      .add_optional("end_reason", summary.end_reason)
      .add_optional("end_cause", summary.end_cause)
      .add_optional("end_detail", summary.end_detail)
      .add("exit_code",
           summary.exit_code ? std::optional<std::int64_t>(*summary.exit_code) : std::nullopt)
      .add("chain_block",
           summary.chain.block > 0 ? std::optional(summary.chain.block) : std::nullopt)
      .add_optional("chain_hash", summary.chain.hash)
      .add_optional("next_command", summary.next_command);
  return std::move(object).text();
}

}  // namespace diskrelease
