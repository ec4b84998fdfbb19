#include "cli/options.h"

#include <unistd.h>

// A comma is part of a word: "a,b.csv" is one list.
#define CXXOPTS_VECTOR_DELIMITER '\0'
#include <cxxopts.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <variant>

#include "input/suggestion.h"
#include "model/errors.h"
#include "model/outcome.h"
#include "model/size.h"
#include "model/visible_text.h"
#include "platform/host.h"

namespace diskrelease {
namespace {

struct Command {
  std::string_view name;  ///< "audit log" for a command with two words
  std::string_view arguments;
  std::string_view summary;
};

constexpr std::array k_commands{
    Command{"run", "LIST|JOB",
            "release the disks of a list, or do a job; every attempt goes on record"},
    Command{"resume", "[RUN]", "go on with a run after an interruption"},
    Command{"settle", "RUN", "read back what became of disks whose outcome is unknown"},
    Command{"status", "[RUN]", "where a run stands (without RUN: the newest)"},
    Command{"audit show", "RUN", "a run, its invocations and every item with its state"},
    Command{"audit log", "", "every attempt with its outcome and request id"},
    Command{"audit explain", "DISK", "all that is on record about a disk, as a story"},
    Command{"audit sql", "QUERY|-", "ask the database, read only"},
    Command{"audit verify", "", "whether the record is as it was written"},
    Command{"audit export", "RUN", "the evidence of a run, to be checked without this program"},
    Command{"audit reconcile", "", "whether the provider's own log says the same as the record"},
    Command{"audit stats", "", "how large the database is, and what it spans"},
    Command{"audit backup", "", "a copy of the database, verified; a run may work meanwhile"},
    Command{"audit archive", "", "move old, finished runs into a sealed database"},
    Command{"report", "[RUN]", "a page in HTML about a run, or about all since a time"},
    Command{"sandbox", "", "serve a simulator of the API on 127.0.0.1"},
};

std::string overview() {
  std::string text =
      "diskrelease releases Zenlayer Cloud disks from lists, at a limited rate, with an audit "
      "log.\n\n"
      "usage: diskrelease COMMAND [ARGUMENTS] [FLAGS]\n\n";
  for (const Command& command : k_commands) {
    std::string line = "  " + std::string(command.name) + " " + std::string(command.arguments);
    line.resize(std::max<std::size_t>(line.size() + 1, 24), ' ');
    text += line + std::string(command.summary) + '\n';
  }
  text +=
      "\n  diskrelease COMMAND --help   its flags\n"
      "  diskrelease --version        the version\n\n"
      "exit codes: 0 done, 1 internal error, 2 usage or invalid input, 3 some items failed,\n"
      "4 unknown outcomes remain, 5 refused by a safety gate, 6 interrupted (resumable),\n"
      "7 stopped by authentication, endpoint or circuit breaker (resumable), 8 locked,\n"
      "9 audit verification failed, 10 audit database unusable\n";
  return text;
}

[[noreturn]] void unknown_command(const std::string& word) {
  Suggestion suggestion(word);
  for (const Command& command : k_commands) suggestion.consider(command.name, command.name);
  throw UsageError("there is no command \"" + visible(word) + "\"" + suggestion.text() +
                   "\nSee: diskrelease --help");
}

/// Flags of the commands that call the API: run, resume, settle.
void add_call_flags(cxxopts::Options& options) {
  options.add_options("Calls")  //
      ("endpoint", "API endpoint (default console.zenlayer.com)", cxxopts::value<std::string>(),
       "HOST[:PORT]")  //
      ("ca-file", "a further CA to trust; verification itself cannot be turned off",
       cxxopts::value<std::string>(), "PEM")                                                 //
      ("profile", "profile in the credentials file", cxxopts::value<std::string>(), "NAME")  //
      ("credentials-file", "JSON file with the credential", cxxopts::value<std::string>(),
       "PATH")  //
      ("proxy", "HTTP proxy, http://[user:password@]host:port", cxxopts::value<std::string>(),
       "URL")  //
      ("rate", "requests per second, fractions allowed (default 2)", cxxopts::value<std::string>(),
       "N|unlimited")                                                                            //
      ("burst", "requests that may leave back to back (default 1)", cxxopts::value<int>(), "N")  //
      ("in-flight", "requests under way at once (default 4)", cxxopts::value<int>(), "N")        //
      ("timeout", "one request, from its first byte to the last of its answer (default 30s)",
       cxxopts::value<std::string>(),
       "TIME")  //
      ("connect-timeout", "TCP, proxy and TLS handshake (default 5s)",
       cxxopts::value<std::string>(), "TIME")  //
      ("max-attempts", "tries of one item that cannot be sent, or that ends unknown (default 5)",
       cxxopts::value<int>(),
       "N")                                                             //
      ("no-verify", "do not read accepted disks until they have left")  //
      ("settle-window", "how long a disk is read before it is left as it is (default 3m)",
       cxxopts::value<std::string>(), "TIME")  //
      ("settle-poll", "between two reads of one disk (default 3s)", cxxopts::value<std::string>(),
       "TIME")                                                                     //
      ("sandbox", "call a simulator inside this process: no account, no network")  //
      ("sandbox-scenario", "what the simulator does (docs/sandbox.md)",
       cxxopts::value<std::string>(), "FILE");
}

/// Flags of the commands that write evidence: run, resume, settle, audit archive.
void add_anchor_flags(cxxopts::Options& options, const char* group) {
  options.add_options(group)  //
      ("anchor-file",
       "keep the chain's head here, best on another volume (default: beside the "
       "database)",
       cxxopts::value<std::string>(),
       "FILE")  //
      ("anchor-key", "sign anchors with this private Ed25519 key (PEM, mode 600)",
       cxxopts::value<std::string>(), "FILE")  //
      ("anchor-syslog", "send anchors to the system log as well (default socket /dev/log)",
       cxxopts::value<std::string>()->implicit_value("/dev/log"), "SOCKET");
}

/// Flags of the commands that may accept what was lost: run, resume, settle.
void add_rollback_flags(cxxopts::Options& options, const Command& command) {
  options.add_options("Calls")("accept-rollback",
                               "use a database that its anchors contradict; needs --reason");
  // settle has it for marks as well.
  if (command.name == "settle") return;
  options.add_options("Calls")("reason", "why the rollback is accepted; is recorded",
                               cxxopts::value<std::string>(), "TEXT");
}

/// Flags of the commands that release: run, resume.
void add_release_flags(cxxopts::Options& options) {
  options.add_options("Run")                                                          //
      ("no-preflight", "do not read a disk's status before anything is sent for it")  //
      ("look-batch", "disks that a read before sending takes, 1 to 100 (default 10)",
       cxxopts::value<int>(), "N")  //
      ("resend-unsettled",
       "send a disk that was AVAILABLE for the whole settle window again, until --max-attempts "
       "have ended unknown");
}

void add_settle_flags(cxxopts::Options& options) {
  options.add_options("Settle")  //
      ("mark", "what you have found out about a disk: released or not-released; repeatable",
       cxxopts::value<std::vector<std::string>>(), "DISK=FATE")  //
      ("reason", "how you know, or why a rollback is accepted; is recorded",
       cxxopts::value<std::string>(), "TEXT");
}

void add_run_flags(cxxopts::Options& options) {
  options.add_options("Run")  //
      ("name", "name of the run (default: the list's file name)", cxxopts::value<std::string>(),
       "TEXT")  //
      ("format", "csv, json, ndjson or text (default: by extension or content)",
       cxxopts::value<std::string>(), "FORMAT")  //
      ("column", "CSV column with the disk ids: header or number", cxxopts::value<std::string>(),
       "NAME")  //
      ("max-list-size", "refuse a list of more bytes than this (default 1GiB)",
       cxxopts::value<std::string>(), "SIZE")  //
      ("goal",
       "release: exactly one accepted call per disk, ever; purge: until the disk is gone for good",
       cxxopts::value<std::string>(), "GOAL")                                                  //
      ("include-recycled", "goal purge: also disks that are in the recycle bin at the start")  //
      ("yes", "do not ask; needs a stated limit")                                              //
      ("max-disks", "refuse to release more disks than this", cxxopts::value<std::int64_t>(), "N");
}

void add_table_flags(cxxopts::Options& options) {
  options.add_options("Output")("csv",
                                "CSV; what a spreadsheet would take for a formula begins with '")(
      "ndjson", "a JSON object a line");
}

void add_time_zone_flag(cxxopts::Options& options) {
  options.add_options("Output")(
      "time-zone", "of times read and shown: UTC (default), local, +02:00, Europe/Berlin, ...",
      cxxopts::value<std::string>(), "ZONE");
}

void add_log_flags(cxxopts::Options& options) {
  options.add_options("Filter")                                                 //
      ("run", "of this run", cxxopts::value<std::int64_t>(), "RUN")             //
      ("job", "of runs with this name", cxxopts::value<std::string>(), "NAME")  //
      ("disk", "of this disk", cxxopts::value<std::string>(), "ID")             //
      ("outcome", "accepted, already_gone, rejected, throttled, not_sent, unknown or open",
       cxxopts::value<std::string>(), "OUTCOME")                                      //
      ("code", "with this API code", cxxopts::value<std::string>(), "CODE")           //
      ("http-status", "with this HTTP status", cxxopts::value<std::int64_t>(), "N")   //
      ("request-id", "with this request id", cxxopts::value<std::string>(), "ID")     //
      ("text", "with this in the message", cxxopts::value<std::string>(), "TEXT")     //
      ("user", "by this login name", cxxopts::value<std::string>(), "NAME")           //
      ("host", "from this machine", cxxopts::value<std::string>(), "NAME")            //
      ("credential", "with this credential id", cxxopts::value<std::string>(), "ID")  //
      ("endpoint", "to this endpoint", cxxopts::value<std::string>(), "HOST[:PORT]")  //
      ("since", "announced at or after this time, or so long ago: 2026-11-24T03:00, 7d, 12h",
       cxxopts::value<std::string>(), "TIME")  //
      ("until", "announced before this time", cxxopts::value<std::string>(), "TIME");
  options.add_options("Output")  //
      ("sort", "intent (default), finished, latency, disk, run, outcome or code",
       cxxopts::value<std::string>(), "KEY")                             //
      ("descending", "highest first")                                    //
      ("limit", "at most so many", cxxopts::value<std::int64_t>(), "N")  //
      ("columns", "these, in this order, by comma (`all`: every one)",
       cxxopts::value<std::string>(), "NAMES");
  add_time_zone_flag(options);
  add_table_flags(options);
}

void add_reconcile_flags(cxxopts::Options& options) {
  options.add_options("Reconcile")  //
      ("provider-log", "answers to DescribeLogs as JSON, - for standard input; needed",
       cxxopts::value<std::string>(), "FILE")  //
      ("run", "findings about attempts of this run only", cxxopts::value<std::int64_t>(),
       "RUN")  //
      ("since", "the log covers the time from here (default: its earliest record)",
       cxxopts::value<std::string>(), "TIME")  //
      ("until", "the log covers the time to before here (default: its latest record)",
       cxxopts::value<std::string>(), "TIME")  //
      ("window", "how far apart the two times of one call may be (default 5m)",
       cxxopts::value<std::string>(), "TIME")  //
      ("event", "a further event name that stands for the release of a disk; repeatable",
       cxxopts::value<std::vector<std::string>>(), "NAME")  //
      ("csv", "findings as CSV");
  options.add_options("Output")(
      "time-zone", "of --since and --until: UTC (default), local, +02:00, Europe/Berlin, ...",
      cxxopts::value<std::string>(), "ZONE");
}

/// The commands that read several databases together.
constexpr std::array<std::string_view, 5> k_readers_of_several{
    "audit log", "audit explain", "audit sql", "audit reconcile", "audit verify"};

bool reads_several(std::string_view command) {
  return std::ranges::find(k_readers_of_several, command) != k_readers_of_several.end();
}

void add_common_flags(cxxopts::Options& options, std::string_view command) {
  if (command != "sandbox") {
    options.add_options("Common")(
        "db",
        reads_several(command)
            ? "audit database (default: below the XDG state directory); repeatable, for archives"
            : "audit database (default: below the XDG state directory)",
        cxxopts::value<std::vector<std::string>>(), "PATH");
  }
  options.add_options("Common")                                                  //
      ("json", "machine-readable output")("q,quiet", "only results and errors")  //
      ("v,verbose", "tell about every attempt")("no-color",
                                                "no colours (NO_COLOR does the same)")  //
      ("h,help", "this text");
}

/// `--yes=false` would be understood by the library, but not by a reader who sees `--yes`.
bool is_given(const cxxopts::ParseResult& parsed, const char* name) {
  if (parsed.count(name) == 0) return false;
  if (!parsed[name].as<bool>()) {
    throw UsageError(std::string("--") + name + " takes no value; leave it out");
  }
  return true;
}

template <class T>
std::optional<T> get(const cxxopts::ParseResult& parsed, const char* name) {
  if (parsed.count(name) == 0) return std::nullopt;
  if (parsed.count(name) > 1) {
    throw UsageError(std::string("--") + name + " is given more than once");
  }
  return parsed[name].as<T>();
}

std::optional<std::string> get_text(const cxxopts::ParseResult& parsed, const char* name) {
  std::optional<std::string> text = get<std::string>(parsed, name);
  if (text && text->empty()) throw UsageError(std::string("--") + name + " must not be empty");
  return text;
}

std::optional<std::chrono::milliseconds> get_duration(const cxxopts::ParseResult& parsed,
                                                      const char* name) {
  const std::optional<std::string> text = get_text(parsed, name);
  if (!text) return std::nullopt;
  const auto duration = parse_duration(*text);
  if (!duration) {
    throw UsageError(std::string("--") + name + ": \"" + visible(*text) +
                     "\" is not a duration; write a number with ms, s, m or h, such as 30s");
  }
  return duration;
}

std::optional<std::int64_t> get_size(const cxxopts::ParseResult& parsed, const char* name) {
  const std::optional<std::string> text = get_text(parsed, name);
  if (!text) return std::nullopt;
  const auto size = parse_size(*text);
  if (!size) {
    throw UsageError(std::string("--") + name + ": \"" + visible(*text) +
                     "\" is not a size; write a number with KiB, MiB or GiB, such as 100MiB");
  }
  return size;
}

void read_rate(const cxxopts::ParseResult& parsed, JobSettings& settings) {
  const std::optional<std::string> text = get_text(parsed, "rate");
  if (!text) return;
  if (*text == "unlimited") {
    settings.rate_unlimited = true;
    return;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || !std::isfinite(value)) {
    throw UsageError("--rate: \"" + visible(*text) +
                     "\" is not a number of requests per second, nor \"unlimited\"");
  }
  settings.rate_per_second = value;
}

/// A switch that says `value`; its absence says nothing.
std::optional<bool> get_switch(const cxxopts::ParseResult& parsed, const char* name, bool value) {
  return is_given(parsed, name) ? std::optional(value) : std::nullopt;
}

std::optional<Mark> read_mark(const std::string& text, std::vector<std::string>& problems) {
  const std::string place = "--mark \"" + visible(text) + "\": ";
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos) {
    problems.push_back(place + "write DISK=released or DISK=not-released");
    return std::nullopt;
  }
  const std::string id = text.substr(0, equals);
  const std::string fate = text.substr(equals + 1);
  const auto disk = DiskId::parse(id);
  if (const auto* const problem = std::get_if<DiskIdProblem>(&disk)) {
    problems.push_back(place + "the disk id " + std::string(describe(*problem)));
  }
  const bool released = fate == "released";
  if (!released && fate != "not-released") {
    Suggestion suggestion(fate);
    suggestion.consider("released", "released");
    suggestion.consider("not_released", "not-released");
    problems.push_back(place + "\"" + visible(fate) + "\" is none of released, not-released" +
                       suggestion.text());
    return std::nullopt;
  }
  if (!std::holds_alternative<DiskId>(disk)) return std::nullopt;
  return Mark{std::get<DiskId>(disk), released ? MarkedAs::released : MarkedAs::not_released};
}

void check_reason(const std::string& reason, std::vector<std::string>& problems) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (reason.find_first_not_of(" \t\r\n") == std::string::npos) {
    problems.emplace_back("--reason must not be empty");
  } else if (reason.size() > k_max_reason_bytes) {
    problems.push_back("--reason must not be longer than " + std::to_string(k_max_reason_bytes) +
                       " bytes");
  } else if (!is_utf8(reason) || std::any_of(reason.begin(), reason.end(), is_control)) {
    problems.emplace_back("--reason must be one line of UTF-8 text");
  }
}

