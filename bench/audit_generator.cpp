// Makes an audit database of any size, as if runs had been worked on night by night for years: the
// rows, the triggers and the hash chain are the program's own, only durability is not waited for.
//
//   bench_audit_generator FILE ATTEMPTS RUNS DAYS
//
// 97 of 100 disks are accepted at once; the others are rejected, throttled first, or unknown and
// settled later. The last attempt ends when this program begins.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include "derived/derived_tables.h"
#include "evidence/chain.h"
#include "platform/clock.h"
#include "record/audit_file.h"
#include "record/enrolment.h"
#include "record/run_records.h"

namespace diskrelease {
namespace {

constexpr std::int64_t k_attempts_a_transaction = 20'000;

struct Plan {
  std::int64_t items_a_run = 0;
  std::int64_t runs = 0;
  double ms_an_item = 0;
  UtcTime begin;
};

std::string request_id(std::mt19937_64& random) {
  char text[40];
  std::snprintf(text, sizeof text, "T%08X-%04X-%04X-%04X-%012llX", static_cast<unsigned>(random()),
                static_cast<unsigned>(random() & 0xFFFF), static_cast<unsigned>(random() & 0xFFFF),
                static_cast<unsigned>(random() & 0xFFFF),
                static_cast<unsigned long long>(random() & 0xFFFFFFFFFFFF));
  return text;
}

class Generator {
 public:
  Generator(Database& database, const Plan& plan) : database_(database), plan_(plan) {}

  void run() {
    for (std::int64_t number = 0; number < plan_.runs; ++number) {
      const RunRecord run = enrol(number);
      work_on(run, number);
      std::cerr << "run " << number + 1 << " of " << plan_.runs << '\n';
    }
  }

 private:
  UtcTime time_of(std::int64_t item) const {
    return plan_.begin + std::chrono::milliseconds(static_cast<std::int64_t>(
                             plan_.ms_an_item * static_cast<double>(item)));
  }

  RunRecord enrol(std::int64_t number) {
    Enrolment enrolment(database_);
    for (std::int64_t i = 0; i < plan_.items_a_run; ++i) {
      const auto disk = DiskId::parse(std::to_string(
          9900000000000000000ULL + static_cast<std::uint64_t>(number * plan_.items_a_run + i)));
      if (const auto* const id = std::get_if<DiskId>(&disk)) enrolment.add({*id, i + 2});
    }
    static_cast<void>(enrolment.finish());
    RunDescription description;
    description.name = "nightly";
    description.endpoint = "console.zenlayer.com";
    description.list_source = "/srv/cleanup/disks.csv";
    description.list_format = "csv";
    description.settings_json = "{}";
    return enrolment.commit(description, time_of(number * plan_.items_a_run));
  }

