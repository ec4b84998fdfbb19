// Private to report.
#pragma once

#include <chrono>
#include <span>
#include <string>

#include "evidence/chain.h"
#include "queries/report_queries.h"
#include "report/html.h"
#include "report/html_report.h"
#include "report/svg_chart.h"

namespace diskrelease {

// The parts of a page that both reports have.

/// Different codes in a table; an API that invents codes must not make a page endless.
inline constexpr std::int64_t k_most_codes = 100;

[[nodiscard]] std::string_view label(ItemState state) noexcept;
/// The class of the style sheet that gives a state its colour.
[[nodiscard]] Markup colour(ItemState state) noexcept;

/// Head and beginning of the body, with a policy that allows this style and script and nothing
/// else.
void begin_page(Html& page, std::string_view title);
void end_page(Html& page, const ReportContext& context);

/// A section that a link can lead to.
void begin_section(Html& page, Markup id, Markup heading);
void end_section(Html& page);

/// "12.3 s", "4 min 10 s", "2 h 5 min".
[[nodiscard]] std::string spoken(std::chrono::milliseconds time);

/// What became of the disks, in seven states and their sum, and what reading has shown of the
/// released ones. `attention_links`: whether the page has a table to search in.
struct Totals {
  StateCounts counts;
  VerifiedCounts verified;
  std::int64_t listed = 0;
  std::int64_t duplicates = 0;
  bool attention_links = false;
};
void write_totals(Html& page, const Totals& totals);

/// Items by state and reason.
void write_endings(Html& page, std::span<const EndingCount> endings, const ExplainCode& explain);
/// What an outcome with this code means, in a few words; empty if there is nothing to say.
[[nodiscard]] std::string_view explain_answer(std::string_view outcome, std::string_view code,
                                              const ExplainCode& explain);
/// Attempts by outcome and code.
void write_answers(Html& page, const AnswerCounts& answers, const ExplainCode& explain);

/// The head of the hash chain, and how the record is held against it.
void write_record(Html& page, const ChainHead& head, const ReportContext& context);

/// The series of a chart of requests, and its values: the members of RequestCounts in their order.
[[nodiscard]] std::vector<ChartSeries> request_series();
[[nodiscard]] std::vector<std::int64_t> values_of(const RequestCounts& requests);
void write_request_heads(Html& page);
void write_request_cells(Html& page, const RequestCounts& requests);

/// Search box of the table with the id "items"; the script shows it.
void write_search(Html& page);

}  // namespace diskrelease
