#include <iostream>
#include <utility>

#include "cli/audit_access.h"
#include "cli/commands.h"
#include "cli/working_database.h"
#include "custody/archive.h"
#include "custody/verification.h"
#include "evidence/chain.h"
#include "model/errors.h"
#include "model/visible_text.h"
#include "platform/clock.h"
#include "platform/host.h"
#include "platform/new_file.h"
#include "record/audit_file.h"
#include "report/json_object.h"

namespace diskrelease {
namespace {

/// What the archive would be made of was altered since it was written.
struct NotVerified {
  Verification found;
};

void check_options(const Options& options) {
  constexpr const char* k_see = "\nSee: diskrelease audit archive --help";
  if (options.words.size() > 1) {
    throw UsageError("audit archive takes flags only, not \"" + visible(options.words[1]) + '"' +
                     k_see);
  }
  if (!options.before) {
    throw UsageError(std::string("audit archive needs --before TIME: runs on which nobody has "
                                 "worked since then are moved") +
                     k_see);
  }
  if (!options.output && !options.dry_run) {
    throw UsageError(std::string("audit archive needs -o FILE, a new one; --dry-run tells what "
                                 "would be moved") +
                     k_see);
  }
  if (options.output == "-") {
    throw UsageError("a database cannot be written to standard output; name a file with -o");
  }
}

std::string hash_of_block(Database& database, std::int64_t block) {
  Statement select = database.prepare("SELECT hash FROM chain WHERE block_id = ?1");
  select.bind(1, block);
  return select.step() ? to_hex(select.text(0)) : std::string();
}

/// Why an archive of this chain, which the database does not have on record, stands at the path;
/// empty for whatever else does.
std::string why_not_on_record(Database& database, const std::filesystem::path& file) {
  try {
    Database there = open_evidence_for_reading(file);
    const ChainHead head = read_chain_head(there);
    if (sealed_archive(there) == 0 || head.chain != read_chain_head(database).chain ||
        hash_of_block(database, head.block) == head.hash) {
      return {};
    }
    // Up to the block before its own it is a copy of the database.
    if (hash_of_block(database, head.block - 1) == hash_of_block(there, head.block - 1)) {
      return " was left by an archiving that did not come to its end: the database still has all "
             "of its runs. Remove that file, then archive again.";
    }
    return " is an archive that this database does not have on record: the database is older than "
           "it, or another copy. Keep that file: it may be the only place of its runs.";
  } catch (const AuditUnusable&) {
    return {};
  }
}

/// What is at the path already may be all that is left of an archive that was interrupted.
void check_output(Database& database, const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(file, error))) return;
  const std::string why = why_not_on_record(database, file);
  throw UsageError(visible(file.string()) +
                   (why.empty() ? " exists; nothing was archived, for an archive replaces nothing. "
                                  "Choose another name."
                                : why));
}

void print_plan(std::ostream& out, const ArchivePlan& plan, bool is_done) {
  for (const RunRecord& run : plan.runs) {
    out << (is_done ? "  moved  run " : "  would be moved: run ") << run.id.value << " ("
        << visible(run.description.name) << ", " << format_utc(run.created) << ", "
        << run.item_count << " disks)\n";
  }
  for (const ArchivePlan::Kept& kept : plan.kept) {
    out << "  stays  run " << kept.run.id.value << " (" << visible(kept.run.description.name)
        << "): " << visible(kept.reason) << '\n';
  }
}

std::string json_list(const std::vector<std::int64_t>& numbers) {
  std::string text;
  for (const std::int64_t number : numbers) {
    text += (text.empty() ? "" : ",") + std::to_string(number);
  }
  return '[' + text + ']';
}

JsonObject json_of(const Options& options, const ArchivePlan& plan, bool is_done) {
  std::vector<std::int64_t> moved;
  for (const RunRecord& run : plan.runs) moved.push_back(run.id.value);
  std::vector<std::int64_t> kept;
  for (const ArchivePlan::Kept& run : plan.kept) kept.push_back(run.run.id.value);
  JsonObject object;
  object.add("event", "archive")
      .add("done", is_done)
      .add_optional("output", options.output.value_or(""))
      .add_json("runs", json_list(moved))
      .add("items", plan.items)
      .add_json("kept_runs", json_list(kept));
  return object;
}

