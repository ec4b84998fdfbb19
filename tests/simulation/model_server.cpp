#include "simulation/model_server.h"

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>

namespace diskrelease::simulation {
namespace {

using sandbox::DiskStatus;
using std::chrono::milliseconds;

sandbox::ModelSettings stale(sandbox::ModelSettings settings, milliseconds by) {
  settings.stale_read = by;
  settings.create_unknown = false;
  return settings;
}

/// The texts between quotes in `"name":["a","b"]` or `"name":"a"`.
std::vector<std::string> ids_of(const std::string& body) {
  std::vector<std::string> ids;
  if (body.find("\"diskId") == std::string::npos) return ids;
  std::size_t at = body.find(':');
  const std::size_t end = std::min(body.find(']'), body.size());
  while (true) {
    at = body.find('"', at);
    if (at == std::string::npos || at >= end) return ids;
    const std::size_t close = body.find('"', at + 1);
    ids.push_back(body.substr(at + 1, close - at - 1));
    at = close + 1;
  }
}

HttpResponse json(int status, std::string body) {
  return {status, {{"content-type", "application/json;charset=UTF-8"}}, std::move(body), true};
}

std::string row_json(const sandbox::DiskRow& row) {
  std::string text = R"({"diskId":")" + row.disk->id + R"(","diskName":")" + row.disk->name +
                     R"(","zoneId":")" + row.disk->zone + R"(","diskType":")";
  text += row.disk->system ? "SYSTEM" : "DATA";
  text += R"(","portable":)";
  text += row.disk->portable ? "true" : "false";
  text += R"(,"diskSize":)" + std::to_string(row.disk->size_gb) + R"(,"diskStatus":")";
  text += to_text(row.status);
  return text + R"(","instanceId":null})";
}

/// Of no listed disk, and nobody acts on it.
constexpr const char* k_other_disk = "disk-0";

TransportFailure lost(TransportProblem problem) { return {problem, true, "simulated", {}}; }

}  // namespace

enum class ModelServer::Fate {
  honest,
  // Nobody knows, and the request:
  lost_before,     ///< never arrives
  lost_after,      ///< is executed
  late_lost,       ///< is executed later
  error_before,    ///< 5xx, not executed
  error_after,     ///< 5xx, executed
  error_late,      ///< 5xx, executed later
  garbage_before,  ///< JSON that ends in the middle, not executed
  garbage_after,   ///< the same, executed
  no_response,     ///< 200 without `response`, executed
  half_answer,     ///< the body ends early, executed
  // Reads only:
  short_page,   ///< fewer rows than totalCount says
  wrong_total,  ///< totalCount below the rows
  foreign_row,  ///< a row of a disk that was not asked for
  // Refused for certain:
  throttled,
  unauthorized,
  challenged,
  unavailable_for_legal_reasons,
};

ModelServer::ModelServer(const ServerPlan& plan, std::uint64_t seed, const Clock& clock)
    : plan_(plan),
      clock_(clock),
      draw_(seed),
      disks_(stale(plan.model, milliseconds(0)), clock.steady_now()),
      past_(stale(plan.model, plan.stale_read), clock.steady_now()),
      acts_left_(plan.third_party_acts),
      storm_ends_(clock.steady_now()),
      outage_ends_(clock.steady_now()),
      gap_begins_(plan.gap_at ? clock.steady_now() + *plan.gap_at : SteadyTime::max()),
      gap_seed_(draw_.bits()),
      now_(clock.steady_now()),
      block_(Fate::honest) {
  if (plan_.limit) limit_.emplace(*plan_.limit);
  for (const sandbox::Disk& disk : plan_.disks) {
    disks_.add(disk);
    past_.add(disk);
  }
  const sandbox::Disk other = sandbox::disk_of_kind(k_other_disk, sandbox::DiskKind::available);
  disks_.add(other);
  past_.add(other);
  plan_next_act(now_);
}

