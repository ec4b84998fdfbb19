#include <algorithm>
#include <map>
#include <stdexcept>
#include <vector>

#include "queries/find_run.h"
#include "queries/report_queries.h"
#include "report/html.h"
#include "report/html_report.h"
#include "report/report_page.h"
#include "report/svg_chart.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_most_runs = 1'000;
constexpr std::int64_t k_most_days_drawn = 120;
/// Different endings that are kept apart; what comes beyond is counted together.
constexpr std::size_t k_most_endings = 1'000;

constexpr std::chrono::days k_day{1};

struct RunTotals {
  RunRecord run;
  StateCounts counts;
  std::int64_t still_there = 0;
};

/// All runs together, and the newest each for itself.
struct PeriodTotals {
  Totals totals;
  std::vector<RunTotals> runs;
  std::int64_t run_count = 0;
  std::vector<EndingCount> endings;
};

void add(VerifiedCounts& sum, const VerifiedCounts& more) {
  sum.recycled += more.recycled;
  sum.destroyed += more.destroyed;
  sum.gone += more.gone;
  sum.leaving += more.leaving;
  sum.still_there += more.still_there;
  sum.not_read += more.not_read;
}

PeriodTotals read_totals(Database& database, UtcTime since) {
  PeriodTotals period;
  std::map<std::pair<ItemState, std::string>, EndingCount> endings;
  for (const RunId id : read_runs_since(database, since)) {
    std::optional<RunRecord> run = find_run(database, id);
    if (!run) continue;
    const StateCounts counts = count_states(database, *run);
    if (counts.total() != run->item_count) {
      throw std::logic_error("run " + std::to_string(id.value) + ": " +
                             std::to_string(run->item_count) + " items were listed, " +
                             std::to_string(counts.total()) + " are accounted for");
    }
    const VerifiedCounts verified = count_verified(database, *run);
    for (std::size_t i = 0; i < counts.by_state.size(); ++i) {
      period.totals.counts.by_state[i] += counts.by_state[i];
    }
    add(period.totals.verified, verified);
    period.totals.listed += run->item_count;
    period.totals.duplicates += run->duplicate_count;
    for (EndingCount& ending : count_endings(database, *run)) {
      if (ending.code.empty()) continue;
      std::pair key(ending.state, ending.code);
      if (endings.size() >= k_most_endings && !endings.contains(key)) {
        key.second = ending.code = "(others)";
      }
      // Runs come newest first: the example stays that of the newest.
      const auto [sum, is_new] = endings.try_emplace(std::move(key), ending);
      if (!is_new) sum->second.items += ending.items;
    }
    ++period.run_count;
    if (period.runs.size() < k_most_runs) {
      period.runs.push_back({std::move(*run), counts, verified.still_there});
    }
  }
  for (auto& [key, ending] : endings) period.endings.push_back(std::move(ending));
  std::ranges::stable_sort(period.endings, std::ranges::greater(), &EndingCount::items);
  return period;
}

std::string day_of(UtcTime day) { return format_utc(day).substr(0, 10); }

void write_days(Html& page, const std::vector<DayCount>& days) {
  if (days.empty()) {
    page.raw("<p>No request has ended since.</p>\n");
    return;
  }
  ColumnChart chart;
  chart.id = 2;
  chart.title = "Requests by day";
  chart.x_label = "day (UTC)";
  chart.y_label = "requests a day";
  chart.series = request_series();
  // Days without a request are shown as gaps; a long time is cut at its beginning.
  const UtcTime last = days.back().day;
  UtcTime day = std::max(days.front().day, last - k_day * (k_most_days_drawn - 1));
  auto next = std::ranges::lower_bound(days, day, {}, &DayCount::day);
  for (; day <= last; day += k_day) {
    RequestCounts requests;
    if (next != days.end() && next->day == day) requests = (next++)->requests;
    chart.columns.push_back({day_of(day).substr(5), values_of(requests)});
  }
  RequestCounts sum;
  for (const DayCount& one : days) {
    sum.accepted += one.requests.accepted;
    sum.refused += one.requests.refused;
    sum.throttled += one.requests.throttled;
    sum.unknown += one.requests.unknown;
    sum.not_sent += one.requests.not_sent;
    sum.reads += one.requests.reads;
  }
  chart.description = grouped(sum.accepted) + " accepted, " + grouped(sum.refused) + " refused, " +
                      grouped(sum.throttled) + " throttled, " + grouped(sum.unknown) +
                      " unknown, " + grouped(sum.not_sent) + " not sent, " + grouped(sum.reads) +
                      " reads of disks, from " + day_of(days.front().day) + " to " + day_of(last);
  page.raw("<figure>\n");
  write_column_chart(page, chart);
  page.raw("<figcaption>").text(chart.description).raw(".</figcaption>\n</figure>\n");

  page.raw(
      "<div class=\"scroll\"><table id=\"requests-by-day\"><thead><tr><th scope=\"col\">Day</th>");
  write_request_heads(page);
  page.raw("</tr></thead><tbody>\n");
  for (const DayCount& one : days) {
    page.raw("<tr><th scope=\"row\">").text(day_of(one.day)).raw("</th>");
    write_request_cells(page, one.requests);
    page.raw("</tr>\n");
  }
  page.raw("</tbody><tfoot><tr><th scope=\"row\">together</th>");
  write_request_cells(page, sum);
  page.raw("</tr></tfoot></table></div>\n");
}

