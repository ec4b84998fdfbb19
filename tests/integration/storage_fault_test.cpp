#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/errors.h"
#include "platform/host.h"
#include "queries/find_run.h"
#include "queries/log_query.h"
#include "queries/run_queries.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "run/clock_guard.h"
#include "run/departure_gate.h"
#include "run/dispatch.h"
#include "run/sender.h"
#include "support/enrolled_run.h"
#include "support/fake_clock.h"
#include "support/fake_drive.h"
#include "support/faulty_vfs.h"
#include "support/lost_memory.h"
#include "support/record_check.h"
#include "support/run_rig.h"
#include "support/scripted_transport.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using ::testing::AnyOf;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int k_disks = 30;

/// The other side of the requests: knows which disks accepted a call, and what it answered.
class Api {
 public:
  struct Answer {
    std::string disk;
    std::string outcome;  ///< as it is to be recorded
    bool is_on_record;    ///< the sender has been told that it is durable
  };

  /// Decides by the disk's number and, with one lane, knows that every earlier answer has become
  /// durable with the intent of this request.
  Reply answer(const HttpRequest& request) {
    const std::string disk = disk_of(request);
    everything_is_on_record();
    const int number = std::stoi(disk.substr(disk.find('-') + 1));
    const auto reply = [&](const char* outcome, Reply with) {
      answers_.push_back({disk, outcome, false});
      if (after_answer) after_answer(answers_.size());
      return with;
    };
    switch (number % 10) {
      case 3:
        ++accepted_[disk];
        return reply("unknown", lost_reply());
      case 5:
        return reply("unknown", lost_reply());
      case 6:
        if (++tries_[disk] == 1) return reply("not_sent", not_sent_reply());
        break;
      case 8:
        return reply("rejected", error_reply(400, "UNSUPPORTED_OPERATION_DISK_STATUS"));
      default:
        break;
    }
    ++accepted_[disk];
    return reply("accepted", accepted_reply());
  }

  void everything_is_on_record() {
    for (Answer& earlier : answers_) earlier.is_on_record = true;
  }

  [[nodiscard]] const std::vector<Answer>& answers() const { return answers_; }
  [[nodiscard]] int times_accepted(const std::string& disk) const {
    const auto found = accepted_.find(disk);
    return found == accepted_.end() ? 0 : found->second;
  }

  /// Called with the number of answers so far, before an answer arrives.
  std::function<void(std::size_t)> after_answer;

 private:
  std::vector<Answer> answers_;
  std::map<std::string, int> accepted_;
  std::map<std::string, int> tries_;
};

/// Sends everything that is pending over one lane, in time that passes by itself.
void send_all(AttemptLog& log, const std::filesystem::path& file, const RunRecord& run,
              const StateCounts& at_start, Transport& transport, FakeClock& clock) {
  JobSpec job;
  job.rate.per_second = std::nullopt;
  job.retry.budget_percent = 100;
  job.preflight = false;
  DepartureGate gate(job.rate, 1, nullptr, clock.steady_now());
  ClockGuard clock_guard(clock.utc_now(), clock.steady_now());
  Dispatch dispatch(gate, job, at_start, 1);
  dispatch.open(PendingFeed(open_audit_for_reading(file), run));
  const AttemptObserver observer = [](const AttemptEvent&) {};
  const RunParts parts{log,  transport, clock, clock_guard, RunRig::made_up_caller(),
                       gate, dispatch,  job};
  Sender sender(parts, 0, std::make_shared<LaneTurn>(), observer);
  drive_with_fake_clock(clock, dispatch)({{[&] { return sender.step(); }}});
}

/// A run over 30 disks, in a database that is broken in many ways and has to tell the truth.
class StorageFaultTest : public ::testing::Test {
 protected:
  StorageFaultTest() {
    create_audit_database(untouched_);
    Database database = open_audit_for_writing(untouched_);
    static_cast<void>(enrol(database, numbered_disks(k_disks)));
  }

  /// The run as enrolled, nothing sent.
  void start_afresh() {
    for (const char* part : {"", "-wal", "-shm"}) {
      std::filesystem::remove(file_.string() + part);
    }
    lose_marks(directory_.path());
    std::filesystem::copy_file(untouched_, file_);
  }

