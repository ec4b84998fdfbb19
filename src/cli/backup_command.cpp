#include <filesystem>
#include <iostream>

#include "cli/audit_access.h"
#include "cli/commands.h"
#include "custody/archive_list.h"
#include "custody/audit_stats.h"
#include "custody/verification.h"
#include "evidence/anchor_file.h"
#include "model/errors.h"
#include "model/visible_text.h"
#include "platform/new_file.h"
#include "record/audit_file.h"
#include "report/json_object.h"

namespace diskrelease {
namespace {

void require_no_words(const Options& options) {
  if (options.words.size() > 1) {
    throw UsageError(options.words[0] + " takes flags only, not \"" + visible(options.words[1]) +
                     "\"\nSee: diskrelease " + options.words[0] + " --help");
  }
}

/// Of the anchors those that a copy has to fit; none where there is no file.
std::vector<Anchor> anchors_of(const Options& options) {
  const std::filesystem::path file = anchor_path(options);
  std::error_code error;
  if (!options.anchor_file && !std::filesystem::exists(file, error)) return {};
  return read_anchors(file).anchors;
}

std::uint64_t size_of(const std::filesystem::path& file) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  return error ? 0 : size;
}

std::string in_mib(std::uint64_t bytes) {
  const std::uint64_t tenths = (bytes * 10 + (std::uint64_t{1} << 19U)) >> 20U;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
}

}  // namespace

ExitCode audit_backup_command(const Options& options) {
  require_no_words(options);
  if (!options.output) {
    throw UsageError("audit backup needs -o FILE\nSee: diskrelease audit backup --help");
  }
  if (*options.output == "-") {
    throw UsageError("a database cannot be written to standard output; name a file with -o");
  }
  const std::filesystem::path target = *options.output;
  Database database = open_evidence(options);
  // Before the copy is made: a run that works meanwhile adds anchors that it cannot have.
  const std::vector<Anchor> anchors = anchors_of(options);
  NewFile file(target, options.force);
  copy_database(database, file.unfinished());
  const std::int64_t bytes = file.finish();
  Verification found;
  {
    Database copy = open_for_verification(target);
    found = verify_audit(copy, anchors);
  }
  if (!found.passed()) {
    for (const std::string& problem : found.problems) std::cout << problem << '\n';
    std::cerr << "diskrelease: the copy " << visible(target.string())
              << " is complete, but what is in it was altered after it was written (see above, and "
                 "`diskrelease audit verify`)\n";
    return ExitCode::audit_invalid;
  }
  if (options.json) {
    JsonObject object;
    object.add("event", "backup")
        .add("output", target.string())
        .add("bytes", bytes)
        .add("verified", true)
        .add("chain_block", found.head.block)
        .add("chain_hash", found.head.hash);
    std::cout << std::move(object).text() << '\n';
  } else if (!options.quiet) {
    std::cout << "copied to " << visible(target.string()) << ", "
              << in_mib(static_cast<std::uint64_t>(bytes)) << ", verified up to block "
              << found.head.block << '\n';
  }
  return ExitCode::done;
}

ExitCode audit_stats_command(const Options& options) {
  require_no_words(options);
  Database database = open_evidence(options);
  const AuditStats stats = read_stats(database);
  const std::uint64_t file = size_of(database.path());
  const std::uint64_t log = size_of(database.path() + "-wal");
  const auto time = [](const std::optional<UtcTime>& at) {
    return at ? format_utc(*at) : std::string();
  };
  if (options.json) {
    JsonObject rows;
    for (const TableStats& table : stats.tables) rows.add(table.name, table.rows);
    JsonObject object;
    object.add("event", "stats")
        .add("database", database.path())
        .add("schema_version", stats.schema_version)
        .add("bytes", static_cast<std::int64_t>(file))
        .add("log_bytes", static_cast<std::int64_t>(log))
        .add("free_bytes", stats.free_bytes)
        .add("chain_block", stats.head.block)
        .add_optional("chain_hash", stats.head.hash)
        .add_optional("first_run", time(stats.first_run))
        .add_optional("last_end", time(stats.last_end))
        .add_json("rows", std::move(rows).text())
        .add_json("archives", archives_json(stats.archives));
    std::cout << std::move(object).text() << '\n';
    return ExitCode::done;
  }
  std::cout << visible(database.path()) << ": " << in_mib(file) << ", write-ahead log "
            << in_mib(log) << ", unused within the file "
            << in_mib(static_cast<std::uint64_t>(stats.free_bytes)) << "\n  schema version "
            << stats.schema_version << ", chain of " << stats.head.block << " blocks\n";
  if (stats.first_run) {
    std::cout << "  first run " << time(stats.first_run) << ", latest end "
              << (stats.last_end ? time(stats.last_end) : "-") << '\n';
  }
  std::cout << "  rows:\n";
  for (const TableStats& table : stats.tables) {
    std::string line = "    " + std::string(table.name);
    line.resize(24, ' ');
    std::cout << line << table.rows << '\n';
  }
  if (!stats.archives.empty()) std::cout << "  archives:\n";
  for (const ArchiveRecord& archive : stats.archives) {
    std::cout << "    " << archive.id << "  " << describe(archive) << ", in "
              << visible(archive.file) << '\n';
  }
  return ExitCode::done;
}

}  // namespace diskrelease