void write_runs(Html& page, const PeriodTotals& period, const ReportContext& context) {
  if (period.run_count > std::ssize(period.runs)) {
    page.raw("<p class=\"warning\">The newest ")
        .count(std::ssize(period.runs))
        .raw(" of ")
        .count(period.run_count)
        .raw(" runs are shown; the totals above are of all. One run: <code>diskrelease status RUN")
        .text(context.database_flag)
        .raw("</code></p>\n");
  }
  write_search(page);
  page.raw(
      "<div class=\"scroll\"><table id=\"items\"><thead><tr><th scope=\"col\">Run</th>"
      "<th scope=\"col\">Name</th><th scope=\"col\">Made</th><th scope=\"col\">Goal</th>"
      "<th scope=\"col\">Endpoint</th><th scope=\"col\" class=\"number\">Listed</th>"
      "<th scope=\"col\" class=\"number\">Released</th><th scope=\"col\" class=\"number\">Gone</th>"
      "<th scope=\"col\" class=\"number\">Rejected</th><th scope=\"col\" class=\"number\">Failed"
      "</th><th scope=\"col\" class=\"number\">Skipped</th><th scope=\"col\" class=\"number\">"
      "Unknown</th><th scope=\"col\" class=\"number\">Pending</th>"
      "<th scope=\"col\" class=\"number\">Still there</th></tr></thead><tbody>\n");
  for (const RunTotals& one : period.runs) {
    page.raw("<tr><td>")
        .text(std::to_string(one.run.id.value))
        .raw("</td><td class=\"message\">")
        .text(one.run.description.name)
        .raw("</td><td class=\"whole\">")
        .time(one.run.created)
        .raw("</td><td>")
        .text(to_text(one.run.description.goal))
        .raw("</td><td>")
        .text(one.run.description.endpoint)
        .raw("</td><td class=\"number\">")
        .count(one.run.item_count)
        .raw("</td>");
    for (const ItemState state :
         {ItemState::released, ItemState::already_gone, ItemState::rejected, ItemState::failed,
          ItemState::skipped, ItemState::unknown, ItemState::pending}) {
      page.raw("<td class=\"number\">").count(one.counts[state]).raw("</td>");
    }
    page.raw("<td class=\"number\">").count(one.still_there).raw("</td></tr>\n");
  }
  page.raw("</tbody></table></div>\n");
}

}  // namespace

void write_period_report(std::ostream& out, Database& database, UtcTime since,
                         const ReportContext& context) {
  const Snapshot snapshot(database);
  const PeriodTotals period = read_totals(database, since);
  Html page(out);
  begin_page(page, "Runs since " + format_utc(since));
  page.raw("<header>\n<h1>Runs since ").time(since).raw("</h1>\n");
  if (is_sandbox_database(database).value_or(false)) {
    page.raw("<p><span class=\"badge\">simulated: no disk anywhere was touched</span></p>\n");
  }
  page.raw("<p class=\"lead\">").count(period.run_count);
  page.text(period.run_count == 1 ? " run" : " runs");
  page.raw(" with ")
      .count(period.totals.listed)
      .raw(" disks, of which ")
      .count(period.totals.counts[ItemState::released])
      .raw(
          " were released.</p>\n<p class=\"quiet\">Runs that were made or worked on since then, "
          "each with all of its disks. Days and calls count what has ended since then.</p>\n"
          "<nav aria-label=\"Sections\"><ul><li><a href=\"#outcome\">Outcome</a></li><li>"
          "<a href=\"#days\">Days</a></li><li><a href=\"#answers\">Calls</a></li>"
          "<li><a href=\"#record\">The record</a></li><li><a href=\"#attention\">Runs</a></li>"
          "</ul></nav>\n</header>\n<main>\n");
  begin_section(page, "outcome", "Outcome");
  write_totals(page, period.totals);
  page.raw("<h3>Codes and reasons</h3>\n");
  write_endings(page, period.endings, context.explain);
  end_section(page);
  begin_section(page, "days", "Requests by day");
  write_days(page, read_days(database, since));
  end_section(page);
  begin_section(page, "answers", "Calls and how they ended");
  write_answers(page, read_answers_since(database, since, k_most_codes), context.explain);
  end_section(page);
  begin_section(page, "record", "The record");
  write_record(page, read_chain_head(database), context);
  end_section(page);
  begin_section(page, "attention", "Runs");
  write_runs(page, period, context);
  end_section(page);
  end_page(page, context);
}

}  // namespace diskrelease