  /// What one process does, from opening to closing. True = it has come to its end; false = it
  /// could not use the audit database.
  bool work(Api& api) {
    try {
      FakeClock clock;
      Database writer = open_audit_for_writing(file_);
      // Some checkpoints while the run works, not only at the end.
      writer.execute("PRAGMA wal_autocheckpoint = 40");
      static_cast<void>(recover(writer, clock.utc_now(), directory_.path()));
      const RunRecord run = find_run(writer, RunId{1}).value();
      const InvocationId invocation = begin_test_invocation(writer, run.id);
      const StateCounts at_start = count_states(writer, run);
      auto marks =
          UnsentMarks::begin(writer, invocation, UnsentMarks::k_places_a_lane, directory_.path());
      ScriptedTransport transport([&](const HttpRequest& request) { return api.answer(request); });
      // No commit by the passing of time, so that the n-th operation is the same one every time.
      AttemptLog log(std::move(writer), run.id, invocation, std::chrono::hours(1), {},
                     std::chrono::microseconds(0), std::move(marks));
      send_all(log, file_, run, at_start, transport, clock);
      writer = log.close();
      api.everything_is_on_record();
      end_invocation(writer, invocation, EndReason::finished, "", 0, clock.utc_now());
      return true;
    } catch (const AuditUnusable& error) {
      message_ = error.what();
      return false;
    }
  }

