#pragma once

#include <cstdint>
#include <memory>

#include "pacing/pacer.h"

namespace diskrelease {

/// Holds the state that a PacerAlone works on.
struct OwnPaceState {
  std::unique_ptr<PaceState> own_state = std::make_unique<PaceState>();
};

/// A Pacer with a state of its own, as a process has it that shares its pace with nobody.
class PacerAlone : private OwnPaceState, public Pacer {
 public:
  PacerAlone(const RateLimit& limit, std::uint64_t seed) : Pacer(limit, seed, *own_state) {}
};

}  // namespace diskrelease
