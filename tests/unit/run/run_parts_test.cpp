#include "run/run_parts.h"

#include <gtest/gtest.h>

#include "record/audit_file.h"
#include "support/enrolled_run.h"
#include "support/fake_clock.h"
#include "support/run_rig.h"
#include "support/scripted_transport.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

struct Lanes {
  int in_flight;
  std::optional<double> per_second;
  bool preflight;
  std::size_t scouts;
  std::size_t sending;
};

TEST(RunPartsTest, LanesAreSharedOutBetweenSendersAndScouts) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "audit.db";
  create_audit_database(file);
  RunRecord run;
  {
    Database database = open_audit_for_writing(file);
    run = enrol(database, {"a"});
  }
  ScriptedTransport transport;
  const FakeClock clock;
  const std::optional<double> unlimited;
  for (const Lanes& row : {Lanes{1, 2, true, 1, 1},
                           {4, 2, true, 1, 4},
                           {4, 2, false, 0, 4},
                           {49, 1'000, true, 1, 49},
                           {50, 1'000, true, 2, 49},
                           {1'000, 1'000, true, 21, 980},
                           {1'000, 1'000, false, 0, 1'000},
                           {1'000, unlimited, true, 21, 980},
                           // A minute and the time-out of 30 s.
                           {1'000, 2, true, 21, 180},
                           {1'000, 2, false, 0, 180},
                           {4, 0.01, true, 1, 1},
                           {4, 0.001, true, 1, 1}}) {
    JobSpec spec;
    spec.in_flight = row.in_flight;
    spec.rate.per_second = row.per_second;
    spec.preflight = row.preflight;
    const RunRig rig(file, run, spec, transport, clock);
    EXPECT_EQ(rig.parts.scouts(), row.scouts) << row.in_flight;
    EXPECT_EQ(rig.parts.sending_lanes(), row.sending) << row.in_flight;
  }
}

}  // namespace
}  // namespace diskrelease