  /// After a crash: the file is sound, and what it says agrees with what the other side knows.
  void expect_records_are_true(const Api& api) {
    EXPECT_THAT(record_problems_in(file_), IsEmpty());
    Database database = open_audit_for_writing(file_);
    EXPECT_EQ(database.query_integer("SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
              1);
    static_cast<void>(recover(database, k_test_time, directory_.path()));

    std::map<std::string, std::vector<std::string>> recorded;
    read_log(database, {}, [&](const LogRow& row) {
      recorded[row.disk_id].push_back(row.outcome);
      EXPECT_EQ(row.attempt_number, static_cast<std::int64_t>(recorded[row.disk_id].size()));
      return true;
    });
    std::map<std::string, std::size_t> told;
    for (const Api::Answer& answer : api.answers()) {
      const std::size_t number = told[answer.disk]++;
      ASSERT_LT(number, recorded[answer.disk].size())
          << answer.disk << " was sent without an intent on record";
      const std::string& outcome = recorded[answer.disk][number];
      if (answer.is_on_record) {
        EXPECT_EQ(outcome, answer.outcome) << answer.disk << ": a durable outcome was lost";
      } else {
        EXPECT_THAT(outcome, AnyOf(Eq(answer.outcome), Eq("unknown"))) << answer.disk;
      }
    }
    for (const auto& [disk, outcomes] : recorded) {
      for (std::size_t number = told[disk]; number < outcomes.size(); ++number) {
        EXPECT_THAT(outcomes[number], AnyOf(Eq("unknown"), Eq("not_sent")))
            << disk << " was not sent";
        if (outcomes[number] == "not_sent") ++proved_unsent_;
      }
    }
    expect_counts_add_up(database);
  }

  static void expect_counts_add_up(Database& database) {
    std::int64_t sum = 0;
    const StateCounts counts = count_states(database, find_run(database, RunId{1}).value());
    for (const std::int64_t count : counts.by_state) sum += count;
    EXPECT_EQ(sum, k_disks);
  }

  /// Nothing is left to send, and no disk has accepted twice or has accepted unnoticed. Each of
  /// `crashes` may have left one more disk unknown.
  void expect_run_is_done(const Api& api, std::int64_t crashes) {
    EXPECT_THAT(record_problems_in(file_), IsEmpty());
    Database database = open_audit_for_reading(file_);
    const RunRecord run = find_run(database, RunId{1}).value();
    read_items(database, run, std::nullopt, [&](const ItemRow& item) {
      EXPECT_LE(api.times_accepted(item.disk_id), 1) << item.disk_id << " was released twice";
      if (api.times_accepted(item.disk_id) > 0) {
        EXPECT_THAT(item.state, AnyOf(Eq("released"), Eq("unknown"))) << item.disk_id;
      } else {
        EXPECT_THAT(item.state, AnyOf(Eq("rejected"), Eq("unknown"))) << item.disk_id;
      }
      return true;
    });
    const StateCounts counts = count_states(database, run);
    EXPECT_EQ(counts[ItemState::pending], 0);
    EXPECT_LE(counts[ItemState::unknown], 6 + crashes);
    expect_counts_add_up(database);
  }

  /// Lets the fault happen at one operation after the other until the run has no further one: at
  /// every one with DISKRELEASE_FAULTS=all in the environment, else at every fifth, from a random
  /// one on, since all of them take minutes under sanitizers. Each time: one process up to the
  /// fault, a look at the records, another process to the end.
  void sweep(const std::function<Fault(std::int64_t number)>& fault_at,
             bool power_fails_afterwards = false) {
    const char* wanted = std::getenv("DISKRELEASE_FAULTS");
    const bool all = wanted != nullptr && std::string_view(wanted) == "all";
    // Odd and no multiple of three: what alternates with the number still alternates.
    const std::int64_t step = all ? 1 : 5;
    const std::int64_t first = all ? 1 : 1 + std::random_device{}() % step;
    std::int64_t failed = 0;
    for (std::int64_t number = first; number < 100'000; number += step) {
      start_afresh();
      Api api;
      bool happened = false;
      {
        FaultyVfs vfs(FaultyVfs::Syncs::skipped);
        vfs.arm(fault_at(number));
        if (!work(api)) ++failed;
        happened = vfs.fault_happened();
        if (power_fails_afterwards) vfs.cut_power();
        vfs.restart();
      }
      const bool power_failed =
          power_fails_afterwards || fault_at(number).effect == Fault::Effect::cut_power;
      if (power_failed) lose_marks(directory_.path());
      expect_records_are_true(api);
      EXPECT_TRUE(work(api)) << message_;
      expect_run_is_done(api, happened ? 1 : 0);
      if (HasFailure()) FAIL() << "with the fault at operation " << number;
      if (!happened) {
        EXPECT_GE(number, k_disks) << "there was hardly anything to fail";
        EXPECT_GT(failed, 0);
        if (power_failed) {
          EXPECT_EQ(proved_unsent_, 0);
        }
        RecordProperty("operations", std::to_string(number - 1));
        RecordProperty("failed", std::to_string(failed));
        return;
      }
    }
    FAIL() << "the run has no end";
  }

  TemporaryDirectory directory_{memory_directory()};
  std::filesystem::path untouched_ = directory_ / "untouched.db";
  std::filesystem::path file_ = directory_ / "audit.db";
  std::string message_;
  std::int64_t proved_unsent_ = 0;  ///< attempts, by their marks
};

TEST_F(StorageFaultTest, ARunWithoutFaultsReleasesWhatCanBeReleased) {
  start_afresh();
  Api api;
  ASSERT_TRUE(work(api)) << message_;
  expect_records_are_true(api);
  expect_run_is_done(api, 0);
  Database database = open_audit_for_reading(file_);
  const StateCounts counts = count_states(database, find_run(database, RunId{1}).value());
  EXPECT_EQ(counts[ItemState::released], 21);
  EXPECT_EQ(counts[ItemState::rejected], 3);
  EXPECT_EQ(counts[ItemState::unknown], 6);
}

TEST_F(StorageFaultTest, ARunWithoutCommitsByTimeDoesTheSameOperationsEveryTime) {
  std::set<std::vector<std::int64_t>> counts;
  for (int repetition = 0; repetition < 5; ++repetition) {
    start_afresh();
    Api api;
    FaultyVfs vfs(FaultyVfs::Syncs::skipped);
    ASSERT_TRUE(work(api)) << message_;
    counts.insert(
        {vfs.count(FileOperation::write), vfs.count(FileOperation::sync), vfs.count_changes()});
  }
  EXPECT_EQ(counts.size(), 1U);
}

TEST_F(StorageFaultTest, SurvivesADiskThatIsFullFromAnyWriteOn) {
  sweep([](std::int64_t number) {
    return Fault{
        .operation = FileOperation::write, .number = number, .code = SQLITE_FULL, .lasting = true};
  });
}

TEST_F(StorageFaultTest, SurvivesTheFailureOfAnySingleWriteOfWhichNothingOrAPartIsWritten) {
  sweep([](std::int64_t number) {
    constexpr Fault::Torn k_parts[] = {Fault::Torn::nothing, Fault::Torn::first_half,
                                       Fault::Torn::all_but_last_sector};
    return Fault{.operation = FileOperation::write,
                 .number = number,
                 .code = SQLITE_IOERR_WRITE,
                 .torn = k_parts[number % 3]};
  });
}

TEST_F(StorageFaultTest, SurvivesAPowerCutInTheMiddleOfAnyWrite) {
  sweep([](std::int64_t number) {
    return Fault{
        .operation = FileOperation::write,
        .number = number,
        .effect = Fault::Effect::cut_power,
        .torn = number % 2 == 0 ? Fault::Torn::first_half : Fault::Torn::all_but_last_sector,
        .survivors_seed =
            number % 3 == 0 ? std::optional(static_cast<std::uint64_t>(number)) : std::nullopt};
  });
}

TEST_F(StorageFaultTest, SurvivesTheFailureOfAnySyncAndThenAPowerCut) {
  sweep(
      [](std::int64_t number) {
        return Fault{
            .operation = FileOperation::sync, .number = number, .code = SQLITE_IOERR_FSYNC};
      },
      true);
}

TEST_F(StorageFaultTest, SurvivesSyncsThatFailFromAnyOneOn) {
  sweep([](std::int64_t number) {
    return Fault{.operation = FileOperation::sync,
                 .number = number,
                 .code = SQLITE_IOERR_FSYNC,
                 .lasting = true};
  });
}

TEST_F(StorageFaultTest, SurvivesLocksThatCannotBeTakenOnceOrFromAnyOneOn) {
  sweep([](std::int64_t number) {
    const bool is_busy = number % 2 == 0;
    return Fault{.operation = FileOperation::lock,
                 .number = number,
                 .code = is_busy ? SQLITE_BUSY : SQLITE_IOERR_LOCK,
                 .lasting = is_busy};
  });
}

TEST_F(StorageFaultTest, SurvivesBeingKilledBeforeAnyChange) {
  sweep([](std::int64_t number) {
    return Fault{.operation = std::nullopt, .number = number, .effect = Fault::Effect::kill};
  });
  EXPECT_GT(proved_unsent_, 0);
}

TEST_F(StorageFaultTest, SurvivesAPowerCutThatLosesEverythingUnsyncedBeforeAnyChange) {
  sweep([](std::int64_t number) {
    return Fault{.operation = std::nullopt, .number = number, .effect = Fault::Effect::cut_power};
  });
}

TEST_F(StorageFaultTest, SurvivesAPowerCutThatKeepsSomeOfTheUnsyncedBeforeAnyChange) {
  sweep([](std::int64_t number) {
    return Fault{.operation = std::nullopt,
                 .number = number,
                 .effect = Fault::Effect::cut_power,
                 .survivors_seed = static_cast<std::uint64_t>(number)};
  });
}

TEST_F(StorageFaultTest, SurvivesTheFailureOfAnyReadOrOpening) {
  for (const auto& [operation, code] : std::initializer_list<std::pair<FileOperation, int>>{
           {FileOperation::read, SQLITE_IOERR_READ}, {FileOperation::open, SQLITE_CANTOPEN}}) {
    for (std::int64_t number = 1; number < 10'000; ++number) {
      start_afresh();
      Api api;
      bool happened = false;
      {
        FaultyVfs vfs(FaultyVfs::Syncs::skipped);
        vfs.arm({.operation = operation, .number = number, .code = code});
        static_cast<void>(work(api));
        happened = vfs.fault_happened();
        vfs.restart();
      }
      expect_records_are_true(api);
      EXPECT_TRUE(work(api)) << message_;
      expect_run_is_done(api, 1);
      if (HasFailure()) FAIL() << "with the fault at operation " << number;
      if (!happened) break;
    }
  }
}

TEST_F(StorageFaultTest, TellsThatTheDiskIsFullAndSendsNothingMore) {
  start_afresh();
  Api api;
  FaultyVfs vfs(FaultyVfs::Syncs::skipped);
  api.after_answer = [&](std::size_t answers) {
    if (answers == 7) {
      vfs.arm({.operation = FileOperation::write, .code = SQLITE_FULL, .lasting = true});
    }
  };
  EXPECT_FALSE(work(api));
  EXPECT_THAT(message_, HasSubstr("disk is full"));
  EXPECT_EQ(api.answers().size(), 7U);
}

/// What a person can do to the files of a run that works on them.
class DisplacedDatabaseTest : public StorageFaultTest {
 protected:
  DisplacedDatabaseTest() { start_afresh(); }

