#include "sandbox/scenario.h"

#include <Poco/Dynamic/Var.h>
#include <Poco/Exception.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <numbers>
#include <sstream>
#include <unordered_set>

#include "model/disk_id.h"
#include "model/shown_path.h"
#include "sandbox/seeded_draw.h"

namespace diskrelease::sandbox {
namespace {

using Poco::Dynamic::Var;
using std::chrono::milliseconds;
using Problems = std::vector<std::string>;

/// More would not fit into the clocks' arithmetic comfortably, and nobody waits for it.
constexpr std::int64_t k_max_ms = 1000LL * 3600 * 1000;
constexpr std::int64_t k_max_generated = 10'000'000;

template <typename Value>
struct Choice {
  std::string_view name;
  Value value;
};

constexpr std::array k_modes{Choice<AccountMode>{"recycle_bin", AccountMode::recycle_bin},
                             Choice<AccountMode>{"direct", AccountMode::direct}};
constexpr std::array k_endings{Choice<Ending>{"close_notify", Ending::close_notify},
                               Choice<Ending>{"fin", Ending::fin},
                               Choice<Ending>{"rst", Ending::rst}};
constexpr std::array k_body_forms{Choice<BodyForm>{"json", BodyForm::json},
                                  Choice<BodyForm>{"html", BodyForm::html}};
constexpr std::array k_detached_forms{Choice<DetachedForm>{"null", DetachedForm::null},
                                      Choice<DetachedForm>{"empty", DetachedForm::empty},
                                      Choice<DetachedForm>{"missing", DetachedForm::missing}};
constexpr std::array k_disk_types{Choice<bool>{"DATA", false}, Choice<bool>{"SYSTEM", true}};
constexpr std::array k_actions{Choice<int>{"ReleaseDisk", 0}, Choice<int>{"RenewDisk", 0},
                               Choice<int>{"DescribeDisks", 0}};

template <typename Names>
std::string list_of(const Names& names) {
  std::string text;
  for (const std::string_view name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

/// One JSON object of the file. Remembers which keys were asked for: when it goes out of use, the
/// others are unknown. A value that does not fit is reported and leaves its destination as it was.
class Fields {
 public:
  Fields(Poco::JSON::Object::Ptr object, std::string path, Problems* problems)
      : object_(std::move(object)), path_(std::move(path)), problems_(problems) {}

  static std::optional<Fields> of(const Var& value, const std::string& path, Problems* problems) {
    if (value.type() != typeid(Poco::JSON::Object::Ptr)) {
      problems->push_back(path + ": must be an object");
      return std::nullopt;
    }
    return Fields(value.extract<Poco::JSON::Object::Ptr>(), path, problems);
  }

  [[nodiscard]] bool has(const std::string& key) {
    asked_.push_back(key);
    return object_->has(key);
  }

  [[nodiscard]] std::string at(const std::string& key) const { return path_ + "." + key; }
  void problem(const std::string& key, const std::string& text) const {
    problems_->push_back(at(key) + ": " + text);
  }
  [[nodiscard]] Problems* problems() const noexcept { return problems_; }
  [[nodiscard]] Var value(const std::string& key) const { return object_->get(key); }
  [[nodiscard]] std::vector<std::string> keys() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : *object_) names.push_back(name);
    return names;
  }

  std::optional<Fields> object(const std::string& key) {
    if (!has(key)) return std::nullopt;
    return of(value(key), at(key), problems_);
  }

  Poco::JSON::Array::Ptr array(const std::string& key) {
    if (!has(key)) return {};
    if (value(key).type() != typeid(Poco::JSON::Array::Ptr)) {
      problem(key, "must be an array");
      return {};
    }
    return value(key).extract<Poco::JSON::Array::Ptr>();
  }

  struct Range {
    std::int64_t from;
    std::int64_t to;
  };

  std::optional<std::int64_t> integer(const std::string& key, Range range) {
    if (!has(key)) return std::nullopt;
    const Var given = value(key);
    if (given.isInteger() && !given.isBoolean()) {
      const auto number = given.convert<std::int64_t>();
      if (number >= range.from && number <= range.to) return number;
    }
    problem(key, "must be a whole number from " + std::to_string(range.from) + " to " +
                     std::to_string(range.to));
    return std::nullopt;
  }

  std::optional<double> number(const std::string& key, double from, double to) {
    if (!has(key)) return std::nullopt;
    const Var given = value(key);
    if (given.isNumeric() && !given.isBoolean()) {
      const auto number = given.convert<double>();
      if (number >= from && number <= to) return number;
    }
    std::array<char, 64> range{};
    (void)std::snprintf(range.data(), range.size(), "must be a number from %g to %g", from, to);
    problem(key, range.data());
    return std::nullopt;
  }

  std::optional<milliseconds> duration(const std::string& key) {
    const auto ms = integer(key, {0, k_max_ms});
    if (!ms) return std::nullopt;
    return milliseconds(*ms);
  }

  std::optional<bool> boolean(const std::string& key) {
    if (!has(key)) return std::nullopt;
    if (!value(key).isBoolean()) {
      problem(key, "must be true or false");
      return std::nullopt;
    }
    return value(key).convert<bool>();
  }

  std::optional<std::string> text(const std::string& key) {
    if (!has(key)) return std::nullopt;
    if (!value(key).isString() || value(key).extract<std::string>().empty()) {
      problem(key, "must be a text that is not empty");
      return std::nullopt;
    }
    return value(key).extract<std::string>();
  }

  /// A text that goes into a header or is compared with one.
  std::optional<std::string> header_text(const std::string& key) {
    auto given = text(key);
    if (given && given->find_first_of("\r\n") != std::string::npos) {
      problem(key, "must not hold a line end");
      return std::nullopt;
    }
    return given;
  }

  template <typename Value, std::size_t N>
  std::optional<Value> choice(const std::string& key, const std::array<Choice<Value>, N>& choices) {
    if (!has(key)) return std::nullopt;
    std::vector<std::string_view> names;
    for (const auto& option : choices) {
      if (value(key).isString() && value(key).extract<std::string>() == option.name) {
        return option.value;
      }
      names.push_back(option.name);
    }
    problem(key, "must be one of " + list_of(names));
    return std::nullopt;
  }

  /// A disk id, checked as the client checks it.
  std::optional<std::string> disk_id(const std::string& key) {
    const auto given = text(key);
    if (!given) return std::nullopt;
    return checked_disk_id(*given, at(key), problems_);
  }

  static std::optional<std::string> checked_disk_id(const std::string& given,
                                                    const std::string& path, Problems* problems) {
    const auto parsed = DiskId::parse(given);
    if (const auto* const problem = std::get_if<DiskIdProblem>(&parsed)) {
      problems->push_back(path + ": the disk id " + std::string(describe(*problem)));
      return std::nullopt;
    }
    return given;
  }

  /// Call it once everything of the object was asked for.
  void refuse_the_rest() const {
    for (const auto& [key, value] : *object_) {
      if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
        problem(key, "unknown key; known here: " + list_of(asked_));
      }
    }
  }