void read_marks_and_reason(const cxxopts::ParseResult& parsed, Options& options) {
  std::vector<std::string> problems;
  std::set<DiskId> marked;
  std::set<DiskId> told;
  if (parsed.count("mark") > 0) {
    for (const std::string& text : parsed["mark"].as<std::vector<std::string>>()) {
      std::optional<Mark> mark = read_mark(text, problems);
      if (!mark) continue;
      if (marked.insert(mark->disk).second) {
        options.marks.push_back(std::move(*mark));
      } else if (told.insert(mark->disk).second) {
        problems.push_back("--mark: disk " + mark->disk.text() + " is marked more than once");
      }
    }
  }
  options.reason = get<std::string>(parsed, "reason");
  if (options.reason) check_reason(*options.reason, problems);
  if (parsed.count("mark") > 0 && !options.reason) {
    problems.emplace_back("--mark needs --reason TEXT: how you know what became of the disk");
  }
  options.accept_rollback = is_given(parsed, "accept-rollback");
  if (options.accept_rollback && !options.reason) {
    problems.emplace_back(
        "--accept-rollback needs --reason TEXT: why the newest copy cannot be put back");
  }
  if (parsed.count("mark") == 0 && !options.accept_rollback && options.reason) {
    problems.emplace_back(
        "--reason is the reason of a --mark or of --accept-rollback, and there is none");
  }
  if (problems.empty()) return;
  std::string text;
  for (const std::string& problem : problems) text += (text.empty() ? "" : "\n") + problem;
  throw UsageError(text);
}

