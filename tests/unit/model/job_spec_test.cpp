#include "model/job_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace diskrelease {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

JobSettings everything() {
  JobSettings all;
  all.name = "nightly";
  all.list = "disks.csv";
  all.format = ListFormat::csv;
  all.column = "Disk ID";
  all.goal = Goal::purge;
  all.endpoint = "127.0.0.1:8443";
  all.profile = "ops";
  all.credentials_file = "/etc/diskrelease/credentials.json";
  all.ca_file = "/etc/ssl/own.pem";
  all.proxy = "http://proxy:3128";
  all.rate_per_second = 7.5;
  all.burst = 3;
  all.in_flight = 9;
  all.timeout = milliseconds{11'000};
  all.connect_timeout = milliseconds{1'300};
  all.max_attempts = 17;
  all.first_backoff = milliseconds{190};
  all.max_backoff = milliseconds{23'000};
  all.budget_percent = 29;
  all.max_disks = 31;
  all.max_list_size = 4'096;
  all.preflight = false;
  all.verify = false;
  all.settle_window = milliseconds{37'000};
  all.settle_poll = milliseconds{410};
  all.resend_unsettled = true;
  all.include_recycled = true;
  return all;
}

/// Every field as it must come out of everything().
void expect_everything(const JobSettings& settings) {
  const JobSpec spec = resolve(settings);
  EXPECT_EQ(spec.name, "nightly");
  EXPECT_EQ(spec.list, "disks.csv");
  EXPECT_EQ(spec.format, ListFormat::csv);
  EXPECT_EQ(spec.column, "Disk ID");
  EXPECT_EQ(spec.goal, Goal::purge);
  EXPECT_EQ(spec.endpoint, "127.0.0.1:8443");
  EXPECT_EQ(spec.profile, "ops");
  EXPECT_EQ(spec.credentials_file, "/etc/diskrelease/credentials.json");
  EXPECT_EQ(spec.ca_file, "/etc/ssl/own.pem");
  EXPECT_EQ(spec.proxy, "http://proxy:3128");
  EXPECT_EQ(spec.rate, (RateLimit{7.5, 3}));
  EXPECT_EQ(spec.in_flight, 9);
  EXPECT_EQ(spec.timeout, milliseconds{11'000});
  EXPECT_EQ(spec.connect_timeout, milliseconds{1'300});
  EXPECT_EQ(spec.retry, (RetryLimits{17, milliseconds{190}, milliseconds{23'000}, 29}));
  EXPECT_EQ(spec.max_disks, 31);
  EXPECT_EQ(spec.max_list_size, 4'096);
  EXPECT_FALSE(spec.preflight);
  EXPECT_FALSE(spec.verify);
  EXPECT_EQ(spec.settle, (SettleLimits{milliseconds{37'000}, milliseconds{410}, true}));
  EXPECT_TRUE(spec.include_recycled);
}

TEST(JobSpecTest, TakesEverySettingOver) { expect_everything(everything()); }

TEST(JobSpecTest, FillsInTheDefaultsForWhatIsNotSaid) {
  JobSettings settings;
  settings.list = "disks.csv";
  const JobSpec spec = resolve(settings);
  EXPECT_EQ(spec.format, ListFormat::automatic);
  EXPECT_EQ(spec.column, std::nullopt);
  EXPECT_EQ(spec.goal, Goal::release);
  EXPECT_EQ(spec.endpoint, "console.zenlayer.com");
  EXPECT_EQ(spec.proxy, std::nullopt);
  EXPECT_EQ(spec.rate, (RateLimit{2.0, 1}));
  EXPECT_EQ(spec.in_flight, 4);
  EXPECT_EQ(spec.timeout, milliseconds{30'000});
  EXPECT_EQ(spec.connect_timeout, milliseconds{5'000});
  EXPECT_EQ(spec.retry, (RetryLimits{5, milliseconds{1'000}, milliseconds{60'000}, 20}));
  EXPECT_EQ(spec.max_disks, std::nullopt);
  EXPECT_EQ(spec.max_list_size, std::int64_t{1} << 30);
  EXPECT_TRUE(spec.preflight);
  EXPECT_TRUE(spec.verify);
  EXPECT_EQ(spec.settle, (SettleLimits{milliseconds{180'000}, milliseconds{3'000}, false}));
  EXPECT_FALSE(spec.include_recycled);
}

TEST(JobSpecTest, IsNamedAfterItsListUnlessItHasAName) {
  const auto name_for = [](const std::string& list) {
    JobSettings settings;
    settings.list = list;
    return resolve(settings).name;
  };
  EXPECT_EQ(name_for("disks.csv"), "disks.csv");
  EXPECT_EQ(name_for("/srv/lists/disks.csv"), "disks.csv");
  EXPECT_EQ(name_for("../disks"), "disks");
  EXPECT_EQ(name_for("-"), "stdin");
  EXPECT_EQ(name_for("./-"), "-");
  EXPECT_EQ(name_for("lists/"), "lists/");
  EXPECT_EQ(resolve(JobSettings{}).name, "");
}

TEST(JobSpecTest, AnUnlimitedRateHasNoNumberButKeepsTheBurst) {
  JobSettings settings;
  settings.rate_unlimited = true;
  settings.burst = 5;
  EXPECT_EQ(resolve(settings).rate, (RateLimit{std::nullopt, 5}));
  settings.rate_unlimited = false;
  EXPECT_EQ(resolve(settings).rate, (RateLimit{2.0, 5}));
}

TEST(OverlayTest, KeepsTheWeakerLayerWhereTheStrongerIsSilent) {
  expect_everything(overlay(JobSettings{}, everything()));
}

TEST(OverlayTest, LetsTheStrongerLayerSpeakForEverySetting) {
  JobSettings weaker;
  weaker.name = weaker.list = weaker.column = weaker.endpoint = weaker.profile = "weaker";
  weaker.credentials_file = weaker.ca_file = weaker.proxy = "weaker";
  weaker.format = ListFormat::text;
  weaker.goal = Goal::release;
  weaker.rate_per_second = 1.0;
  weaker.burst = weaker.in_flight = weaker.max_attempts = weaker.budget_percent = 1;
  weaker.timeout = weaker.connect_timeout = weaker.first_backoff = weaker.max_backoff =
      milliseconds{20};
  weaker.max_disks = 1;
  weaker.preflight = weaker.verify = true;
  weaker.settle_window = weaker.settle_poll = milliseconds{20};
  weaker.resend_unsettled = weaker.include_recycled = false;
  expect_everything(overlay(everything(), weaker));
}

TEST(OverlayTest, LetsAFalseOfTheStrongerLayerWinOverATrue) {
  JobSettings stronger;
  stronger.resend_unsettled = stronger.include_recycled = false;
  const JobSettings both = overlay(stronger, everything());
  EXPECT_EQ(both.resend_unsettled, false);
  EXPECT_EQ(both.include_recycled, false);
  EXPECT_EQ(both.preflight, false) << "silence leaves the weaker layer's";
}

TEST(OverlayTest, LetsOneSpeechAboutTheRateSilenceTheOther) {
  JobSettings unlimited;
  unlimited.rate_unlimited = true;
  JobSettings number;
  number.rate_per_second = 7.0;
  number.burst = 3;
  EXPECT_EQ(resolve(overlay(unlimited, number)).rate, (RateLimit{std::nullopt, 3}));
  EXPECT_EQ(resolve(overlay(number, unlimited)).rate, (RateLimit{7.0, 3}));
  EXPECT_THAT(check_settings(overlay(unlimited, number)), IsEmpty());
  EXPECT_THAT(check_settings(overlay(number, unlimited)), IsEmpty());

  JobSettings limited;
  limited.rate_unlimited = false;
  EXPECT_EQ(resolve(overlay(limited, number)).rate, (RateLimit{7.0, 3}));
  EXPECT_EQ(resolve(overlay(limited, unlimited)).rate, (RateLimit{2.0, 1}));
}

template <class T>
std::vector<std::string> problems_of(std::optional<T> JobSettings::*member, T value) {
  JobSettings settings;
  settings.*member = std::move(value);
  return check_settings(settings);
}

/// The least and the greatest value pass, their neighbours do not, and the message starts with
/// the key.
template <class T>
void expect_range(std::optional<T> JobSettings::*member, const char* key, T min, T max, T step) {
  EXPECT_THAT(problems_of(member, min), IsEmpty()) << key;
  EXPECT_THAT(problems_of(member, max), IsEmpty()) << key;
  const auto starts_with_key = ElementsAre(StartsWith(std::string(key) + " must be "));
  EXPECT_THAT(problems_of(member, min - step), starts_with_key);
  EXPECT_THAT(problems_of(member, max + step), starts_with_key);
}

TEST(CheckSettingsTest, HoldsEveryNumberToItsRange) {
  expect_range(&JobSettings::rate_per_second, "rate.per_second", 0.001, 100'000.0, 0.0005);
  expect_range(&JobSettings::burst, "rate.burst", 1, 10'000, 1);
  expect_range(&JobSettings::in_flight, "in_flight", 1, 1'000, 1);
  const milliseconds ms{1};
  const milliseconds hour{3'600'000};
  expect_range(&JobSettings::timeout, "timeouts.request", 10 * ms, hour, ms);
  expect_range(&JobSettings::connect_timeout, "timeouts.connect", 10 * ms, hour, ms);
  expect_range(&JobSettings::max_attempts, "retry.max_attempts", 1, 1'000, 1);
  expect_range(&JobSettings::first_backoff, "retry.first_backoff", ms, hour, ms);
  expect_range(&JobSettings::max_backoff, "retry.max_backoff", ms, hour, ms);
  expect_range(&JobSettings::budget_percent, "retry.budget_percent", 0, 1'000, 1);
  expect_range<std::int64_t>(&JobSettings::max_disks, "limits.max_disks", 1, 1'000'000'000, 1);
  expect_range<std::int64_t>(&JobSettings::max_list_size, "limits.max_list_size", 1,
                             std::int64_t{1} << 40, 1);
  expect_range(&JobSettings::settle_window, "settle.window", 10 * ms, 24 * hour, ms);
  expect_range(&JobSettings::settle_poll, "settle.poll", 10 * ms, 24 * hour, ms);
}

TEST(CheckSettingsTest, RefusesARateThatIsNoNumber) {
  using Limits = std::numeric_limits<double>;
  for (const double rate : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), 0.0}) {
    EXPECT_THAT(problems_of(&JobSettings::rate_per_second, rate),
                ElementsAre("rate.per_second must be a number from 0.001 to 100000, or "
                            "\"unlimited\"."));
  }
}

TEST(CheckSettingsTest, RefusesARateThatIsUnlimitedAndANumberInOneLayer) {
  JobSettings settings;
  settings.rate_unlimited = true;
  EXPECT_THAT(check_settings(settings), IsEmpty());
  settings.rate_per_second = 2.0;
  EXPECT_THAT(check_settings(settings), ElementsAre(HasSubstr("not both")));
  settings.rate_unlimited = false;
  EXPECT_THAT(check_settings(settings), IsEmpty());
}

TEST(CheckSettingsTest, SaysTheRangeInASentence) {
  EXPECT_THAT(problems_of(&JobSettings::in_flight, 0),
              ElementsAre("in_flight must be a whole number from 1 to 1000."));
  EXPECT_THAT(problems_of(&JobSettings::timeout, milliseconds{0}),
              ElementsAre("timeouts.request must be a duration from 10ms to 1h."));
}

TEST(CheckSettingsTest, RefusesAFirstBackoffAboveTheGreatest) {
  JobSettings settings;
  settings.max_backoff = milliseconds{5'000};
  settings.first_backoff = milliseconds{4'999};
  EXPECT_THAT(check_settings(settings), IsEmpty());
  settings.first_backoff = milliseconds{5'000};
  EXPECT_THAT(check_settings(settings), IsEmpty());
  settings.first_backoff = milliseconds{5'001};
  EXPECT_THAT(check_settings(settings),
              ElementsAre("retry.first_backoff must not be longer than retry.max_backoff."));
}

TEST(CheckSettingsTest, RefusesAPollLongerThanTheWindowAlsoWhereTwoLayersMeet) {
  JobSettings window;
  window.settle_window = milliseconds{5'000};
  const auto problems_with_poll = [&](milliseconds poll) {
    JobSettings flags;
    flags.settle_poll = poll;
    EXPECT_THAT(check_settings(flags), IsEmpty()) << "fine by itself";
    return check_settings(overlay(flags, window));
  };
  EXPECT_THAT(problems_with_poll(milliseconds{4'999}), IsEmpty());
  EXPECT_THAT(problems_with_poll(milliseconds{5'000}), IsEmpty());
  EXPECT_THAT(problems_with_poll(milliseconds{5'001}),
              ElementsAre("settle.poll must not be longer than settle.window."));
}

TEST(CheckSettingsTest, CountsTheCharactersOfANameNotItsBytes) {
  std::string name;
  for (int i = 0; i < 100; ++i) name += "\xC3\xBC";
  EXPECT_THAT(problems_of(&JobSettings::name, name), IsEmpty());
  EXPECT_THAT(problems_of(&JobSettings::name, name + "x"), ElementsAre(StartsWith("name must")));
  EXPECT_THAT(problems_of(&JobSettings::name, std::string()), ElementsAre(StartsWith("name must")));
}

TEST(CheckSettingsTest, RefusesControlCharactersInAName) {
  for (const char c : {'\0', '\t', '\n', '\x1b', '\x1f', '\x7f'}) {
    EXPECT_THAT(problems_of(&JobSettings::name, std::string("a") + c + "b"),
                ElementsAre(StartsWith("name must have")))
        << static_cast<int>(c);
  }
  EXPECT_THAT(problems_of(&JobSettings::name, std::string("a b~")), IsEmpty());
}

TEST(CheckSettingsTest, RefusesEmptyTextsAndPathsWithANul) {
  const std::string nul("a\0b", 3);
  for (const auto& [member, key] : {std::pair{&JobSettings::list, "list"},
                                    std::pair{&JobSettings::credentials_file, "credentials_file"},
                                    std::pair{&JobSettings::ca_file, "ca_file"}}) {
    EXPECT_THAT(problems_of(member, std::string()), ElementsAre(StartsWith(key)));
    EXPECT_THAT(problems_of(member, nul), ElementsAre(StartsWith(key)));
    EXPECT_THAT(problems_of(member, std::string("a\tb")), IsEmpty());
  }
  EXPECT_THAT(problems_of(&JobSettings::column, std::string()),
              ElementsAre("list.column must not be empty."));
  EXPECT_THAT(problems_of(&JobSettings::profile, std::string()),
              ElementsAre("profile must not be empty."));
}

TEST(CheckSettingsTest, RefusesAnEndpointThatIsAUrl) {
  for (const char* endpoint :
       {"console.zenlayer.com", "localhost:8443", "127.0.0.1", "[::1]:8443"}) {
    EXPECT_THAT(problems_of(&JobSettings::endpoint, std::string(endpoint)), IsEmpty()) << endpoint;
  }
  for (const char* endpoint : {"", "https://console.zenlayer.com", "console.zenlayer.com/",
                               "user@host", "a b", "host\n", "h\xC3\xB6st", "host?x"}) {
    EXPECT_THAT(problems_of(&JobSettings::endpoint, std::string(endpoint)),
                ElementsAre(StartsWith("endpoint must be a host name")))
        << endpoint;
  }
}

TEST(CheckSettingsTest, RefusesAnythingButAnHttpProxyAndNeverRepeatsIt) {
  for (const char* proxy : {"http://proxy", "http://proxy:3128", "http://[::1]:3128",
                            "http://user:fake-pass@proxy:3128", "http://u:p@ss/word@proxy:1"}) {
    EXPECT_THAT(problems_of(&JobSettings::proxy, std::string(proxy)), IsEmpty()) << proxy;
  }
  for (const char* proxy : {"", "http://", "proxy:3128", "https://proxy:3128",
                            "socks5://user:fake-pass@proxy", "http://user:fake-pass@",
                            "http://proxy:3128/", "http://user:fake\npass@proxy", "HTTP://p"}) {
    EXPECT_THAT(problems_of(&JobSettings::proxy, std::string(proxy)),
                ElementsAre("proxy must have the form http://host:port."))
        << proxy;
  }
}

TEST(CheckSettingsTest, ReportsAllProblemsAtOnce) {
  JobSettings settings = everything();
  EXPECT_THAT(check_settings(settings), IsEmpty());
  settings.name = "";
  settings.in_flight = 0;
  settings.burst = 0;
  settings.max_disks = -1;
  EXPECT_THAT(check_settings(settings),
              ElementsAre(StartsWith("name "), StartsWith("rate.burst "), StartsWith("in_flight "),
                          StartsWith("limits.max_disks ")));
}

TEST(ListFormatTest, IsReadBackFromItsText) {
  for (const auto format : {ListFormat::automatic, ListFormat::csv, ListFormat::json,
                            ListFormat::ndjson, ListFormat::text}) {
    EXPECT_EQ(list_format_from_text(to_text(format)), format);
  }
  EXPECT_EQ(to_text(ListFormat::ndjson), "ndjson");
  for (const char* text : {"", "CSV", "csv ", "xlsx", "auto"}) {
    EXPECT_EQ(list_format_from_text(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace diskrelease
