#include "model/job_spec.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <type_traits>

#include "model/size.h"
#include "model/time.h"

namespace diskrelease {
namespace {

template <class T>
void prefer(std::optional<T>& into, const std::optional<T>& stronger) {
  if (stronger) into = stronger;
}

template <class T>
void fill(T& into, const std::optional<T>& value) {
  if (value) into = *value;
}

std::string name_of_list(const std::string& list) {
  if (list == "-") return "stdin";
  const auto name = std::filesystem::path(list).filename().string();
  return name.empty() ? list : name;
}

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::size_t count_characters(std::string_view utf8) noexcept {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

/// Not empty, and only bytes that occur in host names, addresses and [addresses]:port.
bool looks_like_host_and_port(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".:[]_-").find(c) != std::string_view::npos;
  });
}

bool looks_like_proxy(std::string_view url) noexcept {
  constexpr std::string_view k_scheme = "http://";
  if (!url.starts_with(k_scheme)) return false;
  url.remove_prefix(k_scheme.size());
  const auto at = url.rfind('@');
  if (at == std::string_view::npos) return looks_like_host_and_port(url);
  return std::none_of(url.begin(), url.end(), is_control) &&
         looks_like_host_and_port(url.substr(at + 1));
}

std::string in_words(int number) { return std::to_string(number); }
std::string in_words(std::int64_t number) { return std::to_string(number); }
std::string in_words(double number) {
  std::array<char, 32> text{};
  const int length = std::snprintf(text.data(), text.size(), "%g", number);
  return {text.data(), static_cast<std::size_t>(length)};
}
std::string in_words(std::chrono::milliseconds duration) { return format_duration(duration); }

class Checker {
 public:
  explicit Checker(std::vector<std::string>& problems) : problems_(problems) {}

  void require(bool fine, std::string_view name, const std::string& rule) {
    if (!fine) problems_.push_back(std::string(name) + " must " + rule + ".");
  }

  template <class T>
  void range(const std::optional<T>& value, std::string_view name, const T& min,
             const std::type_identity_t<T>& max) {
    require(!value || (*value >= min && *value <= max), name,
            std::string(std::is_integral_v<T> ? "be a whole number" : "be a duration") + " from " +
                in_words(min) + " to " + in_words(max));
  }

  void path(const std::optional<std::string>& value, std::string_view name) {
    require(!value || (!value->empty() && value->find('\0') == std::string::npos), name,
            "be a path that is not empty and holds no NUL character");
  }

  void not_empty(const std::optional<std::string>& value, std::string_view name) {
    require(!value || !value->empty(), name, "not be empty");
  }

 private:
  std::vector<std::string>& problems_;
};

constexpr std::array k_list_formats = {ListFormat::automatic, ListFormat::csv, ListFormat::json,
                                       ListFormat::ndjson, ListFormat::text};

}  // namespace

JobSettings overlay(const JobSettings& stronger, const JobSettings& weaker) {
  JobSettings both = weaker;
  if (stronger.rate_unlimited.value_or(false)) both.rate_per_second.reset();
  if (stronger.rate_per_second) both.rate_unlimited.reset();
  prefer(both.rate_unlimited, stronger.rate_unlimited);
  prefer(both.rate_per_second, stronger.rate_per_second);
  prefer(both.name, stronger.name);
  prefer(both.list, stronger.list);
  prefer(both.format, stronger.format);
  prefer(both.column, stronger.column);
  prefer(both.goal, stronger.goal);
  prefer(both.endpoint, stronger.endpoint);
  prefer(both.profile, stronger.profile);
  prefer(both.credentials_file, stronger.credentials_file);
  prefer(both.ca_file, stronger.ca_file);
  prefer(both.proxy, stronger.proxy);
  prefer(both.burst, stronger.burst);
  prefer(both.in_flight, stronger.in_flight);
  prefer(both.look_batch, stronger.look_batch);
  prefer(both.timeout, stronger.timeout);
  prefer(both.connect_timeout, stronger.connect_timeout);
  prefer(both.max_attempts, stronger.max_attempts);
  prefer(both.first_backoff, stronger.first_backoff);
  prefer(both.max_backoff, stronger.max_backoff);
  prefer(both.budget_percent, stronger.budget_percent);
  prefer(both.max_disks, stronger.max_disks);
  prefer(both.max_list_size, stronger.max_list_size);
  prefer(both.preflight, stronger.preflight);
  prefer(both.verify, stronger.verify);
  prefer(both.settle_window, stronger.settle_window);
  prefer(both.settle_poll, stronger.settle_poll);
  prefer(both.resend_unsettled, stronger.resend_unsettled);
  prefer(both.include_recycled, stronger.include_recycled);
  return both;
}

