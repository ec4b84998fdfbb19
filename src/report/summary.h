#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/chain.h"
#include "queries/run_queries.h"
#include "store/database.h"

namespace diskrelease {

/// What an API code means, in a few words; empty if not known.
using ExplainCode = std::function<std::string_view(std::string_view)>;

/// How a run stands, and how the present invocation has ended.
struct Summary {
  RunRecord run;
  StateCounts counts;
  std::vector<EndingCount> endings;
  VerifiedCounts verified;
  ForeignCounts foreign;
  std::string end_reason;  ///< empty = not told, as for `status`
  std::string end_cause;
  std::string end_detail;
  std::optional<int> exit_code;
  ChainHead chain;           ///< block 0 = not told
  std::string next_command;  ///< empty = nothing is left to do
  std::string next_hint;     ///< what the next command does, or what a person has to do
};

/// What the code of an ending means, in a few words; empty if not known.
[[nodiscard]] std::string_view explain_ending(const EndingCount& ending,
                                              const ExplainCode& explain);

/// Reads counts and endings, of one moment; throws std::logic_error when the counts do not add up
/// to the items listed, and for a list of at most 100,000 items when they are not those of the
/// evidence.
[[nodiscard]] Summary summarise(Database& database, const RunRecord& run);

void print_summary(std::ostream& out, const Summary& summary, const ExplainCode& explain,
                   bool colour);

/// One line of JSON, {"event":"summary",...}; docs/json-output.md.
[[nodiscard]] std::string summary_json(const Summary& summary, const ExplainCode& explain);

}  // namespace diskrelease
