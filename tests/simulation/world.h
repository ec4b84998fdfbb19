#pragma once

#include <string>
#include <vector>

#include "model/job_spec.h"
#include "simulation/model_server.h"

namespace diskrelease::simulation {

/// One run of a simulation before it is on record.
struct RunPlan {
  JobSpec spec;
  std::vector<std::string> disks;
};

/// Everything of a simulation that is drawn before it begins.
struct World {
  ServerPlan server;
  std::vector<RunPlan> runs;  ///< one or two; the lists overlap
  int stormy_lives = 1;       ///< with faults; calm ones follow
  double late_steps = 0;
  /// Of the stormy lives: with a credential of another account.
  double foreign_lives = 0;
  /// All processes keep one pace, as those of one user do; else each has its own, as with
  /// --sandbox.
  bool shared_pace = true;
};

/// Settle windows are longer than the longest delays of the server together, as the settings'
/// documentation asks for: what comes later than the window cannot be told from what never comes.
[[nodiscard]] World draw_world(Draw& draw);

/// For the head of a trace.
[[nodiscard]] std::string describe(const World& world);

}  // namespace diskrelease::simulation
