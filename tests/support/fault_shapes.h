#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/classify.h"
#include "net/https_transport.h"
#include "sandbox/sandbox.h"

namespace diskrelease {

/// Somewhere else than straight to the simulator: where the requests that a fault strikes are sent.
struct Detour {
  HttpsSettings settings;         ///< without time-outs
  std::shared_ptr<void> servers;  ///< what answers there; may be empty
};
using MakeDetour =
    std::function<Detour(const sandbox::Sandbox& sandbox, const std::string& sandbox_ca_file)>;

/// What the client has to make of a struck ReleaseDisk.
struct ExpectedRuling {
  Outcome outcome = Outcome::unknown;
  Scope scope = Scope::disk;
  std::optional<StopCause> stop;
  std::optional<int> http_status;
  std::string api_code;
};

/// One way in which an exchange can go wrong, or strangely right.
struct FaultShape {
  std::string name;   ///< [a-z0-9_]
  std::string fault;  ///< of a scenario (docs/sandbox.md), as JSON; empty = the detour is the fault
  MakeDetour detour;  ///< empty = the simulator is reached as usual
  /// It lasts until a time-out: struck requests get a short one.
  bool until_timeout = false;
  bool executed = false;  ///< whether the provider carries out a ReleaseDisk that it strikes
  ExpectedRuling release;
  ItemState end = ItemState::unknown;  ///< of the disk, once everything that follows works again
  bool sent_again = false;             ///< whether the struck attempt is followed by another one
  std::string_view read;               ///< what a struck DescribeDisks goes on record as
  /// False: the fault is about ReleaseDisk alone.
  bool strikes_reads = true;
};

/// Every shape, each name once.
[[nodiscard]] const std::vector<FaultShape>& fault_shapes();

/// Passes every request on to the simulator. The first answer of all is made up, 429 with a
/// Retry-After of one second, and its connection ends right behind it in the way given.
[[nodiscard]] MakeDetour throttles_once_then_ends(sandbox::Ending ending);

/// For gtest's messages.
void PrintTo(const FaultShape& shape, std::ostream* out);

}  // namespace diskrelease
