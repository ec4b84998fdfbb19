#include "report/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "evidence/anchor_file.h"
#include "model/visible_text.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "report/html.h"
#include "support/enrolled_run.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* k_hostile =
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;\u202e\x1b[2J\r\n</table>";

std::size_t occurrences(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

/// What a parser of HTML would stumble over: elements that are not closed in their order, text that
/// holds what this page's own writer never leaves bare. The content of style and script is left
/// out.
std::vector<std::string> markup_problems(const std::string& page) {
  std::vector<std::string> problems;
  std::vector<std::string> open;
  const std::string k_void = " meta input !DOCTYPE ";
  for (std::size_t at = 0; at < page.size();) {
    if (page[at] != '<') {
      if (page[at] == '>') problems.push_back("a bare > at " + std::to_string(at));
      ++at;
      continue;
    }
    const std::size_t end = page.find('>', at);
    if (end == std::string::npos) return {"a tag without an end at " + std::to_string(at)};
    const std::string tag = page.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag.find('<') != std::string::npos) problems.push_back("a < inside of <" + tag + ">");
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag.starts_with('/')) {
      if (open.empty() || open.back() != tag.substr(1)) {
        problems.push_back("<" + tag + "> closes " + (open.empty() ? "nothing" : open.back()));
        return problems;
      }
      open.pop_back();
    } else if (!tag.ends_with('/') && k_void.find(" " + name + " ") == std::string::npos) {
      open.push_back(name);
    }
    if (name == "style" || name == "script") at = page.find("</" + name + ">", at);
  }
  for (const std::string& name : open) problems.push_back(name + " is not closed");
  return problems;
}

class HtmlReportTest : public ::testing::Test {
 protected:
  void SetUp() override { create_audit_database(directory_ / "audit.db"); }

  void write(const std::string& sql) {
    open_audit_for_writing(directory_ / "audit.db").execute(sql);
    static_cast<void>(open_audit_for_writing(directory_ / "audit.db"));
  }
  RunRecord enrol_run(const std::vector<std::string>& disks) {
    Database database = open_audit_for_writing(directory_ / "audit.db");
    RunRecord run = enrol(database, disks);
    begin_test_invocation(database, run.id);
    return run;
  }

  static ReportContext context() {
    return {[](std::string_view code) {
              return code == "CODE" ? std::string_view("a <meaning>") : std::string_view();
            },
            [](const std::string& settings) {
              return settings == "{}" ? std::optional(RateLimit{0.5, 1}) : std::nullopt;
            },
            k_test_time,
            "1.2.3",
            "/some/<path>/audit.db",
            " --db \"a&b\""};
  }

  std::string run_page(const RunRecord& run) {
    Database database = open_audit_for_reading(directory_ / "audit.db");
    std::ostringstream out;
    write_run_report(out, database, run, context());
    return out.str();
  }
  std::string period_page(UtcTime since) {
    Database database = open_audit_for_reading(directory_ / "audit.db");
    std::ostringstream out;
    write_period_report(out, database, since, context());
    return out.str();
  }

  /// The number that the element with this id shows.
  static std::int64_t number(const std::string& page, const std::string& id) {
    const std::regex element("id=\"" + id + "\"[^>]*>([0-9,]+)<");
    std::smatch found;
    if (!std::regex_search(page, found, element)) return -1;
    std::string digits = found[1];
    std::erase(digits, ',');
    return std::stoll(digits);
  }

  std::int64_t query(const std::string& sql) {
    return open_audit_for_reading(directory_ / "audit.db").query_integer(sql);
  }

  /// Rows of the body of the table "items".
  static std::size_t item_rows(const std::string& page) {
    const std::size_t begin = page.find("<table id=\"items\">");
    if (begin == std::string::npos) return 0;
    const std::string table = page.substr(begin, page.find("</table>", begin) - begin);
    return occurrences(table, "<tr>") - 1;
  }

