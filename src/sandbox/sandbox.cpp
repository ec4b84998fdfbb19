#include "sandbox/sandbox.h"

#include <algorithm>
#include <fstream>
#include <mutex>
#include <utility>

#include "model/errors.h"
#include "platform/clock.h"
#include "sandbox/provider.h"

namespace diskrelease::sandbox {
namespace {

void write_ca_file(const std::filesystem::path& path, const std::string& pem) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << pem;
  out.close();
  if (!out) throw UsageError("cannot write the sandbox's CA certificate to " + path.string());
}

}  // namespace

struct Sandbox::Private {
  explicit Private(const SandboxOptions& options)
      : check(options.scenario.check), provider(options.scenario, clock.steady_now()) {
    if (options.ledger_file) ledger_file.emplace(*options.ledger_file);
    server.emplace(
        TlsServer::Settings{options.port, options.max_connections, options.scenario.idle_close},
        [this](const ReceivedRequest& request) { return perform(request); });
    if (options.ca_file) write_ca_file(*options.ca_file, server->ca_pem());
  }

  Performance perform(const ReceivedRequest& request) {
    const ArrivalTime arrived{clock.utc_now(), clock.steady_now()};
    const auto checked = check_request(request, check, arrived.utc);
    Reaction reaction = [&] {
      const std::lock_guard lock(mutex);
      return provider.handle(checked, arrived);
    }();
    if (ledger_file) ledger_file->append_request(reaction.entry);
    const auto sequence = reaction.entry.sequence;
    return {std::move(reaction.script),
            [this, sequence](Delivery delivery) { note(sequence, delivery); }};
  }

  void note(std::uint64_t sequence, Delivery delivery) {
    if (ledger_file) ledger_file->append_delivery(sequence, delivery);
    const std::lock_guard lock(mutex);
    provider.note_delivery(sequence, delivery);
  }

  const SystemClock clock;
  const CheckSettings check;
  std::optional<LedgerFile> ledger_file;
  mutable std::mutex mutex;
  Provider provider;                ///< guarded by mutex
  std::optional<TlsServer> server;  ///< last: its threads use all of the above
};

Sandbox::Sandbox(const SandboxOptions& options) : private_(std::make_unique<Private>(options)) {}
Sandbox::~Sandbox() = default;

std::uint16_t Sandbox::port() const noexcept { return private_->server->port(); }

std::string Sandbox::endpoint() const { return "127.0.0.1:" + std::to_string(port()); }

const std::string& Sandbox::ca_pem() const noexcept { return private_->server->ca_pem(); }

const SandboxCredentials& Sandbox::credentials() const noexcept {
  return private_->check.credentials;
}

std::vector<LedgerEntry> Sandbox::ledger() const {
  const std::lock_guard lock(private_->mutex);
  const auto& ledger = private_->provider.ledger();
  return {ledger.begin(), ledger.end()};
}

std::vector<DiskFate> Sandbox::fates() const {
  const std::lock_guard lock(private_->mutex);
  return private_->provider.disks().fates(private_->clock.steady_now());
}

std::optional<DiskFate> Sandbox::fate(const std::string& disk_id) const {
  const std::lock_guard lock(private_->mutex);
  return private_->provider.disks().fate(disk_id, private_->clock.steady_now());
}

SandboxStats Sandbox::stats() const {
  SandboxStats stats;
  stats.server = private_->server->counts();
  const std::lock_guard lock(private_->mutex);
  const auto& ledger = private_->provider.ledger();
  const auto count = [](const auto& range, const auto& predicate) {
    return static_cast<std::uint64_t>(std::ranges::count_if(range, predicate));
  };
  stats.requests = ledger.size();
  stats.accepted_releases = count(ledger, [](const LedgerEntry& entry) {
    return entry.executed && entry.action == "ReleaseDisk";
  });
  stats.throttled = count(ledger, [](const LedgerEntry& entry) { return entry.status == 429; });
  stats.faults = count(ledger, [](const LedgerEntry& entry) { return !entry.fault.empty(); });
  const auto fates = private_->provider.disks().fates(private_->clock.steady_now());
  stats.disks = fates.size();
  stats.disks_absent =
      count(fates, [](const DiskFate& fate) { return fate.status == DiskStatus::absent; });
  stats.released_twice =
      count(fates, [](const DiskFate& fate) { return fate.accepted_releases > 1; });
  return stats;
}

}  // namespace diskrelease::sandbox