void read_settings_flags(const cxxopts::ParseResult& parsed, JobSettings& settings) {
  settings.endpoint = get_text(parsed, "endpoint");
  settings.ca_file = get_text(parsed, "ca-file");
  settings.profile = get_text(parsed, "profile");
  settings.credentials_file = get_text(parsed, "credentials-file");
  settings.proxy = get_text(parsed, "proxy");
  read_rate(parsed, settings);
  settings.burst = get<int>(parsed, "burst");
  settings.in_flight = get<int>(parsed, "in-flight");
  settings.look_batch = get<int>(parsed, "look-batch");
  settings.timeout = get_duration(parsed, "timeout");
  settings.connect_timeout = get_duration(parsed, "connect-timeout");
  settings.max_attempts = get<int>(parsed, "max-attempts");
  settings.name = get_text(parsed, "name");
  settings.column = get_text(parsed, "column");
  settings.max_disks = get<std::int64_t>(parsed, "max-disks");
  settings.max_list_size = get_size(parsed, "max-list-size");
  settings.preflight = get_switch(parsed, "no-preflight", false);
  settings.verify = get_switch(parsed, "no-verify", false);
  settings.settle_window = get_duration(parsed, "settle-window");
  settings.settle_poll = get_duration(parsed, "settle-poll");
  settings.resend_unsettled = get_switch(parsed, "resend-unsettled", true);
  settings.include_recycled = get_switch(parsed, "include-recycled", true);
  if (const auto text = get_text(parsed, "format")) {
    settings.format = list_format_from_text(*text);
    if (!settings.format) {
      throw UsageError("--format: \"" + visible(*text) + "\" is none of csv, json, ndjson, text");
    }
  }
  if (const auto text = get_text(parsed, "goal")) {
    settings.goal = goal_from_text(*text);
    if (!settings.goal) {
      throw UsageError("--goal: \"" + visible(*text) + "\" is none of release, purge");
    }
  }
}