  /// One disk of each kind, with hostile text wherever text from outside can stand.
  RunRecord mixed_run() {
    RunDescription description = test_description();
    description.name = k_hostile;
    description.list_source = std::string("/lists/") + k_hostile;
    description.endpoint = k_hostile;
    Database database = open_audit_for_writing(directory_ / "audit.db");
    RunRecord run = enrol(database, numbered_disks(8), description);
    InvocationDescription invocation;
    invocation.command = invocation.user = invocation.host = k_hostile;
    invocation.tool_version = invocation.endpoint = invocation.credential_id = k_hostile;
    invocation.credential_source = invocation.settings_json = k_hostile;
    const InvocationId id = begin_invocation(database, run.id, invocation, k_test_time);
    Statement insert = database.prepare(
        "INSERT INTO outcome (attempt_id, outcome, scope, http_status, api_code, request_id,"
        " message, sent_utc_ms, finished_utc_ms, latency_us)"
        " VALUES (?1, ?2, 'disk', ?3, ?4, ?5, ?5, ?6, ?6, ?7)");
    const auto attempt = [&](std::int64_t number, std::int64_t item, std::string_view outcome,
                             std::int64_t status, std::string_view code) {
      const std::int64_t at = k_test_time.time_since_epoch().count() + number * 1'000;
      database.execute("INSERT INTO attempt VALUES (" + std::to_string(number) + ", " +
                       std::to_string(item) + ", 1, " + std::to_string(item == 1 ? number : 1) +
                       ", 1, " + std::to_string(at) + ", NULL)");
      insert.bind(1, number).bind(2, outcome).bind(3, status).bind_optional(4, code);
      insert.bind(5, std::string_view(k_hostile)).bind(6, at).bind(7, number * 1'000);
      insert.run();
    };
    attempt(1, 1, "throttled", 429, "SLOW");
    attempt(2, 1, "accepted", 200, "");
    attempt(3, 2, "rejected", 400, k_hostile);
    attempt(4, 3, "rejected", 400, "CODE");
    attempt(5, 4, "unknown", 502, "");
    attempt(6, 5, "accepted", 200, "");
    database.execute(
        "INSERT INTO disk_read (read_id, invocation_id, purpose, disk_count, result, sent_utc_ms,"
        " finished_utc_ms) VALUES (1, 1, 'verify', 2, 'complete', 1795000010000, 1795000010001);"
        "INSERT INTO observation (read_id, item_id, status) VALUES (1, 1, 'RECYCLED'),"
        " (1, 5, 'AVAILABLE');"
        "INSERT INTO decision (run_id, invocation_id, item_id, kind, reason, decided_utc_ms)"
        " VALUES (1, 1, 6, 'give_up', 'max_attempts', 1), (1, 1, 7, 'skip', 'released_before', 1)");
    Statement decide = database.prepare(
        "INSERT INTO decision (run_id, invocation_id, kind, reason, detail, decided_utc_ms)"
        " VALUES (1, 1, 'approve', ?1, ?1, 1)");
    decide.bind(1, std::string_view(k_hostile)).run();
    end_invocation(database, id, EndReason::interrupted, k_hostile, 6, k_test_time);
    static_cast<void>(open_audit_for_writing(directory_ / "audit.db"));
    return run;
  }

  TemporaryDirectory directory_;
};

TEST_F(HtmlReportTest, NothingFromOutsideBecomesMarkup) {
  const RunRecord run = mixed_run();
  for (const std::string& page : {run_page(run), period_page(UtcTime())}) {
    EXPECT_THAT(markup_problems(page), IsEmpty());
    EXPECT_EQ(occurrences(page, "<script"), 1u);
    EXPECT_THAT(page, Not(HasSubstr("<img")));
    EXPECT_THAT(page, Not(HasSubstr("\u202e")));
    EXPECT_THAT(page, Not(HasSubstr("\x1b")));
    EXPECT_THAT(page, Not(HasSubstr("\r")));
    EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&gt;&lt;img "
                                "src=x onerror=alert(2)&gt;&amp;lt;\\xe2\\x80\\xae\\x1b[2J\\x0d"
                                "\\x0a&lt;/table&gt;"));
    EXPECT_TRUE(is_utf8(page));
  }
  EXPECT_THAT(run_page(run), HasSubstr("a &lt;meaning&gt;"));
  EXPECT_THAT(run_page(run), HasSubstr("/some/&lt;path&gt;/audit.db"));
  EXPECT_THAT(run_page(run), HasSubstr("audit verify --db &quot;a&amp;b&quot;"));
}

TEST_F(HtmlReportTest, ThePageLoadsNothingAndRunsOnlyItsOwnScript) {
  const std::string page = run_page(mixed_run());
  // What is on the page of what others have written must not be taken for the page's own.
  const std::string own = std::regex_replace(page, std::regex("src=x onerror="), "");
  for (const char* part : {"http:", "https:", "//", "src=", "url(", "@import", "<link",
                           " style=", "<iframe", "<form", " on", "javascript:"}) {
    const std::regex in_tag("<[a-z][^>]*" +
                            std::regex_replace(std::string(part), std::regex("[(]"), "\\("));
    EXPECT_FALSE(std::regex_search(own, in_tag)) << part;
  }
  for (const char* part : {"url(", "@import", "http:", "https:"}) {
    EXPECT_THAT(own, Not(HasSubstr(part)));
  }
  const std::regex policy(
      "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "&#39;sha256-[A-Za-z0-9+/]{43}=&#39;; script-src &#39;sha256-[A-Za-z0-9+/]{43}=&#39;; "
      "base-uri 'none'; form-action 'none'\"");
  EXPECT_TRUE(std::regex_search(page, policy));
}

