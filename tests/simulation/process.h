#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "api/calls.h"
#include "model/job_spec.h"
#include "model/run_record.h"
#include "run/course.h"
#include "simulation/model_server.h"
#include "simulation/scheduler.h"
#include "support/fake_clock.h"

namespace diskrelease::simulation {

/// What a process does with a run that is on record, from opening the database to its end, as
/// cli/invocation.cpp has it: recover, skip what other runs have done, the course.
class Process {
 public:
  /// `pace` = the file in which processes keep one pace; empty = it has its own. Marks on what is
  /// not sent are beside the database. Throws what the audit room throws.
  Process(const std::filesystem::path& file, const std::filesystem::path& pace,
          const RunRecord& run, const JobSpec& spec, const Caller& caller, ModelServer& server,
          FakeClock& clock, Scheduler& scheduler);
  ~Process();

  /// Until nothing is left to do or the run stops. Throws Killed, then nothing but destruction may
  /// follow, and storage has to have ended before that.
  void work();
  /// After work(): everything is durable. Returns what is wrong with the counts held in memory;
  /// empty where nothing is.
  [[nodiscard]] std::string end();
  /// The open attempt of a disk that is durable now: its id and stage; zeros where there is none.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> open_attempt(const std::string& disk);

 private:
  struct Private;
  std::unique_ptr<Private> private_;
};

}  // namespace diskrelease::simulation