/// Of what SQLite's LIKE takes.
constexpr std::size_t k_longest_text = 1'000;

void read_filters(const cxxopts::ParseResult& parsed, LogFilter& filter) {
  filter.run = get<std::int64_t>(parsed, "run");
  filter.run_name = get_text(parsed, "job");
  filter.disk = get_text(parsed, "disk");
  filter.outcome = get_text(parsed, "outcome");
  filter.code = get_text(parsed, "code");
  filter.http_status = get<std::int64_t>(parsed, "http-status");
  filter.request_id = get_text(parsed, "request-id");
  filter.user = get_text(parsed, "user");
  filter.host = get_text(parsed, "host");
  filter.credential = get_text(parsed, "credential");
  filter.endpoint = get_text(parsed, "endpoint");
  filter.text = get_text(parsed, "text");
  if (filter.text && filter.text->size() > k_longest_text) {
    throw UsageError("--text must not be longer than 1000 bytes: no message is longer");
  }
  filter.descending = is_given(parsed, "descending");
  if (filter.outcome && *filter.outcome != "open" && !outcome_from_text(*filter.outcome)) {
    throw UsageError("--outcome: \"" + visible(*filter.outcome) +
                     "\" is none of accepted, already_gone, rejected, throttled, not_sent, "
                     "unknown, open");
  }
  const auto order = get_text(parsed, "sort");
  if (!order) return;
  static const std::map<std::string_view, LogOrder> orders{
      {"intent", LogOrder::recording}, {"finished", LogOrder::finished},
      {"latency", LogOrder::latency},  {"disk", LogOrder::disk},
      {"run", LogOrder::run},          {"outcome", LogOrder::outcome},
      {"code", LogOrder::code},
  };
  const auto found = orders.find(*order);
  if (found == orders.end()) {
    throw UsageError("--sort: \"" + visible(*order) +
                     "\" is none of intent, finished, latency, disk, run, outcome, code");
  }
  filter.order = found->second;
}