void ModelServer::begin_life(Life life) {
  static constexpr std::array k_blocks = {Fate::unauthorized, Fate::challenged,
                                          Fate::unavailable_for_legal_reasons};
  life_ = std::move(life);
  aborted_ = false;
  forget_requests();
  shown_.clear();
  requests_until_blocked_ = static_cast<int>(draw_.between(0, 20));
  block_ = draw_.one_of(k_blocks);
}

void ModelServer::at(SteadyTime time, std::function<void()> happens) {
  events_.push({std::max(time, now_), order_++, std::move(happens)});
}

void ModelServer::plan_next_act(SteadyTime after) {
  if (acts_left_ == 0 || plan_.disks.empty()) return;
  --acts_left_;
  const SteadyTime time = after + draw_.time(milliseconds(15'000));
  const std::string disk = draw_.one_of(plan_.disks).id;
  const Act what = static_cast<Act>(draw_.between(0, 2));
  at(time, [this, time, disk, what] {
    if (!life_.calm) act(disk, what);
    plan_next_act(time);
  });
}

void ModelServer::catch_up() {
  const SteadyTime until = clock_.steady_now();
  while (!events_.empty() && events_.top().at <= until) {
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    event.happens();
  }
  now_ = until;
}

void ModelServer::act(const std::string& disk, Act what) {
  const DiskStatus before = status(disk);
  bool done = false;
  switch (what) {
    case Act::attach:
      done = before == DiskStatus::available && !bound_for_bin_[disk];
      disks_.attach(disk, now_);
      past_.attach(disk, now_);
      break;
    case Act::release:
      done = !disks_.release(disk, now_);
      static_cast<void>(past_.release(disk, now_));
      if (done) bound_for_bin_[disk] = false;
      break;
    case Act::renew:
      done = !disks_.renew(disk, now_);
      static_cast<void>(past_.renew(disk, now_));
      if (done) bound_for_bin_[disk].reset();
      break;
  }
  if (!done) return;
  acts_.push_back({what, disk, now_});
  static constexpr std::array k_names = {"attaches", "releases", "renews"};
  note(std::string("a third party ") + k_names[static_cast<std::size_t>(what)] + " " + disk +
       ", which was " + std::string(to_text(before)));
}

void ModelServer::execute(std::size_t index) {
  ServedRequest& request = requests_[index];
  const std::string& disk = request.disks.front();
  if (requests_foreign_.contains(index)) return;
  request.before = status(disk);
  const bool refused = disks_.release(disk, now_).has_value();
  static_cast<void>(past_.release(disk, now_));
  note("request " + std::to_string(index) + (refused ? " is refused: " : " is executed: ") + disk +
       " was " + std::string(to_text(request.before)));
  if (refused) return;
  request.executed = now_;
  std::optional<bool>& culprit = bound_for_bin_[disk];
  request.destroyed = plan_.model.mode == sandbox::AccountMode::recycle_bin &&
                      (request.before == DiskStatus::recycled || culprit);
  request.culprit_known = culprit.has_value();
  request.culprit_ours = culprit.value_or(false);
  culprit = true;
}

sandbox::DiskStatus ModelServer::status(const std::string& disk) const {
  const auto fate = disks_.fate(disk, now_);
  return fate ? fate->status : DiskStatus::absent;
}

std::string ModelServer::new_request_id() { return "T" + std::to_string(++request_ids_); }

HttpResponse ModelServer::refusal(std::size_t index, int status, const std::string& code) {
  return json(status, R"({"requestId":")" + requests_[index].request_id + R"(","code":")" + code +
                          R"(","message":"simulated"})");
}

HttpResponse ModelServer::page(int status, HeaderFields headers) {
  headers.emplace_back("content-type", "text/html");
  return {status, std::move(headers), "<html><body>no</body></html>", true};
}