 private:
  Poco::JSON::Object::Ptr object_;
  std::string path_;
  Problems* problems_;
  std::vector<std::string> asked_;
};

template <typename Value, typename Given>
void put(Value& destination, std::optional<Given> given) {
  if (given) destination = static_cast<Value>(*std::move(given));
}

void read_delays(Fields fields, Delays& delays) {
  put(delays.leave, fields.duration("leave_ms"));
  put(delays.recycling, fields.duration("recycling_ms"));
  put(delays.deleting, fields.duration("deleting_ms"));
  put(delays.retention, fields.duration("retention_ms"));
  put(delays.renew, fields.duration("renew_ms"));
  if (fields.has("transition_ms") && fields.value("transition_ms").isEmpty()) {
    delays.transition = std::nullopt;
  } else {
    put(delays.transition, fields.duration("transition_ms"));
  }
  fields.refuse_the_rest();
}

void read_latency(Fields fields, Latency& latency) {
  const auto before = fields.problems()->size();
  if (const auto fixed = fields.duration("fixed_ms")) latency = FixedLatency{*fixed};
  if (auto uniform = fields.object("uniform")) {
    UniformLatency drawn;
    put(drawn.from, uniform->duration("from_ms"));
    put(drawn.to, uniform->duration("to_ms"));
    if (drawn.to < drawn.from) uniform->problem("to_ms", "must not be less than from_ms");
    uniform->refuse_the_rest();
    latency = drawn;
  }
  if (auto lognormal = fields.object("lognormal")) {
    LognormalLatency drawn;
    put(drawn.median, lognormal->duration("median_ms"));
    put(drawn.sigma, lognormal->number("sigma", 0, 5));
    put(drawn.cap, lognormal->duration("cap_ms"));
    lognormal->refuse_the_rest();
    latency = drawn;
  }
  fields.refuse_the_rest();
  if (fields.problems()->size() == before && fields.keys().size() != 1) {
    fields.problems()->push_back(fields.at("") +
                                 " must have exactly one of fixed_ms, uniform, lognormal");
  }
}

void read_rate_limit(Fields fields, std::optional<RateLimitSettings>& limit) {
  RateLimitSettings settings;
  put(settings.per_second, fields.number("per_second", 0.001, 1e6));
  put(settings.burst, fields.integer("burst", {1, 1'000'000}));
  if (const auto seconds = fields.integer("retry_after_s", {0, 86'400})) {
    settings.retry_after = std::chrono::seconds(*seconds);
  }
  put(settings.body, fields.choice("body", k_body_forms));
  put(settings.begins, fields.duration("begins_ms"));
  if (const auto lasts = fields.duration("lasts_ms")) settings.lasts = *lasts;
  fields.refuse_the_rest();
  limit = settings;
}

void read_credentials(Fields fields, SandboxCredentials& credentials) {
  put(credentials.key_id, fields.header_text("key_id"));
  put(credentials.key_secret, fields.header_text("key_secret"));
  put(credentials.token, fields.header_text("token"));
  fields.refuse_the_rest();
}

void read_idle_close(Fields fields, std::optional<IdleClose>& idle) {
  IdleClose close;
  if (const auto after = fields.integer("after_ms", {1, k_max_ms})) {
    close.after = milliseconds(*after);
  } else if (!fields.has("after_ms")) {
    fields.problem("after_ms", "is missing");
  }
  put(close.ending, fields.choice("ending", k_endings));
  fields.refuse_the_rest();
  idle = close;
}

std::optional<DiskKind> read_kind(Fields& fields, const std::string& key) {
  const auto name = fields.text(key);
  if (!name) return std::nullopt;
  const auto kind = disk_kind_from_text(*name);
  if (!kind) fields.problem(key, "is not a kind of disk");
  return kind;
}

void read_unknown_disks(Fields& root, ModelSettings& model) {
  const std::string key = "unknown_disks";
  if (!root.has(key)) return;
  if (root.value(key).isString()) {
    const auto mode = root.value(key).extract<std::string>();
    if (mode == "create_available" || mode == "not_found") {
      model.create_unknown = mode == "create_available";
    } else {
      root.problem(key, "must be create_available, not_found, or an object of shares");
    }
    return;
  }
  auto shares = Fields::of(root.value(key), root.at(key), root.problems());
  if (!shares) return;
  model.create_unknown = true;
  double sum = 0;
  for (const auto& name : shares->keys()) {
    const auto kind = disk_kind_from_text(name);
    if (!kind) {
      shares->problem(name, "is not a kind of disk");
      continue;
    }
    if (const auto share = shares->number(name, 0, 1)) {
      model.unknown_mix.emplace_back(*kind, *share);
      sum += *share;
    }
  }
  // Decimal fractions that add up to 1 on paper may miss it by a little in binary.
  if (sum > 1.0 + 1e-9) root.problem(key, "the shares add up to more than 1");
}

std::optional<Disk> read_disk(Fields fields) {
  const auto id = fields.disk_id("id");
  if (!fields.has("id")) fields.problem("id", "is missing");
  const auto kind = read_kind(fields, "kind");
  Disk disk = disk_of_kind(id.value_or(""), kind.value_or(DiskKind::available));
  if (const auto name = fields.text("status")) {
    const auto status = disk_status_from_text(*name);
    if (!status) fields.problem("status", "is not a disk status");
    put(disk.status, status);
  }
  put(disk.system, fields.choice("disk_type", k_disk_types));
  put(disk.portable, fields.boolean("portable"));
  put(disk.name, fields.text("name"));
  put(disk.zone, fields.text("zone"));
  put(disk.size_gb, fields.integer("size_gb", {1, 1'000'000}));
  fields.refuse_the_rest();
  if (!id || kind == DiskKind::not_found) return std::nullopt;
  return disk;
}

void read_disks(Fields& root, std::vector<Disk>& disks) {
  std::unordered_set<std::string> ids;
  const auto keep = [&](Disk disk, const std::string& path) {
    if (ids.insert(disk.id).second) {
      disks.push_back(std::move(disk));
    } else {
      root.problems()->push_back(path + ": the disk id stands here a second time");
    }
  };
  if (const auto list = root.array("disks")) {
    for (std::size_t at = 0; at < list->size(); ++at) {
      const auto path = root.at("disks[" + std::to_string(at) + "]");
      if (auto fields = Fields::of(list->get(static_cast<unsigned>(at)), path, root.problems())) {
        if (auto disk = read_disk(std::move(*fields))) keep(std::move(*disk), path);
      }
    }
  }
  if (auto generate = root.object("generate")) {
    const auto count = generate->integer("count", {0, k_max_generated}).value_or(0);
    const auto first_text = generate->disk_id("first_id").value_or("9900000000000000000");
    std::uint64_t first = 0;
    const auto* const end = first_text.data() + first_text.size();
    const auto parsed = std::from_chars(first_text.data(), end, first);
    const auto most = std::numeric_limits<std::uint64_t>::max() - static_cast<std::uint64_t>(count);
    const bool usable = parsed.ec == std::errc{} && parsed.ptr == end && first <= most &&
                        (first_text == "0" || first_text.front() != '0');
    if (!usable) generate->problem("first_id", "must be a decimal number of at most 19 digits");
    const auto kind = read_kind(*generate, "kind").value_or(DiskKind::available);
    generate->refuse_the_rest();
    for (std::int64_t n = 0; usable && kind != DiskKind::not_found && n < count; ++n) {
      keep(disk_of_kind(std::to_string(first + static_cast<std::uint64_t>(n)), kind),
           root.at("generate"));
    }
  }
}

void read_match(Fields fields, FaultMatch& match) {
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  if (fields.choice("action", k_actions)) match.action = fields.value("action").toString();
  if (const auto id = fields.disk_id("disk_id")) match.disk_ids.insert(*id);
  if (const auto ids = fields.array("disk_ids")) {
    for (const auto& id : *ids) {
      const auto checked = Fields::checked_disk_id(id.isString() ? id.toString() : std::string{},
                                                   fields.at("disk_ids"), fields.problems());
      if (checked) match.disk_ids.insert(*checked);
    }
    if (ids->size() == 0) fields.problem("disk_ids", "must not be empty");
  }
  put(match.nth, fields.integer("nth", {1, most}));
  put(match.every, fields.integer("every", {1, most}));
  put(match.first, fields.integer("first", {1, most}));
  put(match.probability, fields.number("probability", 0, 1));
  put(match.per_disk, fields.boolean("per_disk"));
  fields.refuse_the_rest();
}

bool has_ending(FaultKind kind) {
  return kind == FaultKind::close_before_reading || kind == FaultKind::drop_before_executing ||
         kind == FaultKind::close_after_executing || kind == FaultKind::cut_body ||
         kind == FaultKind::cut_header || kind == FaultKind::close_after_answer ||
         kind == FaultKind::chunked_cut;
}

/// Each kind has its own keys; a key of another kind is an unknown one.
std::optional<Fault> read_fault(Fields fields) {
  const auto name = fields.text("kind");
  const auto kind = name ? fault_kind_from_text(*name) : std::nullopt;
  if (!kind) {
    fields.problem("kind", "must be one of " + list_of(fault_kind_names()));
    return std::nullopt;
  }
  Fault fault = default_fault(*kind);
  if (may_choose_executed(*kind)) put(fault.executed, fields.boolean("executed"));
  if (fault.executed) put(fault.effect_after, fields.duration("effect_after_ms"));
  if (has_ending(*kind)) put(fault.ending, fields.choice("ending", k_endings));
  if (*kind == FaultKind::answer_after || *kind == FaultKind::drip) {
    put(fault.delay, fields.duration("ms"));
  }
  if (*kind == FaultKind::cut_body || *kind == FaultKind::cut_header) {
    put(fault.keep_bytes, fields.integer("keep_bytes", {0, 1'000'000}));
  }
  if (*kind == FaultKind::http_error || *kind == FaultKind::auth_failure) {
    put(fault.status, fields.integer("status", {200, 999}));
    put(fault.code, fields.text("code"));
  }
  if (*kind == FaultKind::http_error || *kind == FaultKind::throttle) {
    put(fault.body, fields.choice("body", k_body_forms));
    if (const auto seconds = fields.integer("retry_after_s", {0, 86'400})) {
      fault.retry_after = std::chrono::seconds(*seconds);
    }
  }
  if (*kind == FaultKind::redirect_302) put(fault.location, fields.header_text("location"));
  fields.refuse_the_rest();
  return fault;
}

void read_faults(Fields& root, std::vector<FaultRule>& rules) {
  const auto list = root.array("faults");
  if (!list) return;
  for (std::size_t at = 0; at < list->size(); ++at) {
    const auto path = root.at("faults[" + std::to_string(at) + "]");
    auto fields = Fields::of(list->get(static_cast<unsigned>(at)), path, root.problems());
    if (!fields) continue;
    FaultRule rule;
    if (auto match = fields->object("match")) read_match(std::move(*match), rule.match);
    if (auto fault = fields->object("fault")) {
      if (auto read = read_fault(std::move(*fault))) rule.fault = std::move(*read);
    } else {
      fields->problem("fault", "is missing or not an object");
    }
    fields->refuse_the_rest();
    rules.push_back(std::move(rule));
  }
}

void read_root(Fields root, Scenario& scenario) {
  (void)root.has("description");  // for people
  put(scenario.model.seed, root.integer("seed", {0, std::numeric_limits<std::int64_t>::max()}));
  put(scenario.model.mode, root.choice("account_mode", k_modes));
  if (auto delays = root.object("delays")) read_delays(std::move(*delays), scenario.model.delays);
  put(scenario.model.stale_read, root.duration("stale_read_ms"));
  if (auto latency = root.object("latency")) read_latency(std::move(*latency), scenario.latency);
  if (auto limit = root.object("rate_limit")) {
    read_rate_limit(std::move(*limit), scenario.rate_limit);
  }
  if (auto credentials = root.object("credentials")) {
    read_credentials(std::move(*credentials), scenario.check.credentials);
  }
  put(scenario.check.auth_status, root.integer("auth_status", {400, 599}));
  if (const auto offset = root.integer("clock_offset_s", {-k_max_ms / 1000, k_max_ms / 1000})) {
    scenario.check.clock_offset = std::chrono::seconds(*offset);
  }
  if (auto idle = root.object("idle_close")) {
    read_idle_close(std::move(*idle), scenario.idle_close);
  }
  put(scenario.detached_form, root.choice("detached_instance", k_detached_forms));
  read_disks(root, scenario.disks);
  read_unknown_disks(root, scenario.model);
  read_faults(root, scenario.faults);
  root.refuse_the_rest();
}

}  // namespace

std::chrono::microseconds draw_latency(const Latency& latency, std::uint64_t seed,
                                       std::uint64_t sequence) {
  const auto first_bits = seeded_bits(seed, sequence);
  const double first = as_fraction(first_bits);
  if (const auto* const fixed = std::get_if<FixedLatency>(&latency)) return fixed->value;
  if (const auto* const uniform = std::get_if<UniformLatency>(&latency)) {
    const auto width = static_cast<double>((uniform->to - uniform->from).count() + 1);
    return uniform->from + std::chrono::microseconds(static_cast<std::int64_t>(first * width));
  }
  const auto& lognormal = std::get<LognormalLatency>(latency);
  const double second = as_fraction(seeded_bits(first_bits, sequence));
  // Box and Muller; 1 - first is never 0.
  const double normal =
      std::sqrt(-2.0 * std::log(1.0 - first)) * std::cos(2.0 * std::numbers::pi * second);
  const double drawn =
      static_cast<double>(lognormal.median.count()) * std::exp(lognormal.sigma * normal);
  const auto cap = static_cast<double>(lognormal.cap.count());
  return std::chrono::microseconds(static_cast<std::int64_t>(std::min(drawn, cap)));
}

ScenarioFile parse_scenario(std::string_view json, const std::string& source_name) {
  ScenarioFile file;
  const std::string root_path = source_name + ": $";
  try {
    Poco::JSON::Parser parser;
    const Var document = parser.parse(std::string(json));
    if (auto root = Fields::of(document, root_path, &file.problems)) {
      read_root(std::move(*root), file.scenario);
    }
  } catch (const Poco::Exception& error) {
    file.problems.push_back(root_path + ": not valid JSON: " + error.displayText());
  }
  return file;
}

ScenarioFile read_scenario_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || text.str().empty()) {
    return {{}, {shown(path) + ": cannot be read, or is empty"}};
  }
  return parse_scenario(text.str(), path.string());
}

}  // namespace diskrelease::sandbox