void check_output(const Options& options) {
  if (options.state && !item_state_from_text(*options.state)) {
    throw UsageError("--state: \"" + visible(*options.state) +
                     "\" is none of pending, released, already_gone, rejected, failed, skipped, "
                     "unknown");
  }
  if (options.limit && *options.limit < 1) throw UsageError("--limit must be at least 1");
  if (int{options.json} + int{options.ndjson} + int{options.csv} > 1) {
    throw UsageError("--json, --ndjson and --csv exclude each other");
  }
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

void read_databases(const cxxopts::ParseResult& parsed, std::string_view command,
                    Options& options) {
  if (parsed.count("db") == 0) return;
  auto paths = parsed["db"].as<std::vector<std::string>>();
  if (std::ranges::find(paths, "") != paths.end()) throw UsageError("--db must not be empty");
  if (paths.size() > 1 && !reads_several(command)) {
    std::string names;
    for (const std::string_view name : k_readers_of_several) {
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    throw UsageError("--db is given more than once; only these read several databases: " + names);
  }
  options.database = std::move(paths.front());
  paths.erase(paths.begin());
  options.more_databases = std::move(paths);
}

Options read_flags(std::string command, const cxxopts::ParseResult& parsed) {
  Options options;
  read_settings_flags(parsed, options.settings);
  read_databases(parsed, command, options);
  options.yes = is_given(parsed, "yes");
  options.accept_credential = is_given(parsed, "accept-credential");
  options.json = is_given(parsed, "json");
  options.ndjson = is_given(parsed, "ndjson");
  options.csv = is_given(parsed, "csv");
  options.quiet = is_given(parsed, "quiet");
  options.verbose = is_given(parsed, "verbose");
  options.no_color = is_given(parsed, "no-color");
  options.sandbox_scenario = get_text(parsed, "sandbox-scenario");
  options.sandbox = is_given(parsed, "sandbox") || options.sandbox_scenario.has_value();
  read_marks_and_reason(parsed, options);
  options.anchor_file = get_text(parsed, "anchor-file");
  options.anchor_key = get_text(parsed, "anchor-key");
  options.anchor_syslog = get_text(parsed, "anchor-syslog");
  options.anchor_public_key = get_text(parsed, "anchor-public-key");
  options.output = get_text(parsed, "output");
  options.key = get_text(parsed, "key");
  options.all = is_given(parsed, "all");
  options.state = get_text(parsed, "state");
  read_filters(parsed, options.filter);
  options.since = get_text(parsed, "since");
  options.until = get_text(parsed, "until");
  if (const auto text = get_text(parsed, "columns")) options.columns = split_at_commas(*text);
  options.time_zone = get_text(parsed, "time-zone");
  options.limit = get<std::int64_t>(parsed, "limit");
  options.provider_log = get_text(parsed, "provider-log");
  if (parsed.count("event") > 0) {
    options.release_events = parsed["event"].as<std::vector<std::string>>();
    if (std::ranges::find(options.release_events, "") != options.release_events.end()) {
      throw UsageError("--event must not be empty");
    }
  }
  options.window = get_duration(parsed, "window");
  options.port = get<std::int64_t>(parsed, "port").value_or(0);
  options.ca_out = get_text(parsed, "ca-out");
  options.ledger = get_text(parsed, "ledger");
  options.force = is_given(parsed, "force");
  options.before = get_text(parsed, "before");
  options.dry_run = is_given(parsed, "dry-run");
  check_output(options);
  options.words.push_back(std::move(command));
  if (parsed.count("arguments") > 0) {
    for (const std::string& word : parsed["arguments"].as<std::vector<std::string>>()) {
      options.words.push_back(word);
    }
  }
  return options;
}

void add_flags_of(const Command& command, cxxopts::Options& options) {
  const bool releases = command.name == "run" || command.name == "resume";
  if (command.name == "run") add_run_flags(options);
  if (command.name == "resume") {
    options.add_options("Run")("yes", "accepted for symmetry with run: a resumed run is approved")(
        "max-disks", "refuse to release more disks than this", cxxopts::value<std::int64_t>(), "N");
  }
  if (releases) add_release_flags(options);
  if (command.name == "settle") add_settle_flags(options);
  if (releases || command.name == "settle") {
    options.add_options("Calls")("accept-credential",
                                 "Let a credential work on a run that used another one");
    add_call_flags(options);
    add_anchor_flags(options, "Calls");
    add_rollback_flags(options, command);
  }
  if (command.name == "status") options.add_options("Status")("all", "every run, a line each");
  if (command.name == "audit show") {
    options.add_options("Show")("state", "only items in this state", cxxopts::value<std::string>(),
                                "STATE");
    add_table_flags(options);
  }
  if (command.name == "audit log") add_log_flags(options);
  if (command.name == "audit explain") {
    add_time_zone_flag(options);
    add_table_flags(options);
  }
  if (command.name == "audit sql") {
    options.add_options("Query")  //
        ("limit", "at most so many rows (default 100000)", cxxopts::value<std::int64_t>(),
         "N")  //
        ("timeout", "longest time for the query (default 60s)", cxxopts::value<std::string>(),
         "TIME");
    add_table_flags(options);
  }
  if (command.name == "audit verify") {
    options.add_options("Verify")  //
        ("anchor-file", "hold it against this file (default: that beside the database)",
         cxxopts::value<std::string>(), "FILE")  //
        ("anchor-public-key", "every anchor must be signed by this Ed25519 key (PEM)",
         cxxopts::value<std::string>(), "FILE");
  }
  if (command.name == "audit export") {
    options.add_options("Export")  //
        ("o,output", "new folder, or new FILE.tar", cxxopts::value<std::string>(),
         "DIR|FILE.tar")  //
        ("key", "sign the manifest with this private Ed25519 key (PEM, mode 600)",
         cxxopts::value<std::string>(), "FILE")  //
        ("anchor-file", "take anchors from here (default: from beside the database)",
         cxxopts::value<std::string>(), "FILE");
  }
  if (command.name == "audit backup") {
    options.add_options("Backup")                                        //
        ("o,output", "new file", cxxopts::value<std::string>(), "FILE")  //
        ("force", "replace FILE where there is one")                     //
        ("anchor-file", "hold the copy against this file (default: that beside the database)",
         cxxopts::value<std::string>(), "FILE");
  }
  if (command.name == "audit archive") {
    options.add_options("Archive")  //
        ("before", "runs on which nobody has worked since then: 2026-01-01, or so long ago: 365d",
         cxxopts::value<std::string>(), "TIME")                                       //
        ("o,output", "new file, the archive", cxxopts::value<std::string>(), "FILE")  //
        ("dry-run", "only tell which runs would be moved")                            //
        ("time-zone", "of --before: UTC (default), local, +02:00, Europe/Berlin, ...",
         cxxopts::value<std::string>(), "ZONE");
    add_anchor_flags(options, "Archive");
  }
  if (command.name == "audit reconcile") add_reconcile_flags(options);
  if (command.name == "report") {
    options.add_options("Report")  //
        ("o,output", "write the page here; - is standard output", cxxopts::value<std::string>(),
         "FILE")                                      //
        ("force", "replace FILE where there is one")  //
        ("since",
         "all runs made or worked on since this time, or for so long: 2026-11-01, 30d, 12h",
         cxxopts::value<std::string>(), "TIME");
  }
  if (command.name == "sandbox") {
    options.add_options("Sandbox")  //
        ("port", "port on 127.0.0.1 (default: any free one)", cxxopts::value<std::int64_t>(),
         "N")  //
        ("scenario", "what the simulator does (docs/sandbox.md)", cxxopts::value<std::string>(),
         "FILE")  //
        ("ca-out", "write the CA's certificate here, for --ca-file", cxxopts::value<std::string>(),
         "PEM")  //
        ("ledger", "append every request here, before it is answered (NDJSON)",
         cxxopts::value<std::string>(), "FILE");
  }
  add_common_flags(options, command.name);
  options.add_options()("arguments", "", cxxopts::value<std::vector<std::string>>());
}

}  // namespace

bool wants_colour(const Options& options) {
  return !options.no_color && !environment_variable("NO_COLOR") && ::isatty(STDOUT_FILENO) == 1;
}

std::string_view tool_version() noexcept { return DISKRELEASE_VERSION; }

Options parse_options(int argc, const char* const* argv) {
  Options plain;
  const std::string first = argc > 1 ? argv[1] : "";
  if (first == "--version" || first == "version") {
    plain.help = "diskrelease " + std::string(tool_version()) + "\n";
    return plain;
  }
  if (first == "--help" || first == "-h" || first == "help") {
    plain.help = overview();
    return plain;
  }
  if (first.empty()) throw UsageError("no command is given\n\n" + overview());

  std::string name = first;
  int used = 2;
  if (first == "audit") {
    const std::string second = argc > 2 ? argv[2] : "";
    if (second == "--help" || second == "-h") {
      plain.help = overview();
      return plain;
    }
    name += " " + (second.empty() ? "(nothing)" : second);
    used = 3;
  }
  const Command* command = nullptr;
  for (const Command& known : k_commands) {
    if (known.name == name) command = &known;
  }
  if (command == nullptr) unknown_command(name);

  cxxopts::Options flags("diskrelease " + name, std::string(command->summary));
  flags.custom_help(std::string(command->arguments) + " [FLAGS]");
  flags.positional_help("");
  flags.set_width(100);
  add_flags_of(*command, flags);
  flags.parse_positional({"arguments"});
  try {
    // The words of the command stand in for the program's name.
    const cxxopts::ParseResult parsed = flags.parse(argc - used + 1, argv + used - 1);
    if (parsed.count("help") > 0) {
      std::vector<std::string> groups = flags.groups();
      std::erase(groups, "");
      plain.help = flags.help(groups);
      return plain;
    }
    Options options = read_flags(name, parsed);
    if (parsed.count("scenario") > 0) options.sandbox_scenario = get_text(parsed, "scenario");
    return options;
  } catch (const cxxopts::exceptions::exception& error) {
    throw UsageError(std::string(error.what()) + "\nSee: diskrelease " + name + " --help");
  }
}

}  // namespace diskrelease