  void work_on(const RunRecord& run, std::int64_t number) {
    const std::int64_t begin = number * plan_.items_a_run;
    InvocationDescription description;
    description.command = "run";
    description.user = "cleanup";
    description.host = "ops-1";
    description.pid = 4711;
    description.tool_version = "0.1.0";
    description.endpoint = run.description.endpoint;
    description.credential_id = "AKBENCH0001";
    description.credential_source = "bench";
    description.settings_json = "{}";
    const InvocationId invocation =
        begin_invocation(database_, run.id, description, time_of(begin));
    Statement intent = database_.prepare(
        "INSERT INTO attempt (item_id, invocation_id, attempt_number, stage, intent_utc_ms)"
        " VALUES (?1, ?2, ?3, 1, ?4)");
    Statement outcome = database_.prepare(
        "INSERT INTO outcome (attempt_id, outcome, scope, http_status, api_code, request_id,"
        " message, sent_utc_ms, finished_utc_ms, latency_us) VALUES"
        " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    Statement verdict = database_.prepare(
        "INSERT INTO verdict (attempt_id, invocation_id, settled, reason, detail, decided_utc_ms)"
        " VALUES (?1, ?2, 'executed', 'marked', 'seen in the console', ?3)");
    const auto attempt = [&](std::int64_t item, int attempt_number, UtcTime at, const char* how,
                             const char* scope, int status, const char* code) {
      const std::int64_t ms = at.time_since_epoch().count();
      const auto latency = static_cast<std::int64_t>(40'000 + random_() % 60'000);
      intent.bind(1, item)
          .bind(2, invocation.value)
          .bind(3, std::int64_t{attempt_number})
          .bind(4, ms);
      intent.run();
      const std::int64_t id = database_.last_insert_rowid();
      const std::string request = status == 502 ? "" : request_id(random_);
      outcome.bind(1, id)
          .bind(2, how)
          .bind(3, scope)
          .bind(4, std::int64_t{status})
          .bind_optional(5, code)
          .bind_optional(6, request)
          .bind_optional(7, status == 200 ? "" : "as the provider has put it")
          .bind(8, ms + 1)
          .bind(9, ms + 1 + latency / 1'000)
          .bind(10, latency);
      outcome.run();
      return id;
    };
    for (std::int64_t i = 0; i < plan_.items_a_run;) {
      Transaction transaction(database_);
      for (std::int64_t n = 0; n < k_attempts_a_transaction && i < plan_.items_a_run; ++n, ++i) {
        const std::int64_t item = run.first_item.value + i;
        const UtcTime at = time_of(begin + i);
        const std::uint64_t dice = random_() % 1'000;
        if (dice < 5) {
          attempt(item, 1, at, "rejected", "disk", 409, "UNSUPPORTED_OPERATION_DISK_STATUS");
        } else if (dice < 10) {
          attempt(item, 1, at, "rejected", "disk", 404, "INVALID_DISK_NOT_FOUND");
        } else if (dice < 20) {
          attempt(item, 1, at, "throttled", "disk", 429, "REQUEST_LIMIT_EXCEEDED");
          attempt(item, 2, at + std::chrono::seconds(2), "accepted", "disk", 200, "");
        } else if (dice < 30) {
          const std::int64_t id = attempt(item, 1, at, "unknown", "disk", 502, "");
          verdict.bind(1, id)
              .bind(2, invocation.value)
              .bind(3, at.time_since_epoch().count() + 9'000);
          verdict.run();
        } else {
          attempt(item, 1, at, "accepted", "disk", 200, "");
        }
      }
      transaction.commit();
    }
    end_invocation(database_, invocation, EndReason::finished, "", 3,
                   time_of(begin + plan_.items_a_run));
  }

  Database& database_;
  Plan plan_;
  std::mt19937_64 random_{20261124};
};

int make(const char* file, std::int64_t attempts, std::int64_t runs, std::int64_t days) {
  create_audit_database(file);
  Plan plan;
  plan.runs = runs;
  plan.items_a_run = attempts / runs;
  const auto span = std::chrono::milliseconds(std::chrono::days(days));
  plan.ms_an_item =
      static_cast<double>(span.count()) / static_cast<double>(plan.items_a_run * runs);
  plan.begin = SystemClock().utc_now() - span;
  Database database(file, Database::Access::read_write);
  database.observe(std::make_unique<ChainWriter>());
  database.execute(
      "PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 50000;"
      "PRAGMA cache_size = -200000");
  Generator(database, plan).run();
  // The derived tables in one go, as after a loss of them.
  Transaction transaction(database);
  make_derived_tables(database);
  transaction.commit();
  database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  return 0;
}

}  // namespace
}  // namespace diskrelease

int main(int argc, char** argv) {
  try {
    if (argc != 5) throw std::runtime_error("usage: bench_audit_generator FILE ATTEMPTS RUNS DAYS");
    return diskrelease::make(argv[1], std::atoll(argv[2]), std::atoll(argv[3]),
                             std::atoll(argv[4]));
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