JobSpec resolve(const JobSettings& settings) {
  JobSpec spec;
  fill(spec.list, settings.list);
  spec.name = settings.name ? *settings.name : name_of_list(spec.list);
  fill(spec.format, settings.format);
  spec.column = settings.column;
  fill(spec.goal, settings.goal);
  fill(spec.endpoint, settings.endpoint);
  spec.profile = settings.profile;
  spec.credentials_file = settings.credentials_file;
  spec.ca_file = settings.ca_file;
  spec.proxy = settings.proxy;
  if (settings.rate_per_second) spec.rate.per_second = settings.rate_per_second;
  if (settings.rate_unlimited.value_or(false)) spec.rate.per_second.reset();
  fill(spec.rate.burst, settings.burst);
  fill(spec.in_flight, settings.in_flight);
  fill(spec.look_batch, settings.look_batch);
  fill(spec.timeout, settings.timeout);
  fill(spec.connect_timeout, settings.connect_timeout);
  fill(spec.retry.max_attempts, settings.max_attempts);
  fill(spec.retry.first_backoff, settings.first_backoff);
  fill(spec.retry.max_backoff, settings.max_backoff);
  fill(spec.retry.budget_percent, settings.budget_percent);
  spec.max_disks = settings.max_disks;
  fill(spec.max_list_size, settings.max_list_size);
  fill(spec.preflight, settings.preflight);
  fill(spec.verify, settings.verify);
  fill(spec.settle.window, settings.settle_window);
  fill(spec.settle.poll, settings.settle_poll);
  fill(spec.settle.resend, settings.resend_unsettled);
  fill(spec.include_recycled, settings.include_recycled);
  return spec;
}

std::vector<std::string> check_settings(const JobSettings& settings) {
  std::vector<std::string> problems;
  Checker check{problems};

  check.require(
      !settings.name ||
          (!settings.name->empty() && count_characters(*settings.name) <= k_max_name_length &&
           std::none_of(settings.name->begin(), settings.name->end(), is_control)),
      "name",
      "have 1 to " + std::to_string(k_max_name_length) +
          " characters, control characters excluded");
  check.path(settings.list, "list");
  check.not_empty(settings.column, "list.column");
  check.require(!settings.endpoint || looks_like_host_and_port(*settings.endpoint), "endpoint",
                "be a host name or address, optionally with a port (host:port), without scheme, "
                "path or user name");
  check.not_empty(settings.profile, "profile");
  check.path(settings.credentials_file, "credentials_file");
  check.path(settings.ca_file, "ca_file");
  check.require(!settings.proxy || looks_like_proxy(*settings.proxy), "proxy",
                "have the form http://host:port");
  // Written this way round, the comparison refuses NaN.
  check.require(!settings.rate_per_second || (*settings.rate_per_second >= k_min_rate &&
                                              *settings.rate_per_second <= k_max_rate),
                "rate.per_second",
                "be a number from " + in_words(k_min_rate) + " to " + in_words(k_max_rate) +
                    ", or \"unlimited\"");
  check.require(!settings.rate_per_second || !settings.rate_unlimited.value_or(false),
                "rate.per_second", "be either a number or \"unlimited\", not both");
  check.range(settings.burst, "rate.burst", 1, k_max_burst);
  check.range(settings.in_flight, "in_flight", 1, k_max_in_flight);
  check.range(settings.look_batch, "look_batch", 1, k_max_look_batch);
  check.range(settings.timeout, "timeouts.request", k_min_timeout, k_max_timeout);
  check.range(settings.connect_timeout, "timeouts.connect", k_min_timeout, k_max_timeout);
  check.range(settings.max_attempts, "retry.max_attempts", 1, k_max_attempts_limit);
  check.range(settings.first_backoff, "retry.first_backoff", k_min_backoff, k_max_backoff_limit);
  check.range(settings.max_backoff, "retry.max_backoff", k_min_backoff, k_max_backoff_limit);
  check.require(!settings.first_backoff || !settings.max_backoff ||
                    *settings.first_backoff <= *settings.max_backoff,
                "retry.first_backoff", "not be longer than retry.max_backoff");
  check.range(settings.budget_percent, "retry.budget_percent", 0, k_max_budget_percent);
  check.range(settings.max_disks, "limits.max_disks", std::int64_t{1}, k_max_disks_limit);
  check.require(!settings.max_list_size ||
                    (*settings.max_list_size >= 1 && *settings.max_list_size <= k_max_list_bytes),
                "limits.max_list_size", "be a size from 1B to " + format_size(k_max_list_bytes));
  check.range(settings.settle_window, "settle.window", k_min_settle, k_max_settle);
  check.range(settings.settle_poll, "settle.poll", k_min_settle, k_max_settle);
  check.require(!settings.settle_window || !settings.settle_poll ||
                    *settings.settle_poll <= *settings.settle_window,
                "settle.poll", "not be longer than settle.window");
  return problems;
}

std::string_view to_text(ListFormat format) noexcept {
  switch (format) {
    case ListFormat::automatic:
      return "automatic";
    case ListFormat::csv:
      return "csv";
    case ListFormat::json:
      return "json";
    case ListFormat::ndjson:
      return "ndjson";
    case ListFormat::text:
      return "text";
  }
  return "";
}

std::optional<ListFormat> list_format_from_text(std::string_view text) noexcept {
  const auto* const found =
      std::find_if(k_list_formats.begin(), k_list_formats.end(),
                   [&](ListFormat format) { return to_text(format) == text; });
  if (found == k_list_formats.end()) return std::nullopt;
  return *found;
}

}  // namespace diskrelease