  [[nodiscard]] std::filesystem::path part(const char* suffix) const {
    return file_.string() + suffix;
  }

  /// Sends seven disks, then lets the damage happen, and expects that no eighth is sent.
  void expect_stop_after(const std::function<void()>& damage, const char* what) {
    Api api;
    api.after_answer = [&](std::size_t answers) {
      if (answers == 7) damage();
    };
    EXPECT_FALSE(work(api));
    EXPECT_THAT(message_, HasSubstr(what));
    EXPECT_THAT(message_, HasSubstr("put the original files back"));
    ASSERT_EQ(api.answers().size(), 7U);
    seventh_ = api.answers().back();
  }

  /// The answer after which the files were no longer in their place.
  void expect_the_seventh_on_record(const std::filesystem::path& file) {
    Database database = open_audit_for_writing(file);
    std::string outcome = "no row";
    LogFilter filter;
    filter.disk = seventh_.disk;
    read_log(database, filter, [&](const LogRow& row) {
      outcome = row.outcome;
      return true;
    });
    EXPECT_EQ(outcome, seventh_.outcome) << "of " << seventh_.disk;
    EXPECT_EQ(database.query_integer("SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
              1);
    EXPECT_EQ(database.query_integer("SELECT count(*) FROM attempt_log WHERE outcome IS NULL"), 0)
        << "an intent went on record that was not sent";
  }

  Api::Answer seventh_{};
};

TEST_F(DisplacedDatabaseTest, SendsNothingMoreWhenTheFileIsDeleted) {
  expect_stop_after([&] { std::filesystem::remove(file_); }, "audit.db) was deleted or renamed");
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(DisplacedDatabaseTest, SendsNothingMoreWhenTheFileIsRenamedAndStillRecordsTheOutcome) {
  const std::filesystem::path elsewhere = directory_ / "elsewhere.db";
  expect_stop_after([&] { std::filesystem::rename(file_, elsewhere); },
                    "audit.db) was deleted or renamed");
  // The log kept its name.
  std::filesystem::rename(elsewhere, file_);
  expect_the_seventh_on_record(file_);
}

TEST_F(DisplacedDatabaseTest, SendsNothingMoreWhenTheFileIsReplacedByACopy) {
  expect_stop_after(
      [&] {
        const std::filesystem::path copy = directory_ / "copy.db";
        std::filesystem::copy_file(file_, copy);
        std::filesystem::rename(copy, file_);
      },
      "audit.db) was replaced");
}

TEST_F(DisplacedDatabaseTest, SendsNothingMoreWhenTheWriteAheadLogIsDeletedAndLosesNothing) {
  expect_stop_after([&] { std::filesystem::remove(part("-wal")); },
                    "audit.db-wal) was deleted or renamed");
  expect_the_seventh_on_record(file_);
}

TEST_F(DisplacedDatabaseTest, SendsNothingMoreWhenTheWriteAheadLogIsReplaced) {
  expect_stop_after(
      [&] {
        const std::filesystem::path copy = directory_ / "copy";
        std::filesystem::copy_file(part("-wal"), copy);
        std::filesystem::rename(copy, part("-wal"));
      },
      "audit.db-wal) was replaced");
}

TEST_F(DisplacedDatabaseTest, SendsNothingMoreWhenALinkToTheFileLeadsElsewhere) {
  const std::filesystem::path target = directory_ / "target.db";
  std::filesystem::rename(file_, target);
  std::filesystem::create_symlink(target, file_);
  expect_stop_after(
      [&] {
        std::filesystem::remove(file_);
        std::filesystem::create_symlink(untouched_, file_);
      },
      "audit.db) was replaced");
  expect_the_seventh_on_record(target);
}

TEST_F(DisplacedDatabaseTest, SendsNothingMoreWhenTheFileGetsASecondName) {
  Api api;
  api.after_answer = [&](std::size_t answers) {
    if (answers == 7) std::filesystem::create_hard_link(file_, directory_ / "second.db");
  };
  EXPECT_FALSE(work(api));
  EXPECT_THAT(message_, HasSubstr("has 2 names (hard links)"));
  ASSERT_EQ(api.answers().size(), 7U);
  seventh_ = api.answers().back();
  std::filesystem::remove(directory_ / "second.db");
  expect_the_seventh_on_record(file_);
}

TEST_F(DisplacedDatabaseTest, SaysSoAtTheEndWhenTheFileGoesAfterTheLastRequest) {
  constexpr std::size_t k_requests = k_disks + 3;  // three disks need a second one
  Api api;
  api.after_answer = [&](std::size_t answers) {
    if (answers == k_requests) std::filesystem::remove(file_);
  };
  EXPECT_FALSE(work(api)) << "the records of the run are gone, and nobody was told";
  EXPECT_EQ(api.answers().size(), k_requests);
}

/// Root may do everything, so permissions are tried with the rights of another user, who owns the
/// files.
class WithoutRootRights {
 public:
  explicit WithoutRootRights(const std::filesystem::path& folder) {
    if (::geteuid() != k_root) return;
    EXPECT_EQ(::chown(folder.c_str(), k_nobody, k_nobody), 0);
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      EXPECT_EQ(::chown(entry.path().c_str(), k_nobody, k_nobody), 0);
    }
    was_root_ = ::seteuid(k_nobody) == 0;
    EXPECT_TRUE(was_root_);
  }
  ~WithoutRootRights() {
    if (was_root_) {
      EXPECT_EQ(::seteuid(k_root), 0);
    }
  }
  WithoutRootRights(const WithoutRootRights&) = delete;
  WithoutRootRights& operator=(const WithoutRootRights&) = delete;

 private:
  static constexpr uid_t k_root = 0;
  static constexpr uid_t k_nobody = 65534;
  bool was_root_ = false;
};

class UnusableStorageTest : public DisplacedDatabaseTest {};

TEST_F(UnusableStorageTest, SendsNothingWhenTheFileCannotBeWritten) {
  std::filesystem::permissions(file_, std::filesystem::perms::owner_read);
  Api api;
  {
    const WithoutRootRights nobody(directory_.path());
    EXPECT_FALSE(work(api));
  }
  EXPECT_TRUE(api.answers().empty());
  EXPECT_THAT(message_, HasSubstr("cannot be written by user "));
}

TEST_F(UnusableStorageTest, SendsNothingWhenTheFolderCannotBeWritten) {
  using std::filesystem::perms;
  std::filesystem::permissions(directory_.path(), perms::owner_read | perms::owner_exec);
  Api api;
  {
    const WithoutRootRights nobody(directory_.path());
    EXPECT_FALSE(work(api));
  }
  std::filesystem::permissions(directory_.path(), perms::owner_all);
  EXPECT_TRUE(api.answers().empty());
  EXPECT_THAT(message_, HasSubstr("may not work in this folder"));
}

/// A lower limit of open files while it lives: `more` than are open now.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t more) {
    const int lowest_free = ::dup(STDIN_FILENO);
    ::close(lowest_free);
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(lowest_free) + more;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &now), 0);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_F(UnusableStorageTest, SendsNothingWhenTooManyFilesAreOpen) {
  {
    // The undefined-behaviour sanitizer needs a descriptor for the first look at a virtual call.
    start_afresh();
    Api api;
    ASSERT_TRUE(work(api)) << message_;
    ASSERT_THROW(static_cast<void>(open_audit_for_reading(file_.string() + ".missing")),
                 AuditUnusable);
  }
  int failed = 0;
  for (rlim_t more = 0; more < 100; ++more) {
    start_afresh();
    Api api;
    bool has_worked = false;
    {
      const FewDescriptors limit(more);
      has_worked = work(api);
    }
    if (has_worked) break;
    ++failed;
    EXPECT_TRUE(api.answers().empty()) << more;
    EXPECT_THAT(message_, HasSubstr("oo many open files")) << more;
    expect_records_are_true(api);
  }
  EXPECT_GE(failed, 4) << "file, log, shared memory and the second connection need one each";
  EXPECT_LT(failed, 100);
}

}  // namespace
}  // namespace diskrelease
