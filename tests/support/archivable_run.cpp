#include "support/archivable_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <vector>

#include "custody/verification.h"
#include "record/attempt_log.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "support/enrolled_run.h"

namespace diskrelease {

RunRecord add_finished_run(const std::filesystem::path& file, const std::string& prefix,
                           UtcTime at) {
  Database database = open_audit_for_writing(file);
  std::vector<std::string> disks;
  for (const char* disk : {"accepted", "executed", "accepted", "gone", "refused", "already_gone",
                           "rejected", "skipped"}) {
    disks.push_back(prefix + disk);
  }
  const RunRecord run = enrol(database, disks, test_description(), at);
  const InvocationId invocation = begin_test_invocation(database, run.id, at);
  AttemptLog log(std::move(database), run.id, invocation);
  const auto item = [&](int place) { return ItemId{run.first_item.value + place}; };
  ReadRecord read;
  read.disk_count = 1;
  read.result = "complete";
  read.http_status = 200;
  read.sent = read.finished = at;
  const auto attempt = [&](int place, Outcome outcome) {
    OutcomeRecord record;
    record.outcome = outcome;
    record.request_id = prefix + "T" + std::to_string(place);
    record.sent = record.finished = at;
    OpenAttempt open = log.announce(item(place), disk_id("disk"), 1, Stage::release, at).take();
    log.record_outcome(std::move(open), record);
  };
  attempt(0, Outcome::accepted);
  attempt(1, Outcome::unknown);
  attempt(2, Outcome::unknown);
  attempt(3, Outcome::unknown);
  attempt(4, Outcome::already_gone);
  attempt(5, Outcome::rejected);
  log.record_read(
      read, {{item(0), {disk_id("disk"), DiskStatus::recycled, "", "", {}, "", "", "", "", {}}}});
  log.record_decision({DecisionKind::skip, item(6), "released_before", "run 0", false}, at);
  database = log.close();
  const std::vector<Marking> markings{{disk_id(prefix + "executed"), Settled::executed},
                                      {disk_id(prefix + "gone"), Settled::gone},
                                      {disk_id(prefix + "refused"), Settled::refused}};
  mark_items(database, run, invocation, markings, "seen in the console", at);
  end_invocation(database, invocation, EndReason::finished, "", 0, at);
  return run;
}

ArchiveDescription archive_description(const std::filesystem::path& file, UtcTime before) {
  return {file, before, "operator", "host", "0"};
}

ArchiveRecord archive_all(const std::filesystem::path& path, const std::filesystem::path& file,
                          UtcTime before) {
  Database database = open_audit_for_writing(path);
  const ArchivePlan plan = plan_archive(database, before);
  const std::filesystem::path unfinished = file.string() + ".new";
  std::ofstream(unfinished).close();
  ArchiveRecord archive = archive_runs(
      database, plan, archive_description(file, before), unfinished,
      [&] {
        Database sealed = open_evidence_for_reading(unfinished);
        EXPECT_THAT(verify_audit(sealed, {}).problems, ::testing::IsEmpty());
        std::filesystem::rename(unfinished, file);
      },
      before);
  return archive;
}

}  // namespace diskrelease