/// Verifies the archive, takes away the right to write it, and gives it its name. Returns its size.
std::int64_t put_in_place(NewFile& file) {
  {
    Database sealed = open_for_verification(file.unfinished());
    Verification found = verify_audit(sealed, {});
    if (!found.passed()) throw NotVerified{std::move(found)};
  }
  // Some file systems have no modes.
  std::error_code error;
  std::filesystem::permissions(file.unfinished(), std::filesystem::perms::owner_read, error);
  try {
    return file.finish();
  } catch (const UsageError& failure) {
    throw UsageError(std::string(failure.what()) +
                     "\nNothing was archived: the database has all of its runs.");
  }
}

/// What was thrown; empty = nothing.
template <class Do>
std::string failure_of(const Do& act) {
  try {
    act();
    return {};
  } catch (const AuditUnusable& error) {
    return error.what();
  }
}

/// What was not done, or not yet.
void tell_plan(const Options& options, const ArchivePlan& plan, UtcTime before) {
  if (options.json) {
    std::cout << json_of(options, plan, false).text() << '\n';
    return;
  }
  if (plan.runs.empty()) {
    std::cout << "nothing to archive: there is no finished run on which nobody has worked since "
              << format_utc(before) << '\n';
  }
  print_plan(std::cout, plan, false);
}

}  // namespace

ExitCode audit_archive_command(const Options& options) {
  check_options(options);
  const SystemClock clock;
  const UtcTime now = clock.utc_now();
  const std::optional<UtcTime> before =
      resolve_time("--before", options.before, time_zone(options), now);
  const std::filesystem::path path = database_path(options);
  if (options.dry_run) {
    Database database = open_audit_for_reading(path);
    tell_plan(options, plan_archive(database, *before), *before);
    return ExitCode::done;
  }
  WorkingDatabase work = open_to_work(options, "audit archive", MayCreate::no);
  Database& database = work.database;
  const ArchivePlan plan = plan_archive(database, *before);
  if (plan.runs.empty()) {
    tell_plan(options, plan, *before);
    return ExitCode::done;
  }
  check_output(database, *options.output);
  AnchorWriter* const anchors = work.anchors.get();
  anchors->append({read_chain_head(database), now});
  NewFile file(*options.output, false);
  const ProcessIdentity me = process_identity();
  std::int64_t bytes = 0;
  ArchiveRecord archive;
  try {
    archive = archive_runs(
        database, plan, {*options.output, *before, me.user, me.host, std::string(tool_version())},
        file.unfinished(), [&] { bytes = put_in_place(file); }, now);
  } catch (const NotVerified& error) {
    for (const std::string& problem : error.found.problems) std::cout << problem << '\n';
    std::cerr << "diskrelease: nothing was archived: what would be moved was altered after it was "
                 "written (see above, and `diskrelease audit verify"
              << database_flag(options) << "`)\n";
    return ExitCode::audit_invalid;
  } catch (const AuditUnusable& error) {
    if (bytes == 0) throw;
    throw AuditUnusable(std::string(error.what()) + "\n" + visible(*options.output) +
                        " is whole. Unless `diskrelease audit stats" + database_flag(options) +
                        "` lists that archive, the database has all of its runs: then remove the "
                        "file and archive again.");
  }
  const std::string not_anchored = failure_of([&] {
    anchors->append({read_chain_head(database), clock.utc_now()});
  });
  const std::string not_shrunk = failure_of([&] {
    if (!shrink_database(database)) throw AuditUnusable("others are reading it");
  });
  if (options.json) {
    JsonObject object = json_of(options, plan, true);
    object.add("archive_id", archive.id)
        .add("bytes", bytes)
        .add("verified", true)
        .add("chain_block", archive.block)
        .add("chain_hash", archive.hash);
    std::cout << std::move(object).text() << '\n';
  } else if (!options.quiet) {
    std::cout << "archived " << archive.runs << (archive.runs == 1 ? " run" : " runs") << " with "
              << archive.items << " disks in " << visible(*options.output) << " ("
              << (bytes + 1'023) / 1'024 << " KiB), verified up to block " << archive.block << '\n';
    print_plan(std::cout, plan, true);
  }
  std::cout.flush();
  if (!not_shrunk.empty()) {
    std::cerr << "diskrelease: the runs were archived, but the database keeps its size for now: "
              << not_shrunk << '\n';
  }
  if (!not_anchored.empty()) {
    std::cerr << "diskrelease: the runs were archived, but no anchor tells of it: " << not_anchored
              << "\nKeep this head: block " << archive.block << ", " << archive.hash << '\n';
    return ExitCode::audit_unusable;
  }
  return ExitCode::done;
}

}  // namespace diskrelease
