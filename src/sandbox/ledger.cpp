#include "sandbox/ledger.h"

#include <Poco/Exception.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <Poco/JSONString.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <map>
#include <system_error>

#include "model/errors.h"
#include "model/shown_path.h"

namespace diskrelease::sandbox {
namespace {

constexpr std::array k_deliveries{Delivery::pending, Delivery::delivered, Delivery::swallowed,
                                  Delivery::failed};

LedgerEntry read_entry(const Poco::JSON::Object& line) {
  LedgerEntry entry;
  entry.sequence = line.getValue<std::uint64_t>("sequence");
  entry.arrived_utc =
      UtcTime(std::chrono::milliseconds(line.getValue<std::int64_t>("arrived_utc_ms")));
  entry.arrived =
      SteadyTime(std::chrono::nanoseconds(line.getValue<std::int64_t>("arrived_steady_ns")));
  entry.action = line.getValue<std::string>("action");
  for (const auto& id : *line.getArray("disk_ids")) entry.disk_ids.push_back(id.toString());
  entry.request_id = line.getValue<std::string>("request_id");
  entry.client_tag = line.getValue<std::string>("client_tag");
  entry.executed = line.getValue<bool>("executed");
  entry.status = line.getValue<int>("status");
  entry.code = line.getValue<std::string>("code");
  entry.fault = line.getValue<std::string>("fault");
  return entry;
}

void read_line(const std::string& text, std::map<std::uint64_t, LedgerEntry>& entries) {
  Poco::JSON::Parser parser;
  const auto line = parser.parse(text).extract<Poco::JSON::Object::Ptr>();
  if (line->getValue<std::string>("event") == "request") {
    auto entry = read_entry(*line);
    entries.emplace(entry.sequence, std::move(entry));
    return;
  }
  const auto name = line->getValue<std::string>("delivery");
  for (const auto delivery : k_deliveries) {
    if (to_text(delivery) == name) {
      entries.at(line->getValue<std::uint64_t>("sequence")).delivery = delivery;
    }
  }
}

}  // namespace

std::string_view to_text(Delivery delivery) noexcept {
  switch (delivery) {
    case Delivery::pending:
      return "pending";
    case Delivery::delivered:
      return "delivered";
    case Delivery::swallowed:
      return "swallowed";
    case Delivery::failed:
      return "failed";
  }
  return "";
}

LedgerFile::LedgerFile(const std::filesystem::path& path)
    : file_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
  if (file_ < 0) {
    throw UsageError("cannot write the sandbox ledger " + shown(path) + ": " +
                     std::generic_category().message(errno));
  }
}

LedgerFile::~LedgerFile() { close(file_); }

void LedgerFile::append(std::string_view line) {
  ssize_t written = -1;
  do {
    written = write(file_, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  // A short write would leave a torn line in the middle, so there is no writing of the rest.
  if (written != static_cast<ssize_t>(line.size())) {
    throw std::runtime_error("cannot append to the sandbox ledger");
  }
}

void LedgerFile::append_request(const LedgerEntry& entry) {
  std::string line = R"({"event":"request","sequence":)" + std::to_string(entry.sequence);
  line += R"(,"arrived_utc_ms":)" + std::to_string(entry.arrived_utc.time_since_epoch().count());
  line += R"(,"arrived_steady_ns":)" + std::to_string(entry.arrived.time_since_epoch().count());
  line += R"(,"action":)" + Poco::toJSON(entry.action);
  line += R"(,"disk_ids":[)";
  for (std::size_t at = 0; at < entry.disk_ids.size(); ++at) {
    if (at > 0) line += ',';
    line += Poco::toJSON(entry.disk_ids[at]);
  }
  line += R"(],"request_id":)" + Poco::toJSON(entry.request_id);
  line += R"(,"client_tag":)" + Poco::toJSON(entry.client_tag);
  line += R"(,"executed":)";
  line += entry.executed ? "true" : "false";
  line += R"(,"status":)" + std::to_string(entry.status);
  line += R"(,"code":)" + Poco::toJSON(entry.code);
  line += R"(,"fault":)" + Poco::toJSON(entry.fault);
  line += "}\n";
  append(line);
}

void LedgerFile::append_delivery(std::uint64_t sequence, Delivery delivery) {
  std::string line = R"({"event":"answer","sequence":)" + std::to_string(sequence);
  line += R"(,"delivery":")";
  line += to_text(delivery);
  line += "\"}\n";
  append(line);
}

std::vector<LedgerEntry> read_ledger(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) throw UsageError("cannot read the sandbox ledger " + shown(path));
  std::map<std::uint64_t, LedgerEntry> entries;
  std::string line;
  while (std::getline(in, line)) {
    if (in.eof()) break;  // without a line end: torn
    try {
      read_line(line, entries);
    } catch (const std::exception&) {
      throw UsageError(shown(path) + " is not a sandbox ledger");
    }
  }
  std::vector<LedgerEntry> result;
  result.reserve(entries.size());
  for (auto& [sequence, entry] : entries) result.push_back(std::move(entry));
  return result;
}

}  // namespace diskrelease::sandbox
