#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/goal.h"

namespace diskrelease {

enum class ListFormat { automatic, csv, json, ndjson, text };

/// A stream that never ends must not fill the disk; 50 million ids fit in.
inline constexpr std::int64_t k_default_list_bytes = std::int64_t{1} << 30;

/// A rate limit for all requests of a run together.
struct RateLimit {
  /// Requests per second; nullopt = unlimited. Positive and finite.
  std::optional<double> per_second = 2.0;
  /// Requests that may leave back to back after a pause. At least 1.
  int burst = 1;
  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

/// Limits of retrying one item; the pacing room decides with it.
struct RetryLimits {
  /// Of an item that could not be sent, each time it is its turn, and of one whose outcome was
  /// unknown, in all. Throttled attempts do not count.
  int max_attempts = 5;
  std::chrono::milliseconds first_backoff{1'000};  ///< upper end of the first full-jitter wait
  std::chrono::milliseconds max_backoff{60'000};   ///< upper end of any wait
  int budget_percent = 20;  ///< retries of the whole run, percent of its items (at least 10)
  friend bool operator==(const RetryLimits&, const RetryLimits&) = default;
};

/// How what became of a disk is found out by reading.
struct SettleLimits {
  /// How long a disk is read before it is left as it is: unknown, not yet gone, in transition.
  std::chrono::milliseconds window{180'000};
  std::chrono::milliseconds poll{3'000};  ///< between two reads of one disk
  /// A disk that was AVAILABLE for the whole window is sent again, until max_attempts have ended
  /// unknown.
  bool resend = false;
  friend bool operator==(const SettleLimits&, const SettleLimits&) = default;
};

/// What one layer of configuration (flags, environment, job file, user config) says; nullopt =
/// silent. Paths are as the process is to open them.
struct JobSettings {
  std::optional<std::string> name;
  std::optional<std::string> list;  ///< a path, or "-" for standard input
  std::optional<ListFormat> format;
  std::optional<std::string> column;
  std::optional<Goal> goal;
  std::optional<std::string> endpoint;
  std::optional<std::string> profile;
  std::optional<std::string> credentials_file;
  std::optional<std::string> ca_file;
  std::optional<std::string> proxy;
  std::optional<bool> rate_unlimited;  ///< true excludes rate_per_second in the same layer
  std::optional<double> rate_per_second;
  std::optional<int> burst;
  std::optional<int> in_flight;
  std::optional<int> look_batch;
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<std::chrono::milliseconds> connect_timeout;
  std::optional<int> max_attempts;
  std::optional<std::chrono::milliseconds> first_backoff;
  std::optional<std::chrono::milliseconds> max_backoff;
  std::optional<int> budget_percent;
  std::optional<std::int64_t> max_disks;
  std::optional<std::int64_t> max_list_size;  ///< bytes
  std::optional<bool> preflight;
  std::optional<bool> verify;
  std::optional<std::chrono::milliseconds> settle_window;
  std::optional<std::chrono::milliseconds> settle_poll;
  std::optional<bool> resend_unsettled;
  std::optional<bool> include_recycled;
};

/// `stronger` where it speaks, else `weaker`, setting by setting. An unlimited rate in `stronger`
/// silences a number in `weaker`, and the other way round.
[[nodiscard]] JobSettings overlay(const JobSettings& stronger, const JobSettings& weaker);

/// What to do, declaratively and complete: settings with the defaults filled in.
struct JobSpec {
  std::string name;  ///< the job's name, else the list's file name
  std::string list;  ///< a path, or "-" for standard input
  ListFormat format = ListFormat::automatic;
  std::optional<std::string> column;
  Goal goal = Goal::release;
  std::string endpoint = "console.zenlayer.com";  ///< host[:port]; always HTTPS
  std::optional<std::string> profile;
  std::optional<std::string> credentials_file;
  std::optional<std::string> ca_file;
  std::optional<std::string> proxy;  ///< http://[user:password@]host:port
  RateLimit rate;
  int in_flight = 4;                          ///< requests under way at once
  int look_batch = 10;                        ///< disks that a look before sending takes, at least
  std::chrono::milliseconds timeout{30'000};  ///< one request, first byte to last of its answer
  std::chrono::milliseconds connect_timeout{5'000};  ///< TCP, proxy and TLS handshake together
  RetryLimits retry;
  std::optional<std::int64_t> max_disks;
  std::int64_t max_list_size = k_default_list_bytes;
  bool preflight = true;  ///< read a disk's status before anything is sent for it
  bool verify = true;     ///< read accepted disks until they have left
  SettleLimits settle;
  bool include_recycled =
      false;  ///< goal purge: also disks that are in the recycle bin at the start
};

/// Fills in defaults. Values are taken as they are: whoever read them has checked them against
/// check_settings().
[[nodiscard]] JobSpec resolve(const JobSettings& settings);

/// The ranges that flags, environment and job files share. One message a problem, empty = fine.
/// Each message is a sentence that begins with the setting's name as the job file spells it
/// ("in_flight must be ..."), states what is allowed and does not repeat the value, which may hold
/// a secret. Made for each layer by itself, and for the overlay of all, where first_backoff and
/// max_backoff, or settle_poll and settle_window, of different layers meet.
///
/// Endpoint and proxy are checked for foreign bytes only; parse_endpoint() and parse_proxy() have
/// the last word.
[[nodiscard]] std::vector<std::string> check_settings(const JobSettings& settings);

inline constexpr std::size_t k_max_name_length = 100;  ///< Unicode characters; a line of a table
inline constexpr int k_max_in_flight = 1'000;          ///< 1,000 a second at a latency of a second
inline constexpr int k_max_look_batch = 100;           ///< ids that one DescribeDisks may name
inline constexpr double k_max_rate = 100'000.0;        ///< requests per second
inline constexpr double k_min_rate = 0.001;            ///< one request in about 17 minutes
inline constexpr int k_max_burst = 10'000;
inline constexpr std::chrono::milliseconds k_min_timeout{
    10};  ///< less fails beyond a local network
inline constexpr std::chrono::milliseconds k_max_timeout{3'600'000};
inline constexpr std::chrono::milliseconds k_min_settle{10};
inline constexpr std::chrono::milliseconds k_max_settle{86'400'000};  ///< a recycle bin keeps a day
inline constexpr int k_max_attempts_limit = 1'000;  ///< an item tried more often is a bug
inline constexpr std::chrono::milliseconds k_min_backoff{1};
inline constexpr std::chrono::milliseconds k_max_backoff_limit{3'600'000};
inline constexpr int k_max_budget_percent = 1'000;  ///< ten retries an item on average
inline constexpr std::int64_t k_max_disks_limit = 1'000'000'000;
inline constexpr std::int64_t k_max_list_bytes = std::int64_t{1} << 40;

[[nodiscard]] std::string_view to_text(ListFormat format) noexcept;
[[nodiscard]] std::optional<ListFormat> list_format_from_text(std::string_view text) noexcept;

}  // namespace diskrelease