TEST_F(HtmlReportTest, TheNumbersAreThoseOfTheDatabase) {
  const RunRecord run = mixed_run();
  const std::string page = run_page(run);
  std::int64_t sum = 0;
  for (const char* state :
       {"released", "already_gone", "rejected", "failed", "skipped", "unknown", "pending"}) {
    const std::int64_t shown = number(page, std::string("state-") + state);
    EXPECT_EQ(shown,
              query("SELECT count(*) FROM item_state WHERE state = '" + std::string(state) + "'"))
        << state;
    sum += shown;
  }
  EXPECT_EQ(sum, number(page, "listed"));
  EXPECT_EQ(number(page, "listed"), run.item_count);
  EXPECT_EQ(number(page, "calls"), query("SELECT count(*) FROM attempt"));
  EXPECT_EQ(number(page, "verified-recycled"), 1);
  EXPECT_EQ(number(page, "verified-still_there"), 1);
  EXPECT_EQ(number(page, "verified-not_read"), 0);
  EXPECT_EQ(number(page, "attention-count"), 6);
  EXPECT_EQ(item_rows(page), 6u);
  EXPECT_THAT(page, HasSubstr("<strong id=\"p50\">3 ms</strong>"));
  EXPECT_THAT(page, HasSubstr("<strong id=\"p99\">6 ms</strong>"));
}

TEST_F(HtmlReportTest, TheRateAchievedStandsBesideTheRateAllowed) {
  const RunRecord run = enrol_run(numbered_disks(3));
  write(
      "INSERT INTO attempt VALUES (1, 1, 1, 1, 1, 0, NULL), (2, 2, 1, 1, 1, 0, NULL),"
      " (3, 3, 1, 1, 1, 0, NULL);"
      "INSERT INTO outcome (attempt_id, outcome, scope, sent_utc_ms, finished_utc_ms) VALUES"
      " (1, 'accepted', 'disk', 1000, 1000), (2, 'accepted', 'disk', 3500, 3500),"
      " (3, 'accepted', 'disk', 6000, 6000)");
  const std::string page = run_page(run);
  EXPECT_THAT(page, HasSubstr("3 requests up to the last release in 5 s: <strong>0.4 a second"
                              "</strong> on average; allowed were <strong>0.5 a second</strong>"));
}

TEST_F(HtmlReportTest, SettingsThatCannotBeReadAreSaidToBe) {
  EXPECT_THAT(run_page(mixed_run()),
              HasSubstr("what was allowed cannot be read from the settings on record"));
}

TEST_F(HtmlReportTest, TheTableHasItsLimitAndSaysWhatIsMissingAndHowToListIt) {
  const auto disks = static_cast<int>(k_most_attention_rows) + 3;
  const RunRecord run = enrol_run(numbered_disks(disks));
  write(
      "INSERT INTO attempt VALUES (1, 1, 1, 1, 1, 0, NULL);"
      "INSERT INTO outcome (attempt_id, outcome, scope, finished_utc_ms)"
      " VALUES (1, 'rejected', 'disk', 1)");
  const std::string page = run_page(run);
  EXPECT_EQ(item_rows(page), static_cast<std::size_t>(k_most_attention_rows));
  EXPECT_EQ(number(page, "attention-count"), disks);
  EXPECT_THAT(page,
              HasSubstr("The first 5,000 of 5,003 are shown; <strong>3 more are not</strong>"));
  EXPECT_THAT(page, HasSubstr("diskrelease audit show 1 --state pending --db "
                              "&quot;a&amp;b&quot;   # 3 pending not shown\n"));
  EXPECT_THAT(page, Not(HasSubstr("--state rejected")));
  EXPECT_THAT(markup_problems(page), IsEmpty());
}

TEST_F(HtmlReportTest, AsManyRowsAsTheLimitNeedNoNote) {
  const std::string page =
      run_page(enrol_run(numbered_disks(static_cast<int>(k_most_attention_rows))));
  EXPECT_EQ(item_rows(page), static_cast<std::size_t>(k_most_attention_rows));
  EXPECT_THAT(page, Not(HasSubstr("id=\"left-out\"")));
}

TEST_F(HtmlReportTest, ThePageHoldsAnAnchorOfTheRecord) {
  const RunRecord run = mixed_run();
  const std::string page = run_page(run);
  Database database = open_audit_for_reading(directory_ / "audit.db");
  const ChainHead head = read_chain_head(database);
  EXPECT_THAT(page, HasSubstr("<code id=\"chain-head\">" + head.hash + "</code>"));
  EXPECT_THAT(page, HasSubstr("<pre id=\"anchor\">" + anchor_line({head, k_test_time}) + "</pre>"));
}

