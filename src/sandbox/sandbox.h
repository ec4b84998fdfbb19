#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/disk_model.h"
#include "sandbox/ledger.h"
#include "sandbox/request_check.h"
#include "sandbox/scenario.h"
#include "sandbox/tls_server.h"

namespace diskrelease::sandbox {

struct SandboxOptions {
  Scenario scenario;
  std::uint16_t port = 0;  ///< 0 = any free one
  /// Every request is appended here before its answer is sent (NDJSON, see ledger.h).
  std::optional<std::filesystem::path> ledger_file;
  /// The CA certificate is written here, for a client's ca_file.
  std::optional<std::filesystem::path> ca_file;
  std::size_t max_connections = 2'048;
};

struct SandboxStats {
  ServerCounts server;
  std::uint64_t requests = 0;
  std::uint64_t accepted_releases = 0;
  std::uint64_t throttled = 0;
  std::uint64_t faults = 0;
  std::uint64_t disks = 0;           ///< known so far
  std::uint64_t disks_absent = 0;    ///< of these destroyed
  std::uint64_t released_twice = 0;  ///< of these with more than one accepted release
};

/// The simulator of the ZEC disk API: serves HTTPS on 127.0.0.1 from construction to destruction,
/// with a certificate of its own. All members may be called by any thread.
class Sandbox {
 public:
  /// Throws UsageError when the port or one of the files cannot be had.
  explicit Sandbox(const SandboxOptions& options);
  /// Ends all connections, stalled ones included; takes less than a second.
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] std::string endpoint() const;  ///< "127.0.0.1:PORT"
  [[nodiscard]] const std::string& ca_pem() const noexcept;
  [[nodiscard]] const SandboxCredentials& credentials() const noexcept;

  /// Copies, as of now.
  [[nodiscard]] std::vector<LedgerEntry> ledger() const;
  [[nodiscard]] std::vector<DiskFate> fates() const;
  [[nodiscard]] std::optional<DiskFate> fate(const std::string& disk_id) const;
  [[nodiscard]] SandboxStats stats() const;

 private:
  struct Private;
  std::unique_ptr<Private> private_;
};

}  // namespace diskrelease::sandbox
