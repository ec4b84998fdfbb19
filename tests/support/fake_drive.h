#pragma once

#include <vector>

#include "run/dispatch.h"
#include "run/drive.h"
#include "support/fake_clock.h"

namespace diskrelease {

/// Runs actors one step at a time in the calling thread, always the one that is due first, and
/// moves the clock to it. Throws std::logic_error when all wait for something that never comes.
[[nodiscard]] Driver drive_with_fake_clock(FakeClock& clock, const Dispatch& dispatch);

}  // namespace diskrelease