TEST_F(HtmlReportTest, CountsThatDoNotAddUpMakeNoPage) {
  const RunRecord run = mixed_run();
  open_audit_for_writing(directory_ / "audit.db")
      .execute("UPDATE run_tally SET items = items + 1 WHERE state = 'rejected'");
  EXPECT_THROW(static_cast<void>(run_page(run)), std::logic_error);
}

TEST_F(HtmlReportTest, APeriodAddsUpItsRuns) {
  mixed_run();
  const RunRecord second = enrol_run({"other-1", "other-2", "other-3"});
  write(
      "INSERT INTO attempt VALUES (7, 9, 2, 1, 1, 0, NULL);"
      "INSERT INTO outcome (attempt_id, outcome, scope, api_code, finished_utc_ms)"
      " VALUES (7, 'rejected', 'disk', 'CODE', 1795000000000)");
  const std::string page = period_page(UtcTime());
  EXPECT_EQ(number(page, "listed"), 8 + second.item_count);
  EXPECT_EQ(number(page, "state-rejected"), 3);
  EXPECT_EQ(number(page, "state-pending"), 3);
  EXPECT_EQ(number(page, "calls"), 7);
  EXPECT_EQ(item_rows(page), 2u);
  // Both runs have a disk that ended with CODE.
  EXPECT_THAT(page, HasSubstr("<code>CODE</code></td><td>a &lt;meaning&gt;</td>"
                              "<td class=\"number\">2</td>"));
  const std::string numbers =
      "<td class=\"number\">2</td><td class=\"number\">3</td><td class=\"number\">1</td>"
      "<td class=\"number\">1</td><td class=\"number\">0</td><td class=\"number\">1</td></tr>";
  EXPECT_THAT(page, HasSubstr("<tr><th scope=\"row\">2026-11-18</th>" + numbers));
  EXPECT_THAT(page, HasSubstr("<tr><th scope=\"row\">together</th>" + numbers));
}

TEST_F(HtmlReportTest, APeriodWithoutRunsIsAPage) {
  const std::string page = period_page(k_test_time);
  EXPECT_THAT(markup_problems(page), IsEmpty());
  EXPECT_EQ(number(page, "listed"), 0);
  EXPECT_EQ(item_rows(page), 0u);
}

TEST_F(HtmlReportTest, ARunWithoutARequestIsAPage) {
  const std::string page = run_page(enrol_run({"disk-1"}));
  EXPECT_THAT(markup_problems(page), IsEmpty());
  EXPECT_THAT(page, HasSubstr("No request was sent."));
  EXPECT_THAT(page, HasSubstr("No latency is on record."));
}

TEST_F(HtmlReportTest, EachPictureHasItsOwnTextAlternative) {
  const std::string page = run_page(mixed_run());
  EXPECT_EQ(occurrences(page, "<svg "), 3u);
  EXPECT_EQ(occurrences(page, "role=\"img\""), 3u);
  EXPECT_EQ(occurrences(page, "<desc id="), 3u);
  std::vector<std::string> ids;
  const std::regex expression(" id=\"([^\"]*)\"");
  for (std::sregex_iterator at(page.begin(), page.end(), expression), end; at != end; ++at) {
    ids.push_back((*at)[1]);
  }
  std::ranges::sort(ids);
  const auto twice = std::ranges::adjacent_find(ids);
  EXPECT_TRUE(twice == ids.end()) << *twice;
}

TEST_F(HtmlReportTest, SaysWhichDisksWereDestroyedByASecondRelease) {
  const RunRecord run = enrol_run({"disk-1", "disk-2"});
  EXPECT_THAT(run_page(run), Not(HasSubstr("id=\"destroyed\"")));
  {
    Database database = open_audit_for_writing(directory_ / "audit.db");
    record_decision(database, run.id, InvocationId{1},
                    {DecisionKind::stop, ItemId{1}, std::string(k_destroyed_reason), ""}, {});
    record_decision(database, run.id, InvocationId{1},
                    {DecisionKind::stop, ItemId{2}, std::string(k_foreign_release_reason), ""}, {});
  }
  const std::string page = run_page(run);
  EXPECT_THAT(page, HasSubstr("Destroyed: 1 disk was released here and by somebody else as well."
                              "</strong> Disk disk-1.</p>"));
  EXPECT_THAT(page, HasSubstr("1 disk was released by somebody else"));
  EXPECT_THAT(markup_problems(page), IsEmpty());
}

}  // namespace
}  // namespace diskrelease
