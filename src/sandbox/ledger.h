#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "model/time.h"

namespace diskrelease::sandbox {

enum class Delivery {
  pending,    ///< the answer has not been written yet, or the simulator died before it could
  delivered,  ///< a complete answer was handed to the network
  swallowed,  ///< the fault of the request kept it back, or left it incomplete
  failed,     ///< the client was gone
};

[[nodiscard]] std::string_view to_text(Delivery delivery) noexcept;

/// One request, as the provider saw it: what a test compares the client's audit database with.
struct LedgerEntry {
  std::uint64_t sequence = 0;  ///< from 1, in the order in which the requests took effect
  UtcTime arrived_utc{};       ///< the true time, without the scenario's clock offset
  SteadyTime arrived{};
  std::string action;                 ///< as sent
  std::vector<std::string> disk_ids;  ///< one for ReleaseDisk and RenewDisk
  std::string request_id;             ///< the provider's own; the answer may have hidden it
  std::string client_tag;             ///< X-ZC-Request-Client
  bool executed = false;              ///< the API accepted it and carries it out
  int status = 0;                     ///< of the answer as it was to go out; 0 = no answer at all
  std::string code;                   ///< of that answer
  std::string fault;                  ///< the name of the fault; empty = none
  Delivery delivery = Delivery::pending;
};

/// An NDJSON file of ledger events. Each is one write() in append mode, so whoever wrote it may be
/// killed at any time. Safe to use by several threads.
class LedgerFile {
 public:
  /// Creates the file or appends to it. Throws UsageError.
  explicit LedgerFile(const std::filesystem::path& path);
  ~LedgerFile();
  LedgerFile(const LedgerFile&) = delete;
  LedgerFile& operator=(const LedgerFile&) = delete;

  /// {"event":"request",...}. In the kernel's hands on return. Throws std::runtime_error.
  void append_request(const LedgerEntry& entry);
  /// {"event":"answer","sequence":N,"delivery":"..."}.
  void append_delivery(std::uint64_t sequence, Delivery delivery);

 private:
  void append(std::string_view line);

  const int file_;
};

/// What a ledger file holds, by sequence. A torn last line is left out. Throws UsageError for a
/// file that cannot be read or holds something else.
[[nodiscard]] std::vector<LedgerEntry> read_ledger(const std::filesystem::path& path);

}  // namespace diskrelease::sandbox
