#include "report/html_report.h"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <vector>

#include "queries/report_queries.h"
#include "report/html.h"
#include "report/report_page.h"
#include "report/svg_chart.h"

namespace diskrelease {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::size_t k_most_columns = 60;    ///< of a timeline
constexpr std::size_t k_most_timelines = 10;  ///< a run that a timer resumes has many invocations
constexpr std::size_t k_most_invocations = 200;
constexpr std::int64_t k_most_decisions = 500;

/// Widths of a column, in milliseconds: numbers that a reader of clocks expects.
constexpr std::array<std::int64_t, 24> k_widths{
    10,         20,         50,         100,         200,         500,
    1'000,      2'000,      5'000,      10'000,      30'000,      60'000,
    120'000,    300'000,    600'000,    1'800'000,   3'600'000,   7'200'000,
    21'600'000, 43'200'000, 86'400'000, 172'800'000, 604'800'000, 2'592'000'000};

/// The least one of k_widths with which a timeline has at most k_most_columns.
milliseconds column_width(milliseconds span) {
  for (const std::int64_t width : k_widths) {
    if (span.count() / width < static_cast<std::int64_t>(k_most_columns))
      return milliseconds(width);
  }
  // Times that nobody has lived through: a clock was wrong.
  return milliseconds(span.count() / static_cast<std::int64_t>(k_most_columns) + 1);
}

/// Where in time a column begins, as exact as its width asks for.
std::string clock_label(UtcTime time, milliseconds width, milliseconds span) {
  std::string full = format_utc(time);  // 2026-11-24T03:04:05.678Z
  if (full.size() != 24) return full;
  if (width < std::chrono::seconds(1)) return full.substr(11, 11);
  if (span < std::chrono::hours(24))
    return full.substr(11, width < std::chrono::minutes(1) ? 8 : 5);
  return full.substr(5, 5) + " " + full.substr(11, 5);
}

/// "850 us", "12.3 ms", "1.2 s"
std::string spoken_latency(microseconds latency) {
  const auto us = static_cast<double>(latency.count());
  if (us < 1'000) return decimal(us, 0) + " µs";
  if (us < 1'000'000) return decimal(us / 1'000, us < 10'000 ? 2 : 1) + " ms";
  return decimal(us / 1'000'000, 2) + " s";
}

std::string requests(std::int64_t count) {
  return grouped(count) + (count == 1 ? " request" : " requests");
}

std::string a_second(double rate) { return decimal(rate, rate < 10 ? 2 : 1) + " a second"; }

/// What the reader of a row asks first, in the form of count_endings.
std::string code_of(const ItemRow& row) {
  if (row.state == "failed") return row.decision_reason;
  if (row.state == "rejected" && !row.decision_reason.empty()) return row.decision_reason;
  if (row.state == "rejected" && !row.settled.empty()) return "settled_" + row.settled;
  if (!row.last_api_code.empty()) return row.last_api_code;
  if (row.last_http_status && *row.last_http_status != 200) {
    return "HTTP " + std::to_string(*row.last_http_status);
  }
  return {};
}

std::string_view label(Attention attention) noexcept {
  return attention == Attention::still_there ? "accepted, still there" : label(state_of(attention));
}

/// The section about one run; what it reads is of one moment.
class RunReport {
 public:
  RunReport(Html& page, Database& database, const RunRecord& run, const ReportContext& context)
      : page_(page),
        database_(database),
        run_(run),
        context_(context),
        summary_(summarise(database, run)),
        invocations_(read_invocations(database, run.id)) {}

  void write() {
    const RunDescription& about = run_.description;
    begin_page(page_, "Run " + std::to_string(run_.id.value) + ": " + about.name);
    write_head();
    begin_section(page_, "outcome", "Outcome");
    write_totals(page_,
                 {summary_.counts, summary_.verified, run_.item_count, run_.duplicate_count, true});
    write_foreign();
    page_.raw("<h3>Codes and reasons</h3>\n");
    write_endings(page_, summary_.endings, context_.explain);
    end_section(page_);
    write_who();
    write_timelines();
    write_latencies();
    begin_section(page_, "answers", "Calls and how they ended");
    page_.raw(
        "<p class=\"quiet\">Each attempt counts: a disk that was throttled twice and then accepted "
        "has three.</p>\n");
    diskrelease::write_answers(page_, read_answers(database_, run_, k_most_codes),
                               context_.explain);
    end_section(page_);
    begin_section(page_, "record", "The record");
    diskrelease::write_record(page_, read_chain_head(database_), context_);
    end_section(page_);
    write_attention();
    end_page(page_, context_);
  }

 private:
  void write_foreign() {
    const ForeignCounts& foreign = summary_.foreign;
    if (foreign.destroyed > 0) {
      page_.raw("<p id=\"destroyed\"><strong>Destroyed: ")
          .count(foreign.destroyed)
          .raw(foreign.destroyed == 1 ? Markup(" disk was") : Markup(" disks were"))
          .raw(" released here and by somebody else as well.</strong> Disk ");
      for (const std::string& disk : foreign.destroyed_disks) {
        if (&disk != &foreign.destroyed_disks.front()) page_.raw(", ");
        page_.text(disk);
      }
      page_.raw(foreign.destroyed > std::ssize(foreign.destroyed_disks)
                    ? Markup(", and others.</p>\n")
                    : Markup(".</p>\n"));
    }
    if (foreign.released > 0) {
      page_.raw("<p id=\"foreign\"><strong>")
          .count(foreign.released)
          .raw(foreign.released == 1 ? Markup(" disk was") : Markup(" disks were"))
          .raw(" released by somebody else</strong> while this run was about to.</p>\n");
    }
  }

  [[nodiscard]] std::int64_t count(Attention attention) const {
    if (attention == Attention::still_there) return summary_.verified.still_there;
    return summary_.counts[state_of(attention)];
  }

  [[nodiscard]] std::int64_t count_attention() const {
    std::int64_t sum = 0;
    for (const Attention attention : k_attention) sum += count(attention);
    return sum;
  }

  void write_head() {
    const RunDescription& about = run_.description;
    page_.raw("<header>\n<h1>Run ")
        .count(run_.id.value)
        .raw(": <bdi>")
        .text(about.name)
        .raw("</bdi></h1>\n");
    if (about.sandbox) {
      page_.raw("<p><span class=\"badge\">simulated: no disk anywhere was touched</span></p>\n");
    }
    const std::int64_t released = summary_.counts[ItemState::released];
    page_.raw("<p class=\"lead\">").count(released).raw(" of ").count(run_.item_count);
    page_.text(run_.item_count == 1 ? " disk was released" : " disks were released");
    const std::int64_t attention = count_attention();
    if (attention == 0) {
      page_.raw("; nothing needs attention.</p>\n");
    } else {
      page_.raw("; <a href=\"#attention\"><span id=\"attention-count\">")
          .count(attention)
          .raw("</span> ")
          .text(attention == 1 ? "needs" : "need")
          .raw(" attention</a>.</p>\n");
    }
    if (!invocations_.empty() && invocations_.back().end_reason.empty()) {
      page_.raw(
          "<p class=\"warning\">The latest invocation had no end on record when this page was "
          "made: it worked still, or had died.</p>\n");
    }
    page_.raw("<dl>\n<dt>goal</dt><dd>")
        .text(to_text(about.goal))
        .text(about.goal == Goal::release ? ": exactly one accepted call for each disk"
                                          : ": until the disk is gone for good")
        .raw("</dd>\n<dt>list</dt><dd><code>")
        .text(about.list_source)
        .raw("</code> (")
        .text(about.list_format)
        .raw(")</dd>\n<dt>SHA-256 of the ids</dt><dd><code>")
        .text(run_.list_sha256)
        .raw("</code></dd>\n<dt>endpoint</dt><dd><code>")
        .text(about.endpoint)
        .raw("</code></dd>\n<dt>made</dt><dd>")
        .time(run_.created)
        .raw("</dd>\n<dt>seed</dt><dd>")
        .text(std::to_string(about.random_seed))
        .raw(
            "</dd>\n</dl>\n<nav aria-label=\"Sections\"><ul><li><a href=\"#outcome\">Outcome</a>"
            "</li><li><a href=\"#who\">Who and when</a></li><li><a href=\"#rate\">Requests and "
            "rate</a></li><li><a href=\"#latency\">Latency</a></li><li><a href=\"#answers\">Calls"
            "</a></li><li><a href=\"#record\">The record</a></li><li><a href=\"#attention\">Needs "
            "attention</a></li></ul></nav>\n</header>\n<main>\n");
  }

  void write_who() {
    begin_section(page_, "who", "Who and when");
    std::map<std::int64_t, std::vector<RunDecision>> decisions;
    for (RunDecision& decision : read_run_decisions(database_, run_.id, k_most_decisions)) {
      decisions[decision.invocation_id].push_back(std::move(decision));
    }
    const std::size_t skipped =
        invocations_.size() > k_most_invocations ? invocations_.size() - k_most_invocations : 0;
    if (skipped > 0) {
      page_.raw("<p>The latest ")
          .count(static_cast<std::int64_t>(k_most_invocations))
          .raw(" invocations; ")
          .count(static_cast<std::int64_t>(skipped))
          .raw(" earlier ones are left out: <code>diskrelease status ")
          .text(std::to_string(run_.id.value))
          .text(context_.database_flag)
          .raw("</code></p>\n");
    }
    page_.raw(
        "<div class=\"scroll\"><table id=\"invocations\"><thead><tr>"
        "<th scope=\"col\">Invocation</th><th scope=\"col\">By</th><th scope=\"col\">Credential"
        "</th><th scope=\"col\">Endpoint</th><th scope=\"col\">Started</th><th scope=\"col\">Ended"
        "</th><th scope=\"col\">End</th><th scope=\"col\">Decided</th></tr></thead><tbody>\n");
    for (std::size_t i = skipped; i < invocations_.size(); ++i) {
      write_invocation(invocations_[i], decisions[invocations_[i].invocation_id]);
    }
    page_.raw("</tbody></table></div>\n");
    end_section(page_);
  }

  void write_invocation(const InvocationRow& row, const std::vector<RunDecision>& decisions) {
    const InvocationDescription& by = row.description;
    page_.raw("<tr><td>")
        .count(row.invocation_id)
        .raw(" ")
        .text(by.command)
        .raw("<span class=\"small\">pid ")
        .text(std::to_string(by.pid))
        .raw(", version ")
        .text(by.tool_version)
        .raw("</span></td><td>")
        .text(by.user)
        .raw("<span class=\"small\">on ")
        .text(by.host)
        .raw("</span></td><td><code>")
        .text(by.credential_id)
        .raw("</code><span class=\"small\">")
        .text(by.credential_source)
        .raw("</span></td><td><code>")
        .text(by.endpoint)
        .raw("</code></td><td class=\"whole\">")
        .time(row.started)
        .raw("</td><td class=\"whole\">");
    if (row.ended) {
      page_.time(*row.ended)
          .raw("<span class=\"small\">after ")
          .text(spoken(*row.ended - row.started))
          .raw("</span>");
    }
    page_.raw("</td><td>");
    if (row.end_reason.empty()) page_.raw("no end on record");
    page_.text(row.end_reason);
    if (row.exit_code) page_.raw(", exit code ").text(std::to_string(*row.exit_code));
    page_.raw("<span class=\"small\">").text(row.end_detail).raw("</span></td><td>");
    for (const RunDecision& decision : decisions) {
      page_.text(decision.kind)
          .raw(": ")
          .text(decision.reason)
          .raw("<span class=\"small\">")
          .text(decision.detail)
          .raw("</span>");
    }
    page_.raw("</td></tr>\n");
  }

  void write_timelines() {
    begin_section(page_, "rate", "Requests and rate");
    std::vector<Activity> activities = read_activities(database_, run_);
    if (activities.empty()) page_.raw("<p>No request was sent.</p>\n");
    if (activities.size() > k_most_timelines) {
      const auto skipped = static_cast<std::ptrdiff_t>(activities.size() - k_most_timelines);
      page_.raw("<p>The latest ")
          .count(static_cast<std::int64_t>(k_most_timelines))
          .raw(" invocations that sent requests; ")
          .count(skipped)
          .raw(" earlier ones are left out.</p>\n");
      activities.erase(activities.begin(), activities.begin() + skipped);
    }
    int chart = 10;
    for (const Activity& activity : activities) {
      const auto invocation =
          std::ranges::find(invocations_, activity.invocation_id, &InvocationRow::invocation_id);
      // Each attempt and read belongs to an invocation of its run, or the record is not sound.
      if (invocation == invocations_.end()) continue;
      write_timeline(activity, *invocation, chart++);
    }
    end_section(page_);
  }

  void write_timeline(const Activity& activity, const InvocationRow& invocation, int id) {
    const milliseconds span = activity.ended - activity.begun;
    const milliseconds width = column_width(span);
    // Columns begin where a clock shows a round time.
    const UtcTime begin(activity.begun.time_since_epoch() / width * width);
    const auto count = static_cast<std::size_t>((activity.ended - begin) / width) + 1;
    const std::vector<RequestCounts> timeline =
        read_timeline(database_, activity, {begin, width, count});
    const std::optional<RateLimit> allowed =
        context_.read_rate(invocation.description.settings_json);
    const double seconds = std::chrono::duration<double>(width).count();

    std::int64_t busiest = 0;
    std::vector<std::int64_t> sums(request_series().size());
    ColumnChart chart;
    chart.id = id;
    chart.title = "Requests of invocation " + std::to_string(activity.invocation_id) + " over time";
    chart.x_label = "time (UTC)";
    chart.y_label = "requests in " + spoken(width);
    chart.series = request_series();
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<std::int64_t> values = values_of(timeline[i]);
      std::int64_t sent = 0;
      for (std::size_t part = 0; part < values.size(); ++part) {
        sums[part] += values[part];
        sent += values[part];
      }
      busiest = std::max(busiest, sent - timeline[i].not_sent);
      chart.columns.push_back(
          {clock_label(begin + width * static_cast<int>(i), width, span), std::move(values)});
    }
    for (std::size_t part = 0; part < sums.size(); ++part) {
      if (sums[part] == 0) continue;
      chart.description += (chart.description.empty() ? "" : ", ") + grouped(sums[part]) + " " +
                           chart.series[part].name;
    }
    chart.description += ", from " + format_utc(activity.begun) + " to " +
                         format_utc(activity.ended) + "; at most " + requests(busiest) + " in " +
                         spoken(width);
    if (allowed && allowed->per_second) {
      chart.limit = *allowed->per_second * seconds;
      chart.limit_label = "allowed: " + a_second(*allowed->per_second);
    }

    page_.raw("<h3>Invocation ")
        .count(activity.invocation_id)
        .raw(" (")
        .text(invocation.description.command)
        .raw(")</h3>\n<p>");
    write_rate(activity, allowed);
    page_.raw(" The busiest ")
        .text(spoken(width))
        .raw(" had ")
        .text(requests(busiest))
        .raw(".</p>\n<figure>\n");
    write_column_chart(page_, chart);
    page_.raw("<figcaption>").text(chart.description).raw(".</figcaption>\n</figure>\n");
    page_.raw(
        "<details><summary>Numbers and settings</summary>\n<div class=\"scroll\"><table><thead>"
        "<tr><th scope=\"col\">From</th>");
    write_request_heads(page_);
    page_.raw("</tr></thead><tbody>\n");
    for (std::size_t i = 0; i < count; ++i) {
      if (std::ranges::all_of(chart.columns[i].values, [](auto value) { return value == 0; })) {
        continue;
      }
      page_.raw("<tr><th scope=\"row\" class=\"whole\">")
          .text(format_utc(begin + width * static_cast<int>(i)))
          .raw("</th>");
      write_request_cells(page_, timeline[i]);
      page_.raw("</tr>\n");
    }
    page_.raw("</tbody></table></div>\n<pre>")
        .text(invocation.description.settings_json)
        .raw("</pre></details>\n");
  }

  /// What was achieved, and what was allowed.
  void write_rate(const Activity& activity, const std::optional<RateLimit>& allowed) {
    page_.text(requests(activity.paced_requests));
    page_.text(activity.attempts > 0 ? " up to the last release" : " (reads only)");
    if (activity.paced_requests > 1 && activity.paced_time > milliseconds(0)) {
      // So many intervals as requests but one.
      const double rate = static_cast<double>(activity.paced_requests - 1) /
                          std::chrono::duration<double>(activity.paced_time).count();
      page_.raw(" in ")
          .text(spoken(activity.paced_time))
          .raw(": <strong>")
          .text(a_second(rate))
          .raw("</strong> on average");
    }
    if (!allowed) {
      page_.raw("; what was allowed cannot be read from the settings on record.");
    } else if (!allowed->per_second) {
      page_.raw("; the rate was unlimited.");
    } else {
      page_.raw("; allowed were <strong>")
          .text(a_second(*allowed->per_second))
          .raw("</strong>, shared by releases, reads and other processes with the credential");
      if (allowed->burst > 1) {
        page_.raw(", with bursts of ").count(allowed->burst);
      }
      page_.raw(".");
    }
  }

  void write_latencies() {
    begin_section(page_, "latency", "Latency");
    const Latencies latencies = read_latencies(database_, run_);
    if (latencies.answers == 0) {
      page_.raw("<p>No latency is on record.</p>\n");
      end_section(page_);
      return;
    }
    page_.raw("<p>Of ")
        .count(latencies.answers)
        .raw(" calls to <code>ReleaseDisk</code>, half took at most <strong id=\"p50\">")
        .text(spoken_latency(latencies.p50))
        .raw(
            "</strong> (p50) from the first byte sent to the end of the answer, 90 % at most "
            "<strong id=\"p90\">")
        .text(spoken_latency(latencies.p90))
        .raw("</strong> (p90), 99 % at most <strong id=\"p99\">")
        .text(spoken_latency(latencies.p99))
        .raw("</strong> (p99). The shortest took ")
        .text(spoken_latency(latencies.least))
        .raw(", the longest ")
        .text(spoken_latency(latencies.most))
        .raw(".</p>\n<figure>\n");
    ColumnChart chart;
    chart.id = 2;
    chart.title = "Calls by latency";
    chart.description = grouped(latencies.answers) + " calls; p50 " +
                        spoken_latency(latencies.p50) + ", p90 " + spoken_latency(latencies.p90) +
                        ", p99 " + spoken_latency(latencies.p99);
    chart.x_label = "latency from (steps grow with it)";
    chart.y_label = "calls";
    chart.series = {{"accepted", "calls"}};
    for (const LatencyBin& bin : latencies.bins) {
      chart.columns.push_back({spoken_latency(bin.from), {bin.answers}});
    }
    write_column_chart(page_, chart);
    page_.raw(
        "</figure>\n<details><summary>Numbers</summary>\n<table id=\"latencies\"><thead><tr>"
        "<th scope=\"col\">From</th><th scope=\"col\">To below</th>"
        "<th scope=\"col\" class=\"number\">Calls</th></tr></thead><tbody>\n");
    for (const LatencyBin& bin : latencies.bins) {
      page_.raw("<tr><td>")
          .text(spoken_latency(bin.from))
          .raw("</td><td>")
          .text(spoken_latency(bin.to))
          .raw("</td><td class=\"number\">")
          .count(bin.answers)
          .raw("</td></tr>\n");
    }
    page_.raw("</tbody></table></details>\n");
    end_section(page_);
  }

  void write_attention() {
    begin_section(page_, "attention", "Disks that need attention");
    const std::int64_t all = count_attention();
    if (all == 0) {
      page_.raw("<p>None: nothing is unknown, still there, failed, rejected or pending.</p>\n");
      end_section(page_);
      return;
    }
    if (all > k_most_attention_rows) write_what_is_left_out(all);
    write_search(page_);
    page_.raw(
        "<div class=\"scroll\"><table id=\"items\"><thead><tr><th scope=\"col\">Disk</th>"
        "<th scope=\"col\">Line</th><th scope=\"col\">State</th><th scope=\"col\">Why</th>"
        "<th scope=\"col\">Attempts</th><th scope=\"col\">Last read as</th>"
        "<th scope=\"col\">Message and request id</th></tr></thead><tbody>\n");
    read_attention(database_, run_, k_most_attention_rows,
                   [&](Attention attention, const ItemRow& row) { write_item(attention, row); });
    page_.raw("</tbody></table></div>\n");
    end_section(page_);
  }

  /// The rows come in the order of k_attention, so the last kinds are cut off.
  void write_what_is_left_out(std::int64_t all) {
    page_.raw("<div class=\"warning\" id=\"left-out\"><p>The first ")
        .count(k_most_attention_rows)
        .raw(" of ")
        .count(all)
        .raw(" are shown; <strong>")
        .count(all - k_most_attention_rows)
        .raw(" more are not</strong>. These commands list all of a state:</p>\n<pre>");
    std::int64_t room = k_most_attention_rows;
    for (const Attention attention : k_attention) {
      const std::int64_t missing = count(attention) - std::min(room, count(attention));
      room -= std::min(room, count(attention));
      if (missing == 0) continue;
      page_.raw("diskrelease audit show ")
          .text(std::to_string(run_.id.value))
          .raw(" --state ")
          .text(to_text(state_of(attention)))
          .text(context_.database_flag)
          .raw("   # ")
          .count(missing)
          .raw(" ")
          .text(label(attention))
          .raw(" not shown\n");
    }
    page_.raw("</pre></div>\n");
  }

  void write_item(Attention attention, const ItemRow& row) {
    const EndingCount ending{state_of(attention), code_of(row), 1, {}};
    page_.raw("<tr><td class=\"mono whole\">")
        .text(row.disk_id)
        .raw("</td><td>")
        .text(std::to_string(row.source_line))
        .raw("</td><td class=\"whole\"><span class=\"swatch ")
        .raw(attention == Attention::still_there ? Markup("unknown") : colour(ending.state))
        .raw("\"></span>")
        .text(label(attention))
        .raw("</td><td>");
    page_.raw("<code>").text(ending.code).raw("</code><span class=\"small\">");
    if (attention == Attention::unknown) {
      // Without an outcome the attempt is open.
      page_.text(explain_answer(row.last_outcome.empty() ? "open" : row.last_outcome, ending.code,
                                context_.explain));
    } else if (attention == Attention::still_there) {
      page_.raw("accepted, but read since as if nothing had happened");
    } else if (attention == Attention::pending && row.attempts == 0) {
      page_.raw("nothing was sent yet");
    } else {
      page_.text(explain_ending(ending, context_.explain));
    }
    page_.raw("</span>");
    page_.raw("</td><td>")
        .text(std::to_string(row.attempts))
        .raw("</td><td class=\"whole\">")
        .text(row.last_status)
        .raw("</td><td class=\"message\">")
        .text(row.last_message);
    if (!row.last_request_id.empty()) {
      page_.raw(" <code class=\"small\">").text(row.last_request_id).raw("</code>");
    }
    page_.raw("</td></tr>\n");
  }

  Html& page_;
  Database& database_;
  const RunRecord& run_;
  const ReportContext& context_;
  Summary summary_;
  std::vector<InvocationRow> invocations_;
};

}  // namespace

void write_run_report(std::ostream& out, Database& database, const RunRecord& run,
                      const ReportContext& context) {
  const Snapshot snapshot(database);
  Html page(out);
  RunReport(page, database, run, context).write();
}

}  // namespace diskrelease