ModelServer::Fate ModelServer::draw_fate(bool release) {
  static constexpr std::array k_release_faults = {
      Fate::lost_before, Fate::lost_after,  Fate::late_lost,      Fate::error_before,
      Fate::error_after, Fate::error_late,  Fate::garbage_before, Fate::garbage_after,
      Fate::no_response, Fate::half_answer, Fate::throttled};
  static constexpr std::array k_read_faults = {
      Fate::lost_before, Fate::lost_after,  Fate::error_before, Fate::garbage_before,
      Fate::no_response, Fate::half_answer, Fate::short_page,   Fate::wrong_total,
      Fate::foreign_row, Fate::throttled,   Fate::short_page};
  if (life_.blocked && requests_until_blocked_-- <= 0) return block_;
  if (life_.calm) return Fate::honest;
  if (now_ < storm_ends_) return Fate::throttled;
  if (draw_.chance(plan_.storms)) storm_ends_ = now_ + draw_.time(milliseconds(4'000));
  if (!release && now_ < outage_ends_) return Fate::error_before;
  if (!draw_.chance(release ? plan_.release_faults : plan_.read_faults)) return Fate::honest;
  if (release && draw_.chance(plan_.outages)) {
    outage_ends_ = now_ + plan_.longest_outage / 2 + draw_.time(plan_.longest_outage / 2);
    note("reads begin to fail");
  }
  return release ? draw_.one_of(k_release_faults) : draw_.one_of(k_read_faults);
}

void ModelServer::hide(ServedRequest& request, sandbox::DescribeResult& found) {
  if (life_.foreign) {
    std::erase_if(found.rows,
                  [](const sandbox::DiskRow& row) { return row.disk->id != k_other_disk; });
  } else if (life_.calm) {
    return;
  } else if (request.departed >= gap_begins_ && request.departed - gap_begins_ < plan_.gap_length) {
    std::erase_if(found.rows, [&](const sandbox::DiskRow& row) {
      // The same disks for as long as the time lasts.
      const std::uint64_t number =
          std::stoull("0" + row.disk->id.substr(row.disk->id.find('-') + 1));
      return Draw(gap_seed_ + number).chance(plan_.gap_share);
    });
  }
  if (found.rows.size() == found.total_count) return;
  request.untrue = true;
  found.total_count = found.rows.size();
}

std::string ModelServer::read(std::size_t index, Fate fate) {
  ServedRequest& request = requests_[index];
  sandbox::DescribeQuery query;
  query.disk_ids = request.disks;
  // A page of its own is enough for a read of the account.
  query.page_size = request.disks.empty() ? 1'000 : std::ssize(request.disks);
  const bool from_past = !life_.calm && draw_.chance(plan_.stale_reads);
  auto found =
      std::get<sandbox::DescribeResult>((from_past ? past_ : disks_).describe(query, now_));
  hide(request, found);
  std::size_t total = found.total_count;
  if (request.disks.empty() && found.rows.size() > 1) found.rows.resize(1);
  if (fate == Fate::short_page && !found.rows.empty()) {
    found.rows.erase(found.rows.begin() + draw_.between(0, std::ssize(found.rows) - 1));
  } else if (fate == Fate::wrong_total && total > 0) {
    --total;
  } else {
    // Where there is no row, nothing can be left out.
    request.complete =
        fate == Fate::honest || fate == Fate::short_page || fate == Fate::wrong_total;
  }
  std::string rows;
  for (const sandbox::DiskRow& row : found.rows) {
    if (!rows.empty()) rows += ',';
    rows += row_json(row);
  }
  if (fate == Fate::foreign_row) {
    const sandbox::Disk foreign =
        sandbox::disk_of_kind("foreign-" + std::to_string(index), sandbox::DiskKind::available);
    if (!rows.empty()) rows += ',';
    rows += row_json({&foreign, DiskStatus::available});
    ++total;
  }
  if (request.complete) {
    for (const std::string& disk : request.disks) {
      const auto row = std::ranges::find_if(found.rows, [&](const sandbox::DiskRow& candidate) {
        return candidate.disk->id == disk;
      });
      request.rows.emplace_back(disk, row == found.rows.end() ? DiskStatus::absent : row->status);
    }
  }
  if (from_past) request.answered = "stale ";
  if (request.untrue) request.answered += "untrue ";
  return R"(,"totalCount":)" + std::to_string(total) + R"(,"dataSet":[)" + rows + "]";
}

Reply ModelServer::arrive(std::size_t index, Fate fate) {
  ServedRequest& request = requests_[index];
  const bool release = request.release;
  request.arrived = now_;
  request.request_id = new_request_id();
  const bool before = fate == Fate::error_before || fate == Fate::garbage_before;
  const bool certain = fate == Fate::throttled || fate == Fate::unauthorized ||
                       fate == Fate::challenged || fate == Fate::unavailable_for_legal_reasons;
  const bool late = fate == Fate::late_lost || fate == Fate::error_late;
  if (limit_ && !limit_->admit(now_) && !certain) fate = Fate::throttled;
  if (release && !life_.calm && draw_.chance(plan_.races)) {
    act(request.disks.front(), static_cast<Act>(draw_.between(0, 2)));
  }
  std::string members;
  if (fate == Fate::throttled || before || certain) {
    // Not executed.
  } else if (!release) {
    members = read(index, fate);
  } else if (late) {
    at(now_ + draw_.time(plan_.longest_late), [this, index] { execute(index); });
  } else {
    execute(index);
  }
  const std::string success = R"({"requestId":")" + request.request_id +
                              R"(","response":{"requestId":")" + request.request_id + '"' +
                              members + "}}";
  static constexpr std::array<std::pair<int, const char*>, 6> k_errors = {
      {{500, "INTERNAL_SERVER_ERROR"},
       {503, "SERVICE_TEMPORARY_UNAVAILABLE"},
       {502, ""},
       {504, "REQUEST_TIMED_OUT"},
       {500, "INVALID_DISK_NOT_FOUND"},
       {400, "REQUEST_TIMED_OUT"}}};
  switch (fate) {
    case Fate::honest:
    case Fate::short_page:
    case Fate::wrong_total:
    case Fate::foreign_row:
      break;
    case Fate::lost_before:
    case Fate::lost_after:
    case Fate::late_lost:
      request.answered += "never";
      return lost(draw_.chance(0.5) ? TransportProblem::timeout : TransportProblem::no_answer);
    case Fate::error_before:
    case Fate::error_after:
    case Fate::error_late: {
      const auto& [status, code] = draw_.one_of(k_errors);
      request.answered += std::to_string(status) + ' ' + code;
      return *code == '\0' ? page(status) : refusal(index, status, code);
    }
    case Fate::garbage_before:
    case Fate::garbage_after:
      request.answered += "garbage";
      return json(200, success.substr(0, success.size() / 2));
    case Fate::no_response:
      request.answered += "no response";
      return json(200, R"({"requestId":")" + request.request_id + R"("})");
    case Fate::half_answer:
      request.answered += "half";
      if (draw_.chance(0.5)) return lost(TransportProblem::incomplete_answer);
      return json(200, R"({"requestId":")" + request.request_id + R"(","response":null})");
    case Fate::throttled: {
      request.answered += "429";
      HttpResponse response = refusal(index, 429, "REQUEST_LIMIT_EXCEEDED");
      if (draw_.chance(0.5)) {
        response.headers.emplace_back("retry-after", std::to_string(draw_.between(0, 3)));
      }
      return response;
    }
    case Fate::unauthorized:
      request.answered += "401";
      return refusal(index, 401, "AUTHFAILURE_SIGNATURE_FAILURE");
    case Fate::challenged:
      request.answered += "challenge";
      return page(403, {{"cf-mitigated", "challenge"}});
    case Fate::unavailable_for_legal_reasons:
      request.answered += "451";
      return page(451);
  }
  if (!release) {
    request.answered += request.complete ? "complete" : "partial";
    return json(200, success);
  }
  if (request.executed) {
    request.answered += "accepted";
    return json(200, success);
  }
  if (request.before == DiskStatus::absent) {
    request.answered += "not found";
    return refusal(index, 404, "INVALID_DISK_NOT_FOUND");
  }
  const auto* const disk = [&]() -> const sandbox::Disk* {
    const auto known = std::ranges::find(plan_.disks, request.disks.front(), &sandbox::Disk::id);
    return known == plan_.disks.end() ? nullptr : &*known;
  }();
  if (disk != nullptr && (disk->system || !disk->portable)) {
    request.answered += "not portable";
    return refusal(index, 400, "INVALID_DISK_NOT_PORTABLE");
  }
  request.answered += "wrong status";
  return refusal(index, 400, "UNSUPPORTED_OPERATION_DISK_STATUS");
}

std::optional<TransportFailure> ModelServer::connect(std::size_t) {
  if (aborted_) return TransportFailure{TransportProblem::aborted, false, "", {}};
  life_.pass_time(clock_.steady_now() + draw_.time(milliseconds(120)));
  if (aborted_) return TransportFailure{TransportProblem::aborted, false, "", {}};
  if (life_.calm || !draw_.chance(plan_.connect_failures)) return std::nullopt;
  note("a connection is refused");
  return TransportFailure{TransportProblem::connect, false, "simulated", {}};
}

bool ModelServer::keeps_connection(const Reply& reply) {
  return std::holds_alternative<HttpResponse>(reply) && draw_.chance(plan_.kept_connections);
}

Reply ModelServer::exchange(std::size_t lane, const HttpRequest& http) {
  catch_up();
  if (aborted_) return TransportFailure{TransportProblem::aborted, false, "", {}};
  if (!life_.calm && draw_.chance(plan_.connect_failures)) {
    note("a connection is refused at the last moment");
    return TransportFailure{TransportProblem::connect, false, "simulated", {}};
  }
  const auto action =
      std::ranges::find(http.headers, "X-ZC-Action", &std::pair<std::string, std::string>::first);
  if (action == http.headers.end()) throw std::logic_error("a request without an action");
  const std::size_t index = requests_.size();
  {
    ServedRequest request;
    request.life = life_.number;
    request.calm = life_.calm;
    request.release = action->second == "ReleaseDisk";
    request.disks = ids_of(http.body);
    request.departed = now_;
    request.departed_utc = clock_.utc_now();
    if (request.release) {
      std::tie(request.attempt, request.stage) = life_.open_attempt(request.disks.front());
      const auto shown = shown_.find(request.disks.front());
      if (shown != shown_.end()) request.shown = shown->second;
    }
    note("request " + std::to_string(index) + " on lane " + std::to_string(lane) + ": " +
         action->second + " " +
         (request.release ? request.disks.front() : std::to_string(request.disks.size())));
    requests_.push_back(std::move(request));
    if (life_.foreign) requests_foreign_.insert(index);
  }
  const bool release = requests_[index].release;
  const Fate fate = draw_fate(release);
  std::optional<Reply> reply;
  if (fate == Fate::lost_before) {
    requests_[index].answered = "lost on the way";
    reply = lost(TransportProblem::timeout);
    life_.pass_time(now_ + draw_.time(plan_.longest_travel));
  } else {
    // It arrives, whatever becomes of the process that sent it.
    const SteadyTime arrives = now_ + draw_.time(plan_.longest_travel);
    const auto answer = std::make_shared<std::optional<Reply>>();
    at(arrives, [this, index, fate, answer] { *answer = arrive(index, fate); });
    life_.pass_time(arrives);
    catch_up();
    reply = std::move(*answer);
  }
  life_.pass_time(now_ + draw_.time(plan_.longest_travel));
  catch_up();
  const ServedRequest& request = requests_[index];
  if (tell) {
    std::string shown;
    for (const auto& [disk, status] : request.rows) {
      shown.append(" ").append(disk).append(" ").append(to_text(status));
    }
    note("request " + std::to_string(index) + " is answered: " + request.answered + shown);
  }
  if (aborted_) return lost(TransportProblem::aborted);
  for (const auto& [disk, status] : request.rows) shown_[disk] = status;
  return std::move(*reply);
}

}  // namespace diskrelease::simulation
