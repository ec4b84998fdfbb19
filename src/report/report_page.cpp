#include "report/report_page.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "evidence/anchor_file.h"
#include "platform/sha256.h"
#include "report/page_source.h"

namespace diskrelease {
namespace {

constexpr std::array k_states{ItemState::released, ItemState::already_gone, ItemState::rejected,
                              ItemState::failed,   ItemState::skipped,      ItemState::unknown,
                              ItemState::pending};

/// 'sha256-...' of a content security policy.
std::string policy_hash(std::string_view content) {
  Sha256 sha;
  sha.update(content);
  const Sha256::Digest digest = sha.finish();
  std::array<unsigned char, 32> bytes{};
  std::copy(digest.begin(), digest.end(), bytes.begin());
  std::array<unsigned char, 45> encoded{};  // four for each three bytes begun, and a NUL
  const int length = EVP_EncodeBlock(encoded.data(), bytes.data(), static_cast<int>(bytes.size()));
  return "'sha256-" + std::string(encoded.begin(), encoded.begin() + length) + "'";
}

std::string_view meaning(ItemState state) noexcept {
  switch (state) {
    case ItemState::released:
      return "the call was accepted, or has proved to have worked";
    case ItemState::already_gone:
      return "was in the recycle bin or gone; nothing more was sent";
    case ItemState::rejected:
      return "refused for this disk, by the API or by what was read of it";
    case ItemState::failed:
      return "given up; no call has worked";
    case ItemState::skipped:
      return "left out, for what other runs have done";
    case ItemState::unknown:
      return "may or may not have been released; it is not sent again";
    case ItemState::pending:
      return "still to be sent";
  }
  return {};
}

bool needs_attention(ItemState state) noexcept {
  return state == ItemState::unknown || state == ItemState::failed ||
         state == ItemState::rejected || state == ItemState::pending;
}

/// "97.5 %", rounded towards the side that does not say all or nothing.
std::string share(std::int64_t part, std::int64_t whole) {
  if (part == 0 || whole == 0) return "";
  if (part == whole) return "100 %";
  const double percent = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  if (percent < 0.1) return "< 0.1 %";
  const auto tenths = static_cast<std::int64_t>(percent * 10);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " %";
}

void write_verified(Html& page, const VerifiedCounts& verified, std::int64_t released) {
  page.raw(
      "<div>\n<h3>What reading has shown of the released disks</h3>\n"
      "<table id=\"verified\"><tbody>\n");
  const auto row = [&](Markup id, std::int64_t count, Markup text) {
    page.raw("<tr><th scope=\"row\">")
        .raw(text)
        .raw("</th><td class=\"number\" id=\"verified-")
        .raw(id)
        .raw("\">")
        .count(count)
        .raw("</td></tr>\n");
  };
  row("recycled", verified.recycled, "seen in the recycle bin");
  row("destroyed", verified.destroyed, "seen destroyed");
  row("gone", verified.gone, "gone from the account");
  row("leaving", verified.leaving, "on their way");
  row("not_read", verified.not_read, "not read back");
  row("still_there", verified.still_there, "<strong>accepted, but still there</strong>");
  page.raw("</tbody><tfoot><tr><th scope=\"row\">released</th><td class=\"number\">")
      .count(released)
      .raw("</td></tr></tfoot></table>\n</div>\n");
}

}  // namespace

std::string_view label(ItemState state) noexcept {
  return state == ItemState::already_gone ? "already gone" : to_text(state);
}

Markup colour(ItemState state) noexcept {
  switch (state) {
    case ItemState::released:
      return "released";
    case ItemState::already_gone:
      return "gone";
    case ItemState::rejected:
      return "rejected";
    case ItemState::failed:
      return "failed";
    case ItemState::skipped:
      return "skipped";
    case ItemState::unknown:
      return "unknown";
    case ItemState::pending:
      return "pending";
  }
  return "pending";
}

void begin_page(Html& page, std::string_view title) {
  page.raw(
          "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src ")
      .text(policy_hash(k_page_style))
      .raw("; script-src ")
      .text(policy_hash(k_page_script))
      .raw(
          "; base-uri 'none'; form-action 'none'\">\n"
          "<meta name=\"referrer\" content=\"no-referrer\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>")
      .text(title)
      .raw("</title>\n<style>")
      .raw(k_page_style)
      .raw("</style>\n</head>\n<body>\n");
}

void end_page(Html& page, const ReportContext& context) {
  page.raw("</main>\n<footer><p>Made by diskrelease ")
      .text(context.tool_version)
      .raw(" at ")
      .time(context.made)
      .raw(" from <code>")
      .text(context.database)
      .raw("</code>. All times are UTC. The page loads nothing from anywhere.</p></footer>\n")
      .raw("<script>")
      .raw(k_page_script)
      .raw("</script>\n</body>\n</html>\n");
}

std::string_view explain_answer(std::string_view outcome, std::string_view code,
                                const ExplainCode& explain) {
  const std::string_view known = explain(code);
  if (!known.empty()) return known;
  if (outcome == "open") return "no end on record: under way, or its process has died";
  if (outcome != "unknown") return {};
  return code.empty() ? "no answer came; it may have been carried out"
                      : "this answer does not prove what happened";
}

void begin_section(Html& page, Markup id, Markup heading) {
  page.raw("<section id=\"").raw(id).raw("\">\n<h2>").raw(heading).raw("</h2>\n");
}

void end_section(Html& page) { page.raw("</section>\n"); }

std::string spoken(std::chrono::milliseconds time) {
  const std::int64_t seconds = time.count() / 1'000;
  if (seconds < 1) return std::to_string(time.count()) + " ms";
  if (seconds < 60) return decimal(static_cast<double>(time.count()) / 1'000, 1) + " s";
  if (seconds < 3'600) {
    return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
  }
  return grouped(seconds / 3'600) + " h " + std::to_string(seconds / 60 % 60) + " min";
}

void write_totals(Html& page, const Totals& totals) {
  ShareBar bar;
  bar.id = 1;
  bar.title = "Disks by state";
  for (const ItemState state : k_states) {
    const std::int64_t count = totals.counts[state];
    bar.parts.push_back({colour(state), std::string(label(state)), count});
    if (count == 0) continue;
    bar.description +=
        (bar.description.empty() ? "" : ", ") + grouped(count) + " " + std::string(label(state));
  }
  page.raw("<figure>\n");
  write_share_bar(page, bar);
  page.raw("</figure>\n<div class=\"columns\">\n<div>\n<table id=\"states\"><tbody>\n");
  for (const ItemState state : k_states) {
    const std::int64_t count = totals.counts[state];
    page.raw("<tr><th scope=\"row\" class=\"whole\"><span class=\"swatch ")
        .raw(colour(state))
        .raw("\"></span>");
    const bool is_link = totals.attention_links && count > 0 && needs_attention(state);
    if (is_link) page.raw("<a href=\"#attention\" data-q=\"").text(to_text(state)).raw("\">");
    page.text(label(state));
    if (is_link) page.raw("</a>");
    page.raw("</th><td>")
        .text(meaning(state))
        .raw("</td><td class=\"number\" id=\"state-")
        .text(to_text(state))
        .raw("\">")
        .count(count)
        .raw("</td><td class=\"number\">")
        .text(share(count, totals.listed))
        .raw("</td></tr>\n");
  }
  page.raw("</tbody><tfoot><tr><th scope=\"row\">listed</th><td>");
  if (totals.duplicates > 0) {
    page.raw("and ").count(totals.duplicates).raw(" more lines that name a disk again");
  }
  page.raw("</td><td class=\"number\" id=\"listed\">")
      .count(totals.listed)
      .raw("</td><td></td></tr></tfoot></table>\n</div>\n");
  if (totals.counts[ItemState::released] > 0) {
    write_verified(page, totals.verified, totals.counts[ItemState::released]);
  }
  page.raw("</div>\n");
}

void write_endings(Html& page, std::span<const EndingCount> endings, const ExplainCode& explain) {
  page.raw(
      "<div class=\"scroll\"><table id=\"endings\"><thead><tr><th scope=\"col\">State</th>"
      "<th scope=\"col\">Code or reason</th><th scope=\"col\">Meaning</th>"
      "<th scope=\"col\" class=\"number\">Disks</th><th scope=\"col\">For example</th>"
      "</tr></thead><tbody>\n");
  std::int64_t shown = 0;
  std::int64_t left_out = 0;
  for (const EndingCount& ending : endings) {
    if (ending.code.empty()) continue;
    if (++shown > k_most_codes) {
      ++left_out;
      continue;
    }
    page.raw("<tr><td class=\"whole\">")
        .text(label(ending.state))
        .raw("</td><td><code>")
        .text(ending.code)
        .raw("</code></td><td>")
        .text(explain_ending(ending, explain))
        .raw("</td><td class=\"number\">")
        .count(ending.items)
        .raw("</td><td class=\"mono\">")
        .text(ending.example_disk)
        .raw("</td></tr>\n");
  }
  page.raw("</tbody></table></div>\n");
  if (shown == 0) page.raw("<p class=\"quiet\">No disk has a code or reason to tell.</p>\n");
  if (left_out > 0) {
    page.raw("<p>").count(left_out).raw(" rarer codes or reasons are left out.</p>\n");
  }
}

void write_answers(Html& page, const AnswerCounts& answers, const ExplainCode& explain) {
  page.raw(
      "<div class=\"scroll\"><table id=\"outcomes\"><thead><tr><th scope=\"col\">Outcome</th>"
      "<th scope=\"col\">Code</th><th scope=\"col\">Meaning</th>"
      "<th scope=\"col\">Settled later as</th><th scope=\"col\" class=\"number\">Calls</th>"
      "<th scope=\"col\">For example</th></tr></thead><tbody>\n");
  std::int64_t calls = 0;
  for (const AnswerCount& answer : answers.kinds) {
    calls += answer.attempts;
    page.raw("<tr><td class=\"whole\">")
        .text(answer.outcome)
        .raw("</td><td><code>")
        .text(answer.code)
        .raw("</code></td><td>")
        .text(explain_answer(answer.outcome, answer.code, explain))
        .raw("</td><td>")
        .text(answer.settled)
        .raw("</td><td class=\"number\">")
        .count(answer.attempts)
        .raw("</td><td class=\"mono\">")
        .text(answer.example_disk)
        .raw("</td></tr>\n");
  }
  page.raw("</tbody><tfoot><tr><th scope=\"row\" colspan=\"4\">");
  page.text(answers.kinds_left_out > 0 ? "calls shown" : "calls");
  page.raw("</th><td class=\"number\" id=\"calls\">")
      .count(calls)
      .raw("</td><td></td></tr></tfoot></table></div>\n");
  if (answers.kinds_left_out > 0) {
    page.raw("<p>")
        .count(answers.kinds_left_out)
        .raw(" rarer kinds of answers are left out.</p>\n");
  }
}

void write_record(Html& page, const ChainHead& head, const ReportContext& context) {
  if (head.block == 0) {
    page.raw("<p>The record has no hash chain yet.</p>\n");
    return;
  }
  page.raw(
          "<p>Every row of the audit database is in a hash chain. When this page was made, its "
          "head was</p>\n<dl><dt>block</dt><dd>")
      .count(head.block)
      .raw("</dd><dt>hash</dt><dd><code id=\"chain-head\">")
      .text(head.hash)
      .raw(
          "</code></dd></dl>\n<p>Whether the record is still as it was written:</p>\n<pre>"
          "diskrelease audit verify")
      .text(context.database_flag)
      .raw(
          "</pre>\n<p>This page is an anchor, too, if it is kept where nobody can change it: the "
          "record must hold the block above. Put this line into a file of its own, such as "
          "<code>page.anchor</code>,</p>\n<pre id=\"anchor\">")
      .text(anchor_line({head, context.made}))
      .raw(
          "</pre>\n<p>and hold the record against it:</p>\n<pre>diskrelease audit verify "
          "--anchor-file page.anchor")
      .text(context.database_flag)
      .raw("</pre>\n");
}

std::vector<std::int64_t> values_of(const RequestCounts& requests) {
  return {requests.accepted, requests.refused,  requests.throttled,
          requests.unknown,  requests.not_sent, requests.reads};
}

void write_request_heads(Html& page) {
  page.raw(
      "<th scope=\"col\" class=\"number\">Accepted</th><th scope=\"col\" class=\"number\">Refused"
      "</th><th scope=\"col\" class=\"number\">Throttled</th><th scope=\"col\" class=\"number\">"
      "Unknown</th><th scope=\"col\" class=\"number\">Not sent</th>"
      "<th scope=\"col\" class=\"number\">Reads</th>");
}

void write_request_cells(Html& page, const RequestCounts& requests) {
  for (const std::int64_t value : values_of(requests)) {
    page.raw("<td class=\"number\">").count(value).raw("</td>");
  }
}

std::vector<ChartSeries> request_series() {
  return {{"accepted", "accepted"}, {"refused", "refused"}, {"throttled", "throttled"},
          {"unknown", "unknown"},   {"idle", "not sent"},   {"reads", "reads of disks"}};
}

void write_search(Html& page) {
  page.raw(
      "<div class=\"tools\" id=\"tools\" hidden><label>Search <input type=\"search\" id=\"search\" "
      "autocomplete=\"off\" spellcheck=\"false\"></label>"
      "<span id=\"found\" role=\"status\"></span></div>\n");
}

}  // namespace diskrelease
